"""What services do with Redis: keys, Lua, locks, caches, counts. On a real one."""

import pickle
import threading
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import pytest
import redis

from zato.common.errors import NotFound, Unavailable
from zato.common.testing.waiting import eventually
from zato.server.services.caches import MAX_ENTRY_BYTES, Cache, Caches, CannotCache
from zato.server.services.kvdb import KeyValueDB
from zato.server.services.locks import NotLocked, ServiceLock, make_lock
from zato.server.services.usage import Usage

pytestmark = pytest.mark.redis
KEY = b"k" * 32


@pytest.fixture
def conn(redis_url: str) -> "redis.Redis":
    return redis.Redis.from_url(redis_url)


# self.kvdb


def test_answers_are_text_and_the_connection_need_not_be_named(redis_url: str) -> None:
    kvdb = KeyValueDB(redis_url)
    kvdb.conn.rpush("list", "ż", "b")
    assert kvdb.conn.lrange("list", 0, -1) == kvdb.lrange("list", 0, -1) == ["ż", "b"]
    assert kvdb.conn is kvdb.conn


def test_values_are_translated_as_the_data_dictionary_says(redis_url: str) -> None:
    kvdb = KeyValueDB(redis_url)
    key = "zato:kvdb:data-dict:translation:::CRM:::country:::PL:::Billing:::land"
    kvdb.conn.hset(key, mapping={"id": 1, "id1": 2, "id2": 3, "value2": "Polska"})
    assert kvdb.translate("CRM", "country", "PL", "Billing", "land") == "Polska"
    assert kvdb.translate("CRM", "country", "DE", "Billing", "land") == ""
    assert kvdb.translate("CRM", "country", "DE", "Billing", "land", default=None) is None


def test_lua_programs_are_run_and_read_again_when_they_change(redis_url: str, tmp_path: Path) -> None:
    (tmp_path / "add.lua").write_text("return redis.call('INCRBY', KEYS[1], ARGV[1])")
    container = KeyValueDB(redis_url, tmp_path).lua_container
    assert [container.run_lua("add", ["n"], [2]), container.run_lua("add", keys=["n"], args=[3])] == [2, 5]
    container._conn.script_flush()
    assert container.run_lua("add", ["n"], [1]) == 6
    (tmp_path / "add.lua").write_text("return 'changed'")
    eventually(lambda: container.run_lua("add") == "changed", what="the changed file")


@pytest.mark.parametrize("name", ["missing", "../add", "/etc/passwd", ""])
def test_lua_programs_are_files_of_the_folder(redis_url: str, tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "add.lua").write_text("return 1")
    with pytest.raises(NotFound):
        KeyValueDB(redis_url, tmp_path / "folder").lua_container.run_lua(name)
    with pytest.raises(NotFound):
        KeyValueDB(redis_url).lua_container.run_lua("add")


# Locks


def lock(conn: Any, name: str = "stock", ttl: float = 20.0, wait: float = 0.0) -> ServiceLock:
    return ServiceLock(conn, f"lock:{name}", name, ttl, wait)


def test_one_holds_a_lock_and_others_do_not(conn: Any) -> None:
    with lock(conn):
        with pytest.raises(NotLocked, match="'stock' could not be had within 0 s"):
            lock(conn).acquire()
        with pytest.raises(NotLocked, match=r"within 0\.1 s"):
            lock(conn, wait=0.1).acquire()
        with lock(conn, "another"):
            pass
    with lock(conn):
        pass


def test_a_lock_is_given_back_when_the_block_fails(conn: Any) -> None:
    with pytest.raises(KeyError), lock(conn):
        raise KeyError
    with lock(conn):
        pass


def test_only_who_holds_a_lock_can_give_it_back(conn: Any) -> None:
    with lock(conn):
        stranger = lock(conn)
        stranger.release()
        with pytest.raises(NotLocked):
            stranger.acquire()


def test_a_lock_that_expired_is_another_ones_and_stays_so(conn: Any) -> None:
    first = lock(conn, ttl=0.05)
    first.acquire()
    second = lock(conn, wait=10)
    second.acquire()
    first.release()
    with pytest.raises(NotLocked):
        lock(conn).acquire()
    second.release()


def test_who_waits_gets_the_lock_when_it_is_free(conn: Any) -> None:
    holding, inside, most = lock(conn), [0], [0]
    holding.acquire()

    def work() -> None:
        with lock(conn, wait=30):
            inside[0] += 1
            most[0] = max(most[0], inside[0])
            inside[0] -= 1

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    holding.release()
    for thread in threads:
        thread.join(30)
    assert (inside, most) == ([0], [1])
    assert conn.exists("lock:stock") == 0


