"""From models, dataclasses with type hints, to JSON Schema."""

import dataclasses
import enum
import types
import typing
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from zato.common.models.plan import input_fields
from zato.common.models.types import is_model_like
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

_SCALARS: Mapping[Any, Schema] = {
    str: text(),
    int: integer(),
    float: number(),
    bool: boolean(),
    Decimal: {"type": ["string", "number"], "format": "decimal"},
    datetime: text(format="date-time"),
    date: text(format="date"),
    UUID: text(format="uuid"),
}
_LISTS = (list, Sequence, Collection, Iterable, tuple)
_SETS = (set, frozenset)


class Models:
    """
    Collects the schemas of models under names of their own: two models may be called the same.

    Args:
        prefix: Of references, e.g. "#/components/schemas/" or "#/$defs/".
    """

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._names: dict[tuple[type, bool], str] = {}
        self.schemas: dict[str, Schema] = {}

    def reference(self, model: type, *, is_input: bool) -> Schema:
        """Return the reference to a model's schema. What is sent may lack what was never set, so it has a schema of its own."""
        key = (model, is_input)
        if key not in self._names:
            name = self._names[key] = self._free_name(model.__name__ if is_input else f"{model.__name__}Sent")
            self.schemas[name] = {}  # models may hold themselves
            self.schemas[name] = self._schema(model, is_input)
        return {"$ref": f"{self._prefix}{self._names[key]}"}

    def _free_name(self, wanted: str) -> str:
        name, number = wanted, 2
        while name in self.schemas:
            name, number = f"{wanted}{number}", number + 1
        return name

    def _schema(self, model: type, is_input: bool) -> Schema:
        properties: dict[str, Schema] = {}
        optional = set()
        for field, hint in input_fields(model):
            properties[field.name] = self._of(hint, is_input)
            has_default = field.default is not dataclasses.MISSING or field.default_factory is not dataclasses.MISSING
            if has_default or _is_optional(hint) or not is_input:
                optional.add(field.name)
            if is_input and field.default is not dataclasses.MISSING and (plain := jsonable(field.default)) is not None:
                properties[field.name] = {**properties[field.name], "default": plain}
        return record(properties, _doc(model), optional=optional)

    def _of(self, hint: Any, is_input: bool) -> Schema:
        origin = typing.get_origin(hint)
        if origin in (typing.Annotated, typing.ClassVar, typing.Final):
            return self._of(typing.get_args(hint)[0], is_input)
        if origin in (typing.Union, types.UnionType):
            return self._union(typing.get_args(hint), is_input)
        if hasattr(hint, "__supertype__"):
            is_time = getattr(hint, "__name__", "") == "isotimestamp"
            return text(format="date-time") if is_time else self._of(hint.__supertype__, is_input)
        if hint in _SCALARS:
            return dict(_SCALARS[hint])
        if is_model_like(hint):
            return self.reference(hint, is_input=is_input)
        return self._container(hint, origin or hint, typing.get_args(hint), is_input)

    def _union(self, members: tuple[Any, ...], is_input: bool) -> Schema:
        schemas = [self._of(member, is_input) for member in members if member is not type(None)]
        made = schemas[0] if len(schemas) == 1 else {"anyOf": schemas}
        return nullable(made) if type(None) in members else made

    def _container(self, hint: Any, origin: Any, arguments: tuple[Any, ...], is_input: bool) -> Schema:
        if origin in _LISTS or origin in _SETS:
            # Of a tuple with several types the first one alone would be wrong.
            is_mixed = origin is tuple and len(arguments) > 1 and arguments[1] is not ...
            return array(self._of(arguments[0], is_input) if arguments and not is_mixed else anything())
        if origin is typing.Literal:
            return {"enum": list(arguments)}
        if isinstance(origin, type) and issubclass(origin, enum.Enum):
            return {"enum": [member.value for member in origin]}
        if typing.is_typeddict(hint):
            return {"type": "object"}
        if isinstance(origin, type) and issubclass(origin, Mapping):
            item = self._of(arguments[1], is_input) if len(arguments) == 2 else anything()
            return {"type": "object", **({"additionalProperties": item} if item else {})}
        return anything()


def _is_optional(hint: Any) -> bool:
    return typing.get_origin(hint) in (typing.Union, types.UnionType) and type(None) in typing.get_args(hint)


def _doc(model: type) -> str:
    """A dataclass without a docstring has one that repeats its fields."""
    doc = (model.__doc__ or "").strip()
    return "" if doc.startswith(f"{model.__name__}(") else doc
