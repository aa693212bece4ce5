"""Models: made from input, checked on the way, sent back."""

import enum
import json
import sys
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Literal, TypedDict
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zato.common import typing_ as t
from zato.common.errors import BadRequest, ElementIsNotAList, ElementMissing, WrongElement
from zato.common.marshal_.api import Model as PublishedModel
from zato.common.models import Model, ModelCtx, model_of_list, plan_of


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Extra(TypedDict):
    a: int


@dataclass(init=False)
class Line(Model):
    sku: str
    count: int


@dataclass(init=False)
class Order(Model):
    order_id: int
    lines: t.list_[Line]
    first: t.optional[Line]
    note: t.strnone
    size: t.intnone
    price: t.floatnone
    tags: t.optional[t.strlist]
    more: t.anydictnone
    is_paid: t.boolnone
    kind: str = "normal"
    labels: t.strlist = t.list_field()  # noqa: RUF009 (models are written like this)


LINE = {"sku": "a", "count": 1}


def test_a_model_is_made_of_a_dictionary() -> None:
    order = Order.from_dict({"order_id": "7", "lines": [LINE, {"sku": 5, "count": "2"}], "first": LINE, "zzz": 1})
    assert (order.order_id, order.kind, order.labels) == (7, "normal", [])
    assert [(type(line), line.sku, line.count) for line in order.lines] == [(Line, "a", 1), (Line, "5", 2)]
    assert order.first == order.lines[0]
    assert not hasattr(order, "zzz")


def test_making_a_model_looks_through_no_modules(monkeypatch: pytest.MonkeyPatch) -> None:
    class NotTouched(dict[str, Any]):
        def copy(self) -> dict[str, Any]:
            raise AssertionError("Each worker would get its own copy of the memory that all modules are in")

    monkeypatch.setattr("inspect.sys.modules", NotTouched(sys.modules))

    @dataclass(init=False)
    class Empty(Model):
        name: str

    assert Empty.from_dict({"name": "a"}).name == "a"


def test_what_is_optional_may_be_missing() -> None:
    order = Order.from_dict({"order_id": 1, "lines": []})
    assert (order.note, order.size, order.price, order.tags, order.more) == ("", 0, 0.0, [], {})
    assert (order.first, order.is_paid) == (None, None)
    null = Order.from_dict({"order_id": 1, "lines": [], "note": None, "size": None, "kind": None, "labels": None})
    assert (null.note, null.size, null.kind, null.labels) == (None, None, "normal", [])


@pytest.mark.parametrize(
    ("data", "error", "message"),
    [
        ({"lines": []}, ElementMissing, "Element missing: /order_id"),
        ({"order_id": None, "lines": []}, ElementMissing, "Element missing: /order_id"),
        ({"order_id": 1}, ElementMissing, "Element missing: /lines"),
        ({"order_id": 1, "lines": [LINE, {"sku": "b"}]}, ElementMissing, "Element missing: /lines[1]/count"),
        ({"order_id": 1, "lines": [], "first": {}}, ElementMissing, "Element missing: /first/sku"),
        ({"order_id": 1, "lines": LINE}, ElementIsNotAList, "Element is not a list: /lines"),
        ({"order_id": 1, "lines": "x"}, ElementIsNotAList, "Element is not a list: /lines"),
        ({"order_id": 1, "lines": [7]}, WrongElement, "Element has a wrong value: /lines[0] takes an object"),
        ({"order_id": "x", "lines": []}, WrongElement, "Element has a wrong value: /order_id takes an integer"),
        ({"order_id": 1, "lines": [], "note": []}, WrongElement, "Element has a wrong value: /note takes a text"),
        ({"order_id": 1, "lines": [], "tags": ["x", {}]}, WrongElement, "Element has a wrong value: /tags[1] takes a text"),
        ([], WrongElement, "Element has a wrong value: / takes an object"),
    ],
)
def test_what_does_not_fit_is_named_by_its_path(data: Any, error: type[BadRequest], message: str) -> None:
    with pytest.raises(BadRequest) as raised:
        Order.from_dict(data)
    assert (type(raised.value), raised.value.message, raised.value.http_status) == (error, message, 400)


