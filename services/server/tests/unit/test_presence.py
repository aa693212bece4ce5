"""What a worker tells the others of itself, in a real ODB on SQLite."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import gevent
import pytest
from sqlalchemy import select

from zato.server.control import presence
from zato.server.control.presence import Presence
from zato.server.odb import schema
from zato.server.odb.database import Database
from zato.server.odb.limits import Limits
from zato.server.odb.tables import DeploymentStatusRow, WorkerRow
from zato.server.services.deployer import Outcome

SERVER = "server1"
FIRST, SECOND = (Outcome("orders.py", version, version, "") for version in (1, 2))


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    made = Database(f"sqlite:///{tmp_path}/odb.db", Limits(lock_timeout_s=0.05))
    schema.upgrade(made)
    yield made
    made.close()


def reported(database: Database) -> tuple[list[int], list[int]]:
    """Return the versions of the configuration and of the deployments that workers say they run."""
    with database.reading() as session:
        workers = session.execute(select(WorkerRow.config_version)).scalars().all()
        return list(workers), list(session.execute(select(DeploymentStatusRow.version)).scalars())


def test_what_could_not_be_said_while_the_odb_was_locked_is_said_with_the_next_report(
    database: Database, tmp_path: Path
) -> None:
    made = Presence(database, SERVER, ())
    with closing(sqlite3.connect(tmp_path / "odb.db")) as other:
        other.execute("BEGIN EXCLUSIVE")
        made.report(5, [FIRST])
    assert reported(database) == ([], [])
    made.report(6, [])
    assert reported(database) == ([6], [1])
    made.report(7, [SECOND])
    assert reported(database) == ([7], [2])


def test_workers_of_this_server_that_were_killed_are_forgotten_by_the_first_report(database: Database) -> None:
    with database.transaction() as session:
        session.add(WorkerRow(server=SERVER, pid=2**22 + 1, config_version=3))
        session.add(WorkerRow(server="another", pid=2**22 + 1, config_version=4))
    made = Presence(database, SERVER, ())
    made.report(5, [])
    assert sorted(reported(database)[0]) == [4, 5]
    made.end()
    assert reported(database)[0] == [4]


def test_a_chore_that_fails_keeps_no_other_from_being_done(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(presence, "REPORT_EVERY_S", 0.01)
    done: list[int] = []
    made = Presence(database, SERVER, (lambda: 1 / 0, lambda: done.append(1)))
    greenlet = gevent.spawn(made.report_for_ever)
    try:
        with gevent.Timeout(30):
            while len(done) < 3:
                gevent.sleep(0.01)
    finally:
        greenlet.kill()
    assert reported(database)[0] == [0]
