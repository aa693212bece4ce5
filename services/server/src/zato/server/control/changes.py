"""The change log: each transaction that changes the configuration gets the next version and says what it changed."""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from zato.server.odb.tables import AuditRow, ChangeRow, ConfigVersion

# The kind under which the log names files of services and registered kinds, which are no objects.
DEPLOYMENT = "deployment"
KIND = "kind"


@dataclass(frozen=True, slots=True)
class Author:
    """Who makes a change: `name` goes into the audit log, `cid` finds the request that did it."""

    name: str
    cid: str


def lock_changes(session: Session) -> None:
    """
    Keep others from changing anything until the end of the transaction: for who reads first what it then changes.

    Without it two changes of one object at once would both begin with the old one, and the later would undo the other.
    """
    session.execute(select(ConfigVersion.id).with_for_update())


def next_version(session: Session, count: int = 1) -> int:
    """
    Take the next version of the configuration, or the next `count` of them, and return the last one.

    The row stays locked until the end of the transaction, so versions are committed in their order,
    and whoever has read version n has seen everything up to n.
    """
    statement = update(ConfigVersion).where(ConfigVersion.id == 1).values(version=ConfigVersion.version + count)
    return session.execute(statement.returning(ConfigVersion.version)).scalar_one()


def current_version(session: Session) -> int:
    return session.execute(select(ConfigVersion.version)).scalar_one()


def oldest_logged_version(session: Session) -> int:
    return session.execute(select(func.min(ChangeRow.version))).scalar_one() or 0


def changes_since(session: Session, version: int) -> list[ChangeRow]:
    return list(session.execute(select(ChangeRow).where(ChangeRow.version > version).order_by(ChangeRow.version)).scalars())


def record(
    session: Session,
    author: Author,
    *,
    version: int,
    action: str,
    kind: str,
    name: str,
    object_id: int | None = None,
    before: Mapping[str, object] | None = None,
    after: Mapping[str, object] | None = None,
) -> None:
    """Write the change and its audit entry. `before` and `after` hold no secrets."""
    session.add(ChangeRow(version=version, action=action, kind=kind, name=name, object_id=object_id))
    session.add(
        AuditRow(
            actor=author.name,
            cid=author.cid,
            action=action,
            kind=kind,
            name=name,
            version=version,
            before=dict(before) if before is not None else None,
            after=dict(after) if after is not None else None,
        )
    )
