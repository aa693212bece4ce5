"""The folder that containers have their secrets from."""

import argparse
import stat
from pathlib import Path

import pytest

from zato.common.cli.admin import find_servers
from zato.common.errors import InvalidOptions
from zato.common.lifecycle.folders import open_folder
from zato.common.quickstart import containers
from zato.common.quickstart.cluster import load_cluster
from zato.common.quickstart.containers import READERS, prepare


def contents(path: Path) -> dict[str, str]:
    return {str(file.relative_to(path)): file.read_text() for file in path.rglob("*") if file.is_file()}


def test_a_second_start_keeps_every_secret(tmp_path: Path) -> None:
    prepare(tmp_path)
    first = contents(tmp_path)
    prepare(tmp_path)
    assert contents(tmp_path) == first


def test_two_clusters_share_no_secret(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    ours, others = prepare(tmp_path / "a").secrets, prepare(tmp_path / "b").secrets
    assert ours.keys() == others.keys()
    assert set(ours.values()).isdisjoint(others.values())


def test_a_secret_that_came_with_a_later_version_is_added_and_the_others_stay(tmp_path: Path) -> None:
    before = prepare(tmp_path).secrets
    file = tmp_path / "secrets.toml"
    lines = [line for line in file.read_text().splitlines() if not line.startswith("pubapi_password")]
    file.chmod(0o600)
    file.write_text("\n".join(lines))
    after = prepare(tmp_path).secrets
    assert after["pubapi_password"]
    assert {**after, "pubapi_password": before["pubapi_password"]} == before


def test_secrets_are_readable_by_their_reader_only(tmp_path: Path) -> None:
    prepare(tmp_path)
    for file in tmp_path.rglob("*"):
        if file.is_file() and file.name != "cluster.toml":
            assert stat.S_IMODE(file.stat().st_mode) == 0o400, file
    for folder in READERS:
        assert stat.S_IMODE((tmp_path / folder).stat().st_mode) == 0o500


def test_each_file_is_given_to_the_user_of_the_part_that_reads_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, int] = {}
    monkeypatch.setattr(containers, "give", lambda path, user: given.update({str(path.relative_to(tmp_path)): user}))
    prepare(tmp_path)
    assert given["ca/secret_key"] == given["ca/token"] == 10004
    assert given["postgres/password"] == given["redis/redis.conf"] == given["rabbitmq/rabbitmq.conf"] == 999
    assert given["server/odb_url"] == given["secrets.toml"] == 10001
    assert given["lb-agent"] == given["lb-agent/token"] == 10002
    missing = set(contents(tmp_path)) - given.keys()
    assert missing == {"cluster.toml"}


def test_a_part_gets_what_it_needs_and_no_more(tmp_path: Path) -> None:
    secrets = prepare(tmp_path).secrets
    lb_agent = "".join(contents(tmp_path / "lb-agent").values())
    assert secrets["token"] in lb_agent
    assert not [name for name in ("secret_key", "postgres_password", "redis_password") if secrets[name] in lb_agent]
    for name in ("scheduler", "connector-amqp", "connector-mq"):
        assert contents(tmp_path / name) == {"token": secrets["token"]}
    # Its dead letters are in Redis.
    assert set(contents(tmp_path / "connector-zmq")) == {"token", "redis_url"}
    assert secrets["rabbitmq_password"] in contents(tmp_path / "rabbitmq")["rabbitmq.conf"]
    assert "rabbitmq_amqp1_0" in contents(tmp_path / "rabbitmq")["enabled_plugins"]


def test_servers_are_reached_over_tls_and_not_without(tmp_path: Path) -> None:
    secrets = prepare(tmp_path).secrets
    trust = "/certificates/authorities.pem"
    assert (tmp_path / "server" / "odb_url").read_text() == (
        f"postgresql://zato:{secrets['postgres_password']}@postgres:5432/zato?sslmode=verify-full&sslrootcert={trust}"
    )
    assert f"ssl_ca_certs={trust}" in (tmp_path / "server" / "redis_url").read_text()
    redis = (tmp_path / "redis" / "redis.conf").read_text().splitlines()
    assert "port 0" in redis and "tls-port 6379" in redis
    rules = (tmp_path / "postgres" / "pg_hba.conf").read_text().splitlines()
    assert [rule.split()[3] for rule in rules if rule.startswith("host ")] == ["127.0.0.1/32"]
    assert "listeners.tcp = none" in (tmp_path / "rabbitmq" / "rabbitmq.conf").read_text()


def test_redis_lets_in_users_of_its_own_and_keeps_what_it_is_told(tmp_path: Path) -> None:
    secrets = prepare(tmp_path).secrets
    lines = (tmp_path / "redis" / "redis.conf").read_text().splitlines()
    assert "user default off" in lines
    assert [line for line in lines if line.startswith(f"user zato on >{secrets['redis_password']} ") and "-@admin" in line]
    assert f"user reloader on >{secrets['redis_reloader_password']} -@all +config|set" in lines
    assert "appendonly yes" in lines
    assert 'dir "/data"' in lines


def test_the_zato_command_finds_the_cluster(tmp_path: Path) -> None:
    secrets = prepare(tmp_path).secrets
    found = find_servers(argparse.Namespace(server=None, cluster=tmp_path, token_file=None))
    assert found.addresses == ("server:17110",)
    assert found.token == secrets["token"]
    assert open_folder(tmp_path / "lb-agent").part == "lb-agent"
    assert load_cluster(tmp_path).secrets == secrets


def test_a_damaged_cluster_is_not_made_anew(tmp_path: Path) -> None:
    prepare(tmp_path)
    (tmp_path / "cluster.toml").chmod(0o600)
    (tmp_path / "cluster.toml").write_text("parts = [")
    with pytest.raises(InvalidOptions, match="damaged"):
        prepare(tmp_path)
