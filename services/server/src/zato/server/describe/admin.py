"""The OpenAPI document of the admin API: each admin service as POST /zato/json/<service>."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from zato.server.accounts.roles import Role
from zato.server.describe.kinds import ActionDescription
from zato.server.describe.openapi import answer, content_of, document, response_name, responses
from zato.server.describe.schemas import Schema, record, text

PATH_PREFIX = "/zato/json/"
_JSON = "application/json"

_ERRORS: Mapping[int, str] = {
    400: "The input does not fit: the details name the field, and what was wanted",
    401: "The credentials are missing or wrong",
    403: "The account has no role that may do this",
    404: "There is no such object, or no such service",
    409: "It is there already, or something uses it",
    413: "The body is larger than it may be",
    429: "Too many requests, or wrong passwords: try again later",
    500: "The service failed: the cause is in the log, under the cid",
    503: "The database or Redis can't be reached: try again in a moment",
    504: "It took longer than it may",
}
_NOT_LIVE = "It is saved, but not live everywhere after wait_s: missing says where it is not"
_EARLY = frozenset({400, 404, 413, 429, 500, 503, 504})
_SECURITY: Mapping[str, Schema] = {
    "password": {"type": "http", "scheme": "basic", "description": "Name and password of an administrator's account"},
    "token": {"type": "http", "scheme": "bearer", "description": "A personal token of such an account"},
}


@dataclass(frozen=True, slots=True)
class AdminOperation:
    """
    One admin service, by its name.

    Args:
        role: The least that may invoke it.
        aliases: Published names under which it can be invoked too.
    """

    service: str
    description: ActionDescription
    role: Role
    aliases: tuple[str, ...] = ()

    @property
    def note(self) -> str:
        """What there is to say beside what it does."""
        also = f" Published as {', '.join(self.aliases)} too." if self.aliases else ""
        return f"Takes the role {self.role.label}.{also}"


def response_element(service: str) -> str:
    """Return the key of the answer, e.g. "zato_channel_http_get_list_response" for zato.channel-http.get-list."""
    return f"{service.replace('.', '_').replace('-', '_')}_response"


def admin_document(operations: Iterable[AdminOperation], *, title: str, version: str) -> dict[str, Any]:
    listed = sorted(operations, key=lambda each: each.service)
    return document(
        title,
        version,
        "Everything that can be managed. Made from the kinds that the cluster knows, those of connected parts included.",
        paths={f"{PATH_PREFIX}{each.service}": {"post": _operation(each)} for each in listed},
        components={
            "schemas": {"ZatoEnv": _env("ZATO_OK"), "Error": record({"zato_env": _env("ZATO_ERROR")}), "Refusal": _refusal()},
            "responses": {
                response_name(status): answer(help_text, content_of(_JSON, _error_of(status)))
                for status, help_text in _ERRORS.items()
            },
            "securitySchemes": _SECURITY,
        },
        tags=[{"name": tag} for tag in sorted({each.description.tag for each in listed})],
    )


def _operation(operation: AdminOperation) -> dict[str, Any]:
    described = operation.description
    made = record(
        {"zato_env": {"$ref": "#/components/schemas/ZatoEnv"}, response_element(operation.service): described.returns}
    )
    takes = described.takes
    return {
        "operationId": operation.service,
        "summary": described.help,
        "description": operation.note,
        "x-zato-role": operation.role.label,
        **({"x-zato-aliases": list(operation.aliases)} if operation.aliases else {}),
        "tags": [described.tag],
        "requestBody": {"content": content_of(_JSON, takes), "required": "required" in takes or "anyOf" in takes},
        "responses": {
            "200": answer("It was done", content_of(_JSON, made)),
            **({"202": answer(_NOT_LIVE, content_of(_JSON, made))} if "wait_s" in takes.get("properties", {}) else {}),
            **responses({status: response_name(status) for status in _ERRORS}),
        },
        "security": [{name: []} for name in _SECURITY],
    }


def _error_of(status: int) -> Schema:
    """What a server refuses before it looks for a service is told as on all other channels."""
    error: Schema = {"$ref": "#/components/schemas/Error"}
    return {"anyOf": [error, {"$ref": "#/components/schemas/Refusal"}]} if status in _EARLY else error


def _refusal() -> Schema:
    return record({"result": text(const="Error"), "cid": text("Correlation id"), "details": text("What was wrong")})


def _env(result: str) -> Schema:
    return record(
        {
            "result": text("ZATO_OK, or ZATO_ERROR with the details", const=result),
            "cid": text("Correlation id: it finds everything about the request in the logs"),
            "details": text("What was wrong; empty when nothing was"),
        },
    )
