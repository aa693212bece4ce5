"""Services of a running server that call other systems: real ones, slow ones, and ones that are not there."""

import json
import secrets
import sqlite3
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg2
import pytest

from zato.common.testing.postgresql_server import run_sql
from zato.common.testing.processes import free_port
from zato.common.testing.waiting import eventually
from zato.server.contracts.connection_contract import SilentServer
from zato.server.contracts.http_backend import Backend

from .conftest import Answer, Server, StartServer

pytestmark = [pytest.mark.redis, pytest.mark.postgresql]

SERVICES = """
from contextlib import closing

from zato.server.service import Service


class Free(Service):
    def handle(self):
        self.response.payload = {"free": True}


class CallREST(Service):
    def handle(self):
        answer = self.rest.backend.get({"id": 7})
        self.response.payload = {"status": answer.status_code, "data": answer.data}


class CallSQL(Service):
    def handle(self):
        with closing(self.out.sql.get("db").session()) as session:
            rows = session.execute("SELECT name FROM customer ORDER BY name")
            self.response.payload = {"names": [row.name for row in rows], "cid": self.cid}


class RunSQL(Service):
    # As services of all releases are written: plain text in, rows as dictionaries out.
    class SimpleIO:
        input_required = "query", "out_name"
        output_optional = "result", "status"

    def handle(self):
        with closing(self.outgoing.sql.get(self.request.input.out_name).session()) as session:
            rows = session.execute(self.request.input.query)
            if rows.returns_rows:
                self.response.payload.result = [{key: value for key, value in row.items()} for row in rows]
            session.commit()
        self.response.payload.status = "done"


class CallNobody(Service):
    def handle(self):
        self.out.plain_http.get("nobody").conn.get(self.cid)


class CallRefusing(Service):
    def handle(self):
        with closing(self.out.sql.get("refusing").session()) as session:
            session.execute("SELECT 1")


class CallUnknown(Service):
    def handle(self):
        self.email.smtp.get("unknown").conn.send(None)
"""


@pytest.fixture(scope="module")
def backend() -> Iterator[Backend]:
    backend = Backend()
    yield backend
    backend.stop()


@pytest.fixture(scope="module")
def database_url(new_postgresql_url: Callable[[], str]) -> str:
    url = new_postgresql_url()
    run_sql(url, "CREATE TABLE customer (name text); INSERT INTO customer VALUES ('Jane'), ('Joe')")
    return url


@pytest.fixture(scope="module")
def server(start_server: StartServer, backend: Backend, database_url: str) -> Server:
    """One worker, so that what stops it stops everybody."""
    server = start_server(workers=1)
    server.deploy("calls.py", SERVICES)
    for name in ("free", "call-rest", "call-sql", "run-sql", "call-nobody", "call-refusing", "call-unknown"):
        server.add_channel(name, f"/{name}", f"calls.{name}")
    url = urlsplit(database_url)
    address = {"engine": "postgresql", "host": url.hostname, "port": url.port, "db_name": url.path[1:]}
    server.admin("zato.outgoing-http.create", name="backend", host=backend.url, url_path="/x/{id}", timeout=60)
    server.admin("zato.outgoing-http.create", name="nobody", host=f"http://127.0.0.1:{free_port()}")
    server.admin("zato.outgoing-sql.create", name="db", username=url.username, **address)
    server.admin("zato.outgoing-sql.create", name="refusing", username="strange-user", **address)
    server.wait_until_applied()
    return server


def test_a_slow_backend_stops_no_other_request(server: Server, backend: Backend) -> None:
    backend.gate.clear()
    with ThreadPoolExecutor(8) as pool:
        calls = [pool.submit(server.request, "GET", "/call-rest", timeout_s=60) for _ in range(8)]
        eventually(lambda: len(backend.seen) == 8, what="all calls to wait")
        assert server.request("GET", "/free").status == 200
        assert not any(call.done() for call in calls)
        backend.release()
        assert [call.result().json["status"] for call in calls] == [200] * 8
    assert {seen.path for seen in backend.seen} == {"/x/7"}
    assert len({seen.headers["x-zato-cid"] for seen in backend.seen}) == 8


def test_a_slow_query_stops_no_other_request(server: Server, database_url: str) -> None:
    lock = psycopg2.connect(database_url)
    lock.cursor().execute("LOCK TABLE customer IN ACCESS EXCLUSIVE MODE")
    with ThreadPoolExecutor(6) as pool:
        # More than the pool keeps: the others wait for no connection either.
        calls = [pool.submit(server.request, "GET", "/call-sql", timeout_s=60) for _ in range(6)]
        waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"
        eventually(lambda: run_sql(database_url, waiting) == "6", what="all queries to wait")
        assert server.request("GET", "/free").status == 200
        assert not any(call.done() for call in calls)
        lock.close()
        assert [call.result().json["names"] for call in calls] == [["Jane", "Joe"]] * 6


