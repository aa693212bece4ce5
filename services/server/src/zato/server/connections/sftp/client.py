"""The client that services use: `self.out.sftp["bank"].conn.read("/in/today.csv")`."""

import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from zato.common.errors import ZatoError
from zato.server.connections.deadline import within
from zato.server.connections.failures import Named, credentials_refused, timed_out
from zato.server.connections.files import NoSuchFile
from zato.server.connections.sftp.options import OutgoingSFTPOptions
from zato.server.control.state import ConfigObject, Configuration

if TYPE_CHECKING:
    import paramiko


class FileExists(ZatoError, ValueError):
    """A file of that name is there already, and was not to be replaced."""


@dataclass(frozen=True, slots=True)
class FileInfo:
    """One file or directory; `permissions` as in "rw-r--r--", times in UTC."""

    name: str
    is_directory: bool
    is_file: bool
    size: int
    permissions: str
    last_modified: datetime


class SFTPConnection(Named):
    """
    A file system on the other side. A worker keeps one SSH connection, over which calls go side by side, each through a
    channel of its own; it is made when first needed, and again when it broke.
    """

    kind = "outgoing-sftp"

    def __init__(self, name: str, options: OutgoingSFTPOptions) -> None:
        from zato.server.connections.sftp.session import Opener

        super().__init__(name)
        self._options = options
        self._opener = Opener(options)
        self._client: paramiko.SSHClient | None = None
        # Services that come at the same moment wait for the one that connects.
        self._connecting = threading.Lock()

    @contextmanager
    def session(self) -> Iterator["paramiko.SFTPClient"]:
        """
        A session of paramiko's, whose exceptions come out as ours.

        Raises:
            NoSuchFile: What was asked for is not there, or may not be touched.
            Unavailable: The server cannot be reached, does not know us, or cannot do it.
        """
        with self.errors_explained(*self._opener.exceptions):
            with self._connecting, within(self._options.timeout, lambda: timed_out(self.name)):
                client = self._opener.reopen(self._client)
                self._client = client
            session = self._opener.open_sftp(client)
            try:
                yield session
            finally:
                session.close()

    def read(self, path: str, encoding: str | None = "utf-8") -> Any:
        """Return a file's text, or its bytes when `encoding` is None."""
        with self.session() as session, session.open(path, "rb") as file:
            file.prefetch()
            data = file.read()
        return data if encoding is None else data.decode(encoding)

    def write(self, data: str | bytes, path: str, overwrite: bool = True, encoding: str = "utf-8") -> None:
        """Raises FileExists if there is such a file already and `overwrite` is false."""
        with self.session() as session:
            if not overwrite and self._stat(session, path) is not None:
                raise FileExists(f"Connection '{self.name}': there is a file of that name already")
            with session.open(path, "wb") as file:
                file.set_pipelined(True)
                file.write(data.encode(encoding) if isinstance(data, str) else data)

    def upload(self, local_path: str, path: str) -> None:
        with open(local_path, "rb") as source, self.session() as session:
            session.putfo(source, path)

    def download(self, path: str, local_path: str) -> None:
        with self.session() as session, open(local_path, "wb") as target:
            session.getfo(path, target)

    download_file = download

    def list(self, path: str = ".") -> list[FileInfo]:
        """Return what is in a directory, by name."""
        with self.session() as session:
            return sorted((_info(each.filename, each) for each in session.listdir_attr(path)), key=lambda info: info.name)

    def get_info(self, path: str) -> FileInfo:
        with self.session() as session:
            return _info(path.rstrip("/").rpartition("/")[2], session.stat(path))

    def exists(self, path: str) -> bool:
        with self.session() as session:
            return self._stat(session, path) is not None

    def is_file(self, path: str) -> bool:
        with self.session() as session:
            return stat.S_ISREG(getattr(self._stat(session, path), "st_mode", None) or 0)

    def is_directory(self, path: str) -> bool:
        with self.session() as session:
            return stat.S_ISDIR(getattr(self._stat(session, path), "st_mode", None) or 0)

    def create_directory(self, path: str) -> None:
        with self.session() as session:
            session.mkdir(path)

    def create_symlink(self, target: str, path: str) -> None:
        with self.session() as session:
            session.symlink(target, path)

    def rename(self, source: str, target: str) -> None:
        """Give a file another name or place; one that is there is replaced in the same moment."""
        with self.session() as session:
            session.posix_rename(source, target)

    move = rename

    def delete_file(self, path: str) -> None:
        with self.session() as session:
            session.remove(path)

    def delete_directory(self, path: str) -> None:
        """The directory has to be empty."""
        with self.session() as session:
            session.rmdir(path)

    def delete(self, path: str) -> None:
        """Delete a file, or an empty directory."""
        (self.delete_directory if self.is_directory(path) else self.delete_file)(path)

    def chmod(self, mode: int, path: str) -> None:
        with self.session() as session:
            session.chmod(path, mode)

    def ping(self) -> None:
        with self.session() as session:
            session.listdir(self._options.default_directory or ".")

    def close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            client.close()

    def _stat(self, session: "paramiko.SFTPClient", path: str) -> Any:
        try:
            return session.stat(path)
        except FileNotFoundError:
            return None

    def explain(self, exc: BaseException) -> ZatoError | str | None:
        if isinstance(exc, FileNotFoundError | PermissionError):
            return NoSuchFile.on(self.name)
        meaning = self._opener.meaning(exc)
        return credentials_refused(self.name) if meaning == self._opener.REFUSED else meaning


def _info(name: str, attributes: "paramiko.SFTPAttributes") -> FileInfo:
    mode = attributes.st_mode or 0
    modified = datetime.fromtimestamp(attributes.st_mtime or 0, UTC)
    return FileInfo(name, stat.S_ISDIR(mode), stat.S_ISREG(mode), attributes.st_size or 0, stat.filemode(mode)[1:], modified)


def connect(config_object: ConfigObject, configuration: Configuration) -> SFTPConnection:
    return SFTPConnection(config_object.name, config_object.options)
