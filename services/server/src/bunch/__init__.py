"""
Dictionaries whose keys are attributes too, under the name that services import them by.

    from bunch import Bunch, bunchify

    config = bunchify({"db": {"host": "localhost"}})
    config.db.host      # "localhost", as config["db"]["host"] is

The package of that name on PyPI does not install on today's Python, so the platform brings its own.
"""

import json
from collections.abc import Mapping
from typing import Any, Self

__all__ = ["Bunch", "bunchify", "unbunchify"]


class Bunch(dict[str, Any]):
    """A dictionary with attributes. What dictionaries have themselves, e.g. `items`, remains a method of theirs."""

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
            raise AttributeError(f"There is no '{name}' to delete") from None

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{key}={value!r}' for key, value in self.items())})"

    def copy(self) -> Self:
        return type(self)(self)

    @staticmethod
    def fromDict(values: Mapping[str, Any]) -> "Bunch":
        return Bunch((key, bunchify(value)) for key, value in values.items())

    def toDict(self) -> dict[str, Any]:
        plain: dict[str, Any] = unbunchify(self)
        return plain

    def toJSON(self, **options: Any) -> str:
        """Return the Bunch as JSON; `options` are those of `json.dumps`."""
        return json.dumps(self, **options)


def bunchify(value: Any) -> Any:
    """Return a copy of `value` with a Bunch for each dictionary in it, at any depth of dictionaries, lists and tuples."""
    if isinstance(value, Mapping):
        return Bunch((key, bunchify(part)) for key, part in value.items())
    if isinstance(value, list | tuple) and type(value) in (list, tuple):
        return type(value)(bunchify(part) for part in value)
    return value


def unbunchify(value: Any) -> Any:
    """Return a copy of `value` with a plain dictionary for each Bunch in it."""
    if isinstance(value, Mapping):
        return {key: unbunchify(part) for key, part in value.items()}
    if isinstance(value, list | tuple) and type(value) in (list, tuple):
        return type(value)(unbunchify(part) for part in value)
    return value
