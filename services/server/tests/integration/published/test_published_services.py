"""
Services written for Zato 2.0 and 3.x run as they are.

Each case is one way in which published services use the platform. The files in `services/` are our own, and use the same
features in the same spelling; `ZATO_TEST_PUBLISHED_SERVICES` names a folder whose files of the same names, the published
ones for example, are deployed instead of them.
"""

import base64
import email
import email.message
import email.policy
import json
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import Envelope

from zato.common.testing.processes import free_port
from zato.common.testing.waiting import eventually
from zato.server.contracts.http_backend import Backend, Reply, Seen

HERE = Path(__file__).parent
SERVICES = HERE / "services"
PUBLISHED = os.environ.get("ZATO_TEST_PUBLISHED_SERVICES", "")


# Returns the status and the body: text as it is, anything else as JSON.
Answer = Callable[[Seen], tuple[int, Any]]


class BackEnd(Backend):
    """What the published services call. Answers by method and path."""

    def __init__(self) -> None:
        super().__init__()
        self._answers: dict[tuple[str, str], Answer] = {}

    def when(self, method: str, path: str, answer: Answer | tuple[int, Any]) -> None:
        self._answers[method, path] = answer if callable(answer) else lambda _seen: answer

    def calls_to(self, path: str) -> list[Seen]:
        return [seen for seen in self.seen if seen.path == path]

    def answer(self, seen: Seen) -> Reply:
        self.seen.append(seen)
        status, value = self._answers[seen.method, seen.path](seen)
        if isinstance(value, str):
            return Reply(status, value.encode(), {"Content-Type": "text/plain; charset=utf-8"})
        return Reply(status, json.dumps(value).encode(), {"Content-Type": "application/json"})


def form_of(seen: Seen) -> dict[str, list[str]]:
    assert seen.headers["content-type"].startswith("application/x-www-form-urlencoded")
    return parse_qs(seen.body.decode())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("published")


@pytest.fixture(scope="module")
def back_end() -> Iterator[Any]:
    made = BackEnd()
    yield made
    made.stop()


@pytest.fixture(scope="module")
def redis_of_server(new_redis_url: Callable[[], str]) -> str:
    return new_redis_url()


@pytest.fixture(scope="module")
def server(start_server: Any, folder: Path, redis_of_server: str, back_end: Any) -> Any:
    # Read by the services when they are imported, as published ones read theirs.
    environment = {"PETSTORE_DB": str(folder / "pets.db"), "ZATO_TEST_SENSORS_DB": str(folder / "sensors.db")}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        # One worker: the users of case O9 are in its memory.
        server = start_server(
            redis_url=redis_of_server,
            cluster=f"published{os.getpid()}",
            user_config=[f"genesisng={SERVICES / 'genesisng.ini'}"],
        )
    # Order must not matter: models.py and rate_table.py come after those that import them.
    for file in sorted(SERVICES.glob("*.py")):
        published = Path(PUBLISHED) / file.name
        source = published if PUBLISHED and published.exists() else file
        server.deploy(file.name, source.read_text())
    return server


@pytest.fixture
def channel(server: Any) -> Callable[..., None]:
    def add(url_path: str, service: str, data_format: str = "json", **options: Any) -> None:
        server.add_channel(f"case {url_path}", url_path, service, data_format=data_format, **options)
        server.wait_until_applied()

    return add


@pytest.fixture
def outgoing(server: Any, back_end: Any) -> Callable[..., None]:
    def add(name: str, url_path: str, **options: Any) -> None:
        server.admin("zato.outgoing-http.create", name=name, host=back_end.url, url_path=url_path, **options)
        server.wait_until_applied()

    return add


@pytest.fixture
def call(server: Any) -> Callable[..., Any]:
    def send(method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> Any:
        encoded = body.encode() if isinstance(body, str) else None if body is None else json.dumps(body).encode()
        return server.request(method, path, encoded, {"Content-Type": "application/json", **(headers or {})})

    return send


def _basic(password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"hr:{password}".encode()).decode()}


def test_o1_basic_auth_guards_a_channel_and_a_service_without_one_is_invoked_by_name(
    server: Any, channel: Callable[..., None], call: Callable[..., Any]
) -> None:
    server.admin(
        "zato.security-basic-auth.create", name="HR API Key", username="hr", password="the password", realm="MyProject"
    )
    channel("/api/billing/get", "api.billing.get", security="HR API Key")

    refused = call("GET", "/api/billing/get")
    assert refused.status == 401
    assert refused.headers["www-authenticate"].startswith('Basic realm="MyProject"')
    answer = call("GET", "/api/billing/get", headers=_basic("the password"))
    assert (answer.status, answer.json) == (200, {"Hello": "Billing"})
    assert "application/json" in answer.headers["content-type"]
    assert call("POST", "/api/billing/get", {"any": 1}, _basic("the password")).json == {"Hello": "Billing"}
    assert call("GET", "/api/billing/get", headers=_basic("wrong")).status == 401
    assert server.admin("api.employee.get") == {"Hello": "Employee"}


