"""The OpenAPI document of users' services: what HTTP channels offer, to whom."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from zato.common.errors import NotFound
from zato.server.control.state import ConfigObject, Configuration
from zato.server.describe.models import Models
from zato.server.describe.openapi import answer, content_of, document, response_name, responses
from zato.server.describe.schemas import Schema, array, record, text
from zato.server.describe.security import schemes_of
from zato.server.describe.services import ServiceIODescription, describe_service_io
from zato.server.http.formats import CONTENT_TYPES
from zato.server.security.definitions import SECURITY_KINDS
from zato.server.security.rbac import Permissions
from zato.server.services.store import INTERNAL_PREFIX, ServiceEntry

_PARAMETER = re.compile(r"{([A-Za-z_]\w*)}")
# Methods that OpenAPI has a place for, and of those the ones whose bodies mean something.
_METHODS = ("GET", "PUT", "POST", "DELETE", "OPTIONS", "HEAD", "PATCH", "TRACE")
_WITH_BODY = frozenset({"PUT", "POST", "PATCH"})
# How a channel for any method is shown, where the service has no handlers of its own for some.
_ANY_METHOD = ("GET", "POST")
_FORMS = ("form", "post")

_ERRORS: Mapping[int, str] = {
    400: "The input does not fit: the details name the path of the element, e.g. /customer/addresses[0]/city",
    401: "The credentials are missing or wrong",
    403: "The credentials are good, but not for this",
    413: "The body is larger than it may be",
    429: "A rate limit is reached: try again later",
    500: "The service failed: the cause is in the log, under the cid",
    503: "Not now: try again in a moment",
    504: "The service took longer than it may",
}
_OF_SECURED = frozenset({401, 403})

MayBeShown = Callable[[str], bool]


@dataclass(slots=True)
class _Parts:
    """What is collected while channels are gone through."""

    models: Models = field(default_factory=lambda: Models("#/components/schemas/"))
    schemes: dict[str, Schema] = field(default_factory=dict)
    paths: dict[str, dict[str, Any]] = field(default_factory=dict)
    # By a path without the names of its parameters, the path as it was first.
    shapes: dict[str, str] = field(default_factory=dict)
    operation_ids: set[str] = field(default_factory=set)


def services_document(
    configuration: Configuration,
    find: Callable[[str], ServiceEntry],
    *,
    title: str,
    may_be_shown: MayBeShown = lambda service: True,
) -> dict[str, Any]:
    """
    Return the document of all active HTTP channels of users' services.

    Args:
        find: Returns a service's entry; raises NotFound when it is not deployed or switched off.
        may_be_shown: Whether services of this name are in the document.
    """
    parts = _Parts()
    permissions = Permissions(configuration)
    for channel in sorted(configuration.of_kind("channel-http"), key=lambda each: each.name):
        service = channel.options.service
        if not channel.is_active or service.startswith(INTERNAL_PREFIX) or not may_be_shown(service):
            continue
        try:
            entry = find(service)
        except NotFound:
            continue
        _add_channel(parts, channel, entry, configuration, permissions)
    return document(
        title,
        str(configuration.version),
        "Services that can be called by HTTP. Made from what they declare, and from the channels that lead to them.",
        paths=dict(sorted(parts.paths.items())),
        components={
            "schemas": {**parts.models.schemas, "Error": _error()},
            "responses": _error_responses(),
            "securitySchemes": parts.schemes,
        },
        tags=[{"name": name} for name in sorted(_tags(parts.paths.values()))],
    )


def _add_channel(
    parts: _Parts, channel: ConfigObject, entry: ServiceEntry, configuration: Configuration, permissions: Permissions
) -> None:
    described = describe_service_io(entry, parts.models)
    own = _PARAMETER.findall(channel.options.url_path)
    shape = _PARAMETER.sub("{}", channel.options.url_path)
    path = parts.shapes.setdefault(shape, channel.options.url_path)
    # What a path's parameters are called is no part of the path: two channels whose paths differ in that only share it.
    names = dict(zip(own, _PARAMETER.findall(path), strict=True))
    for method in _methods(channel, entry):
        security = _security(parts, channel, configuration, permissions, method)
        operation = _operation(channel, entry, described, method, names) | security
        known = parts.paths.setdefault(path, {}).get(method.lower())
        if known is not None:
            # Channels that differ in what they answer with, by Accept.
            known["responses"]["200"].setdefault("content", {}).update(operation["responses"]["200"].get("content", {}))
            continue
        operation["operationId"] = _free(f"{entry.name}-{method.lower()}", parts.operation_ids)
        parts.paths[path][method.lower()] = operation


def _methods(channel: ConfigObject, entry: ServiceEntry) -> tuple[str, ...]:
    if channel.options.method:
        return tuple(method for method in (channel.options.method,) if method in _METHODS)
    return tuple(method for method in _METHODS if method in entry.verbs) or _ANY_METHOD


def _operation(
    channel: ConfigObject, entry: ServiceEntry, described: ServiceIODescription, method: str, names: Mapping[str, str]
) -> dict[str, Any]:
    has_body = method in _WITH_BODY and not described.params_only
    made: dict[str, Any] = {
        "summary": described.words.summary or entry.name,
        "description": _description(channel, described),
        "tags": [entry.name.rpartition(".")[0] or entry.name],
        "parameters": _parameters(channel, described, names, has_body=has_body),
        "requestBody": _body(channel, described, names) if has_body else None,
        "responses": _responses(channel, described),
        "x-zato-service": entry.name,
        "x-zato-channel": channel.name,
    }
    return {name: value for name, value in made.items() if value not in (None, "", [])}


def _description(channel: ConfigObject, described: ServiceIODescription) -> str:
    accepts = channel.options.http_accept
    answers = "" if accepts == "*/*" else f"Clients have to accept {accepts}."
    return "\n\n".join(part for part in (described.words.description, answers) if part)


def _parameters(
    channel: ConfigObject, described: ServiceIODescription, names: Mapping[str, str], *, has_body: bool
) -> list[dict[str, Any]]:
    properties, required = _properties(described, channel)
    made = [
        _parameter(shown, "path", properties.get(name, text()), described, is_required=True, name=name)
        for name, shown in names.items()
    ]
    if channel.options.merge_url_params_req and not has_body:
        made += [
            _parameter(name, "query", schema, described, is_required=name in required, name=name)
            for name, schema in properties.items()
            if name not in names
        ]
    return made


def _parameter(
    shown: str, place: str, schema: Schema, described: ServiceIODescription, *, is_required: bool, name: str
) -> dict[str, Any]:
    made = {"name": shown, "in": place, "required": is_required, "schema": _without_description(schema)}
    help_text = schema.get("description") or described.words.elements.get(name, "")
    return made | ({"description": help_text} if help_text else {})


def _without_description(schema: Schema) -> Schema:
    return {name: value for name, value in schema.items() if name != "description"}


def _properties(described: ServiceIODescription, channel: ConfigObject) -> tuple[Mapping[str, Schema], frozenset[str]]:
    """Return the elements that can come in the URL, and which of them have to be given."""
    schema = described.input or {}
    if "properties" not in schema:
        return {}, frozenset()
    return schema["properties"], frozenset(schema.get("required", ()))


def _body(channel: ConfigObject, described: ServiceIODescription, names: Mapping[str, str]) -> dict[str, Any]:
    data_format = channel.options.data_format
    content_type = CONTENT_TYPES[data_format].partition(";")[0]
    schema = described.input
    if schema is None:
        return {"content": content_of(content_type, text() if data_format == "" else None)}
    if data_format in ("csv", ""):
        return {"content": content_of(content_type, text()), "required": True}
    left = _without_parameters(schema, names) if channel.options.merge_url_params_req else schema
    if "properties" in left and data_format not in _FORMS and not described.takes_list:
        # Each item of a list is taken as an input of its own.
        one, required = left, bool(left.get("required"))
        return {"content": content_of(content_type, {"anyOf": [one, array(one)]}), "required": required}
    return {"content": content_of(content_type, left), "required": bool(left.get("required", "$ref" in left))}


def _without_parameters(schema: Schema, names: Mapping[str, str]) -> Schema:
    """What comes in the path need not be in the body."""
    if "properties" not in schema or not names:
        return schema
    properties = {name: each for name, each in schema["properties"].items() if name not in names}
    return record(properties, optional=properties.keys() - set(schema.get("required", ())))


def _responses(channel: ConfigObject, described: ServiceIODescription) -> dict[str, Any]:
    data_format, schema = channel.options.data_format, described.output
    if data_format in ("csv", ""):
        schema = text()
    content_type = CONTENT_TYPES[data_format].partition(";")[0]
    is_secured = bool(channel.options.security or channel.options.sec_use_rbac or channel.options.has_rbac)
    statuses = {status: response_name(status) for status in _ERRORS if is_secured or status not in _OF_SECURED}
    prefix = "Text" if data_format not in ("json", "xml") else "Xml" if data_format == "xml" else ""
    return {"200": answer("What the service answers", content_of(content_type, schema)), **responses(statuses, prefix)}


def _error() -> Schema:
    return record(
        {
            "result": text("Always Error", const="Error"),
            "cid": text("Correlation id: the log has more under it"),
            "details": text("What was wrong, and where"),
        },
        "What clients get instead of an answer",
    )


def _error_responses() -> dict[str, Any]:
    reference = {"$ref": "#/components/schemas/Error"}
    # XML has a root around the same elements.
    xml = {**_error(), "xml": {"name": "response"}}
    forms: dict[str, tuple[str, Schema]] = {
        "": ("application/json", reference),
        "Xml": ("application/xml", xml),
        "Text": ("text/plain", text()),
    }
    return {
        f"{prefix}{response_name(status)}": answer(description, content_of(content_type, schema))
        for prefix, (content_type, schema) in forms.items()
        for status, description in _ERRORS.items()
    }


def _security(
    parts: _Parts, channel: ConfigObject, configuration: Configuration, permissions: Permissions, method: str
) -> dict[str, Any]:
    options = channel.options
    if options.sec_use_rbac:
        wanted = [
            name
            for kind, name in permissions.clients(options.service)
            if (kind, name) in permissions.allowed(options.service).get(method, ())
        ]
    elif options.security:
        wanted = [options.security]
    else:
        return {"security": []}
    alternatives: list[dict[str, list[str]]] = []
    others: list[str] = []
    for name in wanted:
        schemes = _schemes(configuration, name)
        parts.schemes.update(schemes)
        if schemes:
            alternatives.append({scheme: [] for scheme in schemes})
        else:
            others.append(name)
    if not wanted:
        others.append("nobody: no role allows it")
    # What OpenAPI can't say is said in words of ours: an empty list would mean that anybody may call.
    made: dict[str, Any] = {"security": alternatives} if alternatives else {}
    return made | ({"x-zato-security": others} if others else {})


def _schemes(configuration: Configuration, name: str) -> Mapping[str, Schema]:
    try:
        return schemes_of(configuration.find(SECURITY_KINDS, name))
    except NotFound:
        return {}


def _tags(paths: Iterable[Mapping[str, Any]]) -> set[str]:
    return {tag for operations in paths for operation in operations.values() for tag in operation["tags"]}


def _free(wanted: str, taken: set[str]) -> str:
    name, number = wanted, 2
    while name in taken:
        name, number = f"{wanted}-{number}", number + 1
    taken.add(name)
    return name
