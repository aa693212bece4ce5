"""Models as the input and output of services."""

from datetime import date
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from zato.common.errors import BadRequest, ElementIsNotAList, ElementMissing, InternalError
from zato.common.typing_ import anylist, list_, list_field, optional
from zato.server.packages.package import Package
from zato.server.service import Model, ModelCtx, Service, dataclass
from zato.server.services.context import ChannelInfo
from zato.server.services.deployer import Deployer
from zato.server.services.invoke import in_process_request
from zato.server.services.reqresp import ServiceResponse
from zato.server.services.store import ServiceStore


@dataclass(init=False)
class Line(Model):
    sku: str
    count: int


@dataclass(init=False)
class Order(Model):
    order_id: int
    lines: list_[Line]
    note: optional[str]
    tags: anylist = list_field()


ORDER = b'{"order_id": "7", "lines": [{"sku": "a", "count": "2"}], "zzz": 1}'
SENT = {"order_id": 7, "lines": [{"sku": "a", "count": 2}], "note": "", "tags": []}


class Direct(Service):
    name = "direct"
    input = Order
    output = Order

    def handle(self) -> None:
        assert isinstance(self.request.input, Order)
        self.response.payload = self.request.input


class Inside(Service):
    class SimpleIO:
        input = Order
        output = Order

    handle = Direct.handle


class OfLists(Service):
    name = "of-lists"
    input = list_[Order]
    output = list_[Order]

    def handle(self) -> None:
        self.response.payload = self.request.input


class Mixed(Service):
    input = "order_id", "-is_paid", "-note"
    output = Order

    def handle(self) -> None:
        given = self.request.input
        order = Order()
        order.order_id, order.note, order.lines = given.order_id + 1, f"{given.note}{given.is_paid}", []
        self.response.payload = order


@pytest.mark.parametrize("cls", [Direct, Inside])
def test_a_model_comes_in_and_goes_out_without_a_wrapper(call: Any, cls: type[Service]) -> None:
    assert call(cls, ORDER).json == SENT


def test_a_wrapper_can_be_asked_for(call: Any) -> None:
    class Wrapped(Service):
        class SimpleIO:
            input = Order
            output = Order
            response_elem = "order"

        handle = Direct.handle

    assert call(Wrapped, ORDER).json == {"order": SENT}


def test_lists_of_models(call: Any) -> None:
    assert call(OfLists, b"[%s, %s]" % (ORDER, ORDER)).json == [SENT, SENT]
    assert call(OfLists, b"[]").json == call(OfLists).json == []
    with pytest.raises(ElementMissing, match=r"^Element missing: /\[1\]/lines$"):
        call(OfLists, b'[%s, {"order_id": 1}]' % ORDER)
    for body in (ORDER, b"7", b'"x"'):
        with pytest.raises(BadRequest, match="takes a list of objects"):
            call(OfLists, body)
    for body in (b"[]", b"7"):
        with pytest.raises(BadRequest, match="takes an object"):
            call(Direct, body)


def test_parameters_come_before_the_body(call: Any) -> None:
    assert call(Direct, ORDER, params={"order_id": "9"}).json["order_id"] == 9
    assert call(Direct, ORDER, params={"order_id": "9"}, params_win=False).json["order_id"] == 7


def test_what_is_missing_or_wrong_is_named_by_its_path(call: Any) -> None:
    with pytest.raises(ElementMissing, match=r"/lines\[0\]/sku$"):
        call(Direct, b'{"order_id": 1, "lines": [{}]}')
    with pytest.raises(ElementIsNotAList, match=r"/lines$"):
        call(Direct, b'{"order_id": 1, "lines": {}}')
    with pytest.raises(ElementMissing, match=r"/order_id$"):
        call(Direct)


def test_names_in_and_a_model_out(call: Any) -> None:
    answer = call(Mixed, b'{"order_id": "1", "is_paid": "yes", "note": "x"}')
    assert answer.json == {"order_id": 2, "lines": [], "note": "xTrue", "tags": []}


def test_other_output_of_a_model_is_sent_too(call: Any) -> None:
    class Others(Service):
        output = Order

        def handle(self) -> None:
            self.response.payload = {"order": Order.from_dict({"order_id": 1, "lines": []}), "n": 1}

    assert call(Others).json == {"order": {"order_id": 1, "lines": [], "note": "", "tags": []}, "n": 1}


