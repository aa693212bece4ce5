"""`zato.openapi.get` and `zato.service.get-json-schema`: descriptions of services and of the admin API, for programs."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from zato.common.errors import InvalidOptions
from zato.server.accounts.roles import Role
from zato.server.admin.actions import Action, Area
from zato.server.control.changes import Author
from zato.server.describe.documents import ADMIN, SERVICES, Documents
from zato.server.describe.schemas import nullable, record, text
from zato.server.describe.services import service_schemas

if TYPE_CHECKING:
    from zato.server.admin.services import Admin


_DOCUMENT = record({"document": text("Which one", enum=[SERVICES, ADMIN], default=SERVICES)}, optional=("document",))
_SCHEMAS = record(
    {
        "name": text("Name of the service"),
        "input": nullable({"type": "object", "description": "JSON Schema of what it takes"}),
        "output": nullable({"type": "object", "description": "JSON Schema of what it answers"}),
    }
)


def document_actions(documents: Documents) -> dict[str, Action]:
    """Return the actions by the names of their services."""

    def get(_admin: "Admin", values: Mapping[str, Any], _author: Author) -> dict[str, Any]:
        name = values.get("document", SERVICES)
        if name not in (SERVICES, ADMIN):
            wanted = f"takes '{SERVICES}' or '{ADMIN}'"
            raise InvalidOptions(f"'document' {wanted}", document=wanted)
        return documents.get(name)

    def get_json_schema(admin: "Admin", values: Mapping[str, Any], _author: Author) -> dict[str, Any]:
        name = values.get("name")
        if not isinstance(name, str) or not name:
            raise InvalidOptions("'name' takes the name of a service", name="takes the name of a service")
        entry = admin.store.known(name)
        return {"name": entry.name, **service_schemas(entry)}

    return {
        "zato.openapi.get": Area("Documents").action(
            get,
            Role.VIEWER,
            "Return an OpenAPI document: of users' services, or of the admin API",
            takes=_DOCUMENT,
            returns={"type": "object", "description": "OpenAPI 3.1"},
        ),
        "zato.service.get-json-schema": Area("Services").action(
            get_json_schema,
            Role.VIEWER,
            "Return the JSON Schemas of a service's input and output, null where it declares none",
            takes=record({"name": text("Name of the service", minLength=1)}),
            returns=_SCHEMAS,
        ),
    }
