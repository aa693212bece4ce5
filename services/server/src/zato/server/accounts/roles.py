"""
What may whom: roles, each of which may do all that those before it may, and what each call asks for.

What is not known here asks for the highest role, or for a part of the cluster: nothing is allowed by being forgotten.
"""

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

# What anybody who is signed in may do with their own account, whatever their role.
OWN_ACCOUNT = frozenset(
    f"zato.account.{action}"
    for action in (
        "get-own",
        "change-own-password",
        "begin-second-factor",
        "confirm-second-factor",
        "remove-second-factor",
        "create-token",
        "get-token-list",
        "delete-token",
    )
)
# All that an account may do whose password has to be changed first.
BEFORE_PASSWORD_IS_CHANGED = frozenset({"zato.ping", "zato.account.get-own", "zato.account.change-own-password"})

_SERVICES = {
    "zato.ping": Role.VIEWER,
    "zato.ping2": Role.VIEWER,
    "zato.enmasse.plan": Role.VIEWER,
    "zato.async.get-dead-letters": Role.OPERATOR,
    "zato.async.retry-dead-letter": Role.OPERATOR,
    "zato.async.delete-dead-letter": Role.OPERATOR,
    "zato.api.invoke": Role.DEVELOPER,
    "zato.audit-log.prune": Role.ADMIN,
    "zato.cache.builtin.clear": Role.OPERATOR,
    "zato.kvdb.remote-command.execute": Role.DEPLOYER,
    "zato.kvdb.remote-command.get-list": Role.DEPLOYER,
    "zato.queue.get-list": Role.VIEWER,
    "zato.scheduler.pause": Role.OPERATOR,
    "zato.scheduler.resume": Role.OPERATOR,
    "zato.security.jwt.log-in": Role.VIEWER,
    "zato.security.jwt.log-out": Role.VIEWER,
    "zato.service.configure-request-response": Role.DEPLOYER,
    "zato.service.get-channel-list": Role.VIEWER,
    "zato.service.get-deployment-info-list": Role.VIEWER,
    "zato.service.get-request-response": Role.DEVELOPER,
    "zato.service.get-source-info": Role.DEVELOPER,
    "zato.stats.delete": Role.DEPLOYER,
    "zato.scheduler.job.execute": Role.OPERATOR,
    "zato.scheduler.job.set-active-status": Role.OPERATOR,
}
# By the beginnings of names. What users' messages are seen in asks for more than looking at numbers does.
_AREAS = (
    ("zato.cache.builtin.entry.", Role.DEVELOPER),
    ("zato.info.", Role.VIEWER),
    ("zato.kvdb.data-dict.dictionary.get-", Role.VIEWER),
    ("zato.kvdb.data-dict.translation.get-", Role.VIEWER),
    ("zato.kvdb.data-dict.translation.translate", Role.VIEWER),
    ("zato.queue.", Role.OPERATOR),
    ("zato.service.error.", Role.DEVELOPER),
    ("zato.service.sample.", Role.DEVELOPER),
    ("zato.service.slow-response.", Role.DEVELOPER),
    ("zato.stats.", Role.VIEWER),
    ("zato.account.", Role.ADMIN),
    ("zato.audit", Role.OPERATOR),
    ("zato.helpers.", Role.DEVELOPER),
)
_VERBS = {
    **dict.fromkeys(("get", "get-list", "get-status", "get-by-id", "get-by-name", "is-deployed", "export"), Role.VIEWER),
    **dict.fromkeys(("get-run-list", "get-running", "get-history", "diff"), Role.VIEWER),
    **dict.fromkeys(("ping", "redrive", "reset"), Role.OPERATOR),
    **dict.fromkeys(("invoke", "get-source", "get-samples", "get-slow-responses"), Role.DEVELOPER),
    **dict.fromkeys(
        ("create", "edit", "delete", "change-password", "apply", "import", "deploy", "undeploy", "roll-back"), Role.DEPLOYER
    ),
}
# gRPC methods as the sidecar forwards them. Of the others only parts of the cluster make use.
_METHODS = {
    "Invoker/Invoke": Role.VIEWER,
    "ControlPlane/Deploy": Role.DEPLOYER,
    "Jobs/SetPaused": Role.OPERATOR,
    "Accounts/SignOut": Role.VIEWER,
}
# Which service is invoked is looked at beside this.
_METHODS_BEFORE_PASSWORD_IS_CHANGED = frozenset({"Invoker/Invoke", "Accounts/SignOut"})
_PASSWORD_FIRST = "Your password has to be changed before anything else: 'zato account password' does it"  # noqa: S105


def role_named(name: object) -> Role:
    """Raises BadRequest, which names the roles there are."""
    found = next((role for role in Role if role.label == name), None)
    if found is None:
        raise BadRequest(f"'role' takes {', '.join(role.label for role in Role)}, not {name!r:.60}")
    return found


def role_for_service(name: str) -> Role:
    """Return who may invoke a service: of users' own services, developers."""
    if name in OWN_ACCOUNT:
        return Role.VIEWER
    if not name.startswith("zato."):
        return Role.DEVELOPER
    if (role := _SERVICES.get(name)) is not None:
        return role
    for area, least in _AREAS:
        if name.startswith(area):
            return least
    return _VERBS.get(name.rpartition(".")[2], Role.ADMIN)


def check_method(method: str, role: Role, *, must_change_password: bool = False) -> None:
    """Raises Forbidden."""
    wanted = _METHODS.get(method)
    if wanted is None:
        raise Forbidden(f"{method} is for parts of the cluster only, not for people")
    if must_change_password and method not in _METHODS_BEFORE_PASSWORD_IS_CHANGED:
        raise Forbidden(_PASSWORD_FIRST)
    if role < wanted:
        raise Forbidden(f"{method} takes the role {wanted.label}; yours is {role.label}")


def check_service(service: str, role: Role, *, must_change_password: bool = False) -> None:
    """Raises Forbidden."""
    if must_change_password and service not in BEFORE_PASSWORD_IS_CHANGED:
        raise Forbidden(_PASSWORD_FIRST)
    wanted = role_for_service(service)
    if role < wanted:
        raise Forbidden(f"'{service}' takes the role {wanted.label}; yours is {role.label}")
