"""Declared input and output on a running server: over HTTP and gRPC, from deployment to refusal."""

import json
from typing import Any

import pytest
from lxml import etree

from zato.common.errors import BadRequest

from .conftest import Server, StartServer

pytestmark = pytest.mark.redis

SERVICES = """
from bunch import Bunch, bunchify
from zato.common.marshal_.api import Model as SameModel
from zato.common.typing_ import list_, optional
from zato.server.service import Boolean, Date, Dict, Integer, List, Model, Service, dataclass

assert SameModel is Model

class Divide(Service):
    name = "divide"
    class SimpleIO:
        input_required = {"op1", "op2"}
        output_required = {"result"}
    def handle(self):
        op2 = float(self.request.input.op2)
        self.response.payload = {"result": float(self.request.input.op1) / op2 if op2 else "Error"}

class Rate(Service):
    name = "rate.get"
    class SimpleIO(object):
        input_required = (Integer('id'))
        input_optional = (Boolean('published', default=False), Date('day'), List('tags'))
        output_optional = ('id', 'published', 'day', 'tags', 'days')
        skip_empty_keys = True
    def handle(self):
        self.response.payload = Bunch(self.request.input)

class Half(Service):
    name = "half"
    input = "customer_id", "-text"
    output = "answer", "-text"
    def handle(self):
        divided = self.invoke("divide", {"op1": self.request.input.customer_id, "op2": 2})
        self.response.payload.answer = bunchify(divided).response.result
        self.response.payload.text = self.request.input.text

@dataclass(init=False)
class Line(Model):
    sku: str
    count: int

@dataclass(init=False)
class Order(Model):
    order_id: int
    lines: list_[Line]
    note: optional[str]

class Orders(Service):
    name = "orders"
    input = list_[Order]
    output = list_[Order]
    def handle(self):
        self.response.payload = [order for order in self.request.input if order.lines]
"""

CHANNELS = {
    "divide": ("/divide", "divide", {}),
    "divide-xml": ("/divide/xml", "divide", {"data_format": "xml"}),
    "divide-csv": ("/divide/csv", "divide", {"data_format": "csv"}),
    "rate": ("/rates/{id}/get", "rate.get", {}),
    "half": ("/half", "half", {}),
    "orders": ("/orders", "orders", {}),
}


@pytest.fixture(scope="module")
def server(start_server: StartServer) -> Server:
    made = start_server()
    deployed = made.deploy("sio.py", SERVICES)
    assert all(worker.is_ok for worker in deployed.workers), deployed
    for name, (path, service, options) in CHANNELS.items():
        made.add_channel(name, path, service, **options)
    made.wait_until_applied()
    return made


def post(server: Server, path: str, payload: Any = None) -> tuple[int, Any]:
    answer = server.request("POST", path, b"" if payload is None else json.dumps(payload).encode())
    return answer.status, answer.json


def test_input_is_checked_and_output_wrapped(server: Server) -> None:
    assert post(server, "/divide", {"op1": "10", "op2": "4"}) == (200, {"response": {"result": 2.5}})
    assert post(server, "/divide?op1=9&op2=3") == (200, {"response": {"result": 3.0}})
    assert post(server, "/divide", {"op1": 1, "op2": 0}) == (200, {"response": {"result": "Error"}})
    answer = server.request("POST", "/divide", b'{"op1": 1}')
    assert answer.status == 400
    assert answer.json == {"result": "Error", "cid": answer.cid, "details": "Element missing: /op2"}


def test_path_and_query_are_converted(server: Server) -> None:
    answer = server.request("GET", "/rates/7/get?day=2030-12-31&tags=a&tags=b&published=yes")
    sent = {"id": 7, "published": True, "day": "2030-12-31", "tags": ["a", "b"]}
    assert (answer.status, answer.json) == (200, {"response": sent})
    answer = server.request("GET", "/rates/seven/get")
    assert (answer.status, answer.json["details"]) == (400, "Element has a wrong value: /id takes an integer")


def test_a_declaration_on_the_class_has_no_wrapper_but_what_it_invokes_has(server: Server) -> None:
    assert post(server, "/half", {"customer_id": "5", "text": "żółw"}) == (200, {"answer": 2.5, "text": "żółw"})


def test_models_come_and_go(server: Server) -> None:
    order = {"order_id": "1", "lines": [{"sku": "a", "count": "2"}], "zzz": 1}
    sent = {"order_id": 1, "lines": [{"sku": "a", "count": 2}], "note": ""}
    assert post(server, "/orders", [order, {"order_id": 2, "lines": []}]) == (200, [sent])
    status, body = post(server, "/orders", [{"order_id": 1, "lines": [{"count": 1}]}])
    assert (status, body["details"]) == (400, "Element missing: /[0]/lines[0]/sku")


def test_channels_of_other_formats_reach_the_same_service(server: Server) -> None:
    answer = server.request("POST", "/divide/xml", b"<request><op1>1</op1><op2>4</op2></request>")
    root = etree.fromstring(answer.body)
    assert (root.findtext("zato_env/cid"), root.findtext("item/result")) == (answer.cid, "0.25")
    assert server.request("POST", "/divide/xml", b"<!DOCTYPE r><request/>").status == 400
    answer = server.request("POST", "/divide/csv", b"op1,op2\n")
    told = (answer.status, answer.headers["content-type"])
    assert told == (500, "text/plain; charset=utf-8"), "the input is a list without items"


def test_other_parts_call_with_the_same_contract(server: Server) -> None:
    assert json.loads(server.invoke("divide", {"op1": 1, "op2": 2}).payload) == {"response": {"result": 0.5}}
    with pytest.raises(BadRequest, match="Element missing: /op1"):
        server.invoke("divide", {"op2": 2})


def test_a_wrong_declaration_is_refused_and_the_running_version_goes_on(server: Server) -> None:
    changed = SERVICES.replace('input = "customer_id", "-text"', 'input = "customer_id", int')
    deployed = server.deploy("sio.py", changed)
    [worker] = deployed.workers
    line = changed.splitlines().index('    input = "customer_id", int') + 1
    assert worker.reason.startswith(f"sio.py, line {line}: class Half: input: int is no element"), worker.reason
    assert post(server, "/half", {"customer_id": 4}) == (200, {"answer": 2.0, "text": ""})
