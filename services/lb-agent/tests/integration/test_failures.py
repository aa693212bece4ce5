"""Servers, HAProxy and the agent itself are killed; clients go on."""

import http.client
import subprocess
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from running_agent import AgentProcess, Background, Load, Server, haproxies_of

from zato.common.testing.waiting import eventually

pytestmark = [pytest.mark.haproxy, pytest.mark.timeout(60)]


def test_killing_servers_under_load_fails_no_idempotent_request(
    new_agent: Callable[..., AgentProcess], new_server: Callable[[str], Server]
) -> None:
    agent = new_agent().start()
    servers = [new_server(f"server{number}") for number in (1, 2)]
    agent.join(*servers)
    with Load(agent.frontend) as load:
        for server in [*servers, *servers]:
            load.await_more(150)
            server.kill()
            load.await_more(150)
            server.start()
            agent.join(server)
            eventually(lambda: set(agent.states().values()) == {"up"})
        load.await_more(150)
    assert not load.failures
    assert load.succeeded >= 1350
    assert set(load.statuses) == {200}


def test_a_server_that_dies_while_it_works_costs_nothing_that_can_be_repeated(
    agent: AgentProcess, new_server: Callable[[str], Server], servers: tuple[Server, Server]
) -> None:
    dying = new_server("server3")
    agent.join(dying)
    request = Background(lambda: agent.get("/slow/0.7").server)
    eventually(lambda: dying.seen("/slow/0.7"))
    agent.join(servers[0])
    dying.kill()
    assert request() == "server1"


def test_haproxy_is_started_again_with_the_same_servers(
    new_agent: Callable[..., AgentProcess], servers: tuple[Server, Server]
) -> None:
    agent = new_agent().start()
    agent.join(*servers)
    agent.call("Drain", name="server2")
    for kill in (agent.kill_haproxy, lambda: psutil.Process(agent.call("GetState").haproxy_pid).kill()):
        before = agent.call("GetState").haproxy_pid
        kill()
        eventually(lambda killed=before: agent.call("GetState").haproxy_pid not in (0, killed) and agent.is_serving())
        assert {agent.get("/").server for _ in range(4)} == {"server1"}
        assert agent.states()["server2"] == "drain"
        assert len(haproxies_of(agent.folder)) == 2


def test_members_can_join_while_haproxy_is_away(new_agent: Callable[..., AgentProcess], servers: tuple[Server, Server]) -> None:
    agent = new_agent().start()
    agent.kill_haproxy()
    agent.join(servers[0])

    def answers() -> bool:
        try:
            return agent.is_serving() and agent.get("/").status == 200
        except (OSError, http.client.HTTPException):  # it is just coming back
            return False

    assert eventually(answers)


def test_haproxy_ends_with_an_agent_that_is_killed(
    new_agent: Callable[..., AgentProcess], servers: tuple[Server, Server]
) -> None:
    agent = new_agent().start()
    agent.join(*servers)
    agent.call("Reload")  # so that HAProxy has executed itself anew
    agent.call("Drain", name="server2")
    agent.kill()
    agent.start()
    assert {agent.get("/").server for _ in range(4)} == {"server1"}, "members are known, and who was drained"
    assert agent.call("GetState").backends[1].state == "drain"
    agent.kill()
    eventually(lambda: not haproxies_of(agent.folder))


def test_a_leftover_haproxy_is_ended_at_the_next_start(
    new_agent: Callable[..., AgentProcess], tmp_path: Path, servers: tuple[Server, Server]
) -> None:
    agent = new_agent().start()
    agent.stop()
    work = agent.folder / "work"
    # As one that was started where setpriv is missing would be left behind.
    leftover = subprocess.Popen(
        ["/usr/sbin/haproxy", "-W", "-f", str(work / "haproxy.cfg")],
        cwd=work,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    (work / "haproxy.pid").write_text(f"{leftover.pid}\n")
    eventually(agent.is_serving)
    agent.start()
    assert leftover.wait(5) is not None
    agent.join(servers[0])
    assert agent.get("/").server == "server1"


def test_a_process_that_only_has_the_old_pid_is_left_alone(new_agent: Callable[..., AgentProcess]) -> None:
    agent = new_agent()
    (agent.folder / "work").mkdir()
    bystander = subprocess.Popen(["sleep", "60"])
    (agent.folder / "work" / "haproxy.pid").write_text(f"{bystander.pid}\n")
    agent.start()
    assert bystander.poll() is None
    bystander.kill()
    bystander.wait()


def test_stopping_lets_requests_end(new_agent: Callable[..., AgentProcess], servers: tuple[Server, Server]) -> None:
    agent = new_agent().start()
    agent.join(servers[0])
    with Load(agent.frontend, clients=2) as load:
        load.await_more(20)
        request = Background(lambda: agent.get("/slow/3").status)
        eventually(lambda: servers[0].seen("/slow/3"))
        load.stop()
        assert agent.stop() == 0
        assert request() == 200
    assert not load.failures
    assert not haproxies_of(agent.folder)


def test_stopping_does_not_wait_for_ever(new_agent: Callable[..., AgentProcess], servers: tuple[Server, Server]) -> None:
    agent = new_agent(stop_timeout_s=0.5).start()
    agent.join(servers[0])
    request = Background(lambda: agent.raw(b"GET /slow/30 HTTP/1.1\r\nHost: x\r\n\r\n"))
    eventually(lambda: servers[0].seen("/slow/30"))
    assert agent.stop() == 0, "within 20 s, which is less than the request takes"
    request()


def test_two_agents_do_not_share_a_folder_or_an_address(new_agent: Callable[..., AgentProcess]) -> None:
    first = new_agent().start()
    second = first.spawn()
    assert second.wait(20) == 1
    assert f"Another agent runs from {first.folder / 'work'}" in first.log.read_text()
    for setting, address, wanted in (
        ("frontend_address", first.frontend, "HAProxy cannot listen, the port is taken"),
        ("grpc_address", first.grpc, "gRPC cannot listen at"),
    ):
        other = new_agent(**{setting: address})
        assert other.spawn().wait(20) == 1
        (line,) = [line for line in other.log.read_text().splitlines() if line.startswith("zato-lb-agent: ")]
        assert wanted in line
        assert address in line
    assert first.is_serving()


def test_haproxy_that_is_missing_is_named(new_agent: Callable[..., AgentProcess]) -> None:
    agent = new_agent(haproxy_command="no-such-haproxy")
    assert agent.spawn().wait(20) == 1
    assert "HAProxy is not installed: there is no program 'no-such-haproxy'" in agent.log.read_text()


def test_paths_longer_than_sockets_may_have_do(
    new_agent: Callable[..., AgentProcess], tmp_path: Path, servers: tuple[Server, Server]
) -> None:
    agent = new_agent(work_folder=str(tmp_path / ("a-long-name-" * 8) / ("another-" * 8)))
    agent.start()
    agent.join(servers[0])
    agent.call("Reload")
    assert agent.get("/").server == "server1"
