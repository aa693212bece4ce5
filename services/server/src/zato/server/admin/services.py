"""
Admin services, made from the kinds: `zato.<kind>.create|edit|delete|get|get-list|get-status`, and those for the
cluster, its services and deployments.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Any, ClassVar

from google.protobuf.json_format import MessageToDict

from zato.common.errors import Forbidden, NotFound, Unavailable
from zato.common.kinds import Kind
from zato.server.accounts.identity import Identity
from zato.server.accounts.roles import Role, check_service
from zato.server.admin.actions import Action, Area, Values
from zato.server.admin.invoking import INVOKING_ACTIONS
from zato.server.admin.kinds import kind_actions
from zato.server.admin.noting import attempts_noted
from zato.server.admin.published import published_actions
from zato.server.admin.rbac import RBAC_ACTIONS
from zato.server.admin.service_states import SERVICE_ACTIONS
from zato.server.admin.tasks import TASK_ACTIONS
from zato.server.admin.waiting import ACCEPTED, is_waited_for, waited, without_wait
from zato.server.control.changes import Author
from zato.server.control.deployments import Deployments
from zato.server.control.kinds import Kinds
from zato.server.control.objects import Objects
from zato.server.control.status import cluster_status
from zato.server.describe.schemas import array, boolean, integer, record, text
from zato.server.jobs.admin import Jobs, job_actions
from zato.server.odb.database import Database
from zato.server.security.kinds import SEC_TYPES
from zato.server.service import Service
from zato.server.services.finding import describe_service
from zato.server.services.helpers import HELPERS
from zato.server.services.invoke import as_mapping
from zato.server.services.store import INTERNAL_PREFIX, ServiceEntry, ServiceStore
from zato.server.services.tasks import Tasks


@dataclass(frozen=True, slots=True)
class Admin:
    """What the admin services work with."""

    database: Database
    kinds: Kinds
    objects: Objects
    deployments: Deployments
    store: ServiceStore
    tasks: Tasks | None = None
    jobs: Jobs | None = None

    @property
    def queue(self) -> Tasks:
        if self.tasks is None:
            raise Unavailable("This server runs nothing asynchronously")
        return self.tasks


class AdminService(Service):
    """One admin service; its subclasses are made, each with its action."""

    admin: ClassVar[Admin]
    action: ClassVar[Action]

    def handle(self) -> None:
        if self.channel.is_http:
            raise Forbidden(f"'{self.name}' manages the platform: it cannot be called through an HTTP channel")
        identity = self.environ.get("identity")
        author = Author(self.environ.get("actor", "unknown"), self.cid, self.environ.get("address", ""), self.name, identity)
        values = as_mapping(self.request.payload)
        with attempts_noted(self.admin.database, self.name, values, author):
            _check(self.name, type(self), identity)
            self.response.payload = self._act(values, author)

    def _act(self, values: Values, author: Author) -> Any:
        action = type(self).action
        wait_s, rest = without_wait(values) if action.changes else (0.0, values)
        answer = action.run(self.admin, rest, author)
        if wait_s:
            answer = {**answer, **waited(self.admin.database, wait_s)}
        # Deployments wait by themselves.
        if is_waited_for(values) and isinstance(answer, Mapping) and answer.get("missing"):
            self.response.status_code = ACCEPTED
        return answer


class Ping(Service):
    """`zato.ping`: says that services run."""

    name = "zato.ping"
    least_role = Role.VIEWER

    def handle(self) -> None:
        self.response.payload = {"pong": "zato"}


class SecondPing(Ping):
    """`zato.ping2`: the same, under its other published name."""

    name = "zato.ping2"


class InvokeByName(Service):
    """`zato.api.invoke`: invokes the user's service that the path names, for the channel /zato/api/invoke/{service_name}."""

    name = "zato.api.invoke"
    least_role = Role.DEVELOPER

    def handle(self) -> None:
        target = self.request.input.pop("service_name", "")
        # Whoever may call users' services may not therefore manage the platform.
        if not target or (target.startswith(INTERNAL_PREFIX) and target != Ping.name):
            raise NotFound(f"There is no service '{target}' that can be invoked by name here", service=target)
        payload = dict(self.request.input) if self.request.channel_params else self.request.payload
        self.response.payload = self.invoke(target, payload)


def check_caller(entry: ServiceEntry, identity: Identity | None) -> None:
    """
    Raise Forbidden unless this person may invoke the service. None is a part of the cluster, which may.

    Admin services check by themselves, since they also write down whom they refused.
    """
    if not issubclass(entry.cls, AdminService):
        _check(entry.name, entry.cls, identity)


def least_role(name: str, service: type[Service]) -> Role:
    """Return who may invoke a service: of users' own, developers; of the platform's, whom it says."""
    if issubclass(service, AdminService):
        return service.action.role
    if not name.startswith(INTERNAL_PREFIX):
        return Role.DEVELOPER
    role: Role = getattr(service, "least_role", Role.ADMIN)
    return role


