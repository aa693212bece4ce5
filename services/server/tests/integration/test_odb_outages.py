"""PostgreSQL goes away, comes back, hangs and becomes slow, while clients send requests and operators make changes."""

import base64
import contextlib
import itertools
import json
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
import sqlalchemy

from zato.common.errors import Unavailable
from zato.common.testing.fault_proxy import FaultProxy
from zato.common.testing.load import Load
from zato.common.testing.plugin import require_program
from zato.common.testing.postgresql_server import PostgreSQLServer, run_sql
from zato.common.testing.waiting import eventually

from .conftest import Server, StartServer

pytestmark = [pytest.mark.redis, pytest.mark.postgresql]

PASSWORD = "correct horse battery"
JSON = {"Content-Type": "application/json"}
CREATE = "zato.security-basic-auth.create"
REFUSAL = "The server cannot use its database now: try again in a moment"
IN_DOUBT = "The server lost its database while it made the change: look whether it was made before you try again"
# Whoever asks is looked up first, then the change is given up after 2 s: see the server's settings. The rest is generous.
BOUND_S = 20.0
SERVICES = """
from zato.server.service import Service


class Order(Service):
    name = "outages.order"

    class SimpleIO:
        input_required = ("customer",)
        input_optional = ("note",)
        output_required = ("customer", "length")

    def handle(self):
        self.response.payload.customer = self.request.input.customer
        self.response.payload.length = len(self.request.input.customer)


class Onward(Service):
    name = "outages.onward"

    def handle(self):
        self.response.payload = {"status": self.out.rest["order"].conn.post(self.cid, {"customer": "onward"}).status_code}
"""


@dataclass(frozen=True)
class Attempt:
    """A change that somebody tried to make, and what they were told: "" when it was made."""

    number: int
    refusal: str
    took_s: float


