"""Servers join, drain, resume, leave and are lost; the RPCs that say so and the numbers they give."""

import time
from collections.abc import Callable

import pytest
from running_agent import TOKEN, AgentProcess, Background, Load, Server

from zato.common.errors import BadRequest, NotFound, Unauthorized
from zato.common.rpc.client import Client
from zato.common.testing.waiting import eventually
from zato.proto.load_balancer.v1.load_balancer_pb2 import GetStateRequest
from zato.proto.load_balancer.v1.load_balancer_pb2_grpc import LoadBalancerStub

pytestmark = [pytest.mark.haproxy, pytest.mark.timeout(60)]


def test_joining_again_renews_the_lease_and_changes_nothing(agent: AgentProcess, servers: tuple[Server, Server]) -> None:
    agent.join(servers[0])
    before = agent.call("GetState")
    response = agent.call("Join", name="server1", address=servers[0].address)
    assert response.lease_s == 60
    assert agent.call("GetState").backends == before.backends


def test_the_state_has_what_haproxy_counted(agent: AgentProcess, servers: tuple[Server, Server]) -> None:
    agent.call("Join", name="server1", address=servers[0].address, weight=7)
    eventually(lambda: agent.states() == {"server1": "up"})
    for _ in range(5):
        agent.get("/")
    held = Background(lambda: agent.get("/held"))
    eventually(lambda: agent.call("GetState").backends[0].active_requests == 1)
    state = agent.call("GetState")
    (backend,) = state.backends
    assert (backend.name, backend.address, backend.weight) == ("server1", servers[0].address, 7)
    assert (backend.total_requests, backend.errors, backend.last_check) == (6, 0, "L7OK")
    assert state.frontend_address == agent.frontend
    assert state.haproxy_pid > 0
    assert state.haproxy_version[0].isdigit()
    assert state.uptime_s > 0
    servers[0].ask("/_let_go")
    held()
    eventually(lambda: agent.call("GetState").backends[0].active_requests == 0)


def test_a_server_is_added_with_the_usual_weight(agent: AgentProcess, servers: tuple[Server, Server]) -> None:
    agent.join(servers[0])
    assert agent.call("GetState").backends[0].weight == 100


def test_a_host_name_is_resolved(agent: AgentProcess, servers: tuple[Server, Server]) -> None:
    agent.call("Join", name="server1", address=f"localhost:{servers[0].port}")
    assert agent.get("/").server == "server1"
    assert agent.call("GetState").backends[0].address == f"localhost:{servers[0].port}"


@pytest.mark.parametrize(
    ("fields", "wanted"),
    [
        ({"name": "two words", "address": "127.0.0.1:1"}, "cannot be the name of a server"),
        ({"name": "a\nserver b 10.0.0.1:80", "address": "127.0.0.1:1"}, "cannot be the name of a server"),
        ({"name": "server1", "address": "127.0.0.1"}, "takes host:port"),
        ({"name": "server1", "address": "no.such.host.invalid:80"}, "cannot be found"),
        ({"name": "server1", "address": "127.0.0.1:1", "weight": 300}, "a weight is from 1 to 256"),
    ],
)
def test_what_cannot_join_is_told_why(agent: AgentProcess, fields: dict[str, object], wanted: str) -> None:
    with pytest.raises(BadRequest, match=wanted):
        agent.call("Join", **fields)
    assert agent.states() == {}


def test_callers_need_the_token(agent: AgentProcess) -> None:
    for token in ("", TOKEN + "x"):
        client = Client(agent.grpc, token=token)
        with pytest.raises(Unauthorized):
            client.call(LoadBalancerStub(client.channel).GetState, GetStateRequest(), timeout_s=5)
        client.close()


def test_the_configuration_is_shown_without_passwords(agent: AgentProcess, servers: tuple[Server, Server]) -> None:
    agent.join(*servers)
    config = agent.call("GetConfig").config
    assert f"server server1 {servers[0].address} weight 100 check" in config
    assert "admin:******" in config
    assert "quoted" not in config


