"""One cluster with a broker for all tests here; whoever stops a part of it starts that again."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from zato.common.testing import redis_server as redis_servers
from zato.common.testing.plugin import require_program

# Tests are no package: what they share is found in their folder.
sys.path.insert(0, str(Path(__file__).parent))

sys.path.insert(0, str(Path(__file__).parent / "mqi_double"))

from double import QueueManager
from running_cluster import Broker, Cluster


@pytest.fixture(scope="session")
def mqi_manager(tmp_path_factory: pytest.TempPathFactory) -> QueueManager:
    return QueueManager(require_program("gcc"), tmp_path_factory.mktemp("mqi"))


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    require_program("activemq")
    made = Broker(require_program("java"), tmp_path_factory.mktemp("activemq"))
    made.server.start()
    yield made
    made.server.kill()


@pytest.fixture(scope="session")
def cluster(
    broker: Broker, mqi_manager: QueueManager, _redis_url: str, new_postgresql_url: Callable[[], str]
) -> Iterator[Cluster]:
    with Cluster(broker, mqi_manager, new_postgresql_url(), redis_servers.fresh_database(_redis_url)) as made:
        yield made
