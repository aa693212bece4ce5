"""Admin services for Redis: `zato.kvdb.remote-command.*`, and for the data dictionary: `zato.kvdb.data-dict.*`."""

import base64
import hashlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import redis

from zato.common.errors import BadRequest
from zato.server.accounts.roles import Role
from zato.server.admin.actions import TAKES_NOTHING, Action, Area, Run, Values
from zato.server.admin.noting import noted
from zato.server.admin.pages import listed, listed_schema, listed_takes
from zato.server.control.changes import Author
from zato.server.describe.schemas import Schema, array, integer, record, text
from zato.server.services.data_dictionary import DataDictionary, Item, Translation
from zato.server.services.kvdb import KeyValueDB
from zato.server.services.remote_commands import execute, names

if TYPE_CHECKING:
    from zato.server.admin.services import Admin

_ENTRY = ("system", "key", "value")
_ENDS = ("system1", "key1", "value1", "system2", "key2", "value2")


_DICTIONARY, _REDIS = Area("Data dictionary"), Area("Redis")
_ID = record({"id": integer("Its number")})
_NAME = record({"name": text("One of them")})
_NAMES = array(_NAME)
_ITEM = record({"system": text("Name of a system"), "key": text("Name of a key"), "value": text("A value of it")})
_WHOLE_ITEM = record({**_ID["properties"], **_ITEM["properties"]})
_TRANSLATION = record(
    {
        "system1": text("System that a value is of"),
        "key1": text("Its key there"),
        "value1": text("The value"),
        "system2": text("System that it is wanted for"),
        "key2": text("Its key there"),
        "value2": text("What it is called there"),
    }
)
_WHOLE_TRANSLATION = record(
    {
        **_ID["properties"],
        **_TRANSLATION["properties"],
        "id1": integer("Number of the entry that is translated"),
        "id2": integer("Number of the entry that it becomes"),
    }
)
_TRANSLATED = record(
    {
        "value2": text("What it is called there"),
        "repr": text("The same as Python writes it"),
        "hex": text("Its bytes in UTF-8, in hexadecimal"),
        "sha1": text("SHA-1 of these"),
        "sha256": text("SHA-256 of these"),
    }
)
_EXPORTED = record({"data": text("The dictionary and its translations, in BASE64")})
_LAST_ID = record({"value": integer("The highest number; 0 when there is none")})
Work = Callable[[Values], Any]


def kvdb_actions(conn: "redis.Redis", kvdb: KeyValueDB) -> dict[str, Action]:
    """Return the actions by the names of their services. Whatever changes something is noted in the audit log first."""
    dictionary = DataDictionary(conn)
    areas = {
        "data-dict.dictionary": _dictionary_actions(dictionary),
        "data-dict.translation": _translation_actions(dictionary, kvdb),
        "data-dict.impexp": _export_actions(dictionary),
        "remote-command": _remote_command_actions(conn),
    }
    return {f"zato.kvdb.{area}.{name}": each for area, actions in areas.items() for name, each in actions.items()}


def _act(work: Work) -> Run:
    return lambda _admin, values, _author: work(values)


def _looks(help: str, work: Work, returns: Schema, takes: Schema = TAKES_NOTHING) -> Action:
    return _DICTIONARY.action(_act(work), Role.VIEWER, help, takes=takes, returns=returns)


def _changes(help: str, work: Work, takes: Schema, returns: Schema) -> Action:
    kept = [name for name in takes["properties"] if name != "data"]
    return _DICTIONARY.action(noted(_act(work), *kept), Role.DEPLOYER, help, takes=takes, returns=returns)


def _only(*names: str) -> Schema:
    return record({name: _ITEM["properties"][name] for name in names})


