# ruff: noqa: PT009, PT027 (the published test cases are unittest's)
"""The kit for tests of services does what a worker does."""

import json
import unittest
from typing import Any

import pytest
from zato_testing import ServiceTestCase

from zato.common.errors import NotFound
from zato.server.service import Service
from zato.server.testing import Sandbox
from zato.server.testing.stubs import Call, StubAnswer


class GetCustomer(Service):
    name = "customer.get"

    def handle(self) -> None:
        answer = self.out.rest["crm.api"].conn.get(self.cid, params={"id": self.request.input.customer_id})
        if not answer.ok:
            self.response.status_code = 502
            return
        self.response.payload = {"name": answer.data["name"]}


class TestGetCustomer(ServiceTestCase):
    def test_returns_details(self) -> None:
        self.set_response("crm.api", {"name": "Jane"})
        service = self.invoke(GetCustomer, {"customer_id": "123"})
        self.assertEqual(service.response.payload, {"name": "Jane"})
        self.assertEqual(service.response.payload.name, "Jane")
        self.assertEqual(self.get_calls("crm.api"), [Call("GET", service.cid, "", {"id": "123"}, {})])

    def test_tells_that_the_other_side_failed(self) -> None:
        self.set_response("crm.api", status_code=500)
        self.assertEqual(self.invoke(GetCustomer, {"customer_id": "123"}).response.status_code, 502)

    def test_each_test_has_a_sandbox_of_its_own(self) -> None:
        with self.assertRaises(NotFound):
            self.invoke(GetCustomer, {"customer_id": "123"})

    def test_config_and_services(self) -> None:
        self.set_config({"crm": {"api": {"limit": "10"}}})
        self.set_service_response("other", {"a": 1})

        class Asks(Service):
            def handle(self) -> None:
                self.response.payload = (self.user_config.crm.api.limit, self.invoke("other"))

        self.assertEqual(self.invoke(Asks).response.payload, ("10", {"a": 1}))


def test_a_case_that_is_wrong_fails() -> None:
    class Wrong(TestGetCustomer):
        def test_returns_details(self) -> None:
            self.set_response("crm.api", {"name": "John"})
            self.assertEqual(self.invoke(GetCustomer, {"customer_id": "1"}).response.payload, {"name": "Jane"})

    result = unittest.TestResult()
    Wrong("test_returns_details").run(result)
    assert len(result.failures) == 1


@pytest.fixture
def sandbox() -> Sandbox:
    return Sandbox()


class Sends(Service):
    def handle(self) -> None:
        method, args, kwargs = self.request.payload
        answer = getattr(self.outgoing.plain_http.get("back-end").conn, method)(*args, **kwargs)
        self.response.payload = (answer.status_code, answer.data, answer.text, answer.headers)


@pytest.mark.parametrize("method", ["get", "post", "send", "put", "patch", "delete", "options", "head"])
def test_connections_answer_each_method_what_they_were_told(sandbox: Sandbox, method: str) -> None:
    verb = "POST" if method == "send" else method.upper()
    sandbox.connections.set_response("back-end", "any")
    sandbox.connections.set_response("back-end", {"of": verb}, method=verb, status_code=201, headers={"X": "1"})
    got = sandbox.invoke(Sends, (method, ("cid",), {"params": {"a": 1}, "headers": {"H": "2"}})).response.payload
    assert got == (201, {"of": verb}, json.dumps({"of": verb}), {"X": "1"})
    assert sandbox.connections.calls("back-end") == [Call(verb, "cid", "", {"a": 1}, {"H": "2"})]


def test_connections_may_raise_calculate_and_be_objects_of_the_tests_own(sandbox: Sandbox) -> None:
    sandbox.connections.set_response("back-end", lambda call: {"double": call.data * 2})
    assert sandbox.invoke(Sends, ("post", ("cid", 4), {})).response.payload[1] == {"double": 8}
    sandbox.connections.set_response("back-end", TimeoutError("too slow"))
    with pytest.raises(TimeoutError):
        sandbox.invoke(Sends, ("post", ("cid",), {}))
    sandbox.connections.set_response("back-end", StubAnswer(b"\xff", 418))
    assert sandbox.invoke(Sends, ("post", ("cid",), {})).response.payload[0] == 418
    sandbox.connections.set("sql", "crm", "an engine")
    assert sandbox.connections.sql.get("crm") == sandbox.connections.sql["crm"] == "an engine"
    assert list(sandbox.connections.sql) == ["back-end", "crm"]


def test_what_a_connection_was_not_told_is_said(sandbox: Sandbox) -> None:
    with pytest.raises(NotFound, match="set_response\\('back-end'"):
        sandbox.invoke(Sends, ("get", ("cid",), {}))
    sandbox.connections.set_response("back-end", "x", method="POST")
    with pytest.raises(NotFound, match="what it answers to GET"):
        sandbox.invoke(Sends, ("get", ("cid",), {}))
    with pytest.raises(AttributeError, match="no 'brew'"):
        sandbox.invoke(Sends, ("brew", ("cid",), {}))


class UsesRedis(Service):
    def handle(self) -> None:
        self.kvdb.conn.rpush("list", "ż")
        self.kvdb.set("key", 1)
        with self.lock("mine"):
            self.cache.default.set("k", {"a": [1]})
        self.response.payload = (self.kvdb.conn.lrange("list", 0, -1), self.kvdb.get("key"), self.cache.get("k"))


