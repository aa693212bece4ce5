"""What there is to do with the objects of a kind: the admin services `zato.<kind>.*`, made from its declaration."""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from zato.common.errors import BadRequest
from zato.common.kinds import Kind
from zato.server.accounts.roles import Role
from zato.server.admin.actions import Action, Run, Values
from zato.server.admin.pages import listed
from zato.server.admin.waiting import changing
from zato.server.control.changes import Author
from zato.server.control.status import object_statuses
from zato.server.describe.kinds import describe_operation

if TYPE_CHECKING:
    from zato.server.admin.services import Admin

# What people may do with objects of whatever kind. A ping reaches out to others; all else that is no look changes the cluster.
ROLES = {
    "create": Role.DEPLOYER,
    "edit": Role.DEPLOYER,
    "delete": Role.DEPLOYER,
    "change-password": Role.DEPLOYER,
    "get": Role.VIEWER,
    "get-list": Role.VIEWER,
    "get-status": Role.VIEWER,
    "get-users": Role.VIEWER,
    "ping": Role.OPERATOR,
}
CHANGES = frozenset({"create", "edit", "delete", "change-password"})


def kind_actions(kind: Kind) -> dict[str, Action]:
    """Return the actions by the names of their services."""
    name = kind.name
    runs: dict[str, Run] = {
        "create": lambda admin, values, author: admin.objects.create(name, values, author),
        "edit": lambda admin, values, author: admin.objects.edit(name, values, author),
        "delete": lambda admin, values, author: admin.objects.delete(name, values, author),
        "get": lambda admin, values, author: admin.objects.get(name, values),
        "get-list": lambda admin, values, author: listed(admin.objects.get_list(name), values),
        "get-users": lambda admin, values, author: admin.objects.get_users(name, values),
        "get-status": lambda admin, values, author: object_statuses(admin.database, name),
    }
    if len(kind.secret_names) == 1:
        runs["change-password"] = _make_change_password(kind)
    return {f"zato.{name}.{operation}": kind_action(kind, operation, run) for operation, run in runs.items()}


def kind_action(kind: Kind, operation: str, run: Run) -> Action:
    """Return what does an operation that objects of many kinds have, e.g. `ping`."""
    action = Action(run, ROLES[operation], partial(describe_operation, kind, operation))
    return changing(action) if operation in CHANGES else action


def _make_change_password(kind: Kind) -> "Callable[[Admin, Values, Author], Any]":
    """Of kinds with one secret: it is given twice, as people do who can't see what they type."""
    (secret,) = kind.secret_names

    def change_password(admin: "Admin", values: Values, author: Author) -> Any:
        given = dict(values)
        first, second = given.pop("password1", ""), given.pop("password2", "")
        if not isinstance(first, str) or not first or first != second:
            raise BadRequest("'password1' and 'password2' have to be the same text, which is not empty")
        unknown = given.keys() - {"id", "name"}
        if unknown:
            raise BadRequest(f"There is no such input: {', '.join(sorted(unknown))}; it takes id or name, password1, password2")
        return admin.objects.edit(kind.name, {**given, secret: first}, author)

    return change_password
