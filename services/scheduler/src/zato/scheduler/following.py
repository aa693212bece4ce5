"""The thread that keeps the lease of a leader, by asking servers to renew it."""

import threading
from collections.abc import Callable

from zato.common.clock import Clock
from zato.common.errors import ZatoError
from zato.common.logs import get_logger
from zato.common.rpc.servers import Servers
from zato.proto.jobs.v1.jobs_pb2 import ResignRequest
from zato.scheduler.lease import Lease

log = get_logger(__name__)

# A leader that resigned is followed by then.
_LONGEST_PAUSE_S = 1.0


class LeaseKeeper:
    """
    Args:
        changed: Called when we begin or cease to lead.
    """

    def __init__(self, servers: Servers, lease: Lease, lease_s: float, clock: Clock, changed: Callable[[], None]) -> None:
        self._servers = servers
        self._lease = lease
        self._lease_s = lease_s
        self._clock = clock
        self._changed = changed

    def keep(self, stop: threading.Event) -> None:
        while not stop.is_set():
            before = self._lease.epoch
            asked_at = self._clock.monotonic()
            try:
                response = self._servers.call(
                    lambda server: server.jobs.Lead, self._lease.request(), timeout_s=self._lease_s / 3
                )
                self._lease.heard(response, asked_at)
            except ZatoError as exc:
                log.debug("lease_not_renewed", error=exc.message)
            except Exception:  # this thread must not end, whatever we did not think of
                log.exception("lease_keeper_failed")
            if self._lease.epoch != before:
                self._changed()
            stop.wait(min(self._lease_s / 5, _LONGEST_PAUSE_S))

    def resign(self) -> None:
        """Let the next one begin at once."""
        if epoch := self._lease.epoch:
            try:
                self._servers.call(lambda server: server.jobs.Resign, ResignRequest(epoch=epoch), timeout_s=1.0)
            except ZatoError as exc:
                log.warning("leadership_not_resigned", error=exc.message)
