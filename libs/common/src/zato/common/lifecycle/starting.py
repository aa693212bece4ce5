"""Starting a part in the background, waiting until it works, stopping it, and saying how it is."""

import contextlib
import fcntl
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import psutil

from zato.common.cli.parts import Part
from zato.common.errors import AlreadyExists, DeadlineExceeded, InvalidOptions, Unavailable
from zato.common.lifecycle.folders import PartFolder
from zato.common.lifecycle.logrotation import rotate_if_large
from zato.common.lifecycle.logtail import last_lines, log_size, reason_of
from zato.common.lifecycle.ports import holder, is_free, split_address
from zato.common.lifecycle.processes import (
    Stopped,
    family,
    find_running,
    is_there,
    kill_orphans,
    memory_bytes,
    stop_processes,
    write_pid_file,
)
from zato.common.options import option_values

_POLL_S = 0.05
_LOG_LINES_SHOWN = 15


@dataclass(frozen=True)
class Started:
    pid: int
    seconds: float
    was_running: bool
    is_ready: bool


@dataclass(frozen=True)
class Status:
    """`pid` is 0 and `memory` is 0 when it does not run. `memory` is in bytes, of all its processes together."""

    name: str
    part: str
    version: str
    pid: int
    processes: int
    uptime_s: float
    memory: int
    addresses: dict[str, str]
    is_ready: bool

    @property
    def state(self) -> str:
        if not self.pid:
            return "stopped"
        return "ready" if self.is_ready else "not ready"


class StartFailed(Unavailable):
    """The process ended while it started. `lines` is the end of what it printed."""

    def __init__(self, message: str, lines: list[str]) -> None:
        super().__init__(message)
        self.lines = lines


class NotReadyInTime(DeadlineExceeded):
    """The process runs and does not work yet. `lines` is the end of what it printed."""

    def __init__(self, message: str, lines: list[str]) -> None:
        super().__init__(message)
        self.lines = lines


def command_line(part: Part, folder: PartFolder) -> list[str]:
    # -P: a file in the current folder must not pass for one of our modules.
    return [sys.executable, "-P", "-m", part.module, "--folder", str(folder.path)]


def start(part: Part, folder: PartFolder, *, wait_s: float) -> Started:
    """
    Start a part in the background and wait until it is ready. Does nothing but wait when it runs already.

    Args:
        wait_s: 0 does not wait.

    Raises:
        StartFailed: It ended at once.
        NotReadyInTime: It still runs but is not ready; it is left alone.
        Unavailable: A port that it wants is taken.
    """
    settings = folder.load_settings(part)
    began_at = time.monotonic()
    with _lock(folder):
        process = find_running(folder)
        was_running = process is not None
        child = None
        if process is None:
            rotate_if_large(folder.log_file)
        began_in_log = log_size(folder.log_file)
        if process is None:
            kill_orphans(folder)
            check_ports(part, folder, settings)
            child = _spawn(part, folder)
            process = psutil.Process(child.pid)
    try:
        is_ready = bool(wait_s) and _wait_until_ready(part, folder, settings, process, child, wait_s, began_in_log)
    finally:
        if child is not None and child.returncode is None:
            # It lives on without us, so Python need not warn that nobody waits for it.
            child.returncode = 0
    return Started(process.pid, time.monotonic() - began_at, was_running, is_ready)


def start_in_foreground(part: Part, folder: PartFolder) -> None:
    """Become the part. Does not return. Raises AlreadyExists when it runs, Unavailable when a port is taken."""
    settings = folder.load_settings(part)
    with _lock(folder):
        process = find_running(folder)
        if process is not None:
            raise AlreadyExists(f"{folder.name} already runs, pid {process.pid}: stop it first with 'zato stop {folder.path}'")
        kill_orphans(folder)
        check_ports(part, folder, settings)
        os.chdir(folder.path)
        # The pid and the moment of start stay the same when we become another program.
        write_pid_file(folder, os.getpid())
    arguments = command_line(part, folder)
    os.execv(arguments[0], arguments)  # noqa: S606 (a list of arguments, no shell)


