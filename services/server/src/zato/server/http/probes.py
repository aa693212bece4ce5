"""Answers for operators and the load-balancer, before any channel is looked for: is this server ready, what does it count."""

from collections.abc import Callable
from pathlib import Path

from zato.server import metrics
from zato.server.http.formats import dump_json
from zato.server.http.request import Request, Response
from zato.server.http.steps import Handler, Step

METRICS_CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def make_probe_step(is_ready: Callable[[], bool], metrics_folder: Path) -> Step:
    """
    Args:
        is_ready: Whether new requests should come here: configuration loaded, and not about to stop.
    """

    def ready(_request: Request) -> Response:
        is_serving = is_ready()
        return Response(200 if is_serving else 503, dump_json({"is_ready": is_serving}))

    def live(_request: Request) -> Response:
        return Response(200, dump_json({"is_alive": True}))

    def counted(_request: Request) -> Response:
        return Response(200, metrics.render(metrics_folder), METRICS_CONTENT_TYPE)

    probes = {"/health/ready": ready, "/health/live": live, "/metrics": counted}

    def answer_probes(request: Request, next: Handler) -> Response:
        probe = probes.get(request.path)
        return next(request) if probe is None else probe(request)

    return answer_probes
