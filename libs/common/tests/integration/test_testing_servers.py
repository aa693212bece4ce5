"""The servers that all integration tests stand on do what their fixtures promise."""

import socket
import subprocess
import sys
from collections.abc import Callable
from urllib.parse import urlsplit

import pytest
import redis

from zato.common.testing.postgresql_server import run_sql
from zato.common.testing.processes import free_port as find_free_port
from zato.common.testing.redis_server import RedisServer


def test_each_redis_url_is_an_empty_database(redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client:
        assert client.dbsize() == 0
        client.set("left", "behind")


test_what_another_test_left_in_redis_is_gone = test_each_redis_url_is_an_empty_database


def test_a_redis_of_its_own_keeps_its_data_over_a_restart(redis_server: RedisServer) -> None:
    with redis.Redis.from_url(redis_server.url) as client:
        client.set("key", "value")
    redis_server.stop()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", redis_server.port))
    redis_server.start()
    with redis.Redis.from_url(redis_server.url) as client:
        assert client.get("key") == b"value"


def test_a_paused_redis_keeps_connections_but_does_not_answer(redis_server: RedisServer) -> None:
    redis_server.pause()
    with redis.Redis.from_url(redis_server.url, socket_timeout=0.2, retry=None) as client:
        with pytest.raises(redis.TimeoutError):
            client.ping()
        redis_server.resume()
    with redis.Redis.from_url(redis_server.url) as client:
        assert client.ping()


def test_each_postgresql_url_is_an_empty_database_of_its_own(
    postgresql_url: str, new_postgresql_url: Callable[[], str]
) -> None:
    run_sql(postgresql_url, "CREATE TABLE orders (id int)")
    assert run_sql(new_postgresql_url(), "SELECT count(*) FROM information_schema.tables WHERE table_schema = 'public'") == "0"


def test_postgresql_takes_what_any_language_writes(postgresql_url: str) -> None:
    assert run_sql(postgresql_url, "SELECT 'Zażółć gęślą jaźń'") == "Zażółć gęślą jaźń"


@pytest.mark.haproxy
def test_haproxy_is_found(haproxy_program: str) -> None:
    assert haproxy_program.endswith("haproxy")


def test_free_ports_are_free_and_differ(free_port: Callable[[], int]) -> None:
    ports = {free_port() for _ in range(20)}
    assert len(ports) == 20
    for port in ports:
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", port))


def test_a_port_that_a_process_was_given_is_given_to_no_other_before_that_ends() -> None:
    """Nobody listens at it yet, and the other process can choose between ours and its own only."""
    ask = (
        "import sys\n"
        "from zato.common.testing import processes\n"
        "processes._PORTS = [int(port) for port in sys.argv[1:]] or processes._PORTS\n"
        "print(processes.free_port())"
    )

    def other_process(*ports: int) -> int:
        command = [sys.executable, "-c", ask, *map(str, ports)]
        return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)

    theirs = other_process()
    assert other_process(theirs) == theirs, "it ended, and keeps nothing"
    for ours in (find_free_port() for _ in range(5)):
        assert other_process(ours, theirs) == theirs


def test_a_url_names_the_loopback_only(redis_url: str, postgresql_url: str) -> None:
    assert urlsplit(redis_url).hostname == urlsplit(postgresql_url).hostname == "127.0.0.1"
