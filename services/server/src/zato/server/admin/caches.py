"""Admin services for the caches that services and channels fill: `zato.cache.builtin.*`."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import redis

from zato.common.errors import BadRequest, NotFound, Unavailable
from zato.server.admin.noting import noted
from zato.server.admin.pages import read_page
from zato.server.control.changes import Author
from zato.server.services.caches import BUILTIN, DEFAULT, MAX_ENTRIES, Cache, Caches, EntrySize, Key
from zato.server.services.recordings import as_text

if TYPE_CHECKING:
    from zato.server.admin.services import Action, Admin

Values = Mapping[str, Any]


def cache_actions(caches: Callable[[], Caches]) -> "dict[str, Action]":
    """Return the actions by the names of their services. `caches` returns those of the services."""

    def act(work: Callable[[Caches, Values], Any]) -> "Action":
        def run(_admin: "Admin", values: Values, _author: Author) -> Any:
            try:
                return work(caches(), values)
            except redis.RedisError as exc:
                raise Unavailable("The caches cannot be used now: Redis does not answer") from exc

        return run

    cache, entry = "zato.cache.builtin", "zato.cache.builtin.entry"
    return {
        f"{cache}.get-list": act(lambda caches, values: [_statistics(caches, name) for name in caches.names()]),
        f"{cache}.get": act(lambda caches, values: _statistics(caches, _name(values))),
        f"{cache}.clear": noted(act(_clear), "name"),
        f"{entry}.get-list": act(_entries),
        f"{entry}.get": act(_get),
        f"{entry}.set": noted(act(_set), "name", "key", "expiry"),
        f"{entry}.delete": noted(act(_delete), "name", "key"),
    }


def _statistics(caches: Caches, name: str) -> dict[str, Any]:
    entries = _cache(caches, {"name": name}).look_over()
    return {
        "name": name,
        "is_default": name == DEFAULT,
        "entries": len(entries),
        "max_entries": MAX_ENTRIES,
        "bytes": sum(each.size_bytes for each in entries),
        "largest_bytes": max((each.size_bytes for each in entries), default=0),
        "expiring": sum(each.expires_in_s is not None for each in entries),
        "last_write": _iso(max((each.last_write for each in entries), default=None)),
        "last_use": _iso(entries[0].last_use if entries else None),
    }


def _clear(caches: Caches, values: Values) -> dict[str, int]:
    cache = _cache(caches, values)
    count = len(cache)
    cache.clear()
    return {"deleted": count}


def _entries(caches: Caches, values: Values) -> dict[str, Any]:
    page = read_page(values)
    found = _cache(caches, values).look_over()
    return page.of([_described(each) for each in found if page.query in str(each.key).lower()])


def _described(each: EntrySize) -> dict[str, Any]:
    return {
        "key": each.key,
        "bytes": each.size_bytes,
        "last_write": _iso(each.last_write),
        "last_use": _iso(each.last_use),
        "expires_in_s": each.expires_in_s,
    }


def _get(caches: Caches, values: Values) -> dict[str, Any]:
    key = _key(values)
    found = _cache(caches, values).look(key)
    if found is None:
        raise NotFound(f"The cache has no '{key!s:.100}', or no value that can be read here")
    return {"key": key, "value": as_text(found.value), "type": type(found.value).__name__, "expiry": found.expiry}


def _set(caches: Caches, values: Values) -> dict[str, Any]:
    key, expiry = _key(values), values.get("expiry", 0)
    if "value" not in values:
        raise BadRequest("'value' is required: any JSON")
    if isinstance(expiry, bool) or not isinstance(expiry, int | float) or expiry < 0:
        raise BadRequest("'expiry' takes a number of seconds, 0 for ever")
    _cache(caches, values).set(key, values["value"], float(expiry))
    return {"key": key}


def _delete(caches: Caches, values: Values) -> dict[str, Any]:
    key, cache = _key(values), _cache(caches, values)
    if not cache.has_key(key):
        raise NotFound(f"The cache has no '{key!s:.100}'")
    cache.delete(key)
    return {"key": key}


def _cache(caches: Caches, values: Values) -> Cache:
    return caches.get_cache(BUILTIN, _name(values))


def _name(values: Values) -> str:
    name = values.get("name") or DEFAULT
    if not isinstance(name, str) or len(name) > 200:
        raise BadRequest("'name' takes the name of a cache")
    return name


def _key(values: Values) -> Key:
    key = values.get("key")
    if isinstance(key, bool) or not isinstance(key, str | int):
        raise BadRequest("'key' takes a text or a whole number: 1 and \"1\" are two keys")
    return key


def _iso(seconds: float | None) -> str:
    return "" if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat()
