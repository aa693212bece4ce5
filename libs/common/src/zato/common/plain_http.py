"""What parts say of themselves over plain HTTP, to whoever asks: numbers, whether they are well. No secret is here."""

import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

from zato.common.errors import Unavailable
from zato.common.lifecycle.ports import split_address
from zato.common.logs import get_logger

log = get_logger(__name__)

# Each gives the content type and the body.
Pages = Mapping[str, tuple[str, Callable[[], bytes]]]
_STOP_POLL_S = 0.05
_CLIENT_TIMEOUT_S = 10.0


class PublicServer:
    """
    Args:
        pages: By path, e.g. "/metrics".

    Raises:
        Unavailable: The address is taken.
    """

    def __init__(self, address: str, pages: Pages) -> None:
        class Handler(_Handler):
            _pages = pages

        try:
            self._server = _Server(split_address(address), Handler)
        except OSError as exc:
            raise Unavailable(f"HTTP cannot listen at {address}: {exc.strerror}. Is the port taken?") from exc
        self._thread = threading.Thread(target=self._server.serve_forever, args=(_STOP_POLL_S,), daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        log.warning("http_request_failed", exc_info=True)


class _Handler(BaseHTTPRequestHandler):
    timeout = _CLIENT_TIMEOUT_S
    server_version, sys_version = "zato", ""
    _pages: ClassVar[Pages]

    def do_GET(self) -> None:
        found = self._pages.get(self.path)
        content_type, body = (found[0], found[1]()) if found else ("text/plain", b"Not found\n")
        self.send_response(200 if found else 404)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        log.debug("http_request", path=self.path)
