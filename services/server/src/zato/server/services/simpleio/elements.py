"""
The elements that SimpleIO is declared with: `input_required = ("name", Int("age"), Date("born_on", default=None))`.

Each knows how its values arrive and how they leave. A plain name is an element too: text, or, when the name says so,
an integer or a boolean (see `typed_by_name`).
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar

from zato.common import conversions
from zato.common.conversions import Unfit
from zato.server.services.simpleio.fields import NOT_GIVEN, compile_fields, make_reader
from zato.server.services.simpleio.xml import children_of, is_element, leaf_text, local_name

OPTIONAL_MARK = "-"


class ForceType:
    """
    The base of all elements, and of those that users write: override `from_json` and `to_json`.

    Args:
        name: What it is called in the input or output. A leading dash makes it optional.
        default: What a missing one is. So an element with one is never missing, required or not.

    Attributes:
        exact: Values of exactly this class need no conversion.
        empty: What an empty text is, as it comes from forms and query strings. None is always None.
        xml_shape: How the value is laid out in XML: "value", "dict", "list" or "dict-list".
        is_secret: Whether its input is encrypted before the service sees it.
    """

    exact: ClassVar[type | None] = None
    empty: ClassVar[Any] = ""
    xml_shape: ClassVar[str] = "value"
    is_secret: ClassVar[bool] = False
    converts_output: ClassVar[bool] = True

    def __init__(self, name: str, *args: Any, default: Any = NOT_GIVEN, **kwargs: Any) -> None:
        if not isinstance(name, str) or not name.strip(f"{OPTIONAL_MARK} "):
            raise ValueError(f"an element takes a name, not {name!r}")
        if args or kwargs:
            what = ", ".join([*(repr(arg) for arg in args), *kwargs])
            raise ValueError(f"{type(self).__name__}({name!r}) takes a name and a default, not also {what}")
        self.is_optional = name.startswith(OPTIONAL_MARK)
        self.name = name.removeprefix(OPTIONAL_MARK)
        self.default = default

    def from_json(self, value: Any) -> Any:
        """Return what the service sees. Raises Unfit, or ValueError, for a value that is not taken. Never gets None or ""."""
        return value

    def to_json(self, value: Any) -> Any:
        """Return what is sent. Never gets None or ""."""
        return value

    def from_xml(self, element: Any) -> Any:
        """Return an XML element's value as JSON would have it; `from_json` gets it next."""
        return leaf_text(element)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, ForceType):
            return self.name == other.name
        return self.name == other if isinstance(other, str) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.name)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r})"


class AsIs(ForceType):
    """Anything, untouched."""

    converts_output = False

    def from_xml(self, element: Any) -> Any:
        return element if children_of(element) else leaf_text(element)


class Opaque(AsIs):
    """Anything, at any depth, untouched."""

    def __init__(self, name: str, *args: Any, default: Any = NOT_GIVEN) -> None:
        super().__init__(name, default=default)


class Untyped(ForceType):
    """A plain name: numbers become text, and the rest, true, false, lists and objects, stays what it is."""

    exact = str
    converts_output = False

    def from_json(self, value: Any) -> Any:
        if isinstance(value, bool | list | Mapping) or is_element(value):
            return value
        return conversions.to_text(value)


class Text(ForceType):
    """
    Text; numbers become text.

    Args:
        encoding: Of bytes, should a service be invoked with some.
    """

    exact = str

    def __init__(self, name: str, *args: Any, default: Any = NOT_GIVEN, encoding: str = "utf8", **kwargs: Any) -> None:
        super().__init__(name, *args, default=default, **kwargs)
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


class CSV(ForceType):
    """A list, written as one text: "a,b" is ["a", "b"]."""

    empty: ClassVar[Any] = []

    def from_json(self, value: Any) -> Any:
        if isinstance(value, list | tuple):
            return list(value)
        return conversions.to_text(value).split(",")

    def to_json(self, value: Any) -> Any:
        if isinstance(value, list | tuple | set | frozenset):
            return ",".join(conversions.to_text(part) for part in value)
        return value


class List(ForceType):
    """A list. A single value is a list of one."""

    empty: ClassVar[Any] = []
    xml_shape = "list"

    def from_json(self, value: Any) -> Any:
        return list(value) if isinstance(value, list | tuple | set | frozenset) else [value]

    def to_json(self, value: Any) -> Any:
        return self.from_json(value)

    def from_xml(self, element: Any) -> Any:
        items = children_of(element)
        return [leaf_text(item) for item in items] if items else leaf_text(element)


