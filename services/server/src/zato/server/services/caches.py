"""
`self.cache`: values that all workers of the cluster see.

They are in Redis rather than in the workers' memory: what one worker sets or deletes is so for all of them from that
moment on, a restart forgets nothing, and no worker holds a copy. A value may be any object that pickle takes; what comes
back from Redis is only unpickled when it carries our signature, since to unpickle is to run code.
"""

import hashlib
import hmac
import pickle
import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import partial
from typing import Any

import redis

from zato.common.errors import NotFound, Unavailable, ZatoError
from zato.common.logs import get_logger

log = get_logger(__name__)

DEFAULT = "default"
BUILTIN = "builtin"
MAX_ENTRIES = 10_000
MAX_ENTRY_BYTES = 1_000_000
_SIGNATURE_BYTES = 32

Key = str | int

# Which keys a method's ending means: get_by_prefix("customer-"), delete_contains_any(["a", "b"]).
_MATCHERS: Mapping[str, Callable[[str, Any], bool]] = {
    "by_prefix": lambda key, data: key.startswith(data),
    "by_suffix": lambda key, data: key.endswith(data),
    "by_regex": lambda key, data: re.search(data, key) is not None,
    "contains_all": lambda key, data: all(part in key for part in data),
    "contains_any": lambda key, data: any(part in key for part in data),
    "not_contains": lambda key, data: data not in key,
    "contains": lambda key, data: data in key,
}


class CannotCache(ZatoError):
    """A value cannot be kept: it is too large, or no pickle can be made of it."""


@dataclass(frozen=True, slots=True)
class CacheEntry:
    """
    A value, and what is known of it: what `get` and `set` return with `details=True`.

    Args:
        hash: The same for the same value as it was set.
        last_write: Seconds since the epoch.
        expiry: Seconds after which it goes away; 0 for never.
    """

    key: Key
    value: Any
    hash: str
    last_write: float
    expiry: float

    @property
    def last_write_iso(self) -> str:
        return datetime.fromtimestamp(self.last_write, UTC).isoformat()

    @property
    def last_write_http(self) -> str:
        """For the header Last-Modified."""
        return format_datetime(datetime.fromtimestamp(int(self.last_write), UTC), usegmt=True)


@dataclass(frozen=True, slots=True)
class EntrySize:
    """
    An entry without its value.

    Args:
        last_write: Seconds since the epoch; so is `last_use`.
        expires_in_s: None for never.
    """

    key: Key
    size_bytes: int
    last_write: float
    last_use: float
    expires_in_s: float | None


class Caches:
    """
    All caches: `self.cache.get_cache("builtin", "rates")`, `self.cache.builtin["rates"]`, `self.cache.default`. Each
    is there as soon as it is asked for. The default one's methods are here too: `self.cache.get("key")`.
    """

    def __init__(self, conn: "redis.Redis", prefix: str, signing_key: bytes) -> None:
        self._conn = conn
        self._prefix = prefix
        self._signing_key = signing_key
        self._made: dict[str, Cache] = {}

    @property
    def default(self) -> "Cache":
        return self._cache(DEFAULT)

    @property
    def builtin(self) -> "BuiltinCaches":
        return BuiltinCaches(self._cache)

    def get_cache(self, cache_type: str, name: str = DEFAULT) -> "Cache":
        """Raises NotFound unless the type is "builtin"."""
        if cache_type != BUILTIN:
            raise NotFound(f"There are no caches of the type '{cache_type}', only of '{BUILTIN}'")
        return self._cache(name)

    def _cache(self, name: str) -> "Cache":
        if name not in self._made:
            self._made[name] = Cache(self._conn, f"{self._prefix}:{name}", self._signing_key)
        return self._made[name]

    def names(self) -> list[str]:
        """Return the caches that have entries now."""
        prefix = f"{self._prefix}:".encode()
        found = self._conn.scan_iter(match=prefix + b"*:index", count=1000)
        return sorted(key.removeprefix(prefix).removesuffix(b":index").decode() for key in found)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self.default, name)


class BuiltinCaches:
    def __init__(self, find: Callable[[str], "Cache"]) -> None:
        self._find = find

    def __getitem__(self, name: str) -> "Cache":
        return self._find(name)

    def get(self, name: str) -> "Cache":
        return self._find(name)


