"""
gunicorn, as we run it: a master that does nothing but watch, and one process of threads that answers browsers.

gRPC lives in that one only: it must not be there when a process forks.
"""

import threading
from typing import Any

from gunicorn.app.base import BaseApplication
from gunicorn.glogging import Logger

from zato.common.certificates.keeping import CertificateKeeper
from zato.common.errors import ZatoError
from zato.common.logs import get_logger
from zato.webadmin.config import WebAdminSettings
from zato.webadmin.context import KEY

log = get_logger(__name__)

_GRACE_S = 10
_WORKER_TIMEOUT_S = 60


class WebServer(BaseApplication):  # type: ignore[misc]  # gunicorn has no types
    def __init__(self, settings: WebAdminSettings) -> None:
        self._settings = settings
        super().__init__()

    def load_config(self) -> None:
        settings = self._settings
        wanted = {
            "bind": [settings.http_address],
            "workers": 1,
            "worker_class": "gthread",
            "threads": settings.threads,
            "timeout": _WORKER_TIMEOUT_S,
            "graceful_timeout": _GRACE_S,
            "control_socket_disable": True,
            "proc_name": f"zato-webadmin {settings.name}",
            "umask": 0o077,
            "certfile": str(settings.https_certificate) if settings.https_certificate else None,
            "keyfile": str(settings.https_key) if settings.https_key else None,
            "logger_class": _Logger,
            "post_worker_init": lambda worker: _begin(worker, settings),
        }
        for name, value in wanted.items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        from zato.webadmin.app import create_app

        return create_app(self._settings)


def _begin(worker: Any, settings: WebAdminSettings) -> None:
    worker.wsgi.extensions[KEY].lifetime.worker = worker
    _keep_certificate(settings)


def _keep_certificate(settings: WebAdminSettings) -> None:
    """Beside the requests: people are shown a page that says what is missing while there is no certificate yet."""
    if not settings.is_enrolled:
        return

    def keep() -> None:
        try:
            CertificateKeeper(settings, threading.Event().wait).begin()
        except ZatoError as exc:
            log.error("certificate_not_obtained", error=exc.message)

    threading.Thread(target=keep, name="certificate", daemon=True).start()


class _Logger(Logger):  # type: ignore[misc]
    """gunicorn's own messages go where ours go."""

    def setup(self, cfg: Any) -> None:
        self.error_log.propagate = True
        self.error_log.handlers.clear()
        self.access_log.handlers.clear()
