"""
What may whom: roles, each of which may do all that those before it may, and what calls ask for.

Each admin service says beside its code which role it asks for: see `zato.server.admin.actions`. What says none asks for the
highest one, and a gRPC method that is not known here for a part of the cluster: nothing is allowed by being forgotten.
"""

from collections.abc import Mapping
from enum import IntEnum

from zato.common.errors import BadRequest, Forbidden


class Role(IntEnum):
    """Ordered: `Role.OPERATOR <= role` is whether `role` may operate."""

    VIEWER = 1
    OPERATOR = 2
    DEVELOPER = 3
    DEPLOYER = 4
    ADMIN = 5

    @property
    def label(self) -> str:
        return self.name.lower()

    @property
    def help(self) -> str:
        return _HELP[self]


_HELP = {
    Role.VIEWER: "Looks at everything but messages and secrets",
    Role.OPERATOR: "Keeps it running: pings, executes and pauses jobs, tries failed messages again, reads the audit log",
    Role.DEVELOPER: "Works on services: invokes them, reads their source and samples of their messages",
    Role.DEPLOYER: "Changes what runs: deploys services, creates, edits and deletes objects",
    Role.ADMIN: "Manages accounts too",
}

# All that an account may do whose password has to be changed first.
BEFORE_PASSWORD_IS_CHANGED = frozenset({"zato.ping", "zato.account.get-own", "zato.account.change-own-password"})

# gRPC methods as the sidecar forwards them. Of the others only parts of the cluster make use.
METHODS: Mapping[str, Role] = {
    "Invoker/Invoke": Role.VIEWER,
    "Invoker/InvokeMany": Role.VIEWER,
    "ControlPlane/Deploy": Role.DEPLOYER,
    "Jobs/SetPaused": Role.OPERATOR,
    "Accounts/SignOut": Role.VIEWER,
}
# Which service is invoked is looked at beside this.
_METHODS_BEFORE_PASSWORD_IS_CHANGED = frozenset({"Invoker/Invoke", "Invoker/InvokeMany", "Accounts/SignOut"})
_PASSWORD_FIRST = "Your password has to be changed before anything else: 'zato account password' does it"  # noqa: S105


def role_named(name: object) -> Role:
    """Raises BadRequest, which names the roles there are."""
    found = next((role for role in Role if role.label == name), None)
    if found is None:
        raise BadRequest(f"'role' takes {', '.join(role.label for role in Role)}, not {name!r:.60}")
    return found


def check_method(method: str, role: Role, *, must_change_password: bool = False) -> None:
    """Raises Forbidden."""
    wanted = METHODS.get(method)
    if wanted is None:
        raise Forbidden(f"{method} is for parts of the cluster only, not for people")
    if must_change_password and method not in _METHODS_BEFORE_PASSWORD_IS_CHANGED:
        raise Forbidden(_PASSWORD_FIRST)
    if role < wanted:
        raise Forbidden(f"{method} takes the role {wanted.label}; yours is {role.label}")


def check_service(service: str, wanted: Role, role: Role, *, must_change_password: bool = False) -> None:
    """
    Args:
        wanted: The least role that may invoke it.

    Raises:
        Forbidden
    """
    if must_change_password and service not in BEFORE_PASSWORD_IS_CHANGED:
        raise Forbidden(_PASSWORD_FIRST)
    if role < wanted:
        raise Forbidden(f"'{service}' takes the role {wanted.label}; yours is {role.label}")
