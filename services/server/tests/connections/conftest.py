"""Real servers for the types of connections."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from zato.common.testing.plugin import require_program
from zato.server.contracts.http_backend import Backend
from zato.server.contracts.mariadb_server import MariaDBServer


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that other users may enter, which pytest's are not."""
    with tempfile.TemporaryDirectory(prefix="zato-test-") as folder:
        yield Path(folder)


@pytest.fixture
def backend() -> Iterator[Backend]:
    backend = Backend()
    yield backend
    backend.stop()


@pytest.fixture(scope="session")
def mariadb() -> Iterator[MariaDBServer]:
    program = require_program("mariadbd")
    with tempfile.TemporaryDirectory(prefix="zato-test-mariadb-") as folder:
        server = MariaDBServer(program, Path(folder))
        server.start()
        yield server
        server.stop()
