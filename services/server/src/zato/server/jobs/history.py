"""Runs of jobs as people search for them."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select

from zato.common.options import option, options, parse_options
from zato.common.text_formats import parse_time
from zato.server.jobs.times import from_us, to_us
from zato.server.odb.database import Database
from zato.server.odb.tables import JobRunRow

STATES = ("claimed", "running", "ok", "failed", "lost", "skipped")


@options
class RunFilter:
    """Which runs are wanted; those that match all that is given."""

    name: str = option("Name of the job", default="", max_length=200)
    state: str = option("State of the run", default="", choices=("", *STATES))
    cid: str = option("Correlation id of the run", default="", max_length=64)
    server: str = option("Server that ran it", default="", max_length=200)
    since: str = option("Planned at this time or later, ISO 8601, UTC unless it says otherwise", default="", format="date-time")
    until: str = option("Planned before this time", default="", format="date-time")
    before_id: int = option("Runs with a smaller id: the last one of the page before", default=0, minimum=0)
    limit: int = option("Most runs to return", default=50, minimum=1, maximum=1000)


class History:
    def __init__(self, database: Database) -> None:
        self._database = database

    def find(self, values: Mapping[str, Any]) -> list[dict[str, Any]]:
        """
        Return runs, the newest first.

        Raises:
            InvalidOptions: Names the filter that does not fit.
        """
        given = {name: value for name, value in values.items() if value is not None and name != "cluster_id"}
        wanted = parse_options(RunFilter, given, what="runs of jobs")
        statement = select(JobRunRow).order_by(JobRunRow.id.desc()).limit(wanted.limit)
        for column, value in {
            JobRunRow.job_name: wanted.name,
            JobRunRow.state: wanted.state,
            JobRunRow.cid: wanted.cid,
            JobRunRow.server: wanted.server,
        }.items():
            if value:
                statement = statement.where(column == value)
        if wanted.since:
            statement = statement.where(JobRunRow.planned_us >= _us(wanted.since))
        if wanted.until:
            statement = statement.where(JobRunRow.planned_us < _us(wanted.until))
        if wanted.before_id:
            statement = statement.where(JobRunRow.id < wanted.before_id)
        with self._database.reading() as session:
            return [public_run(row) for row in session.execute(statement).scalars()]


def _us(text: str) -> int:
    time = parse_time(text)
    return to_us(time.replace(tzinfo=time.tzinfo or UTC))


def _iso(time: datetime | None) -> str:
    return time.isoformat() if time is not None else ""


def public_run(row: JobRunRow) -> dict[str, Any]:
    """Return a run as the API and callbacks show it."""
    return {
        "id": row.id,
        "job_id": row.job_id,
        "job": row.job_name,
        "state": row.state,
        "trigger": row.trigger,
        "attempt": row.attempt,
        "missed": row.missed,
        "planned_at": from_us(row.planned_us).isoformat(),
        "started_at": _iso(row.started_at),
        "ended_at": _iso(row.ended_at),
        "drift_s": round(row.drift_s, 6),
        "server": row.server,
        "pid": row.pid,
        "result": row.result,
        "error": row.error,
        "cid": row.cid,
        "epoch": row.epoch,
    }
