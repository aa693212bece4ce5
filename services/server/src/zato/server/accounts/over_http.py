"""What the admin API over HTTP is in whichever format: who calls, and the admin service that is invoked as them."""

import base64
import binascii
from collections.abc import Callable
from typing import Any, ClassVar

from zato.common.errors import BadRequest, NotFound, Unauthorized
from zato.server.accounts.identity import Identity
from zato.server.accounts.sign_in import SignIn
from zato.server.admin.services import check_caller
from zato.server.service import Service
from zato.server.services.context import ChannelInfo
from zato.server.services.reqresp import ServiceRequest
from zato.server.services.store import INTERNAL_PREFIX, ServiceEntry

CHALLENGE = 'Basic realm="zato", charset="UTF-8"'
MOST_BODY_BYTES = 16 * 1024 * 1024


class AdminOverHTTP(Service):
    """The base of what invokes admin services for people; its subclasses are made, with `sign_in`."""

    sign_in: ClassVar[SignIn]

    def identify(self) -> Identity:
        """Return who calls. Raises Unauthorized, TooManyRequests or Unavailable."""
        http = self.request.http
        if http is None:
            raise NotFound("Admin services are invoked by their own names here")
        self.response.headers["Cache-Control"] = "no-store"
        scheme, _, credentials = http.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            return self.sign_in.identify(credentials.strip())
        if scheme.lower() == "basic":
            name, password = _basic(credentials)
            return self.sign_in.check_basic(name, password, address=http.remote_address)
        raise Unauthorized(
            "Sign in, with name and password or with a token: 'zato token create' makes one", challenge=CHALLENGE
        )

    def entry_of(self, service: str) -> ServiceEntry:
        """Raises NotFound: there is no such admin service."""
        entry = self.server.invoker.store.get(service) if service.startswith(INTERNAL_PREFIX) else None
        if entry is None or issubclass(entry.cls, AdminOverHTTP):
            raise NotFound(f"There is no admin service '{service:.100}'", service=service[:100])
        return entry

    def invoke_as(self, identity: Identity, entry: ServiceEntry, payload: Callable[[], Any], data_format: str) -> Any:
        """Return what an admin service answers with; its status becomes ours. Raises Forbidden, and what it raises."""
        check_caller(entry, identity)
        address = self.request.http.remote_address if self.request.http is not None else ""
        environ = {"actor": identity.name, "address": address, "identity": identity}
        request = ServiceRequest(self.request.raw_request, payload, {}, None)
        channel = ChannelInfo("", "invoke", data_format)
        response = self.server.invoker.invoke(entry.name, request, cid=self.cid, channel=channel, environ=environ)
        self.response.status_code = response.status_code
        return response.payload


def made_with(service: type[AdminOverHTTP], sign_in: SignIn) -> ServiceEntry:
    """Return the entry of a service that signs people in with `sign_in`."""
    name = str(service.__dict__["name"])
    made = type(service.__name__, (service,), {"name": name, "sign_in": sign_in})
    return ServiceEntry(name, f"{service.__module__}.{service.__name__}", made)


def element_name(service: str) -> str:
    """Return e.g. "zato_channel_http_get_list" of "zato.channel-http.get-list"."""
    return service.replace(".", "_").replace("-", "_")


def _basic(credentials: str) -> tuple[str, str]:
    try:
        name, colon, password = base64.b64decode(credentials.strip(), validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        raise BadRequest("The header Authorization is not what Basic authentication sends") from None
    if not colon:
        raise BadRequest("The header Authorization has no password")
    return name, password