def test_o2_input_and_output_on_the_class_are_not_wrapped(
    channel: Callable[..., None], outgoing: Callable[..., None], call: Callable[..., Any], back_end: Any
) -> None:
    back_end.when("GET", "/crm-api", (200, {"name": "Jane Doe", "email": "jane@example.com", "tier": "gold"}))
    outgoing("crm.api", "/crm-api", data_format="json")
    channel("/case/crm/customer", "crm.customer.get")

    answer = call("POST", "/case/crm/customer", {"customer_id": "123"})
    assert (answer.status, answer.json) == (200, {"name": "Jane Doe", "email": "jane@example.com"})
    assert [each.query for each in back_end.calls_to("/crm-api")] == [{"id": ["123"]}]
    refused = call("POST", "/case/crm/customer", {})
    assert (refused.status, refused.json["result"]) == (400, "Error")
    assert "customer_id" in refused.json["details"]


def test_o3_simple_io_wraps_and_a_call_of_2_0_sends_its_request_as_the_cid(
    channel: Callable[..., None],
    outgoing: Callable[..., None],
    call: Callable[..., Any],
    back_end: Any,
    redis_of_server: str,
) -> None:
    import redis

    with closing(redis.Redis.from_url(redis_of_server)) as client:
        client.rpush("myapp:fraud-detection:cust-type", "A", "B")
    back_end.when("POST", "/crm", (200, {"firstName": "Sean", "lastName": "O'Brien"}))
    back_end.when("POST", "/payments", (200, {"DATE": "2014-05-14", "AMOUNT": "17.29"}))
    outgoing("CRM", "/crm")
    outgoing("Payments", "/payments")
    channel("/case/o3", "tutorial2c-getclientdetails.get-client-details")

    answer = call("POST", "/case/o3", {"cust_id": "123", "cust_type": "Z"})
    assert answer.status == 200
    assert answer.json == {
        "response": {
            "first_name": "Sean",
            "last_name": "O'Brien",
            "last_payment_date": "2014-05-14",
            "last_payment_amount": "17.29",
        }
    }
    for path in ("/crm", "/payments"):
        (sent,) = back_end.calls_to(path)
        assert sent.body == b""
        assert "cust_id" in sent.headers["x-zato-cid"]
    refused = call("POST", "/case/o3", {"cust_id": "123"})
    assert refused.status == 400
    assert b"cust_type" in refused.body


def test_o4_one_verb_a_raw_payload_and_form_encoded_calls(
    channel: Callable[..., None], outgoing: Callable[..., None], call: Callable[..., Any], back_end: Any
) -> None:
    translations = {"Login Successful": "Pomyślnie zalogowano", "Login failed": "Nieudane logowanie"}

    def log_in(sent: Any) -> tuple[int, Any]:
        is_known = form_of(sent) == {"login": ["foo"], "password": ["bar"]}
        return (200, {"token": "tok-1"}) if is_known else (401, "no")

    back_end.when("POST", "/login", log_in)
    back_end.when("POST", "/", lambda sent: (200, translations[form_of(sent)["text"][0]]))
    back_end.when("POST", "/events", (201, ""))
    for name, path in {"Login": "/login", "Translate": "/", "Events": "/events"}.items():
        outgoing(name, path)
    channel("/users/login/", "users.login", data_format="")

    answer = call("POST", "/users/login/", {"login": "foo", "password": "bar"}, {"Accept-Language": "pl"})
    assert (answer.status, answer.json) == (200, {"status": "Pomyślnie zalogowano", "token": "tok-1"})
    assert [each.body for each in back_end.calls_to("/events")] == [b'{"event": "Login Successful"}']
    refused = call("POST", "/users/login/", {"login": "john", "password": "invalid"}, {"Accept-Language": "pl"})
    assert (refused.status, refused.json) == (401, {"status": "Nieudane logowanie"})
    not_allowed = call("GET", "/users/login/")
    assert not_allowed.status == 405
    assert "POST" in not_allowed.headers["allow"]


