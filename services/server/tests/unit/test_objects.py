"""Objects in a real ODB on SQLite."""

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import event, select

from zato.common.bus import MemoryBus
from zato.common.errors import AlreadyExists, Conflict, InvalidOptions, NotFound
from zato.common.secrets import SecretBox, generate_key
from zato.server.control.changes import Author, current_version
from zato.server.control.kinds import Kinds
from zato.server.control.objects import Objects
from zato.server.kinds import own_kinds
from zato.server.odb import schema
from zato.server.odb.database import Database
from zato.server.odb.tables import AuditRow, Base, ObjectRow

AUTHOR = Author("ada", "cid1")
BASIC = "security-basic-auth"
CHANNEL = "channel-http"


@pytest.fixture
def database(tmp_path):
    made = Database(f"sqlite:///{tmp_path}/odb.db")
    schema.upgrade(made)
    yield made
    made.close()


@pytest.fixture
def nudges():
    return []


@pytest.fixture
def objects(database, nudges):
    bus = MemoryBus()
    bus.subscribe("config", nudges.append)
    return Objects(database, Kinds(own_kinds()), SecretBox([generate_key()]), bus, "config")


def test_the_migrations_make_the_tables(database):
    with database.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []
        assert schema.current_revision(connection) == schema.HEAD


def test_a_secret_is_encrypted_at_rest_and_never_shown(objects, database):
    objects.create(BASIC, {"name": "b", "username": "u", "password": "hush"}, AUTHOR)
    with database.reading() as session:
        row = session.execute(select(ObjectRow)).scalar_one()
        audited = session.execute(select(AuditRow)).scalar_one()
        assert "hush" not in str(row.data) + str(row.secrets) + str(audited.after)
        assert objects.load(session)[row.id].options.password == "hush"
        assert (audited.actor, audited.cid, audited.action) == ("ada", "cid1", "create")
    assert "password" not in objects.get(BASIC, {"name": "b"})


def test_each_change_makes_one_version_and_one_nudge(objects, database, nudges):
    objects.create(CHANNEL, {"name": "c", "url_path": "/c", "service": "s"}, AUTHOR)
    objects.edit(CHANNEL, {"name": "c", "data_format": "xml"}, AUTHOR)
    assert objects.edit(CHANNEL, {"name": "c", "data_format": "xml"}, AUTHOR)["is_changed"] is False
    objects.delete(CHANNEL, {"name": "c"}, AUTHOR)
    with database.reading() as session:
        assert current_version(session) == 3
    assert nudges == ["", "1", "2", "3"]


def test_a_failed_change_leaves_no_trace(objects, database, nudges):
    with pytest.raises(InvalidOptions, match="security"):
        objects.create(CHANNEL, {"name": "c", "url_path": "/c", "service": "s", "security": "nobody"}, AUTHOR)
    with database.reading() as session:
        assert current_version(session) == 0
        assert session.execute(select(AuditRow)).first() is None
    assert nudges == [""]


def test_what_is_used_cannot_be_deleted(objects):
    objects.create(BASIC, {"name": "b", "username": "u", "password": "p"}, AUTHOR)
    objects.create(CHANNEL, {"name": "c", "url_path": "/c", "service": "s", "security": "b"}, AUTHOR)
    with pytest.raises(Conflict, match="channel-http 'c'"):
        objects.delete(BASIC, {"name": "b"}, AUTHOR)
    assert [(each["kind"], each["name"]) for each in objects.get_users(BASIC, {"name": "b"})] == [(CHANNEL, "c")]
    assert objects.get_users(CHANNEL, {"name": "c"}) == []
    objects.edit(BASIC, {"name": "b", "new_name": "renamed"}, AUTHOR)
    assert objects.get(CHANNEL, {"name": "c"})["security"] == "renamed"


def test_two_channels_may_not_share_path_method_and_accept(objects):
    objects.create(CHANNEL, {"name": "c", "url_path": "/c", "service": "s"}, AUTHOR)
    with pytest.raises(AlreadyExists, match="'c' already has"):
        objects.create(CHANNEL, {"name": "d", "url_path": "/c", "service": "s"}, AUTHOR)
    with pytest.raises(NotFound):
        objects.get(CHANNEL, {"name": "d"})


def test_reading_many_objects_takes_as_many_looks_as_reading_few(objects, database):
    def looks() -> int:
        statements = []
        event.listen(database.engine, "before_cursor_execute", lambda *given: statements.append(given[2]))
        with database.reading() as session:
            loaded = objects.load(session)
        assert {each.options.security for each in loaded.values() if each.kind == CHANNEL} == {"b"}
        return len(statements)

    objects.create(BASIC, {"name": "b", "username": "u", "password": "p"}, AUTHOR)
    objects.create(CHANNEL, {"name": "c", "url_path": "/c", "service": "s", "security": "b"}, AUTHOR)
    few = looks()
    for number in range(20):
        objects.create(CHANNEL, {"name": f"c{number}", "url_path": f"/c/{number}", "service": "s", "security": "b"}, AUTHOR)
    assert looks() == few


def test_an_object_that_cannot_be_read_keeps_no_others_from_loading(objects, database):
    objects.create(BASIC, {"name": "b", "username": "u", "password": "p"}, AUTHOR)
    with database.transaction() as session:
        session.add(ObjectRow(kind="gone", name="g", is_active=True, version=1, data={}, secrets={}))
    with database.reading() as session:
        assert [each.name for each in objects.load(session).values()] == ["b"]
