"""
What values of one system are called in another one: kept in Redis, read by `self.translate`.

    zato:kvdb:data-dict:item                    a hash: id → "system:::key:::value"
    zato:kvdb:data-dict:translation:::…         a hash for each translation, named by system1, key1, value1, system2, key2;
                                                its fields are id, id1, id2 (of the entries) and value2
    …:item:id, …:translation:id                 the latest ids

All of it is read at a time: it is thousands of entries, not millions.
"""

import bz2
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import redis

from zato.common.errors import AlreadyExists, BadRequest, NotFound, Unavailable

ITEMS = "zato:kvdb:data-dict:item"
TRANSLATION = "zato:kvdb:data-dict:translation"
_LAST_ITEM = f"{ITEMS}:id"
_LAST_TRANSLATION = f"{TRANSLATION}:id"
_SEPARATOR = ":::"
_NAME = re.compile(r"\w{1,200}")
_MAX_VALUE_CHARACTERS = 2000
_MAX_IMPORT_BYTES = 100 * 1024 * 1024
# Counted up by each change: who reads and then writes watches it.
_REVISION = "zato:kvdb:data-dict:revision"

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Item:
    """One entry: a value that a key has in a system."""

    id: int
    system: str
    key: str
    value: str

    @property
    def text(self) -> str:
        return _SEPARATOR.join((self.system, self.key, self.value))


@dataclass(frozen=True, slots=True)
class Translation:
    """That the value of one entry means that of another one."""

    id: int
    source: Item
    target: Item

    @property
    def name(self) -> str:
        parts = (self.source.system, self.source.key, self.source.value, self.target.system, self.target.key)
        return _SEPARATOR.join((TRANSLATION, *parts))

    @property
    def fields(self) -> dict[str, str]:
        return {"id": str(self.id), "id1": str(self.source.id), "id2": str(self.target.id), "value2": self.target.value}


@dataclass(frozen=True, slots=True)
class _Everything:
    items: dict[int, Item]
    translations: dict[int, Translation]


