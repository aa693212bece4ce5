"""
`self.dictnav` and `self.listnav`: finding one's way in nested dictionaries and lists.

    document = self.dictnav(self.request.payload)
    city = document.get(["customer", "addresses", 0, "city"], "unknown")
"""

from collections.abc import Iterator, Sequence
from typing import Any

_Path = Sequence[Any] | str | int


class DictNav:
    """
    Args:
        obj: A dictionary or a list; nothing of it is copied.

    A path is a list of keys and positions, or a single one of them.
    """

    def __init__(self, obj: Any) -> None:
        self.obj = obj

    def get(self, path: _Path, default: Any = None) -> Any:
        """Return what is there, `default` if nothing is."""
        try:
            return self[path]
        except (LookupError, TypeError):
            return default

    def has_key(self, key: Any, nested: bool = True) -> bool:
        """Whether there is such a key, at any depth or, if not `nested`, at the top."""
        return any(key in each for each in self._dictionaries()) if nested else key in self.obj

    def has_path(self, path: _Path) -> bool:
        missing = object()
        return self.get(path, missing) is not missing

    path_exists = has_path

    def set(self, path: _Path, value: Any) -> None:
        """Put a value there; dictionaries that are missing above it are made. Raises LookupError for a list's missing place."""
        *above, last = _steps(path)
        place = self.obj
        for step in above:
            place = place.setdefault(step, {}) if isinstance(place, dict) else place[step]
        place[last] = value

    def __getitem__(self, path: _Path) -> Any:
        """Raises LookupError or TypeError when there is nothing."""
        place = self.obj
        for step in _steps(path):
            place = place[step]
        return place

    def __contains__(self, path: _Path) -> bool:
        return self.has_path(path)

    def __len__(self) -> int:
        return len(self.obj)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.obj)

    def _dictionaries(self) -> Iterator[dict[Any, Any]]:
        remaining = [self.obj]
        while remaining:
            each = remaining.pop()
            if isinstance(each, dict):
                yield each
                remaining += each.values()
            elif isinstance(each, list | tuple):
                remaining += each


ListNav = DictNav


def _steps(path: _Path) -> Sequence[Any]:
    return [path] if isinstance(path, str | int) else path
