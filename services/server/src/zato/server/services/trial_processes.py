"""
Processes for trials. Starting Python and importing the platform takes half a second of a core, so it is done once: that process
forks another one for each trial, and ends when none has come for a while.
"""

import contextlib
import os
import signal
import subprocess
import sys
import time

import gevent

_MODULE = "zato.server.services.trial"
# For the process to begin, on a machine that has much else to do, and to end a trial itself that takes too long.
_START_S = 30.0
# Who edits a file and tries it again does so within this time. One that waits takes memory.
_KEPT_S = 60.0


class TrialProcesses:
    def __init__(self, kept_s: float = _KEPT_S) -> None:
        self._kept_s = kept_s
        self._idle: list[_Forking] = []
        self._is_ending = False

    def run(self, folder: str, timeout_s: float) -> int:
        """
        Try what is in `folder`, and return the exit code of the process that did: negative, the signal that ended it.

        It is -SIGALRM of one that takes longer than `timeout_s`. Whatever it has started is ended with it.
        """
        status = None
        if self._idle:
            # It may be gone meanwhile, and nothing was tried then.
            status = self._run_in(self._idle.pop(), folder, timeout_s)
        if status is None:
            status = self._run_in(_Forking(), folder, timeout_s)
        return -signal.SIGKILL if status is None else status

    def _run_in(self, process: "_Forking", folder: str, timeout_s: float) -> int | None:
        try:
            status = process.run(folder, timeout_s)
        except BaseException:
            process.end()
            raise
        if status is None:
            process.end()
            return None
        self._idle.append(process)
        if not self._is_ending:
            self._is_ending = True
            gevent.spawn(self._end_unused)
        return status

    def _end_unused(self) -> None:
        while self._idle:
            gevent.sleep(self._kept_s)
            unused_since = time.monotonic() - self._kept_s
            unused = [each for each in self._idle if each.used_at <= unused_since]
            # Ending them takes a moment, in which nobody may take one.
            self._idle = [each for each in self._idle if each not in unused]
            for process in unused:
                process.end()
        self._is_ending = False


class _Forking:
    """One that forks. It ends when we do, for its input ends then."""

    def __init__(self) -> None:
        self.used_at = time.monotonic()
        # Its numbers would count among those of the workers.
        environ = {name: value for name, value in os.environ.items() if name != "PROMETHEUS_MULTIPROC_DIR"}
        self._process = subprocess.Popen(
            [sys.executable, "-m", _MODULE],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            env=environ,
        )

    def run(self, folder: str, timeout_s: float) -> int | None:
        """Return the exit code; None when it is gone itself, or says nothing any more."""
        answer: bytes = gevent.with_timeout(timeout_s + _START_S, self._ask, f"{timeout_s} {folder}\n", timeout_value=b"")
        self.used_at = time.monotonic()
        return int(answer) if answer else None

    def _ask(self, line: str) -> bytes:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(line.encode())
            self._process.stdin.flush()
            return self._process.stdout.readline()
        except OSError:
            return b""

    def end(self) -> None:
        with contextlib.suppress(OSError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
