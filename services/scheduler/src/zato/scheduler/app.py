"""Builds everything from the settings and runs it until it is told to stop."""

import os
import threading
import time

from zato.common.clock import Clock, SystemClock
from zato.common.following import Follower
from zato.common.logs import get_logger
from zato.common.rpc.handshakes import handshakes_watched
from zato.common.rpc.refusal_reports import RefusalReporter
from zato.common.rpc.refusals import Refusals
from zato.common.rpc.server import ThreadedServer
from zato.common.rpc.servers import Servers
from zato.proto.scheduler.v1.scheduler_pb2_grpc import add_SchedulerServicer_to_server
from zato.scheduler.backend import GRPCBackend
from zato.scheduler.conductor import Conductor
from zato.scheduler.config import PART_NAME, SchedulerSettings
from zato.scheduler.following import LeaseKeeper
from zato.scheduler.grpc import SERVICE, ViewServicer
from zato.scheduler.job import KIND
from zato.scheduler.jobs import Jobs
from zato.scheduler.lease import Lease
from zato.scheduler.view import View

log = get_logger(__name__)

_RPC_THREADS = 4
_RPC_GRACE_S = 1.0
_AFTER_FAILURE_S = 0.5


class App:
    """
    Raises:
        Unavailable: The port is taken.
    """

    def __init__(self, settings: SchedulerSettings, *, clock: Clock | None = None) -> None:
        clock = clock or SystemClock()
        self._settings = settings
        # A successor of ours has another name: it must not believe that it leads since we did.
        candidate = f"{settings.name}/{os.urandom(3).hex()}"
        self._refusals = Refusals()
        self._servers = Servers(settings.server_addresses, settings.token, settings.tls(), clock, self._refusals.take)
        lease = Lease(clock, candidate, settings.lease_s)
        jobs, backend = Jobs(), GRPCBackend(self._servers)
        self._conductor = Conductor(clock, lease, backend, jobs, late_after_s=settings.late_after_s)
        self._keeper = LeaseKeeper(self._servers, lease, settings.lease_s, clock, lambda: self._conductor.post(None))
        self._follower = Follower(self._servers, PART_NAME, settings.name, [KIND], self._conductor.post)
        self._reporter = RefusalReporter(self._servers, self._refusals, f"{PART_NAME}/{settings.name}")
        servicer = ViewServicer(View(settings.name, clock, jobs, lease, self._conductor, self._servers, backend))
        self._server = ThreadedServer(
            settings.grpc_address,
            token=settings.token,
            services=[SERVICE],
            add=lambda server: add_SchedulerServicer_to_server(servicer, server),
            tls=settings.tls(),
            checks_roles=settings.is_enrolled,
            on_refusal=self._refusals.take,
            threads=_RPC_THREADS,
        )

    def run(self, stop: threading.Event) -> None:
        """Serve and schedule until `stop` is set. Runs that were started go on at the servers."""
        with handshakes_watched(self._settings.tls(), self._refusals.take):
            self._serve(stop)

    def _serve(self, stop: threading.Event) -> None:
        self._server.start()
        log.info("scheduler_started", grpc=self._settings.grpc_address, servers=self._settings.server_addresses)
        threads = [
            threading.Thread(target=work, args=(stop,), name=name, daemon=True)
            for name, work in (
                ("lease", self._keeper.keep),
                ("follower", self._follower.follow),
                ("refusals", self._reporter.report),
            )
        ]
        for thread in threads:
            thread.start()
        try:
            while not stop.is_set():
                self._step()
        finally:
            log.info("scheduler_stopping")
            # A renewal that is on its way must not arrive after our resignation.
            threads[0].join(self._settings.lease_s)
            self._keeper.resign()
            self._server.stop(_RPC_GRACE_S)
            self._servers.close()
        log.info("scheduler_stopped")

    def _step(self) -> None:
        try:
            self._conductor.wait(self._conductor.step())
        except Exception:  # the loop must go on, whatever we did not think of
            log.exception("step_failed")
            time.sleep(_AFTER_FAILURE_S)
