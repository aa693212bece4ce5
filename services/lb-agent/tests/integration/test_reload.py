"""The configuration is made anew and loaded, without a lost request and without forgetting anybody's state."""

import time
from collections.abc import Callable

import pytest
from running_agent import AgentProcess, Load, Server

from zato.common.errors import BadRequest, Conflict, InvalidOptions, Unavailable
from zato.common.testing.waiting import eventually
from zato.lb_agent.errors import HAProxyUnavailable

pytestmark = [pytest.mark.haproxy, pytest.mark.timeout(60)]


def test_reloads_under_load_with_servers_added_and_removed_fail_no_request(
    new_agent: Callable[..., AgentProcess], servers: tuple[Server, Server], new_server: Callable[[str], Server]
) -> None:
    agent = new_agent().start()
    third = new_server("server3")
    agent.join(*servers)
    pids = set()
    with Load(agent.frontend) as load:
        for number in range(10):
            load.await_more(40)
            if number % 2:
                agent.call("Leave", name="server3")
            else:
                agent.join(third)
            pids.add(agent.call("Reload").haproxy_pid)
            agent.call(
                "Leave" if number % 3 else "Join", name="server2", **({} if number % 3 else {"address": servers[1].address})
            )
        load.await_more(40)
    assert not load.failures
    assert set(load.statuses) == {200}
    assert len(pids) == 10
    assert agent.call("GetState").reloads == 10
    assert third.seen()


def test_a_reload_keeps_everybodys_state(
    agent: AgentProcess, servers: tuple[Server, Server], new_server: Callable[[str], Server]
) -> None:
    ill = new_server("server3")
    agent.join(*servers, ill)
    agent.call("Drain", name="server1")
    ill.ask("/_not_ready")
    eventually(lambda: agent.states() == {"server1": "drain", "server2": "up", "server3": "down"})
    had = len(servers[0].seen())
    with Load(agent.frontend, clients=4) as load:
        for _ in range(3):
            agent.call("Reload")
            load.await_more(50)
    assert not load.failures
    assert agent.states() == {"server1": "drain", "server2": "up", "server3": "down"}
    assert len(servers[0].seen()) == had
    assert not ill.seen()


def test_the_last_answers_of_an_old_process_are_not_lost_with_a_server(
    agent: AgentProcess, servers: tuple[Server, Server], new_server: Callable[[str], Server]
) -> None:
    gone = new_server("server3")
    agent.join(servers[0], gone)
    kept = [agent.keep() for _ in range(8)]
    agent.call("Reload")
    agent.call("Leave", name="server3")
    gone.kill()
    for connection in kept:
        connection.request("POST", "/", body=b"pay")
        answer = connection.getresponse()
        assert answer.will_close, "this is the last answer of the old process"
        assert answer.status == 200
        assert b'"server1"' in answer.read()
        connection.close()


def test_a_reload_takes_changed_settings(new_agent: Callable[..., AgentProcess], servers: tuple[Server, Server]) -> None:
    agent = new_agent(server_timeout_s=20).start()
    agent.join(servers[0])
    assert agent.get("/slow/0.4").status == 200
    agent.configure(server_timeout_s=0.2)
    agent.call("Reload")
    assert agent.get("/slow/0.4").status == 504
    agent.configure(server_timeout_s=-1)
    with pytest.raises(InvalidOptions, match="server_timeout_s"):
        agent.call("Reload")
    assert agent.get("/").server == "server1"


def test_your_own_sections_are_added(new_agent: Callable[..., AgentProcess], servers: tuple[Server, Server]) -> None:
    agent = new_agent(extra_config_file="extra.cfg")
    port = agent.frontend.split(":")[1]
    extra = agent.folder / "extra.cfg"
    extra.write_text(f"frontend mine\n    bind 127.0.0.2:{port}\n    default_backend servers\n")
    agent.start()
    agent.join(servers[0])
    mine = f"127.0.0.2:{port}"
    assert agent.request("GET", "/", address=mine).server == "server1"
    assert agent.request("GET", "/metrics", address=mine).status == 404
    assert "frontend mine" in agent.call("GetConfig").config


def test_a_configuration_that_haproxy_refuses_changes_nothing(
    new_agent: Callable[..., AgentProcess], servers: tuple[Server, Server]
) -> None:
    agent = new_agent(extra_config_file="extra.cfg")
    extra = agent.folder / "extra.cfg"
    extra.write_text("# nothing yet\n")
    agent.start()
    agent.join(servers[0])
    pid, config = agent.call("GetState").haproxy_pid, agent.call("GetConfig").config
    extra.write_text("frontend broken\n    nonsense here\n")
    with pytest.raises(BadRequest, match=r"HAProxy refuses the configuration: .*unknown keyword 'nonsense'"):
        agent.call("Reload")
    assert agent.get("/").server == "server1"
    assert agent.call("GetState").haproxy_pid == pid
    assert agent.call("GetConfig").config == config
    assert agent.call("GetState").reloads == 0
    # Nor does it come in by a restart.
    agent.join(servers[1])
    assert {agent.get("/").server for _ in range(4)} == {"server1", "server2"}
    extra.write_text("# nothing again\n")
    assert agent.call("Reload").haproxy_pid != pid