def test_a_locked_sqlite_file_stops_no_other_request(server: Server, tmp_path: Path) -> None:
    file = tmp_path / "offers.db"
    server.admin("zato.outgoing-sql.create", name="MYDB", engine="sqlite", db_name=str(file))
    server.wait_until_applied()

    def run(query: str) -> Any:
        answer = server.request("POST", "/run-sql", json.dumps({"query": query, "out_name": "MYDB"}).encode(), timeout_s=60)
        return answer.json["response"]

    assert run("CREATE TABLE offers (offer_id text, da int)")["status"] == "done"
    with closing(sqlite3.connect(file, isolation_level=None)) as lock, ThreadPoolExecutor(1) as pool:
        lock.execute("BEGIN EXCLUSIVE")
        call = pool.submit(run, "INSERT INTO offers VALUES ('O1', 10)")
        for _ in range(20):
            assert server.request("GET", "/free").status == 200
        assert not call.done()
        lock.execute("COMMIT")
        assert call.result()["status"] == "done"
    assert run("SELECT * FROM offers")["result"] == [{"offer_id": "O1", "da": 10}]


@pytest.mark.parametrize(
    ("path", "status"), [("/call-nobody", 503), ("/call-refusing", 500), ("/call-unknown", 404)], ids=lambda value: str(value)
)
def test_a_client_hears_that_a_call_failed_and_nothing_of_our_network(server: Server, path: str, status: int) -> None:
    answer: Answer = server.request("GET", path)
    assert answer.status == status
    assert answer.json["result"] == "Error"
    for told in (b"127.0.0.1", b"strange-user", b"psycopg2", b"urllib3", b"refused:"):
        assert told not in answer.body
    assert server.request("GET", "/free").status == 200


def test_a_change_of_a_connection_is_used_by_the_next_call(server: Server, backend: Backend) -> None:
    path = f"/changed/{secrets.token_hex(4)}/{{id}}"
    server.admin("zato.outgoing-http.edit", name="backend", url_path=path)
    server.wait_until_applied()
    assert server.request("GET", "/call-rest").status == 200
    assert backend.seen[-1].path == path.format(id=7)


def test_a_connection_that_is_switched_off_is_refused_until_it_is_on_again(server: Server) -> None:
    for is_active, status in ((False, 409), (True, 200)):
        server.admin("zato.outgoing-sql.edit", name="db", is_active=is_active)
        server.wait_until_applied()
        assert server.request("GET", "/call-sql").status == status


def test_how_a_connection_fares_is_reported(server: Server) -> None:
    server.request("GET", "/call-nobody")
    server.request("GET", "/call-rest")

    def reported() -> bool:
        statuses = {each["name"]: each for each in server.admin("zato.outgoing-http.get-status")}
        assert statuses.keys() >= {"nobody", "backend"}
        assert statuses["nobody"]["error"].endswith("nobody listens there")
        assert (statuses["nobody"]["is_connected"], statuses["backend"]["is_connected"]) == (False, True)
        assert statuses["nobody"]["since"]
        assert statuses["backend"]["error"] == ""
        return True

    eventually(reported, timeout_s=20)


def test_a_connection_is_pinged_also_while_it_is_switched_off(server: Server) -> None:
    started = time.monotonic()
    assert server.admin("zato.outgoing-http.ping", name="backend")["is_ok"] is True
    failed = server.admin("zato.outgoing-http.ping", name="nobody")
    assert (failed["is_ok"], failed["error"]) == (False, "Connection 'nobody' failed: nobody listens there")
    server.admin("zato.outgoing-sql.edit", name="db", is_active=False)
    server.wait_until_applied()
    pinged = server.admin("zato.outgoing-sql.ping", name="db")
    assert pinged["is_ok"] is True
    assert 0 <= pinged["duration_ms"] <= (time.monotonic() - started) * 1000
    server.admin("zato.outgoing-sql.edit", name="db", is_active=True)


SILENT: dict[str, dict[str, Any]] = {
    "outgoing-http": {"timeout": 60},
    "outgoing-soap": {"timeout": 60},
    "outgoing-sql postgresql": {"db_name": "x", "connect_timeout_s": 60},
    "outgoing-sql mysql": {"db_name": "x", "connect_timeout_s": 60},
    "outgoing-sql oracle": {"db_name": "x", "username": "x", "password": "x", "connect_timeout_s": 60},
    "outgoing-smtp": {"timeout": 60},
    "outgoing-imap": {"timeout": 60, "username": "x", "password": "x"},
    "outgoing-ftp": {"timeout": 60},
    "outgoing-sftp": {"timeout": 60, "username": "x", "password": "x"},
    "outgoing-ldap": {"connect_timeout": 60},
}


@pytest.mark.parametrize("which", SILENT)
def test_a_system_that_says_nothing_stops_no_other_request(server: Server, which: str) -> None:
    kind, _, engine = which.partition(" ")
    name = which.replace(" ", "-")
    with SilentServer() as silent, ThreadPoolExecutor(1) as pool:
        address: dict[str, Any] = {"host": "127.0.0.1", "port": silent.port}
        if kind in ("outgoing-http", "outgoing-soap"):
            address = {"host": f"http://127.0.0.1:{silent.port}"}
        elif kind == "outgoing-ldap":
            address = {"server_list": f"ldap://127.0.0.1:{silent.port}"}
        elif engine:
            address["engine"] = engine
        server.admin(f"zato.{kind}.create", name=name, is_active=False, **address, **SILENT[which])
        server.wait_until_applied()
        ping = pool.submit(server.admin, f"zato.{kind}.ping", name=name)
        silent.wait_until_used()
        for _ in range(3):
            assert server.request("GET", "/free").status == 200
        assert not ping.done()
        silent.release()
        assert ping.result()["is_ok"] is False
