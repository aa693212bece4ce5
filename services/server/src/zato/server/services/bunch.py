"""Dictionaries whose keys are attributes too."""

from collections.abc import Mapping
from typing import Any


class Bunch(dict[Any, Any]):
    """`bunch.name` is `bunch["name"]`. A missing one is an AttributeError, as with any object."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"There is no '{name}'; there is: {', '.join(map(str, self)) or 'nothing'}") from None

    def __setattr__(self, name: str, value: Any) -> None:
        self[name] = value

    def __delattr__(self, name: str) -> None:
        try:
            del self[name]
        except KeyError:
            raise AttributeError(name) from None

    def __repr__(self) -> str:
        return f"{type(self).__name__}({super().__repr__()})"

    def copy(self) -> "Bunch":
        return type(self)(self)

    def toDict(self) -> dict[Any, Any]:
        unbunched: dict[Any, Any] = unbunchify(self)
        return unbunched

    @staticmethod
    def fromDict(values: Any) -> Any:
        return bunchify(values)


class Environ(Bunch):
    """`self.environ`: what is missing is None, so that services and hooks may ask before anyone has set it."""

    def __getattr__(self, name: str) -> Any:
        # Protocols of Python, pickle and copy among them, ask for special names and have to hear that there are none.
        if name.startswith("__"):
            raise AttributeError(name)
        return self.get(name)


def bunchify(value: Any) -> Any:
    """Return `value` with each dictionary in it, at any depth, made a Bunch."""
    if isinstance(value, Mapping):
        return Bunch((key, bunchify(part)) for key, part in value.items())
    if isinstance(value, list | tuple) and type(value) in (list, tuple):
        return type(value)(bunchify(part) for part in value)
    return value


def unbunchify(value: Any) -> Any:
    """The other way round: plain dictionaries."""
    if isinstance(value, Mapping):
        return {key: unbunchify(part) for key, part in value.items()}
    if isinstance(value, list | tuple) and type(value) in (list, tuple):
        return type(value)(unbunchify(part) for part in value)
    return value