def _check(name: str, service: type[Service], identity: Identity | None) -> None:
    if identity is not None:
        wanted = least_role(name, service)
        check_service(name, wanted, identity.role, must_change_password=identity.must_change_password)


def internal_services() -> list[ServiceEntry]:
    """Return the services that are no administration: channels may be made for them."""
    classes: tuple[type[Service], ...] = (Ping, SecondPing, InvokeByName, *HELPERS)
    return [describe_service(cls, cls.__module__) for cls in classes]


def admin_services(admin: Admin, others: Mapping[str, Action] = MappingProxyType({})) -> list[ServiceEntry]:
    """Return the admin services of the kinds known now, the fixed ones, and `others` by their names."""
    actions: dict[str, Action] = {}
    for kind in admin.kinds.registry:
        actions.update(kind_actions(kind))
    # The fixed ones last: of services some do more than an object's would.
    actions |= {**_FIXED, **SERVICE_ACTIONS, **TASK_ACTIONS, **INVOKING_ACTIONS, **RBAC_ACTIONS, **others}
    if admin.jobs is not None:
        actions |= job_actions(admin.jobs, admin.kinds.registry)
    actions = {**published_actions(actions, admin.kinds.registry), **actions}
    return [_entry(name, action, admin) for name, action in actions.items()]


def _entry(name: str, action: Action, admin: Admin) -> ServiceEntry:
    made = type("AdminService", (AdminService,), {"name": name, "admin": admin, "action": action})
    return ServiceEntry(name, f"{__name__}.{name}", made)


_KIND = record(
    {
        "name": text("Name of the kind"),
        "label": text("What people call it"),
        "help": text("What it is"),
        "options": array(
            record(
                {
                    "name": text("Name of the option"),
                    "type": text("str, int, float, bool or list"),
                    "help": text("What it means"),
                    "required": boolean("Whether it has to be given"),
                    "default_json": text("The default as JSON; empty for none"),
                    "choices": array(text(), "What it can be, when not anything"),
                    "secret": boolean("Whether it is never shown again"),
                    "references": array(text(), "Kinds of which it names an object"),
                }
            )
        ),
        "unique": array(text(), "Options whose values together no two objects may share"),
        "part": text("The part that brings it, e.g. connector-amqp; empty for the servers themselves"),
    },
)
_DEFINITION = {
    **record(
        {
            "id": integer("Number of the definition"),
            "name": text("Name of the definition"),
            "is_active": boolean("Whether it lets anybody in"),
            "version": integer("Configuration version that it is from"),
            "sec_type": text("What sort it is, e.g. basic_auth"),
        }
    ),
    "additionalProperties": True,
}
_CLUSTER = record(
    {
        "config_version": integer("Newest configuration version"),
        "workers": array(
            record(
                {
                    "server": text("Name of the server"),
                    "pid": integer("Process id"),
                    "config_version": integer("Configuration version that it runs with"),
                    "started_at": text("When it started, UTC", format="date-time"),
                    "reported_at": text("When it last said that it lives, UTC", format="date-time"),
                }
            )
        ),
    }
)


def _describe_kinds(admin: Admin, _values: Values, _author: Author) -> list[dict[str, Any]]:
    return [{**_described(kind), "part": admin.kinds.parts.get(kind.name, "")} for kind in admin.kinds.registry]


# Kinds never change, others come in their place; web admins ask for all of them again and again.
@lru_cache(maxsize=500)
def _described(kind: Kind) -> dict[str, Any]:
    return MessageToDict(kind.describe(), preserving_proto_field_name=True, always_print_fields_with_no_presence=True)


def _list_security(admin: Admin, _values: Values, _author: Author) -> list[dict[str, Any]]:
    """Return all security definitions, whatever their kind, in the order of their names."""
    found = [{**each, "sec_type": sec_type} for kind, sec_type in SEC_TYPES.items() for each in admin.objects.get_list(kind)]
    return sorted(found, key=lambda each: str(each["name"]))


_FIXED: Mapping[str, Action] = {
    "zato.kind.get-list": Area("Kinds").listing(
        _describe_kinds, Role.VIEWER, "Return the kinds of what can be configured, each with its options", item=_KIND
    ),
    "zato.security.get-list": Area("Security").listing(
        _list_security,
        Role.VIEWER,
        "Return the security definitions, whatever their kind, by name",
        item=_DEFINITION,
    ),
    "zato.cluster.get-status": Area("Cluster").action(
        lambda admin, _values, _author: cluster_status(admin.database),
        Role.VIEWER,
        "Return which configuration version each living worker runs with",
        returns=_CLUSTER,
    ),
}