@dataclass(init=False)
class Scalars(Model):
    text: str
    whole: int
    real: float
    exact: Decimal
    flag: bool
    day: date
    moment: datetime
    stamp: t.isotimestamp
    uid: UUID
    anything: t.any_


def test_values_become_the_types_of_their_fields() -> None:
    made = Scalars.from_dict(
        {
            "text": 1,
            "whole": "2",
            "real": "3.5",
            "exact": "4.50",
            "flag": "yes",
            "day": "2030-12-31",
            "moment": "2030-12-31T10:00:00",
            "stamp": "2030-12-31T10:00:00",
            "uid": str(UUID(int=5)),
            "anything": {"a": [1]},
        }
    )
    assert made.to_dict() == {
        "text": "1",
        "whole": 2,
        "real": 3.5,
        "exact": Decimal("4.50"),
        "flag": True,
        "day": date(2030, 12, 31),
        "moment": datetime(2030, 12, 31, 10),
        "stamp": datetime(2030, 12, 31, 10, tzinfo=UTC),
        "uid": UUID(int=5),
        "anything": {"a": [1]},
    }
    assert json.loads(made.to_json())["day"] == "2030-12-31"


def one_field(hint: Any, **more: Any) -> type[Model]:
    return dataclass(init=False)(type("One", (Model,), {"__annotations__": {"a": hint}, **more}))


@pytest.mark.parametrize(
    ("hint", "value", "expected"),
    [
        (list, [1, "x"], [1, "x"]),
        (t.anylist, [1], [1]),
        (t.list_, [1], [1]),
        (list[int], ["1", 2], [1, 2]),
        (t.list_[t.optional[int]], ["1", None], [1, None]),
        (t.intlistempty, [None, "1"], [None, 1]),
        (set[int], [1, 1, 2], {1, 2}),
        (t.strset, ["x"], {"x"}),
        (frozenset, [1], frozenset((1,))),
        (tuple[int, ...], ["1", 2], (1, 2)),
        (t.anytuple, [1], (1,)),
        (dict, {"a": 1}, {"a": 1}),
        (t.strdict, {"a": 1}, {"a": 1}),
        (t.strintdict, {"a": "1"}, {"a": 1}),
        (dict[int, Line], {"1": LINE}, {1: Line.from_dict(LINE)}),
        (t.dictlist, [{"a": 1}], [{"a": 1}]),
        (t.strint, "7", "7"),
        (t.strint, 7, 7),
        (int | Line, LINE, Line.from_dict(LINE)),
        (t.dictorlist, [1], [1]),
        (t.dictorlist, {"a": 1}, {"a": 1}),
        (t.optional[Literal["x", 1]], 1, 1),
        (Colour, "red", Colour.RED),
        (Colour, "BLUE", Colour.BLUE),
        (Extra, {"a": 1}, {"a": 1}),
        (bytes, b"x", b"x"),
        (t.any_, None, None),
        (object, 7, 7),
    ],
    ids=str,
)
def test_types_of_many_kinds(hint: Any, value: Any, expected: Any) -> None:
    made = one_field(hint).from_dict({"a": value})
    assert made.get("a") == expected
    assert type(made.get("a")) is type(expected)


@pytest.mark.parametrize(
    ("hint", "value", "path"),
    [
        (set[Any], [{}], "/a takes a list of plain values"),
        (t.strintdict, {"b": "x"}, "/a/b takes an integer"),
        (t.strintdict, {"b" * 1000: "x"}, "/a/b{40} takes"),
        (t.intdict, {"b": 1}, "/a/b takes an integer"),
        (t.strint, [], "/a takes"),
        (Literal["x", 1], True, "/a takes one of x, 1"),
        (Colour, "green", "/a takes one of red, blue"),
        (Colour, [], "/a takes one of"),
        (Extra, 7, "/a takes an object"),
        (bytes, "x", "/a takes a bytes"),
    ],
    ids=str,
)
def test_values_of_wrong_types_of_many_kinds(hint: Any, value: Any, path: str) -> None:
    with pytest.raises(WrongElement, match=path):
        one_field(hint).from_dict({"a": value})


