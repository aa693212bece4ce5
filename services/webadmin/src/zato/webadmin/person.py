"""Whoever is signed in and asks for a page: everything is done as them."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast
from zoneinfo import ZoneInfo

from flask import g

from zato.common.errors import Forbidden
from zato.proto.control_plane.v1.control_plane_pb2 import DeployResponse
from zato.proto.invoker.v1.invoker_pb2 import InvokeResponse
from zato.webadmin import times
from zato.webadmin.cluster import CALL_S, Caller, Cluster
from zato.webadmin.preferences import Preferences
from zato.webadmin.sessions import Session

# Each may do what those before it may. Servers decide; here it is for leaving out what would be refused.
ROLES = ("viewer", "operator", "developer", "deployer", "admin")


@dataclass(frozen=True)
class Person:
    """
    Args:
        address: Where their browser is.
    """

    session: Session
    address: str
    cluster: Cluster
    preferences: Preferences
    zone: ZoneInfo

    @property
    def name(self) -> str:
        return self.session.name

    @property
    def role(self) -> str:
        return self.session.role

    @property
    def caller(self) -> Caller:
        return Caller(self.session.token, self.address)

    def may(self, role: str) -> bool:
        """Whether they have this role, or a higher one."""
        return self.role in ROLES and ROLES.index(self.role) >= ROLES.index(role)

    def must(self, role: str) -> None:
        """
        For what no server decides, since other parts of the cluster are asked.

        Raises:
            Forbidden: Their role is a lower one.
        """
        if not self.may(role):
            raise Forbidden(f"This takes the role '{role}'; yours is '{self.role}'")

    def need(self, role: str) -> None:
        """Raise Forbidden where a page would show what servers refuse to do."""
        if not self.may(role):
            raise Forbidden(f"This takes the role {role}; yours is {self.role}")

    def ask(self, service: str, values: dict[str, Any] | None = None) -> Any:
        """Return what an admin service answers that changes nothing: any server may be asked, twice if need be."""
        return self.cluster.invoke(service, values or {}, caller=self.caller, is_idempotent=True)

    def do(self, service: str, values: dict[str, Any] | None = None, *, timeout_s: float = CALL_S) -> Any:
        """Invoke an admin service that changes something, once."""
        return self.cluster.invoke(service, values or {}, caller=self.caller, timeout_s=timeout_s)

    def invoke_raw(self, service: str, payload: bytes, *, data_format: str, timeout_s: float) -> InvokeResponse:
        """Invoke a user's service with bytes."""
        return self.cluster.invoke_raw(service, payload, caller=self.caller, data_format=data_format, timeout_s=timeout_s)

    def deploy(self, file_name: str, source: bytes, *, wait_s: float, undeploy: bool = False) -> DeployResponse:
        return self.cluster.deploy(file_name, source, caller=self.caller, wait_s=wait_s, undeploy=undeploy)

    def time(self, value: object) -> str:
        return times.shown(value, self.zone, self.preferences.time_format)

    def ago(self, value: object) -> str:
        return times.ago(value, datetime.now(UTC))


def person() -> Person:
    """Return who asks for the page that is made now. Pages for strangers must not call it."""
    return cast(Person, g.person)
