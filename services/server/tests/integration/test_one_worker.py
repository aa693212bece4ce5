"""A single worker whose services wait for slow systems, or compute: its other channels answer meanwhile."""

import json
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg2
import pytest

from zato.common.errors import DeadlineExceeded
from zato.common.testing.plugin import require_program
from zato.common.testing.waiting import eventually
from zato.proto.invoker.v1.invoker_pb2 import InvokeManyRequest, InvokeRequest
from zato.proto.invoker.v1.invoker_pb2_grpc import InvokerStub
from zato.server.contracts.connection_contract import SilentServer
from zato.server.contracts.http_backend import Backend, Reply, Seen
from zato.server.contracts.mariadb_server import MariaDBServer

from .conftest import Server, StartServer

pytestmark = [pytest.mark.redis, pytest.mark.postgresql]

SERVICES = """
import time
from contextlib import closing

from zato.common.api import SMTPMessage
from zato.server.service import Service

state = {"begun": 0, "rounds": 0, "goes_on": True}


class Free(Service):
    def handle(self):
        self.response.payload = {"rounds": state["rounds"]}


class State(Service):
    def handle(self):
        self.response.payload = state


class Stop(Service):
    def handle(self):
        state["goes_on"] = False


class Compute(Service):
    '''Lets nobody run by itself, and ends only when another request has been answered.'''

    def handle(self):
        state.update(begun=state["begun"] + 1, goes_on=True)
        while state["goes_on"]:
            state["rounds"] += 1
        self.response.payload = {"rounds": state["rounds"]}


class Outer(Service):
    def handle(self):
        self.response.payload = self.invoke(Compute)


class SortWithLock(Service):
    '''Computes inside library code, and holds a lock that others want.'''

    def handle(self):
        state.update(begun=state["begun"] + 1, goes_on=True)
        with self.server.user_ctx_lock:
            while state["goes_on"]:
                sorted(range(1000), key=lambda number: -number)
        self.response.payload = {"done": True}


class WantLock(Service):
    def handle(self):
        with self.server.user_ctx_lock:
            self.response.payload = {"done": True}


class Query(Service):
    def handle(self):
        statement = self.request.input.statement
        state["begun"] += 1
        with closing(self.out.sql.get(self.request.input.db).session()) as session:
            self.response.payload = {"result": str(session.execute(statement).scalar())}


class Write(Service):
    def handle(self):
        state["begun"] += 1
        with closing(self.out.sql.get("sqlite").session()) as session:
            session.execute("INSERT INTO customer VALUES ('Joe')")
            session.commit()
        self.response.payload = {"result": "written"}


class SOAP(Service):
    def handle(self):
        with self.out.soap.get("orders").conn.client() as client:
            self.response.payload = {"result": client.service.GetOrder("7")}


class Mail(Service):
    def handle(self):
        message = SMTPMessage(from_="a@example.com", to="b@example.com", subject="s", body="b")
        self.email.smtp.get("mail").conn.send(message)
"""

WSDL = """<?xml version="1.0"?>
<definitions targetNamespace="urn:o" xmlns="http://schemas.xmlsoap.org/wsdl/" xmlns:tns="urn:o"
    xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap/" xmlns:xsd="http://www.w3.org/2001/XMLSchema">
  <types><xsd:schema targetNamespace="urn:o" elementFormDefault="qualified">
    <xsd:element name="GetOrder"><xsd:complexType><xsd:sequence><xsd:element name="id" type="xsd:string"/></xsd:sequence>
    </xsd:complexType></xsd:element>
    <xsd:element name="GetOrderResponse"><xsd:complexType><xsd:sequence><xsd:element name="status" type="xsd:string"/>
    </xsd:sequence></xsd:complexType></xsd:element>
  </xsd:schema></types>
  <message name="In"><part name="parameters" element="tns:GetOrder"/></message>
  <message name="Out"><part name="parameters" element="tns:GetOrderResponse"/></message>
  <portType name="Port"><operation name="GetOrder"><input message="tns:In"/><output message="tns:Out"/></operation></portType>
  <binding name="Binding" type="tns:Port"><soap:binding transport="http://schemas.xmlsoap.org/soap/http"/>
    <operation name="GetOrder"><soap:operation soapAction="urn:GetOrder"/>
      <input><soap:body use="literal"/></input><output><soap:body use="literal"/></output></operation></binding>
  <service name="Orders"><port name="Port" binding="tns:Binding"><soap:address location="LOCATION/orders"/></port></service>
</definitions>"""
ORDER = (
    '<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body xmlns:o="urn:o"><o:GetOrderResponse>'
    "<o:status>open</o:status></o:GetOrderResponse></e:Body></e:Envelope>"
)
XML = {"Content-Type": "text/xml; charset=utf-8"}


class OrderService(Backend):
    """Says at once what it can do, and does it as late as the test wants."""

    def answer(self, seen: Seen) -> Reply:
        if seen.method == "GET":
            return Reply(200, WSDL.replace("LOCATION", self.url).encode(), XML)
        super().answer(seen)
        return Reply(200, ORDER.encode(), XML)


