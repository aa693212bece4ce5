"""The agent's own folder: files written whole or not at all, and one agent at a time."""

import fcntl
import os
from pathlib import Path

from zato.lb_agent.errors import WorkFolderInUse

_LOCK_FILE = "agent.lock"
# The configuration holds a password.
_MODE = 0o600


class WorkFolder:
    """
    Made, with its parents, when it is missing.

    Raises:
        WorkFolderInUse: It can't be made or written to.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self._lock: int | None = None
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as exc:
            raise WorkFolderInUse(f"Folder {self.path} cannot be made: {exc.strerror}") from exc

    def lock(self) -> None:
        """
        Keep other agents out until this process ends, however it does.

        Raises:
            WorkFolderInUse: One is in already. It would lose its HAProxy to us.
        """
        try:
            descriptor = os.open(self.path / _LOCK_FILE, os.O_RDWR | os.O_CREAT, _MODE)
        except OSError as exc:
            raise WorkFolderInUse(f"Folder {self.path} cannot be written to: {exc.strerror}") from exc
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as exc:
            os.close(descriptor)
            raise WorkFolderInUse(
                f"Another agent runs from {self.path}: stop it, or give this one a folder of its own"
            ) from exc
        self._lock = descriptor

    def unlock(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def write(self, name: str, text: str) -> None:
        """Replace a file's text as a whole: who reads it meanwhile gets the old one."""
        new = self.path / f"{name}.new"
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, _MODE)
        with open(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(new, self.path / name)

    def read(self, name: str) -> str:
        """Return a file's text, "" when there is none."""
        try:
            return (self.path / name).read_text(encoding="utf-8")
        except FileNotFoundError:
            return ""

    def remove(self, name: str) -> None:
        (self.path / name).unlink(missing_ok=True)
