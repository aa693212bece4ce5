"""gunicorn's master, with one more child: the sidecar that speaks gRPC."""

import gc
import math
import os
import signal
import sys
import time
from collections.abc import Sequence
from typing import Any

from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter
from gunicorn.glogging import Logger

from zato.common.logs import get_logger
from zato.server import metrics
from zato.server.app import ServerApp
from zato.server.config import ServerSettings
from zato.server.http.stock_worker import StockWorker
from zato.server.http.worker import Worker
from zato.server.http.worker_marks import is_serving, is_worn

log = get_logger(__name__)

_SIDECAR_STOP_S = 10.0
_LONGEST_BACK_OFF_S = 10.0
_WORKER_TIMEOUT_S = 60
# A worker ends its requests by itself when their time is up, and then still says so in the log and in the ODB.
_SIGN_OFF_S = 3
# More than this gunicorn's own worker does not take.
_LONGEST_LINE_BYTES = 8190


class Server(BaseApplication):  # type: ignore[misc]  # gunicorn has no types
    """
    Args:
        sidecar_command: Starts the sidecar; it is started again when it dies.
    """

    def __init__(self, settings: ServerSettings, sidecar_command: Sequence[str]) -> None:
        self._settings = settings
        self._sidecar_command = sidecar_command
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
        _ServerArbiter(self, self._sidecar_command).run()


def _limits(settings: ServerSettings) -> dict[str, int]:
    """For gunicorn's own worker. Ours has these and more from the settings themselves."""
    return {
        "keepalive": math.ceil(settings.idle_timeout_s),
        "limit_request_line": min(settings.max_request_line_bytes, _LONGEST_LINE_BYTES),
        "limit_request_fields": settings.max_headers,
        "limit_request_field_size": settings.max_header_bytes,
    }


class _ServerArbiter(Arbiter):  # type: ignore[misc]
    def __init__(self, app: Server, sidecar_command: Sequence[str]) -> None:
        self._sidecar = _Sidecar(sidecar_command)
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


class _Sidecar:
    """Its process is started by exec, not by fork: it must have nothing of gevent."""

    def __init__(self, command: Sequence[str]) -> None:
        self._command = list(command)
        self._pid = 0
        self._started_at = 0.0
        self._back_off_s = 0.0
        self._is_stopping = False

    def keep_alive(self, inherited: Sequence[int]) -> None:
        if self._is_stopping or self._is_running():
            return
        now = time.monotonic()
        if self._pid:
            lived_s = now - self._started_at
            if lived_s < self._back_off_s:
                return
            log.error("sidecar_died", pid=self._pid, lived_s=round(lived_s, 1))
            self._back_off_s = min(max(1.0, 2 * self._back_off_s), _LONGEST_BACK_OFF_S) if lived_s < 30 else 0.0
        self._started_at = now
        close = [(os.POSIX_SPAWN_CLOSE, descriptor) for descriptor in inherited]
        self._pid = os.posix_spawn(sys.executable, self._command, os.environ, file_actions=close)

    def stop(self, reap: Any) -> None:
        self._is_stopping = True
        if not self._is_running():
            return
        os.kill(self._pid, signal.SIGTERM)
        deadline = time.monotonic() + _SIDECAR_STOP_S
        while self._is_running() and time.monotonic() < deadline:
            reap()
            time.sleep(0.02)
        if self._is_running():
            log.warning("sidecar_killed", pid=self._pid)
            os.kill(self._pid, signal.SIGKILL)

    def _is_running(self) -> bool:
        """The master reaps all its children, so one that is gone has no process id any more."""
        if not self._pid:
            return False
        try:
            os.kill(self._pid, 0)
        except ProcessLookupError:
            return False
        return True


class _Logger(Logger):  # type: ignore[misc]
    """Leaves gunicorn's lines to our own handlers."""

    def setup(self, cfg: Any) -> None:
        self.error_log.propagate = True
        self.error_log.handlers[:] = []
        self.error_log.setLevel("WARNING")


def _freeze(_arbiter: Arbiter) -> None:
    """What the workers share must not be touched by their collectors, which would copy every page of it."""
    gc.collect()
    gc.freeze()