PETS = """
CREATE TABLE pets (id INTEGER PRIMARY KEY, name TEXT, status TEXT, category_id INTEGER, category_name TEXT,
                   photo_urls TEXT, tags TEXT);
INSERT INTO pets VALUES (1, 'Rex', 'available', 1, 'Dogs', '["https://example.com/rex.jpg"]', '[]'),
                        (2, 'Whiskers', 'pending', 2, 'Cats', '[]', '[{"id": 2, "name": "indoor"}]');
"""


def test_o5_services_with_a_base_class_answer_with_statuses_of_their_own(
    channel: Callable[..., None], call: Callable[..., Any], folder: Path
) -> None:
    with closing(sqlite3.connect(folder / "pets.db")) as connection:
        connection.executescript(PETS)
    for path, service, method in [
        ("/api/pet/findByStatus", "find-by-status", "GET"),
        ("/api/pet", "add", "POST"),
        ("/api/pet/id/{pet_id}", "get-by-id", "GET"),
        ("/api/pet/update", "update", "PUT"),
        ("/api/pet/delete/{pet_id}", "delete", "DELETE"),
    ]:
        channel(path, f"petstore.pet.{service}", method=method)
    whiskers = {
        "id": 2,
        "name": "Whiskers",
        "status": "pending",
        "category": {"id": 2, "name": "Cats"},
        "photoUrls": [],
        "tags": [{"id": 2, "name": "indoor"}],
    }

    found = call("GET", "/api/pet/findByStatus?status=pending")
    assert (found.status, found.json) == (200, [whiskers])
    assert "application/json" in found.headers["content-type"]
    assert call("GET", "/api/pet/id/2").json == whiskers
    missing = call("GET", "/api/pet/id/999")
    assert (missing.status, missing.json["error"]) == (404, {"code": 404, "message": "Pet not found"})
    assert missing.json["meta"]["cid"] == missing.cid
    assert missing.json["meta"]["timestamp"]
    assert call("GET", "/api/pet/id/abc").json["error"] == {"code": 400, "message": "Invalid pet ID"}
    new = {**whiskers, "id": 77, "photoUrls": ["a.png"], "tags": []}
    added = call("POST", "/api/pet", new)
    assert (added.status, added.json) == (200, new)
    assert call("POST", "/api/pet", {"status": "pending"}).json["error"]["message"] == "name is required"
    unreadable = call("POST", "/api/pet", "not json")
    assert (unreadable.status, unreadable.json["error"]["message"]) == (400, "Invalid JSON body")
    changed = {"id": 77, "name": "Rex II", "status": "sold"}
    assert call("PUT", "/api/pet/update", changed).json == changed
    assert call("DELETE", "/api/pet/delete/77").json["data"] == {"code": 200, "message": "Pet 77 deleted"}
    assert call("GET", "/api/pet/id/77").status == 404


def test_o6_sql_as_text_gives_rows_with_items(
    server: Any, channel: Callable[..., None], call: Callable[..., Any], folder: Path
) -> None:
    database = folder / "offers.db"
    with closing(sqlite3.connect(database)) as connection:
        connection.executescript(
            "CREATE TABLE offers (offer_id TEXT, da INT, duration INT); INSERT INTO offers VALUES ('O1', 10, 30), ('O2', 20, 7)"
        )
    server.admin("zato.outgoing-sql.create", name="MYDB", engine="sqlite", db_name=str(database))
    channel("/case/o6", "Request.Sql.Service.Final")

    query = {"query": "SELECT offer_id, da, duration FROM offers ORDER BY offer_id", "out_name": "MYDB", "operation": "select"}
    selected = call("POST", "/case/o6", query)
    assert selected.status == 200
    assert selected.json["response"] == {
        "result": [{"offer_id": "O1", "da": 10, "duration": 30}, {"offer_id": "O2", "da": 20, "duration": 7}],
        "status_code": "200",
        "status_reason": "operation success",
    }
    insert = {"query": "INSERT INTO offers VALUES('O3',30,1)", "out_name": "MYDB", "operation": "INSERT", "step": "1"}
    assert call("POST", "/case/o6", insert).json["response"]["result"] == []
    with closing(sqlite3.connect(database)) as connection:
        assert connection.execute("SELECT count(*) FROM offers").fetchone() == (3,)
    bad = call("POST", "/case/o6", {"query": "x", "out_name": "MYDB", "operation": "truncate"})
    assert bad.json["response"] == {"result": [], "status_code": "400", "status_reason": "bad operation"}
    unknown = call("POST", "/case/o6", {"query": "select 1", "out_name": "NOPE", "operation": "select"}).json["response"]
    assert unknown["status_code"] == "500"
    assert unknown["status_reason"].startswith("Connexion Error: ")
    missing = call("POST", "/case/o6", {"query": "x", "operation": "select"})
    assert missing.status == 400
    assert b"out_name" in missing.body


