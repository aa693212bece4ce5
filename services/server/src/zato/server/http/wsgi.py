"""The pipeline as a WSGI application, for workers that are not ours."""

import socket as standard_socket
from collections.abc import Callable, Iterable
from typing import Any

from zato.common.cid import new_cid
from zato.common.errors import PayloadTooLarge, ZatoError
from zato.common.logs import get_logger
from zato.server.http.connection import ConnectionSettings
from zato.server.http.errors import make_error_response
from zato.server.http.request import Request, Response
from zato.server.http.wire import HeadWriter

log = get_logger(__name__)

# What the worker says by itself.
_WORKERS = frozenset({"date", "server", "connection", "transfer-encoding"})

StartResponse = Callable[[str, list[tuple[str, str]]], Any]


class WSGIApplication:
    """
    Args:
        http: Of clients.
        rpc: Of the sidecar, which comes by a Unix socket.
    """

    def __init__(self, http: ConnectionSettings, rpc: ConnectionSettings) -> None:
        self._http = http
        self._rpc = rpc
        self._head_writer = HeadWriter("")

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        is_rpc = environ["gunicorn.socket"].family == standard_socket.AF_UNIX
        settings = self._rpc if is_rpc else self._http
        cid = new_cid()
        response = _handle(settings, environ, cid)
        is_head = environ["REQUEST_METHOD"] == "HEAD"
        try:
            head, body = self._head_writer.encode(response, cid, is_head=is_head, keep_alive=True, is_http_1_0=False)
        except ZatoError as error:
            log.error("response_not_sendable", cid=cid, error=error.message)
            response = make_error_response(error, cid)
            head, body = self._head_writer.encode(response, cid, is_head=is_head, keep_alive=True, is_http_1_0=False)
        first, *lines = head.decode("latin-1").rstrip("\r\n").split("\r\n")
        fields = [(name, value) for name, _, value in (line.partition(": ") for line in lines)]
        start_response(first.partition(" ")[2], [field for field in fields if field[0].lower() not in _WORKERS])
        # gunicorn closes it when it is sent, or when the client has gone.
        return [body] if response.stream is None else response.stream


def _handle(settings: ConnectionSettings, environ: dict[str, Any], cid: str) -> Response:
    try:
        return settings.handle(_request(settings, environ, cid))
    except ZatoError as error:
        return make_error_response(error, cid)
    except Exception:
        log.exception("pipeline_failed", cid=cid, path=environ["PATH_INFO"][:200])
        return make_error_response(ZatoError("The pipeline failed"), cid)


def _request(settings: ConnectionSettings, environ: dict[str, Any], cid: str) -> Request:
    limit = settings.limits.body_bytes
    body = environ["wsgi.input"].read(limit + 1)
    if len(body) > limit:
        raise PayloadTooLarge(f"The body is larger than the accepted {limit} bytes")
    headers = [
        (key.removeprefix("HTTP_").replace("_", "-").lower().encode(), str(value).encode("latin-1"))
        for key, value in environ.items()
        if key.startswith("HTTP_") or key in ("CONTENT_TYPE", "CONTENT_LENGTH")
    ]
    return Request(
        environ["REQUEST_METHOD"],
        environ["RAW_URI"],
        headers,
        body,
        cid=cid,
        remote_address=environ.get("REMOTE_ADDR", ""),
        received_at=settings.clock(),
    )
