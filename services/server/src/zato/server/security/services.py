"""Services for those who log in and out: they answer at /zato/jwt/log-in and /zato/jwt/log-out."""

from collections.abc import Callable, Mapping
from typing import ClassVar

from zato.common.errors import BadRequest
from zato.server.accounts.roles import Role
from zato.server.http.channel import Channel, HTTPChannelOptions, compile_channel
from zato.server.security.jwt import LogIn
from zato.server.service import Service
from zato.server.services.store import ServiceEntry

_MOST_BODY_BYTES = 64 * 1024


class JWTService(Service):
    """What log-in and log-out share: its subclasses are made anew with each set of definitions."""

    current: ClassVar[Callable[[], LogIn]]
    least_role = Role.VIEWER


class JWTLogIn(JWTService):
    """Takes `username` and `password`; returns a `token` for the header Authorization: Bearer."""

    name = "zato.security.jwt.log-in"

    def handle(self) -> None:
        # From the body only: what is in a URL ends up in logs.
        payload = self.request.payload
        username, password = (
            (payload.get(name) for name in ("username", "password")) if isinstance(payload, Mapping) else ("", "")
        )
        if not isinstance(username, str) or not isinstance(password, str) or not username:
            raise BadRequest('The body has to be {"username": …, "password": …}')
        address = self.request.http.remote_address if self.request.http is not None else ""
        self.response.payload = {"token": type(self).current().log_in(username, password, address)}
        # A token is worth as much as a password.
        self.response.headers["Cache-Control"] = "no-store"


class JWTLogOut(JWTService):
    """Ends the token that the request was sent with."""

    name = "zato.security.jwt.log-out"

    def handle(self) -> None:
        header = self.request.http.headers.get("authorization", "") if self.request.http is not None else ""
        scheme, _, token = header.partition(" ")
        type(self).current().log_out(token.strip() if scheme.lower() == "bearer" else "")
        self.response.payload = {"result": "OK"}


def security_services(current: Callable[[], LogIn]) -> list[ServiceEntry]:
    """
    Args:
        current: Returns the log-in of the configuration that runs now.
    """
    current = staticmethod(current)
    made = [type(each.__name__, (each,), {"name": each.name, "current": current}) for each in (JWTLogIn, JWTLogOut)]
    return [ServiceEntry(str(each.__dict__["name"]), f"{__name__}.{each.__name__}", each) for each in made]


def security_channels() -> list[Channel]:
    paths = {"/zato/jwt/log-in": JWTLogIn.name, "/zato/jwt/log-out": JWTLogOut.name}
    return [
        compile_channel(
            service,
            HTTPChannelOptions(url_path=path, service=service, method="POST", max_body_bytes=_MOST_BODY_BYTES),
            None,
        )
        for path, service in paths.items()
    ]