@pytest.mark.parametrize(
    ("given", "ttl_ms", "wait_s"),
    [
        ({}, 20_000, 10.0),
        ({"expires": 5, "timeout": 0}, 5_000, 0.0),
        ({"ttl": 7, "block": 3}, 7_000, 3.0),
        ({"block": True}, 20_000, 10.0),
    ],
)
def test_the_names_of_2_0_and_3_0_mean_the_same(conn: Any, given: Any, ttl_ms: int, wait_s: float) -> None:
    arguments = {"ttl": None, "expires": None, "block": None, "timeout": None, **given}
    made = make_lock(conn, "k", "n", default_wait=10.0, **arguments)
    with made:
        assert ttl_ms - 1000 < conn.pttl("k") <= ttl_ms
    assert made._wait_s == wait_s


def test_a_lock_cannot_be_had_while_redis_is_down(redis_server: Any) -> None:
    redis_server.stop()
    with pytest.raises(Unavailable, match="Redis does not answer"):
        lock(redis.Redis.from_url(redis_server.url, retry=None)).acquire()


# Caches


class Point:
    def __init__(self, x: int) -> None:
        self.x = x

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Point) and self.x == other.x

    __hash__ = None  # type: ignore[assignment]


@pytest.fixture
def cache(conn: Any) -> Cache:
    return Cache(conn, "zato:test:cache:rates", KEY)


@pytest.mark.parametrize("value", [None, 0, "", "text", b"\xff", {"a": [1, (2,)]}, {1, 2}, Point(3), 2**70])
def test_any_object_comes_back_as_it_was(cache: Cache, value: Any) -> None:
    cache.set("key", value)
    assert cache.get("key", "default") == value


def test_keys_are_text_or_numbers_and_these_differ(cache: Cache) -> None:
    cache.set(1, "number")
    cache.set("1", "text")
    assert (cache.get(1), cache.get("1")) == ("number", "text")
    assert sorted(cache.keys(), key=str) == [1, "1"] or sorted(cache.keys(), key=str) == ["1", 1]
    assert len(cache) == 2
    assert dict(cache.items()) == {1: "number", "1": "text"}
    assert sorted(cache.values()) == ["number", "text"]


def test_what_is_missing_is_the_default(cache: Cache) -> None:
    assert (cache.get("x"), cache.get("x", 1), cache.get("x", 1, details=True)) == (None, 1, 1)
    assert (cache.has_key("x"), "x" in cache, cache.delete("x"), cache.expire("x", 1)) == (False, False, None, False)


def test_details_are_the_same_at_writing_and_at_reading(cache: Cache) -> None:
    written = cache.set("key", {"a": 1}, expiry=60, details=True)
    read = cache.get("key", details=True)
    assert (read.value, read.hash, read.last_write, read.expiry) == ({"a": 1}, written.hash, written.last_write, 60)
    assert read.last_write_http == written.last_write_http
    assert parsedate_to_datetime(read.last_write_http).timestamp() == int(read.last_write)
    assert read.last_write_http.endswith(" GMT")
    assert cache.set("key", {"a": 2}, details=True).hash != read.hash
    assert cache.set("key", 1) is None


def test_all_workers_see_the_same(conn: Any, redis_url: str) -> None:
    mine = Caches(conn, "zato:test:cache", KEY)
    other = Caches(redis.Redis.from_url(redis_url), "zato:test:cache", KEY)
    mine.get_cache("builtin", "rates").set("k", 1)
    assert other.builtin["rates"].get("k") == other.builtin.get("rates").get("k") == 1
    assert mine.default.get("k") is None
    mine.set("d", 2)
    assert other.default.get("d") == other.get("d") == other.get_cache("builtin").get("d") == 2
    other.builtin["rates"].delete("k")
    assert mine.builtin["rates"].get("k") is None
    with pytest.raises(NotFound, match="memcached"):
        mine.get_cache("memcached", "rates")


def test_entries_go_away_when_their_time_is_up(cache: Cache) -> None:
    cache.set("short", 1, expiry=0.05)
    cache.set("long", 2, expiry=0.05)
    assert cache.expire("long", 0)
    eventually(lambda: cache.get("short") is None, what="the entry to go")
    assert (cache.get("long"), cache.keys()) == (2, ["long"])
    assert cache.expire("long", 0.05)
    eventually(lambda: not cache.has_key("long"), what="the entry to go")


def test_what_is_set_anew_has_its_own_time(cache: Cache, conn: Any) -> None:
    cache.set("key", 1, expiry=60)
    cache.set("key", 2)
    assert conn.pttl("zato:test:cache:rates:entry:s:key") == -1


def test_what_is_deleted_is_returned(cache: Cache) -> None:
    cache.set("key", [1])
    assert (cache.delete("key"), cache.get("key"), cache.keys()) == ([1], None, [])
    cache.set("a", 1)
    cache.set("b", 2)
    cache.clear()
    assert (list(cache), len(cache)) == ([], 0)