class Dict(ForceType):
    """
    An object.

    Args:
        keys: Names or elements: exactly these keys it has, "-name" optionally. Without any, it may have any.
        default: Of a missing object, and of missing keys.
    """

    empty: ClassVar[Any] = {}
    xml_shape = "dict"

    def __init__(self, name: str, *keys: Any, default: Any = NOT_GIVEN) -> None:
        super().__init__(name, default=default)
        elements = [as_element(key) for key in keys]
        fields = compile_fields(
            elements,
            is_required=lambda element: not element.is_optional and default is NOT_GIVEN and element.default is NOT_GIVEN,
            default=default,
            is_input=True,
        )
        self._read = make_reader(fields, dict) if fields else None
        self._sent = tuple(element.name for element in elements)

    def from_json(self, value: Any) -> Any:
        if not isinstance(value, Mapping):
            raise Unfit("an object")
        return value if self._read is None else self._read(value)

    def to_json(self, value: Any) -> Any:
        if not self._sent or not isinstance(value, Mapping):
            return value
        return {name: value[name] for name in self._sent if name in value}

    def from_xml(self, element: Any) -> Any:
        return xml_items(element)


class DictList(Dict):
    """A list of objects, each as `Dict` has it. A single object is a list of one."""

    empty: ClassVar[Any] = []
    xml_shape = "dict-list"

    def from_json(self, value: Any) -> Any:
        made = []
        for index, part in enumerate([value] if isinstance(value, Mapping) else _as_list(value)):
            try:
                made.append(super().from_json(part))
            except Unfit as unfit:
                raise unfit.inside(f"[{index}]") from None
        return made

    def to_json(self, value: Any) -> Any:
        return [super(DictList, self).to_json(part) for part in value] if isinstance(value, list | tuple) else value

    def from_xml(self, element: Any) -> Any:
        return [xml_items(child) for child in children_of(element)]


def _as_list(value: Any) -> list[Any]:
    if isinstance(value, list | tuple):
        return list(value)
    raise conversions.not_a_list()


def xml_items(element: Any) -> dict[str, Any]:
    """Return <item><key>a</key><value>1</value></item>… as {"a": "1"}."""
    made = {}
    for item in children_of(element):
        parts = {local_name(part): leaf_text(part) for part in children_of(item)}
        if "key" not in parts:
            raise Unfit("items that each have a key and a value")
        made[parts["key"] or ""] = parts.get("value", "")
    return made


# The names of the earlier generation.
Boolean = Bool
Integer = Int
ListOfDicts = DictList
Nested = Opaque
Unicode = Text

_INT_NAMES = ("id",)
_INT_SUFFIXES = ("_count", "_id", "_size", "_size_min", "_size_max", "_timeout")
_BOOL_PREFIXES = ("by_", "has_", "is_", "may_", "needs_", "should_")


class IntByName(Int):
    """Takes integers only. Services send what they like: that of others, who knows what they call `id`, stays as it is."""

    converts_output = False


class BoolByName(Bool):
    converts_output = False


def typed_by_name(name: str) -> ForceType:
    """Return the element of a plain name: `customer_id` and `page_size` are integers, `is_active` is a boolean."""
    plain = name.removeprefix(OPTIONAL_MARK)
    if plain in _INT_NAMES or plain.endswith(_INT_SUFFIXES):
        return IntByName(name)
    return BoolByName(name) if plain.startswith(_BOOL_PREFIXES) else Untyped(name)


def as_element(declared: Any) -> ForceType:
    """Raises ValueError, with what is wrong, for what is neither a name nor an element."""
    if isinstance(declared, ForceType):
        return declared
    if isinstance(declared, str):
        if declared != declared.strip() or "," in declared:
            raise ValueError(f"{declared!r} is no element's name: several are written as a tuple, e.g. ('a', 'b')")
        return typed_by_name(declared)
    if isinstance(declared, type):
        example = declared.__name__ if issubclass(declared, ForceType) else "Text"
        raise ValueError(f"{declared.__name__} is no element: elements have a name, e.g. {example}('customer')")
    raise ValueError(f"{declared!r} is no element: take a name, e.g. 'customer', or an element, e.g. Int('size')")
