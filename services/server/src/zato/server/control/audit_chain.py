"""
The audit log as a chain: each row carries a hash over what it says and over the hash of the row before it.

Whoever changes, removes or inserts a row would have to make all later ones anew, and the head's copy of the newest hash.
Who notes a hash elsewhere from time to time can prove even that: see `Expected`.
"""

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from zato.server.odb.database import Database
from zato.server.odb.tables import AuditHead, AuditRow

# What came of it. What changes nothing in the ODB is written down before it is made, since no transaction spans both.
OK, BEGUN, REFUSED, FAILED = "ok", "begun", "refused", "failed"
RESULTS = (OK, BEGUN, REFUSED, FAILED)

CHAIN_KIND = "audit-log"
PRUNE = "prune"

_HEAD = "audit_head"
_AT_ONCE = 2000
_MOST_PROBLEMS = 100
_LOOK_EVERY_S = 3600.0
# What a hash is made of. A field that is empty is left out, so that one which is added later changes no older hash.
_HASHED = (
    "id",
    "actor",
    "address",
    "service",
    "action",
    "kind",
    "name",
    "object_id",
    "version",
    "result",
    "details",
    "before",
    "after",
    "cid",
)
_EMPTY = ("", None)
_SEARCHED = ("actor", "service", "kind", "name", "details", "cid")


@dataclass(frozen=True, slots=True)
class Entry:
    """
    What is to be written down.

    Args:
        service: The admin service that did it, "" when it was none.
        details: Why it was refused, or failed.
        before: The fields that changed as they were, secrets masked; None of what is new.
        after: The same as they are now; None of what is gone.
    """

    actor: str
    cid: str
    action: str
    kind: str
    name: str
    address: str = ""
    service: str = ""
    object_id: int | None = None
    version: int = 0
    result: str = OK
    details: str = ""
    before: Mapping[str, object] | None = None
    after: Mapping[str, object] | None = None


@dataclass(frozen=True, slots=True)
class Problem:
    """
    Args:
        id: The row that it was found at; 0 when it is none.
        what: "tampered", "removed", "inserted" or "head".
    """

    id: int
    what: str
    message: str


@dataclass(frozen=True, slots=True)
class Expected:
    """A row's hash that somebody noted elsewhere: it proves that nobody has made the whole chain anew."""

    id: int
    hash: str


@dataclass(frozen=True, slots=True)
class Verified:
    """
    Args:
        rows: How many were looked at.
        last_id: The newest row, whose `last_hash` is worth noting elsewhere.
    """

    rows: int
    first_id: int
    last_id: int
    last_hash: str
    problems: tuple[Problem, ...] = field(default=())

    @property
    def is_ok(self) -> bool:
        return not self.problems


def append(session: Session, entry: Entry) -> AuditRow:
    """
    Add a row to the chain, in the transaction of what it tells of.

    The head stays locked until that ends, so rows are chained in the order in which they are committed. Who locks the
    configuration too has to do that first.
    """
    head = _lock_head(session)
    values: dict[str, Any] = asdict(entry)
    values["details"] = values["details"].replace("\0", "")
    row = AuditRow(id=head.last_id + 1, created_at=datetime.now(UTC), previous_hash=head.last_hash, **_as_stored(values))
    row.searched = searched_text(values)
    row.hash = digest(_content(row), row.created_at, row.previous_hash)
    session.add(row)
    head.last_id, head.last_hash = row.id, row.hash
    return row


def searched_text(content: Mapping[str, Any]) -> str:
    """Return what a text is looked for in, in small letters."""
    return "\n".join(content[name] for name in _SEARCHED if content[name]).lower()


def _as_stored(values: dict[str, Any]) -> dict[str, Any]:
    """What comes back from a JSON column is hashed: lists for tuples, texts for keys."""
    for name in ("before", "after"):
        if values[name] is not None:
            values[name] = json.loads(json.dumps(values[name]))
    return values


def _lock_head(session: Session) -> AuditHead:
    # Once in a transaction: thousands of objects are changed in one.
    head: AuditHead | None = session.info.get(_HEAD)
    if head is None:
        head = session.execute(select(AuditHead).with_for_update()).scalar_one()
        session.info[_HEAD] = head
    return head


