"""Admin services for the audit log: `zato.audit-log.get-list|get|add|verify|prune`."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import gevent
from sqlalchemy import ColumnElement, Integer, Text, column, select
from sqlalchemy import text as sql

from zato.common.errors import BadRequest, NotFound
from zato.common.options import option, options, parse_options
from zato.common.text_formats import parse_time
from zato.server.accounts.roles import Role
from zato.server.admin.actions import Action, Area, options_schema
from zato.server.admin.pages import NAMES, TAKES, Page, page_schema, read_page
from zato.server.control.audit_chain import BEGUN, CHAIN_KIND, PRUNE, RESULTS, Entry, Expected, prune, verify
from zato.server.control.changes import Author, audit
from zato.server.describe.schemas import array, boolean, integer, nullable, number, record, text
from zato.server.odb.database import Database
from zato.server.odb.tables import SEARCHED_INDEX, AuditRow, UTCDateTime

_MAX_ID = 2**31 - 1
_ID, _CREATED_AT = column("id", Integer), column("created_at", UTCDateTime)
# SQLite takes any other index as soon as something else is given too, and then reads each row that it leads to for its text.
_BY_TEXT = sql(f"{AuditRow.__tablename__} INDEXED BY {SEARCHED_INDEX}")
_MOST_COUNTED = 10_000
_MOST_DAYS = 36_500


@options
class AuditFilter:
    """Which entries are wanted; those that match all that is given."""

    who: str = option("Who did it", default="", max_length=200)
    address: str = option("From where", default="", max_length=100)
    service: str = option("The admin service that did it", default="", max_length=200)
    action: str = option("What was done, e.g. create", default="", max_length=100)
    kind: str = option("Kind of the object", default="", max_length=100)
    name: str = option("Name of the object", default="", max_length=200)
    result: str = option("What came of it", default="", choices=("", *RESULTS))
    cid: str = option("Correlation id of the request", default="", max_length=64)
    since: str = option("At this time or later, ISO 8601, UTC unless it says otherwise", default="", format="date-time")
    until: str = option("Before this time", default="", format="date-time")


@options
class Deed:
    """What is about to be done with a part of the cluster that keeps no audit log itself."""

    kind: str = option("The part", choices=("load-balancer", "certificate-authority", "scheduler", "connector"))
    action: str = option("What is done, e.g. drain", max_length=100)
    name: str = option("What it is done to, e.g. server1", default="", max_length=200)
    details: str = option("With what, e.g. weight 50", default="", max_length=2000)


_AUDIT = Area("Audit")
_ENTRY = record(
    {
        "id": integer("Number of the entry"),
        "created_at": text("When, UTC", format="date-time"),
        "who": text("Who did it"),
        "address": text("From where"),
        "service": text("The admin service that did it"),
        "action": text("What was done, e.g. create"),
        "kind": text("Kind of the object"),
        "name": text("Name of the object"),
        "object_id": nullable(integer("Number of the object; null when it is none")),
        "version": integer("Configuration version that has the change; 0 when it is in none"),
        "result": text("What came of it", enum=list(RESULTS)),
        "details": text("Why it came to nothing"),
        "before": nullable({"type": "object", "description": "What it was before, secrets masked"}),
        "after": nullable({"type": "object", "description": "What it is since, secrets masked"}),
        "cid": text("Correlation id"),
    }
)
_HASHES = {"previous_hash": text("Hash of the entry before"), "hash": text("Hash of this one and of that")}
_EXPECTED = {
    "expected_id": integer("Number of a row of which somebody has noted the hash"),
    "expected_hash": text("The hash that was noted"),
}
_VERIFIED = record(
    {
        "is_ok": boolean("Whether nothing was tampered with"),
        "rows": integer("How many rows were looked at"),
        "first_id": integer("Number of the first one"),
        "last_id": integer("Number of the last one"),
        "last_hash": text("Its hash: note it elsewhere, for the next time"),
        "problems": array(
            record(
                {
                    "id": integer("The row that it was found at; 0 when it is none"),
                    "what": text("tampered, removed, inserted or head"),
                    "message": text("What is wrong"),
                }
            )
        ),
    }
)


def audit_actions() -> dict[str, Action]:
    """Return the actions by the names of their services."""
    return {
        "zato.audit-log.get-list": _AUDIT.action(
            lambda admin, values, _author: find(admin.database, values),
            Role.OPERATOR,
            "Search the audit log, the newest entry first",
            takes=options_schema(AuditFilter, TAKES),
            returns=page_schema(_ENTRY),
        ),
        "zato.audit-log.get": _AUDIT.action(
            lambda admin, values, _author: get(admin.database, values),
            Role.OPERATOR,
            "Return one entry of the audit log, with its hashes",
            takes=record({"id": integer("Number of the entry")}),
            returns=record({**_ENTRY["properties"], **_HASHES}),
        ),
        "zato.audit-log.add": _AUDIT.action(
            lambda admin, values, author: add(admin.database, values, author),
            Role.OPERATOR,
            "Write down what is about to be done with a part of the cluster that keeps no audit log itself",
            takes=options_schema(Deed),
            returns=record({}),
        ),
        "zato.audit-log.verify": _AUDIT.action(
            lambda admin, values, _author: verified(admin.database, values),
            Role.OPERATOR,
            "Check the chain of the audit log, and say which entry was tampered with",
            takes=record(_EXPECTED, optional=_EXPECTED),
            returns=_VERIFIED,
        ),
        "zato.audit-log.prune": _AUDIT.action(
            lambda admin, values, author: pruned(admin.database, values, author),
            Role.ADMIN,
            "Delete entries that are older than they have to be kept",
            takes=record({"days": number("How old they are at least", minimum=1, maximum=_MOST_DAYS)}),
            returns=record({"removed": integer("How many there were")}),
        ),
    }


def find(database: Database, values: Mapping[str, Any]) -> dict[str, Any]:
    """
    Return a page of entries, the newest first. `total` is how many match, up to ten thousand: to count all would take longer
    than to find the ones that are shown. Pages beyond these are there all the same.

    Raises:
        InvalidOptions: Names the filter that does not fit.
    """
    page = read_page(values)
    given = {name: value for name, value in values.items() if value is not None and name not in {*NAMES, "cluster_id"}}
    conditions = _conditions(parse_options(AuditFilter, given, what="entries of the audit log"), page)
    # One look tells both which ones are on the page and how many there are; with a time given its index tells the order.
    order = (_CREATED_AT.desc(), _ID.desc()) if {"since", "until"} & given.keys() else (_ID.desc(),)
    first = 0 if page.start + page.size <= _MOST_COUNTED else page.start
    most = page.size if first else _MOST_COUNTED
    is_sqlite = database.engine.dialect.name == "sqlite"
    table = _BY_TEXT if page.query and is_sqlite else AuditRow.__table__
    statement = select(_ID).select_from(table).where(*conditions).order_by(*order).offset(first).limit(most)
    with database.reading() as session:
        ids = session.execute(statement).scalars().all()
        wanted = ids[page.start - first :][: page.size]
        rows = session.execute(select(AuditRow).where(AuditRow.id.in_(wanted))).scalars().all() if wanted else ()
    return page.answer([_public(row) for row in sorted(rows, key=lambda row: -row.id)], first + len(ids))


def _conditions(wanted: AuditFilter, page: Page) -> list[ColumnElement[bool]]:
    exact = {
        "actor": wanted.who,
        "address": wanted.address,
        "service": wanted.service,
        "action": wanted.action,
        "kind": wanted.kind,
        "name": wanted.name,
        "result": wanted.result,
        "cid": wanted.cid,
    }
    conditions: list[ColumnElement[bool]] = [column(name) == value for name, value in exact.items() if value]
    if wanted.since:
        conditions.append(_utc(wanted.since) <= _CREATED_AT)
    if wanted.until:
        conditions.append(_utc(wanted.until) > _CREATED_AT)
    if page.query:
        conditions.append(column("searched", Text).contains(page.query, autoescape=True))
    return conditions


def _utc(text: str) -> datetime:
    time = parse_time(text)
    return time.replace(tzinfo=time.tzinfo or UTC)


def get(database: Database, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the entry of an `id`, with its hashes. Raises NotFound."""
    id = values.get("id")
    if isinstance(id, bool) or not isinstance(id, int):
        raise BadRequest("'id' takes a whole number")
    with database.reading() as session:
        row = session.get(AuditRow, id) if 0 < id <= _MAX_ID else None
        if row is None:
            raise NotFound(f"There is no entry {id} in the audit log: it was never written, or pruned")
        return {**_public(row), "previous_hash": row.previous_hash, "hash": row.hash}


