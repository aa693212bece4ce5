"""gunicorn's master, with one more child: the sidecar that speaks gRPC."""

import gc
import math
import signal
from collections.abc import Sequence
from typing import Any

from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter
from gunicorn.glogging import Logger

from zato.server import metrics
from zato.server.app import ServerApp
from zato.server.config import ServerSettings
from zato.server.http.stock_worker import StockWorker
from zato.server.http.worker import Worker
from zato.server.http.worker_marks import is_serving, is_worn
from zato.server.sidecar.process import SidecarProcess

_WORKER_TIMEOUT_S = 60
# A worker ends its requests by itself when their time is up, and then still says so in the log and in the ODB.
_SIGN_OFF_S = 3
# More than this gunicorn's own worker does not take.
_LONGEST_LINE_BYTES = 8190


class Server(BaseApplication):  # type: ignore[misc]  # gunicorn has no types
    def __init__(self, settings: ServerSettings, sidecar: SidecarProcess) -> None:
        self._settings = settings
        self._sidecar = sidecar
        super().__init__()

    def load_config(self) -> None:
        settings = self._settings
        wanted = {
            "bind": [settings.http_address, f"unix:{settings.rpc_socket}"],
            "workers": settings.workers,
            "worker_class": StockWorker if settings.http_worker == "gevent" else Worker,
            **_limits(settings),
            "max_requests": settings.max_requests,
            "max_requests_jitter": settings.max_requests_jitter,
            "worker_connections": settings.max_connections,
            "timeout": _WORKER_TIMEOUT_S,
            "graceful_timeout": math.ceil(settings.graceful_timeout_s) + _SIGN_OFF_S,
            "preload_app": True,
            "control_socket_disable": True,
            "proc_name": f"zato-server {settings.name}",
            "umask": 0o077,
            "logger_class": _Logger,
            "when_ready": _freeze,
            "child_exit": lambda _arbiter, worker: metrics.forget_worker(worker.pid, settings.metrics_folder),
        }
        for name, value in wanted.items():
            self.cfg.set(name, value)

    def load(self) -> ServerApp:
        return ServerApp(self._settings)

    def run(self) -> None:
        _ServerArbiter(self, self._sidecar).run()


def _limits(settings: ServerSettings) -> dict[str, int]:
    """For gunicorn's own worker. Ours has these and more from the settings themselves."""
    return {
        "keepalive": math.ceil(settings.idle_timeout_s),
        "limit_request_line": min(settings.max_request_line_bytes, _LONGEST_LINE_BYTES),
        "limit_request_fields": settings.max_headers,
        "limit_request_field_size": settings.max_header_bytes,
    }


class _ServerArbiter(Arbiter):  # type: ignore[misc]
    def __init__(self, app: Server, sidecar: SidecarProcess) -> None:
        self._sidecar = sidecar
        super().__init__(app)

    def manage_workers(self) -> None:
        worn = [worker for worker in self.WORKERS.values() if is_worn(worker)]
        if worn:
            self._replace(worn)
        else:
            super().manage_workers()
        self._sidecar.keep_alive([listener.fileno() for listener in self.LISTENERS])

    def _replace(self, worn: Sequence[Any]) -> None:
        """Those who want to be replaced go when their successors serve, and beside these they do not count."""
        for _ in range(self.num_workers - (len(self.WORKERS) - len(worn))):
            self.spawn_worker()
        missing = self.num_workers - sum(is_serving(worker) for worker in self.WORKERS.values())
        for worker in worn[max(0, missing) :]:
            self.kill_worker(worker.pid, signal.SIGTERM)

    def stop(self, graceful: bool = True) -> None:
        """First the sidecar, which takes the server out of the load-balancer while the workers still answer."""
        self._sidecar.stop(self.reap_workers)
        super().stop(graceful)


class _Logger(Logger):  # type: ignore[misc]
    """Leaves gunicorn's lines to our own handlers."""

    def setup(self, cfg: Any) -> None:
        self.error_log.propagate = True
        self.error_log.handlers[:] = []
        self.error_log.setLevel("WARNING")


def _freeze(_arbiter: Arbiter) -> None:
    """What the workers share must not be touched by their collectors, which would copy every page of it."""
    gc.freeze()
    gc.enable()
