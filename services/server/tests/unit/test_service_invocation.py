from pathlib import Path
from typing import Any

import pytest

from zato.common.errors import BadRequest, MethodNotAllowed, NotFound, ZatoError
from zato.server.connections.outgoing import Outgoing
from zato.server.connections.pool import ConnectionPool
from zato.server.service import Service
from zato.server.services.context import ChannelInfo, KeyValueDB, ServerContext
from zato.server.services.finding import describe_service
from zato.server.services.invoke import Invoker, as_mapping, in_process_request
from zato.server.services.reqresp import HTTPRequest, Input, ServiceRequest
from zato.server.services.store import ServiceStore

CHANNEL = ChannelInfo("orders", "http", "json")


class Echo(Service):
    def handle(self) -> None:
        self.response.payload = {"got": self.request.payload, "cid": self.cid, "name": self.name, "channel": self.channel.type}


class Counting(Service):
    instances: list[Any] = []  # noqa: RUF012 (services are written like this)

    def handle(self) -> None:
        self.instances.append(self)
        self.count = getattr(self, "count", 0) + 1
        self.response.payload = self.count


class Verbs(Service):
    def handle_GET(self) -> None:
        self.response.payload = "get"

    def handle_POST(self) -> None:
        self.response.payload = "post"


class OnlyPut(Service):
    def handle_PUT(self) -> None:
        self.response.payload = "put"


class Both(Service):
    def handle(self) -> None:
        self.response.payload = "handle"

    def handle_GET(self) -> None:
        self.response.payload = "get"


class Itself(Service):
    def handle(self) -> None:
        self.invoke("itself")


class Calls(Service):
    """Invokes the service that it is told, with what it is told."""

    def handle(self) -> None:
        self.environ["from"] = "calls"
        name, args, kwargs = self.request.payload
        self.response.payload = {"answer": self.invoke(name, *args, **kwargs)}


class Environ(Service):
    def handle(self) -> None:
        self.response.payload = (dict(self.environ), self.cid, self.request.http)


class Raises(Service):
    def handle(self) -> None:
        raise KeyError("its own")


@pytest.fixture
def invoker() -> Invoker:
    store = ServiceStore()
    classes = (Echo, Counting, Verbs, OnlyPut, Both, Itself, Calls, Environ, Raises)
    entries = [describe_service(cls, "m") for cls in classes]
    # As if each had a name of its own: "echo" instead of "m.echo".
    from dataclasses import replace

    store.replace_deployed(replace(entry, name=entry.name.removeprefix("m.")) for entry in entries)
    made = Invoker(store)
    made.context = ServerContext("server1", made, Outgoing(ConnectionPool), KeyValueDB("redis://127.0.0.1:1"))
    return made


def call(invoker: Invoker, name: str, payload: Any = None, method: str = "") -> Any:
    request = in_process_request(payload)
    if method:
        request.http = HTTPRequest(method, "/", {}, {}, {})
    return invoker.invoke(name, request, cid="the-cid", channel=CHANNEL).payload


def test_a_service_sees_its_request_and_where_it_came_from(invoker: Invoker) -> None:
    assert call(invoker, "echo", 7) == {"got": 7, "cid": "the-cid", "name": "echo", "channel": "http-soap"}


def test_each_call_has_an_instance_of_its_own(invoker: Invoker) -> None:
    Counting.instances.clear()
    assert [call(invoker, "counting") for _ in range(3)] == [1, 1, 1]
    assert len({id(instance) for instance in Counting.instances}) == 3


def test_an_unknown_service_is_not_found(invoker: Invoker) -> None:
    with pytest.raises(NotFound, match="'nothing'"):
        call(invoker, "nothing")


@pytest.mark.parametrize(("method", "answer"), [("GET", "get"), ("HEAD", "get"), ("POST", "post")])
def test_methods_have_handlers_of_their_own(invoker: Invoker, method: str, answer: str) -> None:
    assert call(invoker, "verbs", method=method) == answer


def test_a_method_without_a_handler_is_told_which_there_are(invoker: Invoker) -> None:
    with pytest.raises(MethodNotAllowed) as raised:
        call(invoker, "verbs", method="DELETE")
    assert raised.value.allow == "GET, HEAD, POST"
    with pytest.raises(MethodNotAllowed) as raised:
        call(invoker, "only-put", method="HEAD")
    assert raised.value.allow == "PUT"


def test_outside_http_the_handler_that_takes_a_payload_runs(invoker: Invoker) -> None:
    assert call(invoker, "verbs") == "post"
    assert call(invoker, "only-put") == "put"


def test_of_a_service_with_both_the_handlers_of_methods_count(invoker: Invoker) -> None:
    assert call(invoker, "both", method="GET") == "get"
    with pytest.raises(MethodNotAllowed):
        call(invoker, "both", method="PUT")


def test_a_service_may_not_invoke_itself(invoker: Invoker) -> None:
    with pytest.raises(ZatoError, match="may not invoke itself"):
        call(invoker, "itself")


