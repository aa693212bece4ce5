"""The outermost step: one log line and one measurement for each request."""

import time

from zato.common.logs import bind_cid, get_logger
from zato.server.http.request import Request, Response
from zato.server.http.steps import Handler, Step
from zato.server.metrics import Metrics

log = get_logger("zato.access")

_MAX_CHARACTERS = 200


def make_access_log_step(metrics: Metrics) -> Step:
    def log_access(request: Request, next: Handler) -> Response:
        with bind_cid(request.cid):
            started = time.perf_counter()
            response = next(request)
            elapsed_s = time.perf_counter() - started
            channel = request.channel.name if request.channel is not None else ""
            metrics.observe_request(channel, request.method, response.status, elapsed_s)
            log.info(
                "http_request",
                method=request.method,
                path=request.path[:_MAX_CHARACTERS],
                channel=channel,
                status=response.status,
                bytes_in=len(request.body),
                bytes_out=len(response.body),
                duration_ms=round(elapsed_s * 1000, 2),
                remote_address=request.remote_address,
                user_agent=request.header(b"user-agent")[:_MAX_CHARACTERS],
            )
            return response

    return log_access
