"""Runs, from claimed to ended: each is started once, whoever asks, and however often."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from zato.common.bus import Bus
from zato.common.cid import new_cid
from zato.common.errors import NotFound
from zato.common.logs import get_logger
from zato.proto.jobs.v1 import jobs_pb2 as messages
from zato.server.control.changes import Author, audit, lock_changes, next_version, record
from zato.server.control.workers import living_workers
from zato.server.jobs.claims import pending
from zato.server.jobs.leadership import bound_waits, check_epoch
from zato.server.jobs.options import KIND, RunOptions, run_options
from zato.server.jobs.times import now_us, to_us
from zato.server.odb.database import Database
from zato.server.odb.tables import JobRunRow, JobStateRow, ObjectRow, utc_now

log = get_logger(__name__)

_PLATFORM = "scheduler"
_LONGEST_BACK_OFF_S = 3600.0
_PURGE_AT_ONCE = 2000
_GONE = "The job was deleted or switched off meanwhile, or its options cannot be read"


@dataclass(frozen=True, slots=True)
class Started:
    """A run that this worker has to carry out, with what its job said at that moment."""

    run_id: int
    job_id: int
    job_name: str
    job_type: str
    service: str
    extra: str
    cid: str
    trigger: str
    drift_s: float
    deadline_s: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """`state` is "ok", "failed" or "lost"."""

    state: str
    result: str = ""
    error: str = ""


Tell = Callable[[str, JobRunRow], None]


class Runs:
    """
    Args:
        server: Name of this one.
        pid: Returns the process id of this worker.
        topic: Of the bus; told when a one-time job was switched off after its run.
        tell: Given the service that a job wants told, and its run that ended.
    """

    def __init__(self, database: Database, bus: Bus, topic: str, server: str, pid: Callable[[], int], tell: Tell) -> None:
        self._database = database
        self._bus = bus
        self._topic = topic
        self._server = server
        self._pid = pid
        self._tell = tell
        self._suspects: set[int] = set()

    def start(self, run_id: int, epoch: int | None) -> Started | str:
        """
        Take a claimed run, or return its state: it was started before, or has to wait.

        Args:
            epoch: Of the scheduler that asks; None when it is no scheduler.

        Raises:
            StaleEpoch: Another scheduler has taken over, and starts it.
            NotFound
        """
        with self._database.transaction() as session:
            bound_waits(session)
            if epoch is not None:
                check_epoch(session, epoch)
            row = session.execute(select(JobRunRow).where(JobRunRow.id == run_id).with_for_update()).scalar_one_or_none()
            if row is None:
                raise NotFound(f"There is no run {run_id}")
            if row.state != "claimed":
                return row.state
            options = _options_of(session, row)
            if options is None:
                row.state, row.ended_at, row.error = "skipped", utc_now(), _GONE
                return row.state
            if options.overlap == "queue" and row.trigger != "manual" and _another_runs(session, row):
                return "waiting"
            row.state, row.started_at, row.server, row.pid = "running", utc_now(), self._server, self._pid()
            row.drift_s = (to_us(row.started_at) - row.planned_us) / 1e6
            return _started(row, options)

    def finish(self, run_id: int, outcome: Outcome) -> messages.PendingRun | None:
        """Write the end of a run, and return the next attempt when it is to be tried again."""
        with self._database.transaction() as session:
            row = session.execute(select(JobRunRow).where(JobRunRow.id == run_id).with_for_update()).scalar_one_or_none()
            if row is None or (row.ended_at is not None and row.state != "lost"):
                return None
            was_lost = row.state == "lost"
            row.state, row.ended_at, row.result, row.error = outcome.state, utc_now(), outcome.result, outcome.error
            # Of a run that was taken for lost, all this has happened.
            retry, version = (None, 0) if was_lost else self._follow_up(session, row)
            callback = "" if was_lost or retry else _callback_of(session, row)
        if version:
            self._bus.publish(self._topic, str(version))
        if callback:
            self._tell(callback, row)
        return retry

    def create_manual(self, job: dict[str, Any], author: Author) -> tuple[int, str]:
        """Write down that a job is to run now. Returns the run's id and correlation id."""
        with self._database.transaction() as session:
            at = now_us()
            row = JobRunRow(
                job_id=job["id"],
                job_name=job["name"],
                version=job["version"],
                planned_us=at,
                attempt=1,
                trigger="manual",
                missed=0,
                epoch=0,
                state="claimed",
                not_before_us=at,
                cid=new_cid(),
            )
            session.add(row)
            audit(session, author, "execute", kind=KIND, name=row.job_name)
            session.flush()
            return row.id, row.cid

    def state(self, request: messages.GetStateRequest) -> messages.GetStateResponse:
        """Return the runs that have not ended, the earliest planned first, and what is asked for of jobs."""
        with self._database.reading() as session:
            response = messages.GetStateResponse()
            unfinished = select(JobRunRow).where(JobRunRow.ended_at.is_(None)).order_by(JobRunRow.planned_us, JobRunRow.id)
            response.runs.extend(pending(row) for row in session.execute(unfinished).scalars())
            if request.all_jobs or request.job_ids:
                response.jobs.extend(_job_states(session, None if request.all_jobs else list(request.job_ids)))
            return response

    def sweep(self, keep_s: float) -> None:
        """
        End the runs whose worker is gone, and delete what is older than `keep_s`.

        Every worker does so, each time that it has said that it lives. Twice in a row a run's worker has to be
        missing: after an outage of the ODB nobody has said so for a while, and the first to come back knows no better.
        """
        with self._database.reading() as session:
            living = {(worker.server, worker.pid) for worker in living_workers(session)}
            running = session.execute(select(JobRunRow).where(JobRunRow.state == "running", JobRunRow.ended_at.is_(None)))
            suspects = {row.id for row in running.scalars() if (row.server, row.pid) not in living}
            old = select(JobRunRow.id).where(JobRunRow.ended_at < utc_now() - timedelta(seconds=keep_s)).limit(_PURGE_AT_ONCE)
            expired = list(session.execute(old).scalars())
        lost = suspects & self._suspects
        self._suspects = suspects - lost
        for run_id in lost:
            log.warning("job_run_lost", run_id=run_id)
            self.finish(run_id, Outcome("lost", error="The worker that ran it is gone; whether the service ended is unknown"))
        if expired:
            with self._database.transaction() as session:
                session.execute(delete(JobRunRow).where(JobRunRow.id.in_(expired)))

    def _follow_up(self, session: Session, row: JobRunRow) -> tuple[messages.PendingRun | None, int]:
        """Plan the next attempt, or switch off a one-time job that had its run. Returns the new configuration's version."""
        options = _options_of(session, row)
        if options is None:
            return None, 0
        if row.state != "ok" and row.attempt <= options.retries:
            retry = _retry(row, options.retry_after_s)
            session.add(retry)
            session.flush()
            return pending(retry, options.deadline_s), 0
        if options.job_type == "one_time" and row.trigger != "manual":
            return None, _switch_off(session, row)
        return None, 0


