"""`self.msg.mapper(source, target)`: makes one message of another, value by value."""

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Protocol

import arrow

from zato.common.conversions import Unfit, to_bool
from zato.common.errors import BadRequest
from zato.server.services.moments import utc_now

_UNCHANGED: Callable[[Any], Any] = lambda value: value  # noqa: E731
# What a value becomes when its source path begins with one of these, e.g. "int:/order/count".
_CONVERSIONS: Mapping[str, Callable[[Any], Any]] = {
    "int": int,
    "long": int,
    "bool": to_bool,
    "dec": Decimal,
    "arrow": arrow.get,
}
_TIME = "time:"


class Document(Protocol):
    """A message whose parts are read and written."""

    document: Any

    def get(self, name: str, default: Any = None) -> Any: ...

    def set(self, name: str, value: Any) -> Any: ...


class Mapper:
    """
    Attributes:
        target: The message that is made.
    """

    def __init__(self, source: Document, target: Document) -> None:
        self._source = source
        self._target = target
        self._functions: dict[str, Callable[..., Any]] = {}
        self._substitutions: dict[Any, Any] = {}

    @property
    def target(self) -> Any:
        return self._target.document

    def map(self, from_: str, to: str, default: Any = None) -> Any:
        """
        Copy a value from the source to the target, and return it.

        Args:
            from_: A path, or the name of one, after what it shall become: `int:`, `long:`, `bool:`, `dec:`, `arrow:`, or
                `time:FORMAT:` for a time in this format, e.g. "time:DD/MM/YYYY:/order/date"; or after the name of a
                function that `set_func` made known.
            to: A path, or the name of one. What is missing above it is made in JSON.

        Raises:
            BadRequest: The value can't become that.
        """
        convert, path = self._conversion(from_)
        found = self._source.get(path, default)
        value = found if found is None else _converted(convert, found, from_)
        value = self._substituted(value)
        self._target.set(to, value)
        return value

    def map_many(self, pairs: Mapping[str, str] | Iterable[tuple[str, str]]) -> None:
        """The same for several."""
        for from_, to in pairs.items() if isinstance(pairs, Mapping) else pairs:
            self.map(from_, to)

    def set(self, to: str, value: Any) -> None:
        """Put a value into the target."""
        self._target.set(to, value)

    def get(self, name: str, default: Any = None) -> Any:
        """Return a value of the source."""
        return self._source.get(name, default)

    def set_time(self, to: str, format: str = "YYYY-MM-DD HH:mm:ss") -> None:
        """Put the time of now into the target, in UTC."""
        self._target.set(to, arrow.get(utc_now()).format(format))

    def set_substitution(self, value: Any, replacement: Any) -> None:
        """Let `map` put `replacement` wherever it finds `value`."""
        self._substitutions[value] = replacement

    def set_func(self, name: str, function: Callable[[Any], Any]) -> None:
        """Let paths of `map` begin with `name:`, for what `function` makes of the value."""
        self._functions[name] = function

    def _conversion(self, path: str) -> tuple[Callable[[Any], Any], str]:
        if path.startswith(_TIME):
            format, rest = _split_format(path.removeprefix(_TIME))
            return lambda value: arrow.get(str(value), format), rest
        name, colon, rest = path.partition(":")
        function = self._functions.get(name) or _CONVERSIONS.get(name)
        return (function, rest) if colon and function else (_UNCHANGED, path)

    def _substituted(self, value: Any) -> Any:
        try:
            return self._substitutions.get(value, value)
        except TypeError:  # what can't be a key is replaced by nothing
            return value


def _split_format(path: str) -> tuple[str, str]:
    """Both may have colons. A pointer or an expression begins with a slash; the name of one has no colon."""
    format, found, rest = path.partition(":/")
    if found:
        return format, f"/{rest}"
    format, _, name = path.rpartition(":")
    return format, name


def _converted(convert: Callable[[Any], Any], value: Any, path: str) -> Any:
    try:
        return convert(value)
    except (ValueError, TypeError, InvalidOperation, Unfit) as exc:
        raise BadRequest(f"The value for '{path}' cannot become that") from exc
