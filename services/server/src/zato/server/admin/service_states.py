"""Admin services for the services: which there are, and switching them off and on, as `zato.service.edit` was published."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from zato.common.errors import BadRequest, Conflict, NotFound
from zato.server.accounts.roles import Role
from zato.server.admin.actions import Action, Area, options_of
from zato.server.admin.pages import read_page
from zato.server.admin.waiting import changing
from zato.server.control.changes import Author
from zato.server.describe.kinds import which
from zato.server.describe.schemas import boolean, integer, nullable, record, text
from zato.server.services.service_options import KIND, ServiceOptions
from zato.server.services.store import ServiceEntry

if TYPE_CHECKING:
    from zato.server.admin.services import Admin


def list_services(admin: "Admin", values: Mapping[str, Any], _author: Author) -> Any:
    """
    Return the services whose name contains `name_filter`, or `query`.
    """
    query = str(values.get("name_filter") or read_page(values).query).strip("*").lower()
    return [_describe(entry) for entry in admin.store.entries() if query in entry.name.lower()]


def service_by_name(admin: "Admin", values: Mapping[str, Any], _author: Author) -> dict[str, Any]:
    """Return the service that `name` or `id` says. Raises NotFound."""
    return _describe(find_entry(admin, values))


def is_deployed(admin: "Admin", values: Mapping[str, Any], _author: Author) -> dict[str, bool]:
    return {"is_deployed": str(values.get("name", "")) in admin.store}


def edit_service(admin: "Admin", values: Mapping[str, Any], author: Author) -> dict[str, Any]:
    """
    Change what operators say of a service, by its `name` or `id`, e.g. `is_active`; what is not given stays as it is.

    Raises:
        NotFound: No such service is deployed.
        Conflict: It is one of the platform's own.
        InvalidOptions: See `zato.server.services.service_options`.
    """
    entry = find_entry(admin, values)
    if entry.file_name == "":
        raise Conflict(f"Service '{entry.name}' is the platform's own: it is always active, and limited by its channels")
    given = {"name": entry.name, **{name: value for name, value in values.items() if name not in ("id", "name")}}
    if "new_name" in given:
        raise BadRequest("A service is called as its class says: it cannot be renamed here")
    try:
        changed = admin.objects.edit(KIND.name, given, author)
    except NotFound:
        changed = admin.objects.create(KIND.name, given, author)
    # The id is the service's, under which everything else knows it, not that of what is stored of it.
    return {**changed, "id": entry.id, "impl_name": entry.impl_name, "is_internal": entry.is_internal}


def find_entry(admin: "Admin", values: Mapping[str, Any]) -> ServiceEntry:
    """Return the service that `name` or `id` says. Raises NotFound."""
    if "id" not in values:
        return admin.store.known(str(values.get("name", "")))
    try:
        return admin.store.known_by_id(values["id"])
    except (TypeError, ValueError):
        raise BadRequest("'id' takes a whole number") from None


def _describe(entry: ServiceEntry) -> dict[str, Any]:
    threshold_ms = entry.plan.slow_threshold_ms
    return {
        "id": entry.id,
        "name": entry.name,
        "impl_name": entry.impl_name,
        "file_name": entry.file_name,
        "version": entry.version,
        "is_internal": entry.is_internal,
        "is_active": entry.is_active,
        "slow_threshold": None if threshold_ms == float("inf") else round(threshold_ms),
    }


_SERVICES = Area("Services")
EDITED = record(
    {
        "id": integer("Number of the service, the same on all servers"),
        "name": text("Name of the service"),
        "impl_name": text("Module and class"),
        "is_internal": boolean("Whether it is the platform's own"),
    }
)
SERVICE = record(
    {
        **EDITED["properties"],
        "file_name": text("File that it was deployed from; empty for the platform's own"),
        "version": integer("Version of that file"),
        "is_active": boolean("Whether it may be invoked"),
        "slow_threshold": nullable(integer("Milliseconds above which an invocation is logged as slow; null for none")),
    }
)
_LIST = {"name_filter": text("What the name has to contain")}
SERVICE_ACTIONS: Mapping[str, Action] = {
    "zato.service.get-list": _SERVICES.listing(
        list_services,
        Role.VIEWER,
        "Return the services that can be invoked",
        takes=record(_LIST, optional=_LIST),
        item=SERVICE,
    ),
    "zato.service.get-by-name": _SERVICES.action(
        service_by_name, Role.VIEWER, "Return the service that the name or the id says", takes=which({}), returns=SERVICE
    ),
    "zato.service.is-deployed": _SERVICES.action(
        is_deployed,
        Role.VIEWER,
        "Return whether there is a service of that name",
        takes=record({"name": text("Name of the service")}),
        returns=record({"is_deployed": boolean("Whether there is")}),
    ),
    "zato.service.edit": changing(
        _SERVICES.action(
            edit_service,
            Role.DEPLOYER,
            "Change what operators say of a service: whether it may be invoked, and its limits",
            takes=which({"is_active": boolean("Whether it may be invoked"), **options_of(ServiceOptions)}),
            returns=EDITED,
        )
    ),
}