def test_the_entries_that_were_not_used_for_longest_make_room(conn: Any) -> None:
    cache = Cache(conn, "zato:test:cache:small", KEY, max_entries=3)
    for key in ("a", "b", "c"):
        cache.set(key, key)
    assert cache.get("a") == "a"
    cache.set("d", "d")
    assert sorted(cache.keys(), key=str) == ["a", "c", "d"]
    assert conn.exists("zato:test:cache:small:entry:s:b") == 0


@pytest.mark.parametrize(
    ("method", "data", "found"),
    [
        ("by_prefix", "user-", {"user-1", "user-2"}),
        ("by_suffix", "-1", {"user-1", "role-1"}),
        ("by_regex", r"^\w+-2$", {"user-2"}),
        ("contains", "ole", {"role-1"}),
        ("not_contains", "ser", {"role-1"}),
        ("contains_all", ["user", "2"], {"user-2"}),
        ("contains_any", ["role", "2"], {"role-1", "user-2"}),
    ],
)
def test_methods_work_on_all_keys_of_a_kind(cache: Cache, method: str, data: Any, found: set[str]) -> None:
    keys = ("user-1", "user-2", "role-1")
    for key in keys:
        cache.set(key, key)
    cache.set(7, "a number is of no kind")
    assert getattr(cache, f"get_{method}")(data) == {key: key for key in found}
    assert getattr(cache, f"has_key_{method}")(data) is True
    assert getattr(cache, f"expire_{method}")(data, 60) == dict.fromkeys(found, True)
    getattr(cache, f"set_{method}")(data, "new")
    assert {key for key in keys if cache.get(key) == "new"} == found
    assert set(getattr(cache, f"delete_{method}")(data)) == found
    assert {key for key in keys if key in cache} == set(keys) - found
    assert getattr(cache, f"has_key_{method}")(data) is False


def test_there_are_no_other_methods(cache: Cache) -> None:
    for name in ("get_by_magic", "keys_by_prefix", "nothing"):
        with pytest.raises(AttributeError, match=name):
            getattr(cache, name)


class Trap:
    """What runs code when it is unpickled."""

    sprung: list[int] = []  # noqa: RUF012

    def __reduce__(self) -> Any:
        return self.sprung.append, (1,)


def test_what_others_put_into_redis_is_not_unpickled(cache: Cache, conn: Any) -> None:
    trap = b"\0" * 32 + pickle.dumps(Trap())
    conn.hset("zato:test:cache:rates:entry:s:key", mapping={"v": trap, "h": "x", "w": "1", "x": "0"})
    conn.zadd("zato:test:cache:rates:index", {"s:key": 1})
    assert cache.get("key", "default") == "default"
    # Nor is what is ours in another place, or another cluster's.
    cache.set("mine", 1)
    signed = conn.hget("zato:test:cache:rates:entry:s:mine", "v")
    conn.hset("zato:test:cache:rates:entry:s:key", "v", signed)
    assert cache.get("key", "default") == "default"
    assert Cache(conn, "zato:test:cache:rates", b"other" * 8).get("mine") is None
    assert Trap.sprung == []


def test_what_cannot_be_kept_is_refused(cache: Cache) -> None:
    with pytest.raises(CannotCache, match="cannot be pickled"):
        cache.set("key", lambda: None)
    with pytest.raises(CannotCache, match="bytes, more than"):
        cache.set("key", b"x" * MAX_ENTRY_BYTES)
    assert "key" not in cache


def test_without_redis_nothing_is_found_and_services_go_on(redis_server: Any) -> None:
    cache = Cache(redis.Redis.from_url(redis_server.url, retry=None), "zato:test:cache:down", KEY)
    cache.set("key", 1)
    redis_server.stop()
    assert cache.get("key", "default") == "default"
    cache.set("other", 1)
    for change in (lambda: cache.delete("key"), lambda: cache.expire("key", 1)):
        with pytest.raises(Unavailable, match="was not changed"):
            change()
    redis_server.start()
    assert cache.get("key") == 1


# Counts


def test_runs_are_added_up_over_all_workers(conn: Any) -> None:
    first, second = Usage(conn, "usage"), Usage(conn, "usage")
    for usage, times in ((first, 3), (second, 2)):
        for _ in range(times):
            usage.count("a")
    assert first.of("a") == 3
    assert second.of("a") == 5
    assert (first.of("a"), first.of("b")) == (5, 0)


def test_counts_outlive_a_redis_that_is_away(redis_server: Any) -> None:
    usage: Any = Usage(redis.Redis.from_url(redis_server.url, retry=None), "usage")
    usage.count("a")
    redis_server.stop()
    usage.flush()
    usage.count("a")
    assert usage.of("a") == 2
    redis_server.start()
    assert usage.of("a") == 2
    assert redis.Redis.from_url(redis_server.url).hget("usage", "a") == b"2"