def test_a_model_needs_no_declaration_to_be_sent(call: Any) -> None:
    class Undeclared(Service):
        def handle(self) -> None:
            order = Order.from_dict({"order_id": 2**70, "lines": [{"sku": "a", "count": 1}]})
            self.response.payload = [order, {"inside": order}]

    sent = {"order_id": 2**70, "lines": [{"sku": "a", "count": 1}], "note": "", "tags": []}
    assert call(Undeclared).json == [sent, {"inside": sent}]
    document = etree.fromstring(call(Undeclared, b"<a/>", data_format="xml").body)
    assert document.findtext("item/lines/item/sku") == "a"


def test_names_may_be_filled_from_a_model(call: Any) -> None:
    class Named(Service):
        class SimpleIO:
            output = "order_id", "lines"

        def handle(self) -> None:
            self.response.payload = [Order.from_dict({"order_id": 1, "lines": [{"sku": "a", "count": 1}]})]

    assert call(Named).json == {"response": [{"order_id": 1, "lines": [{"sku": "a", "count": 1}]}]}


@pytest.mark.parametrize(
    ("name", "payload"),
    [
        ("direct", {"order_id": 1, "lines": []}),
        ("direct", Order.from_dict({"order_id": 1, "lines": []})),
        ("direct", '{"order_id": 1, "lines": []}'),
        ("of-lists", [Order.from_dict({"order_id": 1, "lines": []})]),
        ("of-lists", ({"order_id": 1, "lines": []},)),
    ],
    ids=repr,
)
def test_services_hand_models_to_one_another(call: Any, name: str, payload: Any) -> None:
    got: list[Any] = []

    class Outer(Service):
        def handle(self) -> None:
            got.append(self.invoke(name, payload))

    call(Outer, among=(Direct, OfLists))
    made = got[0][0] if isinstance(got[0], list) else got[0]
    assert (type(made), made.order_id) == (Order, 1)


def test_a_model_knows_the_service_that_it_is_made_for(call: Any) -> None:
    seen: list[Any] = []

    @dataclass(init=False)
    class Told(Model):
        a: int

        def after_created(self, ctx: ModelCtx) -> None:
            seen.append((ctx.service.cid, ctx.data, ctx.DataClass))

    class Tells(Service):
        input = Told

        def handle(self) -> None:
            pass

    call(Tells, b'{"a": 1}')
    assert seen == [("the-cid", {"a": 1}, Told)]


def test_a_model_in_xml(call: Any) -> None:
    document = b"<request><order_id>7</order_id><lines><item><sku>a</sku><count>2</count></item></lines></request>"
    answer = call(Direct, document, data_format="xml")
    root = etree.fromstring(answer.body)
    assert (root.tag, root.findtext("order_id"), root.findtext("lines/item/count")) == ("response", "7", "2")


def test_models_in_csv(call: Any) -> None:
    class Lines(Service):
        output = list_[Line]

        def handle(self) -> None:
            self.response.payload = [Line.from_dict({"sku": "a", "count": 1}), Line.from_dict({"sku": "b", "count": 2})]

    assert call(Lines, data_format="csv").body == b"count,sku\r\n1,a\r\n2,b\r\n"


def test_models_of_another_file_and_of_strings_are_found(tmp_path: Path) -> None:
    models = """
from __future__ import annotations
from datetime import date
from zato.common.typing_ import list_, optional
from zato.server.service import Model, dataclass

@dataclass(init=False)
class Basket(Model):
    lines: list_[Item]
    day: optional[date]

@dataclass(init=False)
class Item(Model):
    count: int
"""
    services = """
from basket_models import Basket
from zato.server.service import Service

class Takes(Service):
    input = Basket
    def handle(self):
        self.response.payload = self.request.input
"""
    store = ServiceStore()
    files = [Package("takes.py", 1, services.encode()), Package("basket_models.py", 1, models.encode())]
    outcomes = Deployer(store, tmp_path).apply(files)
    assert [outcome.reason for outcome in outcomes] == ["", ""]
    service: Any = store.get("takes.takes").cls()
    service.request = in_process_request({"lines": [{"count": "1"}], "day": "2030-01-02"})
    service.response, service.channel = ServiceResponse(), ChannelInfo("", "invoke", "dict")
    entry = store.get("takes.takes")
    assert entry.io is not None
    entry.io.before_handle(service)
    assert service.request.input.to_dict() == {"lines": [{"count": 1}], "day": date(2030, 1, 2)}


def test_the_class_of_a_model_has_no_form(call: Any) -> None:
    class Wrong(Service):
        def handle(self) -> None:
            self.response.payload = {"n": 2**70, "what": Order}

    with pytest.raises(InternalError):
        call(Wrong)
