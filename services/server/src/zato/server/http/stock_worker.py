"""gunicorn's own gevent worker with our pipeline in it: slower and less strict than ours, for who would rather have it."""

from typing import TYPE_CHECKING

import gevent
from gunicorn.workers.ggevent import GeventWorker

from zato.server.http.wire import HeadWriter
from zato.server.http.worker import TICK_S, log_uncaught
from zato.server.http.wsgi import WSGIApplication

if TYPE_CHECKING:
    from zato.server.app import ServerApp


class StockWorker(GeventWorker):  # type: ignore[misc]  # gunicorn has no types
    """`self.app.wsgi()` is what builds the worker's insides, as for our own worker; it becomes an application here."""

    def run(self) -> None:
        gevent.get_hub().handle_error = log_uncaught  # type: ignore[method-assign,assignment]
        app: ServerApp = self.app.wsgi()
        self.head_writer = HeadWriter(app.server_header)
        self._insides = app.start_worker(self)
        self.wsgi = WSGIApplication(self._insides.http_settings(self), self._insides.rpc_settings(self))
        gevent.spawn(self._tick)
        super().run()
        self._insides.stop()

    @property
    def is_stopping(self) -> bool:
        return not self.alive

    def _tick(self) -> None:
        while self.alive:
            gevent.sleep(TICK_S)
            self._insides.tick(0)
        self._insides.stop_accepting()
