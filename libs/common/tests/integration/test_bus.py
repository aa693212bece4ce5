"""The bus over a real Redis that stops, comes back, hangs, and vanishes without a word."""

import contextlib
import secrets
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from zato.common import bus as bus_module
from zato.common.bus import RedisBus
from zato.common.testing.bus_contract import BusContract, Heard
from zato.common.testing.plugin import require_program
from zato.common.testing.processes import free_port
from zato.common.testing.redis_server import RedisServer
from zato.common.testing.waiting import eventually


class TestRedisBus(BusContract):
    @pytest.fixture
    def bus(self, redis_url: str) -> Iterator[RedisBus]:
        bus = RedisBus(redis_url)
        yield bus
        bus.close()

    def test_a_message_crosses_from_one_bus_to_another(self, redis_url: str, topic: str, heard: Heard) -> None:
        another = RedisBus(redis_url)
        another.publish(topic, "from another process")
        heard.wait_for("from another process")
        another.close()

    def test_closing_ends_the_threads(self, redis_url: str) -> None:
        topic, heard = f"topic-{secrets.token_hex(4)}", Heard()
        bus = RedisBus(redis_url)
        bus.subscribe(topic, heard)
        heard.wait_for_connections(1)
        bus.close()
        eventually(lambda: f"bus-{topic}" not in {thread.name for thread in threading.enumerate()})
        assert heard == [""]


@pytest.fixture
def bus(redis_server: RedisServer) -> Iterator[RedisBus]:
    bus = RedisBus(redis_server.url)
    yield bus
    bus.close()


@pytest.fixture
def heard(bus: RedisBus) -> Heard:
    heard = Heard()
    bus.subscribe("config", heard)
    heard.wait_for_connections(1)
    return heard


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Notice what hangs in half a second instead of ten."""
    monkeypatch.setattr(bus_module, "_PING_EVERY_S", 0.2)
    monkeypatch.setattr(bus_module, "_POLL_S", 0.05)


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_a_subscriber_is_told_to_read_the_truth_after_redis_was_away(
    redis_server: RedisServer, bus: RedisBus, heard: Heard, end: str
) -> None:
    getattr(redis_server, end)()
    bus.publish("config", "lost")
    redis_server.start()
    heard.wait_for_connections(2)
    bus.publish("config", "1235")
    heard.wait_for("1235")


def test_a_subscriber_is_back_within_two_seconds_of_redis(redis_server: RedisServer, heard: Heard) -> None:
    redis_server.kill()
    redis_server.start()
    is_back = time.monotonic()
    heard.wait_for_connections(2)
    assert time.monotonic() - is_back < 2


def test_a_connection_that_redis_closes_is_made_again(redis_server: RedisServer, bus: RedisBus, heard: Heard) -> None:
    with redis.Redis.from_url(redis_server.url) as client:
        client.client_kill_filter(_type="pubsub")
    heard.wait_for_connections(2)
    bus.publish("config", "1235")
    heard.wait_for("1235")


def test_subscribing_works_before_redis_is_there(redis_server: RedisServer, bus: RedisBus) -> None:
    redis_server.stop()
    heard = Heard()
    bus.subscribe("config", heard)
    redis_server.start()
    heard.wait_for_connections(1)


def test_publishing_never_raises_and_does_not_block_when_redis_is_down(redis_server: RedisServer, bus: RedisBus) -> None:
    bus.publish("config", "with a connection that is about to break")
    redis_server.kill()
    started = time.monotonic()
    for _ in range(10):
        bus.publish("config", "lost")
    assert time.monotonic() - started < 1


def test_publishing_gives_up_on_a_redis_that_hangs(redis_server: RedisServer, bus: RedisBus) -> None:
    redis_server.pause()
    started = time.monotonic()
    bus.publish("config", "lost")
    assert time.monotonic() - started < 3


@pytest.mark.usefixtures("impatient")
def test_a_connection_on_which_nothing_comes_any_more_is_noticed(redis_server: RedisServer, bus: RedisBus) -> None:
    """A hung Redis looks to a subscriber like a network that drops packets: connected, and silent."""
    heard = Heard()
    bus.subscribe("config", heard)
    heard.wait_for_connections(1)
    redis_server.pause()
    with redis.Redis.from_url(redis_server.url) as watcher:
        eventually(lambda: has_given_up(redis_server), what="the silent connection to be given up")
        redis_server.resume()
        assert watcher.ping()
    heard.wait_for_connections(2)


@pytest.mark.redis
@pytest.mark.usefixtures("impatient")
def test_a_redis_that_takes_the_connection_and_never_says_a_word_is_left(tmp_path: Path) -> None:
    port = free_port()
    with contextlib.ExitStack() as stack:
        bus, heard = RedisBus(f"redis://127.0.0.1:{port}/0"), Heard()
        stack.callback(bus.close)
        with socket.create_server(("127.0.0.1", port)) as mute:
            bus.subscribe("config", heard)
            stack.enter_context(mute.accept()[0])
        # The mute one keeps its connection; whoever connects again now finds a real Redis.
        server = RedisServer(require_program("redis-server"), tmp_path, port=port)
        stack.callback(server.stop)
        server.start()
        heard.wait_for_connections(1)


@pytest.mark.usefixtures("impatient")
def test_a_quiet_connection_is_kept(redis_server: RedisServer, heard: Heard) -> None:
    with redis.Redis.from_url(redis_server.url) as client:
        pings_before = client.info("commandstats").get("cmdstat_ping", {}).get("calls", 0)
        eventually(lambda: client.info("commandstats")["cmdstat_ping"]["calls"] > pings_before + 3)
    assert heard == [""]


def has_given_up(server: RedisServer) -> bool:
    """Whether a client has closed its end of a connection to the server, which is too busy to close the other."""
    states = (line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:])
    close_wait = "08"
    return any(int(fields[1].split(":")[1], 16) == server.port and fields[3] == close_wait for fields in states)
