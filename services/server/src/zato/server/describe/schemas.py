"""JSON Schema (2020-12): the few forms that descriptions are built from, and what options become."""

import json
from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from zato.common.options import Option, default_json

DIALECT = "https://json-schema.org/draft/2020-12/schema"

Schema = dict[str, Any]

_TYPES: Mapping[str, Schema] = {
    "str": {"type": "string"},
    "path": {"type": "string"},
    "int": {"type": "integer"},
    "float": {"type": "number"},
    "bool": {"type": "boolean"},
    "list": {"type": "array", "items": {"type": "string"}},
}
# The others have no name in JSON Schema.
_FORMATS = frozenset({"date-time"})


def text(description: str = "", **more: Any) -> Schema:
    return _of("string", description, more)


def integer(description: str = "", **more: Any) -> Schema:
    return _of("integer", description, more)


def number(description: str = "", **more: Any) -> Schema:
    return _of("number", description, more)


def boolean(description: str = "", **more: Any) -> Schema:
    return _of("boolean", description, more)


def anything(description: str = "") -> Schema:
    return {"description": description} if description else {}


def array(items: Schema, description: str = "") -> Schema:
    return _of("array", description, {"items": items})


def record(properties: Mapping[str, Schema], description: str = "", *, optional: Iterable[str] = ()) -> Schema:
    """Return the schema of an object, all of whose properties are required but the `optional` ones."""
    left_out = set(optional)
    required = [name for name in properties if name not in left_out]
    more: Schema = {"properties": dict(properties)}
    return _of("object", description, more | ({"required": required} if required else {}))


def nullable(schema: Schema) -> Schema:
    """Return the schema of what may also be null."""
    if "enum" in schema:
        return {"anyOf": [schema, {"type": "null"}]}
    if isinstance(schema.get("type"), str):
        return {**schema, "type": [schema["type"], "null"]}
    return {"anyOf": [schema, {"type": "null"}]} if schema.keys() - {"description"} else schema


def option_schema(option: Option) -> Schema:
    """Return the schema of an option's value, as it is given in JSON and as it is returned."""
    made: Schema = {**_TYPES[option.type], "description": _help(option)}
    if option.choices and option.type == "list":
        made["items"] = {"type": "string", "enum": list(option.choices)}
    elif option.choices:
        made["enum"] = list(option.choices)
    for name, value in (("minimum", option.minimum), ("maximum", option.maximum)):
        if value is not None:
            made[name] = int(value) if float(value).is_integer() else value
    if option.max_length:
        made["maxLength"] = option.max_length
    # An empty text is "not given", which no format allows for.
    if option.format in _FORMATS and option.is_required:
        made["format"] = option.format
    if option.secret:
        made |= {"format": "password", "writeOnly": True}
    if option.is_optional:
        made = nullable(made)
    default = default_json(option)
    if default is not None and not option.secret:
        made["default"] = json.loads(default)
    return made


def jsonable(value: Any) -> Any:
    """Return a default as JSON has it, None for what it has no form for."""
    if value is None or isinstance(value, str | int | float | bool):
        return value
    if isinstance(value, list | tuple):
        return [jsonable(each) for each in value]
    if isinstance(value, Mapping):
        return {str(name): jsonable(each) for name, each in value.items()}
    return str(value) if isinstance(value, date | Decimal | UUID) else None


def _help(option: Option) -> str:
    if not option.references:
        return option.help
    return f"{option.help}. Names an object of: {', '.join(option.references)}" if option.help else ""


def _of(type_name: str, description: str, more: Mapping[str, Any]) -> Schema:
    made: Schema = {"type": type_name}
    if description:
        made["description"] = description
    return made | dict(more)
