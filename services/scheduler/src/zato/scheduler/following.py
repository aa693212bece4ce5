"""The threads that keep in touch with the servers: one renews the lease, one follows the configuration."""

import threading
from collections.abc import Callable

from zato.common.clock import Clock
from zato.common.errors import DeadlineExceeded, ZatoError
from zato.common.logs import get_logger
from zato.proto.control_plane.v1.control_plane_pb2 import RegisterKindsRequest, WatchEvent, WatchRequest
from zato.proto.jobs.v1.jobs_pb2 import ResignRequest
from zato.scheduler.job import KIND
from zato.scheduler.lease import Lease
from zato.scheduler.servers import Server, Servers

log = get_logger(__name__)

_CALL_S = 3.0
_RETRY_S = 0.3
# A leader that resigned is followed by then.
_LONGEST_PAUSE_S = 1.0
# Now and then another server is asked, so that one which hangs is not listened to for ever.
_WATCH_FOR_S = 30.0


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


class Follower:
    """
    Args:
        take: Called with each event, in their order.
        version: Says which version was taken up last.
    """

    def __init__(self, servers: Servers, name: str, take: Callable[[WatchEvent], None]) -> None:
        self._servers = servers
        self._name = name
        self._take = take
        self._version = 0
        self._has_registered = False

    def follow(self, stop: threading.Event) -> None:
        is_told = False
        while not stop.is_set():
            server = self._servers.in_order()[0]
            try:
                self._follow_one(server, stop)
                is_told = False
            except DeadlineExceeded:
                is_told = False
            except ZatoError as exc:
                if not is_told and not stop.is_set():
                    log.warning("configuration_not_followed", server=server.address, error=exc.message)
                is_told = True
                stop.wait(_RETRY_S)
            except Exception:  # this thread must not end, whatever we did not think of
                log.exception("follower_failed")
                stop.wait(_RETRY_S)

    def _follow_one(self, server: Server, stop: threading.Event) -> None:
        if not self._has_registered:
            # Once: while schedulers of two releases run, they would overwrite each other's description for ever.
            description = RegisterKindsRequest(part="scheduler", kinds=[KIND.describe()])
            server.client.call(server.control_plane.RegisterKinds, description, timeout_s=_CALL_S)
            self._has_registered = True
        request = WatchRequest(kinds=[KIND.name], from_version=self._version, watcher=f"scheduler/{self._name}")
        for event in self._servers.watch(server, request, timeout_s=_WATCH_FOR_S):
            if stop.is_set():
                return
            self._take(event)
            self._version = event.version
