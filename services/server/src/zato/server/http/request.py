"""One HTTP request and one response, as plain objects that know neither sockets nor WSGI."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from zato.server.http.streams import Stream

if TYPE_CHECKING:
    from zato.server.http.channel import Channel
    from zato.server.security.definitions import Identity
    from zato.server.worker_state import WorkerState


class Request:
    """
    Args:
        target: As on the request line: path and query, percent-encoded.
        headers: Names in lower case; repeated ones are repeated.
        remote_address: The client's, as far as we can trust who says so; "" on Unix sockets.
        received_at: When its last byte had arrived, in seconds of the monotonic clock.

    `channel`, `path_parameters` and `identity` are filled by the pipeline's steps on the way in; `state` is the
    configuration that the request began with and keeps; `is_from_proxy` is whether a load-balancer that we trust sent it.
    """

    __slots__ = (
        "_first_values",
        "body",
        "channel",
        "cid",
        "headers",
        "identity",
        "is_from_proxy",
        "method",
        "path",
        "path_parameters",
        "query",
        "received_at",
        "remote_address",
        "state",
        "target",
    )

    def __init__(
        self,
        method: str,
        target: str,
        headers: list[tuple[bytes, bytes]],
        body: bytes,
        *,
        cid: str,
        remote_address: str = "",
        received_at: float = 0.0,
    ) -> None:
        self.method = method
        self.target = target
        self.path, _, self.query = target.partition("?")
        self.headers = headers
        self._first_values: dict[bytes, bytes] | None = None
        self.body = body
        self.cid = cid
        self.remote_address = remote_address
        self.received_at = received_at
        self.is_from_proxy = False
        self.channel: Channel | None = None
        self.path_parameters: Mapping[str, str] = {}
        self.identity: Identity | None = None
        self.state: WorkerState | None = None

    def header(self, name: bytes) -> str:
        """Return the value of the first header of that name (lower case), or ""."""
        value = self._by_name().get(name)
        return "" if value is None else value.decode("latin-1")

    def header_list(self, name: bytes) -> str:
        """Return all values of a header that is a list, as the one line that they mean (RFC 9110, section 5.3), or ""."""
        if name not in self._by_name():
            return ""
        return ", ".join(value.decode("latin-1") for key, value in self.headers if key == name)

    def _by_name(self) -> dict[bytes, bytes]:
        """The first value of each header. Made when the first one is asked for: half a dozen steps ask for one each."""
        if self._first_values is None:
            self._first_values = dict(reversed(self.headers))
        return self._first_values


class Response:
    """
    Args:
        headers: Beside Content-Type, Content-Length, Date and X-Zato-CID, which are added on the way out.
        stream: What is sent instead of a body, piece by piece.
    """

    __slots__ = ("body", "content_type", "headers", "status", "stream")

    def __init__(
        self,
        status: int = 200,
        body: bytes = b"",
        content_type: str = "application/json",
        headers: Mapping[str, str] | None = None,
        stream: Stream | None = None,
    ) -> None:
        self.status = status
        self.body = body
        self.content_type = content_type
        self.headers: dict[str, Any] = dict(headers) if headers else {}
        self.stream = stream
