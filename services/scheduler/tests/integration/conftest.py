"""Clusters for the tests, ended after each module."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from zato.common.testing import redis_server as redis_servers

# Tests are no package: what they share is found in their folder.
sys.path.insert(0, str(Path(__file__).parent))

from running_cluster import Cluster


@pytest.fixture(scope="session")
def _make_clusters(_redis_url: str, new_postgresql_url: Callable[[], str]) -> Callable[[list[Cluster]], Callable[..., Cluster]]:
    def make(made: list[Cluster]) -> Callable[..., Cluster]:
        def start(odb_url: str = "", *, servers: int = 1, schedulers: int = 1, **settings: Any) -> Cluster:
            settings = {"redis_url": redis_servers.fresh_database(_redis_url), **settings}
            made.append(Cluster(odb_url or new_postgresql_url(), servers=servers, schedulers=schedulers, **settings))
            return made[-1].start()

        return start

    return make


@pytest.fixture
def start_cluster(_make_clusters: Callable[[list[Cluster]], Callable[..., Cluster]]) -> Iterator[Callable[..., Cluster]]:
    """Start clusters, on PostgreSQL unless they are given another ODB; all end with the test."""
    made: list[Cluster] = []
    yield _make_clusters(made)
    for cluster in made:
        cluster.end()


@pytest.fixture(scope="module")
def cluster(_make_clusters: Callable[[list[Cluster]], Callable[..., Cluster]]) -> Iterator[Cluster]:
    """One server and one scheduler, for tests that do them no harm."""
    made: list[Cluster] = []
    yield _make_clusters(made)()
    for each in made:
        each.end()
