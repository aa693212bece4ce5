"""`zato.openapi.get` and `zato.service.get-json-schema`: descriptions of services and of the admin API, for programs."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from zato.common.errors import InvalidOptions
from zato.server.control.changes import Author
from zato.server.describe.documents import ADMIN, SERVICES, Documents
from zato.server.describe.services import service_schemas

if TYPE_CHECKING:
    from zato.server.admin.services import Admin


def document_actions(documents: Documents) -> dict[str, Callable[["Admin", Mapping[str, Any], Author], Any]]:
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

    return {"zato.openapi.get": get, "zato.service.get-json-schema": get_json_schema}
