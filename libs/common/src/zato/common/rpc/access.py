"""
Who may call what, by the role in the caller's certificate. What is not in the table is refused.

A new contract takes a row here, or nobody can call it: a test looks for all of them.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from zato.common.errors import Forbidden, Unauthorized, ZatoError
from zato.common.logs import get_logger
from zato.common.rpc.peers import check_peer, peer_certificate, peer_role
from zato.common.rpc.refusals import Refusal
from zato.common.rpc.roles import CONNECTOR, OPERATOR, SCHEDULER, SERVER, WEBADMIN, name_of, role_of

if TYPE_CHECKING:
    from zato.common.rpc.material import MaterialReader

log = get_logger(__name__)

_PEOPLE = frozenset({OPERATOR, WEBADMIN})
_FOLLOWERS = frozenset({CONNECTOR, SCHEDULER})
_V1 = "zato.proto.{}.v1.{}"
_ALL = "*"

# By contract and method; "*" is every method that has no row of its own.
_ROLES: Mapping[str, Mapping[str, frozenset[str]]] = {
    _V1.format("invoker", "Invoker"): {
        "Invoke": _PEOPLE | _FOLLOWERS,
        "InvokeMany": _PEOPLE | _FOLLOWERS,
        "Deliver": frozenset({CONNECTOR}),
        "HoldLease": frozenset({CONNECTOR}),
    },
    _V1.format("control_plane", "ControlPlane"): {
        "RegisterKinds": _FOLLOWERS,
        "Watch": _FOLLOWERS,
        "ReportStatus": _FOLLOWERS,
        "ReportRefusals": _FOLLOWERS,
        "Deploy": _PEOPLE,
        "Upload": _PEOPLE,
    },
    _V1.format("accounts", "Accounts"): {_ALL: _PEOPLE},
    _V1.format("jobs", "Jobs"): {_ALL: frozenset({SCHEDULER})},
    _V1.format("scheduler", "Scheduler"): {_ALL: _PEOPLE | {SERVER}},
    _V1.format("connector", "Connector"): {_ALL: _PEOPLE | {SERVER}},
    _V1.format("load_balancer", "LoadBalancer"): {
        "Join": frozenset({SERVER}),
        "Leave": frozenset({SERVER}),
        _ALL: _PEOPLE,
    },
}
# Services that are ours begin with this, and most of them manage the platform.
_OURS = "zato."
_OURS_FOR: Mapping[str, tuple[str, ...]] = {
    CONNECTOR: ("zato.ping",),
    SCHEDULER: (
        "zato.ping",
        "zato.scheduler.job.execute",
        "zato.scheduler.job.set-active-status",
        "zato.scheduler.job.get-run-list",
    ),
}


def may_call(role: str, method: str) -> bool:
    """Whether a caller of that role may call e.g. "/zato.proto.jobs.v1.Jobs/Lead"."""
    _, contract, name = method.split("/")
    methods = _ROLES.get(contract, {})
    return role in methods.get(name, methods.get(_ALL, frozenset()))


def may_invoke(role: str, service: str) -> bool:
    """Whether a caller of that role may invoke a service: connectors those of users, who administrate all."""
    if role in _PEOPLE:
        return True
    return role in _OURS_FOR and (not service.startswith(_OURS) or service in _OURS_FOR[role])


class Doorkeeper:
    """
    Lets calls in by the certificates they come with: none that is revoked, and none whose role may not.

    Args:
        reader: Knows what is revoked; None without TLS.
        checks_roles: Whether all certificates are of the cluster's own authority, which puts roles into them.
        on_refusal: Is told of each call that was not let in, after it was logged.
    """

    def __init__(
        self,
        reader: "MaterialReader | None",
        *,
        checks_roles: bool = False,
        on_refusal: Callable[[Refusal], None] | None = None,
    ) -> None:
        self._reader = reader
        self._checks_roles = checks_roles and reader is not None
        self._on_refusal = on_refusal

    def check_call(self, method: str, context: Any, cid: str) -> None:
        """Raise Unauthorized or Forbidden when the caller is not let in."""
        try:
            check_peer(self._reader, context)
            if self._checks_roles and not may_call(role := peer_role(context), method):
                raise Forbidden(f"{_described(role)} may not call {method}")
        except (Unauthorized, Forbidden) as exc:
            self._refuse(exc, method, context, cid)
            raise

    def check_service(self, method: str, service: str, context: Any, cid: str) -> None:
        """Raise Forbidden when the caller may not invoke that service."""
        if self._checks_roles and not may_invoke(role := peer_role(context), service):
            error = Forbidden(f"{_described(role)} may not invoke {service[:200]!r}")
            self._refuse(error, method, context, cid)
            raise error

    def is_called_by(self, role: str, context: Any) -> bool:
        """Whether the caller is of this role for certain: its certificate says so, and those are checked here."""
        return self._checks_roles and peer_role(context) == role

    @property
    def checks_roles(self) -> bool:
        return self._checks_roles

    def _refuse(self, error: ZatoError, method: str, context: Any, cid: str) -> None:
        certificate = peer_certificate(context)
        caller, role = (name_of(certificate), role_of(certificate)) if certificate is not None else ("", "")
        refusal = Refusal(method, caller, role, error.message, cid)
        log.warning("call_refused", method=method, caller=caller, role=role, peer=context.peer(), reason=error.message)
        if self._on_refusal is not None:
            self._on_refusal(refusal)


def _described(role: str) -> str:
    return f"A certificate of the role {role!r}" if role else "A certificate without a role"
