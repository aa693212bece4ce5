"""Creating, changing and deleting objects: one transaction for each change, then a nudge to everyone who follows."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session, aliased

from zato.common.bus import Bus
from zato.common.errors import AlreadyExists, Conflict, InvalidOptions, NotFound, ZatoError
from zato.common.kinds import Kind
from zato.common.logs import get_logger
from zato.common.options import option_values, parse_options
from zato.common.secrets import MASK, SecretBox
from zato.common.spelling import did_you_mean
from zato.server.control.changes import Author, current_version, lock_changes, next_version, record
from zato.server.control.kinds import Kinds
from zato.server.control.state import ConfigObject
from zato.server.odb.database import Database
from zato.server.odb.tables import ObjectRow, ReferenceRow

log = get_logger(__name__)

_MAX_NAME_CHARACTERS = 200
_MAX_ID = 2**31 - 1

# Lists of so many kinds are kept at hand.
_KEPT_LISTS = 8

# SQLite takes so many parameters in one statement, and more.
_AT_ONCE = 500

Values = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _List:
    """The objects of a kind, as they are in this version of the configuration."""

    version: int
    kind: Kind
    objects: list[dict[str, Any]]


class Objects:
    """
    Args:
        topic: Of the bus; told the new version after each change.
    """

    def __init__(self, database: Database, kinds: Kinds, box: SecretBox, bus: Bus, topic: str) -> None:
        self._database = database
        self._kinds = kinds
        self._box = box
        self._bus = bus
        self._topic = topic
        self._lists: dict[str, _List] = {}

    def create(self, kind_name: str, values: Values, author: Author) -> dict[str, Any]:
        """
        Create an object from its name, `is_active` and options by name.

        Raises:
            InvalidOptions: Names every option that does not fit.
            AlreadyExists: One of that name, or with the same values where they have to be unique, exists.
        """
        kind = self._kinds.registry.get(kind_name)
        name, is_active, given = split_values(kind, values)
        options: object = stored_after(kind.parse(given, what=f"{kind.name} '{name}'"), None, kind, name)
        with self._database.transaction() as session:
            version = next_version(session)
            if _find(session, kind, name) is not None:
                raise AlreadyExists(
                    f"There is already a {kind.name} named '{name}': choose another name", kind=kind.name, name=name
                )
            row = ObjectRow(kind=kind.name, name=name, is_active=is_active, version=version, data={}, secrets={})
            session.add(row)
            self._store(session, kind, row, options)
            after = _audited(session, kind, row)
            record(session, author, version=version, action="create", kind=kind.name, name=name, object_id=row.id, after=after)
        return self._changed(row, version)

    def edit(self, kind_name: str, values: Values, author: Author) -> dict[str, Any]:
        """
        Change the given options of an object and keep the others. An edit that changes nothing makes no new version.

        Args:
            values: `name` or `id` says which; `new_name` renames it.

        Raises:
            NotFound, InvalidOptions, AlreadyExists: See `create`.
        """
        kind = self._kinds.registry.get(kind_name)
        with self._database.transaction() as session:
            lock_changes(session)
            row = _get(session, kind, values)
            wanted = {**self._current(session, kind, row), **{key: value for key, value in values.items() if key != "id"}}
            wanted["name"] = wanted.pop("new_name", row.name)
            name, is_active, given = split_values(kind, wanted)
            options: object = kind.parse(given, what=f"{kind.name} '{name}'")
            options = stored_after(options, self._options(session, kind, row), kind, name)
            old, new = self._current_options(session, kind, row), option_values(options)
            if (name, is_active, new) == (row.name, row.is_active, old):
                return {"id": row.id, "name": row.name, "version": row.version, "is_changed": False}
            before = _audited(session, kind, row)
            version = next_version(session)
            if name != row.name and _find(session, kind, name) is not None:
                raise AlreadyExists(
                    f"There is already a {kind.name} named '{name}': choose another name", kind=kind.name, name=name
                )
            row.name, row.is_active, row.version = name, is_active, version
            self._store(session, kind, row, options)
            after = _audited(session, kind, row)
            record(
                session,
                author,
                version=version,
                action="edit",
                kind=kind.name,
                name=name,
                object_id=row.id,
                before=before,
                after=after,
                secrets=[secret for secret in kind.secret_names if old.get(secret) != new.get(secret)],
            )
        return self._changed(row, version)

    def delete(self, kind_name: str, values: Values, author: Author) -> dict[str, Any]:
        """
        Raises:
            NotFound: There is none.
            Conflict: Another object uses it; the message says which.
        """
        kind = self._kinds.registry.get(kind_name)
        with self._database.transaction() as session:
            version = next_version(session)
            row = _get(session, kind, values)
            users = [f"{user} '{name}'" for _, user, name in _users(session, row)]
            if users:
                raise Conflict(f"{kind.name} '{row.name}' is used by {', '.join(users)}: change or delete these first")
            before = _audited(session, kind, row)
            record(
                session,
                author,
                version=version,
                action="delete",
                kind=kind.name,
                name=row.name,
                object_id=row.id,
                before=before,
            )
            session.delete(row)
        return self._changed(row, version)

    def get(self, kind_name: str, values: Values) -> dict[str, Any]:
        """Return an object with all options but its secrets. Raises NotFound."""
        kind = self._kinds.registry.get(kind_name)
        with self._database.reading() as session:
            return _public(session, kind, _get(session, kind, values))

    def get_list(self, kind_name: str) -> list[dict[str, Any]]:
        """Return all objects of a kind, by name. Pages that stay open ask often, so it is kept for as long as it is true."""
        kind = self._kinds.registry.get(kind_name)
        with self._database.reading() as session:
            version = current_version(session)
            kept = self._lists.get(kind.name)
            if kept is None or kept.version != version or kept.kind is not kind:
                kept = _List(version, kind, self._read_list(session, kind))
        self._keep(kept)
        # Whoever asked may change what they got.
        return [dict(each) for each in kept.objects]

    def _keep(self, kept: _List) -> None:
        # The first one is that which nobody asked for the longest.
        self._lists.pop(kept.kind.name, None)
        self._lists[kept.kind.name] = kept
        if len(self._lists) > _KEPT_LISTS:
            del self._lists[next(iter(self._lists))]

    def _read_list(self, session: Session, kind: Kind) -> list[dict[str, Any]]:
        rows = session.execute(select(ObjectRow).where(ObjectRow.kind == kind.name).order_by(ObjectRow.name)).scalars()
        sources = select(ObjectRow.id).where(ObjectRow.kind == kind.name)
        references = load_references(session, ReferenceRow.source_id.in_(sources)) if kind.references else {}
        return [_shown(row, _references_of(kind, references.get(row.id, {}))) for row in rows]

    def get_users(self, kind_name: str, values: Values) -> list[dict[str, Any]]:
        """Return the objects that refer to this one, which can't be deleted while they do. Raises NotFound."""
        kind = self._kinds.registry.get(kind_name)
        with self._database.reading() as session:
            found = _users(session, _get(session, kind, values))
        return [{"id": id, "kind": user_kind, "name": name} for id, user_kind, name in found]

    def load(self, session: Session, ids: Sequence[int] | None = None) -> dict[int, ConfigObject]:
        """
        Return what workers and other parts run with, by ids: options checked, secrets decrypted.

        An object that can't be read, of a kind nobody declares any more for one, is logged and keeps no others from loading.

        Args:
            ids: Only these objects, as far as they exist; None for all.
        """
        loaded: dict[int, ConfigObject] = {}
        for some in [None] if ids is None else in_parts(ids):
            rows = select(ObjectRow) if some is None else select(ObjectRow).where(ObjectRow.id.in_(some))
            references = load_references(session, None if some is None else ReferenceRow.source_id.in_(some))
            for row in session.execute(rows).scalars():
                try:
                    loaded[row.id] = self._loaded(row, references.get(row.id, {}))
                except ZatoError as exc:
                    log.error("object_not_usable", kind=row.kind, name=row.name, error=exc.message)
        return loaded

    def _loaded(self, row: ObjectRow, references: Mapping[str, str]) -> ConfigObject:
        kind = self._kinds.registry.get(row.kind)
        options = self._parsed(kind, row, self._stored_options(row, _references_of(kind, references)))
        return ConfigObject(row.id, row.kind, row.name, row.is_active, row.version, options)

    def _changed(self, row: ObjectRow, version: int) -> dict[str, Any]:
        self._bus.publish(self._topic, str(version))
        return {"id": row.id, "name": row.name, "version": row.version, "config_version": version, "is_changed": True}

    def _store(self, session: Session, kind: Kind, row: ObjectRow, options: object) -> None:
        values = option_values(options)
        references = {name: values.pop(name) for name in kind.references}
        row.secrets = {name: self._box.encrypt(str(values.pop(name))) for name in kind.secret_names}
        row.data = values
        _check_unique(session, kind, row, {**values, **references})
        session.flush()
        _store_references(session, kind, row, references)

    def _options(self, session: Session, kind: Kind, row: ObjectRow) -> object:
        return self._parsed(kind, row, self._current_options(session, kind, row))

    def _parsed(self, kind: Kind, row: ObjectRow, values: Values) -> object:
        options: object = parse_options(kind.options, values, what=f"{row.kind} '{row.name}'")
        return options

    def _current(self, session: Session, kind: Kind, row: ObjectRow) -> dict[str, Any]:
        return {"is_active": row.is_active, **self._current_options(session, kind, row)}

    def _current_options(self, session: Session, kind: Kind, row: ObjectRow) -> dict[str, Any]:
        return self._stored_options(row, _references(session, kind, row))

    def _stored_options(self, row: ObjectRow, references: Mapping[str, str]) -> dict[str, Any]:
        secrets = {name: self._box.decrypt(token) for name, token in row.secrets.items()}
        return {**row.data, **secrets, **references}