def stop(folder: PartFolder, *, timeout_s: float) -> Stopped | None:
    with _lock(folder):
        return stop_processes(folder, timeout_s)


def status(part: Part, folder: PartFolder, *, version: str) -> Status:
    settings = folder.load_settings(part)
    process = find_running(folder)
    addresses = dict(part.addresses(settings))
    if process is None:
        return Status(folder.name, part.name, version, 0, 0, 0.0, 0, addresses, False)
    members = family(process)
    return Status(
        name=folder.name,
        part=part.name,
        version=version,
        pid=process.pid,
        processes=len(members),
        uptime_s=max(0.0, time.time() - process.create_time()),
        memory=memory_bytes(members),
        addresses=addresses,
        is_ready=_asks_ready(part, settings)[0],
    )


def check_ports(part: Part, folder: PartFolder, settings: Any) -> None:
    """Raise Unavailable when somebody else listens where this part wants to."""
    for label, address in part.addresses(settings).items():
        try:
            host, port = split_address(address)
        except InvalidOptions:
            continue  # a URL or a path: told to people, not listened at
        if port and not is_free(host, port):
            named = [name for name, value in option_values(settings).items() if value == address]
            where = f"'{named[0]}'" if named else label
            raise Unavailable(
                f"{folder.name} cannot listen at {address}, {holder(port)} does: stop that one, "
                f"or change {where} in {folder.settings_file}"
            )


def _spawn(part: Part, folder: PartFolder) -> "subprocess.Popen[bytes]":
    folder.log_file.parent.mkdir(parents=True, exist_ok=True)
    log = os.open(folder.log_file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o640)
    try:
        child = subprocess.Popen(
            command_line(part, folder),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=folder.path,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
            start_new_session=True,
        )
    finally:
        os.close(log)
    with contextlib.suppress(psutil.NoSuchProcess):
        write_pid_file(folder, child.pid)
    return child


def _wait_until_ready(
    part: Part,
    folder: PartFolder,
    settings: Any,
    process: psutil.Process,
    child: "subprocess.Popen[bytes] | None",
    wait_s: float,
    began_in_log: int,
) -> bool:
    deadline = time.monotonic() + wait_s
    while True:
        is_ready, problem = _asks_ready(part, settings)
        # In this order: whoever answers for a process that has ended is not our part.
        _raise_if_ended(folder, process, child, began_in_log)
        if is_ready:
            return True
        if time.monotonic() > deadline:
            lines = last_lines(folder.log_file, _LOG_LINES_SHOWN, since=began_in_log)
            because = f" ({problem})" if problem else ""
            raise NotReadyInTime(
                f"{folder.name} runs, pid {process.pid}, but was not ready after {wait_s:g} s{because}: see {folder.log_file}",
                lines,
            )
        time.sleep(_POLL_S)


def _raise_if_ended(
    folder: PartFolder, process: psutil.Process, child: "subprocess.Popen[bytes] | None", began_in_log: int
) -> None:
    code = child.poll() if child is not None else None
    if code is None and is_there(process):
        return
    folder.pid_file.unlink(missing_ok=True)
    lines = last_lines(folder.log_file, _LOG_LINES_SHOWN, since=began_in_log)
    how = f"ended with code {code}" if code is None or code >= 0 else f"was ended by signal {-code}"
    reason = reason_of(lines)
    because = f": {reason}" if reason else f" and printed nothing, see {folder.log_file}"
    raise StartFailed(f"{folder.name} {how if code is not None else 'ended'} while it started{because}", lines)


def _asks_ready(part: Part, settings: Any) -> tuple[bool, str]:
    try:
        return part.is_ready(settings), ""
    except Exception as exc:  # a part's own check: whatever it stumbles over means that the part is not ready
        return False, f"{type(exc).__name__}: {exc}"


@contextlib.contextmanager
def _lock(folder: PartFolder) -> Iterator[None]:
    """Keep two people from starting the same part at the same moment."""
    folder.pid_file.parent.mkdir(parents=True, exist_ok=True)
    with (folder.pid_file.parent / ".lock").open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield
