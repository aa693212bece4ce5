"""Authorities as processes of their own, ended after each test."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

# Tests are no package: what they share is found in their folder.
sys.path.insert(0, str(Path(__file__).parent))

from running_ca import CAProcess


@pytest.fixture
def new_ca(tmp_path: Path) -> Iterator[Callable[..., CAProcess]]:
    """Make authorities, each with settings of its own; not started yet."""
    made: list[CAProcess] = []

    def make(**settings: object) -> CAProcess:
        made.append(CAProcess(tmp_path / f"ca{len(made)}", **settings))
        return made[-1]

    yield make
    for ca in made:
        ca.close()


@pytest.fixture(scope="session")
def _ca(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CAProcess]:
    ca = CAProcess(tmp_path_factory.mktemp("ca") / "ca")
    ca.start()
    yield ca
    ca.close()


@pytest.fixture
def ca(_ca: CAProcess) -> CAProcess:
    """A running authority, shared by the tests that do not break it."""
    return _ca
