"""Elements with one value: text, numbers, dates."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from zato.common import conversions
from zato.common.conversions import Unfit
from zato.server.services.simpleio import defaults
from zato.server.services.simpleio.element import ForceType
from zato.server.services.simpleio.fields import NOT_GIVEN
from zato.server.services.simpleio.xml import children_of, leaf_text


class AsIs(ForceType):
    """Anything, untouched."""

    converts_output = False

    def from_xml(self, element: Any) -> Any:
        return element if children_of(element) else leaf_text(element)


class Opaque(AsIs):
    """Anything, at any depth, untouched."""

    def __init__(self, name: str, *args: Any, default: Any = NOT_GIVEN) -> None:
        super().__init__(name, default=default)


class Text(ForceType):
    """
    Text; numbers become text.

    Args:
        encoding: Of bytes, should a service be invoked with some. UTF-8 unless the server says otherwise.
    """

    exact = str

    def __init__(self, name: str, *args: Any, default: Any = NOT_GIVEN, encoding: str = "", **kwargs: Any) -> None:
        super().__init__(name, *args, default=default, **kwargs)
        encoding = encoding or defaults.current().encoding
        "".encode(encoding)  # an unknown one is an error of the declaration
        self._encoding = encoding

    def from_json(self, value: Any) -> Any:
        if isinstance(value, bytes):
            try:
                return value.decode(self._encoding)
            except ValueError:
                raise Unfit("a text") from None
        return conversions.to_text(value)

    def to_json(self, value: Any) -> Any:
        return value if isinstance(value, bool | list | tuple | Mapping) else self.from_json(value)


class Int(ForceType):
    exact = int
    empty = 0

    def from_json(self, value: Any) -> Any:
        return conversions.to_int(value)

    def to_json(self, value: Any) -> Any:
        return int(value) if isinstance(value, bool) else conversions.to_int(value)


class Float(ForceType):
    exact = float
    empty = 0.0

    def from_json(self, value: Any) -> Any:
        return conversions.to_float(value)

    def to_json(self, value: Any) -> Any:
        return conversions.to_float(value)


class Decimal(ForceType):
    """A number that is exact to the last digit. Sent as text, so that it stays exact."""

    def from_json(self, value: Any) -> Any:
        return conversions.to_decimal(value)

    def to_json(self, value: Any) -> Any:
        return conversions.to_decimal(value)


class Bool(ForceType):
    """true, yes, on, y, t, 1, or false, no, off, n, f, 0; letters of either case."""

    exact = bool
    empty = False

    def from_json(self, value: Any) -> Any:
        return conversions.to_bool(value)

    def to_json(self, value: Any) -> Any:
        return conversions.to_bool(value)


class Date(ForceType):
    """A date, as ISO 8601 (2030-12-31) or another text that can mean one day only. What services send may be text already."""

    def from_json(self, value: Any) -> Any:
        return conversions.to_date(value)

    def to_json(self, value: Any) -> Any:
        return value.date() if isinstance(value, datetime) else value


class DateTime(ForceType):
    """The same for a point in time. One without a time zone stays without."""

    def from_json(self, value: Any) -> Any:
        return conversions.to_datetime(value)


class UTC(ForceType):
    """A time as text, without the +00:00 that says that it is in UTC."""

    def from_json(self, value: Any) -> Any:
        return conversions.to_text(value).replace("+00:00", "")

    def to_json(self, value: Any) -> Any:
        return self.from_json(value)


class UUID(ForceType):
    def from_json(self, value: Any) -> Any:
        return conversions.to_uuid(value)


class Secret(ForceType):
    """Text that is encrypted before the service sees it: `self.crypto.decrypt(self.request.input.token)` opens it."""

    is_secret = True

    def from_json(self, value: Any) -> Any:
        return conversions.to_text(value)
