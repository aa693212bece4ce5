"""The outermost step: one log line and one measurement for each request."""

import time
from typing import BinaryIO

from zato.common.logs import bind_cid
from zato.server.http.request import Request, Response
from zato.server.http.steps import Handler, Step
from zato.server.lines import MAX_CHARACTERS, FrequentLines, shown
from zato.server.metrics import Metrics


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
            "path": request.path[:MAX_CHARACTERS],
            "channel": channel,
            "status": response.status,
            "bytes_in": len(request.body),
            "bytes_out": sent_bytes,
            "duration_ms": round(elapsed_s * 1000, 2),
            "remote_address": request.remote_address,
            "user_agent": shown(request.header(b"user-agent")),
        }
        access_log.add(request.cid, fields)

    return log_access
