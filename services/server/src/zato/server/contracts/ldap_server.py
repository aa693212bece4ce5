"""A private LDAP server."""

import secrets
import socket
from pathlib import Path

from zato.common.rpc.tls import TLSFiles
from zato.common.testing.processes import ServerProcess, free_port

_SETTINGS = """
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
pidfile {folder}/pid
argsfile {folder}/args
modulepath /usr/lib/ldap
moduleload back_mdb
TLSCACertificateFile {tls.authorities}
TLSCertificateFile {tls.certificate}
TLSCertificateKeyFile {tls.key}
database mdb
suffix "{suffix}"
rootdn "{username}"
rootpw {password}
directory {folder}/db
"""


class LDAPServer(ServerProcess):
    """
    OpenLDAP's server, on 127.0.0.1, with an empty directory.

    Args:
        program: Path of slapd.
        folder: An empty folder for its files.
        tls: Its certificate.

    Attributes:
        username, password: Who may do everything.
    """

    suffix = "dc=example,dc=com"
    username = f"cn=admin,{suffix}"

    def __init__(self, program: str, folder: Path, tls: TLSFiles) -> None:
        self.port, self.tls_port = free_port(), free_port()
        self.password = secrets.token_hex(8)
        (folder / "db").mkdir()
        settings = _SETTINGS.format(folder=folder, tls=tls, suffix=self.suffix, username=self.username, password=self.password)
        (folder / "slapd.conf").write_text(settings)
        self.url, self.tls_url = f"ldap://127.0.0.1:{self.port}", f"ldaps://127.0.0.1:{self.tls_port}"
        command = [program, "-f", str(folder / "slapd.conf"), "-h", f"{self.url} {self.tls_url}", "-d", "0"]
        super().__init__(command, log=folder / "slapd.log", is_ready=self._listens)

    def _listens(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=2).close()
        except OSError:
            return False
        return True
