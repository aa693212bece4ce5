"""Our gunicorn worker: gunicorn's master, signals and reloads; gevent's loop; connections and requests are ours."""

import os
import sys
import time
from functools import partial
from typing import Any

import gevent
from gevent.pool import Pool
from gevent.server import StreamServer
from gunicorn.workers.ggevent import GeventWorker

from zato.common.logs import get_logger
from zato.server.http.connection import Connection, ConnectionSettings
from zato.server.http.opening import close
from zato.server.http.wire import HeadWriter
from zato.server.http.worker_marks import is_worn, say_serving, say_worn

log = get_logger(__name__)

TICK_S = 0.5
_BETWEEN_REQUESTS_S = 0.5


class Worker(GeventWorker):  # type: ignore[misc]  # gunicorn has no types
    """`self.app.wsgi()` is no WSGI application here but what builds the worker's insides (zato.server.app)."""

    def run(self) -> None:
        """Serve until told to stop; then close connections as they become idle, and give running requests their time."""
        gevent.get_hub().handle_error = log_uncaught  # type: ignore[method-assign,assignment]
        self._open: set[Connection] = set()
        self._head_writer = HeadWriter(self.wsgi.server_header)
        self._insides = self.wsgi.start_worker(self)
        self._ticker = gevent.spawn(self._tick)
        servers = [self._listen(socket) for socket in self.sockets]
        say_serving(self)
        while self.alive:
            self.notify()
            gevent.sleep(0.2)
        self._insides.stop_accepting()
        for server in servers:
            server.close()
        self._drain()
        self._insides.stop()

    def notify(self) -> None:
        self.tmp.notify()
        if self.ppid != os.getppid():
            self.log.info("Parent changed, shutting down: %s", self)
            sys.exit(0)

    def handle_exit(self, sig: int, frame: Any) -> None:
        self.alive = False

    @property
    def is_stopping(self) -> bool:
        return not self.alive

    def _listen(self, socket: Any) -> StreamServer:
        socket.setblocking(1)
        is_rpc = isinstance(socket.getsockname(), str)
        settings = self._insides.rpc_settings(self) if is_rpc else self._insides.http_settings(self)
        server = StreamServer(socket, handle=partial(self._serve, settings), spawn=Pool(self.worker_connections))
        if self.cfg.workers > 1:
            server.max_accept = 1
        server.start()
        return server

    def _serve(self, settings: ConnectionSettings, socket: Any, address: Any) -> None:
        host = _host(address)
        if settings.opening is not None:
            opened = settings.opening.open(socket, host)
            if opened is None:
                return
            socket, host = opened
        connection = Connection(socket, host, settings)
        self._open.add(connection)
        try:
            connection.serve()
        finally:
            self._open.discard(connection)
            close(socket)

    @property
    def head_writer(self) -> HeadWriter:
        return self._head_writer

    def _tick(self) -> None:
        while True:
            gevent.sleep(TICK_S)
            self._head_writer.refresh_date()
            now = time.monotonic()
            for connection in tuple(self._open):
                if connection.deadline < now:
                    connection.expire()
            # Until the master has a successor for it that serves, it goes on.
            if self._insides.tick(len(self._open)) >= self.max_requests and not is_worn(self):
                log.info("worker_worn", pid=self.pid, max_requests=self.max_requests)
                say_worn(self)

    def _drain(self) -> None:
        deadline = time.monotonic() + self._insides.graceful_timeout_s
        while self._open and time.monotonic() < deadline:
            # A client that is busy sends its next request any moment, and is told with its answer to go elsewhere.
            # Closing on it now would lose that request.
            for connection in tuple(self._open):
                connection.close_if_idle(time.monotonic() - _BETWEEN_REQUESTS_S)
            self.notify()
            gevent.sleep(0.02)
        if self._open:
            log.warning("requests_cut_off", count=len(self._open))


def _host(address: Any) -> str:
    return str(address[0]) if isinstance(address, tuple) else ""


def log_uncaught(context: Any, kind: Any, value: Any, traceback: Any) -> None:
    """Greenlets print whole tracebacks to stderr by themselves; this is one line in the log instead."""
    if not issubclass(kind, gevent.GreenletExit | SystemExit):
        log.error("greenlet_failed", greenlet=str(context)[:200], exc_info=(kind, value, traceback))