class Cache:
    """
    One cache. Of its entries, the ones that were not used for longest make room for new ones.

    Beside the methods here there is, for `get`, `set`, `delete`, `expire` and `has_key`, one each that works on all keys
    of a kind: `_by_prefix`, `_by_suffix`, `_by_regex`, `_contains`, `_not_contains`, `_contains_all`, `_contains_any`.
    """

    def __init__(self, conn: "redis.Redis", prefix: str, signing_key: bytes, max_entries: int = MAX_ENTRIES) -> None:
        self._conn = conn
        self._prefix = prefix
        self._index = f"{prefix}:index"
        self._signing_key = signing_key
        self._max_entries = max_entries

    def get(self, key: Key, default: Any = None, details: bool = False) -> Any:
        """Return a key's value, or all that is known of it. `default` when it is missing, and when Redis is away."""
        member = _member(key)
        try:
            with self._conn.pipeline(transaction=False) as pipeline:
                pipeline.hmget(self._entry(member), ["v", "h", "w", "x"])
                pipeline.zadd(self._index, {member: time.time()}, xx=True)
                fields, _ = pipeline.execute()
        except redis.RedisError as exc:
            log.warning("cache_not_reachable", error=str(exc))
            return default
        entry = self._read(key, fields)
        if entry is None:
            return default
        return entry if details else entry.value

    def set(self, key: Key, value: Any, expiry: float = 0.0, details: bool = False) -> Any:
        """
        Keep a value, for `expiry` seconds or, with 0, for ever.

        Raises:
            CannotCache: It is too large, or no pickle can be made of it.
        """
        member, now = _member(key), time.time()
        pickled = self._pickled(key, value)
        digest = hashlib.sha256(pickled).hexdigest()[:32]
        name = self._entry(member)
        signed = self._signature(member, pickled) + pickled
        fields: dict[Any, Any] = {"v": signed, "h": digest, "w": repr(now), "x": repr(expiry)}
        try:
            with self._conn.pipeline(transaction=True) as pipeline:
                pipeline.hset(name, mapping=fields)
                if expiry > 0:
                    pipeline.pexpire(name, max(1, round(expiry * 1000)))
                else:
                    pipeline.persist(name)
                pipeline.zadd(self._index, {member: now})
                pipeline.zcard(self._index)
                count = pipeline.execute()[-1]
            if count > self._max_entries:
                self._make_room(count - self._max_entries)
        except redis.RedisError as exc:
            log.warning("cache_not_reachable", error=str(exc))
        return CacheEntry(key, value, digest, now, expiry) if details else None

    def delete(self, key: Key, default: Any = None) -> Any:
        """Forget a key and return its value. Raises Unavailable when Redis is away: the value is still there then."""
        member = _member(key)
        fields, *_ = self._change(
            lambda pipeline: (
                pipeline.hmget(self._entry(member), ["v", "h", "w", "x"]),
                pipeline.delete(self._entry(member)),
                pipeline.zrem(self._index, member),
            )
        )
        entry = self._read(key, fields)
        return default if entry is None else entry.value

    def expire(self, key: Key, expiry: float = 0.0) -> bool:
        """Let a key go away after `expiry` seconds, or with 0 never. Returns whether there is such a key."""
        name = self._entry(_member(key))
        milliseconds = max(1, round(expiry * 1000))
        answers = self._change(
            lambda pipeline: (
                pipeline.exists(name),
                pipeline.pexpire(name, milliseconds) if expiry > 0 else pipeline.persist(name),
            )
        )
        return bool(answers[0])

    def has_key(self, key: Key) -> bool:
        return bool(self._conn.exists(self._entry(_member(key))))

    __contains__ = has_key

    def keys(self) -> list[Key]:
        members: Any = self._conn.zrange(self._index, 0, -1)
        with self._conn.pipeline(transaction=False) as pipeline:
            for member in members:
                pipeline.exists(self._entry(member))
            alive = pipeline.execute() if members else []
        gone = [member for member, is_alive in zip(members, alive, strict=True) if not is_alive]
        if gone:
            self._conn.zrem(self._index, *gone)
        return [_key(member) for member, is_alive in zip(members, alive, strict=True) if is_alive]

    def look(self, key: Key) -> CacheEntry | None:
        """Return all that is known of a key, without its counting as a use. Raises redis.RedisError."""
        fields = self._conn.hmget(self._entry(_member(key)), ["v", "h", "w", "x"])
        return self._read(key, fields)

    def look_over(self) -> list[EntrySize]:
        """Return what is there, the one used last first, without its counting as a use. Raises redis.RedisError."""
        members: Any = self._conn.zrange(self._index, 0, -1, desc=True, withscores=True)
        with self._conn.pipeline(transaction=False) as pipeline:
            for member, _ in members:
                pipeline.hstrlen(self._entry(member), "v")
                pipeline.hget(self._entry(member), "w")
                pipeline.pttl(self._entry(member))
            answers = pipeline.execute() if members else []
        found = zip(members, answers[::3], answers[1::3], answers[2::3], strict=True)
        return [
            EntrySize(_key(member), size - _SIGNATURE_BYTES, float(written), used, ttl_ms / 1000 if ttl_ms >= 0 else None)
            for (member, used), size, written, ttl_ms in found
            if written is not None
        ]

    def items(self) -> list[tuple[Key, Any]]:
        entries = ((key, self.get(key, details=True)) for key in self.keys())
        return [(key, entry.value) for key, entry in entries if entry is not None]

    def values(self) -> list[Any]:
        return [value for _, value in self.items()]

    def __iter__(self) -> Iterator[Key]:
        return iter(self.keys())

    def __len__(self) -> int:
        return len(self.keys())

    def clear(self) -> None:
        for key in self.keys():
            self.delete(key)

    def __getattr__(self, name: str) -> Any:
        for ending, matches in _MATCHERS.items():
            method = name.removesuffix(f"_{ending}")
            if method != name and method in _ON_MANY:
                return partial(self._on_many, method, matches)
        raise AttributeError(f"A cache has no method '{name}'")

    def _on_many(self, method: str, matches: Callable[[str, Any], bool], data: Any, *args: Any, **kwargs: Any) -> Any:
        """Return what the method returns for each key that matches, by key."""
        keys = [key for key in self.keys() if isinstance(key, str) and matches(key, data)]
        if method == "has_key":
            return bool(keys)
        return {key: getattr(self, method)(key, *args, **kwargs) for key in keys}

    def _change(self, add: Callable[[Any], object]) -> list[Any]:
        try:
            with self._conn.pipeline(transaction=True) as pipeline:
                add(pipeline)
                answers: list[Any] = pipeline.execute()
                return answers
        except redis.RedisError as exc:
            raise Unavailable("The cache was not changed: Redis does not answer") from exc

    def _make_room(self, count: int) -> None:
        oldest: Any = self._conn.zpopmin(self._index, count)
        if oldest:
            self._conn.delete(*(self._entry(member) for member, _ in oldest))

    def _read(self, key: Key, fields: Any) -> CacheEntry | None:
        signed, digest, last_write, expiry = fields
        if signed is None or last_write is None:
            return None
        signature, pickled = signed[:_SIGNATURE_BYTES], signed[_SIGNATURE_BYTES:]
        if not hmac.compare_digest(signature, self._signature(_member(key), pickled)):
            log.warning("cache_entry_not_ours", cache=self._prefix, key=key)
            return None
        try:
            value = pickle.loads(pickled)  # noqa: S301 (signed by a server of this cluster)  # nosec B301
        except Exception as exc:
            # Its class has changed, or is not deployed here.
            log.warning("cache_entry_not_readable", cache=self._prefix, key=key, error=str(exc))
            return None
        return CacheEntry(key, value, digest.decode(), float(last_write), float(expiry))

    def _pickled(self, key: Key, value: Any) -> bytes:
        try:
            pickled = pickle.dumps(value, protocol=5)
        except Exception as exc:
            raise CannotCache(f"The value of '{key}' cannot be cached: a {type(value).__name__} cannot be pickled") from exc
        if len(pickled) > MAX_ENTRY_BYTES:
            raise CannotCache(f"The value of '{key}' has {len(pickled)} bytes, more than the {MAX_ENTRY_BYTES} a cache takes")
        return pickled

    def _signature(self, member: bytes, pickled: bytes) -> bytes:
        return hmac.digest(self._signing_key, self._entry(member) + b"\0" + pickled, "sha256")

    def _entry(self, member: bytes) -> bytes:
        return f"{self._prefix}:entry:".encode() + member


_ON_MANY = frozenset({"get", "set", "delete", "expire", "has_key"})


def _member(key: Key) -> bytes:
    """1 and "1" are two keys."""
    return (b"i:%d" % key) if isinstance(key, int) else b"s:" + str(key).encode()


def _key(member: bytes) -> Key:
    text = member[2:].decode()
    return int(text) if member.startswith(b"i:") else text
