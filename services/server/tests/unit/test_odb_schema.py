from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text

from zato.common.errors import InvalidOptions, Unavailable
from zato.server.odb import migrations, schema
from zato.server.odb.database import Database
from zato.server.odb.limits import Limits
from zato.server.odb.tables import Base


@pytest.fixture
def database(tmp_path: Path) -> Database:
    return Database(f"sqlite:///{tmp_path}/odb.db")


def test_the_head_is_the_newest_migration() -> None:
    scripts = ScriptDirectory(str(Path(migrations.__file__).parent))
    assert scripts.get_heads() == [schema.HEAD]


def test_migrations_make_the_tables_that_the_code_has(database: Database) -> None:
    schema.upgrade(database)
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, Base.metadata) == []


def test_an_upgrade_is_idempotent_and_keeps_what_is_there(database: Database) -> None:
    assert schema.upgrade(database)
    with database.transaction() as session:
        session.execute(text("UPDATE config_version SET version = 7"))
    assert not schema.upgrade(database)
    with database.reading() as session:
        assert session.execute(text("SELECT version FROM config_version")).scalar_one() == 7


def test_an_odb_of_a_newer_release_is_left_alone(database: Database) -> None:
    schema.upgrade(database)
    with database.transaction() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(schema.SchemaTooNew, match="'9999'"):
        schema.upgrade(database)


def test_a_migration_that_fails_leaves_nothing_behind(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(connection: object) -> None:
        connection.exec_driver_sql("CREATE TABLE half (id INTEGER)")  # type: ignore[attr-defined]
        raise RuntimeError("the disk is full")

    monkeypatch.setattr(migrations, "migrate", fail)
    with pytest.raises(RuntimeError):
        schema.upgrade(database)
    assert inspect(database.engine).get_table_names() == []


def test_who_comes_while_another_migrates_is_told_to_try_again(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/odb.db"
    with Database(url).migrating(), pytest.raises(Unavailable):
        schema.upgrade(Database(url, Limits(lock_timeout_s=0.05)))
    assert schema.upgrade(Database(url))


@pytest.mark.parametrize("url", ["nonsense", "mysql://localhost/zato", ""])
def test_a_url_of_no_odb_is_refused(url: str) -> None:
    with pytest.raises(InvalidOptions, match="odb_url"):
        Database(url)


def test_what_cannot_be_opened_is_unavailable_and_shows_no_password(tmp_path: Path) -> None:
    with pytest.raises(Unavailable):
        Database(f"sqlite:///{tmp_path}/no/such/folder/odb.db").ping()
    with pytest.raises(Unavailable) as raised:
        Database("postgresql://user:the-password@127.0.0.1:1/zato").ping()
    assert "the-password" not in raised.value.message
    assert "127.0.0.1" in raised.value.message
    assert raised.value.attributes == {
        "public": "The server cannot use its database now: try again in a moment",
        "retry_after_s": "2",
    }


def test_a_host_that_nobody_knows_is_unavailable_too() -> None:
    with pytest.raises(Unavailable, match=r"could not look up the host no-such-host\.invalid"):
        Database("postgresql://user@no-such-host.invalid/zato").ping()


def test_a_reader_sees_one_state_while_others_write(database: Database) -> None:
    schema.upgrade(database)
    with database.reading() as reader:
        before = reader.execute(text("SELECT version FROM config_version")).scalar_one()
        with database.transaction() as writer:
            writer.execute(text("UPDATE config_version SET version = 7"))
        assert reader.execute(text("SELECT version FROM config_version")).scalar_one() == before
    with database.reading() as reader:
        assert reader.execute(text("SELECT version FROM config_version")).scalar_one() == 7


def test_a_transaction_that_fails_changes_nothing(database: Database) -> None:
    schema.upgrade(database)

    def fail_late() -> None:
        with database.transaction() as session:
            session.execute(text("UPDATE config_version SET version = 7"))
            raise KeyError

    with pytest.raises(KeyError):
        fail_late()
    with database.reading() as session:
        assert session.execute(text("SELECT version FROM config_version")).scalar_one() == 0
