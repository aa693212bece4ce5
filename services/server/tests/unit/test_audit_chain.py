"""The audit log as a chain, on SQLite: what is found in it, and what is not."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from sqlalchemy import select, text

from zato.common.bus import MemoryBus
from zato.common.errors import BadRequest, InvalidOptions, NotFound, Unavailable
from zato.common.secrets import SecretBox, generate_key
from zato.server.admin.audit import find, get, pruned, verified
from zato.server.admin.noting import attempts_noted, only_looks
from zato.server.control import audit_chain
from zato.server.control.audit_chain import Entry, Expected, Retention, append, digest, searched_text, verify
from zato.server.control.changes import Author, audit, changed_fields
from zato.server.control.kinds import Kinds
from zato.server.control.objects import Objects
from zato.server.kinds import own_kinds
from zato.server.odb import migrations, schema
from zato.server.odb.database import Database
from zato.server.odb.tables import AuditRow

ANN = Author("ann", "cid-1", "10.0.0.7", "zato.security-basic-auth.edit")


@pytest.fixture
def database(tmp_path):
    made = Database(f"sqlite:///{tmp_path}/odb.db")
    schema.upgrade(made)
    yield made
    made.close()


@pytest.fixture
def objects(database):
    return Objects(database, Kinds(own_kinds()), SecretBox([generate_key()]), MemoryBus(), "config")


def write(database: Database, count: int = 10, **more: Any) -> None:
    with database.transaction() as session:
        for number in range(count):
            values = {"actor": "ann", "cid": f"cid-{number}", "action": "edit", "kind": "k", "name": f"n{number}", **more}
            append(session, Entry(**values))


def run(database: Database, statement: str, **values: Any) -> None:
    with database.transaction() as session:
        session.execute(text(statement), values)


def found(database: Database, expected: Expected | None = None) -> list[tuple[int, str]]:
    return [(problem.id, problem.what) for problem in verify(database, expected).problems]


# Who, from where, what, before and after


def test_an_entry_says_who_from_where_by_which_service_and_which_fields_changed(objects, database):
    objects.create("channel-http", {"name": "c", "url_path": "/c", "service": "s"}, ANN)
    objects.edit("channel-http", {"name": "c", "method": "GET"}, ANN)
    created, edited = reversed(find(database, {})["data"])
    assert {name: edited[name] for name in ("who", "address", "service", "action", "result", "cid")} == {
        "who": "ann",
        "address": "10.0.0.7",
        "service": "zato.security-basic-auth.edit",
        "action": "edit",
        "result": "ok",
        "cid": "cid-1",
    }
    assert (edited["before"]["method"], edited["after"]["method"]) == ("", "GET")
    assert set(edited["after"]) == {"method", "version"}
    assert created["before"] is None
    assert edited["object_id"] == created["object_id"] == created["after"]["id"]


def test_a_secret_that_changed_is_told_and_one_that_did_not_is_not(objects, database):
    objects.create("security-basic-auth", {"name": "b", "username": "u", "password": "hush-1"}, ANN)
    objects.edit("security-basic-auth", {"name": "b", "realm": "R"}, ANN)
    objects.edit("security-basic-auth", {"name": "b", "password": "hush-2"}, ANN)
    secret, plain, _ = find(database, {})["data"]
    assert "password" not in plain["after"]
    assert secret["before"]["password"] == secret["after"]["password"] == "******"
    assert "hush" not in json.dumps(find(database, {}))


def test_fields_that_come_and_go_are_changes_too():
    assert changed_fields({"a": 1, "b": 2, "s": "*"}, {"b": 2, "c": 3, "s": "*"}, ["s"]) == (
        {"a": 1, "s": "*"},
        {"c": 3, "s": "*"},
    )


def test_a_refused_attempt_is_written_down_with_the_reason_and_without_what_was_given(database):
    author = Author("eve", "cid-2", "10.0.0.9", "zato.channel-http.delete")
    for error in (NotFound("There is no channel-http named 'c'"), RuntimeError("hush"), Unavailable("Redis does not answer")):
        with pytest.raises(type(error)), attempts_noted(database, author.service, {"name": "c", "x": "hush"}, author):
            raise error
    assert [(each["result"], each["details"]) for each in find(database, {"who": "eve", "name": "c"})["data"]] == [
        ("failed", "Redis does not answer"),
        ("failed", "RuntimeError"),
        ("refused", "There is no channel-http named 'c'"),
    ]
    assert {(each["kind"], each["action"]) for each in find(database, {})["data"]} == {("channel-http", "delete")}
    assert verify(database).is_ok


def test_an_attempt_to_look_is_no_news(database):
    with pytest.raises(NotFound), attempts_noted(database, "zato.channel-http.get", {}, ANN):
        raise NotFound("There is none")
    assert find(database, {})["data"] == []
    assert only_looks("zato.channel-http.get-list") and not only_looks("zato.cache.set")


# The chain


@pytest.mark.parametrize(
    "column", ["actor", "address", "name", "before", "cid", "result", "details", "created_at", "version", "searched"]
)
def test_a_tampered_row_is_found_whatever_was_changed(database, column):
    write(database, before={"a": 1, "b": [1.5, "ż", None]})
    assert found(database) == []
    value = {"before": '{"a": 2}', "created_at": "2001-01-01 00:00:00.000000", "version": 7}.get(column, "other")
    run(database, f"UPDATE audit SET {column} = :value WHERE id = 4", value=value)
    assert found(database) == [(4, "tampered")]


@pytest.mark.parametrize(("id", "first"), [(1, 1), (5, 5), (10, 10)])
def test_a_removed_row_is_found_wherever_it_was(database, id, first):
    write(database)
    run(database, "DELETE FROM audit WHERE id = :id", id=id)
    assert found(database) == [(first, "removed")]


def test_a_log_that_was_emptied_is_found(database):
    write(database)
    run(database, "DELETE FROM audit")
    assert [problem.message for problem in verify(database).problems] == ["rows 1 to 10 are missing at the end"]


def test_a_row_put_between_others_is_found_though_its_own_hash_is_right(database):
    write(database)
    run(database, "UPDATE audit SET id = 100 WHERE id = 5")
    insert_genuine(database, id=5, after=4)
    run(database, "DELETE FROM audit WHERE id = 100")
    assert found(database) == [(6, "inserted")]


def test_a_row_put_at_the_end_is_found(database):
    write(database)
    insert_genuine(database, id=11, after=10)
    assert found(database) == [(11, "inserted")]


def content_of(row: AuditRow) -> dict[str, Any]:
    return {column.name: getattr(row, column.name) for column in AuditRow.__table__.columns}


def insert_genuine(database: Database, *, id: int, after: int) -> None:
    with database.transaction() as session:
        before = session.get_one(AuditRow, after)
        copy = content_of(before)
        copy |= {"id": id, "actor": "mallory", "previous_hash": before.hash}
        copy["searched"] = searched_text(copy)
        copy["hash"] = digest(copy, before.created_at, before.hash)
        session.execute(sa.insert(AuditRow).values(copy))


def test_a_chain_that_was_made_anew_is_found_by_a_hash_noted_elsewhere(database):
    write(database)
    noted = Expected(6, get(database, {"id": 6})["hash"])
    assert found(database, noted) == []
    with database.transaction() as session:
        previous = ""
        for row in session.execute(select(AuditRow).order_by(AuditRow.id)).scalars():
            row.actor, row.previous_hash = "mallory", previous
            row.searched = searched_text(content_of(row))
            row.hash = previous = digest(content_of(row), row.created_at, previous)
        session.execute(text("UPDATE audit_head SET last_hash = :hash"), {"hash": previous})
    assert found(database) == []
    assert found(database, noted) == [(6, "tampered")]
    assert found(database, Expected(11, "x")) == [(11, "removed")]


def test_a_row_that_was_changed_and_hashed_anew_is_found(database):
    write(database)
    with database.transaction() as session:
        row = session.get_one(AuditRow, 5)
        row.actor = "mallory"
        row.searched = searched_text(content_of(row))
        row.hash = digest(content_of(row), row.created_at, row.previous_hash)
    assert found(database) == [(6, "inserted")]


def test_each_of_several_problems_is_told_once(database):
    write(database, 30)
    run(database, "UPDATE audit SET actor = 'x' WHERE id IN (3, 20)")
    run(database, "DELETE FROM audit WHERE id BETWEEN 10 AND 12")
    assert found(database) == [(3, "tampered"), (10, "removed"), (20, "tampered")]


def test_what_a_transaction_took_back_is_not_in_the_chain(database):
    write(database, 2)

    def fail_late() -> None:
        with database.transaction() as session:
            audit(session, ANN, "edit", kind="k", name="n")
            raise KeyError

    with pytest.raises(KeyError):
        fail_late()
    write(database, 2)
    assert [entry["id"] for entry in find(database, {})["data"]] == [4, 3, 2, 1]
    assert found(database) == []


def test_pages_of_rows_are_one_chain(database, monkeypatch):
    monkeypatch.setattr(audit_chain, "_AT_ONCE", 3)
    write(database)
    assert (verify(database).rows, found(database)) == (10, [])


# Retention


def test_what_is_old_is_pruned_and_the_rest_can_be_verified(database):
    write(database)
    age(database, 6, days=40)
    assert pruned(database, {"days": 30}, ANN) == {"removed": 6}
    entries = find(database, {})["data"]
    assert [entry["id"] for entry in entries] == [11, 10, 9, 8, 7]
    assert (entries[0]["action"], entries[0]["after"]["last_id"], entries[0]["who"]) == ("prune", 6, "ann")
    assert found(database) == []
    assert pruned(database, {"days": 30}, ANN) == {"removed": 0}
    run(database, "DELETE FROM audit WHERE id = 7")
    assert found(database) == [(7, "removed")]


def test_a_log_may_be_pruned_again_and_to_the_last_row(database):
    for _ in range(3):
        write(database, 5)
        age(database, 1000, days=40)
        pruned(database, {"days": 30}, ANN)
        assert found(database) == []
    assert [entry["action"] for entry in find(database, {})["data"]] == ["prune"]


def test_a_server_prunes_by_itself_what_is_a_day_too_old(database):
    retention = Retention(database, 30, Entry("server1", "", "", "", ""))
    write(database)
    age(database, 6, days=30.5)
    assert retention.sweep() == 0
    age(database, 6, days=32)
    assert retention.sweep() == 0, "it looked a moment ago"
    assert Retention(database, 0, Entry("server1", "", "", "", "")).sweep() == 0, "for ever"
    assert Retention(database, 30, Entry("server1", "", "", "", "")).sweep() == 6
    assert (find(database, {})["data"][0]["who"], found(database)) == ("server1", [])


def age(database: Database, up_to: int, *, days: float) -> None:
    """Make rows older, and their hashes those of rows that were."""
    with database.transaction() as session:
        previous = ""
        rows = list(session.execute(select(AuditRow).order_by(AuditRow.id)).scalars())
        previous = rows[0].previous_hash
        for row in rows:
            if row.id <= up_to:
                row.created_at = datetime.now(UTC) - timedelta(days=days)
            row.previous_hash = previous
            row.hash = previous = digest(content_of(row), row.created_at, previous)
        session.execute(text("UPDATE audit_head SET last_hash = :hash"), {"hash": previous})


@pytest.mark.parametrize("days", [0, -1, "30", None, True, 1e9])
def test_nobody_prunes_everything_by_a_slip(database, days):
    with pytest.raises(BadRequest, match="days"):
        pruned(database, {"days": days}, ANN)


# Search


def test_entries_are_found_by_whatever_is_known_of_them(database):
    write(database, 3)
    write(database, 2, actor="bob", kind="channel-http", service="zato.channel-http.edit", result="refused", details="No 100%")
    assert len(find(database, {"who": "bob"})["data"]) == 2
    assert len(find(database, {"kind": "channel-http", "name": "n1"})["data"]) == 1
    assert len(find(database, {"service": "zato.channel-http.edit", "cid": "cid-0"})["data"]) == 1
    assert len(find(database, {"result": "refused", "query": "no 100%"})["data"]) == 2
    assert find(database, {"query": "no_100"})["data"] == []
    assert find(database, {"until": "2020-01-01"})["data"] == []
    assert len(find(database, {"since": "2020-01-01T00:00:00+02:00"})["data"]) == 5


def test_pages_say_how_many_there_are(database):
    write(database, 25)
    page = find(database, {"cur_page": 3, "page_size": 10})
    assert [entry["id"] for entry in page["data"]] == [5, 4, 3, 2, 1]
    assert (page["_meta"]["total"], page["_meta"]["num_pages"], page["_meta"]["has_next_page"]) == (25, 3, False)
    first = find(database, {"page_size": 10})["_meta"]
    assert (first["total"], first["next_page"], first["prev_page"]) == (25, 2, None)
    assert find(database, {"cur_page": 9, "page_size": 10})["data"] == []


@pytest.mark.parametrize("others", [{}, {"who": "ann"}, {"kind": "k", "name": "n1"}, {"result": "ok", "since": "2020-01-01"}])
def test_a_text_is_looked_for_without_reading_the_rows_that_do_not_have_it(database, others):
    write(database, 3)
    looks = []
    sa.event.listen(database.engine, "before_cursor_execute", lambda *called: looks.append((called[2], called[3])))
    assert find(database, {"query": "nowhere", **others})["data"] == []
    ((statement, values),) = [look for look in looks if "LIKE" in look[0]]
    with database.engine.connect() as connection:
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values).all()
    assert plan[0][3].removesuffix(" ix_audit_searched") in ("SCAN audit USING COVERING INDEX", "SCAN audit USING INDEX")


@pytest.mark.parametrize(
    "values",
    [{"cur_page": 0}, {"page_size": 5000}, {"page_size": "x"}, {"query": 5}, {"result": "x"}, {"since": "soon"}, {"a": 1}],
)
def test_what_cannot_be_searched_for_is_named(database, values):
    with pytest.raises(InvalidOptions, match=next(iter(values))):
        find(database, values)


@pytest.mark.parametrize("id", [0, -1, 5, 2**40])
def test_an_entry_that_is_not_there_is_said_to_be_missing(database, id):
    with pytest.raises(NotFound, match=str(id)):
        get(database, {"id": id})


@pytest.mark.parametrize("values", [{"expected_id": "1", "expected_hash": "a"}, {"expected_id": 1}, {"expected_hash": "a"}])
def test_what_is_expected_of_a_row_needs_both(database, values):
    with pytest.raises(BadRequest, match="expected_id"):
        verified(database, values)


# What was there before there was a chain


def test_older_rows_are_chained_by_the_migration(tmp_path):
    database = Database(f"sqlite:///{tmp_path}/old.db")
    with database.engine.connect() as connection, connection.begin():
        config = Config()
        config.set_main_option("script_location", str(Path(migrations.__file__).parent))
        config.attributes["connection"] = connection
        command.upgrade(config, "0002")
        for id, before, after in ((3, "null", '{"a": 1}'), (7, '{"a": 1}', '{"a": "ż"}')):
            connection.execute(
                text(
                    "INSERT INTO audit (id, created_at, actor, action, kind, name, version, before, after, cid) VALUES "
                    "(:id, '2027-01-01 10:00:00.000000', 'ann', 'edit', 'k', 'n', 1, :before, :after, 'cid')"
                ),
                {"id": id, "before": before, "after": after},
            )
    assert schema.upgrade(database)
    write(database, 1)
    assert found(database) == []
    newest, *older = find(database, {})["data"]
    assert newest["id"] == 3
    assert [(entry["id"], entry["before"], entry["after"]["a"], entry["result"]) for entry in older] == [
        (2, {"a": 1}, "ż", "ok"),
        (1, None, 1, "ok"),
    ]