class Cluster:
    """A server of two workers, whose PostgreSQL is behind a proxy; people who change things, and clients who do not."""

    def __init__(self, server: Server, database: PostgreSQLServer, proxy: FaultProxy) -> None:
        self.server = server
        self.database = database
        self.proxy = proxy
        self._numbers = itertools.count(1)

    def change_over_http(self) -> Attempt:
        """Make an object as an administrator who signs in."""
        number = next(self._numbers)
        body = json.dumps(_definition(number)).encode()
        headers = {"Authorization": _basic("admin")}
        began_at = time.monotonic()
        answer = self.server.request("POST", f"/zato/json/{CREATE}", body, headers, timeout_s=60)
        took_s = time.monotonic() - began_at
        env = answer.json["zato_env"]
        if answer.status == 503:
            assert int(answer.headers["retry-after"]) >= 1
            assert env["result"] == "ZATO_ERROR" and env["cid"] == answer.cid
            return Attempt(number, env["details"], took_s)
        assert answer.status == 200, answer
        return Attempt(number, "", took_s)

    def change_over_grpc(self) -> Attempt:
        """Make an object as a part of the cluster, or the command, does."""
        number = next(self._numbers)
        began_at = time.monotonic()
        refusal = self._refusal(number)
        took_s = time.monotonic() - began_at
        if refusal is None:
            return Attempt(number, "", took_s)
        assert refusal.retry_after_s >= 1 and refusal.attributes["retry_after_s"] == str(refusal.retry_after_s)
        return Attempt(number, refusal.attributes["public"], took_s)

    def _refusal(self, number: int) -> Unavailable | None:
        try:
            self.server.invoke(CREATE, _definition(number), timeout_s=60)
        except Unavailable as exc:
            return exc
        return None

    def changes(self, count: int = 4) -> list[Attempt]:
        """Make some at a time, half of them in each way."""
        with ThreadPoolExecutor(2 * count) as threads:
            over_http = [threads.submit(self.change_over_http) for _ in range(count)]
            over_grpc = [threads.submit(self.change_over_grpc) for _ in range(count)]
            return [attempt.result() for attempt in (*over_http, *over_grpc)]

    @contextlib.contextmanager
    def traffic(self) -> Iterator[None]:
        """Clients who send requests through every sort of door meanwhile, and none of whom may fail."""
        token = self.server.request("POST", "/zato/jwt/log-in", json.dumps({"username": "jwt", "password": PASSWORD}).encode())
        doors = {
            "basic": {"Authorization": _basic("basic")},
            "key": {"X-Key": "the-key"},
            "jwt": {"Authorization": f"Bearer {token.json['token']}"},
            "onward": {},
        }
        body = json.dumps({"customer": "Ada"}).encode()
        address = f"http://127.0.0.1:{self.server.http_port}"
        loads = [
            Load(f"{address}/{name}", threads=2, pause_s=0.02, headers={**headers, **JSON}, body=body)
            for name, headers in doors.items()
        ]
        with contextlib.ExitStack() as stack:
            for load in loads:
                stack.enter_context(load)
                load.wait_for_more(10)
            yield
            for load in loads:
                load.wait_for_more(10)
        assert [failure for load in loads for failure in load.failures] == []
        assert {answer for load in loads[:3] for answer in load.answers} == {b'{"response":{"customer":"Ada","length":3}}'}
        assert set(loads[3].answers) == {b'{"status":200}'}

    def wait_until_changes_work(self) -> None:
        eventually(lambda: not self.change_over_grpc().refusal, timeout_s=30, what="changes to be made again")
        self.server.wait_until_applied()

    def traces(self, attempt: Attempt) -> set[str]:
        """The tables in which a change has left something."""
        made = f"name = '{_definition(attempt.number)['name']}'"
        questions = {"object": made, "change": made, "audit": f"{made} AND result = 'ok'"}
        return {table for table, where in questions.items() if run_sql(self.database.url, _count(table, where)) != "0"}

    def check_whole(self, attempts: list[Attempt]) -> None:
        """Each change was made whole or not at all, and whoever was told no finds nothing of it."""
        for attempt in attempts:
            traces = self.traces(attempt)
            assert traces in (set(), {"object", "change", "audit"}), attempt
            assert bool(traces) is not bool(attempt.refusal) or attempt.refusal == IN_DOUBT, attempt
        assert self.server.admin("zato.audit-log.verify")["problems"] == []


def _definition(number: int) -> dict[str, str]:
    return {"name": f"change-{number}", "username": f"user-{number}", "password": PASSWORD}


def _order(server: Server) -> bytes:
    return server.request("POST", "/key", b'{"customer": "Ada"}', {"X-Key": "the-key"}).body


def _count(table: str, where: str) -> str:
    return f"SELECT count(*) FROM {table} WHERE {where}"


def _basic(name: str) -> str:
    return "Basic " + base64.b64encode(f"{name}:{PASSWORD}".encode()).decode()


@pytest.fixture(scope="module")
def cluster(start_server: StartServer) -> Iterator[Cluster]:
    program = require_program("postgres")
    with tempfile.TemporaryDirectory(prefix="zato-test-postgresql-") as folder:
        database = PostgreSQLServer(program, Path(folder))
        database.start()
        with FaultProxy("127.0.0.1", database.port) as proxy:
            server = start_server(
                odb_url=proxy.in_url(database.url),
                workers=2,
                odb_timeout_s=2.0,
                odb_lock_timeout_s=1.0,
                odb_connect_timeout_s=1.0,
            )
            _set_up(server)
            yield Cluster(server, database, proxy)
            server.end()
        database.stop()


def _set_up(server: Server) -> None:
    deployed = server.deploy("outages.py", SERVICES)
    assert all(worker.is_ok for worker in deployed.workers), deployed
    server.admin("zato.security-basic-auth.create", name="basic", username="basic", password=PASSWORD)
    server.admin("zato.security-api-key.create", name="key", header="X-Key", key="the-key")
    server.admin("zato.security-jwt.create", name="jwt", username="jwt", password=PASSWORD)
    for name in ("basic", "key", "jwt"):
        server.add_channel(name, f"/{name}", "outages.order", security=name)
    server.add_channel("onward", "/onward", "outages.onward")
    address = f"http://127.0.0.1:{server.http_port}"
    server.admin("zato.outgoing-http.create", name="order", host=address, url_path="/key", security="key", data_format="json")
    server.admin("zato.account.create", name="admin", role="admin", password=PASSWORD, must_change_password=False)
    server.wait_until_applied()