def _started(row: JobRunRow, options: RunOptions) -> Started:
    return Started(
        run_id=row.id,
        job_id=row.job_id,
        job_name=row.job_name,
        job_type=options.job_type,
        service=options.service,
        extra=options.extra,
        cid=row.cid,
        trigger=row.trigger,
        drift_s=row.drift_s,
        deadline_s=options.deadline_s,
    )


def _options_of(session: Session, row: JobRunRow) -> RunOptions | None:
    job = session.get(ObjectRow, row.job_id)
    if job is None or job.kind != KIND or (not job.is_active and row.trigger != "manual"):
        return None
    return run_options(job)


def _callback_of(session: Session, row: JobRunRow) -> str:
    """Of a job that was switched off meanwhile too: its run ended all the same."""
    job = session.get(ObjectRow, row.job_id)
    options = run_options(job) if job is not None and job.kind == KIND else None
    return options.callback if options is not None else ""


def _another_runs(session: Session, row: JobRunRow) -> bool:
    # Whoever starts a run of the same job at the same time waits here.
    session.execute(select(JobStateRow).where(JobStateRow.job_id == row.job_id).with_for_update())
    running = select(JobRunRow.id).where(
        JobRunRow.job_id == row.job_id,
        JobRunRow.ended_at.is_(None),
        JobRunRow.state == "running",
        JobRunRow.trigger != "manual",
    )
    return session.execute(running.limit(1)).scalar_one_or_none() is not None


def _retry(row: JobRunRow, retry_after_s: float) -> JobRunRow:
    after_s = min(retry_after_s * 2.0 ** (row.attempt - 1), max(_LONGEST_BACK_OFF_S, retry_after_s))
    return JobRunRow(
        job_id=row.job_id,
        job_name=row.job_name,
        version=row.version,
        planned_us=row.planned_us,
        attempt=row.attempt + 1,
        trigger="manual" if row.trigger == "manual" else "retry",
        missed=0,
        epoch=row.epoch,
        state="claimed",
        not_before_us=now_us() + int(after_s * 1e6),
        cid=new_cid(),
    )


def _switch_off(session: Session, row: JobRunRow) -> int:
    lock_changes(session)
    job = session.get(ObjectRow, row.job_id, populate_existing=True)
    if job is None or not job.is_active or job.version != row.version:
        return 0  # it was changed meanwhile: its new definition has a fire of its own
    version = next_version(session)
    job.is_active, job.version = False, version
    author = Author(_PLATFORM, row.cid)
    after = {"is_active": False, "reason": "a one-time job had its run"}
    record(session, author, version=version, action="edit", kind=KIND, name=job.name, object_id=job.id, after=after)
    return version


def _job_states(session: Session, ids: list[int] | None) -> list[messages.JobState]:
    statement = select(ObjectRow.id, ObjectRow.version, ObjectRow.updated_at, JobStateRow.version, JobStateRow.last_planned_us)
    statement = statement.outerjoin(JobStateRow, JobStateRow.job_id == ObjectRow.id).where(ObjectRow.kind == KIND)
    if ids is not None:
        statement = statement.where(ObjectRow.id.in_(ids))
    return [
        messages.JobState(job_id=job_id, since_us=to_us(updated_at), last_planned_us=last if of_version == version else 0)
        for job_id, version, updated_at, of_version, last in session.execute(statement)
    ]
