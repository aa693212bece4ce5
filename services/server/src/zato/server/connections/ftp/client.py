"""The client that services use: `self.out.ftp.get("reports").getcontents("/today.csv")`."""

import contextlib
import fnmatch
import ftplib  # what this is for; over TLS where that is asked for  # nosec B402
import io
import posixpath
import socket
from collections.abc import Iterator
from typing import IO, Any

from zato.common.errors import ZatoError
from zato.server.connections.failures import Named, credentials_refused
from zato.server.connections.files import NoSuchFile
from zato.server.connections.ftp.options import OutgoingFTPOptions
from zato.server.connections.tls import client_context
from zato.server.control.state import ConfigObject, Configuration

_MEANINGS = {
    "421": "it takes no more connections now",
    "450": "the file is in use",
    "452": "it has no room left",
    "534": "it does not encrypt files",
    "552": "it has no room left",
    "553": "it does not take a file of that name",
}
_REFUSALS = ("331", "332", "430", "530", "532")
_UNKNOWN_COMMAND = ("500", "501", "502", "504")


class FTPConnection(Named):
    """
    A file system on the other side. Each call has a session of its own; `session()` is one for several calls.

    Paths are the server's: "/reports/today.csv", or relative to where it puts us.
    """

    kind = "outgoing-ftp"

    def __init__(self, name: str, options: OutgoingFTPOptions) -> None:
        super().__init__(name)
        self._options = options
        self._context = client_context(verify=options.tls_verify, ca_certificates=options.ca_certificates)

    @contextlib.contextmanager
    def session(self) -> Iterator[ftplib.FTP]:
        """
        A session of ftplib's, whose exceptions come out as ours.

        Raises:
            NoSuchFile: What was asked for is not there, or may not be touched.
            Unavailable: The server cannot be reached, does not know us, or cannot do it.
        """
        with self.errors_explained(ftplib.Error, UnicodeError):
            session = self._open()
            try:
                yield session
                # Everything was done: how the session ends changes nothing.
                with contextlib.suppress(OSError, EOFError, ftplib.Error):
                    session.quit()
            finally:
                session.close()

    def getcontents(self, path: str, mode: str = "rb", encoding: str | None = None) -> Any:
        """Return a file's bytes, or its text when `mode` has no "b" or there is an encoding."""
        target = io.BytesIO()
        self.download(path, target)
        is_text = encoding is not None or "b" not in mode
        return target.getvalue().decode(encoding or "utf-8") if is_text else target.getvalue()

    def setcontents(self, path: str, data: Any = b"", encoding: str | None = None) -> None:
        """Write a file: bytes, text, or what a file object gives."""
        source = (
            data if hasattr(data, "read") else io.BytesIO(data.encode(encoding or "utf-8") if isinstance(data, str) else data)
        )
        self.upload(path, source)

    def readbytes(self, path: str) -> bytes:
        contents: bytes = self.getcontents(path)
        return contents

    def readtext(self, path: str, encoding: str = "utf-8") -> str:
        contents: str = self.getcontents(path, encoding=encoding)
        return contents

    writebytes = writetext = setcontents

    def download(self, path: str, file: IO[bytes]) -> None:
        """Write a file's bytes to `file` as they come."""
        with self.session() as session:
            session.retrbinary(f"RETR {path}", file.write)

    def upload(self, path: str, file: IO[bytes]) -> None:
        with self.session() as session:
            session.storbinary(f"STOR {path}", file)

    def append(self, path: str, data: bytes) -> None:
        with self.session() as session:
            session.storbinary(f"APPE {path}", io.BytesIO(data))

    def listdir(self, path: str = "", wildcard: str | None = None) -> list[str]:
        """Return the names in a directory, sorted; `wildcard` is a pattern such as "*.csv"."""
        with self.session() as session:
            found = [posixpath.basename(each.rstrip("/")) for each in session.nlst(*([path] if path else []))]
        names = sorted(set(found) - {"", ".", ".."})
        return [name for name in names if fnmatch.fnmatchcase(name, wildcard)] if wildcard else names

    def getinfo(self, path: str) -> dict[str, Any]:
        """Return {"type": "file" or "dir", "size": bytes} and what else the server tells, such as "modify"."""
        with self.session() as session:
            return _info(session, path)

    def exists(self, path: str) -> bool:
        try:
            self.getinfo(path)
        except NoSuchFile:
            return False
        return True

    def isfile(self, path: str) -> bool:
        return self._type(path) == "file"

    def isdir(self, path: str) -> bool:
        return self._type(path) == "dir"

    def getsize(self, path: str) -> int:
        return int(self.getinfo(path)["size"])

    def makedir(self, path: str, recursive: bool = False, allow_recreate: bool = False) -> None:
        with self.session() as session:
            parts = path.rstrip("/").split("/")
            wanted = ["/".join(parts[: count + 1]) for count in range(len(parts))] if recursive else [path]
            for each in filter(None, wanted):
                may_be_there = (recursive and each != wanted[-1]) or allow_recreate
                if not (may_be_there and _is_directory(session, each)):
                    session.mkd(each)

    def makedirs(self, path: str, recreate: bool = False) -> None:
        self.makedir(path, recursive=True, allow_recreate=recreate)

    def remove(self, path: str) -> None:
        with self.session() as session:
            session.delete(path)

    def removedir(self, path: str) -> None:
        with self.session() as session:
            session.rmd(path)

    def rename(self, source: str, target: str) -> None:
        with self.session() as session:
            session.rename(source, target)

    move = rename

    def ping(self) -> None:
        with self.session() as session:
            session.voidcmd("NOOP")

    def close(self) -> None:
        """Nothing is kept open."""

    def _type(self, path: str) -> str:
        try:
            return str(self.getinfo(path)["type"])
        except NoSuchFile:
            return ""

    def _open(self) -> ftplib.FTP:
        options = self._options
        session = _EncryptedFTP(context=self._context) if options.use_ftps else ftplib.FTP()  # noqa: S321 (as configured)  # nosec B321
        try:
            session.connect(options.host, options.port, options.timeout)
            session.login(options.username, options.password, options.account)
            if isinstance(session, ftplib.FTP_TLS):
                session.prot_p()
        except BaseException:
            session.close()
            raise
        return session

    def explain(self, exc: BaseException) -> ZatoError | str | None:
        if isinstance(exc, UnicodeError | ftplib.error_proto):
            return "it answered with what is no FTP"
        if not isinstance(exc, ftplib.Error):
            return None
        code = str(exc)[:3]
        if code in _REFUSALS:
            return credentials_refused(self.name)
        if "TLS" in str(exc) and not self._options.use_ftps:
            return "it wants to be spoken to with TLS: switch use_ftps on"
        if code == "550":
            return NoSuchFile.on(self.name)
        return _MEANINGS.get(code, "it answered with an error")


