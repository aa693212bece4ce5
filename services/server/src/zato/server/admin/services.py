"""
Admin services, made from the kinds: `zato.<kind>.create|edit|delete|get|get-list|get-status`, and those for the
cluster, its services and deployments.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar

from google.protobuf.json_format import MessageToDict

from zato.common.errors import BadRequest, Forbidden, NotFound, Unavailable
from zato.common.kinds import Kind
from zato.server.accounts.identity import Identity
from zato.server.accounts.roles import check_service
from zato.server.admin.noting import attempts_noted
from zato.server.admin.pages import listed
from zato.server.admin.service_states import edit_service, is_deployed, list_services, service_by_name
from zato.server.admin.tasks import dead_letters, delete_dead_letter, retry_dead_letter, task_status
from zato.server.control.changes import Author
from zato.server.control.deployments import Deployments
from zato.server.control.kinds import Kinds
from zato.server.control.objects import Objects
from zato.server.control.status import cluster_status, object_statuses
from zato.server.jobs.admin import ACTIONS as JOB_ACTIONS
from zato.server.jobs.admin import Action as JobAction
from zato.server.jobs.admin import Jobs, run_action
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


# Takes the parts of the server, the input and who calls; returns the output.
Action = Callable[[Admin, Mapping[str, Any], Author], Any]


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
            _check(self.name, identity)
            self.response.payload = type(self).action(self.admin, values, author)


class Ping(Service):
    """`zato.ping`: says that services run."""

    name = "zato.ping"

    def handle(self) -> None:
        self.response.payload = {"pong": "zato"}


class InvokeByName(Service):
    """`zato.api.invoke`: invokes the user's service that the path names, for the channel /zato/api/invoke/{service_name}."""

    name = "zato.api.invoke"

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
        _check(entry.name, identity)


def _check(service: str, identity: Identity | None) -> None:
    if identity is not None:
        check_service(service, identity.role, must_change_password=identity.must_change_password)


def internal_services() -> list[ServiceEntry]:
    """Return the services that are no administration: channels may be made for them."""
    classes: tuple[type[Service], ...] = (Ping, InvokeByName, *HELPERS)
    return [describe_service(cls, cls.__module__) for cls in classes]


def admin_services(admin: Admin, others: Mapping[str, Action] = MappingProxyType({})) -> list[ServiceEntry]:
    """Return the admin services of the kinds known now, the fixed ones, and `others` by their names."""
    actions: dict[str, Action] = {}
    for kind in admin.kinds.registry:
        actions.update(_kind_actions(kind))
    # The fixed ones last: of services some do more than an object's would.
    actions |= {**_FIXED, **others}
    if admin.jobs is not None:
        actions.update({name: _job_action(admin.jobs, action) for name, action in JOB_ACTIONS.items()})
    return [_entry(name, action, admin) for name, action in actions.items()]


def _job_action(jobs: Jobs, action: JobAction) -> Action:
    return lambda _admin, values, author: run_action(jobs, action, values, author)


def _kind_actions(kind: Kind) -> dict[str, Action]:
    name = kind.name
    changes = {f"zato.{name}.change-password": _make_change_password(kind)} if len(kind.secret_names) == 1 else {}
    return changes | {
        f"zato.{name}.create": lambda admin, values, author: admin.objects.create(name, values, author),
        f"zato.{name}.edit": lambda admin, values, author: admin.objects.edit(name, values, author),
        f"zato.{name}.delete": lambda admin, values, author: admin.objects.delete(name, values, author),
        f"zato.{name}.get": lambda admin, values, author: admin.objects.get(name, values),
        f"zato.{name}.get-list": lambda admin, values, author: listed(admin.objects.get_list(name), values),
        f"zato.{name}.get-status": lambda admin, values, author: object_statuses(admin.database, name),
    }


def _make_change_password(kind: Kind) -> Action:
    """Of kinds with one secret: it is given twice, as people do who can't see what they type."""
    (secret,) = kind.secret_names

    def change_password(admin: Admin, values: Mapping[str, Any], author: Author) -> Any:
        given = dict(values)
        first, second = given.pop("password1", ""), given.pop("password2", "")
        if not isinstance(first, str) or not first or first != second:
            raise BadRequest("'password1' and 'password2' have to be the same text, which is not empty")
        unknown = given.keys() - {"id", "name"}
        if unknown:
            raise BadRequest(f"There is no such input: {', '.join(sorted(unknown))}; it takes id or name, password1, password2")
        return admin.objects.edit(kind.name, {**given, secret: first}, author)

    return change_password


def _entry(name: str, action: Action, admin: Admin) -> ServiceEntry:
    made = type("AdminService", (AdminService,), {"name": name, "admin": admin, "action": staticmethod(action)})
    return ServiceEntry(name, f"{__name__}.{name}", made)


def _describe_kinds(admin: Admin, _values: Mapping[str, Any], _author: Author) -> list[dict[str, Any]]:
    return [
        MessageToDict(kind.describe(), preserving_proto_field_name=True, always_print_fields_with_no_presence=True)
        for kind in admin.kinds.registry
    ]


def _list_security(admin: Admin, _values: Mapping[str, Any], _author: Author) -> list[dict[str, Any]]:
    """Return all security definitions, whatever their kind, in the order of their names."""
    found = [{**each, "sec_type": sec_type} for kind, sec_type in SEC_TYPES.items() for each in admin.objects.get_list(kind)]
    return sorted(found, key=lambda each: str(each["name"]))


_FIXED: dict[str, Action] = {
    "zato.kind.get-list": _describe_kinds,
    "zato.security.get-list": _list_security,
    "zato.service.get-list": list_services,
    "zato.service.get-by-name": service_by_name,
    "zato.service.is-deployed": is_deployed,
    "zato.service.edit": edit_service,
    "zato.async.get-status": lambda admin, values, author: task_status(admin.queue),
    "zato.async.get-dead-letters": lambda admin, values, author: dead_letters(admin.queue),
    "zato.async.retry-dead-letter": lambda admin, values, author: retry_dead_letter(admin.queue, values, author),
    "zato.async.delete-dead-letter": lambda admin, values, author: delete_dead_letter(admin.queue, values, author),
    "zato.cluster.get-status": lambda admin, values, author: cluster_status(admin.database),
}
