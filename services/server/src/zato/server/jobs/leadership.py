"""
Which scheduler leads.

A leader renews a beat. Who sees the same beat for as long as a lease lasts, by its own clock, may take over; no clocks of
different machines are compared. Each leader has an epoch, and whatever it writes is checked against the present one in
the same transaction, under a lock: a leader that was paused and wakes up is refused, however late it is.
"""

from sqlalchemy import select
from sqlalchemy.orm import Session

from zato.common.errors import Conflict
from zato.common.logs import get_logger
from zato.proto.jobs.v1.jobs_pb2 import LeadRequest, LeadResponse
from zato.server.control.changes import Author, audit
from zato.server.jobs.options import KIND
from zato.server.odb.database import Database, set_time_outs
from zato.server.odb.tables import JobLeaderRow, utc_now

log = get_logger(__name__)

_MAX_CANDIDATE_CHARACTERS = 200


class StaleEpoch(Conflict):
    """The caller leads no more: another scheduler has taken over."""


class JobsPaused(Conflict):
    """No job fires until somebody resumes them."""


class Leadership:
    def __init__(self, database: Database) -> None:
        self._database = database

    def lead(self, request: LeadRequest) -> LeadResponse:
        """Renew, take over what nobody holds or whose beat stands still, or only say who leads."""
        with self._database.reading() as session:
            row = _row(session)
            if not _may_write(request, row):
                return _response(row, request)
        with self._database.transaction() as session:
            bound_waits(session)
            row = _row(session, lock=True)
            if _may_write(request, row):
                if not _leads(request, row):
                    row.epoch, row.leader, row.since = row.epoch + 1, request.candidate[:_MAX_CANDIDATE_CHARACTERS], utc_now()
                    log.info("scheduler_leads", leader=row.leader, epoch=row.epoch)
                row.beat += 1
            return _response(row, request)

    def resign(self, epoch: int) -> None:
        with self._database.transaction() as session:
            row = _row(session, lock=True)
            if row.epoch == epoch:
                row.leader = ""

    def set_paused(self, is_paused: bool, author: Author) -> None:
        with self._database.transaction() as session:
            row = _row(session, lock=True)
            if row.is_paused != is_paused:
                row.is_paused = is_paused
                audit(session, author, "pause" if is_paused else "resume", kind=KIND, name="")

    def status(self) -> dict[str, object]:
        with self._database.reading() as session:
            row = _row(session)
            return {"leader": row.leader, "epoch": row.epoch, "is_paused": row.is_paused, "since": row.since.isoformat()}


def check_epoch(session: Session, epoch: int) -> JobLeaderRow:
    """
    Return the row of leadership, which stays as it is until the end of the transaction.

    Raises:
        StaleEpoch: `epoch` is not the present one.
    """
    row = session.execute(select(JobLeaderRow).with_for_update(read=True)).scalar_one()
    if row.epoch != epoch or not row.leader:
        raise StaleEpoch(f"Epoch {epoch} is over: {row.leader or 'nobody'} leads in epoch {row.epoch}", epoch=row.epoch)
    return row


def bound_waits(session: Session) -> None:
    """A server that hangs in the middle of a transaction would keep all schedulers waiting for its locks."""
    if session.get_bind().dialect.name == "postgresql":
        set_time_outs(session, lock_timeout=3.0, idle_in_transaction_session_timeout=5.0)


def _row(session: Session, *, lock: bool = False) -> JobLeaderRow:
    statement = select(JobLeaderRow)
    return session.execute(statement.with_for_update() if lock else statement).scalar_one()


def _leads(request: LeadRequest, row: JobLeaderRow) -> bool:
    return bool(row.leader) and request.candidate == row.leader


def _may_write(request: LeadRequest, row: JobLeaderRow) -> bool:
    return _leads(request, row) or not row.leader or request.stale_beat == row.beat > 0


def _response(row: JobLeaderRow, request: LeadRequest) -> LeadResponse:
    return LeadResponse(
        is_leader=_leads(request, row),
        epoch=row.epoch,
        beat=row.beat,
        leader=row.leader,
        is_paused=row.is_paused,
    )
