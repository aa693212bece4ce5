"""
The processes of a part: found by its pid file, and only believed to be ours when everything fits.

A pid alone proves nothing, since the system uses it again. So the file also has the moment the process started, and
the process has to work in the part's folder or to name it in its command line. Otherwise the file is stale.
"""

import contextlib
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

from zato.common.lifecycle.folders import PartFolder

# The clock ticks a hundred times a second.
_SAME_MOMENT_S = 0.02
_STRAGGLERS_S = 1.0
_POLL_S = 0.02


@dataclass(frozen=True)
class Stopped:
    """`was_killed` says that it did not end by itself in time."""

    pid: int
    seconds: float
    was_killed: bool


def write_pid_file(folder: PartFolder, pid: int) -> None:
    folder.pid_file.parent.mkdir(parents=True, exist_ok=True)
    folder.pid_file.write_text(f"{pid}\n{_moment_of_start(psutil.Process(pid))}\n")


def find_running(folder: PartFolder) -> psutil.Process | None:
    """Return the part's main process, or None when it does not run. A stale pid file is removed."""
    recorded = _read_pid_file(folder.pid_file)
    if recorded is None:
        return None
    pid, moment = recorded
    with contextlib.suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        is_same = abs(_moment_of_start(process) - moment) < _SAME_MOMENT_S
        if is_same and _is_of(folder, process) and process.status() != psutil.STATUS_ZOMBIE:
            return process
    # Workers may survive a main process that was killed; they are found by the file, which has to stay for them.
    if not _orphans(folder, pid):
        folder.pid_file.unlink(missing_ok=True)
    return None


def family(process: psutil.Process) -> list[psutil.Process]:
    """Return a part's main process and everything that it started, directly or not."""
    found = {process.pid: process}
    with contextlib.suppress(psutil.NoSuchProcess):
        found.update((child.pid, child) for child in process.children(recursive=True))
        if _session_of(process.pid) == process.pid:
            found.update((member.pid, member) for member in _session_members(process.pid))
    return list(found.values())


def memory_bytes(processes: list[psutil.Process]) -> int:
    """Return the memory that processes use together: what they share is counted once (PSS), where the system tells."""
    return sum(map(_memory_of, processes))


def stop_processes(folder: PartFolder, timeout_s: float) -> Stopped | None:
    """
    End a part: SIGTERM, then SIGKILL for whatever is left after `timeout_s`. Returns None when it did not run.
    """
    recorded = _read_pid_file(folder.pid_file)
    process = find_running(folder)
    if process is None:
        if recorded is not None:
            _kill(_orphans(folder, recorded[0]))
            folder.pid_file.unlink(missing_ok=True)
        return None
    started_at = time.monotonic()
    members = family(process)
    with contextlib.suppress(psutil.NoSuchProcess):
        process.send_signal(signal.SIGTERM)
    was_killed = not _has_ended(process, timeout_s)
    # What it started after we looked is in its session, which outlives it.
    members += [] if was_killed else _orphans(folder, process.pid)
    others = [member for member in members if member.pid != process.pid]
    _kill(members if was_killed else _still_there(others, _STRAGGLERS_S))
    folder.pid_file.unlink(missing_ok=True)
    return Stopped(process.pid, time.monotonic() - started_at, was_killed)


def kill_orphans(folder: PartFolder) -> int:
    """End what an earlier run left behind whose main process was killed. Returns how many processes that were."""
    recorded = _read_pid_file(folder.pid_file)
    if recorded is None or find_running(folder) is not None:
        return 0
    orphans = _orphans(folder, recorded[0])
    _kill(orphans)
    folder.pid_file.unlink(missing_ok=True)
    return len(orphans)


def _read_pid_file(file: Path) -> tuple[int, float] | None:
    try:
        pid, moment = file.read_text().split()
        return int(pid), float(moment)
    except (OSError, ValueError):
        return None


def _moment_of_start(process: psutil.Process) -> float:
    """Return seconds from the machine's start: unlike the time of day it does not move when the clock is set."""
    return process.create_time() - psutil.boot_time()


def _is_of(folder: PartFolder, process: psutil.Process) -> bool:
    try:
        if Path(process.cwd()).is_relative_to(folder.path):
            return True
        return any(str(folder.path) in argument for argument in process.cmdline())
    except (psutil.AccessDenied, psutil.ZombieProcess):
        return False


def _session_of(pid: int) -> int:
    try:
        return os.getsid(pid)
    except OSError:
        return -1


def _session_members(session: int) -> list[psutil.Process]:
    members = []
    for pid in psutil.pids():
        if _session_of(pid) == session:
            with contextlib.suppress(psutil.NoSuchProcess):
                members.append(psutil.Process(pid))
    return members


def _orphans(folder: PartFolder, pid: int) -> list[psutil.Process]:
    """Return what is left of the session of a main process that is gone."""
    if pid == os.getpid() or _is_alive(pid):
        return []
    found = []
    for member in _session_members(pid):
        with contextlib.suppress(psutil.NoSuchProcess):
            if member.pid != pid and _is_of(folder, member):
                found.append(member)
    return found


def is_there(process: psutil.Process) -> bool:
    """Whether a process lives. One that nobody has collected yet is dead."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False


def _is_alive(pid: int) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return is_there(psutil.Process(pid))
    return False


def _has_ended(process: psutil.Process, timeout_s: float) -> bool:
    """
    Wait for the end of a process.

    Not psutil's own wait: where nobody collects the dead, as in a container without an init, it would wait for ever.
    """
    deadline = time.monotonic() + timeout_s
    while is_there(process):
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_S)
    with contextlib.suppress(psutil.TimeoutExpired):
        process.wait(timeout=0)  # collects it when it is our child
    return True


def _still_there(processes: list[psutil.Process], timeout_s: float) -> list[psutil.Process]:
    deadline = time.monotonic() + timeout_s
    return [process for process in processes if not _has_ended(process, max(0.0, deadline - time.monotonic()))]


def _kill(processes: list[psutil.Process]) -> None:
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    _still_there(processes, _STRAGGLERS_S)


def _memory_of(process: psutil.Process) -> int:
    with contextlib.suppress(psutil.NoSuchProcess):
        try:
            full = process.memory_full_info()
            return int(getattr(full, "pss", full.rss))
        except psutil.AccessDenied:
            return int(process.memory_info().rss)
    return 0