@pytest.mark.parametrize(
    ("args", "kwargs", "got"),
    [((), {}, ""), (({"a": 1},), {}, {"a": 1}), ((), {"a": 1}, {"a": 1}), ((0,), {}, 0), ((None,), {"a": 1}, {"a": 1})],
)
def test_a_service_invokes_another_one_and_gets_its_payload(invoker: Invoker, args: Any, kwargs: Any, got: Any) -> None:
    answer = call(invoker, "calls", ("echo", args, kwargs))["answer"]
    assert answer == {"got": got, "cid": "the-cid", "name": "echo", "channel": "invoke"}


def test_what_is_invoked_shares_cid_and_environ_but_no_http(invoker: Invoker) -> None:
    assert call(invoker, "calls", ("environ", (), {}), method="POST")["answer"] == ({"from": "calls"}, "the-cid", None)


def test_no_call_sees_the_environ_of_another_one(invoker: Invoker) -> None:
    call(invoker, "calls", ("environ", (), {}))
    assert call(invoker, "environ")[0] == {}


def test_exceptions_come_out_as_they_are(invoker: Invoker) -> None:
    with pytest.raises(KeyError, match="its own"):
        call(invoker, "calls", ("raises", (), {}))
    with pytest.raises(NotFound):
        call(invoker, "calls", ("nothing", (), {}))


# Request and input


def request(payload: Any, params: dict[str, Any], *, params_win: bool = True) -> ServiceRequest:
    return ServiceRequest(b"raw", lambda: payload, params, None, params_over_payload=params_win)


def test_a_payload_is_parsed_when_it_is_asked_for_and_once() -> None:
    parsed: list[int] = []

    def parse() -> dict[str, int]:
        parsed.append(1)
        return {"a": 1}

    made = ServiceRequest(b"raw", parse, {}, None)
    assert (made.raw_request, parsed) == (b"raw", [])
    assert (made.payload, made.input["a"], made.payload) == ({"a": 1}, 1, {"a": 1})
    assert parsed == [1]


def test_a_payload_that_does_not_parse_is_the_clients_fault_when_it_is_asked_for() -> None:
    def parse() -> None:
        raise BadRequest("not JSON")

    made = ServiceRequest(b"{", parse, {"a": 1}, None)
    assert made.raw_request == b"{"
    for _ in range(2):
        with pytest.raises(BadRequest):
            _ = made.input


@pytest.mark.parametrize(("params_win", "expected"), [(True, "param"), (False, "body")])
def test_of_parameters_and_body_the_channel_says_which_wins(params_win: bool, expected: str) -> None:
    made = request({"a": "body", "b": 1}, {"a": "param", "c": 2}, params_win=params_win)
    assert made.input == {"a": expected, "b": 1, "c": 2}


@pytest.mark.parametrize("payload", [None, "", "text", [1], 7])
def test_what_is_no_object_gives_no_input(payload: Any) -> None:
    assert request(payload, {"a": 1}).input == {"a": 1}


def test_the_input_is_a_dictionary_with_attributes() -> None:
    made = Input(a=1)
    made.b = 2
    assert (made.a, made["b"], dict(made)) == (1, 2, {"a": 1, "b": 2})
    with pytest.raises(AttributeError, match="no 'c'; it has: a, b"):
        _ = made.c
    assert getattr(made, "c", "default") == "default"


def test_a_service_may_replace_what_came_in() -> None:
    made = request({"a": 1}, {})
    made.payload = {"b": 2}
    assert made.input == {"b": 2}
    made.input = "anything"
    assert made.input == "anything"


def test_a_payload_has_attributes_where_they_are_wanted() -> None:
    assert request({"a": [{"b": 1}]}, {}).bunchified().a[0].b == 1
    assert request('{"a": {"b": 1}}', {}).to_bunch().a.b == 1
    assert request("", {}).bunchified() == {}
    with pytest.raises(BadRequest):
        request("{", {}).bunchified()


def test_a_copy_of_a_request_shares_nothing_with_it() -> None:
    made = request({"a": [1]}, {"p": [2]})
    copied = made.deepcopy()
    copied.input.p.append(3)
    _ = made.input
    other = made.deepcopy()
    other.payload["a"].append(4)
    other.input.a.append(5)
    assert (made.payload, made.input) == ({"a": [1]}, {"a": [1], "p": [2]})


def test_a_raw_request_has_text() -> None:
    assert (request(None, {}).text, ServiceRequest("x", lambda: None, {}, None).text) == ("raw", "x")
    with pytest.raises(BadRequest, match="UTF-8"):
        _ = ServiceRequest(b"\xff", lambda: None, {}, None).text


@pytest.mark.parametrize("payload", ["text", [1], 7, b"x"])
def test_admin_services_take_objects_only(payload: Any) -> None:
    with pytest.raises(BadRequest):
        as_mapping(payload)
    assert as_mapping("") == as_mapping(None) == {}


def test_a_store_is_swapped_whole(tmp_path: Path) -> None:
    store = ServiceStore()
    internal = describe_service(Echo, "zato")
    mine = describe_service(Verbs, "m")
    store.replace_internal([internal])
    store.replace_deployed([mine])
    assert [entry.name for entry in store.entries()] == ["m.verbs", "zato.echo"]
    assert "m.verbs" in store
    store.replace_deployed([])
    assert [entry.name for entry in store.entries()] == ["zato.echo"]
    assert "m.verbs" not in store
