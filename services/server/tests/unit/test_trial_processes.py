"""Processes that try packages: one that is kept forks another one for each trial."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import gevent
import psutil
import pytest

from zato.common.testing.waiting import eventually
from zato.server.services.trial_processes import TrialProcesses


@pytest.fixture
def before() -> set[int]:
    return {child.pid for child in psutil.Process().children()}


@pytest.fixture
def processes(before: set[int]) -> Iterator[TrialProcesses]:
    made = TrialProcesses()
    yield made
    for pid in forking(before):
        os.kill(pid, signal.SIGKILL)


def forking(before: set[int]) -> list[int]:
    """Return the processes that wait for trials."""
    children = [child for child in psutil.Process().children() if child.pid not in before]
    return [child.pid for child in children if child.status() != psutil.STATUS_ZOMBIE]


def has_ended(pid: int) -> bool:
    """Who runs the tests may look after those that nobody waits for any more, at the end."""
    try:
        return bool(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


def test_trials_one_after_the_other_share_a_process(processes: TrialProcesses, before: set[int], tmp_path: Path) -> None:
    # Where nothing is to be tried, the trial ends with an error of its own.
    assert processes.run(str(tmp_path), 30.0) == 1
    (first,) = forking(before)
    assert processes.run(str(tmp_path), 30.0) == 1
    assert forking(before) == [first]


def test_one_that_was_killed_is_followed_by_another(processes: TrialProcesses, before: set[int], tmp_path: Path) -> None:
    processes.run(str(tmp_path), 30.0)
    (first,) = forking(before)
    os.kill(first, signal.SIGKILL)
    assert processes.run(str(tmp_path), 30.0) == 1
    assert first not in forking(before)


def test_one_that_nobody_needs_any_more_ends(before: set[int], tmp_path: Path) -> None:
    made = TrialProcesses(kept_s=0.1)
    made.run(str(tmp_path), 30.0)
    assert len(forking(before)) == 1
    with gevent.Timeout(30):
        while forking(before):
            gevent.sleep(0.05)


def test_it_ends_with_the_process_that_started_it(tmp_path: Path) -> None:
    code = """
import os, signal, sys, psutil
from zato.server.services.trial_processes import TrialProcesses
TrialProcesses().run(sys.argv[1], 30.0)
print(*(child.pid for child in psutil.Process().children()), flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    pid = int(done.stdout)
    eventually(lambda: has_ended(pid), timeout_s=30, what="the process for trials to end")
