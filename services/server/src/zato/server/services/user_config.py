"""
`self.user_config`: users' own configuration files, read anew when they change.

    user_config.<label>.<file>.<section>.<key>      a folder that the settings give a label
    user_config.<label>.<section>.<key>             a single file with a label
    user_config.<file>.<section>.<key>              a file in the server's own folder of such files

`<file>` is the file's name without its suffix. Values of ini files are text, or lists of text where they have commas;
those of TOML files have their types.
"""

import time
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from configobj import ConfigObj, ConfigObjError

from bunch import Bunch, bunchify
from zato.common.logs import get_logger

log = get_logger(__name__)

_LOOK_EVERY_S = 1.0
_INI = (".ini", ".conf", ".cfg", ".config")
_TOML = ".toml"
_OWN_LABEL = "user"


class UserConfig:
    """
    Args:
        labels: Folders or files, by label.
        folder: The server's own; its label is "user".
        clock: Seconds, ever growing. Files are looked at no more than once a second.
    """

    def __init__(
        self, labels: Mapping[str, Path], folder: Path | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._labels = {**({_OWN_LABEL: folder} if folder else {}), **labels}
        self._folder = folder
        self._clock = clock
        self._looked_at = float("-inf")
        self._stamps: dict[Path, tuple[int, int]] = {}
        self._values: Bunch = Bunch()

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(self._current(), name)

    def __getitem__(self, name: str) -> Any:
        return self._current()[name]

    def get(self, name: str, default: Any = None) -> Any:
        return self._current().get(name, default)

    def __contains__(self, name: object) -> bool:
        return name in self._current()

    def _current(self) -> Bunch:
        now = self._clock()
        if now - self._looked_at >= _LOOK_EVERY_S:
            self._looked_at = now
            stamps = {file: (stat.st_mtime_ns, stat.st_size) for file in self._files() if (stat := _stat(file))}
            if stamps != self._stamps:
                # A file that is being written may not be readable yet: its old content stays until it is.
                self._values = self._read()
                self._stamps = stamps
        return self._values

    def _files(self) -> list[Path]:
        return [file for path in self._labels.values() for file in _files_of(path)]

    def _read(self) -> Bunch:
        values = Bunch()
        for label, path in self._labels.items():
            files = _files_of(path)
            read = Bunch((file.stem, self._read_file(file, label)) for file in files)
            # A labelled file is known by its label, and by its own name below that.
            values[label] = read if path.is_dir() else Bunch({**read, **next(iter(read.values()), {})})
            if path == self._folder:
                values = Bunch({**read, **values})
        return values

    def _read_file(self, file: Path, label: str) -> Bunch:
        try:
            if file.suffix == _TOML:
                parsed: Mapping[str, Any] = tomllib.loads(file.read_text())
            else:
                parsed = ConfigObj(str(file), encoding="utf-8", interpolation=False, file_error=True).dict()
        except (ConfigObjError, ValueError, OSError) as exc:
            log.error("user_config_not_read", file=str(file), error=str(exc))
            old = self._values.get(label, {})
            return Bunch(old.get(file.stem, {}))
        made: Bunch = bunchify(parsed)
        return made


def _files_of(path: Path) -> list[Path]:
    if path.is_dir():
        return sorted(file for file in path.iterdir() if file.suffix in (*_INI, _TOML) and file.is_file())
    return [path] if path.is_file() else []


def _stat(file: Path) -> Any:
    try:
        return file.stat()
    except OSError:
        return None
