"""SimpleIO behind the pipeline's endpoint: statuses, bodies and content types that a client sees."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from zato.server.connections.outgoing import Outgoing
from zato.server.connections.pool import ConnectionPool
from zato.server.http.channel import HTTPChannelOptions, compile_channel
from zato.server.http.endpoint import make_endpoint
from zato.server.http.errors import make_error_step
from zato.server.http.request import Request, Response
from zato.server.http.steps import fold
from zato.server.service import Bool, Integer, List, Service
from zato.server.services.context import KeyValueDB, ServerContext
from zato.server.services.finding import describe_service
from zato.server.services.invoke import Invoker
from zato.server.services.store import ServiceStore


class Divide(Service):
    class SimpleIO:
        input_required = {"op1", "op2"}  # noqa: RUF012 (services are written like this)
        output_required = {"result"}  # noqa: RUF012

    def handle(self) -> None:
        op1, op2 = float(self.request.input.op1), float(self.request.input.op2)
        self.response.payload.result = op1 / op2 if op2 else "Error"


class Rate(Service):
    class SimpleIO:
        input_required = Integer("id")
        input_optional = List("tags"), Bool("is_new", default=False)
        output_optional = ("id", "tags", "days")
        skip_empty_keys = True

    def handle(self) -> None:
        if self.request.input.id == 404:
            self.response.status_code = 404
            self.response.headers["Cache-Control"] = "no-cache"
        else:
            self.response.payload = dict(self.request.input)


class Customer(Service):
    input = "customer_id"
    output = "name", "email"

    def handle(self) -> None:
        self.response.payload.name = "Jane"
        if self.request.input.customer_id != 500:
            self.response.payload.email = "jane@example.com"


@pytest.fixture
def ask() -> Callable[..., Response]:
    def send(cls: type[Service], body: bytes = b"", *, query: str = "", path: Any = None, **options: Any) -> Response:
        store = ServiceStore()
        entry = describe_service(cls, "m")
        store.replace_deployed([entry])
        invoker = Invoker(store)
        invoker.context = ServerContext("server1", invoker, Outgoing(ConnectionPool), KeyValueDB("redis://127.0.0.1:1"))
        request = Request("POST", f"/a?{query}", [], body, cid="the-cid")
        request.channel = compile_channel("a", HTTPChannelOptions(url_path="/a", service=entry.name, **options), None)
        request.path_parameters = path or {}
        return fold([make_error_step(return_tracebacks=False)], make_endpoint(invoker))(request)

    return send


def answer(response: Response) -> tuple[int, Any]:
    return response.status, json.loads(response.body) if response.body else None


def test_body_and_query_are_input(ask: Any) -> None:
    assert answer(ask(Divide, b'{"op1": "10", "op2": "4"}')) == (200, {"response": {"result": 2.5}})
    assert answer(ask(Divide, query="op1=9&op2=3")) == (200, {"response": {"result": 3.0}})
    assert answer(ask(Divide, b'{"op1": 1, "op2": 0}')) == (200, {"response": {"result": "Error"}})


def test_what_is_missing_is_a_bad_request_that_names_it(ask: Any) -> None:
    error = {"result": "Error", "cid": "the-cid", "details": "Element missing: /op2"}
    assert answer(ask(Divide, b'{"op1": 1}')) == (400, error)
    response = ask(Divide, b"<request><op1>1</op1></request>", data_format="xml")
    assert (response.status, response.content_type) == (400, "application/xml")
    assert b"Element missing: /op2" in response.body


def test_parameters_of_the_path_are_input(ask: Any) -> None:
    assert answer(ask(Rate, path={"id": "7"}, query="tags=x")) == (200, {"response": {"id": 7, "tags": ["x"]}})
    assert answer(ask(Rate, path={"id": "7"}, query="tags=x&tags=y&is_new=")) == (
        200,
        {"response": {"id": 7, "tags": ["x", "y"]}},
    )
    assert ask(Rate, path={"id": "seven"}).status == 400
    assert ask(Rate, path={"id": "7"}, merge_url_params_req=False).status == 400


def test_a_service_may_answer_with_a_status_alone(ask: Any) -> None:
    response = ask(Rate, path={"id": "404"})
    assert (response.status, response.body, response.headers) == (404, b"", {"Cache-Control": "no-cache"})


def test_output_that_is_missing_is_the_services_fault(ask: Any) -> None:
    assert answer(ask(Customer, b'{"customer_id": "123"}')) == (200, {"name": "Jane", "email": "jane@example.com"})
    status, body = answer(ask(Customer, b'{"customer_id": "500"}'))
    assert (status, body["result"]) == (500, "Error")


def test_a_channel_without_a_data_format_answers_in_json(ask: Any) -> None:
    response = ask(Customer, b"any text", query="customer_id=1", data_format="")
    assert (response.status, response.content_type) == (200, "application/json")


def test_csv_goes_through_a_channel(ask: Any) -> None:
    class Rows(Service):
        input = output = "id", "tag"

        def handle(self) -> None:
            self.response.payload = self.request.input

    response = ask(Rows, b"tag,id\nx,7\n,8\n", data_format="csv")
    assert (response.body, response.content_type) == (b"id,tag\r\n7,x\r\n8,\r\n", "text/csv; charset=utf-8")
