"""Files of services in the ODB: every version of each, and what the workers made of it."""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

import gevent
from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from zato.common.bus import Bus
from zato.common.errors import BadRequest, NotFound
from zato.common.logs import get_logger
from zato.server.control.audit_chain import REFUSED
from zato.server.control.changes import DEPLOYMENT, Author, audit, current_version, lock_changes, next_version, record
from zato.server.control.workers import living_workers
from zato.server.odb.database import Database
from zato.server.odb.tables import DeploymentRow, DeploymentStatusRow
from zato.server.services.deployer import Deployer
from zato.server.services.modules import SourceFile

log = get_logger(__name__)

_FILE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}\.py")
_MAX_SOURCE_BYTES = 5 * 1024 * 1024
_MOST_OLDER_VERSIONS = 5
_ASK_EVERY_S = 0.05


@dataclass(frozen=True, slots=True)
class WorkerResult:
    """What one worker made of a deployment."""

    server: str
    pid: int
    version_running: int
    is_ok: bool
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Deployed:
    """
    Args:
        version: Of the file; 0 when there was nothing to undeploy.
        missing: Workers that had not reported in time, as "server/pid".
    """

    file_name: str
    version: int
    workers: tuple[WorkerResult, ...] = ()
    missing: tuple[str, ...] = ()

    @property
    def is_ok(self) -> bool:
        return all(worker.is_ok for worker in self.workers) and not self.missing


