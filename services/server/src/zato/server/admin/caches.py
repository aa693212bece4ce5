"""Admin services for the caches that services and channels fill: `zato.cache.builtin.*`."""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import redis

from zato.common.errors import BadRequest, NotFound, Unavailable
from zato.server.accounts.roles import Role
from zato.server.admin.actions import Action, Area, Run, Values
from zato.server.admin.noting import noted
from zato.server.admin.pages import TAKES, page_schema, read_page
from zato.server.control.changes import Author
from zato.server.describe.schemas import anything, boolean, integer, nullable, number, record, text
from zato.server.services.caches import BUILTIN, DEFAULT, MAX_ENTRIES, Cache, Caches, EntrySize, Key
from zato.server.services.recordings import as_text

if TYPE_CHECKING:
    from zato.server.admin.services import Admin

_MAX_NAME_CHARACTERS = 200
_LONGEST_S = 10 * 366 * 86_400


_CACHES = Area("Caches")
_NAME = {"name": text("Which cache; the default one when it is not given", maxLength=_MAX_NAME_CHARACTERS)}
_KEY = {"key": {"type": ["string", "integer"], "description": 'Its key: 1 and "1" are two'}}
_CACHE = record(
    {
        "name": text("Name of the cache"),
        "is_default": boolean("Whether it is the one that services have as self.cache.default"),
        "entries": integer("How many it has"),
        "max_entries": integer("How many it may have: the one that was not used for longest goes first"),
        "bytes": integer("How large all of them are together"),
        "largest_bytes": integer("How large the largest one is"),
        "expiring": integer("How many end by themselves"),
        "last_write": text("When one was set last, UTC; empty for never"),
        "last_use": text("When one was used last, UTC; empty for never"),
    }
)
_ENTRY = record(
    {
        **_KEY,
        "bytes": integer("How large it is"),
        "last_write": text("When it was set, UTC"),
        "last_use": text("When it was used last, UTC"),
        "expires_in_s": nullable(number("Seconds until it ends; null for never")),
    }
)
_VALUE = record(
    {
        **_KEY,
        "value": text("Its value, as text"),
        "type": text("What it is in Python, e.g. dict"),
        "expiry": number("Seconds that it lives for; 0 for ever"),
    }
)
_SET = {
    **_NAME,
    **_KEY,
    "value": anything("Its value: any JSON"),
    "expiry": number("Seconds that it lives for; 0 for ever", minimum=0, maximum=_LONGEST_S, default=0),
}


def cache_actions(caches: Callable[[], Caches]) -> dict[str, Action]:
    """Return the actions by the names of their services. `caches` returns those of the services."""

    def act(work: Callable[[Caches, Values], Any]) -> Run:
        def run(_admin: "Admin", values: Values, _author: Author) -> Any:
            try:
                return work(caches(), values)
            except redis.RedisError as exc:
                raise Unavailable("The caches cannot be used now: Redis does not answer") from exc

        return run

    return {
        "zato.cache.builtin.get-list": _CACHES.listing(
            act(lambda caches, _values: [_statistics(caches, name) for name in caches.names()]),
            Role.VIEWER,
            "Return the caches, with how many entries each has",
            item=_CACHE,
        ),
        "zato.cache.builtin.get": _CACHES.action(
            act(lambda caches, values: _statistics(caches, _name(values))),
            Role.VIEWER,
            "Return what a cache holds and how it is used",
            takes=record(_NAME, optional=_NAME),
            returns=_CACHE,
        ),
        "zato.cache.builtin.clear": _CACHES.action(
            noted(act(_clear), "name"),
            Role.OPERATOR,
            "Delete all entries of a cache",
            takes=record(_NAME, optional=_NAME),
            returns=record({"deleted": integer("How many there were")}),
        ),
        **{f"zato.cache.builtin.entry.{name}": each for name, each in _entry_actions(act).items()},
    }


def _entry_actions(act: Callable[[Callable[[Caches, Values], Any]], Run]) -> dict[str, Action]:
    """Entries have values of users' in them."""
    action = partial(_CACHES.action, role=Role.DEVELOPER)
    which, key = record({**_NAME, **_KEY}, optional=_NAME), record(_KEY)
    return {
        "get-list": action(
            act(_entries),
            help="Return the entries of a cache",
            takes=record({**_NAME, **TAKES}, optional={**_NAME, **TAKES}),
            returns=page_schema(_ENTRY),
        ),
        "get": action(act(_get), help="Return one entry of a cache", takes=which, returns=_VALUE),
        "set": action(
            noted(act(_set), "name", "key", "expiry"),
            help="Set one entry of a cache",
            takes=record(_SET, optional=("name", "expiry")),
            returns=key,
        ),
        "delete": action(noted(act(_delete), "name", "key"), help="Delete one entry of a cache", takes=which, returns=key),
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
    if isinstance(expiry, bool) or not isinstance(expiry, int | float) or not 0 <= expiry <= _LONGEST_S:
        raise BadRequest(f"'expiry' takes a number of seconds up to {_LONGEST_S}, 0 for ever")
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
    if not isinstance(name, str) or len(name) > _MAX_NAME_CHARACTERS:
        raise BadRequest("'name' takes the name of a cache")
    return name


def _key(values: Values) -> Key:
    key = values.get("key")
    if isinstance(key, bool) or not isinstance(key, str | int):
        raise BadRequest("'key' takes a text or a whole number: 1 and \"1\" are two keys")
    return key


def _iso(seconds: float | None) -> str:
    return "" if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat()
