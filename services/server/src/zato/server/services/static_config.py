"""`self.static_config`: files that services read as they are, by name: `self.static_config["terms.txt"]`."""

from collections.abc import Iterator
from pathlib import Path

from zato.common.errors import NotFound


class StaticConfig:
    """
    Text files of the server's folder `static/`. A changed file is read anew.

    Args:
        folder: None where the server has no such folder.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._read: dict[str, tuple[int, str]] = {}

    def __getitem__(self, name: str) -> str:
        """Raises NotFound when there is no such file."""
        # No name leads out of the folder.
        path = self._folder / name if self._folder is not None and name == Path(name).name else None
        try:
            changed_at = path.stat().st_mtime_ns if path is not None else 0
            if path is None or not path.is_file():
                raise FileNotFoundError
            if self._read.get(name, (0, ""))[0] != changed_at:
                self._read[name] = (changed_at, path.read_text())
        except FileNotFoundError:
            raise NotFound(f"There is no file '{name}' in the folder static/ of this server's services_folder") from None
        return self._read[name][1]

    def get(self, name: str, default: str | None = None) -> str | None:
        try:
            return self[name]
        except NotFound:
            return default

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self.get(name) is not None

    def __iter__(self) -> Iterator[str]:
        there = self._folder.iterdir() if self._folder is not None and self._folder.is_dir() else ()
        return iter(sorted(path.name for path in there if path.is_file()))
