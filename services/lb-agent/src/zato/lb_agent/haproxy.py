"""HAProxy as our child: started, reloaded without a lost connection, ended softly, and never left behind."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from zato.common.logs import get_logger
from zato.lb_agent.configuration import BACKEND, RUNTIME_SOCKET, STATE_FILE
from zato.lb_agent.errors import HAProxyNotStarted, HAProxyUnavailable, PortTaken
from zato.lb_agent.program import Program, read_message
from zato.lb_agent.runtime import MASTER_SOCKET, Runtime
from zato.lb_agent.statistics import active_requests_of, failed_reloads_of, info_of, workers_of
from zato.lb_agent.work_folder import WorkFolder

log = get_logger(__name__)

_CONFIG_FILE = "haproxy.cfg"
_CANDIDATE_FILE = "haproxy.candidate.cfg"
_PID_FILE = "haproxy.pid"
_NO_STATE = "1\n"
_START_TIMEOUT_S = 15.0
_POLL_S = 0.02
_END_TIMEOUT_S = 3.0
# An alert that says nothing of the configuration.
_NOT_A_FAILURE = "has no server available"
# What it says of commands that we gave, which are in our log already.
_OUR_COMMANDS = "CLI : "


class HAProxy:
    """
    A master process and the workers that it makes, one at each reload.

    Threads may ask it at the same time, but only one may change it. It is to be started from a thread that lives as
    long as it should: the kernel ends it when that thread ends.
    """

    def __init__(self, program: Program, folder: WorkFolder) -> None:
        self.runtime = Runtime(folder.path)
        self._program = program
        self._folder = folder
        self._config_file = folder.path / _CONFIG_FILE
        self._process: subprocess.Popen[bytes] | None = None
        self._messages: _Messages | None = None

    @property
    def version(self) -> str:
        return self._program.version

    @property
    def is_running(self) -> bool:
        process = self._process
        return process is not None and process.poll() is None

    def pid(self) -> int:
        """Return the process that serves; it is another one after each reload. Raises HAProxyUnavailable."""
        if not self.is_running:
            raise HAProxyUnavailable("HAProxy does not run")
        try:
            return int(info_of(self.runtime.ask("show info"))["Pid"])
        except KeyError as exc:
            raise HAProxyUnavailable("HAProxy does not say its process id") from exc

    def write(self, text: str) -> None:
        """Keep a configuration that HAProxy has already, through its commands, for when it starts again."""
        self._folder.write(_CONFIG_FILE, text)

    def start(self, text: str) -> None:
        """
        Start, and return when clients are served.

        Raises:
            InvalidConfiguration: HAProxy refuses the configuration.
            PortTaken: Somebody else listens at one of its addresses.
            HAProxyNotStarted: It ended, or did not serve in time, for another reason.
        """
        self.end_leftover()
        self.check(text)
        self.write(text)
        # What a reload left there would make servers appear as they were then.
        self._folder.write(STATE_FILE, _NO_STATE)
        for name in (RUNTIME_SOCKET, MASTER_SOCKET):
            self._folder.remove(name)
        self._process = self._spawn()
        self._folder.write(_PID_FILE, f"{self._process.pid}\n")
        assert self._process.stderr is not None
        self._messages = _Messages(self._process.stderr)
        try:
            self._await_start()
        except BaseException:
            self.kill()
            raise
        log.info("haproxy_started", master_pid=self._process.pid, version=self.version)

    def check(self, text: str) -> None:
        """Raise InvalidConfiguration if HAProxy would refuse `text`, which stays in a file for whoever looks for the reason."""
        self._folder.write(_CANDIDATE_FILE, text)
        self._program.check(self._folder.path / _CANDIDATE_FILE)
        self._folder.remove(_CANDIDATE_FILE)

    def reload(self, text: str) -> int:
        """
        Replace the worker by one with another configuration, and return its process id when it serves.

        Listening sockets and the state of the servers go from the old one to the new one; the old one ends its requests.

        Raises:
            InvalidConfiguration: HAProxy refuses it; nothing has changed.
            HAProxyUnavailable: It was not loaded for another reason, e.g. a port is taken; the old worker serves on.
        """
        process = self._process
        old_pid = self.pid()
        assert process is not None
        self.check(text)
        before, failed = self._folder.read(_CONFIG_FILE), self._failed_reloads()
        self._folder.write(STATE_FILE, self.runtime.ask(f"show servers state {BACKEND}"))
        self.write(text)
        if self._messages is not None:
            self._messages.forget()
        process.send_signal(signal.SIGUSR2)
        try:
            return self._await_worker(after=old_pid, failed=failed)
        except HAProxyUnavailable:
            # The master has no worker of the new kind; a second reload makes it forget that it was asked for one.
            self.write(before)
            process.send_signal(signal.SIGUSR2)
            raise

    def stop(self, grace_s: float) -> None:
        """Take no new connections, let requests end for at most `grace_s` seconds, then end all processes."""
        if self._process is None:
            return
        if self._messages is not None:
            self._messages.is_ending = True
        deadline = time.monotonic() + grace_s
        self._signal(signal.SIGUSR1)
        while self.is_running and time.monotonic() < deadline and self._has_requests():
            time.sleep(_POLL_S)
        self._signal(signal.SIGTERM)
        try:
            self._process.wait(_END_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            log.warning("haproxy_killed", master_pid=self._process.pid)
        self.kill()

    def kill(self) -> None:
        """End it whatever it does; its workers end with their master. Never raises."""
        if self._process is None:
            return
        self._signal(signal.SIGKILL)
        self._process.wait()
        if self._messages is not None:
            self._messages.close()
        self._folder.remove(_PID_FILE)
        self._process = None

    def end_leftover(self) -> None:
        """End an HAProxy that an agent started from this folder and could not end, since it would keep our port."""
        pid = _number(self._folder.read(_PID_FILE))
        if pid is None or not self._is_ours(pid):
            return
        log.warning("haproxy_leftover_ended", master_pid=pid)
        for ending in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, ending)
            deadline = time.monotonic() + _END_TIMEOUT_S
            while self._is_ours(pid) and time.monotonic() < deadline:
                time.sleep(_POLL_S)

    def _is_ours(self, pid: int) -> bool:
        # Process ids are used again: what counts is that it runs with our file. A zombie has no command line.
        try:
            words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except OSError:
            return False
        return b"haproxy" in words[0] and os.fsencode(self._config_file) in words

    def _spawn(self) -> "subprocess.Popen[bytes]":
        command = [self._program.path, "-W", "-S", f"unix@{MASTER_SOCKET},mode,600,level,admin", "-f", str(self._config_file)]
        # If the agent dies without a word, the kernel ends HAProxy for it. setpriv replaces itself by HAProxy, so the process
        # id is HAProxy's; a function to run between fork and exec would not be safe beside threads.
        if setpriv := shutil.which("setpriv"):
            command = [setpriv, "--pdeathsig", "TERM", *command]
        with _own_stdout() as stdout:
            return subprocess.Popen(
                command,
                # Paths of its sockets are relative: those may be no longer than 97 bytes.
                cwd=self._folder.path,
                # Nothing of our secrets.
                env={"PATH": os.environ.get("PATH", os.defpath)},
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=subprocess.PIPE,
                # Ctrl-C in a terminal is for the agent, which then ends HAProxy softly.
                process_group=0,
            )

    def _await_start(self) -> None:
        assert self._process is not None
        assert self._messages is not None
        deadline = time.monotonic() + _START_TIMEOUT_S
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                self._messages.close()
                raise _not_started(self._messages.first_alert() or f"it ended with {self._process.returncode}")
            with contextlib.suppress(HAProxyUnavailable):
                self.pid()
                return
            time.sleep(_POLL_S)
        raise _not_started(f"it did not answer within {_START_TIMEOUT_S:g} s")

    def _await_worker(self, *, after: int, failed: int) -> int:
        assert self._messages is not None
        deadline = time.monotonic() + _START_TIMEOUT_S
        while time.monotonic() < deadline:
            with contextlib.suppress(HAProxyUnavailable):
                if (pid := self.pid()) != after:
                    return pid
                if self._failed_reloads() > failed:
                    break
            time.sleep(_POLL_S)
        reason = self._messages.first_alert() or "its new process did not serve in time"
        raise HAProxyUnavailable(f"HAProxy did not load the configuration and serves with the old one: {reason}")

    def _failed_reloads(self) -> int:
        return failed_reloads_of(self.runtime.ask_master("show proc"))

    def _has_requests(self) -> bool:
        try:
            workers = workers_of(self.runtime.ask_master("show proc"))
            answers = [self.runtime.ask_master(f"@!{pid} show stat {BACKEND} 2 -1") for pid in workers]
        except HAProxyUnavailable:
            return False
        return any(active_requests_of(answer) for answer in answers)

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(number)


class _Messages:
    """What HAProxy prints for people, into our log; its alerts are kept, since they say why something failed."""

    def __init__(self, stream: IO[bytes]) -> None:
        # HAProxy is alarmed by the end of its workers, also when we end them.
        self.is_ending = False
        self._stream = stream
        self._alerts: deque[str] = deque(maxlen=20)
        self._thread = threading.Thread(target=self._read, name="haproxy-messages", daemon=True)
        self._thread.start()

    def first_alert(self) -> str:
        return next(iter(self._alerts), "")

    def forget(self) -> None:
        self._alerts.clear()

    def close(self) -> None:
        """Wait until all was read. To be called when the process has ended."""
        self._thread.join(_END_TIMEOUT_S)

    def _read(self) -> None:
        with self._stream:
            for line in self._stream:
                level, text = read_message(line.decode(errors="replace"))
                if level == "ALERT" and _NOT_A_FAILURE not in text:
                    self._alerts.append(text)
                if text:
                    self._log(level, text)

    def _log(self, level: str, text: str) -> None:
        if self.is_ending or text.startswith(_OUR_COMMANDS):
            level = ""
        write = {"ALERT": log.error, "WARNING": log.warning}.get(level, log.debug)
        write("haproxy_message", text=text)


@contextlib.contextmanager
def _own_stdout() -> Iterator[int]:
    """
    Our standard output, opened a second time.

    HAProxy writes its access log there itself and makes it non-blocking, which would hold for us as well if we shared it.
    """
    try:
        descriptor = os.open("/proc/self/fd/1", os.O_WRONLY | os.O_APPEND)
    except OSError:
        descriptor = os.dup(sys.__stdout__.fileno() if sys.__stdout__ else 1)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _not_started(reason: str) -> HAProxyNotStarted:
    if "Address already in use" in reason:
        return PortTaken(f"HAProxy cannot listen, the port is taken: {reason}", reason=reason)
    return HAProxyNotStarted(f"HAProxy did not start: {reason}", reason=reason)


def _number(text: str) -> int | None:
    return int(text) if text.strip().isdigit() else None