def test_a_drained_server_gets_nothing_new_until_it_is_resumed(agent: AgentProcess, servers: tuple[Server, Server]) -> None:
    agent.join(*servers)
    with Load(agent.frontend) as load:
        load.await_more(50)
        held = Background(lambda: agent.get("/held").status)
        eventually(lambda: servers[0].seen("/held") + servers[1].seen("/held"))
        drained, other = servers if servers[0].seen("/held") else servers[::-1]
        agent.call("Drain", name=drained.name)
        # What it was given before may be on its way to it.
        eventually(lambda: gets_nothing_new(drained, load), what="the last requests to have arrived")
        had = len(drained.seen())
        load.await_more(200)
        agent.join(*servers)
        load.await_more(50)
        assert len(drained.seen()) == had
        assert agent.states()[drained.name] == "drain"
        drained.ask("/_let_go")
        assert held() == 200, "what it was doing it has finished"
        agent.call("Resume", name=drained.name)
        load.await_more(100)
        assert len(drained.seen()) > had
    assert not load.failures
    assert other.seen()


def gets_nothing_new(server: Server, load: Load) -> bool:
    had = len(server.seen())
    load.await_more(20)
    return len(server.seen()) == had


def test_a_drained_server_that_leaves_and_joins_again_is_as_new(agent: AgentProcess, servers: tuple[Server, Server]) -> None:
    agent.join(servers[0])
    agent.call("Drain", name="server1")
    assert agent.get("/").status == 503
    agent.call("Leave", name="server1")
    agent.join(servers[0])
    assert agent.get("/").server == "server1"


def test_only_members_can_be_drained(agent: AgentProcess) -> None:
    for method in ("Drain", "Resume"):
        with pytest.raises(NotFound, match="There is no server 'nobody'"):
            agent.call(method, name="nobody")


def test_a_server_that_leaves_ends_its_requests_and_is_deleted(agent: AgentProcess, servers: tuple[Server, Server]) -> None:
    agent.join(servers[0])
    held = Background(lambda: agent.get("/held").status)
    eventually(lambda: servers[0].seen("/held"))
    agent.call("Leave", name="server1")
    agent.call("Leave", name="server1")
    assert agent.states() == {"server1": "drain"}
    assert agent.get("/").status == 503
    servers[0].ask("/_let_go")
    assert held() == 200
    eventually(lambda: agent.states() == {})


def test_a_request_that_takes_too_long_cannot_hold_a_server(
    new_agent: Callable[..., AgentProcess], servers: tuple[Server, Server]
) -> None:
    agent = new_agent(leave_timeout_s=0.5).start()
    agent.join(servers[0])
    slow = Background(lambda: agent.get("/slow/30").status)
    eventually(lambda: servers[0].seen("/slow/30"))
    agent.call("Leave", name="server1")
    eventually(lambda: agent.states() == {}, timeout_s=25)
    assert slow() == 503


def test_who_comes_back_while_leaving_is_taken_again(agent: AgentProcess, servers: tuple[Server, Server]) -> None:
    agent.join(servers[0])
    held = Background(lambda: agent.get("/held").status)
    eventually(lambda: servers[0].seen("/held"))
    agent.call("Leave", name="server1")
    agent.join(servers[0])
    assert agent.get("/").server == "server1"
    servers[0].ask("/_let_go")
    assert held() == 200
    time.sleep(0.5)
    assert agent.states() == {"server1": "up"}


def test_a_name_with_another_address_replaces_the_old_one(agent: AgentProcess, servers: tuple[Server, Server]) -> None:
    agent.join(servers[0])
    assert agent.get("/").server == "server1"
    agent.call("Join", name="server1", address=servers[1].address)
    assert {agent.get("/").server for _ in range(4)} == {"server2"}
    assert [backend.address for backend in agent.call("GetState").backends] == [servers[1].address]


def test_a_server_that_falls_silent_is_taken_out(
    new_agent: Callable[..., AgentProcess], servers: tuple[Server, Server]
) -> None:
    agent = new_agent(lease_s=1.0).start()
    agent.join(*servers)

    def is_alone() -> bool:
        agent.join(servers[0])
        return agent.states() == {"server1": "up"}

    eventually(is_alone, timeout_s=30, what="the one that says nothing to be gone, and the other to be there")


def test_a_server_that_is_not_well_gets_no_requests(agent: AgentProcess, servers: tuple[Server, Server]) -> None:
    agent.join(*servers)
    servers[0].ask("/_not_ready")
    eventually(lambda: agent.states() == {"server1": "down", "server2": "up"})
    assert {agent.get("/").server for _ in range(4)} == {"server2"}
    assert agent.call("GetState").backends[0].last_check == "L7STS/503"
    servers[0].ask("/_ready")
    eventually(lambda: agent.states()["server1"] == "up")
    assert {agent.get("/").server for _ in range(4)} == {"server1", "server2"}
