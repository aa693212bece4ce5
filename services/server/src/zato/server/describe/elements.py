"""From a service's SimpleIO declaration to JSON Schema."""

from collections.abc import Callable, Mapping
from typing import Any

from zato.server.describe.models import Models
from zato.server.describe.schemas import (
    Schema,
    anything,
    array,
    boolean,
    integer,
    jsonable,
    nullable,
    number,
    record,
    text,
)
from zato.server.services.simpleio.containers import CSV, Dict, DictList, List
from zato.server.services.simpleio.declaration import Declaration, Shape
from zato.server.services.simpleio.element import ForceType
from zato.server.services.simpleio.fields import NOT_GIVEN
from zato.server.services.simpleio.naming import BoolByName, IntByName, Untyped
from zato.server.services.simpleio.scalars import UTC, UUID, Bool, Date, DateTime, Decimal, Float, Int, Secret, Text

# What clients send. The nearest of an element's classes counts, so elements that users derive from ours are described as ours.
_INPUT: Mapping[type, Callable[[], Schema]] = {
    Untyped: text,
    Text: text,
    Int: integer,
    Float: number,
    Bool: boolean,
    Decimal: lambda: {"type": ["string", "number"], "format": "decimal"},
    Date: lambda: text(format="date"),
    DateTime: lambda: text(format="date-time"),
    UTC: lambda: text(format="date-time"),
    UUID: lambda: text(format="uuid"),
    Secret: lambda: text(format="password", writeOnly=True),
    CSV: lambda: text("Values with commas between them"),
    List: lambda: array(anything()),
}
# What of plain names services send as they like.
_OUTPUT: Mapping[type, Callable[[], Schema]] = {
    **_INPUT,
    Untyped: anything,
    IntByName: anything,
    BoolByName: anything,
    Text: anything,
    Date: text,
    DateTime: anything,
    UTC: text,
    UUID: anything,
    Decimal: lambda: text(format="decimal"),
    Secret: anything,
    CSV: anything,
}


class Shapes:
    """
    Describes inputs and outputs.

    Args:
        models: Takes the schemas of models, which are referred to.
    """

    def __init__(self, models: Models) -> None:
        self._models = models

    def input(self, declared: Declaration, helps: Mapping[str, str]) -> Schema:
        """
        Args:
            helps: What the service's docstring says of which element.
        """
        shape = declared.input
        if shape.model is not None:
            return self._model(shape, is_input=True)
        required = {each.name for each in shape.required if each.default is NOT_GIVEN}
        properties = {each.name: _described(_input_of(each, declared.default_input), each, helps) for each in shape.elements}
        return record(properties, optional=properties.keys() - required)

    def output(self, declared: Declaration, helps: Mapping[str, str]) -> Schema:
        shape = declared.output
        if shape.model is not None:
            made = self._model(shape, is_input=False)
        else:
            required = {each.name for each in shape.required if each.default is NOT_GIVEN}
            skipped = {each.name for each in shape.elements if declared.skip_output.covers(each.name)} - required
            properties = {each.name: _described(nullable(_output_of(each)), each, helps) for each in shape.elements}
            one = record(properties, optional=skipped)
            made = array(one) if declared.output_repeated else {"anyOf": [one, array(one)]}
        return record({declared.response_elem: made}) if declared.response_elem else made

    def _model(self, shape: Shape, *, is_input: bool) -> Schema:
        assert shape.model is not None
        made = self._models.reference(shape.model, is_input=is_input)
        return array(made) if shape.is_list else made


def _input_of(element: ForceType, default: Any = NOT_GIVEN) -> Schema:
    made = _container(element, _input_of) or _nearest(element, _INPUT)
    fallback = element.default if element.default is not NOT_GIVEN else default if element.is_optional else NOT_GIVEN
    plain = jsonable(fallback) if fallback is not NOT_GIVEN else None
    return made | ({"default": plain} if plain is not None and not element.is_secret else {})


def _output_of(element: ForceType) -> Schema:
    return _container(element, lambda each: nullable(_output_of(each))) or _nearest(element, _OUTPUT)


def _container(element: ForceType, each: Callable[[ForceType], Schema]) -> Schema:
    if not isinstance(element, Dict):
        return {}
    one: Schema = {"type": "object"}
    if element.keys:
        optional = {key.name for key in element.keys if key.is_optional or NOT_GIVEN not in (key.default, element.default)}
        one = record({key.name: each(key) for key in element.keys}, optional=optional)
    return array(one) if isinstance(element, DictList) else one


def _nearest(element: ForceType, known: Mapping[type, Callable[[], Schema]]) -> Schema:
    for cls in type(element).__mro__:
        if cls in known:
            return known[cls]()
    return anything()


def _described(schema: Schema, element: ForceType, helps: Mapping[str, str]) -> Schema:
    return {**schema, "description": helps[element.name]} if element.name in helps else schema
