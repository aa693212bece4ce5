"""Who may do what by roles: a role may do some of create, read, update and delete with a service, and callers have roles."""

from collections.abc import Iterable, Mapping

from zato.common.kinds import Kind
from zato.common.options import option, options
from zato.server.control.state import Configuration
from zato.server.security.definitions import SECURITY_KINDS, Allowed

_METHODS: Mapping[str, tuple[str, ...]] = {
    "Create": ("POST",),
    "Read": ("GET", "HEAD"),
    "Update": ("PUT", "PATCH"),
    "Delete": ("DELETE",),
}
_ROLE, _CLIENT_ROLE, _ROLE_PERMISSION = "security-rbac-role", "security-rbac-client-role", "security-rbac-role-permission"


@options
class RoleOptions:
    """A role. It may do all that its parent may."""

    parent: str = option(
        "Role whose permissions it has too; that of Root, which has none, when empty", default="", reference=_ROLE
    )


@options
class ClientRoleOptions:
    """Gives a role to whoever satisfies a security definition."""

    client: str = option("Security definition of the caller", reference=SECURITY_KINDS)
    role: str = option("Role that the caller has", reference=_ROLE)


@options
class RolePermissionOptions:
    """Lets a role do something with a service."""

    role: str = option("Role that may", reference=_ROLE)
    service: str = option("Name of the service", reference="service")
    permission: str = option(
        "What it may: Create is POST, Read is GET, Update is PUT and PATCH, Delete is DELETE", choices=tuple(_METHODS)
    )


ROLE = Kind(_ROLE, "RBAC role", RoleOptions)
CLIENT_ROLE = Kind(_CLIENT_ROLE, "RBAC client role", ClientRoleOptions)
ROLE_PERMISSION = Kind(_ROLE_PERMISSION, "RBAC role permission", RolePermissionOptions)


class Permissions:
    """All roles of one configuration, worked out once, so that a request costs one look into a dictionary."""

    def __init__(self, configuration: Configuration) -> None:
        self._parents = {each.name: each.options.parent for each in configuration.of_kind(_ROLE) if each.is_active}
        self._granted: dict[tuple[str, str], set[str]] = {}
        for each in configuration.of_kind(_ROLE_PERMISSION):
            if each.is_active:
                self._granted.setdefault((each.options.role, each.options.service), set()).add(each.options.permission)
        self._clients: list[tuple[tuple[str, str], str]] = []
        kind_of = {
            each.name: each.kind for each in configuration.objects.values() if each.is_active and each.kind in SECURITY_KINDS
        }
        for each in configuration.of_kind(_CLIENT_ROLE):
            if each.is_active and each.options.client in kind_of:
                client = each.options.client
                self._clients.append(((kind_of[client], client), each.options.role))

    def allowed(self, service: str) -> Allowed:
        """Return who may call a service, by HTTP method. A method that is not there nobody may use."""
        allowed: dict[str, set[tuple[str, str]]] = {}
        for client, role in self._clients:
            for permission in self._permissions(role, service):
                for method in _METHODS[permission]:
                    allowed.setdefault(method, set()).add(client)
        return {method: frozenset(clients) for method, clients in allowed.items()}

    def clients(self, service: str) -> Iterable[tuple[str, str]]:
        """Return (kind, name) of all definitions that may do anything with a service, in the order of their names."""
        allowed = self.allowed(service).values()
        return sorted({client for clients in allowed for client in clients}, key=lambda client: client[::-1])

    def _permissions(self, role: str, service: str) -> set[str]:
        found: set[str] = set()
        seen: set[str] = set()
        # Roles can be made each other's parents: then they all may the same. One that is switched off passes nothing on.
        while role in self._parents and role not in seen:
            seen.add(role)
            found |= self._granted.get((role, service), set())
            role = self._parents[role]
        return found
