#!/usr/bin/env python3
"""Counts the rows of every Delta table under a folder with other people's readers.

DuckDB's Delta reader and the Python `deltalake` package always, Spark on request. They share no
code with vedette's writer except deltalake, whose Rust core ours is too; so DuckDB (Delta kernel)
and Spark are the independent witnesses. Counts are asked so that the files must be read: a bare
count(*) is answered from the log's statistics, which the writer itself wrote.
"""

import argparse
import json
import os
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
READERS = pathlib.Path(os.environ.get("VEDETTE_READERS", HERE.parent.parent / "target" / "readers"))
# Written once per event; a table that has it can show duplicates, which a bare count cannot.
KEY = "event_id"
# Partition columns are in the log and the folder's name, so asking for them reads no file.
PARTITIONED_BY = ("tenant_id", "day")

AGREE, DISAGREE, COULD_NOT_RUN = 0, 1, 2

DESCRIPTION = """\
Counts the rows of every Delta table under LAKE_DIR with DuckDB and Python deltalake, and with
Spark on request; one JSON line per table on stdout. For tables with a column event_id its
distinct values are counted too.
"""
EPILOG = """\
example:
  deploy/readers/setup && deploy/readers/count.py target/demo/lake --spark
  {"table": "events", "duckdb": 5373, "deltalake": 5373, "spark": 5373,
   "distinct_event_id": {"duckdb": 5373, "deltalake": 5373, "spark": 5373}}

exit status: 0 the readers agree · 1 they do not, or one could not read a table
             2 could not run (no table, readers not installed)
"""


def fail(what, *lines):
    """Says what, where, why and how to fix it, and ends with COULD_NOT_RUN."""
    print(f"count.py: {what}", *(f"  {line}" for line in lines), sep="\n", file=sys.stderr)
    sys.exit(COULD_NOT_RUN)


def enter_environment():
    """Continues under the Python that deploy/readers/setup made."""
    venv = READERS / "venv"
    if pathlib.Path(sys.prefix).resolve() == venv.resolve():
        return
    python = venv / "bin" / "python"
    if not (venv / ".installed").exists():
        fail("the readers are not installed", f"where: {venv}", "fix: deploy/readers/setup")
    os.execv(python, [str(python), str(HERE / "count.py"), *sys.argv[1:]])


def find_tables(lake):
    """Returns the folders below `lake`, or itself, that hold a Delta log; does not look inside them."""
    tables = []
    for folder, below, _ in os.walk(lake):
        below.sort()
        if "_delta_log" in below:
            tables.append(pathlib.Path(folder))
            below.clear()
    return tables


class DuckDB:
    """DuckDB's delta extension, which is built on Delta kernel."""

    name = "duckdb"
    quote = '"'

    def __init__(self):
        import duckdb
        import duckdb_extensions

        duckdb_extensions.import_extension("delta")
        self.connection = duckdb.connect()
        self.connection.execute("LOAD delta")

    def columns(self, path):
        """Returns the names of the table's columns."""
        rows = self.connection.execute("DESCRIBE SELECT * FROM delta_scan(?)", [str(path)]).fetchall()
        return [row[0] for row in rows]

    def counts(self, path, expressions):
        """Returns the value of each SQL aggregate over the table at `path`."""
        sql = f"SELECT {', '.join(expressions)} FROM delta_scan(?)"
        return list(self.connection.execute(sql, [str(path)]).fetchone())


class DeltaLake:
    """The Python deltalake package, asked in SQL."""

    name = "deltalake"
    quote = '"'

    def columns(self, path):
        """Returns the names of the table's columns."""
        from deltalake import DeltaTable

        return [field.name for field in DeltaTable(str(path)).schema().fields]

    def counts(self, path, expressions):
        """Returns the value of each SQL aggregate over the table at `path`."""
        from deltalake import DeltaTable, QueryBuilder

        sql = f"SELECT {', '.join(expressions)} FROM lake_table"
        query = QueryBuilder().register("lake_table", DeltaTable(str(path)))
        batch = query.execute(sql).read_all().to_batches()[0]
        return [batch.column(index)[0].as_py() for index in range(len(expressions))]


