"""Planned fires, written down before they run. (job, planned time) is unique: whoever plans it again gets what there is."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from zato.common.cid import new_cid
from zato.common.errors import Unavailable
from zato.proto.jobs.v1 import jobs_pb2 as messages
from zato.server.jobs.leadership import JobsPaused, bound_waits, check_epoch
from zato.server.jobs.options import KIND, run_options
from zato.server.jobs.times import to_us
from zato.server.odb.database import Database
from zato.server.odb.tables import JobRunRow, JobStateRow, ObjectRow, utc_now

MOST_WAITING = 100
# Two calls with the same fires can meet, when a scheduler gave one up and asked another server.
_ATTEMPTS = 3


class Claims:
    def __init__(self, database: Database) -> None:
        self._database = database

    def claim(self, request: messages.ClaimRequest) -> messages.ClaimResponse:
        """
        Raises:
            StaleEpoch: Another scheduler has taken over. Nothing was written.
            JobsPaused: Nothing was written.
            Unavailable: The ODB can't be used now. Nothing was written, or all; asking again tells.
        """
        for _ in range(_ATTEMPTS):
            try:
                with self._database.transaction() as session:
                    bound_waits(session)
                    if check_epoch(session, request.epoch).is_paused:
                        raise JobsPaused("All jobs are paused: 'zato scheduler resume' lets them fire again")
                    batch = _Batch(session, request)
                    rows = [batch.claim(fire) for fire in request.fires]
                    session.flush()
                    return messages.ClaimResponse(claims=[_message(*claimed) for claimed in rows])
            except IntegrityError:
                continue
        raise Unavailable("The same fires are being claimed by another call")


# State of the claim, its row if there is one, and the deadline of the job.
_Claimed = tuple[Any, JobRunRow | None, float]


class _Batch:
    """The fires of one call, and what the ODB has of their jobs, read at once for all of them."""

    def __init__(self, session: Session, request: messages.ClaimRequest) -> None:
        ids = {fire.job_id for fire in request.fires}
        self._session = session
        self._epoch = request.epoch
        self._jobs = {row.id: row for row in session.execute(select(ObjectRow).where(ObjectRow.id.in_(ids))).scalars()}
        self._taken = _taken(session, request.fires)
        self._unfinished = _unfinished(session, ids)
        states = session.execute(select(JobStateRow).where(JobStateRow.job_id.in_(ids))).scalars()
        self._states = {row.job_id: row for row in states}

    def claim(self, fire: messages.Fire) -> _Claimed:
        job = self._jobs.get(fire.job_id)
        if (row := self._taken.get((fire.job_id, fire.planned_us))) is not None:
            is_to_start = row.state == "claimed"
            return (messages.CLAIM_STATE_CLAIMED if is_to_start else messages.CLAIM_STATE_TAKEN), row, 0.0
        if job is None or not _is_current(job, fire) or (options := run_options(job)) is None:
            return messages.CLAIM_STATE_CHANGED, None, 0.0
        reason_to_skip = _reason_to_skip(options.overlap, self._unfinished.get(job.id, 0))
        row = self._taken[fire.job_id, fire.planned_us] = _new_run(job, fire, self._epoch, reason_to_skip)
        self._session.add(row)
        self._remember(job, fire.planned_us)
        if reason_to_skip:
            return messages.CLAIM_STATE_SKIPPED, row, 0.0
        self._unfinished[job.id] = self._unfinished.get(job.id, 0) + 1
        return messages.CLAIM_STATE_CLAIMED, row, options.deadline_s

    def _remember(self, job: ObjectRow, planned_us: int) -> None:
        state = self._states.get(job.id)
        if state is None:
            state = self._states[job.id] = JobStateRow(job_id=job.id, version=job.version, last_planned_us=planned_us)
            self._session.add(state)
        elif state.version != job.version or state.last_planned_us < planned_us:
            state.version, state.last_planned_us = job.version, planned_us


def _taken(session: Session, fires: Sequence[messages.Fire]) -> dict[tuple[int, int], JobRunRow]:
    statement = select(JobRunRow).where(
        JobRunRow.job_id.in_({fire.job_id for fire in fires}),
        JobRunRow.planned_us.in_({fire.planned_us for fire in fires}),
        JobRunRow.attempt == 1,
    )
    return {(row.job_id, row.planned_us): row for row in session.execute(statement).scalars()}


def _unfinished(session: Session, ids: set[int]) -> dict[int, int]:
    statement = select(JobRunRow.job_id, func.count()).where(JobRunRow.ended_at.is_(None), JobRunRow.job_id.in_(ids))
    return dict(session.execute(statement.group_by(JobRunRow.job_id)).all())


def _is_current(job: ObjectRow, fire: messages.Fire) -> bool:
    """A fire that was due before its job was changed still counts, a later one is the new definition's to plan."""
    is_due_before = fire.planned_us <= to_us(job.updated_at)
    return job.kind == KIND and job.is_active and (job.version == fire.version or is_due_before)


def _reason_to_skip(overlap: str, unfinished: int) -> str:
    if overlap == "skip" and unfinished:
        return "The job's earlier run had not ended"
    if overlap == "queue" and unfinished >= MOST_WAITING:
        return f"{unfinished} earlier runs of the job had not ended"
    return ""


def _new_run(job: ObjectRow, fire: messages.Fire, epoch: int, reason_to_skip: str) -> JobRunRow:
    return JobRunRow(
        job_id=job.id,
        job_name=job.name,
        version=job.version,
        planned_us=fire.planned_us,
        attempt=1,
        trigger="catch-up" if fire.is_catch_up else "schedule",
        missed=fire.missed,
        epoch=epoch,
        state="skipped" if reason_to_skip else "claimed",
        ended_at=utc_now() if reason_to_skip else None,
        error=reason_to_skip,
        not_before_us=max(fire.not_before_us, fire.planned_us),
        cid=new_cid(),
    )


def _message(state: Any, row: JobRunRow | None, deadline_s: float) -> messages.Claim:
    return messages.Claim(state=state, run=pending(row, deadline_s) if row is not None else None)


def pending(row: JobRunRow, deadline_s: float = 0.0) -> messages.PendingRun:
    return messages.PendingRun(
        run_id=row.id,
        job_id=row.job_id,
        is_running=row.state == "running",
        not_before_us=row.not_before_us,
        planned_us=row.planned_us,
        deadline_s=deadline_s,
    )
