"""What is deployed, in the ODB: every version of each file and package of services, and what the workers made of it."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import takewhile

import gevent
from sqlalchemy import Select, delete, func, select
from sqlalchemy.orm import Session, defer

from zato.common.bus import Bus
from zato.common.errors import Conflict, NotFound, ZatoError
from zato.common.logs import get_logger
from zato.server.control.audit_chain import REFUSED
from zato.server.control.changes import DEPLOYMENT, Author, audit, current_version, lock_changes, next_version, record
from zato.server.control.workers import living_workers
from zato.server.odb.database import Database
from zato.server.odb.tables import DeploymentRow, DeploymentStatusRow
from zato.server.packages.archives import PackageLimits
from zato.server.packages.package import Package
from zato.server.packages.uploads import Upload, deployed_name, read_upload
from zato.server.services.deployer import Outcome

log = get_logger(__name__)

_MOST_OLDER_VERSIONS = 5
_ASK_EVERY_S = 0.05
_MAX_UPLOAD_NAME = 255
# What becomes of a version. "reject" is one that did not pass the check and was never live.
DEPLOY, UNDEPLOY, REJECT = "deploy", "undeploy", "reject"
ROLL_BACK = "roll-back"


@dataclass(frozen=True, slots=True)
class WorkerResult:
    """What one worker made of a deployment."""

    server: str
    pid: int
    version_running: int
    is_ok: bool
    reason: str = ""
    traceback: str = ""


@dataclass(frozen=True, slots=True)
class Deployed:
    """
    Args:
        version: Of the file or package.
        id: Number of the version, unique among all of them.
        is_accepted: Whether it passed the check, and so goes to all workers.
        missing: Workers that had not reported in time, as "server/pid".
    """

    file_name: str
    version: int
    id: int = 0
    is_accepted: bool = True
    workers: tuple[WorkerResult, ...] = ()
    missing: tuple[str, ...] = ()

    @property
    def is_ok(self) -> bool:
        return all(worker.is_ok for worker in self.workers) and not self.missing


@dataclass(frozen=True, slots=True)
class _Origin:
    """Where a version comes from: what was uploaded, or which version it repeats."""

    upload_name: str
    restored_version: int = 0


class Deployments:
    """
    Args:
        check: Tries a version before anybody is told of it.
        server: Name of this server.
        pid: Returns the process id of this worker.
        wait_for_version: Returns when this worker runs a version of the configuration, or soon all the same. A package is tried
            beside the siblings of that version: those that another worker has just taken must not be missed.
        limits: Of what is uploaded.
        keep_versions: How many versions of each are kept; 0 for all. The one that is live is always kept.
    """

    def __init__(
        self,
        database: Database,
        check: Callable[[Package], Outcome],
        bus: Bus,
        topic: str,
        server: str,
        pid: Callable[[], int],
        wait_for_version: Callable[[int], object] = lambda version: None,
        *,
        limits: PackageLimits | None = None,
        keep_versions: int = 0,
    ) -> None:
        self._database = database
        self._check = check
        self._bus = bus
        self._topic = topic
        self._server = server
        self._pid = pid
        self._wait_for_version = wait_for_version
        self._limits = limits or PackageLimits()
        self._keep_versions = keep_versions

    def deploy(self, upload_name: str, data: bytes, author: Author, *, wait_s: float = 0.0) -> Deployed:
        """
        Store a new version of what is uploaded, and let every worker load it.

        What this worker finds to be wrong is stored with the reason, for its author, and shown to nobody else;
        what only waits for a sibling which is not there yet is accepted. The same source twice is one version, and
        says what became of it by now.

        Args:
            upload_name: "currency.py", "orders.zip", or "orders-1.2.0-py3-none-any.whl".

        Raises:
            BadRequest: The name, or something in the archive, is not acceptable.
            PayloadTooLarge, UnsupportedMediaType
        """
        # Unpacking takes a while, which other requests of this worker need not wait for.
        upload = gevent.get_hub().threadpool.apply(_read, (upload_name, data, self._limits))
        if isinstance(upload, ZatoError):
            raise upload
        return self._deploy(upload.name, upload.source, _Origin(upload_name[:_MAX_UPLOAD_NAME]), author, wait_s)

    def roll_back(self, name: str, version: int | None, author: Author, *, wait_s: float = 0.0) -> Deployed:
        """
        Deploy what a version had once more, as a new version.

        Args:
            version: The one to go back to; None for the one before that which is live.

        Raises:
            BadRequest: The name is none that anything is deployed as.
            NotFound: There is no such version, or not any more.
            Conflict: The version has nothing to go back to: it was refused, or an undeployment.
        """
        name = deployed_name(name)
        with self._database.reading() as session:
            row = _restorable(session, name, version)
        return self._restore(row, author, wait_s)

    def deploy_again(self, id: int, author: Author, *, wait_s: float = 0.0) -> Deployed:
        """Deploy the version with that number, of whatever it is one. Raises NotFound and Conflict as `roll_back` does."""
        with self._database.reading() as session:
            row = session.get(DeploymentRow, id)
        if row is None:
            raise NotFound(f"There is no version with the id {id}: 'zato package list' has what there is", id=id)
        return self._restore(_with_content(row), author, wait_s)

    def undeploy(self, name: str, author: Author, *, wait_s: float = 0.0) -> Deployed:
        """Take the services of what is deployed out of use. Raises NotFound when it is not, BadRequest as `roll_back`."""
        name = deployed_name(name)
        with self._database.reading() as session:
            accepted = session.execute(_accepted(name).limit(1)).scalar_one_or_none()
        if accepted is None or accepted.action != DEPLOY:
            raise NotFound(f"There is no deployed file or package '{name}': see 'zato package list'", file_name=name)
        row = self._store(Package(name, accepted.version + 1, b""), UNDEPLOY, _Origin(""), author)
        return self._result(row, wait_s)

    def _restore(self, row: DeploymentRow, author: Author, wait_s: float) -> Deployed:
        return self._deploy(row.file_name, row.source, _Origin(row.upload_name, row.version), author, wait_s)

    def _deploy(self, name: str, source: bytes, origin: _Origin, author: Author, wait_s: float) -> Deployed:
        with self._database.reading() as session:
            latest, newest = _latest(session, name), current_version(session)
        candidate = Package(name, (latest.version if latest else 0) + 1, source)
        if latest is not None and latest.action == DEPLOY and latest.digest == candidate.digest:
            return self._result(latest, wait_s)
        self._wait_for_version(newest)
        outcome = self._check(candidate)
        if outcome.is_ok or outcome.missing:
            return self._result(self._store(candidate, DEPLOY, origin, author), wait_s)
        row = self._store(candidate, REJECT, origin, author, outcome)
        log.warning("deployment_rejected", file_name=name, version=row.version, reason=outcome.reason)
        refused = WorkerResult(self._server, self._pid(), outcome.version_running, False, outcome.reason, outcome.traceback)
        return Deployed(name, row.version, row.id, False, (refused,))

    def _store(
        self, package: Package, action: str, origin: _Origin, author: Author, outcome: Outcome | None = None
    ) -> DeploymentRow:
        """Store and return the version; it may have moved on since we looked."""
        is_live = action != REJECT
        reason = outcome.reason if outcome else ""
        done = ROLL_BACK if origin.restored_version else action
        with self._database.transaction() as session:
            lock_changes(session)
            latest = _latest(session, package.name)
            if latest is not None and (latest.action, latest.digest, latest.reason) == (action, package.digest, reason):
                return latest  # another server was given the same at the same time, or this one again
            config_version = next_version(session) if is_live else 0
            row = _new_row(package, (latest.version if latest else 0) + 1, action, origin, author)
            row.reason, row.traceback = reason, outcome.traceback if outcome else ""
            session.add(row)
            session.flush()
            after: dict[str, object] = {"version": row.version, "digest": row.digest}
            if origin.restored_version:
                after["restored_version"] = origin.restored_version
            if forgotten := self._forget_old_versions(session, package.name):
                after["forgotten_versions"] = forgotten
            if is_live:
                record(session, author, version=config_version, action=done, kind=DEPLOYMENT, name=package.name, after=after)
            else:
                done = ROLL_BACK if origin.restored_version else DEPLOY
                audit(session, author, done, kind=DEPLOYMENT, name=package.name, result=REFUSED, details=reason, after=after)
        if is_live:
            self._bus.publish(self._topic, str(config_version))
        return row

    def _forget_old_versions(self, session: Session, name: str) -> list[int]:
        if not self._keep_versions:
            return []
        live = session.execute(_accepted(name).limit(1).with_only_columns(DeploymentRow.version)).scalar_one_or_none()
        newest_first = (
            select(DeploymentRow.version).where(DeploymentRow.file_name == name).order_by(DeploymentRow.version.desc())
        )
        old = [version for version in session.execute(newest_first.offset(self._keep_versions)).scalars() if version != live]
        session.execute(delete(DeploymentRow).where(DeploymentRow.file_name == name, DeploymentRow.version.in_(old)))
        return sorted(old)

    def _result(self, stored: DeploymentRow, wait_s: float) -> Deployed:
        """
        Collect what the workers report, until all have or the time is up.

        A report made before the newest configuration does not count: the sibling that it waited for may be in that.
        """
        name, version = stored.file_name, stored.version
        deadline = time.monotonic() + wait_s
        with self._database.reading() as session:
            newest = current_version(session)
        while True:
            with self._database.reading() as session:
                living = living_workers(session)
                statement = select(DeploymentStatusRow).where(DeploymentStatusRow.file_name == name)
                rows = [row for row in session.execute(statement).scalars() if row.version >= version]
            expected = {(row.server, row.pid) for row in living}
            behind = {(row.server, row.pid) for row in living if row.config_version < newest}
            rows = [row for row in rows if (row.server, row.pid) not in behind]
            missing = expected - {(row.server, row.pid) for row in rows}
            if not missing or time.monotonic() >= deadline:
                silent = tuple(sorted(f"{server}/{pid}" for server, pid in missing))
                return Deployed(name, version, stored.id, True, tuple(map(_worker_result, rows)), silent)
            gevent.sleep(_ASK_EVERY_S)


def load_live(session: Session) -> list[Package]:
    """Return the newest accepted version of each file and package that is deployed."""
    rows = session.execute(newest_rows(accepted_only=True).where(DeploymentRow.action == DEPLOY)).scalars()
    return [Package(row.file_name, row.version, row.source) for row in rows]


def load_removed(session: Session) -> dict[str, int]:
    """Return what is not deployed any more, each with the version that says so."""
    rows = session.execute(newest_rows(accepted_only=True).where(DeploymentRow.action == UNDEPLOY)).scalars()
    return {row.file_name: row.version for row in rows}


def load_newest(session: Session, name: str) -> tuple[Package, bool]:
    """Return the newest accepted version of what was deployed ever, and whether it is deployed still."""
    row = session.execute(_accepted(name).limit(1)).scalar_one()
    return Package(row.file_name, row.version, row.source), row.action == DEPLOY


def older_versions(database: Database, package: Package) -> list[Package]:
    """Return the accepted versions before the given one, the newest first, back to where it was undeployed."""
    with database.reading() as session:
        statement = _accepted(package.name).where(DeploymentRow.version < package.version).limit(_MOST_OLDER_VERSIONS)
        rows = list(session.execute(statement).scalars())
    return [Package(row.file_name, row.version, row.source) for row in takewhile(lambda row: row.action == DEPLOY, rows)]


def newest_rows(*, accepted_only: bool) -> Select[DeploymentRow]:
    """Select the latest version of each file and package, by name."""
    newest = select(DeploymentRow.file_name, func.max(DeploymentRow.version).label("version"))
    if accepted_only:
        newest = newest.where(DeploymentRow.action != REJECT)
    latest = newest.group_by(DeploymentRow.file_name).subquery()
    statement = select(DeploymentRow).join(
        latest, (DeploymentRow.file_name == latest.c.file_name) & (DeploymentRow.version == latest.c.version)
    )
    return statement.order_by(DeploymentRow.file_name)


def _read(upload_name: str, data: bytes, limits: PackageLimits) -> Upload | ZatoError:
    """Return what is wrong with an upload instead of raising it: gevent's threads print what they raise."""
    try:
        return read_upload(upload_name, data, limits)
    except ZatoError as exc:
        return exc