def test_redis_is_in_memory_and_gone_with_the_sandbox(sandbox: Sandbox) -> None:
    for _ in range(2):
        assert Sandbox().invoke(UsesRedis).response.payload == (["ż"], "1", {"a": [1]})


def test_methods_of_http_and_channels_are_what_the_test_says(sandbox: Sandbox) -> None:
    class Verbs(Service):
        def handle_GET(self) -> None:
            self.response.payload = (self.request.http.GET, self.request.input.id, self.request.http.headers["x-a"])

        def handle_POST(self) -> None:
            self.response.payload = (self.request.payload, self.channel.type)

    answer = sandbox.invoke(Verbs, method="GET", params={"id": "1"}, query={"q": "2"}, headers={"X-A": "3"})
    assert answer.response.payload == ({"q": "2"}, "1", "3")
    assert sandbox.invoke(Verbs, {"a": 1}, channel="amqp").response.payload == ({"a": 1}, "amqp")


def test_services_find_each_other_and_a_schema_holds(sandbox: Sandbox) -> None:
    from zato.common.errors import BadRequest

    class Strict(Service):
        name = "strict"
        schema = {"type": "object"}  # noqa: RUF012

        def handle(self) -> None:
            self.response.payload = "ok"

    class Asks(Service):
        def handle(self) -> None:
            self.response.payload = self.invoke("strict", self.request.payload)

    sandbox.deploy(Strict)
    assert sandbox.invoke(Asks, {}).response.payload == "ok"
    with pytest.raises(BadRequest):
        sandbox.invoke(Asks, [])


def test_a_service_of_the_same_name_replaces_the_first_one(sandbox: Sandbox) -> None:
    def make(answer: int) -> type[Service]:
        def handle(self: Any) -> None:
            self.response.payload = answer

        return type("Same", (Service,), {"name": "same", "handle": handle, "__module__": __name__})

    assert [sandbox.invoke(make(n)).response.payload for n in (1, 2)] == [1, 2]


def test_a_fan_out_ends_in_a_sandbox_too(sandbox: Sandbox) -> None:
    finals: list[Any] = []
    sandbox.set_service_response("works", "fine")
    sandbox.set_service_response("fails", ValueError("no"))
    sandbox.set_service_response("final", lambda payload: finals.append(payload))

    class Starts(Service):
        def handle(self) -> None:
            self.response.payload = self.patterns.fanout.invoke({"works": 1, "fails": 2}, on_final="final")

    sandbox.invoke(Starts)
    sandbox.run_async()
    (final,) = finals
    assert final["data"]["works"]["response"] == "fine"
    assert final["data"]["fails"]["ok"] is False


# With declared input and output


class Wrapped(Service):
    name = "wrapped"

    class SimpleIO:
        input_required = ("a",)
        output_required = ("b",)

    def handle(self) -> None:
        self.response.payload.b = self.request.input.a


class Renamed(Service):
    name = "renamed"

    class SimpleIO:
        response_elem = "out"
        output_required = ("b",)

    def handle(self) -> None:
        self.response.payload = {"b": "1"}


class Plain(Service):
    name = "plain"
    input = "customer_id"
    output = "name", "email"

    def before_handle(self) -> None:
        self.environ.seen = self.request.input.customer_id

    def handle(self) -> None:
        answer = self.out.rest["crm.api"].conn.get(self.cid, params={"id": self.request.input.customer_id})
        self.response.payload.name = answer.data["name"]
        self.response.payload.email = answer.data["email"]


def test_declared_output_is_wrapped_unless_the_caller_wants_what_is_inside(sandbox: Sandbox) -> None:
    class Calls(Service):
        def handle(self) -> None:
            self.response.payload = {
                "wrapped": self.invoke("wrapped", a="x"),
                "bunch": self.invoke("wrapped", {"a": "x"}, as_bunch=True).response.b,
                "inside": self.invoke("wrapped", a="x", skip_response_elem=True),
                "renamed": self.invoke("renamed", skip_response_elem=True),
                "text": self.invoke("renamed", serialize=True),
            }

    sandbox.deploy(Wrapped, Renamed)
    assert sandbox.invoke(Calls).response.payload == {
        "wrapped": {"response": {"b": "x"}},
        "bunch": "x",
        "inside": {"b": "x"},
        "renamed": {"b": "1"},
        "text": '{"out":{"b":"1"}}',
    }


def test_hooks_see_declared_input_and_tests_declared_output(sandbox: Sandbox) -> None:
    from zato.common.errors import BadRequest

    sandbox.connections.set_response("crm.api", {"name": "Jane", "email": "jane@example.com"})
    service = sandbox.invoke(Plain, {"customer_id": "123"})
    assert (service.response.payload.name, service.response.payload.email) == ("Jane", "jane@example.com")
    # Names that end so are integers.
    assert service.environ.seen == 123
    assert sandbox.connections.calls("crm.api")[0].params == {"id": 123}
    with pytest.raises(BadRequest, match="customer_id"):
        sandbox.invoke(Plain, {})


def test_declared_output_goes_to_callbacks(sandbox: Sandbox) -> None:
    got: list[str] = []
    sandbox.set_service_response("callback", lambda payload: got.append(payload))

    class Starts(Service):
        def handle(self) -> None:
            self.invoke_async("wrapped", {"a": "x"}, callback="callback")

    sandbox.deploy(Wrapped)
    sandbox.invoke(Starts)
    sandbox.run_async()
    assert got == ['{"response":{"b":"x"}}']
