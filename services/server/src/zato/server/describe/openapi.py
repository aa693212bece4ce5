"""What all our OpenAPI documents have in common."""

from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any

from zato.server.describe.schemas import DIALECT, Schema, text

OPENAPI = "3.1.1"
CID_HEADER: Mapping[str, Any] = {
    "X-Zato-CID": {"description": "Correlation id: it finds everything about the request in the logs", "schema": text()}
}


def document(
    title: str,
    version: str,
    description: str,
    *,
    paths: Mapping[str, Any],
    components: Mapping[str, Mapping[str, Any]],
    tags: Iterable[Mapping[str, str]] = (),
) -> dict[str, Any]:
    made: dict[str, Any] = {
        "openapi": OPENAPI,
        "info": {"title": title, "version": version, "description": description},
        "jsonSchemaDialect": DIALECT,
        "servers": [{"url": "/"}],
        "tags": list(tags),
        "paths": dict(paths),
        "components": {name: dict(sorted(part.items())) for name, part in components.items() if part},
    }
    return {name: value for name, value in made.items() if value != [] or name == "paths"}


def answer(description: str, content: Mapping[str, Any] | None = None) -> dict[str, Any]:
    made: dict[str, Any] = {"description": description, "headers": dict(CID_HEADER)}
    return made | ({"content": dict(content)} if content else {})


def content_of(content_type: str, schema: Schema | None = None) -> dict[str, Any]:
    """Return a body of a content type; without a schema it is any."""
    return {content_type: {"schema": schema} if schema is not None else {}}


def responses(named: Mapping[int, str], prefix: str = "") -> dict[str, Any]:
    """Return references to answers in the components, by their status."""
    return {str(status): {"$ref": f"#/components/responses/{prefix}{name}"} for status, name in named.items()}


def response_name(status: int) -> str:
    """Return e.g. "NotFound"."""
    return "".join(word.capitalize() for word in HTTPStatus(status).name.split("_"))
