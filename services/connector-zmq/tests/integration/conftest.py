"""One cluster for all tests here; whoever stops a part of it starts that again."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from zato.common.testing import redis_server as redis_servers

# Tests are no package: what they share is found in their folder.
sys.path.insert(0, str(Path(__file__).parent))

from running_cluster import Cluster


@pytest.fixture(scope="session")
def cluster(_redis_url: str, new_postgresql_url: Callable[[], str]) -> Iterator[Cluster]:
    with Cluster(new_postgresql_url(), redis_servers.fresh_database(_redis_url)) as made:
        yield made
