"""Servers as child processes: started on a free port, awaited, ended by their process id."""

import contextlib
import fcntl
import functools
import os
import pwd
import random
import re
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import psutil

# Below the ports that the kernel gives to outgoing connections, above those of the platform's conventions:
# nobody else takes one of these between our look and the server's start.
_PORTS = range(20200, 32000)
_given: set[int] = set()


def free_port() -> int:
    """Return a TCP port of 127.0.0.1 that nobody listens at, and that no process of tests which runs was given before."""
    for port in random.sample(_PORTS, len(_PORTS)):
        if port not in _given and _reserve(port) and _can_listen(port):
            _given.add(port)
            return port
    raise RuntimeError(f"no port is free among {_PORTS.start}–{_PORTS.stop - 1}")


def give_free_ports(file: Path) -> None:
    """Put ports that only we are given in the place of all ports of 127.0.0.1 in a file, e.g. a new cluster's cluster.toml."""
    file.write_text(re.sub(r"127\.0\.0\.1:\d+", lambda _: f"127.0.0.1:{free_port()}", file.read_text()))


def _reserve(port: int) -> bool:
    """Keep a port from other processes that run tests on this machine, until ours ends."""
    try:
        fcntl.lockf(_reservations(), fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)
    except (BlockingIOError, PermissionError):
        return False
    return True


@functools.cache
def _reservations() -> int:
    """Return the file of which each byte is a port, locked by whom it was given to. The lock ends with the process."""
    path = Path(tempfile.gettempdir()) / f"zato-test-ports-{os.geteuid()}"
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def _can_listen(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def as_user(command: Sequence[str], name: str | None) -> list[str]:
    """
    Return the command that runs a program as another user, with that user's groups only; as ourselves for None.

    Not by `subprocess`, which would have to fork for that: beside threads of gRPC the child sometimes does not live to exec.
    """
    if name is None:
        return list(command)
    entry = pwd.getpwnam(name)
    return ["setpriv", "--reuid", str(entry.pw_uid), "--regid", str(entry.pw_gid), "--clear-groups", "--", *command]


class ServerProcess:
    """
    One server program.

    Args:
        command: The program and its arguments.
        log: File that takes what it prints; shown when it does not start.
        is_ready: Whether it answers now.
        user: Whom it runs as; ourselves when None.
        stop_signal: What it takes as a wish to end.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        log: Path,
        is_ready: Callable[[], bool],
        user: str | None = None,
        stop_signal: signal.Signals = signal.SIGTERM,
    ) -> None:
        self._command = command
        self._log = log
        self._is_ready = is_ready
        self._user = user
        self._stop_signal = stop_signal
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None, "it was not started"
        return self._process.pid

    def start(self, timeout_s: float = 30.0) -> None:
        """Start it and return once it answers."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                as_user(self._command, self._user),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd="/",
                # Ctrl+C at the tests is not for their servers: they are stopped in order.
                start_new_session=True,
            )
        deadline = time.monotonic() + timeout_s
        while not self._is_ready():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise RuntimeError(f"{' '.join(self._command)} did not start:\n{self._log.read_text()[-2000:]}")
            time.sleep(0.01)

    def stop(self, timeout_s: float = 10.0) -> None:
        """Ask it to end, then make it."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(self._stop_signal)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(timeout_s)
        self.kill()

    def kill(self) -> None:
        """End it at once, as a power failure would. Does nothing when it has ended."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    def kill_family(self) -> None:
        """End it at once, and all that it has started. Does nothing when it has ended."""
        if self._process is not None and self._process.poll() is None:
            children = psutil.Process(self._process.pid).children(recursive=True)
            self.kill()
            for process in children:
                with contextlib.suppress(psutil.Error):
                    process.kill()

    def pause(self) -> None:
        """Let it keep its connections but answer nobody, as a machine does that hangs."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        os.kill(self.pid, signal.SIGCONT)