def test_a_configuration_that_cannot_be_loaded_leaves_the_old_process_serving(
    new_agent: Callable[..., AgentProcess], agent: AgentProcess, servers: tuple[Server, Server]
) -> None:
    other = new_agent().start()
    other.join(servers[0])
    other.configure(frontend_address=agent.frontend)
    with pytest.raises(HAProxyUnavailable, match=r"serves with the old one: .*Address already in use"):
        other.call("Reload")
    assert other.get("/").server == "server1"
    other.configure()
    time.sleep(0.2)
    with Load(other.frontend, clients=2) as load:
        other.call("Reload")
        load.await_more(50)
    assert not load.failures


def test_a_bad_configuration_at_the_start_ends_the_agent(new_agent: Callable[..., AgentProcess]) -> None:
    agent = new_agent(extra_config_file="extra.cfg")
    assert agent.spawn().wait(20) == 2
    assert "'extra_config_file'" in agent.log.read_text()
    (agent.folder / "extra.cfg").write_text("nonsense\n")
    assert agent.spawn().wait(20) == 1
    assert "zato-lb-agent: HAProxy refuses the configuration: " in agent.log.read_text()


def test_a_reload_while_haproxy_is_away_says_so(new_agent: Callable[..., AgentProcess]) -> None:
    agent = new_agent().start()
    agent.kill_haproxy()
    with pytest.raises(Unavailable):
        agent.call("Reload")
    eventually(agent.is_serving)


def test_sections_are_checked_compared_and_loaded_from_elsewhere(agent: AgentProcess, servers: tuple[Server, Server]) -> None:
    agent.join(servers[0])
    port = agent.frontend.split(":")[1]
    mine = f"frontend mine\n    bind 127.0.0.2:{port}\n    default_backend servers\n"
    had = agent.call("GetConfig")
    assert had.own_sections == ""
    checked = agent.call("CheckConfig", own_sections=mine)
    added = [line for line in checked.diff.splitlines() if line.startswith("+") and not line.startswith("+++")]
    assert added[-3:] == [f"+{line}" for line in mine.splitlines()]
    assert "frontend mine" in checked.config
    assert agent.call("GetConfig") == had, "a check changes nothing"
    assert agent.call("CheckConfig", own_sections="").diff == ""
    with Load(agent.frontend, clients=4) as load:
        load.await_more(20)
        done = agent.call("SetConfig", own_sections=mine, revision=had.revision)
        load.await_more(50)
    assert not load.failures
    assert agent.request("GET", "/", address=f"127.0.0.2:{port}").server == "server1"
    assert agent.call("GetConfig").revision == done.revision
    with pytest.raises(Conflict, match="Somebody else has changed"):
        agent.call("SetConfig", own_sections="", revision=had.revision)


def test_sections_from_elsewhere_are_there_after_a_restart(new_agent: Callable[..., AgentProcess]) -> None:
    agent = new_agent().start()
    agent.call("SetConfig", own_sections="userlist partners\n")
    agent.stop()
    agent.start()
    assert agent.call("GetConfig").own_sections == "userlist partners\n"
    assert "userlist partners" in agent.call("GetConfig").config


def test_sections_that_cannot_be_loaded_change_nothing_and_are_not_kept(
    agent: AgentProcess, new_agent: Callable[..., AgentProcess]
) -> None:
    had, pid = agent.call("GetConfig"), agent.call("GetState").haproxy_pid
    for text, wrong in (
        ("frontend broken\n    nonsense here\n", "unknown keyword 'nonsense'"),
        ("global\n    stats socket :1\n", "section 'global'"),
    ):
        for method in ("CheckConfig", "SetConfig"):
            with pytest.raises(BadRequest, match=wrong):
                agent.call(method, own_sections=text)
    other = new_agent().start()
    taken = f"frontend mine\n    bind {other.frontend}\n    default_backend servers\n"
    with pytest.raises(HAProxyUnavailable, match="Address already in use"):
        agent.call("SetConfig", own_sections=taken)
    assert agent.call("GetConfig") == had
    assert agent.call("GetState").haproxy_pid == pid
    assert (agent.folder / "work" / "own-sections.cfg").read_text() == ""


def test_a_file_that_was_edited_by_hand_is_not_overwritten(new_agent: Callable[..., AgentProcess]) -> None:
    agent = new_agent().start()
    (agent.folder / "work" / "own-sections.cfg").write_text("# from the machine itself\n")
    with pytest.raises(Conflict, match="'zato lb reload'"):
        agent.call("SetConfig", own_sections="# from elsewhere\n")
    agent.call("Reload")
    agent.call("SetConfig", own_sections="# from elsewhere\n")
    assert agent.call("GetConfig").own_sections == "# from elsewhere\n"