class Deployments:
    """
    Args:
        server: Name of this server.
        pid: Of this worker.
        deployer: Tries new files before anybody is told of them.
        wait_for_version: Returns when this worker runs a version of the configuration, or soon all the same. A file is tried
            beside the siblings of that version: those that another worker has just taken must not be missed.
    """

    def __init__(
        self,
        database: Database,
        deployer: Deployer,
        bus: Bus,
        topic: str,
        server: str,
        pid: int,
        wait_for_version: Callable[[int], object] = lambda version: None,
    ) -> None:
        self._database = database
        self._deployer = deployer
        self._bus = bus
        self._topic = topic
        self._server = server
        self._pid = pid
        self._wait_for_version = wait_for_version

    def deploy(self, file_name: str, source: bytes, author: Author, *, wait_s: float = 0.0) -> Deployed:
        """
        Store a new version of a file and let every worker load it.

        A file that this worker can't load is stored with the reason, for its author, and shown to nobody else;
        one that only waits for a sibling which is not there yet is accepted. The same source twice is one version, and
        says what became of it by now.

        Raises:
            BadRequest: The name or the size is not acceptable.
        """
        _check_file(file_name, source)
        with self._database.reading() as session:
            latest, newest = _latest(session, file_name), current_version(session)
        candidate = SourceFile(file_name, (latest.version if latest else 0) + 1, source)
        if latest is not None and latest.action == "deploy" and latest.digest == candidate.digest:
            return self._result(file_name, latest.version, wait_s)
        self._wait_for_version(newest)
        outcome = self._deployer.check(candidate)
        is_accepted = outcome.is_ok or bool(outcome.missing)
        version = self._store(candidate, "deploy" if is_accepted else "reject", "" if is_accepted else outcome.reason, author)
        if not is_accepted:
            log.warning("deployment_rejected", file_name=file_name, version=version, reason=outcome.reason)
            refused = WorkerResult(self._server, self._pid, outcome.version_running, False, outcome.reason)
            return Deployed(file_name, version, (refused,))
        return self._result(file_name, version, wait_s)

    def undeploy(self, file_name: str, author: Author, *, wait_s: float = 0.0) -> Deployed:
        """Take a file's services out of use. Raises NotFound when it is not deployed, BadRequest as `deploy` does."""
        _check_name(file_name)
        with self._database.reading() as session:
            accepted = session.execute(_accepted(file_name).limit(1)).scalar_one_or_none()
        if accepted is None or accepted.action != "deploy":
            raise NotFound(f"There is no deployed file '{file_name}': see 'zato deployment list'", file_name=file_name)
        version = self._store(SourceFile(file_name, accepted.version + 1, b""), "undeploy", "", author)
        return self._result(file_name, version, wait_s)

    def get_list(self) -> list[dict[str, Any]]:
        """Return the latest version of each file, and what each worker made of it."""
        with self._database.reading() as session:
            newest = _newest_rows(session, accepted_only=False)
            statuses = list(session.execute(select(DeploymentStatusRow)).scalars())
        return [
            {
                "file_name": row.file_name,
                "version": row.version,
                "action": row.action,
                "digest": row.digest,
                "reason": row.reason,
                "created_at": row.created_at.isoformat(),
                "created_by": row.created_by,
                "workers": [_status_dict(status) for status in statuses if status.file_name == row.file_name],
            }
            for row in newest
        ]

    def get_history(self, file_name: str) -> list[dict[str, Any]]:
        """Return all versions of a file, the newest first, without their source. Raises NotFound."""
        row = DeploymentRow
        columns = (row.version, row.action, row.digest, row.reason, row.created_at, row.created_by)
        with self._database.reading() as session:
            statement = select(*columns).where(row.file_name == file_name).order_by(row.version.desc())
            found = session.execute(statement).all()
        if not found:
            raise NotFound(f"There never was a file '{file_name:.120}': see 'zato deployment list'", file_name=file_name)
        return [{**each._mapping, "created_at": each.created_at.isoformat()} for each in found]

    def get_source(self, file_name: str, version: int) -> dict[str, Any]:
        """Return one version of a file. Raises NotFound."""
        with self._database.reading() as session:
            statement = select(DeploymentRow).where(DeploymentRow.file_name == file_name, DeploymentRow.version == version)
            found = session.execute(statement).scalar_one_or_none()
        if found is None:
            raise NotFound(f"There is no version {version} of a file '{file_name:.120}'", file_name=file_name)
        return {
            "file_name": file_name,
            "version": version,
            "action": found.action,
            "source": found.source.decode(errors="replace"),
        }

    def _store(self, file: SourceFile, action: str, reason: str, author: Author) -> int:
        """Store and return the file's version; it may have moved on since we looked."""
        is_live = action != "reject"
        with self._database.transaction() as session:
            lock_changes(session)
            latest = _latest(session, file.name)
            if latest is not None and (latest.action, latest.digest, latest.reason) == (action, file.digest, reason):
                return latest.version  # another server was given the same file at the same time, or this one again
            config_version = next_version(session) if is_live else 0
            version = (latest.version if latest else 0) + 1
            row = DeploymentRow(
                file_name=file.name, version=version, action=action, source=file.source, digest=file.digest, reason=reason
            )
            row.created_by = author.name
            session.add(row)
            if is_live:
                after = {"version": version, "digest": file.digest}
                record(session, author, version=config_version, action=action, kind=DEPLOYMENT, name=file.name, after=after)
            else:
                after = {"version": version, "digest": file.digest}
                audit(
                    session,
                    author,
                    "deploy",
                    kind=DEPLOYMENT,
                    name=file.name,
                    result=REFUSED,
                    details=reason,
                    after=after,
                )
        if is_live:
            self._bus.publish(self._topic, str(config_version))
        return version

    def _result(self, file_name: str, version: int, wait_s: float) -> Deployed:
        """
        Collect what the workers report, until all have or the time is up.

        A report made before the newest configuration does not count: the sibling that a file waited for may be in that.
        """
        deadline = time.monotonic() + wait_s
        with self._database.reading() as session:
            newest = current_version(session)
        while True:
            with self._database.reading() as session:
                living = living_workers(session)
                statement = select(DeploymentStatusRow).where(DeploymentStatusRow.file_name == file_name)
                rows = [row for row in session.execute(statement).scalars() if row.version >= version]
            expected = {(row.server, row.pid) for row in living}
            behind = {(row.server, row.pid) for row in living if row.config_version < newest}
            rows = [row for row in rows if (row.server, row.pid) not in behind]
            missing = expected - {(row.server, row.pid) for row in rows}
            if not missing or time.monotonic() >= deadline:
                workers = tuple(WorkerResult(row.server, row.pid, row.version_running, row.is_ok, row.reason) for row in rows)
                return Deployed(file_name, version, workers, tuple(sorted(f"{server}/{pid}" for server, pid in missing)))
            gevent.sleep(_ASK_EVERY_S)


