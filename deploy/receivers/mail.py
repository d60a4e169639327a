"""A server of mail with STARTTLS and a login: `mail.py PORT CERTIFICATE KEY DIR`; each mail becomes a file of DIR."""

import asyncio
import ssl
import sys
from itertools import count
from pathlib import Path

from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

PASSWORD = b"a password of the test"


class Keep:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.numbers = count()

    async def handle_DATA(self, server, session, envelope) -> str:
        (self.folder / f"{next(self.numbers)}.eml").write_bytes(envelope.original_content)
        return "250 kept"


def check(server, session, envelope, mechanism, data) -> AuthResult:
    good = isinstance(data, LoginPassword) and (data.login, data.password) == (b"vedette", PASSWORD)
    return AuthResult(success=good)


async def main() -> None:
    port, certificate, key, folder = sys.argv[1:]
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)
    keep = Keep(Path(folder))

    def server() -> SMTP:
        return SMTP(
            keep, tls_context=tls, require_starttls=True, auth_required=True, authenticator=check, hostname="localhost"
        )

    listening = await asyncio.get_running_loop().create_server(server, "127.0.0.1", int(port))
    await listening.serve_forever()


asyncio.run(main())