def test_o7_names_in_sets_and_input_of_the_query_string(channel: Callable[..., None], call: Callable[..., Any]) -> None:
    channel("/case/divide", "divide.divide")

    answer = call("POST", "/case/divide", {"op1": "10", "op2": "4"})
    assert (answer.status, answer.json) == (200, {"response": {"result": 2.5}})
    assert call("GET", "/case/divide?op1=9&op2=3").json == {"response": {"result": 3.0}}
    assert call("POST", "/case/divide", {"op1": 1, "op2": 0}).json == {"response": {"result": "Error"}}
    missing = call("POST", "/case/divide", {"op1": 1})
    assert missing.status == 400
    assert b"op2" in missing.body


class _Mailbox:
    def __init__(self) -> None:
        self.messages: list[email.message.EmailMessage] = []

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Envelope) -> str:
        parsed = email.message_from_bytes(envelope.content, policy=email.policy.default)  # type: ignore[arg-type]
        self.messages.append(parsed)  # type: ignore[arg-type]
        return "250 OK"


def test_o7_an_e_mail_is_sent_and_nothing_is_answered(
    server: Any, channel: Callable[..., None], call: Callable[..., Any]
) -> None:
    mailbox, port = _Mailbox(), free_port()
    controller = Controller(mailbox, hostname="127.0.0.1", port=port)
    controller.start()
    try:
        options = {"host": "127.0.0.1", "port": port, "mode": "plain"}
        server.admin("zato.outgoing-smtp.create", name="GMAIL", **options)
        channel("/case/mail", "send-emails.send-email-service")
        answer = call("POST", "/case/mail")
    finally:
        controller.stop()
    assert (answer.status, answer.body) == (200, b"")
    (message,) = mailbox.messages
    assert (message["From"], message["To"], message["Subject"]) == ("platform@example.com", "someone@example.com", "Hello")
    assert "moñeco" in message.get_content()


SENSORS = """
CREATE TABLE sensor_data (id INTEGER PRIMARY KEY AUTOINCREMENT, sensor_id TEXT, device_id TEXT, data_value TEXT,
                          start_datetime TIMESTAMP, end_datetime TIMESTAMP, aggregation_status INTEGER DEFAULT 0);
INSERT INTO sensor_data (sensor_id, device_id, data_value, start_datetime, end_datetime, aggregation_status) VALUES
    ('temp', 'dev1', '20.5', '2025-01-01 10:00:00', '2025-01-01 10:00:00', 0),
    ('temp', 'dev1', '21.5', '2025-01-01 10:30:00', '2025-01-01 10:30:00', 0),
    ('temp', 'dev1', '30.0', '2025-01-01 11:15:00', '2025-01-01 11:15:00', 0),
    ('hum', 'dev1', '55', '2025-01-01 10:00:00', '2025-01-01 10:00:00', 1);
"""


def test_o8_payloads_read_with_get_and_texts_that_are_no_ascii(
    channel: Callable[..., None], call: Callable[..., Any], folder: Path
) -> None:
    base = "/soft-iot/local-storage"
    channel(f"{base}/get-last-data", "soft-iot.api.get-last-data")
    channel(f"{base}/get-history", "soft-iot.api.get-history")
    channel(f"{base}/get-aggregated-data", "soft-iot.api.get-sensor-aggregated-data")
    temperature = {"device_id": "dev1", "sensor_id": "temp"}
    database = folder / "sensors.db"

    failed = call("POST", f"{base}/get-last-data", temperature)
    assert (failed.status, failed.json) == (500, {"error": f"Banco de dados não encontrado em {database}"})
    with closing(sqlite3.connect(database)) as connection:
        connection.executescript(SENSORS)
    last = call("POST", f"{base}/get-last-data", temperature)
    assert (last.status, last.json["data"]["id"], last.json["data"]["data_value"]) == (200, 3, "30.0")
    history = call("POST", f"{base}/get-history", {**temperature, "start_date": "2025-01-01 10:15:00", "limit": 5}).json
    assert (history["count"], [row["id"] for row in history["data"]]) == (2, [3, 2])
    refused = call("POST", f"{base}/get-history", {"device_id": "dev1"})
    assert (refused.status, refused.json) == (400, {"error": "device_id and sensor_id are required"})
    aggregated = call("POST", f"{base}/get-aggregated-data", {"device_id": "dev1", "sensor_id": "hum"})
    assert aggregated.json["data"]["aggregation_status"] == 1
    nothing = call("POST", f"{base}/get-last-data", {"device_id": "devX", "sensor_id": "temp"})
    assert (nothing.status, nothing.json) == (200, {"data": None})


