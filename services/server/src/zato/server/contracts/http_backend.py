"""A real HTTP server in the place of another system."""

import http.server
import ssl
import threading
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

from zato.server.contracts.connection_contract import Meanwhile


@dataclass
class Seen:
    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: bytes


@dataclass
class Reply:
    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


class Backend(Meanwhile):
    """
    Answers what a test gives to `reply`, one after the other, the last one for ever; keeps what it saw.

    Attributes:
        gate: Answers wait while it is not set.
        password: The Authorization header that it wants, "" for none.
    """

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self.seen: list[Seen] = []
        self.replies: list[Reply] = [Reply(body=b"{}", headers={"Content-Type": "application/json"})]
        self.gate = threading.Event()
        self.gate.set()
        self.arrived = threading.Event()
        self.password = ""
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.backend, self._server.context = self, context
        self.port: int = self._server.server_address[1]
        self.url = f"{'https' if context else 'http'}://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def reply(self, *replies: Reply) -> None:
        self.replies = list(replies)

    def answer(self, seen: Seen) -> Reply:
        self.seen.append(seen)
        self.arrived.set()
        self.gate.wait(60)
        reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        return Reply(401) if self.password and seen.headers.get("authorization") != self.password else reply

    def stop(self) -> None:
        self.gate.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def wait_until_used(self) -> None:
        assert self.arrived.wait(30), "nobody came"

    def release(self) -> None:
        self.gate.set()


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    backend: Backend
    context: ssl.SSLContext | None

    def handle_error(self, *_args: object) -> None:
        """A client that breaks off is what some tests are about."""

    def get_request(self) -> Any:
        taken, address = super().get_request()
        try:
            return (self.context.wrap_socket(taken, server_side=True) if self.context else taken), address
        except OSError:
            taken.close()
            raise


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def handle_one_request(self) -> None:
        try:
            super().handle_one_request()
        except OSError:
            self.close_connection = True

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        path, _, query = self.path.partition("?")
        headers = {name.lower(): value for name, value in self.headers.items()}
        reply = self.server.backend.answer(Seen(self.command, path, parse_qs(query), headers, body))
        self.send_response(reply.status)
        for name, value in {"Content-Length": str(len(reply.body)), **reply.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(reply.body)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = do_HEAD = answer

    def log_message(self, *_args: object) -> None:
        """The test's output is for the test."""
