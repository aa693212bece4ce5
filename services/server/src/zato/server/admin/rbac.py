"""Admin services that tell what roles of callers can be made of, as they were published: `zato.security.rbac.*`."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from zato.server.accounts.roles import Role
from zato.server.admin.actions import Action, Area, Values
from zato.server.control.changes import Author
from zato.server.describe.schemas import integer, record, text
from zato.server.enmasse.values import PERMISSIONS, client_definition
from zato.server.security.definitions import SECURITY_KINDS
from zato.server.security.kinds import SEC_TYPES

if TYPE_CHECKING:
    from zato.server.admin.services import Admin

_SECURITY = Area("Security")
_PERMISSION = record({"id": integer("Its number"), "name": text("What a role may do with a service")})
_CLIENT = record(
    {
        "client_name": text("Name of the security definition"),
        "client_def": text("With what it is: sec_def:::type:::name"),
    }
)


def _permissions(_admin: "Admin", _values: Values, _author: Author) -> list[dict[str, Any]]:
    return [{"id": number, "name": name} for number, name in enumerate(PERMISSIONS, 1)]


def _clients(admin: "Admin", _values: Values, _author: Author) -> list[dict[str, Any]]:
    found = [
        {"client_name": each["name"], "sec_type": SEC_TYPES[kind]}
        for kind in SECURITY_KINDS
        for each in admin.objects.get_list(kind)
    ]
    return [
        {"client_name": each["client_name"], "client_def": client_definition(each)}
        for each in sorted(found, key=lambda each: str(each["client_name"]))
    ]


RBAC_ACTIONS: Mapping[str, Action] = {
    "zato.security.rbac.permission.get-list": _SECURITY.listing(
        _permissions, Role.VIEWER, "Return what roles of callers may do, of which there are four", item=_PERMISSION
    ),
    "zato.security.rbac.client-role.get-client-def-list": _SECURITY.listing(
        _clients, Role.VIEWER, "Return whom roles of callers can be given to, by name", item=_CLIENT
    ),
}
