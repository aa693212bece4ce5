"""The change log: each transaction that changes the configuration gets the next version and says what it changed."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from zato.server.accounts.identity import Identity
from zato.server.control.audit_chain import OK, Entry, append
from zato.server.odb.tables import ChangeRow, ConfigVersion

# The kind under which the log names files of services and registered kinds, which are no objects.
DEPLOYMENT = "deployment"
KIND = "kind"


@dataclass(frozen=True, slots=True)
class Author:
    """
    Who makes a change, as the audit log has it.

    Args:
        cid: Finds the request that did it.
        address: Where they come from; "" when that is the server itself.
        service: The admin service that they invoked, "" when it was none.
        identity: Their account, and so what they may do; None of parts of the cluster.
    """

    name: str
    cid: str
    address: str = ""
    service: str = ""
    identity: Identity | None = None


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
    secrets: Collection[str] = (),
) -> None:
    """
    Write the change and its audit entry. `before` and `after` hold no secrets; `secrets` names those that changed.

    Of what was there and is there still, the fields that changed are kept.
    """
    session.add(ChangeRow(version=version, action=action, kind=kind, name=name, object_id=object_id))
    if before is not None and after is not None:
        before, after = changed_fields(before, after, secrets)
    entry = Entry(
        actor=author.name,
        address=author.address,
        service=author.service,
        cid=author.cid,
        action=action,
        kind=kind,
        name=name,
        object_id=object_id,
        version=version,
        before=before,
        after=after,
    )
    append(session, entry)


def changed_fields(
    before: Mapping[str, object], after: Mapping[str, object], secrets: Collection[str]
) -> tuple[dict[str, object], dict[str, object]]:
    """Return what differs, before and after. `secrets` are masked in both, and changed all the same."""
    names = [name for name in {**before, **after} if name in secrets or before.get(name) != after.get(name)]
    return {name: before[name] for name in names if name in before}, {name: after[name] for name in names if name in after}


def audit(
    session: Session,
    author: Author,
    action: str,
    *,
    kind: str,
    name: str,
    result: str = OK,
    details: str = "",
    before: Mapping[str, object] | None = None,
    after: Mapping[str, object] | None = None,
) -> None:
    """Write down what somebody did, or was kept from, that changes no configuration."""
    entry = Entry(
        actor=author.name,
        address=author.address,
        service=author.service,
        cid=author.cid,
        action=action,
        kind=kind,
        name=name[:200],
        result=result,
        details=details,
        before=before,
        after=after,
        version=current_version(session),
    )
    append(session, entry)
