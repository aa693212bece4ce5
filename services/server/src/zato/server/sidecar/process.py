"""The sidecar as its server's master sees it: a child that is kept alive."""

import os
import signal
import sys
import time
from collections.abc import Callable, Sequence

from zato.common.logs import get_logger

log = get_logger(__name__)

_STOP_S = 10.0
_LONGEST_BACK_OFF_S = 10.0


class SidecarProcess:
    """
    Started by exec, not by fork: it must have nothing of gevent.

    Args:
        command: Starts the sidecar; it is started again when it dies, and ends when this process is gone.
    """

    def __init__(self, command: Sequence[str]) -> None:
        self._command = [*command, "--parent", str(os.getpid())]
        self._pid = 0
        self._started_at = 0.0
        self._back_off_s = 0.0
        self._is_stopping = False

    def keep_alive(self, inherited: Sequence[int] = ()) -> None:
        """Start it unless it runs. `inherited` are the descriptors that it must not have."""
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

    def stop(self, reap: Callable[[], object]) -> None:
        """`reap` takes note of children that ended."""
        self._is_stopping = True
        if not self._is_running():
            return
        os.kill(self._pid, signal.SIGTERM)
        deadline = time.monotonic() + _STOP_S
        while self._is_running() and time.monotonic() < deadline:
            reap()
            time.sleep(0.02)
        if self._is_running():
            log.warning("sidecar_killed", pid=self._pid)
            os.kill(self._pid, signal.SIGKILL)

    def _is_running(self) -> bool:
        """One that is gone was reaped by the master, as all its children are, or by us if it ended before that."""
        if not self._pid:
            return False
        try:
            reaped, _status = os.waitpid(self._pid, os.WNOHANG)
        except ChildProcessError:
            return False
        return not reaped