class Spark:
    """Apache Spark with the Delta connector, in this process and on this machine only."""

    name = "spark"
    quote = "`"

    def __init__(self):
        from pyspark.sql import SparkSession

        jars = sorted(str(jar) for jar in (READERS / "jars").glob("*.jar") if jar.name.startswith("delta-"))
        if not jars:
            fail("Spark's Delta jars are not there", f"where: {READERS / 'jars'}", "fix: deploy/readers/setup")
        # Found before the settings are read: Spark asks the host name for an address otherwise.
        os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
        # Sized for small tables on two cores: by default Spark makes 50 tasks of every Delta log.
        settings = {
            "spark.jars": ",".join(jars),
            "spark.driver.host": "127.0.0.1",
            "spark.driver.bindAddress": "127.0.0.1",
            "spark.driver.memory": "1g",
            "spark.ui.enabled": "false",
            "spark.ui.showConsoleProgress": "false",
            "spark.sql.shuffle.partitions": "2",
            "spark.databricks.delta.snapshotPartitions": "2",
            "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
            "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
            "spark.log.level": "ERROR",
        }
        builder = SparkSession.builder.master("local[2]").appName("vedette lake readers")
        for key, value in settings.items():
            builder = builder.config(key, value)
        self.session = builder.getOrCreate()

    def columns(self, path):
        """Returns the names of the table's columns."""
        return self.session.read.format("delta").load(str(path)).columns

    def counts(self, path, expressions):
        """Returns the value of each SQL aggregate over the table at `path`."""
        return list(self.session.read.format("delta").load(str(path)).selectExpr(*expressions).first())


def aggregates(reader, columns):
    """Returns the SQL for the number of rows, and of distinct keys if there are keys."""
    stored = [column for column in columns if column not in PARTITIONED_BY] or columns
    witness = KEY if KEY in columns else stored[-1]
    quoted = f"{reader.quote}{witness}{reader.quote}"
    rows = f"count(*) FILTER (WHERE {quoted} IS NULL) + count(*) FILTER (WHERE {quoted} IS NOT NULL)"
    return [rows] + [f"count(DISTINCT {quoted})"] * (witness == KEY)


def read_table(readers, name, path):
    """Asks every reader about one table; returns its report and whether all of them agree."""
    report = {"table": name}
    distinct = {}
    answers = []
    for reader in readers:
        # A reader that cannot open what the others can is the finding, not a reason to stop.
        try:
            values = reader.counts(path, aggregates(reader, reader.columns(path)))
        except Exception as error:  # noqa: BLE001
            # Spark appends the Java stack; its first line says what happened.
            first_line = (str(error).strip() or type(error).__name__).splitlines()[0]
            print(f"count.py: {reader.name} could not read {name}: {first_line}", file=sys.stderr)
            report[reader.name] = None
            answers.append(None)
            continue
        report[reader.name] = values[0]
        if len(values) > 1:
            distinct[reader.name] = values[1]
        answers.append(tuple(values))
    if distinct:
        report[f"distinct_{KEY}"] = distinct
    return report, None not in answers and len(set(answers)) == 1


def main():
    """Reads the arguments, asks the readers, prints a line per table, and returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="count.py", description=DESCRIPTION, epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("lake", metavar="LAKE_DIR", type=pathlib.Path, help="folder of Delta tables, or one table")
    parser.add_argument("--spark", action="store_true", help="ask Spark too (15 to 40 s more)")
    arguments = parser.parse_args()
    enter_environment()
    lake = arguments.lake.resolve()
    tables = find_tables(lake)
    if not tables:
        fail("there is no Delta table to count", f"where: {lake}", "fix: name the lake's folder")
    readers = [DuckDB(), DeltaLake()] + ([Spark()] if arguments.spark else [])
    agree = True
    for path in tables:
        name = path.name if path == lake else str(path.relative_to(lake))
        report, same = read_table(readers, name, path)
        print(json.dumps(report), flush=True)
        if not same:
            print(f"count.py: the readers disagree about {name}", file=sys.stderr)
            agree = False
    return AGREE if agree else DISAGREE


if __name__ == "__main__":
    try:
        sys.exit(main())
    except BrokenPipeError:
        # Whoever read our lines has left, as `head` does; Python must not flush into it again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(COULD_NOT_RUN)
