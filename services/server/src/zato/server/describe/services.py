"""What a service takes and answers, in JSON Schema, with what its author wrote about it."""

import inspect
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from zato.server.describe.elements import Shapes
from zato.server.describe.models import Models
from zato.server.describe.schemas import DIALECT, Schema
from zato.server.service import Service
from zato.server.services.simpleio.declaration import Declaration, read_declaration
from zato.server.services.store import ServiceEntry

# "* customer_id - Whose orders to return" says what an element of the input or output means.
_ELEMENT_LINE = re.compile(r"\s*\*\s+`*([A-Za-z_][\w.-]*)`*\s+(?:-|–|:)\s+(.+)")


@dataclass(frozen=True, slots=True)
class Words:
    """
    A docstring, taken apart.

    Args:
        summary: Its first line.
        description: The rest, without the lines that describe elements.
        elements: What it says of which element.
    """

    summary: str = ""
    description: str = ""
    elements: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ServiceIODescription:
    """
    Args:
        input, output: None when the service does not declare it.
        takes_list: Whether its input is a list of models.
        params_only: Whether it takes nothing from the body.
    """

    words: Words
    input: Schema | None
    output: Schema | None
    takes_list: bool = False
    params_only: bool = False


def describe_service_io(entry: ServiceEntry, models: Models) -> ServiceIODescription:
    # Its own docstring only: that of a base class, ours for one, is not about this service.
    words = read_words(inspect.cleandoc(vars(entry.cls).get("__doc__") or ""))
    declared = _declaration(entry)
    if declared is None:
        return ServiceIODescription(words, None, None)
    shapes = Shapes(models)
    return ServiceIODescription(
        words,
        shapes.input(declared, words.elements) if declared.input else None,
        shapes.output(declared, words.elements) if declared.output else None,
        declared.input.is_list,
        declared.params_only,
    )


def service_schemas(entry: ServiceEntry) -> dict[str, Schema | None]:
    """Return the JSON Schemas of a service's input and output, each complete in itself; None of what it does not declare."""
    made: dict[str, Schema | None] = {}
    for direction in ("input", "output"):
        models = Models("#/$defs/")
        described = describe_service_io(entry, models)
        schema = described.input if direction == "input" else described.output
        if schema is None:
            made[direction] = None
            continue
        used = _used(schema, models.schemas)
        head: Schema = {"$schema": DIALECT, "title": f"{entry.name}: {direction}"}
        made[direction] = head | schema | ({"$defs": used} if used else {})
    return made


def _used(schema: object, known: Mapping[str, Schema]) -> dict[str, Schema]:
    """Return those of the models that a schema refers to, directly or not."""
    used: dict[str, Schema] = {}
    waiting = [schema]
    while waiting:
        for name in re.findall(r"#/\$defs/(\w+)", str(waiting.pop())):
            if name in known and name not in used:
                used[name] = known[name]
                waiting.append(known[name])
    return used


def read_words(doc: str | None) -> Words:
    lines = (doc or "").strip().splitlines()
    if not lines:
        return Words()
    elements: dict[str, str] = {}
    others: list[str] = []
    for line in lines[1:]:
        if found := _ELEMENT_LINE.fullmatch(line):
            elements[found[1]] = found[2].strip()
        else:
            others.append(line)
    return Words(lines[0].strip(), "\n".join(others).strip(), elements)


def _declaration(entry: ServiceEntry) -> Declaration | None:
    return None if entry.io is None else read_declaration(entry.cls, Service)