def _new_row(package: Package, version: int, action: str, origin: _Origin, author: Author) -> DeploymentRow:
    sizes = [len(content) for content in package.files.values()]
    return DeploymentRow(
        file_name=package.name,
        version=version,
        action=action,
        source=package.source,
        digest=package.digest,
        created_by=author.name,
        upload_name=origin.upload_name,
        address=author.address,
        size=sum(sizes),
        file_count=len(sizes),
        restored_version=origin.restored_version,
    )


def _worker_result(row: DeploymentStatusRow) -> WorkerResult:
    return WorkerResult(row.server, row.pid, row.version_running, row.is_ok, row.reason, row.traceback)


def _accepted(name: str) -> Select[DeploymentRow]:
    statement = select(DeploymentRow).where(DeploymentRow.file_name == name, DeploymentRow.action != REJECT)
    return statement.order_by(DeploymentRow.version.desc())


def _latest(session: Session, name: str) -> DeploymentRow | None:
    """Return the latest version, without its source."""
    statement = select(DeploymentRow).where(DeploymentRow.file_name == name).options(defer(DeploymentRow.source))
    return session.execute(statement.order_by(DeploymentRow.version.desc()).limit(1)).scalar_one_or_none()


def _restorable(session: Session, name: str, version: int | None) -> DeploymentRow:
    """Return the version to go back to. Raises as `Deployments.roll_back` does."""
    if version is not None:
        return _with_content(find_version(session, name, version))
    rows = list(session.execute(_accepted(name).options(defer(DeploymentRow.source))).scalars())
    live = rows[0] if rows and rows[0].action == DEPLOY else None
    earlier = (row for row in rows if row.action == DEPLOY and (live is None or row.digest != live.digest))
    found = next(earlier, None)
    if found is None:
        raise NotFound(f"There is no earlier version of '{name}' to go back to: see 'zato package history {name}'", name=name)
    return find_version(session, name, found.version)


def find_version(session: Session, name: str, version: int) -> DeploymentRow:
    """Return a version with its source. Raises NotFound."""
    statement = select(DeploymentRow).where(DeploymentRow.file_name == name)
    row = session.execute(statement.where(DeploymentRow.version == version)).scalar_one_or_none()
    if row is None:
        kept = select(func.min(DeploymentRow.version), func.max(DeploymentRow.version)).where(DeploymentRow.file_name == name)
        oldest, newest = session.execute(kept).one()
        there_are = f"there are {oldest} to {newest}" if newest else "nothing of that name was ever deployed"
        raise NotFound(f"There is no version {version} of '{name}': {there_are}", name=name)
    return row


def _with_content(row: DeploymentRow) -> DeploymentRow:
    if row.action == REJECT:
        raise Conflict(f"Version {row.version} of '{row.file_name}' was refused, and never live: {row.reason}")
    if row.action == UNDEPLOY:
        raise Conflict(f"Version {row.version} of '{row.file_name}' is the one that undeployed it: choose an earlier one")
    return row