def test_o9_own_pre_flights_a_list_and_a_service_that_invokes_another(
    channel: Callable[..., None], outgoing: Callable[..., None], call: Callable[..., Any], back_end: Any
) -> None:
    def who_am_i(sent: Any) -> tuple[int, Any]:
        is_known = sent.headers["authorization"] == "Bearer good"
        return (200, {"userId": "u-1"}) if is_known else (403, {"error": "no"})

    back_end.when("GET", "/whoami", who_am_i)
    outgoing("Auth User By AccessToken", "/whoami")
    channel("/case/auth", "auth-middleware.auth-middleware")
    channel("/case/contacts", "cors-options.configuring-cors", data_format="", method="OPTIONS")
    channel("/case/contacts/create", "create-contact.create-contact")

    pre_flight = call("OPTIONS", "/case/contacts")
    assert (pre_flight.status, pre_flight.body) == (200, b"")
    for name in ("origin", "headers", "methods"):
        assert pre_flight.headers[f"access-control-allow-{name}"] == "*"
    good = call("POST", "/case/auth", {"accessToken": "good"})
    assert (good.status, good.json) == (200, {"auth": True, "userId": "u-1"})
    bad = call("POST", "/case/auth", {"accessToken": "bad"})
    assert (bad.status, bad.json) == (403, {"auth": False, "message": "Unauthorized"})
    missing = call("POST", "/case/auth", {})
    assert missing.status == 400
    assert b"accessToken" in missing.body

    contact = {"accessToken": "good", "phoneName": "Bob", "phoneNumbers": ["222", "333"]}
    created = call("POST", "/case/contacts/create", contact)
    assert (created.status, created.json) == (200, {"success": True, "message": "Create new contact successfully"})
    assert created.headers["access-control-allow-origin"] == "*"
    again = call("POST", "/case/contacts/create", {**contact, "phoneNumbers": "222"})
    assert (again.status, again.json) == (200, {"success": False, "message": "Contact already exists"})
    refused = call("POST", "/case/contacts/create", {"accessToken": "bad", "phoneName": "Eve", "phoneNumbers": ["1"]})
    assert (refused.status, refused.json) == (401, {"success": False, "message": "Unauthorized"})


RATES = """
CREATE TABLE rate (id INTEGER PRIMARY KEY, date_from DATE, date_to DATE, base_price FLOAT, bed_price FLOAT, published BOOLEAN);
INSERT INTO rate VALUES (1, '2025-01-01', '2025-01-31', 100.0, 15.5, 1), (2, '2025-02-01', '2025-02-10', 80.0, 10.0, 0);
"""


def test_o10_an_orm_object_is_answered_and_then_comes_from_the_cache(
    server: Any, channel: Callable[..., None], call: Callable[..., Any], folder: Path
) -> None:
    database = folder / "rates.db"
    with closing(sqlite3.connect(database)) as connection:
        connection.executescript(RATES)
    server.admin("zato.outgoing-sql.create", name="genesisng", engine="sqlite", db_name=str(database))
    channel("/genesisng/rates/{id}/get", "rate.get")
    rate = {
        "id": 1,
        "date_from": "2025-01-01",
        "date_to": "2025-01-31",
        "base_price": 100.0,
        "bed_price": 15.5,
        "published": True,
    }

    first = call("GET", "/genesisng/rates/1/get")
    assert (first.status, first.json) == (200, {"response": {**rate, "days": 30}})
    assert first.headers["cache-control"] == "public,max-age=300"
    assert first.headers["content-language"] == "en"
    assert first.headers["last-modified"].endswith(" GMT")
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("DELETE FROM rate WHERE id = 1")
    second = call("GET", "/genesisng/rates/1/get")
    assert (second.status, second.json) == (200, {"response": rate})
    assert second.headers["etag"] == first.headers["etag"] != ""
    unpublished = call("GET", "/genesisng/rates/2/get")
    assert unpublished.status == 404
    assert (unpublished.headers["cache-control"], unpublished.headers["content-language"]) == ("no-cache", "en")


def test_every_service_of_the_cases_is_deployed(server: Any) -> None:
    names = {each["name"] for each in server.admin("zato.service.get-list") if not each["is_internal"]}
    assert names >= {"rate.get", "send-emails.send-email-service", "create-contact.create-contact", "crm.customer.get"}
    assert not any(name.startswith(("models.", "rate-table.")) for name in names)


def test_nothing_that_the_cases_did_was_an_error_of_the_platform(server: Any) -> None:
    eventually(lambda: server.log_lines("http_request"), what="the access log")
    assert server.log_lines("service_failed") == []
