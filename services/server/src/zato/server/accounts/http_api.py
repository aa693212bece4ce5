"""
The admin services over HTTP: POST /zato/json/<service>, signed in with name and password or with a token.

Answers have the published form: {"zato_env": {"result", "cid", "details"}, "zato_…_response": …}.
"""

import base64
import binascii
from typing import Any, ClassVar

from zato.common.errors import PUBLIC, BadRequest, NotFound, Unauthorized, ZatoError
from zato.common.logs import get_logger
from zato.server.accounts.identity import Identity
from zato.server.accounts.sign_in import SignIn
from zato.server.admin.services import check_caller
from zato.server.http.channel import Channel, HTTPChannelOptions, compile_channel
from zato.server.http.errors import OUR_FAULT
from zato.server.service import Service
from zato.server.services.context import ChannelInfo
from zato.server.services.reqresp import ServiceRequest
from zato.server.services.store import INTERNAL_PREFIX, ServiceEntry

log = get_logger(__name__)

PATH = "/zato/json/{service}"
_CHANNEL = ChannelInfo("", "invoke", "json")
_CHALLENGE = 'Basic realm="zato", charset="UTF-8"'
_MOST_BODY_BYTES = 16 * 1024 * 1024


class AdminOverHTTP(Service):
    """Invokes the admin service that the path names, as the one who calls. Its subclass is made, with `sign_in`."""

    name = "zato.admin.over-http"
    sign_in: ClassVar[SignIn]

    def handle(self) -> None:
        http = self.request.http
        if http is None:
            raise NotFound("Admin services are invoked by their own names here")
        self.response.headers["Cache-Control"] = "no-store"
        service = http.params["service"]
        try:
            payload = self._invoke(service, self._identify(http.headers.get("authorization", ""), http.remote_address))
        except ZatoError as exc:
            self._answer_error(exc)
        else:
            self.response.payload = {**self._env("ZATO_OK", ""), response_name(service): payload}

    def _invoke(self, service: str, identity: Identity) -> Any:
        if not service.startswith(INTERNAL_PREFIX) or service == self.name:
            raise NotFound(f"There is no admin service '{service:.100}'", service=service[:100])
        check_caller(self.server.invoker.store.get(service), identity)
        address = self.request.http.remote_address if self.request.http is not None else ""
        environ = {"actor": identity.name, "address": address, "identity": identity}
        request = ServiceRequest(self.request.raw_request, lambda: self.request.payload, {}, None)
        return self.server.invoker.invoke(service, request, cid=self.cid, channel=_CHANNEL, environ=environ).payload

    def _identify(self, header: str, address: str) -> Identity:
        scheme, _, credentials = header.partition(" ")
        if scheme.lower() == "bearer":
            return self.sign_in.identify(credentials.strip())
        if scheme.lower() == "basic":
            name, password = _basic(credentials)
            return self.sign_in.check_basic(name, password, address=address)
        raise Unauthorized(
            "Sign in, with name and password or with a token: 'zato token create' makes one", challenge=_CHALLENGE
        )

    def _answer_error(self, error: ZatoError) -> None:
        if error.http_status >= 500:
            log.error("admin_request_failed", error=type(error).__name__, details=error.message, exc_info=True)
        self.response.status_code = error.http_status
        if error.http_status == 401:
            self.response.headers["WWW-Authenticate"] = _CHALLENGE
        if error.http_status in (429, 503):
            self.response.headers["Retry-After"] = str(getattr(error, "retry_after_s", 1))
        details = OUR_FAULT if type(error) is ZatoError else error.attributes.get(PUBLIC, error.message)
        self.response.payload = self._env("ZATO_ERROR", str(details))

    def _env(self, result: str, details: str) -> dict[str, Any]:
        return {"zato_env": {"result": result, "cid": self.cid, "details": details}}


def response_name(service: str) -> str:
    """Return e.g. "zato_channel_http_get_list_response" of "zato.channel-http.get-list"."""
    return service.replace(".", "_").replace("-", "_") + "_response"


def _basic(credentials: str) -> tuple[str, str]:
    try:
        name, colon, password = base64.b64decode(credentials.strip(), validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        raise BadRequest("The header Authorization is not what Basic authentication sends") from None
    if not colon:
        raise BadRequest("The header Authorization has no password")
    return name, password


def http_api_service(sign_in: SignIn) -> ServiceEntry:
    made = type(AdminOverHTTP.__name__, (AdminOverHTTP,), {"name": AdminOverHTTP.name, "sign_in": sign_in})
    return ServiceEntry(AdminOverHTTP.name, f"{__name__}.{AdminOverHTTP.__name__}", made)


def http_api_channel() -> Channel:
    return compile_channel(
        AdminOverHTTP.name,
        HTTPChannelOptions(
            url_path=PATH,
            service=AdminOverHTTP.name,
            method="POST",
            merge_url_params_req=False,
            max_body_bytes=_MOST_BODY_BYTES,
        ),
        None,
    )