def test_while_postgresql_is_restarted_clients_are_served_and_changes_are_refused_whole(cluster: Cluster) -> None:
    attempts = []
    with cluster.traffic():
        with ThreadPoolExecutor(1) as thread:
            meanwhile = thread.submit(lambda: [attempt for _ in range(5) for attempt in cluster.changes()])
            cluster.database.stop()
            attempts += cluster.changes()
            assert {attempt.refusal for attempt in attempts} == {REFUSAL}
            cluster.database.start()
            attempts += meanwhile.result()
        cluster.wait_until_changes_work()
    assert {attempt.refusal for attempt in attempts} <= {"", REFUSAL, IN_DOUBT}
    assert max(attempt.took_s for attempt in attempts) < BOUND_S
    cluster.check_whole(attempts)


def test_while_postgresql_is_slow_clients_are_served_and_changes_are_refused_whole(cluster: Cluster) -> None:
    with cluster.traffic():
        cluster.proxy.delay(2.0)
        attempts = cluster.changes()
        cluster.proxy.restore()
        cluster.wait_until_changes_work()
    assert {attempt.refusal for attempt in attempts} == {REFUSAL}
    assert max(attempt.took_s for attempt in attempts) < BOUND_S
    cluster.check_whole(attempts)


def test_while_postgresql_says_nothing_clients_are_served_and_changes_are_refused_whole(cluster: Cluster) -> None:
    with cluster.traffic():
        cluster.proxy.freeze()
        attempts = cluster.changes()
        cluster.proxy.restore()
        cluster.wait_until_changes_work()
    assert {attempt.refusal for attempt in attempts} <= {REFUSAL, IN_DOUBT}
    assert max(attempt.took_s for attempt in attempts) < BOUND_S
    cluster.check_whole(attempts)


def test_a_change_that_hangs_keeps_others_waiting_only_for_so_long(cluster: Cluster) -> None:
    """Somebody holds the row that orders changes, and does not let go of it."""
    engine = sqlalchemy.create_engine(cluster.database.url.replace("postgresql:", "postgresql+psycopg2:"))
    with engine.connect() as connection, cluster.traffic():
        connection.execute(sqlalchemy.text("SELECT * FROM config_version FOR UPDATE"))
        attempts = cluster.changes(2)
        connection.rollback()
    engine.dispose()
    assert {attempt.refusal for attempt in attempts} == {REFUSAL}
    assert max(attempt.took_s for attempt in attempts) < BOUND_S
    cluster.check_whole(attempts)


def test_what_works_in_the_background_goes_on_after_an_outage(cluster: Cluster) -> None:
    server = cluster.server
    before = server.admin("zato.cluster.get-status")["workers"]
    cluster.database.stop()
    eventually(lambda: server.log_lines("worker_report_failed"), timeout_s=20, what="a report to fail")
    with cluster.traffic():
        cluster.database.start()

    def have_all_reported() -> bool:
        after = {each["pid"]: each["reported_at"] for each in server.admin("zato.cluster.get-status")["workers"]}
        return all(after.get(each["pid"], "") > each["reported_at"] for each in before)

    cluster.wait_until_changes_work()
    eventually(have_all_reported, timeout_s=30, what="both workers to say that they live")
    statuses = server.admin("zato.outgoing-http.get-status")
    assert [(each["name"], each["is_connected"]) for each in statuses] == [("order", True)]
    server.deploy("outages.py", SERVICES.replace("len(", "10 * len("))
    eventually(lambda: b'"length":30' in _order(server), what="the new version to serve")
