"""What `self.response.payload` is before a service assigns to it, and how values are read out of what it assigned."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from zato.server.services.simpleio.fields import NOT_GIVEN

Getter = Callable[[str, Any], Any]

_ROWS = " rows"
_LISTS = (list, tuple, set, frozenset, Iterator)


class OutputPayload:
    """
    Takes output by attribute, by key, or as a list.

        self.response.payload.name = "Jane"
        self.response.payload["name"] = "Jane"
        self.response.payload[:] = rows
        self.response.payload.append(row)

    What is assigned is in the instance's own dictionary, which costs no call; rows are under a name that no element has.
    """

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"The response's payload has no '{name}' yet")

    def __setitem__(self, key: Any, value: Any) -> None:
        if isinstance(key, str):
            self.__dict__[key] = value
        else:
            self._rows()[key] = value

    def __getitem__(self, key: Any) -> Any:
        return self.__dict__[key] if isinstance(key, str) else self._rows()[key]

    def __contains__(self, name: object) -> bool:
        return name in self._content()

    def __iter__(self) -> Iterator[Any]:
        return iter(self._content())

    def __len__(self) -> int:
        return len(self._content())

    def get(self, name: str, default: Any = None) -> Any:
        return self.__dict__.get(name, default)

    def update(self, *values: Any, **more: Any) -> None:
        self.__dict__.update(*values, **more)

    def append(self, value: Any) -> None:
        self._rows().append(value)

    def extend(self, values: Any) -> None:
        self._rows().extend(values)

    def __repr__(self) -> str:
        return repr(self._content())

    def _rows(self) -> list[Any]:
        rows: list[Any] = self.__dict__.setdefault(_ROWS, [])
        return rows

    def _content(self) -> Any:
        return self.__dict__.get(_ROWS, self.__dict__)


def assigned_to(payload: OutputPayload) -> Any:
    """Return the list or the dictionary that was assigned, NOT_GIVEN when nothing was."""
    values = payload.__dict__
    return values.get(_ROWS, values) if values else NOT_GIVEN


def is_row(value: Any) -> bool:
    """Whether this is one record although it is a tuple: a row of SQLAlchemy, or a named tuple."""
    return hasattr(value, "_mapping") or hasattr(value, "_asdict")


def as_rows(value: Any, names: tuple[str, ...]) -> list[Any] | None:
    """Return the records of a list, a query or an iterator, None when `value` is one record itself."""
    if isinstance(value, Mapping) or is_row(value):
        return None
    if isinstance(value, _LISTS):
        return list(value)
    # A query can be gone through. So can some objects of ORMs, but these have what is wanted as attributes, not as methods.
    if hasattr(value, "__iter__") and all(callable(getattr(value, name, len)) for name in names):
        return list(value)
    return None


def getter_of(record: Any) -> Getter:
    """Return how to get a value by its name: dictionaries, rows and objects have them in different places."""
    if isinstance(record, Mapping):
        return record.get
    if hasattr(record, "_mapping"):
        get: Getter = record._mapping.get
        return get
    if hasattr(record, "_asdict"):
        found: Getter = record._asdict().get
        return found
    return lambda name, default: getattr(record, name, default)
