"""Which pages of other origins may call a channel (Fetch standard, "CORS protocol")."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from zato.common.errors import ZatoError
from zato.server.http.request import Request, Response

if TYPE_CHECKING:
    from zato.server.http.router import Router

_REQUESTED_METHOD = b"access-control-request-method"
_REQUESTED_HEADERS = b"access-control-request-headers"


@dataclass(frozen=True, slots=True)
class CORSPolicy:
    """
    Args:
        origins: e.g. {"https://app.example.com"}, or {"*"} for all.
        methods: As in the header, e.g. "GET, POST"; "" for the one that was asked for, since the channel answers it.
        headers: As in the header, "*" for whatever was asked for.
    """

    origins: frozenset[str]
    methods: str
    headers: str
    expose_headers: str
    has_credentials: bool
    max_age_s: int


def answer_preflight(router: "Router", request: Request) -> Response | None:
    """
    Return the answer to a browser that asks what it may send, None when it is for a service to answer.

    The platform answers only where a channel has origins configured.
    """
    wanted = request.header(_REQUESTED_METHOD)
    if not wanted or not request.header(b"origin"):
        return None
    try:
        channel, _ = router.find(wanted, request.path, "")
    except ZatoError:
        return None
    policy = channel.cors
    if policy is None:
        return None
    # The headers that say whose pages may call are added on the way out, as for any other answer.
    request.channel = channel
    headers = request.header(_REQUESTED_HEADERS) if policy.headers == "*" else policy.headers
    return Response(
        204,
        content_type="",
        headers={
            "Access-Control-Allow-Methods": policy.methods or wanted,
            "Access-Control-Allow-Headers": headers,
            "Access-Control-Max-Age": str(policy.max_age_s),
        },
    )


def add_cors_headers(policy: CORSPolicy, request: Request, response: Response) -> None:
    """Tell the browser whether the page may read the answer, errors too. What the service itself said of it stays."""
    headers = response.headers
    if any(name.lower() == "access-control-allow-origin" for name in headers):
        return
    is_for_all = "*" in policy.origins
    if not is_for_all:
        add_vary(response, "Origin")
    origin = request.header(b"origin")
    if not origin or not (is_for_all or origin in policy.origins):
        return
    headers["Access-Control-Allow-Origin"] = "*" if is_for_all else origin
    if policy.has_credentials:
        headers["Access-Control-Allow-Credentials"] = "true"
    if policy.expose_headers:
        headers["Access-Control-Expose-Headers"] = policy.expose_headers


def add_vary(response: Response, name: str) -> None:
    """Caches must know that the answer depends on this header of the request."""
    for key, value in response.headers.items():
        if key.lower() == "vary":
            response.headers[key] = f"{value}, {name}"
            return
    response.headers["Vary"] = name
