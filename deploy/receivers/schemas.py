"""Writes OCSF's classes as JSON Schema into a folder: `schemas.py DIR`."""

import json
import sys
from pathlib import Path

from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema

CLASSES = ("detection_finding", "incident_finding", "remediation_activity", "application_error")


def main() -> None:
    folder = Path(sys.argv[1])
    ocsf = OcsfJsonSchemaEmbedded(get_ocsf_schema(version="1.8.0"))
    for name in CLASSES:
        schema = ocsf.get_class_schema(name)
        (folder / f"{schema['properties']['class_uid']['const']}.json").write_text(json.dumps(schema))


if __name__ == "__main__":
    main()
