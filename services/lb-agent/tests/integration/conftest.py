"""Agents and servers for the tests, ended after each."""

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from zato.lb_agent.errors import HAProxyNotInstalled
from zato.lb_agent.program import Program

# Tests are no package: what they share is found in their folder.
sys.path.insert(0, str(Path(__file__).parent))

from running_agent import AgentProcess, Server

from zato.common.testing.waiting import eventually


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("haproxy"):
        try:
            Program("haproxy")
        except HAProxyNotInstalled as exc:
            if os.environ.get("CI", "").lower() in ("1", "true"):
                pytest.fail(f"{exc.message} (in CI it has to be)", pytrace=False)
            pytest.skip(exc.message)


@pytest.fixture
def new_agent(tmp_path: Path) -> Iterator[Callable[..., AgentProcess]]:
    """Make agents, each with settings of its own; not started yet."""
    made: list[AgentProcess] = []

    def make(**settings: object) -> AgentProcess:
        folder = tmp_path / f"agent{len(made)}"
        folder.mkdir()
        made.append(AgentProcess(folder, **settings))
        return made[-1]

    yield make
    for agent in made:
        agent.close()


@pytest.fixture
def new_server() -> Iterator[Callable[[str], Server]]:
    """Start servers of the test's own, to kill and restart."""
    made: list[Server] = []

    def make(name: str) -> Server:
        made.append(Server(name))
        return made[-1]

    yield make
    for server in made:
        server.kill()


# Starting an agent takes longer than most tests.
@pytest.fixture(scope="session")
def _agent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AgentProcess]:
    agent = AgentProcess(tmp_path_factory.mktemp("agent"))
    agent.start()
    yield agent
    agent.close()


@pytest.fixture(scope="session")
def _servers() -> Iterator[tuple[Server, Server]]:
    servers = (Server("server1"), Server("server2"))
    yield servers
    for server in servers:
        server.kill()


@pytest.fixture
def agent(_agent: AgentProcess) -> Iterator[AgentProcess]:
    """A running agent without servers, shared by the tests that do not break it."""
    yield _agent
    if _agent.call("GetConfig").own_sections:
        _agent.call("SetConfig", own_sections="")
    for name in _agent.states():
        _agent.call("Leave", name=name)
    eventually(lambda: _agent.states() == {})


@pytest.fixture
def servers(_servers: tuple[Server, Server]) -> tuple[Server, Server]:
    """Two running servers that have not joined and have seen nothing."""
    for server in _servers:
        server.ask("/_forget")
        server.ask("/_ready")
    return _servers