def _dictionary_actions(dictionary: DataDictionary) -> dict[str, Action]:
    return {
        "get-list": _looks(
            "Return the entries of the dictionary: all of them, or a page for those who ask for one",
            lambda values: listed([_item(each) for each in dictionary.items()], values),
            listed_schema(_WHOLE_ITEM),
            listed_takes(_WHOLE_ITEM),
        ),
        "get-system-list": _looks(
            "Return the systems that have entries", lambda _values: _names(each.system for each in dictionary.items()), _NAMES
        ),
        "get-key-list": _looks(
            "Return the keys of a system",
            lambda values: _names(each.key for each in dictionary.items() if _is_of(each, values, 1)),
            _NAMES,
            _only("system"),
        ),
        "get-value-list": _looks(
            "Return the values of a key of a system",
            lambda values: _names(each.value for each in dictionary.items() if _is_of(each, values, 2)),
            _NAMES,
            _only("system", "key"),
        ),
        "get-last-id": _looks(
            "Return the highest number of an entry", lambda _values: {"value": dictionary.last_ids()[0]}, _LAST_ID
        ),
        "create": _changes(
            "Add an entry to the dictionary: a value of a key of a system",
            lambda values: {"id": dictionary.create_item(*_texts(values, _ENTRY))},
            _ITEM,
            _ID,
        ),
        "edit": _changes(
            "Change an entry of the dictionary",
            lambda values: {"id": dictionary.edit_item(_id(values), *_texts(values, _ENTRY))},
            _WHOLE_ITEM,
            _ID,
        ),
        "delete": _changes(
            "Delete an entry of the dictionary", lambda values: {"id": dictionary.delete_item(_id(values))}, _ID, _ID
        ),
    }


def _translation_actions(dictionary: DataDictionary, kvdb: KeyValueDB) -> dict[str, Action]:
    ends = _TRANSLATION["properties"]
    return {
        "get-list": _looks(
            "Return the translations: all of them, or a page for those who ask for one",
            lambda values: listed([_translation(each) for each in dictionary.translations()], values),
            listed_schema(_WHOLE_TRANSLATION),
            listed_takes(_WHOLE_TRANSLATION),
        ),
        "get-last-id": _looks(
            "Return the highest number of a translation", lambda _values: {"value": dictionary.last_ids()[1]}, _LAST_ID
        ),
        "translate": _looks(
            "Translate a value of one system into that of another one",
            lambda values: _translated(kvdb, values),
            _TRANSLATED,
            record({name: ends[name] for name in _ENDS[:5]}),
        ),
        "create": _changes(
            "Say that a value of one system is a value of another one",
            lambda values: {"id": dictionary.create_translation(*_ends(values))},
            _TRANSLATION,
            _ID,
        ),
        "edit": _changes(
            "Change a translation",
            lambda values: {"id": dictionary.edit_translation(_id(values), *_ends(values))},
            record({**_ID["properties"], **ends}),
            _ID,
        ),
        "delete": _changes("Delete a translation", lambda values: {"id": dictionary.delete_translation(_id(values))}, _ID, _ID),
    }


def _export_actions(dictionary: DataDictionary) -> dict[str, Action]:
    return {
        "export": _looks(
            "Return the dictionary and its translations, to be imported elsewhere",
            lambda _values: {"data": base64.b64encode(dictionary.export()).decode()},
            _EXPORTED,
        ),
        "import": _changes(
            "Replace the dictionary and its translations by what was exported",
            lambda values: _imported(dictionary, values),
            _EXPORTED,
            record({"items": integer("How many entries there are now"), "translations": integer("How many translations")}),
        ),
    }


def _remote_command_actions(conn: "redis.Redis") -> dict[str, Action]:
    return {
        "get-list": _REDIS.listing(
            lambda _admin, _values, _author: [{"name": name} for name in names()],
            Role.DEPLOYER,
            "Return the commands of Redis that are allowed",
            item=_NAME,
        ),
        "execute": _REDIS.action(
            _remote_command(conn),
            Role.DEPLOYER,
            "Run one of the allowed commands in Redis",
            takes=record({"command": text("The command with its arguments, as redis-cli takes them")}),
            returns=record({"result": text("What Redis answered")}),
        ),
    }


def _remote_command(conn: "redis.Redis") -> Run:
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
    except ValueError as exc:
        raise BadRequest(f"'data' takes what was exported, in BASE64: {exc}") from None
    items, translations = dictionary.replace(exported)
    return {"items": items, "translations": translations}
