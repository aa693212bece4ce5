"""`zato lb` and the life of the agent's folder, as people type it."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from running_agent import TOKEN, AgentProcess, Server, haproxies_of

from zato.common.cli.main import main
from zato.common.testing.processes import free_port
from zato.common.testing.waiting import eventually

pytestmark = [pytest.mark.haproxy, pytest.mark.timeout(60)]


@dataclass(frozen=True)
class Result:
    code: int
    out: str
    err: str


Zato = Callable[..., Result]


@pytest.fixture
def zato(capsys: pytest.CaptureFixture[str]) -> Zato:
    def run(*arguments: object) -> Result:
        capsys.readouterr()
        code = main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return Result(code, captured.out, captured.err)

    return run


@pytest.fixture
def lb(agent: AgentProcess, zato: Zato) -> Zato:
    """`zato lb`, told of the agent by its folder."""
    (agent.folder / "part.toml").write_text('part = "lb-agent"\n')
    return lambda *arguments: zato("lb", *arguments, "--folder", agent.folder)


def test_state_shows_who_takes_part(lb: Zato, agent: AgentProcess, servers: tuple[Server, Server]) -> None:
    empty = lb("state")
    assert empty.code == 0
    assert "No server takes part" in empty.out
    agent.join(*servers)
    eventually(lambda: set(agent.states().values()) == {"up"})
    text = lb("state").out
    assert agent.frontend in text
    assert [line.split()[:3] for line in text.splitlines() if line.startswith("server")] == [
        ["server1", servers[0].address, "up"],
        ["server2", servers[1].address, "up"],
    ]
    document = json.loads(lb("state", "--json").out)
    assert document["haproxy_pid"] == agent.call("GetState").haproxy_pid
    assert [(backend["name"], backend["state"], backend["errors"]) for backend in document["backends"]] == [
        ("server1", "up", 0),
        ("server2", "up", 0),
    ]


def test_draining_and_resuming(lb: Zato, agent: AgentProcess, servers: tuple[Server, Server]) -> None:
    agent.join(*servers)
    assert lb("drain", "server1").code == 0
    assert agent.states()["server1"] == "drain"
    assert {agent.get("/").server for _ in range(3)} == {"server2"}
    assert lb("resume", "server1").code == 0
    assert {agent.get("/").server for _ in range(4)} == {"server1", "server2"}
    unknown = lb("drain", "nobody")
    assert unknown.code == 1
    assert "There is no server 'nobody'" in unknown.err


def test_reload_and_config(lb: Zato, agent: AgentProcess) -> None:
    before = agent.call("GetState").haproxy_pid
    reloaded = json.loads(lb("reload", "--json").out)
    assert reloaded["haproxy_pid"] == agent.call("GetState").haproxy_pid != before
    assert "backend servers" in lb("config").out


def test_weight_stats_and_run(lb: Zato, agent: AgentProcess, servers: tuple[Server, Server]) -> None:
    agent.join(*servers)
    assert "has the weight 7" in lb("weight", "server1", 7).out
    assert {each.name: each.weight for each in agent.call("GetState").backends} == {"server1": 7, "server2": 100}
    assert "that it asks for itself" in lb("weight", "server1", 0).out
    refused = lb("weight", "server1", 300)
    assert (refused.code, "from 1 to 256" in refused.err) == (1, True)
    agent.get("/")
    assert [row["kind"] for row in json.loads(lb("stats", "--json").out)] == ["frontend", "server", "server", "backend"]
    assert "server1" in lb("stats").out
    assert "Uptime_sec" in lb("run", "show", "info").out
    refused = lb("run", "disable", "server", "servers/server1")
    assert (refused.code, "show errors" in refused.err) == (1, True)


def test_sections_of_ones_own_are_edited(lb: Zato, agent: AgentProcess, tmp_path: Path) -> None:
    file = tmp_path / "own.cfg"
    file.write_text("userlist partners\n    user ann insecure-password x\n")
    shown = lb("edit", file, "--dry-run")
    assert (shown.code, "+userlist partners" in shown.out, "nothing was changed" in shown.out) == (0, True, True)
    assert agent.call("GetConfig").own_sections == ""
    assert "runs with the new configuration" in lb("edit", file).out
    assert lb("config", "--own").out.strip() == file.read_text().strip()
    assert "Nothing would change" in lb("edit", file).out
    file.write_text("frontend broken\n    nonsense\n")
    refused = lb("edit", file)
    assert (refused.code, "nonsense" in refused.err) == (1, True)
    assert lb("edit", tmp_path / "missing.cfg").code == 1


def test_an_address_and_a_token_do_instead_of_a_folder(zato: Zato, agent: AgentProcess, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text(TOKEN + "\n")
    assert zato("lb", "state", "--address", agent.grpc, "--token-file", token).code == 0
    token.write_text("wrong")
    refused = zato("lb", "state", "--address", agent.grpc, "--token-file", token)
    assert (refused.code, "no valid token" in refused.err) == (1, True)
    incomplete = zato("lb", "state", "--address", agent.grpc)
    assert (incomplete.code, "--token-file" in incomplete.err) == (2, True)


def test_an_agent_that_does_not_run_is_named(zato: Zato, new_agent: Callable[..., AgentProcess]) -> None:
    agent = new_agent()
    (agent.folder / "part.toml").write_text('part = "lb-agent"\n')
    away = zato("lb", "state", "--folder", agent.folder)
    assert away.code == 1
    assert f"Nobody answers at {agent.grpc}" in away.err


def test_created_started_stopped(zato: Zato, tmp_path: Path) -> None:
    folder = tmp_path / "lb"
    addresses = ("--frontend-address", f"127.0.0.1:{free_port()}", "--grpc-address", f"127.0.0.1:{free_port()}")
    assert zato("create", "lb-agent", folder, *addresses).code == 0
    try:
        started = zato("start", folder)
        assert started.code == 0, started.err
        assert json.loads(zato("info", folder, "--json").out)["state"] == "ready"
        assert zato("lb", "state", "--folder", folder).code == 0
        assert haproxies_of(folder)
    finally:
        stopped = json.loads(zato("stop", folder, "--json").out)
    assert stopped == {"name": "lb", "part": "lb-agent", "was_running": True, "was_killed": False}
    assert not haproxies_of(folder)