def digest(content: Mapping[str, Any], created_at: datetime, previous_hash: str) -> str:
    """Return a row's hash. `content` has the fields of a row by their names; others, and empty ones, count for nothing."""
    said = {name: content[name] for name in _HASHED if content.get(name) not in _EMPTY}
    said["created_at"] = created_at.astimezone(UTC).isoformat(timespec="microseconds")
    text = json.dumps(said, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(f"{previous_hash}\n{text}".encode()).hexdigest()


def _content(row: Any) -> dict[str, Any]:
    return {name: getattr(row, name) for name in _HASHED}


def verify(database: Database, expected: Expected | None = None, pause: Callable[[], object] = lambda: None) -> Verified:
    """
    Look at the whole chain. At most a hundred problems are told.

    Args:
        pause: Called now and then, so that others have their turn.
    """
    with database.reading() as session:
        head = session.execute(select(AuditHead)).scalar_one()
        walk = _Walk(_checkpoint(session), expected)
        for row in _rows(session, pause):
            walk.look_at(row)
        walk.end_at(head)
    return Verified(walk.rows, walk.first_id, head.last_id, head.last_hash, tuple(walk.problems))


def _rows(session: Session, pause: Callable[[], object]) -> Iterator[Any]:
    columns = [getattr(AuditRow, name) for name in (*_HASHED, "created_at", "searched", "previous_hash", "hash")]
    last_id = None
    while True:
        statement = select(*columns).order_by(AuditRow.id).limit(_AT_ONCE)
        if last_id is not None:
            statement = statement.where(AuditRow.id > last_id)
        page = session.execute(statement).all()
        yield from page
        if len(page) < _AT_ONCE:
            return
        last_id = page[-1].id
        pause()


def _checkpoint(session: Session) -> Expected:
    """Return the newest row that was pruned, as the chain itself tells; the beginning of the chain when none was."""
    statement = select(AuditRow.after).where(AuditRow.kind == CHAIN_KIND, AuditRow.action == PRUNE)
    after: Any = session.execute(statement.order_by(AuditRow.id.desc()).limit(1)).scalar_one_or_none()
    after = after if isinstance(after, dict) else {}
    return Expected(int(after.get("last_id", 0)), str(after.get("last_hash", "")))


class _Walk:
    """From row to row. After a problem it goes on from what the row says of itself: one problem is told once."""

    def __init__(self, checkpoint: Expected, expected: Expected | None) -> None:
        self.rows = 0
        self.first_id = 0
        self.problems: list[Problem] = []
        self._before = checkpoint
        self._expected = expected

    def look_at(self, row: Any) -> None:
        self.rows += 1
        self.first_id = self.first_id or row.id
        said = row._mapping
        # By a wrong text the row would not be found.
        is_genuine = row.hash == digest(said, row.created_at, row.previous_hash) and row.searched == searched_text(said)
        if not is_genuine:
            self._add(row.id, "tampered", f"row {row.id} does not say what it said when it was written")
        if row.previous_hash != self._before.hash and not self._is_follow_up:
            self._tell_of_gap(row, is_genuine=is_genuine)
        if self._expected is not None and row.id == self._expected.id and row.hash != self._expected.hash:
            self._add(row.id, "tampered", f"row {row.id} has another hash than the one that was noted of it")
        self._before = Expected(row.id, row.hash)

    @property
    def _is_follow_up(self) -> bool:
        """Whether the row before has another hash only because somebody computed it anew: that is told already."""
        return bool(self.problems) and self.problems[-1].id == self._before.id and self.problems[-1].what == "tampered"

    def _tell_of_gap(self, row: Any, *, is_genuine: bool) -> None:
        if row.id > self._before.id + 1:
            first, last = self._before.id + 1, row.id - 1
            which = f"row {first} is" if first == last else f"rows {first} to {last} are"
            self._add(first, "removed", f"{which} missing before row {row.id}")
        elif is_genuine:
            message = f"row {row.id} does not follow row {self._before.id}: one of them was put there, or made anew"
            self._add(row.id, "inserted", message)

    def end_at(self, head: AuditHead) -> None:
        if self._before.id > head.last_id:
            self._add(self._before.id, "inserted", f"row {self._before.id} is newer than the last one written, {head.last_id}")
        elif self._before.id < head.last_id:
            first = self._before.id + 1
            which = f"row {first} is" if first == head.last_id else f"rows {first} to {head.last_id} are"
            self._add(first, "removed", f"{which} missing at the end")
        elif self._before.hash != head.last_hash and not self._is_follow_up:
            self._add(head.last_id, "head", f"row {head.last_id} is not the one that was written last")
        if self._expected is not None and self._expected.id > head.last_id:
            self._add(self._expected.id, "removed", f"row {self._expected.id}, whose hash was noted, is missing")

    def _add(self, id: int, what: str, message: str) -> None:
        if len(self.problems) < _MOST_PROBLEMS:
            self.problems.append(Problem(id, what, message))


def prune(database: Database, days: float, author: Entry) -> int:
    """
    Remove rows that are older than so many days, and return how many. The chain then begins at a checkpoint: a row that
    says up to where, and with which hash.

    Args:
        author: Who does it; action and fields are added here.
    """
    before = datetime.now(UTC) - timedelta(days=days)
    with database.transaction() as session:
        _lock_head(session)
        # By id, not by time: a clock that went back must not tear a hole into the chain.
        kept = select(func.min(AuditRow.id)).where(AuditRow.created_at >= before)
        first_kept = session.execute(kept).scalar_one()
        old = select(AuditRow.id, AuditRow.hash).order_by(AuditRow.id.desc()).limit(1)
        if first_kept is not None:
            old = old.where(AuditRow.id < first_kept)
        newest = session.execute(old).one_or_none()
        if newest is None:
            return 0
        count = session.execute(delete(AuditRow).where(AuditRow.id <= newest.id)).rowcount  # type: ignore[attr-defined]
        after = {"last_id": newest.id, "last_hash": newest.hash, "rows": count, "older_than": before.isoformat()}
        values = {**asdict(author), "action": PRUNE, "kind": CHAIN_KIND, "after": after}
        append(session, Entry(**values))
        return int(count)


class Retention:
    """
    Prunes by itself. So that there is not a checkpoint for each row that grows too old, rows are kept for up to a day longer,
    and go together.

    Args:
        days: For how long rows are kept; 0 for ever.
        author: In whose name.
    """

    def __init__(self, database: Database, days: float, author: Entry) -> None:
        self._database = database
        self._days = days
        self._author = author
        self._looked_at = float("-inf")

    def sweep(self) -> int:
        """Look once an hour, and return how many rows were removed."""
        if not self._days or time.monotonic() - self._looked_at < _LOOK_EVERY_S:
            return 0
        self._looked_at = time.monotonic()
        with self._database.reading() as session:
            oldest = session.execute(select(AuditRow.created_at).order_by(AuditRow.id).limit(1)).scalar_one_or_none()
        if oldest is None or oldest > datetime.now(UTC) - timedelta(days=self._days + 1):
            return 0
        return prune(self._database, self._days, self._author)