class DataDictionary:
    """Each method raises Unavailable when Redis does not answer. Changes are whole: others see all of one, or nothing."""

    def __init__(self, conn: "redis.Redis") -> None:
        self._conn = conn

    def items(self) -> list[Item]:
        return sorted(_answered(self._read).items.values(), key=lambda item: (item.system, item.key, item.value))

    def translations(self) -> list[Translation]:
        return sorted(_answered(self._read).translations.values(), key=lambda translation: translation.name)

    def last_ids(self) -> tuple[int, int]:
        """Return the latest id of an entry, and of a translation; 0 when there was none."""
        found: Any = _answered(lambda: self._conn.mget(_LAST_ITEM, _LAST_TRANSLATION))
        return int(found[0] or 0), int(found[1] or 0)

    def create_item(self, system: str, key: str, value: str) -> int:
        """Raises AlreadyExists, or BadRequest when a name or the value is none."""
        _check(system, key, value)

        def add(known: _Everything, pipeline: Any, id: int) -> int:
            item = Item(id, system, key, value)
            _check_new_item(known, item)
            pipeline.hset(ITEMS, str(item.id), item.text)
            return item.id

        return self._change(add, _LAST_ITEM)

    def edit_item(self, id: int, system: str, key: str, value: str) -> int:
        """Change an entry, and its translations with it. Raises NotFound, and what `create_item` does."""
        _check(system, key, value)

        def edit(known: _Everything, pipeline: Any, _id: int) -> int:
            _item(known, id)
            item = Item(id, system, key, value)
            _check_new_item(known, item)
            pipeline.hset(ITEMS, str(id), item.text)
            for each in _translations_of(known, id):
                source, target = (item if end.id == id else end for end in (each.source, each.target))
                pipeline.delete(each.name)
                _store(pipeline, Translation(each.id, source, target))
            return id

        return self._change(edit)

    def delete_item(self, id: int) -> int:
        """Delete an entry and its translations. Raises NotFound."""

        def delete(known: _Everything, pipeline: Any, _id: int) -> int:
            _item(known, id)
            pipeline.hdel(ITEMS, str(id))
            for each in _translations_of(known, id):
                pipeline.delete(each.name)
            return id

        return self._change(delete)

    def create_translation(self, source: tuple[str, str, str], target: tuple[str, str, str]) -> int:
        """
        Args:
            source: System, key and value; an entry has to have them. So for `target`.

        Raises:
            NotFound: One of them is no entry.
            AlreadyExists: The source means something in that system already.
        """

        def create(known: _Everything, pipeline: Any, id: int) -> int:
            translation = Translation(id, _find(known, source), _find(known, target))
            _check_new_translation(known, translation)
            _store(pipeline, translation)
            return translation.id

        return self._change(create, _LAST_TRANSLATION)

    def edit_translation(self, id: int, source: tuple[str, str, str], target: tuple[str, str, str]) -> int:
        """Raises NotFound when there is no such translation, and what `create_translation` does."""

        def edit(known: _Everything, pipeline: Any, _id: int) -> int:
            old = _translation(known, id)
            translation = Translation(id, _find(known, source), _find(known, target))
            _check_new_translation(known, translation)
            pipeline.delete(old.name)
            _store(pipeline, translation)
            return id

        return self._change(edit)

    def delete_translation(self, id: int) -> int:
        """Raises NotFound."""

        def delete(known: _Everything, pipeline: Any, _id: int) -> int:
            pipeline.delete(_translation(known, id).name)
            return id

        return self._change(delete)

    def export(self) -> bytes:
        """Return everything, as JSON compressed by bz2."""
        known = _answered(self._read)
        document = {
            "items": [[item.id, item.system, item.key, item.value] for item in known.items.values()],
            "translations": [[each.id, each.source.id, each.target.id] for each in known.translations.values()],
        }
        return bz2.compress(json.dumps(document).encode())

    def replace(self, exported: bytes) -> tuple[int, int]:
        """
        Make the dictionary what was exported, and return how many entries and translations it has.

        Raises:
            BadRequest: It was never exported by `export`.
        """
        wanted = _parse(exported)

        def replace(known: _Everything, pipeline: Any, _id: int) -> tuple[int, int]:
            for old in known.translations.values():
                pipeline.delete(old.name)
            pipeline.delete(ITEMS)
            for item in wanted.items.values():
                pipeline.hset(ITEMS, str(item.id), item.text)
            for each in wanted.translations.values():
                _store(pipeline, each)
            # No id is given twice: somebody may have noted one that is gone.
            pipeline.set(_LAST_ITEM, max(self.last_ids()[0], *wanted.items, 0))
            pipeline.set(_LAST_TRANSLATION, max(self.last_ids()[1], *wanted.translations, 0))
            return len(wanted.items), len(wanted.translations)

        return self._change(replace)

    def _change(self, make: Callable[[_Everything, Any, int], T], counter: str = "") -> T:
        """Read all, check, and change in one transaction; again when somebody else was quicker."""

        def attempt() -> T:
            with self._conn.pipeline() as opened:
                pipeline: Any = opened
                while True:
                    try:
                        pipeline.watch(_REVISION)
                        known = self._read()
                        new_id = int(self._conn.get(counter) or 0) + 1 if counter else 0
                        pipeline.multi()
                        made = make(known, pipeline, new_id)
                        if counter:
                            pipeline.set(counter, new_id)
                        pipeline.incr(_REVISION)
                        pipeline.execute()
                    except redis.WatchError:
                        continue
                    return made

        return _answered(attempt)

    def _read(self) -> _Everything:
        stored: Any = self._conn.hgetall(ITEMS)
        items = {item.id: item for item in map(_parse_item, stored.items()) if item is not None}
        names = list(self._conn.scan_iter(match=f"{TRANSLATION}{_SEPARATOR}*", count=1000))
        with self._conn.pipeline(transaction=False) as pipeline:
            for name in names:
                pipeline.hmget(name, "id", "id1", "id2")
            found = pipeline.execute() if names else []
        translations = {}
        for id, id1, id2 in found:
            if None not in (id, id1, id2) and int(id1) in items and int(id2) in items:
                translations[int(id)] = Translation(int(id), items[int(id1)], items[int(id2)])
        return _Everything(items, translations)


