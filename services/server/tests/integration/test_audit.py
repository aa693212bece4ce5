"""The audit log on SQLite and PostgreSQL: many writers at once, a running server, and the command as a person types it."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
from sqlalchemy import text

from zato.common.cli.main import main
from zato.common.errors import NotFound
from zato.server.control.audit_chain import Entry, append, prune, verify
from zato.server.odb import schema
from zato.server.odb.database import Database
from zato.server.odb.limits import Limits

from .conftest import TOKEN, Server, StartServer

pytestmark = pytest.mark.redis


@pytest.fixture
def database(new_odb_url: Callable[[], str]) -> Iterator[Database]:
    made = Database(new_odb_url(), Limits(pool_size=8))
    schema.upgrade(made)
    yield made
    made.close()


def write(database: Database, actor: str, count: int, *, fails: bool = False) -> None:
    for number in range(count):
        with suppress(KeyError), database.transaction() as session:
            append(session, Entry(actor, f"cid-{number}", "edit", "k", f"n{number}", after={"a": 0.1, "b": ["ż", None]}))
            if fails:
                raise KeyError


def test_writers_at_the_same_time_make_one_chain(database: Database) -> None:
    writers = [threading.Thread(target=write, args=(database, f"w{n}", 15), kwargs={"fails": n == 0}) for n in range(7)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    found = verify(database)
    assert (found.problems, found.rows, found.last_id) == ((), 90, 90)


def test_rows_are_verified_searched_and_pruned(database: Database) -> None:
    write(database, "ann", 5)
    author = Entry("ann", "cid", "", "", "")
    assert prune(database, 0, author) == 5
    write(database, "ann", 5)
    assert verify(database).is_ok
    with database.transaction() as session:
        session.execute(text("UPDATE audit SET after = '{}' WHERE id = 9"))
    assert [(each.id, each.what) for each in verify(database).problems] == [(9, "tampered")]


# A server


@pytest.fixture(scope="module")
def server(start_server: StartServer, new_odb_url: Callable[[], str]) -> Server:
    return start_server(odb_url=new_odb_url(), workers=2)


def zato(server: Server, *words: str, capsys: Any) -> tuple[int, Any]:
    token = server.folder / "token"
    token.write_text(TOKEN)
    code = main([*words, "--json", "--server", f"127.0.0.1:{server.grpc_port}", "--token-file", str(token)])
    out = capsys.readouterr().out
    return code, json.loads(out) if out else None


def test_whatever_is_done_through_a_server_is_in_one_chain_with_who_and_where(server: Server, capsys: Any) -> None:
    def change(name: str) -> None:
        server.admin("zato.channel-http.create", name=name, url_path=f"/{name}", service="zato.ping")

    threads = [threading.Thread(target=change, args=(f"c{n}",)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with pytest.raises(NotFound):
        server.admin("zato.channel-http.delete", name="nothing")
    server.deploy("broken.py", "this is no Python")
    code, answer = zato(server, "audit", "list", capsys=capsys)
    assert code == 0
    rejected, refused, *created = answer["data"]
    assert (rejected["action"], rejected["kind"], rejected["result"]) == ("deploy", "deployment", "refused")
    assert "broken.py" in rejected["details"]
    assert (refused["service"], refused["name"], refused["result"]) == ("zato.channel-http.delete", "nothing", "refused")
    assert {each["name"] for each in created} == {f"c{n}" for n in range(6)}
    assert {(each["address"], each["service"]) for each in created} == {("127.0.0.1", "zato.channel-http.create")}
    assert len({each["cid"] for each in created}) == 6
    code, answer = zato(server, "audit", "verify", capsys=capsys)
    assert (code, answer["is_ok"], answer["rows"]) == (0, True, 8)


def test_the_command_finds_and_shows_entries(server: Server, capsys: Any) -> None:
    server.admin("zato.channel-http.create", name="shown", url_path="/shown", service="zato.ping")
    server.admin("zato.channel-http.edit", name="shown", method="GET")
    _, answer = zato(server, "audit", "search", "SHOWN", "--action", "edit", capsys=capsys)
    (entry,) = answer["data"]
    code, shown = zato(server, "audit", "show", str(entry["id"]), capsys=capsys)
    assert (code, shown["before"]["method"], shown["after"]["method"]) == (0, "", "GET")
    _, answer = zato(server, "audit", "list", "--result", "failed", capsys=capsys)
    assert answer["data"] == []


def test_the_command_says_which_row_was_tampered_with(server: Server, capsys: Any) -> None:
    server.admin("zato.channel-http.create", name="tampered", url_path="/tampered", service="zato.ping")
    _, answer = zato(server, "audit", "verify", capsys=capsys)
    noted = f"{answer['last_id']}:{answer['last_hash']}"
    assert zato(server, "audit", "verify", "--expect", noted, capsys=capsys)[0] == 0
    database = Database(server.odb_url)
    try:
        with database.transaction() as session:
            session.execute(text("UPDATE audit SET actor = 'somebody-else' WHERE id = :id"), {"id": answer["last_id"]})
        code, answer = zato(server, "audit", "verify", capsys=capsys)
        assert (code, [each["id"] for each in answer["problems"]]) == (1, [answer["last_id"]])
    finally:
        database.close()
