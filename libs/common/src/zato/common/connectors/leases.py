"""
Channels that one connector of all may serve at a time: a lease, granted by the servers, with an epoch.

Who has the lease renews it, and stops well before it ends when no server renews it any more. What it delivers carries the
epoch, and servers do nothing for one that is over: a connector that was paused and wakes up late is fenced off.
"""

import threading
import time
from collections.abc import Callable
from typing import Any

from zato.common.connectors.runner import Running
from zato.common.errors import ZatoError
from zato.common.logs import get_logger
from zato.common.options import option
from zato.common.rpc.servers import Servers
from zato.proto.invoker.v1.invoker_pb2 import HoldLeaseRequest

log = get_logger(__name__)

LEASE_S = 5.0
# Taken for lost by whoever holds it before anybody else may have it, by their own clocks.
_LOST_AFTER_S = 4.0
_RENEW_S = 1.0
_CALL_S = 1.5
_DRAIN_S = 2.0


def runs_once() -> Any:
    """Return the option, for a field `runs_once: bool` of a channel."""
    return option("One connector of all serves the channel at a time, the others stand by until it is gone", default=False)


class Lease:
    """
    One process's part in one lease, shared by a channel and its successor. Safe to share between threads.

    Args:
        name: Of what is leased, the same in all processes.
        holder: Of this process, unlike any other.
    """

    def __init__(self, servers: Servers, name: str, holder: str) -> None:
        self._servers = servers
        self.name = name
        self._holder = holder
        self._users = 0
        self._lock = threading.Lock()
        self._held_until = 0.0
        self.epoch = 0
        self.other_holder = ""

    @property
    def is_held(self) -> bool:
        return time.monotonic() < self._held_until

    def join(self) -> None:
        with self._lock:
            self._users += 1

    def leave(self) -> None:
        """The last one of the process gives the lease back, so that the next process need not wait."""
        with self._lock:
            self._users -= 1
            is_last = not self._users
        if is_last and self.is_held:
            self._held_until = 0.0
            try:
                self._call(gives_up=True)
            except ZatoError:
                return  # it ends by itself

    def renew(self) -> None:
        """Ask for it. Whether it is held is known afterwards; no server has to answer."""
        began = time.monotonic()
        try:
            answer = self._call()
        except ZatoError as exc:
            log.debug("lease_not_renewed", name=self.name, error=exc.message)
            return
        self.other_holder = "" if answer.is_held else answer.holder
        if answer.is_held:
            self.epoch = answer.epoch
            self._held_until = began + _LOST_AFTER_S
        else:
            self._held_until = 0.0

    def _call(self, *, gives_up: bool = False) -> Any:
        request = HoldLeaseRequest(name=self.name, holder=self._holder, lease_ms=int(LEASE_S * 1000), gives_up=gives_up)
        return self._servers.call(lambda server: server.invoker.HoldLease, request, timeout_s=_CALL_S)


class Leased:
    """
    Runs something while a lease is held, and makes it anew each time.

    Args:
        make: Makes what is to run; nothing runs before its `start`.
        report: Told that we stand by.
    """

    def __init__(self, lease: Lease, make: Callable[[], Running], report: Callable[[bool, str], None]) -> None:
        self._lease = lease
        self._make = make
        self._report = report
        self._is_stopping = threading.Event()
        self._drain_s = _DRAIN_S
        self._thread = threading.Thread(target=self._work, name="lease", daemon=True)
        # Answers questions about dead letters also while it does not run.
        self.inner = make()

    def start(self) -> None:
        self._lease.join()
        self._thread.start()

    def stop(self, drain_s: float) -> None:
        if self._is_stopping.is_set():
            return
        self._drain_s = drain_s
        self._is_stopping.set()
        if self._thread.is_alive():
            self._thread.join(drain_s + 2.0)

    def _work(self) -> None:
        is_running = False
        try:
            while not self._is_stopping.is_set():
                self._lease.renew()
                if self._lease.is_held and not is_running:
                    log.info("lease_held", epoch=self._lease.epoch)
                    self.inner.start()
                    is_running = True
                elif is_running and not self._lease.is_held:
                    log.warning("lease_lost", to=self._lease.other_holder)
                    self.inner.stop(_DRAIN_S)
                    is_running, self.inner = False, self._make()
                if not is_running:
                    self._report(False, f"It stands by: {self._lease.other_holder or 'nobody yet'} serves it")
                self._is_stopping.wait(_RENEW_S)
        except Exception:
            log.exception("lease_failed")
            self._report(False, "Its lease failed: see lease_failed in the log")
        finally:
            if is_running:
                self._renew_until_stopped()
            self._lease.leave()

    def _renew_until_stopped(self) -> None:
        """What is under way may end, and has to be ours until then."""
        stopping = threading.Thread(target=self.inner.stop, args=(self._drain_s,), name="lease-stop", daemon=True)
        stopping.start()
        while stopping.is_alive():
            self._lease.renew()
            stopping.join(_RENEW_S)