def stored_after(options: Any, stored: object | None, kind: Kind, name: str) -> object:
    """
    Return what is kept of the options that someone gave: a class may keep other ones, the hash of a password for one.

    Args:
        stored: What is kept now, None of a new object.
    """
    made: object = options
    if hasattr(options, "stored_after"):
        try:
            made = options.stored_after(stored)
        except ValueError as exc:
            raise InvalidOptions(f"{kind.name} '{name}': {exc}") from exc
    return made


def split_values(kind: Kind, values: Values) -> tuple[str, bool, dict[str, Any]]:
    """Return the name, whether it is active, and the options. Raises InvalidOptions when one of the first two does not fit."""
    given = dict(values)
    name, is_active = given.pop("name", ""), given.pop("is_active", True)
    if not isinstance(name, str) or not name.strip() or len(name) > _MAX_NAME_CHARACTERS or not name.isprintable():
        raise InvalidOptions(
            f"{kind.name}: 'name' takes a text of 1 to {_MAX_NAME_CHARACTERS} printable characters", name="is required"
        )
    if not isinstance(is_active, bool):
        raise InvalidOptions(f"{kind.name} '{name}': 'is_active' takes true or false", is_active="takes true or false")
    return name, is_active, given


def _find(session: Session, kind: Kind, name: str) -> ObjectRow | None:
    return session.execute(select(ObjectRow).where(ObjectRow.kind == kind.name, ObjectRow.name == name)).scalar_one_or_none()


