"""What a service declares of its input and output, as a WSDL can say it."""

import dataclasses
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

ANYTHING = "anyType"
_REQUEST, _RESPONSE = "request", "response"
# By the name of an element's class, or of one that it derives from.
_ELEMENT_TYPES: Mapping[str, str] = {
    "Int": "integer",
    "Bool": "boolean",
    "Float": "double",
    "Decimal": "decimal",
    "AsIs": ANYTHING,
    "ForceType": "string",
}
_PYTHON_TYPES: Mapping[Any, str] = {str: "string", int: "integer", bool: "boolean", float: "double"}


@dataclass(frozen=True, slots=True)
class Field:
    """
    One element of a service's input or output.

    Args:
        type: Its local name among XML Schema's types, e.g. "string"; "anyType" for any structure.
        inside: The elements inside it, if they are known.
    """

    name: str
    type: str = "string"
    is_required: bool = True
    is_repeated: bool = False
    inside: "Sequence[Field]" = ()


@dataclass(frozen=True, slots=True)
class Contract:
    """What a service declares. None in place of fields: nothing, so anything may be there."""

    input: Sequence[Field] | None = None
    output: Sequence[Field] | None = None
    request_name: str = _REQUEST
    response_name: str = _RESPONSE


# Service's name → what it declares.
ContractOf = Callable[[str], Contract]


class Contracts:
    """
    What services declare, read once for each class.

    Args:
        class_of: Finds a service's class by its name.
        read: Returns the declaration of a class, None when it has none: see `contract_from`.
    """

    def __init__(self, class_of: Callable[[str], type], read: Callable[[type], Any]) -> None:
        self._class_of = class_of
        self._read = read
        # A class that is deployed anew is another class; what was known of the old one goes with it.
        self._known: WeakKeyDictionary[type, Contract] = WeakKeyDictionary()

    def __call__(self, service: str) -> Contract:
        """Raises NotFound when there is no such service."""
        cls = self._class_of(service)
        known = self._known.get(cls)
        if known is None:
            known = self._known[cls] = contract_from(self._read(cls))
        return known


def contract_from(declared: Any) -> Contract:
    """
    Args:
        declared: A declaration of SimpleIO: `input` and `output`, each with elements that are `required` or `optional`,
            or a `model`; None when there is none.
    """
    if declared is None:
        return Contract()
    output = declared.output
    return Contract(
        input=_fields(declared.input) if declared.input else None,
        output=_output(output, is_repeated=output.is_list or declared.output_repeated) if output else None,
        request_name=declared.request_elem or _REQUEST,
        response_name=declared.response_elem or _RESPONSE,
    )


def _output(shape: Any, *, is_repeated: bool) -> Sequence[Field]:
    """The form of 2.0 has its output in `item`, or in items of `item_list`, beside what the answer says of itself."""
    fields = [dataclasses.replace(field, is_required=False) for field in _fields(shape)]
    item = Field("item", is_required=False, is_repeated=is_repeated, inside=fields)
    if not shape.is_plain_form:
        return (item,) if is_repeated else fields
    environment = Field("zato_env", ANYTHING, is_required=False)
    return environment, Field("item_list", is_required=False, inside=(item,)) if is_repeated else item


def _fields(shape: Any) -> Sequence[Field]:
    if shape.model is not None:
        return tuple(_model_fields(shape.model))
    return tuple(_element_field(element, is_required) for is_required, element in _elements(shape))


def _elements(shape: Any) -> Iterable[tuple[bool, Any]]:
    yield from ((True, element) for element in shape.required)
    yield from ((False, element) for element in shape.optional)


def _element_field(element: Any, is_required: bool) -> Field:
    is_value = getattr(element, "xml_shape", "value") == "value"
    names = (base.__name__ for base in type(element).__mro__)
    found = next((_ELEMENT_TYPES[name] for name in names if name in _ELEMENT_TYPES), "string")
    return Field(element.name, found if is_value else ANYTHING, is_required)


def _model_fields(model: type) -> Iterable[Field]:
    hints = typing.get_type_hints(model)
    for field in dataclasses.fields(model):
        has_default = field.default is not dataclasses.MISSING or field.default_factory is not dataclasses.MISSING
        yield Field(field.name, _PYTHON_TYPES.get(hints[field.name], ANYTHING), not has_default)