@pytest.fixture(scope="module")
def mariadb() -> Iterator[MariaDBServer]:
    program = require_program("mariadbd")
    with tempfile.TemporaryDirectory(prefix="zato-test-mariadb-") as folder:
        server = MariaDBServer(program, Path(folder))
        server.start()
        yield server
        server.stop()


@pytest.fixture(scope="module")
def orders() -> Iterator[OrderService]:
    backend = OrderService()
    yield backend
    backend.stop()


@pytest.fixture(scope="module")
def server(start_server: StartServer) -> Server:
    server = start_server(workers=1, async_timeout_s=1.0, async_max_attempts=1)
    server.deploy("one.py", SERVICES)
    names = ("free", "state", "stop", "compute", "outer", "sort-with-lock", "want-lock", "query", "write", "soap", "mail")
    for name in names:
        server.add_channel(name, f"/{name}", f"one.{name}")
    return server


def begun(server: Server) -> int:
    return int(server.request("GET", "/state").json["begun"])


def answers_meanwhile(server: Server, path: str, is_waiting: Callable[[], bool], release: Callable[[], Any]) -> Any:
    """Call a service that does not end before `release`, see that others are answered, and return its answer."""
    with ThreadPoolExecutor(1) as pool:
        call = pool.submit(server.request, "GET", path, timeout_s=60)
        try:
            eventually(is_waiting, timeout_s=30, what="the slow call to wait")
            assert [server.request("GET", "/free", timeout_s=10).status for _ in range(50)] == [200] * 50
            assert not call.done()
        finally:
            release()
        return call.result()


# Those that wait


def test_a_slow_query_of_postgresql(server: Server, new_postgresql_url: Callable[[], str]) -> None:
    url = new_postgresql_url()
    parts = urlsplit(url)
    address = {"host": parts.hostname, "port": parts.port, "db_name": parts.path[1:], "username": parts.username}
    server.admin("zato.outgoing-sql.create", name="postgresql", engine="postgresql", **address)
    server.wait_until_applied()
    with closing(psycopg2.connect(url)) as other, other.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(1)")

        def is_waiting() -> bool:
            cursor.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
            return bool(cursor.fetchone() == (1,))

        path = "/query?db=postgresql&statement=SELECT+pg_advisory_lock(1),pg_sleep(0.1)"
        release = lambda: cursor.execute("SELECT pg_advisory_unlock(1)")  # noqa: E731
        assert answers_meanwhile(server, path, is_waiting, release).status == 200


def test_a_slow_query_of_mariadb(server: Server, mariadb: MariaDBServer) -> None:
    mariadb.run("CREATE DATABASE one")
    address = {"host": "127.0.0.1", "port": mariadb.port, "db_name": "one", "username": "zato"}
    server.admin("zato.outgoing-sql.create", name="mariadb", engine="mysql", password=mariadb.password, **address)
    server.wait_until_applied()
    with closing(mariadb.connect()) as other, other.cursor() as cursor:
        cursor.execute("SELECT GET_LOCK('slow', 10)")

        def is_waiting() -> bool:
            cursor.execute("SELECT count(*) FROM information_schema.processlist WHERE state = 'User lock'")
            return bool(cursor.fetchone() == (1,))

        path = "/query?db=mariadb&statement=SELECT+GET_LOCK('slow',60)"
        answer = answers_meanwhile(server, path, is_waiting, lambda: cursor.execute("SELECT RELEASE_LOCK('slow')"))
        assert answer.json == {"result": "1"}


def test_a_slow_statement_of_sqlite(server: Server) -> None:
    path = server.folder / "customers.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("CREATE TABLE customer (name text)")
        server.admin("zato.outgoing-sql.create", name="sqlite", engine="sqlite", db_name=str(path), connect_timeout_s=60)
        server.wait_until_applied()
        other.execute("BEGIN IMMEDIATE")
        before = begun(server)
        answer = answers_meanwhile(server, "/write", lambda: begun(server) > before, lambda: other.execute("COMMIT"))
    assert answer.json == {"result": "written"}


def test_a_query_that_keeps_sqlite_itself_busy(server: Server) -> None:
    path = server.folder / "empty.db"
    server.admin("zato.outgoing-sql.create", name="busy", engine="sqlite", db_name=str(path), statement_timeout_s=3)
    server.wait_until_applied()
    endless = "WITH+RECURSIVE+n(x)+AS+(SELECT+1+UNION+ALL+SELECT+x%2B1+FROM+n)+SELECT+max(x)+FROM+n"
    before = begun(server)
    query = f"/query?db=busy&statement={endless}"
    answer = answers_meanwhile(server, query, lambda: begun(server) > before, lambda: None)
    assert answer.status == 500, "it is interrupted when its time is up"


def test_a_slow_soap_service(server: Server, orders: OrderService) -> None:
    server.admin("zato.outgoing-soap.create", name="orders", host=orders.url, url_path="/orders", timeout=60)
    server.wait_until_applied()
    orders.gate.clear()
    assert answers_meanwhile(server, "/soap", orders.arrived.is_set, orders.release).json == {"result": "open"}