def load_live(session: Session) -> list[SourceFile]:
    """Return the newest accepted version of each file that is deployed."""
    rows = _newest_rows(session, accepted_only=True)
    return [SourceFile(row.file_name, row.version, row.source) for row in rows if row.action == "deploy"]


def load_removed(session: Session) -> dict[str, int]:
    """Return the files that are not deployed any more, each with the version that says so."""
    return {row.file_name: row.version for row in _newest_rows(session, accepted_only=True) if row.action == "undeploy"}


def load_newest(session: Session, file_name: str) -> tuple[SourceFile, bool]:
    """Return the newest accepted version of a file that was deployed ever, and whether it is deployed still."""
    row = session.execute(_accepted(file_name).limit(1)).scalar_one()
    return SourceFile(row.file_name, row.version, row.source), row.action == "deploy"


def older_versions(database: Database, file: SourceFile) -> list[SourceFile]:
    """Return the accepted versions of a file before the given one, the newest first, back to where it was undeployed."""
    with database.reading() as session:
        statement = _accepted(file.name).where(DeploymentRow.version < file.version).limit(_MOST_OLDER_VERSIONS)
        rows = list(session.execute(statement).scalars())
    return [SourceFile(row.file_name, row.version, row.source) for row in takewhile(lambda row: row.action == "deploy", rows)]


def _check_file(file_name: str, source: bytes) -> None:
    _check_name(file_name)
    if len(source) > _MAX_SOURCE_BYTES:
        raise BadRequest(f"'{file_name}' has {len(source)} bytes; a file of services has at most {_MAX_SOURCE_BYTES}")


def _check_name(file_name: str) -> None:
    if not _FILE_NAME.fullmatch(file_name):
        raise BadRequest(
            f"'{file_name:.120}' is no name for a file of services: it takes letters, digits and '_', and ends in .py"
        )


def _accepted(file_name: str) -> Select[DeploymentRow]:
    statement = select(DeploymentRow).where(DeploymentRow.file_name == file_name, DeploymentRow.action != "reject")
    return statement.order_by(DeploymentRow.version.desc())


def _latest(session: Session, file_name: str) -> DeploymentRow | None:
    statement = select(DeploymentRow).where(DeploymentRow.file_name == file_name)
    return session.execute(statement.order_by(DeploymentRow.version.desc()).limit(1)).scalar_one_or_none()


def _newest_rows(session: Session, *, accepted_only: bool) -> list[DeploymentRow]:
    newest = select(DeploymentRow.file_name, func.max(DeploymentRow.version).label("version"))
    if accepted_only:
        newest = newest.where(DeploymentRow.action != "reject")
    latest = newest.group_by(DeploymentRow.file_name).subquery()
    statement = select(DeploymentRow).join(
        latest, (DeploymentRow.file_name == latest.c.file_name) & (DeploymentRow.version == latest.c.version)
    )
    return list(session.execute(statement.order_by(DeploymentRow.file_name)).scalars())


def _status_dict(row: DeploymentStatusRow) -> dict[str, Any]:
    return {
        "server": row.server,
        "pid": row.pid,
        "version": row.version,
        "version_running": row.version_running,
        "is_ok": row.is_ok,
        "reason": row.reason,
    }
