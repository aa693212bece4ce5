"""What parts and workers report: which version runs where, and what became of each object."""

from typing import Any

from sqlalchemy import select

from zato.common.errors import BadRequest
from zato.proto.control_plane.v1.control_plane_pb2 import ReportStatusRequest
from zato.server.control.changes import current_version
from zato.server.control.workers import living_workers
from zato.server.odb.database import Database
from zato.server.odb.tables import ObjectRow, ObjectStatusRow, utc_now

_MAX_REPORTER_CHARACTERS = 200


def store_status(database: Database, request: ReportStatusRequest) -> None:
    """Write down a report. `since` moves only when the state changed; objects deleted meanwhile are passed over."""
    if not 0 < len(request.reporter) <= _MAX_REPORTER_CHARACTERS or not request.reporter.isprintable():
        raise BadRequest(f"'reporter' takes a text of 1 to {_MAX_REPORTER_CHARACTERS} printable characters")
    with database.transaction() as session:
        for status in request.objects:
            if session.get(ObjectRow, status.object_id) is None:
                continue
            # PostgreSQL's texts have no NUL.
            error = status.error.replace("\0", "")
            row = session.get(ObjectStatusRow, (status.object_id, request.reporter))
            if row is None:
                row = ObjectStatusRow(object_id=status.object_id, reporter=request.reporter)
                session.add(row)
            elif (row.is_connected, row.error) != (status.is_connected, error):
                row.since = utc_now()
            row.version_applied, row.is_connected, row.error = status.version_applied, status.is_connected, error


def cluster_status(database: Database) -> dict[str, Any]:
    with database.reading() as session:
        return {
            "config_version": current_version(session),
            "workers": [
                {
                    "server": row.server,
                    "pid": row.pid,
                    "config_version": row.config_version,
                    "started_at": row.started_at.isoformat(),
                    "reported_at": row.reported_at.isoformat(),
                }
                for row in living_workers(session)
            ],
        }


def object_statuses(database: Database, kind: str) -> list[dict[str, Any]]:
    with database.reading() as session:
        statement = select(ObjectRow.name, ObjectStatusRow).join(ObjectStatusRow, ObjectStatusRow.object_id == ObjectRow.id)
        rows = session.execute(statement.where(ObjectRow.kind == kind).order_by(ObjectRow.name))
        return [
            {
                "name": name,
                "reporter": status.reporter,
                "version_applied": status.version_applied,
                "is_connected": status.is_connected,
                "error": status.error,
                "since": status.since.isoformat(),
            }
            for name, status in rows
        ]