def test_a_slow_mail_server(server: Server) -> None:
    with SilentServer() as mail:
        server.admin("zato.outgoing-smtp.create", name="mail", host="127.0.0.1", port=mail.port, timeout=60)
        server.wait_until_applied()
        answer = answers_meanwhile(server, "/mail", mail._is_used.is_set, mail.release)
    assert answer.status == 503, "it hung up without a greeting"


# Those that compute


@pytest.mark.parametrize("path", ["/compute", "/outer"])
def test_a_service_that_computes_lets_others_have_their_turn(server: Server, path: str) -> None:
    before = begun(server)
    with ThreadPoolExecutor(1) as pool:
        call = pool.submit(server.request, "GET", path, timeout_s=60)
        eventually(lambda: begun(server) > before, what="the computation to begin")
        took, seen = [], []
        for _ in range(50):
            started = time.perf_counter()
            seen.append(server.request("GET", "/free", timeout_s=10).json["rounds"])
            took.append(time.perf_counter() - started)
        print(f"answered after {sorted(took)[25] * 1000:.0f} ms, at most {max(took) * 1000:.0f} ms")
        assert not call.done()
        assert seen == sorted(seen) and seen[0] < seen[-1], "it computes on between the answers"
        server.request("GET", "/stop")
        assert call.result().json["rounds"] >= seen[-1]


def test_several_that_compute_share_a_worker(server: Server) -> None:
    before = begun(server)
    with ThreadPoolExecutor(3) as pool:
        calls = [pool.submit(server.request, "GET", "/compute", timeout_s=60) for _ in range(3)]
        eventually(lambda: begun(server) == before + 3, what="all to begin")
        assert [server.request("GET", "/free", timeout_s=10).status for _ in range(10)] == [200] * 10
        server.request("GET", "/stop")
        assert [call.result().status for call in calls] == [200] * 3


def test_who_wants_what_a_computing_service_holds_waits_and_nobody_else(server: Server) -> None:
    before = begun(server)
    with ThreadPoolExecutor(2) as pool:
        holding = pool.submit(server.request, "GET", "/sort-with-lock", timeout_s=60)
        eventually(lambda: begun(server) > before, what="the lock to be held")
        wanting = pool.submit(server.request, "GET", "/want-lock", timeout_s=60)
        assert [server.request("GET", "/free", timeout_s=10).status for _ in range(10)] == [200] * 10
        assert not wanting.done()
        server.request("GET", "/stop")
        assert (holding.result().json, wanting.result().json) == ({"done": True}, {"done": True})


# Those that nobody waits for any longer


def test_what_is_invoked_by_grpc_and_computes_ends_at_the_calls_deadline(server: Server) -> None:
    before = len(server.log_lines("service_interrupted"))
    with pytest.raises(DeadlineExceeded):
        server.invoke("one.compute", timeout_s=1)
    eventually(lambda: len(server.log_lines("service_interrupted")) > before, what="the service to be ended")
    rounds = server.request("GET", "/state").json["rounds"]
    assert server.request("GET", "/state").json["rounds"] == rounds


def test_of_many_invocations_each_is_answered_whatever_becomes_of_the_others(server: Server) -> None:
    names = ["zato.ping", "no.such", "zato.ping"]
    message = InvokeManyRequest(invocations=[InvokeRequest(service=name, cid=f"many-{at}") for at, name in enumerate(names)])
    invoke_many = InvokerStub(server.client.channel).InvokeMany
    answers = list(server.client.stream(invoke_many, iter([message, InvokeManyRequest(), message]), timeout_s=20))
    assert [len(answer.results) for answer in answers] == [3, 0, 3]
    for answer in (answers[0], answers[2]):
        first, second, third = answer.results
        assert (first.response.cid, json.loads(first.response.payload)) == ("many-0", {"pong": "zato"})
        assert (second.error.type, second.HasField("response")) == ("NotFound", False)
        assert (third.response.cid, third.HasField("error")) == ("many-2", False)


def test_many_invocations_have_no_more_time_than_their_call(server: Server) -> None:
    message = InvokeManyRequest(invocations=[InvokeRequest(service=name) for name in ("zato.ping", "one.compute", "zato.ping")])
    with pytest.raises(DeadlineExceeded):
        list(server.client.stream(InvokerStub(server.client.channel).InvokeMany, iter([message]), timeout_s=1))


def test_an_asynchronous_invocation_ends_when_its_time_is_up(server: Server) -> None:
    server.deploy("later.py", LATER)
    server.invoke("later.begin")
    eventually(lambda: server.admin("zato.async.get-dead-letters"), timeout_s=30, what="it to be given up")
    (given_up,) = server.admin("zato.async.get-dead-letters")
    assert given_up["service"] == "one.compute"
    assert "took longer than its time" in str(given_up)


LATER = """
from zato.server.service import Service


class Begin(Service):
    def handle(self):
        self.invoke_async("one.compute")
"""
