"""The sidecar as the master sees it: started before the master can reap its children, and started again when it ends."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from zato.common.testing.waiting import eventually
from zato.server.sidecar.process import SidecarProcess


@pytest.fixture
def said(tmp_path: Path) -> Path:
    return tmp_path / "said"


@pytest.fixture
def ends_at_once(said: Path) -> Iterator[SidecarProcess]:
    program = f"open({str(said)!r}, 'a').write(' '.join(__import__('sys').argv[1:]) + '\\n')"
    process = SidecarProcess([sys.executable, "-c", program])
    yield process
    process.stop(lambda: None)


def test_one_that_ended_before_anybody_reaped_it_is_started_again(ends_at_once: SidecarProcess, said: Path) -> None:
    def ran_twice() -> bool:
        ends_at_once.keep_alive()
        return said.exists() and len(said.read_text().splitlines()) >= 2

    eventually(ran_twice, timeout_s=60, what="another sidecar")


def test_it_is_told_whose_end_is_its_own(ends_at_once: SidecarProcess, said: Path) -> None:
    ends_at_once.keep_alive()
    eventually(lambda: said.exists() and said.read_text().endswith("\n"), timeout_s=60, what="the sidecar's word")
    assert said.read_text().splitlines()[0] == f"--parent {os.getpid()}"


def test_stopping_ends_it_and_keeps_it_ended(tmp_path: Path) -> None:
    process = SidecarProcess([sys.executable, "-c", "import time; time.sleep(600)", str(tmp_path)])

    def runs() -> bool:
        return any(str(tmp_path) in child.cmdline() for child in psutil.Process().children())

    process.keep_alive()
    assert runs()
    process.stop(lambda: None)
    process.keep_alive()
    assert not runs()