def _get(session: Session, kind: Kind, values: Values) -> ObjectRow:
    if "id" in values:
        object_id = values["id"]
        if isinstance(object_id, bool) or not isinstance(object_id, int):
            raise InvalidOptions(f"{kind.name}: 'id' takes a whole number", id="takes a whole number")
        row = session.get(ObjectRow, object_id) if 0 < object_id <= _MAX_ID else None
        row = row if row is not None and row.kind == kind.name else None
        wanted = f"with id {object_id}"
    else:
        name = str(values.get("name", ""))
        row = _find(session, kind, name) if name.isprintable() else None
        wanted = f"named '{name:.{_MAX_NAME_CHARACTERS}}'"
        if row is None:
            names = session.execute(select(ObjectRow.name).where(ObjectRow.kind == kind.name)).scalars()
            wanted += did_you_mean(name, names)
    if row is None:
        raise NotFound(f"There is no {kind.name} {wanted}", kind=kind.name)
    return row


def _public(session: Session, kind: Kind, row: ObjectRow) -> dict[str, Any]:
    """An object as people may see it: all but its secrets."""
    return _shown(row, _references(session, kind, row))


def _shown(row: ObjectRow, references: Values) -> dict[str, Any]:
    options = {**row.data, **references}
    return {"id": row.id, "name": row.name, "is_active": row.is_active, "version": row.version, **options}


def _audited(session: Session, kind: Kind, row: ObjectRow) -> dict[str, Any]:
    return {**_public(session, kind, row), **dict.fromkeys(row.secrets, MASK)}


