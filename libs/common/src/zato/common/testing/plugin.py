"""
Fixtures for the tests of all parts. Loaded by pytest itself wherever zato-common is installed.

    redis_url             an empty database in a running Redis
    redis_server          a Redis of the test's own, to stop, start, pause and kill
    postgresql_url        an empty PostgreSQL database
    new_postgresql_url    makes as many as asked, for whole modules
    haproxy_program       path of HAProxy
    free_port             gives ports that nobody listens at

A test that uses one carries the marker `redis`, `postgresql` or `haproxy`, and a test with such a marker needs the
program. Where it is missing the test is skipped, and fails in CI (CI=true), where all of them have to be there.
`ZATO_TEST_REDIS_URL` and `ZATO_TEST_POSTGRESQL_URL` name servers that run already; without them private ones are started.
"""

import importlib.util
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from zato.common.testing import postgresql_server
from zato.common.testing import redis_server as redis_servers
from zato.common.testing.postgresql_server import PostgreSQLServer
from zato.common.testing.processes import free_port as find_free_port
from zato.common.testing.programs import PACKAGES, find_program
from zato.common.testing.redis_server import RedisServer

REDIS_VARIABLE = "ZATO_TEST_REDIS_URL"
POSTGRESQL_VARIABLE = "ZATO_TEST_POSTGRESQL_URL"

_marker_by_fixture = {
    "redis_url": "redis",
    "redis_server": "redis",
    "postgresql_url": "postgresql",
    "new_postgresql_url": "postgresql",
    "haproxy_program": "haproxy",
}
_program_by_marker = {"redis": "redis-server", "postgresql": "postgres", "haproxy": "haproxy"}
_variable_by_marker = {"redis": REDIS_VARIABLE, "postgresql": POSTGRESQL_VARIABLE}


def pytest_itemcollected(item: pytest.Item) -> None:
    for name in getattr(item, "fixturenames", ()):
        if marker := _marker_by_fixture.get(name):
            item.add_marker(marker)


# First of all, so that no fixture starts before we know.
@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    for marker, program in _program_by_marker.items():
        if item.get_closest_marker(marker) and not os.environ.get(_variable_by_marker.get(marker, "")):
            require_program(program)


def require_program(name: str) -> str:
    """Return the path of a program; without it the test is skipped, and fails in CI."""
    if (path := find_program(name)) is not None:
        return path
    reason = f"{name} is not installed: 'apt-get install {PACKAGES.get(name, name)}', or 'scripts/system-packages test'"
    if os.environ.get("CI", "").lower() in ("true", "1"):
        pytest.fail(f"{reason} (in CI it has to be)", pytrace=False)
    pytest.skip(reason)


def require_package(module: str, package: str) -> None:
    """See to it that a module can be imported; without it the test file is skipped, and fails in CI."""
    if importlib.util.find_spec(module) is not None:
        return
    reason = f"{module} is not installed: 'pip install {package}'"
    if os.environ.get("CI", "").lower() in ("true", "1"):
        raise RuntimeError(f"{reason} (in CI it has to be)")
    pytest.skip(reason, allow_module_level=True)


@pytest.fixture(scope="session")
def _redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    if url := os.environ.get(REDIS_VARIABLE):
        yield url
        return
    server = RedisServer(require_program("redis-server"), tmp_path_factory.mktemp("redis"))
    server.start()
    yield server.url
    server.stop()


@pytest.fixture
def redis_url(_redis_url: str) -> str:
    """URL of an empty database in a running Redis. Pub/sub knows no databases: topics are shared by all tests that run."""
    return redis_servers.fresh_database(_redis_url)


@pytest.fixture
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A running Redis of the test's own, which it may stop, start, pause and kill."""
    server = RedisServer(require_program("redis-server"), tmp_path_factory.mktemp("redis"))
    server.start()
    yield server
    server.kill()


@pytest.fixture(scope="session")
def _postgresql_url() -> Iterator[str]:
    if url := os.environ.get(POSTGRESQL_VARIABLE):
        yield url
        return
    program = require_program("postgres")
    with tempfile.TemporaryDirectory(prefix="zato-test-postgresql-") as folder:
        server = PostgreSQLServer(program, Path(folder))
        server.start()
        yield server.url
        server.stop()


@pytest.fixture(scope="session")
def new_postgresql_url(_postgresql_url: str) -> Iterator[Callable[[], str]]:
    """Make an empty database at each call and return its URL; all are dropped at the end."""
    made: list[str] = []

    def make() -> str:
        made.append(postgresql_server.fresh_database(_postgresql_url))
        return made[-1]

    yield make
    for url in made:
        postgresql_server.drop_database(url, of=_postgresql_url)


@pytest.fixture
def postgresql_url(_postgresql_url: str) -> Iterator[str]:
    """URL of an empty database, dropped after the test whoever is connected still."""
    url = postgresql_server.fresh_database(_postgresql_url)
    yield url
    postgresql_server.drop_database(url, of=_postgresql_url)


@pytest.fixture(scope="session")
def haproxy_program() -> str:
    """Path of HAProxy."""
    return require_program("haproxy")


@pytest.fixture
def free_port() -> Callable[[], int]:
    """Give a port of 127.0.0.1 that nobody listens at, another one at each call."""
    return find_free_port
