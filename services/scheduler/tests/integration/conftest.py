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


@pytest.fixture(scope="module")
def start_cluster(_redis_url: str, new_postgresql_url: Callable[[], str]) -> Iterator[Callable[..., Cluster]]:
    """Start clusters on PostgreSQL; all end with the module."""
    made: list[Cluster] = []

    def start(*, servers: int = 1, schedulers: int = 1, **settings: Any) -> Cluster:
        settings = {"odb_url": new_postgresql_url(), "redis_url": redis_servers.fresh_database(_redis_url), **settings}
        made.append(Cluster(servers=servers, schedulers=schedulers, **settings))
        return made[-1].start()

    yield start
    for cluster in made:
        cluster.end()


@pytest.fixture(scope="module")
def cluster(start_cluster: Callable[..., Cluster]) -> Cluster:
    """One server and one scheduler, for tests that do them no harm."""
    return start_cluster()
