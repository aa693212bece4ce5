"""Invoking a service by hand: a form made from what the service declares that it takes, and what becomes of it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from werkzeug.datastructures import MultiDict

from zato.webadmin.forms import Field, label_of

_WIDGETS = {"boolean": "switch", "integer": "number", "number": "number", "array": "long", "object": "long"}


@dataclass(frozen=True)
class Answer:
    """
    Args:
        error: What the service raised, "" when it answered.
        duration_ms: As it took from here.
    """

    body: str
    status: int
    content_type: str
    server: str
    cid: str
    duration_ms: float
    error: str = ""

    @property
    def is_ok(self) -> bool:
        return not self.error and self.status < 400


def input_fields(schema: Mapping[str, Any] | None) -> tuple[Field, ...]:
    """Return a field for each property of a JSON Schema, none when the service declares nothing."""
    root = schema or {}
    properties, required = _properties(root)
    return tuple(_field(name, _resolved(each, root), is_required=name in required) for name, each in properties.items())


def input_of(schema: Mapping[str, Any] | None, given: "MultiDict[str, str]") -> dict[str, Any]:
    """Return what a form made from `input_fields` says. What is empty is left out, unless it is required."""
    root = schema or {}
    properties, required = _properties(root)
    made: dict[str, Any] = {}
    for name, each in properties.items():
        kind = _type(_resolved(each, root))
        text = given.get(f"o-{name}", "")
        if kind == "boolean":
            made[name] = f"o-{name}" in given
        elif text != "" or name in required:
            made[name] = _converted(text, kind)
    return made


def _properties(root: Mapping[str, Any]) -> tuple[Mapping[str, Any], Sequence[str]]:
    """Of the input itself, which may be a model that stands elsewhere in the schema."""
    schema = _resolved(root, root)
    return schema.get("properties") or {}, schema.get("required") or ()


def _converted(text: str, kind: str) -> Any:
    """What is no JSON where JSON is wanted is sent as it is: the service then says what it thinks of it."""
    if kind not in ("integer", "number", "array", "object"):
        return text
    try:
        return json.loads(text)
    except ValueError:
        return text


def _field(name: str, schema: Mapping[str, Any], *, is_required: bool) -> Field:
    kind = _type(schema)
    choices = tuple(str(each) for each in schema.get("enum") or ())
    example = {"array": "[]", "object": "{}"}.get(kind, "")
    default = schema.get("default")
    shown = "" if default is None else default if isinstance(default, str) else json.dumps(default)
    return Field(
        name=name,
        label=label_of(name),
        help=str(schema.get("description") or ("JSON" if example else "")),
        widget="choice" if choices else _WIDGETS.get(kind, "text"),
        value=bool(default) if kind == "boolean" else shown,
        is_required=is_required,
        choices=choices,
        step="1" if kind == "integer" else "any",
        placeholder=example,
    )


def _type(schema: Mapping[str, Any]) -> str:
    """The first type that is not null, which means that it may be left out."""
    found = schema.get("type")
    kinds = found if isinstance(found, list) else [found]
    for each in schema.get("anyOf") or ():
        kinds = [*kinds, each.get("type")]
    return next((str(kind) for kind in kinds if kind and kind != "null"), "string")


def _resolved(schema: Mapping[str, Any], root: Mapping[str, Any]) -> Mapping[str, Any]:
    """Follow a reference to a model, which is an object."""
    reference = schema.get("$ref")
    if not isinstance(reference, str):
        return schema
    found: Any = root
    for part in reference.removeprefix("#/").split("/"):
        found = found.get(part, {}) if isinstance(found, Mapping) else {}
    return found if isinstance(found, Mapping) else {}
