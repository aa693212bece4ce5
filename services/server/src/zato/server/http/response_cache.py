"""
The step that answers from a cache: what a service has answered to the same request before.

Keys begin with `http-channel-<id of the channel>-`, so that a service can forget what a channel has answered:
`self.cache.default.delete_by_prefix("http-channel-12-")`.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from zato.common.errors import Unavailable
from zato.common.logs import get_logger
from zato.server.http.channel import Channel
from zato.server.http.endpoint import channel_info, service_request
from zato.server.http.forms import load_form
from zato.server.http.request import Request, Response
from zato.server.http.steps import Handler, Step
from zato.server.services.caches import BUILTIN, Cache, CannotCache
from zato.server.services.context import ChannelInfo
from zato.server.services.invoke import Invoker
from zato.server.services.reqresp import HTTPRequest, ServiceRequest

log = get_logger(__name__)

# Part of what a request is, in any case: by the first a service may choose the form of its answer, by the other it is read.
_FORMS = (b"accept", b"content-type")
# Who calls, where the channel itself does not ask and the service may.
_WHO = (b"authorization", b"cookie", b"x-api-key")
# What an answer may vary by and still be one for all requests with the same key; the last two are ours to add.
_VARIES_BY = frozenset({"accept", "content-type", "accept-encoding", "origin"})


@dataclass(frozen=True)
class RequestContext:
    """
    What `get_request_hash(ctx)` of a service is given.

    Args:
        http: Method, path, parameters and headers, as in `self.request.http`.
    """

    cid: str
    channel: ChannelInfo
    http: HTTPRequest | None
    raw_request: Any
    _request: ServiceRequest

    @cached_property
    def payload(self) -> Any:
        return self._request.payload

    @property
    def input(self) -> Any:
        return self._request.input


def make_cache_step(invoker: Invoker) -> Step:
    """After security and limits: what is cached is for those who may call, and costs them a request."""

    def answer_from_cache(request: Request, next: Handler) -> Response:
        channel = request.channel
        if channel is None or not channel.options.cache_id:
            return next(request)
        key = _key(invoker, request, channel)
        if not key:
            return next(request)
        cache = invoker.context.cache.get_cache(BUILTIN, channel.options.cache_id)
        if (kept := cache.get(key)) is not None:
            status, body, content_type, headers = kept
            return Response(status, body, content_type, headers)
        response = next(request)
        if _may_be_kept(response):
            _keep(cache, key, channel, response)
        return response

    return answer_from_cache


def _key(invoker: Invoker, request: Request, channel: Channel) -> str:
    """Return the request's key, "" when its answer is not to be cached."""
    entry = invoker.store.get(channel.options.service)
    if hasattr(entry.cls, "get_request_hash"):
        made, info = service_request(request, channel), channel_info(request, channel)
        instance: Any = invoker.new(entry, made, request.cid, info, None)
        own = instance.get_request_hash(RequestContext(request.cid, info, made.http, made.raw_request, made))
        if own is None or own == "":
            return ""
        parts = [own if isinstance(own, bytes) else str(own).encode()]
    else:
        parts = [request.method.encode(), request.path.encode("latin-1", "replace"), _parameters(request), request.body]
        parts += [request.header_list(name).encode() for name in _FORMS]
    # Another version of the service, or of the channel, may answer otherwise.
    parts += [f"{entry.name} {entry.version} {channel.options!r}".encode()]
    parts += _who(request, channel)
    return f"http-channel-{channel.info.id}-{_digest(parts)}"


def _parameters(request: Request) -> bytes:
    """Return the query's parameters by their names. Values of one name are a list, whose order counts."""
    return repr(sorted(load_form(request.query).items())).encode("utf-8", "surrogatepass") if request.query else b""


def _who(request: Request, channel: Channel) -> list[bytes]:
    if not channel.options.cache_per_identity:
        return []
    if (identity := request.identity) is not None:
        return [identity.kind.encode(), identity.definition.encode(), identity.username.encode("utf-8", "surrogatepass")]
    return [request.header_list(name).encode() for name in _WHO]


def _digest(parts: Iterable[bytes]) -> str:
    made = hashlib.sha256()
    for part in parts:
        # Their lengths keep apart what would read alike when it is put together.
        made.update(b"%d:" % len(part))
        made.update(part)
    return made.hexdigest()


def _may_be_kept(response: Response) -> bool:
    """Whether an answer is good for others too: no error, no stream, nobody's cookie, and nothing that forbids it."""
    if response.status >= 400 or response.stream is not None:
        return False
    headers = {name.lower(): str(value).lower() for name, value in response.headers.items()}
    if "set-cookie" in headers or any(word in headers.get("cache-control", "") for word in ("no-store", "private")):
        return False
    return all(name.strip() in _VARIES_BY for name in headers.get("vary", "").split(",") if name.strip())


def _keep(cache: Cache, key: str, channel: Channel, response: Response) -> None:
    value = (response.status, response.body, response.content_type, dict(response.headers))
    try:
        cache.set(key, value, channel.options.cache_expiry * 60)
    except (CannotCache, Unavailable) as exc:
        log.info("response_not_cached", channel=channel.name, reason=exc.message)