def test_a_field_of_an_impossible_type_is_an_error_of_the_model() -> None:
    with pytest.raises(TypeError):
        plan_of(one_field(7))


def test_models_may_hold_themselves() -> None:
    @dataclass(init=False)
    class Node(Model):
        name: str
        children: "t.list_[Node]" = t.list_field()  # type: ignore[name-defined]  # noqa: RUF009

    node = Node.from_dict({"name": "a", "children": [{"name": "b", "children": [{"name": "c"}]}]})
    assert node.children[0].children[0].name == "c"
    assert node.to_dict()["children"][0]["children"] == [{"name": "c", "children": []}]
    with pytest.raises(ElementMissing, match=r"/children\[0\]/children\[0\]/name"):
        Node.from_dict({"name": "a", "children": [{"name": "b", "children": [{}]}]})


def test_models_are_inherited() -> None:
    @dataclass(init=False)
    class Urgent(Line):
        hours: int

    assert Urgent.from_dict({**LINE, "hours": "3"}).to_dict() == {**LINE, "hours": 3}

    class Undecorated(Line):
        hours: int

    assert Undecorated.from_dict({**LINE, "hours": "3"}).get("hours") == 3


def test_a_model_is_told_when_it_was_created() -> None:
    seen: list[ModelCtx] = []

    @dataclass(init=False)
    class Inner(Model):
        a: int

        def after_created(self, ctx: ModelCtx) -> None:
            seen.append(ctx)
            self.a += 1

    @dataclass(init=False)
    class Outer(Model):
        inner: Inner

    made = Outer.from_dict({"inner": {"a": 1}}, service="the service")
    assert made.inner.a == 2
    assert (seen[0].service, seen[0].data, seen[0].DataClass) == ("the service", {"a": 1}, Inner)


def test_models_with_an_init_work_too() -> None:
    @dataclass
    class WithInit(Model):
        a: int
        b: list[int] = field(default_factory=list)

        def __post_init__(self) -> None:
            self.total = self.a + sum(self.b)

    assert WithInit(1, [2]).total == WithInit.from_dict({"a": "1", "b": [2]}).total == 3

    @dataclass(frozen=True, slots=True)
    class Frozen(Model):
        a: int

    assert Frozen.from_dict({"a": "1"}) == Frozen(1)


def test_a_model_is_filled_by_hand_and_sent() -> None:
    order = Order()
    order.order_id = 1
    order.labels.append("x")
    assert order.to_dict() == {"order_id": 1, "kind": "normal", "labels": ["x"]}
    assert Order().labels == []
    assert order.get("note", "none") == "none"
    with pytest.raises(AttributeError, match="Order has no 'note'"):
        _ = order.note
    copied = order.clone()
    copied.labels.append("y")
    assert order.labels == ["x"]
    assert json.loads(order.to_json()) == order.to_dict()


def test_lists_of_models_are_told_apart() -> None:
    assert model_of_list(t.list_[Order]) is model_of_list(list[Order]) is Order
    for other in (Order, list, list[int], t.optional[Order], "Order", None, 7):
        assert model_of_list(other) is None


def test_the_published_names_are_there() -> None:
    assert PublishedModel is Model
    assert t.from_dict(Line, LINE) == Line.from_dict(LINE)
    with pytest.raises(ElementMissing):
        t.from_dict(Line, {})
    for name in (
        "anylist",
        "strdict",
        "strnone",
        "dictnone",
        "cast_",
        "callable_",
        "dataclass",
        "field",
        "typealias_",
        "set_field",
    ):
        assert hasattr(t, name)


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["order_id", "lines", "first", "sku", "count", "tags", "more", "x"]), inner, max_size=5
        )
    ),
    max_leaves=12,
)


@given(_json)
def test_any_json_is_a_model_or_a_bad_request(data: Any) -> None:
    try:
        order = Order.from_dict(data)
    except BadRequest:
        return
    assert Order.from_dict(order.to_dict()).to_dict() == order.to_dict()
