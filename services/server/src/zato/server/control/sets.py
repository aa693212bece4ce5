"""Whole sets of objects: what would change, and changing it in one transaction, all or nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from zato.common.bus import Bus
from zato.common.errors import Conflict
from zato.common.secrets import MASK, SecretBox
from zato.server.control.changes import Author, current_version, lock_changes, next_version, record
from zato.server.control.kinds import Kinds
from zato.server.control.objects import in_parts, load_references
from zato.server.control.planning import (
    CREATE,
    DELETE,
    Key,
    ObjectState,
    Plan,
    PlannedChange,
    Pruning,
    WantedObject,
    make_plan,
    with_defaults,
)
from zato.server.odb.database import Database
from zato.server.odb.tables import ObjectRow, ReferenceRow


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All objects at one version of the configuration."""

    version: int
    states: Mapping[Key, ObjectState]


class ObjectSets:
    """
    Args:
        topic: Of the bus; told the new version after a set was applied.
    """

    def __init__(self, database: Database, kinds: Kinds, box: SecretBox, bus: Bus, topic: str) -> None:
        self._database = database
        self._kinds = kinds
        self._box = box
        self._bus = bus
        self._topic = topic

    def read(self) -> Snapshot:
        """Return all objects, secrets in clear."""
        with self._database.reading() as session:
            return Snapshot(current_version(session), self._states(session, self._rows(session)))

    def plan(self, wanted: Sequence[WantedObject], pruning: Pruning) -> tuple[int, Plan]:
        """Return the version that was compared with, and what `apply` would do."""
        snapshot = self.read()
        return snapshot.version, make_plan(snapshot.states, wanted, self._kinds.registry, pruning)

    def apply(
        self, wanted: Sequence[WantedObject], pruning: Pruning, author: Author, planned_at: int | None = None
    ) -> tuple[int, Plan]:
        """
        Make the configuration the wanted one. Nothing is changed when the plan has problems.

        The changes get consecutive versions in one transaction: nobody ever sees one in between.

        Args:
            planned_at: The version that somebody saw a plan for, and agreed to.

        Returns:
            The version then, and what was done.

        Raises:
            Conflict: The configuration is at another version than `planned_at`.
        """
        with self._database.transaction() as session:
            lock_changes(session)
            version = current_version(session)
            if planned_at not in (None, version):
                raise Conflict(
                    f"The configuration was changed meanwhile, from version {planned_at} to {version}: look at a new plan"
                )
            rows = self._rows(session)
            plan = make_plan(self._states(session, rows), wanted, self._kinds.registry, pruning)
            if plan.problems or not plan.changes:
                return version, plan
            version = self._write(session, plan, rows, author)
        self._bus.publish(self._topic, str(version))
        return version, plan

    def _rows(self, session: Session) -> dict[Key, ObjectRow]:
        rows = session.execute(select(ObjectRow).order_by(ObjectRow.kind, ObjectRow.name)).scalars()
        return {(row.kind, row.name): row for row in rows if row.kind in self._kinds.registry}

    def _states(self, session: Session, rows: Mapping[Key, ObjectRow]) -> dict[Key, ObjectState]:
        references = load_references(session)
        return {key: self._state(row, references.get(row.id, {})) for key, row in rows.items()}

    def _state(self, row: ObjectRow, references: Mapping[str, str]) -> ObjectState:
        kind = self._kinds.registry.get(row.kind)
        secrets = {name: self._box.decrypt(token) for name, token in row.secrets.items()}
        options = {**row.data, **secrets, **dict.fromkeys(kind.references, ""), **references}
        return ObjectState(kind, row.name, row.is_active, with_defaults(kind, options))

    def _write(self, session: Session, plan: Plan, rows: Mapping[Key, ObjectRow], author: Author) -> int:
        last = next_version(session, len(plan.changes))
        versioned = list(enumerate(plan.changes, last - len(plan.changes) + 1))
        written = dict(rows)
        for version, change in versioned:
            if change.after is not None:
                written[change.after.key] = self._write_row(session, change, rows.get(change.after.key), version)
        session.flush()
        kept = [change.state for change in plan.changes if change.action != DELETE]
        _write_references(session, plan, [(written[state.key].id, state) for state in kept], written)
        # By now nothing that stays refers to what goes.
        gone = [written[change.state.key].id for change in plan.changes if change.action == DELETE]
        for ids in in_parts(gone):
            session.execute(delete(ReferenceRow).where(ReferenceRow.source_id.in_(ids)))
        for ids in in_parts(gone):
            session.execute(delete(ObjectRow).where(ObjectRow.id.in_(ids)))
        for version, change in versioned:
            _record(session, author, version, change, written[change.state.key])
        return last

    def _write_row(self, session: Session, change: PlannedChange, row: ObjectRow | None, version: int) -> ObjectRow:
        state = change.after
        assert state is not None
        values = {name: value for name, value in state.options.items() if name not in state.kind.references}
        secrets = {name: str(values.pop(name)) for name in state.kind.secret_names}
        if row is None:
            row = ObjectRow(kind=state.kind.name, name=state.name, is_active=True, version=version, data={}, secrets={})
            session.add(row)
        old = change.before.options if change.before else {}
        row.is_active, row.version, row.data = state.is_active, version, values
        row.secrets = {
            name: row.secrets[name] if name in row.secrets and old.get(name) == secret else self._box.encrypt(secret)
            for name, secret in secrets.items()
        }
        return row


def _write_references(
    session: Session, plan: Plan, changed: Sequence[tuple[int, ObjectState]], rows: Mapping[Key, ObjectRow]
) -> None:
    for ids in in_parts([source_id for source_id, _ in changed]):
        session.execute(delete(ReferenceRow).where(ReferenceRow.source_id.in_(ids)))
    for source_id, state in changed:
        for option, kinds in state.kind.references.items():
            if name := state.options.get(option):
                (target,) = (rows[kind, name] for kind in kinds if (kind, name) in plan.states)
                session.add(ReferenceRow(source_id=source_id, option=option, target_id=target.id))
    session.flush()


def _record(session: Session, author: Author, version: int, change: PlannedChange, row: ObjectRow) -> None:
    before, after = _audited(change.before), _audited(change.after)
    kind, name = change.state.key
    ids = {"id": row.id}
    record(
        session,
        author,
        version=version,
        action=change.action,
        kind=kind,
        name=name,
        object_id=row.id,
        before=None if change.action == CREATE else {**ids, **before},
        after=None if change.action == DELETE else {**ids, **after},
        secrets=_changed_secrets(change),
    )


def _changed_secrets(change: PlannedChange) -> list[str]:
    old, new = change.before, change.after
    if old is None or new is None:
        return []
    return [name for name in new.kind.secret_names if old.options.get(name) != new.options.get(name)]


def _audited(state: ObjectState | None) -> dict[str, Any]:
    if state is None:
        return {}
    options = {**state.options, **dict.fromkeys(state.kind.secret_names, MASK)}
    return {"name": state.name, "is_active": state.is_active, **options}
