"""What the published services call: an HTTP server that answers by method and path, and keeps what it was sent."""

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit


@dataclass(frozen=True)
class Call:
    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: bytes

    @property
    def form(self) -> dict[str, list[str]]:
        assert self.headers["content-type"].startswith("application/x-www-form-urlencoded")
        return parse_qs(self.body.decode())


# Returns the status and the body: text as it is, anything else as JSON.
Answer = Callable[[Call], tuple[int, Any]]


class BackEnd:
    def __init__(self) -> None:
        self.calls: list[Call] = []
        self._answers: dict[tuple[str, str], Answer] = {}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def when(self, method: str, path: str, answer: Answer | tuple[int, Any]) -> None:
        self._answers[method, path] = answer if callable(answer) else lambda _call: answer

    def calls_to(self, path: str) -> list[Call]:
        return [call for call in self.calls if call.path == path]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        back_end = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self) -> None:
                target = urlsplit(self.path)
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                headers = {name.lower(): value for name, value in self.headers.items()}
                call = Call(self.command, target.path, parse_qs(target.query), headers, body)
                back_end.calls.append(call)
                status, value = back_end._answers[call.method, call.path](call)
                is_text = isinstance(value, str)
                encoded = value.encode() if is_text else json.dumps(value).encode()
                self.send_response(status)
                self.send_header("Content-Type", "text/plain; charset=utf-8" if is_text else "application/json")
                self.send_header("Content-Length", str(len(encoded)))
                self.end_headers()
                self.wfile.write(encoded)

            do_GET = do_POST = do_PUT = answer

            def log_message(self, format: str, *arguments: Any) -> None:
                pass

        return Handler
