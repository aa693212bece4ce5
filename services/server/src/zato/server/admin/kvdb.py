"""Admin services for Redis: `zato.kvdb.remote-command.*`, and for the data dictionary: `zato.kvdb.data-dict.*`."""

import base64
import binascii
import hashlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import redis

from zato.common.errors import BadRequest
from zato.server.admin.noting import noted
from zato.server.admin.pages import listed
from zato.server.control.changes import Author
from zato.server.services.data_dictionary import DataDictionary, Item, Translation
from zato.server.services.kvdb import KeyValueDB
from zato.server.services.remote_commands import execute, names

if TYPE_CHECKING:
    from zato.server.admin.services import Action, Admin

Values = Mapping[str, Any]
_ENTRY = ("system", "key", "value")
_ENDS = ("system1", "key1", "value1", "system2", "key2", "value2")


def kvdb_actions(conn: "redis.Redis", kvdb: KeyValueDB) -> "dict[str, Action]":
    """Return the actions by the names of their services. Whatever changes something is noted in the audit log first."""
    dictionary = DataDictionary(conn)

    def act(work: Callable[[Values], Any]) -> "Action":
        return lambda _admin, values, _author: work(values)

    item, translation = "zato.kvdb.data-dict.dictionary", "zato.kvdb.data-dict.translation"
    reads: dict[str, Callable[[Values], Any]] = {
        f"{item}.get-list": lambda values: listed([_item(each) for each in dictionary.items()], values),
        f"{item}.get-system-list": lambda values: _names(each.system for each in dictionary.items()),
        f"{item}.get-key-list": lambda values: _names(each.key for each in dictionary.items() if _is_of(each, values, 1)),
        f"{item}.get-value-list": lambda values: _names(each.value for each in dictionary.items() if _is_of(each, values, 2)),
        f"{item}.get-last-id": lambda values: {"value": dictionary.last_ids()[0]},
        f"{translation}.get-list": lambda values: listed([_translation(each) for each in dictionary.translations()], values),
        f"{translation}.get-last-id": lambda values: {"value": dictionary.last_ids()[1]},
        f"{translation}.translate": lambda values: _translated(kvdb, values),
        "zato.kvdb.data-dict.impexp.export": lambda values: {"data": base64.b64encode(dictionary.export()).decode()},
        "zato.kvdb.remote-command.get-list": lambda values: [{"name": name} for name in names()],
    }
    writes: dict[str, tuple[Callable[[Values], Any], tuple[str, ...]]] = {
        f"{item}.create": (lambda values: {"id": dictionary.create_item(*_texts(values, _ENTRY))}, _ENTRY),
        f"{item}.edit": (lambda values: {"id": dictionary.edit_item(_id(values), *_texts(values, _ENTRY))}, ("id", *_ENTRY)),
        f"{item}.delete": (lambda values: {"id": dictionary.delete_item(_id(values))}, ("id",)),
        f"{translation}.create": (lambda values: {"id": dictionary.create_translation(*_ends(values))}, _ENDS),
        f"{translation}.edit": (
            lambda values: {"id": dictionary.edit_translation(_id(values), *_ends(values))},
            ("id", *_ENDS),
        ),
        f"{translation}.delete": (lambda values: {"id": dictionary.delete_translation(_id(values))}, ("id",)),
        "zato.kvdb.data-dict.impexp.import": (lambda values: _imported(dictionary, values), ()),
    }
    return {
        **{name: act(work) for name, work in reads.items()},
        **{name: noted(act(work), *kept) for name, (work, kept) in writes.items()},
        "zato.kvdb.remote-command.execute": _remote_command(conn),
    }


def _remote_command(conn: "redis.Redis") -> "Action":
    def run(_admin: "Admin", values: Values, _author: Author) -> dict[str, str]:
        (command,) = _texts(values, ("command",))
        return {"result": execute(conn, command)}

    # Only that one was given, and which: its arguments may be anybody's secrets.
    def run_noted(admin: "Admin", values: Values, author: Author) -> Any:
        words = str(values.get("command", "")).split(maxsplit=2)
        return noted(run, "name")(admin, {"name": " ".join(words[:2])[:200], **values}, author)

    return run_noted


def _texts(values: Values, wanted: tuple[str, ...]) -> tuple[str, ...]:
    for name in wanted:
        if not isinstance(values.get(name), str):
            raise BadRequest(f"'{name}' takes a text")
    return tuple(values[name] for name in wanted)


def _id(values: Values) -> int:
    id = values.get("id")
    if isinstance(id, bool) or not isinstance(id, int):
        raise BadRequest("'id' takes a whole number")
    return id


def _ends(values: Values) -> tuple[tuple[str, str, str], tuple[str, str, str]]:
    system1, key1, value1, system2, key2, value2 = _texts(values, _ENDS)
    return (system1, key1, value1), (system2, key2, value2)


def _item(item: Item) -> dict[str, Any]:
    return {"id": item.id, "system": item.system, "key": item.key, "value": item.value}


def _translation(each: Translation) -> dict[str, Any]:
    source, target = each.source, each.target
    ends = (source.system, source.key, source.value, target.system, target.key, target.value)
    return {"id": each.id, **dict(zip(_ENDS, ends, strict=True)), "id1": source.id, "id2": target.id}


def _is_of(item: Item, values: Values, count: int) -> bool:
    """Whether an entry has the system, or the system and the key, that are asked for."""
    return all(getattr(item, name) == values.get(name) for name in _ENTRY[:count])


def _names(texts: Any) -> list[dict[str, str]]:
    return [{"name": text} for text in sorted(set(texts))]


def _translated(kvdb: KeyValueDB, values: Values) -> dict[str, str]:
    value = str(kvdb.translate(*_texts(values, _ENDS[:5])))
    raw = value.encode()
    return {
        "value2": value,
        "repr": repr(value),
        "hex": raw.hex(),
        # As published: a fingerprint to compare, not to keep secrets by.
        "sha1": hashlib.sha1(raw, usedforsecurity=False).hexdigest(),
        "sha256": hashlib.sha256(raw).hexdigest(),
    }


def _imported(dictionary: DataDictionary, values: Values) -> dict[str, int]:
    (data,) = _texts(values, ("data",))
    try:
        exported = base64.b64decode(data, validate=True)
    except binascii.Error as exc:
        raise BadRequest(f"'data' takes what was exported, in BASE64: {exc}") from None
    items, translations = dictionary.replace(exported)
    return {"items": items, "translations": translations}