def _answered(work: Callable[[], T]) -> T:
    try:
        return work()
    except redis.RedisError as exc:
        raise Unavailable("The data dictionary cannot be used now: Redis does not answer") from exc


def _parse_item(pair: tuple[bytes, bytes]) -> Item | None:
    parts = pair[1].decode(errors="replace").split(_SEPARATOR)
    return Item(int(pair[0]), *parts) if len(parts) == 3 else None


def _check(system: str, key: str, value: str) -> None:
    for name, text in (("system", system), ("key", key)):
        if not _NAME.fullmatch(text):
            raise BadRequest(f"'{name}' takes letters, digits and '_', not {text!r:.80}")
    if not value or len(value) > _MAX_VALUE_CHARACTERS or _SEPARATOR in value or not value.isprintable():
        raise BadRequest(f"'value' takes 1 to {_MAX_VALUE_CHARACTERS} printable characters without {_SEPARATOR}")


def _check_new_item(known: _Everything, item: Item) -> None:
    if any(each.text == item.text and each.id != item.id for each in known.items.values()):
        raise AlreadyExists(f"The dictionary has '{item.value}' for '{item.key}' of '{item.system}' already")


def _check_new_translation(known: _Everything, translation: Translation) -> None:
    if any(each.name == translation.name and each.id != translation.id for each in known.translations.values()):
        source, target = translation.source, translation.target
        raise AlreadyExists(
            f"'{source.value}' of '{source.system}' is translated to a '{target.key}' of '{target.system}' already"
        )


def _item(known: _Everything, id: int) -> Item:
    if id not in known.items:
        raise NotFound(f"The dictionary has no entry {id}")
    return known.items[id]


def _translation(known: _Everything, id: int) -> Translation:
    if id not in known.translations:
        raise NotFound(f"The dictionary has no translation {id}")
    return known.translations[id]


def _find(known: _Everything, wanted: tuple[str, str, str]) -> Item:
    for item in known.items.values():
        if (item.system, item.key, item.value) == wanted:
            return item
    raise NotFound("The dictionary has no '{2:.80}' for '{1:.80}' of '{0:.80}': make that entry first".format(*wanted))


def _translations_of(known: _Everything, id: int) -> Iterator[Translation]:
    return (each for each in known.translations.values() if id in (each.source.id, each.target.id))


def _store(pipeline: Any, translation: Translation) -> None:
    pipeline.hset(translation.name, mapping=translation.fields)


def _parse(exported: bytes) -> _Everything:
    try:
        decompressor = bz2.BZ2Decompressor()
        text = decompressor.decompress(exported, _MAX_IMPORT_BYTES)
        if not decompressor.eof:
            raise ValueError("it is cut off, or too large")
        document = json.loads(text)
        items = {int(id): Item(int(id), system, key, value) for id, system, key, value in document["items"]}
        ends = [(int(id), int(id1), int(id2)) for id, id1, id2 in document["translations"]]
        translations = {id: Translation(id, items[id1], items[id2]) for id, id1, id2 in ends}
        for item in items.values():
            _check(item.system, item.key, item.value)
    except (OSError, ValueError, TypeError, KeyError, EOFError, BadRequest) as exc:
        raise BadRequest(f"This is no exported data dictionary: {exc}") from exc
    if min([1, *items, *translations]) < 1:
        raise BadRequest("This is no exported data dictionary: its ids begin with 1")
    if len({item.text for item in items.values()}) < len(items):
        raise BadRequest("This is no exported data dictionary: an entry is there twice")
    return _Everything(items, translations)
