"""Looking at what is deployed, and was: the versions of each file and package, what they hold, and what they differ in."""

from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.orm import Session, defer

from zato.common.errors import NotFound
from zato.server.control.deployments import DEPLOY, REJECT, UNDEPLOY, find_version, newest_rows
from zato.server.odb.database import Database
from zato.server.odb.tables import DeploymentRow, DeploymentStatusRow
from zato.server.packages.differences import differences
from zato.server.packages.package import Package
from zato.server.packages.uploads import deployed_name


def list_packages(database: Database) -> list[dict[str, Any]]:
    """Return the latest version of each file and package, and what each worker made of it."""
    with database.reading() as session:
        newest = list(session.execute(_without_source(newest_rows(accepted_only=False))).scalars())
        live = _live_versions(session)
        statuses = list(session.execute(select(DeploymentStatusRow)).scalars())
    return [
        _describe(row, live.get(row.file_name), [each for each in statuses if each.file_name == row.file_name])
        for row in newest
    ]


def package_history(database: Database, name: str) -> list[dict[str, Any]]:
    """
    Return all versions that there are still, the newest first, each with the workers that run it or refused it.

    Raises:
        BadRequest, NotFound
    """
    name = deployed_name(name)
    with database.reading() as session:
        statement = select(DeploymentRow).where(DeploymentRow.file_name == name).order_by(DeploymentRow.version.desc())
        rows = list(session.execute(_without_source(statement)).scalars())
        live = _live_versions(session)
        statuses = list(session.execute(select(DeploymentStatusRow).where(DeploymentStatusRow.file_name == name)).scalars())
    if not rows:
        raise _never_deployed(name)
    return [
        _describe(row, live.get(name), [each for each in statuses if row.version in (each.version_running, each.version)])
        for row in rows
    ]


def describe_version(database: Database, name: str, version: int | None) -> dict[str, Any]:
    """Return one version, the latest one for None, with the names and sizes of its files. Raises as `package_history` does."""
    row, live, statuses = _version(database, name, version)
    files = [{"path": path, "size": len(content)} for path, content in _package(row).files.items()]
    return {**_describe(row, live, statuses), "files": files if row.action != UNDEPLOY else []}


def version_source(database: Database, name: str, version: int | None) -> tuple[Package, str]:
    """Return one version, the live one for None, and a file name to keep it under. Raises as `package_history` does."""
    name = deployed_name(name)
    with database.reading() as session:
        row = find_version(session, name, version if version is not None else _last_deployed(session, name))
    return _package(row), row.file_name if row.file_name.endswith(".py") else f"{row.file_name}.zip"


def diff_versions(database: Database, name: str, from_version: int | None, to_version: int | None) -> dict[str, Any]:
    """
    Return what two versions differ in, file by file.

    Args:
        from_version: None for the one before the other.
        to_version: None for the latest one that has anything, also if it was refused.

    Raises:
        BadRequest, NotFound
    """
    name = deployed_name(name)
    with database.reading() as session:
        to_version = to_version if to_version is not None else _last_deployed(session, name, DEPLOY, REJECT)
        after = find_version(session, name, to_version)
        if from_version is None:
            from_version = _deployed_before(session, name, to_version)
        before = find_version(session, name, from_version) if from_version else None
    found = differences(
        _package(before).files if before is not None and before.action != UNDEPLOY else {},
        _package(after).files if after.action != UNDEPLOY else {},
        (f"version {from_version}" if from_version else "nothing", f"version {to_version}"),
    )
    return {
        "name": name,
        "from_version": from_version or 0,
        "to_version": to_version,
        "files": [asdict(each) for each in found],
    }


def _version(database: Database, name: str, version: int | None) -> tuple[DeploymentRow, int | None, list[DeploymentStatusRow]]:
    name = deployed_name(name)
    with database.reading() as session:
        if version is None:
            newest = select(DeploymentRow.version).where(DeploymentRow.file_name == name).order_by(DeploymentRow.version.desc())
            version = session.execute(newest.limit(1)).scalar_one_or_none()
            if version is None:
                raise _never_deployed(name)
        row = find_version(session, name, version)
        statement = select(DeploymentStatusRow).where(DeploymentStatusRow.file_name == name)
        statuses = [each for each in session.execute(statement).scalars() if version in (each.version_running, each.version)]
        return row, _live_versions(session).get(name), statuses


def _last_deployed(session: Session, name: str, *actions: str) -> int:
    statement = select(DeploymentRow.version).where(
        DeploymentRow.file_name == name, DeploymentRow.action.in_(actions or (DEPLOY,))
    )
    version = session.execute(statement.order_by(DeploymentRow.version.desc()).limit(1)).scalar_one_or_none()
    if version is None:
        raise _never_deployed(name)
    return version


def _deployed_before(session: Session, name: str, version: int) -> int | None:
    statement = select(DeploymentRow.version).where(
        DeploymentRow.file_name == name, DeploymentRow.action == DEPLOY, DeploymentRow.version < version
    )
    return session.execute(statement.order_by(DeploymentRow.version.desc()).limit(1)).scalar_one_or_none()


def _live_versions(session: Session) -> dict[str, int]:
    rows = session.execute(_without_source(newest_rows(accepted_only=True))).scalars()
    return {row.file_name: row.version for row in rows if row.action == DEPLOY}


def _without_source(statement: Select[DeploymentRow]) -> Select[DeploymentRow]:
    """Lists of packages would be as large as all of them together."""
    return statement.options(defer(DeploymentRow.source))


def _package(row: DeploymentRow) -> Package:
    return Package(row.file_name, row.version, row.source)


def _never_deployed(name: str) -> NotFound:
    return NotFound(f"Nothing called '{name}' was ever deployed: 'zato package list' has what was", name=name)


def _describe(row: DeploymentRow, live: int | None, statuses: Iterable[DeploymentStatusRow]) -> dict[str, Any]:
    return {
        "id": row.id,
        "name": row.file_name,
        "file_name": row.file_name,
        "version": row.version,
        "action": row.action,
        "is_live": row.version == live,
        "digest": row.digest,
        "size": row.size,
        "file_count": row.file_count,
        "upload_name": row.upload_name,
        "restored_version": row.restored_version,
        "reason": row.reason,
        "traceback": row.traceback,
        "created_at": row.created_at.isoformat(),
        "created_by": row.created_by,
        "address": row.address,
        "workers": [_describe_status(status) for status in statuses],
    }


def _describe_status(row: DeploymentStatusRow) -> dict[str, Any]:
    return {
        "server": row.server,
        "pid": row.pid,
        "version": row.version,
        "version_running": row.version_running,
        "is_ok": row.is_ok,
        "reason": row.reason,
        "traceback": row.traceback,
    }
