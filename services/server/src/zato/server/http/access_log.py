"""The outermost step: one log line and one measurement for each request."""

import time
from typing import BinaryIO

from zato.common.logs import bind_cid
from zato.server.http.request import Request, Response
from zato.server.http.steps import Handler, Step
from zato.server.lines import FrequentLines
from zato.server.metrics import Metrics

_MAX_CHARACTERS = 200


class AccessLog(FrequentLines):
    def __init__(self, part: str, stream: BinaryIO | None) -> None:
        super().__init__("zato.access", "http_request", part, stream)


def make_access_log_step(metrics: Metrics, access_log: AccessLog) -> Step:
    def log_access(request: Request, next: Handler) -> Response:
        with bind_cid(request.cid):
            started = time.perf_counter()
            response = next(request)
            if (stream := response.stream) is not None:
                stream.on_end(lambda: note(request, response, started, stream.sent_bytes))
            else:
                note(request, response, started, len(response.body))
            return response

    def note(request: Request, response: Response, started: float, sent_bytes: int) -> None:
        elapsed_s = time.perf_counter() - started
        channel = request.channel.name if request.channel is not None else ""
        metrics.observe_request(channel, request.method, response.status, elapsed_s)
        fields = {
            "method": request.method,
            "path": request.path[:_MAX_CHARACTERS],
            "channel": channel,
            "status": response.status,
            "bytes_in": len(request.body),
            "bytes_out": sent_bytes,
            "duration_ms": round(elapsed_s * 1000, 2),
            "remote_address": request.remote_address,
            "user_agent": _ascii(request.header(b"user-agent")[:_MAX_CHARACTERS]),
        }
        access_log.add(request.cid, fields)

    return log_access


def _ascii(text: str) -> str:
    """Clients send any byte: what is no ASCII might be an order to the terminal that shows the log."""
    return text if text.isascii() else text.encode("ascii", "backslashreplace").decode()
