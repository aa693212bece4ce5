"""What workers report of themselves, and who of them is still there."""

import os
from datetime import timedelta

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from zato.server.odb.tables import DeploymentStatusRow, WorkerRow, utc_now
from zato.server.services.deployer import Outcome

# A worker says that it lives this often; one that was silent for three times as long is not waited for.
REPORT_EVERY_S = 5.0
FORGET_AFTER_S = 60.0


def report_worker(session: Session, server: str, pid: int, config_version: int, outcomes: list[Outcome]) -> None:
    """Write down what this worker runs."""
    worker = session.get(WorkerRow, (server, pid))
    if worker is None:
        session.add(WorkerRow(server=server, pid=pid, config_version=config_version))
    else:
        worker.config_version, worker.reported_at = config_version, utc_now()
    for outcome in outcomes:
        session.merge(
            DeploymentStatusRow(
                server=server,
                pid=pid,
                file_name=outcome.file_name,
                version=outcome.version,
                version_running=outcome.version_running,
                is_ok=outcome.is_ok,
                reason=outcome.reason,
                traceback=outcome.traceback,
                reported_at=utc_now(),
            )
        )


def forget_worker(session: Session, server: str, pid: int) -> None:
    """Remove what a worker reported that runs no more."""
    for table in (WorkerRow, DeploymentStatusRow):
        session.execute(delete(table).where(table.server == server, table.pid == pid))


def forget_dead_workers(session: Session, server: str) -> None:
    """Remove what this server's own workers reported that were killed, so that nobody waits for them. For its other workers."""
    for row in session.execute(select(WorkerRow).where(WorkerRow.server == server)).scalars().all():
        if not _is_running(row.pid):
            forget_worker(session, row.server, row.pid)


def forget_silent_workers(session: Session) -> None:
    """Remove what workers reported that ended without saying so."""
    silent = select(WorkerRow).where(WorkerRow.reported_at < utc_now() - timedelta(seconds=FORGET_AFTER_S))
    for row in session.execute(silent).scalars().all():
        forget_worker(session, row.server, row.pid)


def living_workers(session: Session) -> list[WorkerRow]:
    """Return the workers that said of late that they live; one that was killed is not among them for long."""
    recent = WorkerRow.reported_at >= utc_now() - timedelta(seconds=3 * REPORT_EVERY_S)
    return list(session.execute(select(WorkerRow).where(recent).order_by(WorkerRow.server, WorkerRow.pid)).scalars())


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
