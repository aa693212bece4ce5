"""
The admin services in JSON: POST /zato/json/<service>, signed in with name and password or with a token.

Answers have the published form: {"zato_env": {"result", "cid", "details"}, "zato_…_response": …}.
"""

from typing import Any

from zato.common.errors import PUBLIC, ZatoError
from zato.common.logs import get_logger
from zato.server.accounts.over_http import CHALLENGE, MOST_BODY_BYTES, AdminOverHTTP, element_name
from zato.server.http.channel import Channel, HTTPChannelOptions, compile_channel
from zato.server.http.errors import OUR_FAULT

log = get_logger(__name__)

PATH = "/zato/json/{service}"


class AdminOverJSON(AdminOverHTTP):
    """Invokes the admin service that the path names, as the one who calls."""

    name = "zato.admin.over-http"

    def handle(self) -> None:
        service = self.request.http.params["service"] if self.request.http is not None else ""
        try:
            identity = self.identify()
            payload = self.invoke_as(identity, self.entry_of(service), lambda: self.request.payload, "json")
        except ZatoError as exc:
            self._answer_error(exc)
        else:
            self.response.payload = {**self._env("ZATO_OK", ""), f"{element_name(service)}_response": payload}

    def _answer_error(self, error: ZatoError) -> None:
        if error.http_status >= 500:
            log.error("admin_request_failed", error=type(error).__name__, details=error.message, exc_info=True)
        self.response.status_code = error.http_status
        if error.http_status == 401:
            self.response.headers["WWW-Authenticate"] = CHALLENGE
        if error.http_status in (429, 503):
            self.response.headers["Retry-After"] = str(getattr(error, "retry_after_s", 1))
        details = OUR_FAULT if type(error) is ZatoError else error.attributes.get(PUBLIC, error.message)
        self.response.payload = self._env("ZATO_ERROR", str(details))

    def _env(self, result: str, details: str) -> dict[str, Any]:
        return {"zato_env": {"result": result, "cid": self.cid, "details": details}}


def json_api_channel() -> Channel:
    return compile_channel(
        AdminOverJSON.name,
        HTTPChannelOptions(
            url_path=PATH,
            service=AdminOverJSON.name,
            method="POST",
            merge_url_params_req=False,
            max_body_bytes=MOST_BODY_BYTES,
        ),
        None,
    )