class _EncryptedFTP(ftplib.FTP_TLS):
    """Servers that care see from the TLS session that files go to whom commands came from."""

    def ntransfercmd(self, cmd: str, rest: int | str | None = None) -> tuple[socket.socket, int | None]:
        connection, size = ftplib.FTP.ntransfercmd(self, cmd, rest)  # noqa: S321
        try:
            session = self.sock.session  # type: ignore[union-attr]  # an SSLSocket by now
            return self.context.wrap_socket(connection, server_hostname=self.host, session=session), size
        except BaseException:
            connection.close()
            raise


def _info(session: ftplib.FTP, path: str) -> dict[str, Any]:
    try:
        return _facts(session.sendcmd(f"MLST {path}"))
    except ftplib.error_perm as exc:
        if not str(exc).startswith(_UNKNOWN_COMMAND):
            raise
    # A server of the time before MLST.
    if _is_directory(session, path):
        return {"type": "dir", "size": 0}
    session.voidcmd("TYPE I")
    return {"type": "file", "size": session.size(path) or 0}


def _facts(answer: str) -> dict[str, Any]:
    """Read e.g. " type=file;size=3;modify=20260131120000; /a.txt", the second line of an answer to MLST."""
    line = answer.splitlines()[1].strip()
    facts = dict(fact.lower().split("=", 1) for fact in line.split(" ")[0].split(";") if "=" in fact)
    kind = "dir" if facts.get("type") in ("dir", "cdir", "pdir") else "file"
    return {**facts, "type": kind, "size": int(facts.get("size", 0))}


def _is_directory(session: ftplib.FTP, path: str) -> bool:
    here = session.pwd()
    try:
        session.cwd(path)
    except ftplib.error_perm:
        return False
    session.cwd(here)
    return True


def connect(config_object: ConfigObject, configuration: Configuration) -> FTPConnection:
    return FTPConnection(config_object.name, config_object.options)