def load_references(session: Session, which: ColumnElement[bool] | None = None) -> dict[int, dict[str, str]]:
    """
    Return the names that options refer to, by the ids of the objects that refer: in one look, however many there are.

    Args:
        which: Condition on rows of `ReferenceRow`; None for all.
    """
    statement = select(ReferenceRow.source_id, ReferenceRow.option, ObjectRow.name)
    statement = statement.join(ObjectRow, ObjectRow.id == ReferenceRow.target_id)
    found: dict[int, dict[str, str]] = {}
    for source_id, option, name in session.execute(statement if which is None else statement.where(which)):
        found.setdefault(source_id, {})[option] = name
    return found


def _references(session: Session, kind: Kind, row: ObjectRow) -> dict[str, str]:
    found = load_references(session, ReferenceRow.source_id == row.id) if kind.references else {}
    return _references_of(kind, found.get(row.id, {}))


def _references_of(kind: Kind, found: Mapping[str, str]) -> dict[str, str]:
    """Return what each option that refers says: "" when it names nothing. Of one that the kind has no more nothing is said."""
    return {option: found.get(option, "") for option in kind.references}


def in_parts(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    """Yield ids in parts that a statement can take."""
    return (ids[start : start + _AT_ONCE] for start in range(0, len(ids), _AT_ONCE))


def _store_references(session: Session, kind: Kind, row: ObjectRow, names: Mapping[str, str]) -> None:
    for option, name in names.items():
        stored = session.get(ReferenceRow, (row.id, option))
        if not name:
            if stored is not None:
                session.delete(stored)
            continue
        target = _resolve(session, kind, row, option, name)
        if stored is None:
            session.add(ReferenceRow(source_id=row.id, option=option, target_id=target.id))
        else:
            stored.target_id = target.id
    session.flush()


def _resolve(session: Session, kind: Kind, row: ObjectRow, option: str, name: str) -> ObjectRow:
    kinds = kind.references[option]
    targets = list(session.execute(select(ObjectRow).where(ObjectRow.name == name, ObjectRow.kind.in_(kinds))).scalars())
    if len(targets) == 1:
        return targets[0]
    names = session.execute(select(ObjectRow.name).where(ObjectRow.kind.in_(kinds))).scalars()
    problem = bad_reference(name, kinds, names, len(targets))
    raise InvalidOptions(f"{kind.name} '{row.name}': '{option}' {problem}", **{option: problem})


def bad_reference(name: str, kinds: Sequence[str], names: Iterable[str], count: int) -> str:
    """
    Return what is wrong with an option that refers to another object.

    Args:
        names: Those of all objects that it could refer to.
        count: How many of these are called so; anything but 1.
    """
    if count:
        return f"takes the name of one object, and several are called '{name}': rename all but one"
    hint = did_you_mean(name, names, "; 'zato object list KIND' has those that there are")
    return (
        f"takes the name of a {', '.join(kinds[:-1])}{' or ' * (len(kinds) > 1)}{kinds[-1]}, and none is called '{name}'{hint}"
    )


def _users(session: Session, row: ObjectRow) -> list[tuple[int, str, str]]:
    """Return id, kind and name of each object that refers to this one."""
    source = aliased(ObjectRow)
    statement = select(source.id, source.kind, source.name).join(ReferenceRow, ReferenceRow.source_id == source.id)
    found = session.execute(statement.where(ReferenceRow.target_id == row.id).distinct().order_by(source.kind, source.name))
    return [(id, kind, name) for id, kind, name in found]


def _check_unique(session: Session, kind: Kind, row: ObjectRow, values: Values) -> None:
    """What has to be unique are texts, so the database compares them: there may be many objects."""
    if not kind.unique:
        return
    same = [ObjectRow.data[name].as_string() == values[name] for name in kind.unique]
    # The row itself, when it is a new one, is not to be written for this.
    with session.no_autoflush:
        others = session.execute(select(ObjectRow.id, ObjectRow.name).where(ObjectRow.kind == kind.name, *same))
    for other in others:
        if other.id != row.id:
            shared = ", ".join(f"{name}={values[name]!r}" for name in kind.unique)
            raise AlreadyExists(
                f"{kind.name} '{other.name}' already has {shared}: no two may share these", kind=kind.name, name=other.name
            )