def add(database: Database, values: Mapping[str, Any], author: Author) -> dict[str, Any]:
    """Raises InvalidOptions when it is no such thing."""
    deed = parse_options(Deed, values, what="an entry of the audit log")
    with database.transaction() as session:
        audit(session, author, deed.action, kind=deed.kind, name=deed.name, result=BEGUN, details=deed.details)
    return {}


def verified(database: Database, values: Mapping[str, Any]) -> dict[str, Any]:
    """
    Look at the whole chain of hashes.

    Args:
        values: `expected_id` and `expected_hash`, when somebody has noted these of a row.
    """
    id, hash = values.get("expected_id"), values.get("expected_hash")
    expected = None
    if id is not None or hash is not None:
        if isinstance(id, bool) or not isinstance(id, int) or not isinstance(hash, str):
            raise BadRequest("'expected_id' takes the number of a row, and 'expected_hash' the hash that was noted of it")
        expected = Expected(id, hash)
    found = verify(database, expected, pause=lambda: gevent.sleep(0))
    return {
        "is_ok": found.is_ok,
        "rows": found.rows,
        "first_id": found.first_id,
        "last_id": found.last_id,
        "last_hash": found.last_hash,
        "problems": [{"id": each.id, "what": each.what, "message": each.message} for each in found.problems],
    }


def pruned(database: Database, values: Mapping[str, Any], author: Author) -> dict[str, int]:
    """Remove what is older than so many `days`."""
    days = values.get("days")
    if isinstance(days, bool) or not isinstance(days, int | float) or not 1 <= days <= _MOST_DAYS:
        raise BadRequest("'days' takes a number from 1 on: entries that are older are removed")
    entry = Entry(author.name, author.cid, PRUNE, CHAIN_KIND, "", address=author.address, service=author.service)
    return {"removed": prune(database, days, entry)}


def _public(row: AuditRow) -> dict[str, Any]:
    return {
        "id": row.id,
        "created_at": row.created_at.isoformat(),
        "who": row.actor,
        "address": row.address,
        "service": row.service,
        "action": row.action,
        "kind": row.kind,
        "name": row.name,
        "object_id": row.object_id,
        "version": row.version,
        "result": row.result,
        "details": row.details,
        "before": row.before,
        "after": row.after,
        "cid": row.cid,
    }
