"""Elements with several values: lists and objects."""

from collections.abc import Mapping
from typing import Any, ClassVar

from zato.common import conversions
from zato.common.conversions import Unfit
from zato.server.services.simpleio.element import ForceType
from zato.server.services.simpleio.fields import NOT_GIVEN, compile_fields, make_reader
from zato.server.services.simpleio.naming import as_element
from zato.server.services.simpleio.xml import children_of, leaf_text, local_name


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
        self.keys = tuple(as_element(key) for key in keys)
        fields = compile_fields(
            self.keys,
            is_required=lambda element: not element.is_optional and default is NOT_GIVEN and element.default is NOT_GIVEN,
            default=default,
            is_input=True,
        )
        self._read = make_reader(fields, dict) if fields else None
        self._sent = tuple(element.name for element in self.keys)

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
