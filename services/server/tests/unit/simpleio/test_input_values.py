"""What becomes of a value that is sent, by its element."""

import json
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from zato.common.errors import ElementIsNotAList, ElementMissing, WrongElement
from zato.server import service as s


def body(**values: Any) -> bytes:
    return json.dumps(values).encode()


@pytest.mark.parametrize(
    ("element", "given", "expected"),
    [
        ("a", "text", "text"),
        ("a", 7, "7"),
        ("a", 0, "0"),
        ("a", 2.5, "2.5"),
        ("a", True, True),
        ("a", False, False),
        ("a", [1, "x"], [1, "x"]),
        ("a", {"b": 1}, {"b": 1}),
        ("a", "", ""),
        ("a", None, None),
        ("id", "7", 7),
        ("customer_id", 7, 7),
        ("row_count", " 7 ", 7),
        ("page_size", "07", 7),
        ("x_size_min", "-7", -7),
        ("x_size_max", 7.0, 7),
        ("read_timeout", "7", 7),
        ("id", "", 0),
        ("id", None, None),
        ("identity", "7", "7"),
        ("is_active", "yes", True),
        ("is_active", "", False),
        ("needs_x", 0, False),
        ("should_x", "OFF", False),
        ("has_x", "t", True),
        ("by_x", 1, True),
        ("may_x", True, True),
        ("issue", "yes", "yes"),
        ("password", "secret", "secret"),
        ("token", "secret", "secret"),
        (s.AsIs("id"), "x", "x"),
        (s.AsIs("a"), {"b": [1]}, {"b": [1]}),
        (s.Opaque("a"), [{"b": None}], [{"b": None}]),
        (s.Nested("a"), 7, 7),
        (s.Text("customer_id"), 7, "7"),
        (s.Text("a"), True, "True"),
        (s.Unicode("a"), "ż", "ż"),
        (s.Int("a"), "7", 7),
        (s.Integer("a"), 7.0, 7),
        (s.Int("a"), 10**400, 10**400),
        (s.Int("a"), "", 0),
        (s.Float("a"), "2.5", 2.5),
        (s.Float("a"), 2, 2.0),
        (s.Float("a"), "", 0.0),
        (s.Decimal("a"), "0.10", Decimal("0.10")),
        (s.Decimal("a"), 0.1, Decimal("0.1")),
        (s.Bool("a"), "Yes", True),
        (s.Boolean("a"), "n", False),
        (s.Bool("a"), "", False),
        (s.Date("a"), "2030-12-31", date(2030, 12, 31)),
        (s.Date("a"), "2030-12-31T10:00:00Z", date(2030, 12, 31)),
        (s.Date("a"), "2030/12/31", date(2030, 12, 31)),
        (s.Date("a"), "31 Dec 2030", date(2030, 12, 31)),
        (s.Date("a"), "", ""),
        (s.DateTime("a"), "2030-12-31T10:20:30", datetime(2030, 12, 31, 10, 20, 30)),
        (s.DateTime("a"), "2030-12-31 10:20", datetime(2030, 12, 31, 10, 20)),
        (s.DateTime("a"), "2030-12-31", datetime(2030, 12, 31)),
        (s.UTC("a"), "2030-12-31T10:20:30+00:00", "2030-12-31T10:20:30"),
        (s.UUID("a"), "12345678-1234-5678-1234-567812345678", UUID("12345678-1234-5678-1234-567812345678")),
        (s.CSV("a"), "x,y", ["x", "y"]),
        (s.CSV("a"), ["x"], ["x"]),
        (s.CSV("a"), "", []),
        (s.List("a"), ["x", 1], ["x", 1]),
        (s.List("a"), "x", ["x"]),
        (s.List("a"), "", []),
        (s.Dict("a"), {"b": 1}, {"b": 1}),
        (s.Dict("a", "b", "-c"), {"b": 1, "d": 2}, {"b": "1", "c": ""}),
        (s.Dict("a", s.Int("b"), s.Dict("e", "f")), {"b": "1", "e": {"f": "x", "g": 1}}, {"b": 1, "e": {"f": "x"}}),
        (s.Dict("a", "b", "c", default="none"), {"b": "x"}, {"b": "x", "c": "none"}),
        (s.DictList("a", "b"), [{"b": 1}, {"b": 2, "c": 3}], [{"b": "1"}, {"b": "2"}]),
        (s.ListOfDicts("a"), [{"b": 1}], [{"b": 1}]),
        (s.DictList("a"), {"b": 1}, [{"b": 1}]),
    ],
    ids=lambda value: repr(value)[:30],
)
@pytest.mark.parametrize("attribute", ["input_required", "input_optional"])
def test_a_value_becomes_its_type(get_input: Any, attribute: str, element: Any, given: Any, expected: Any) -> None:
    name = element if isinstance(element, str) else element.name
    got = get_input(body(**{name: given}), **{attribute: (element,)})
    assert got == {name: expected}
    assert type(got[name]) is type(expected)


@pytest.mark.parametrize(
    ("element", "given", "path"),
    [
        ("id", "x", "/id takes an integer"),
        ("id", "1.5", "/id"),
        ("id", "1_000", "/id"),
        ("id", "٣", "/id"),
        ("id", 1.5, "/id"),
        ("id", True, "/id"),
        ("id", [], "/id"),
        ("id", {}, "/id"),
        ("id", "9" * 5000, "/id"),
        ("is_x", "maybe", "/is_x takes true or false"),
        ("is_x", 2, "/is_x"),
        ("is_x", [], "/is_x"),
        (s.Text("a"), [], "/a takes a text"),
        (s.Text("a"), {}, "/a"),
        (s.Float("a"), "x", "/a takes a number"),
        (s.Float("a"), "nan", "/a"),
        (s.Float("a"), "inf", "/a"),
        (s.Float("a"), "1e999", "/a"),
        (s.Float("a"), 10**400, "/a"),
        (s.Float("a"), True, "/a"),
        (s.Decimal("a"), "x", "/a takes a decimal"),
        (s.Decimal("a"), "sNaN", "/a"),
        (s.Decimal("a"), "Infinity", "/a"),
        (s.Decimal("a"), True, "/a"),
        (s.Bool("a"), "2", "/a"),
        (s.Bool("a"), 1.0, "/a"),
        (s.Date("a"), "31/12/2030", "/a takes a date"),
        (s.Date("a"), "12/31/2030", "/a"),
        (s.Date("a"), "2030-02-30", "/a"),
        (s.Date("a"), 7, "/a"),
        (s.Date("a"), "x" * 1000, "/a"),
        (s.DateTime("a"), "noon", "/a takes a date and time"),
        (s.DateTime("a"), 1e9, "/a"),
        (s.UUID("a"), "x", "/a takes a UUID"),
        (s.UUID("a"), 7, "/a"),
        (s.CSV("a"), {}, "/a"),
        (s.Dict("a"), [], "/a takes an object"),
        (s.Dict("a", s.Int("b")), {"b": "x"}, "/a/b takes an integer"),
        (s.DictList("a"), [7], r"/a\[0\] takes an object"),
        (s.DictList("a", s.Dict("b", s.Int("c"))), [{"b": {"c": 1}}, {"b": {"c": "x"}}], r"/a\[1\]/b/c takes an integer"),
        (s.Secret("a"), [], "/a takes a text"),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_a_value_of_a_wrong_type_is_refused_with_its_path(get_input: Any, element: Any, given: Any, path: str) -> None:
    name = element if isinstance(element, str) else element.name
    with pytest.raises(WrongElement, match=path):
        get_input(body(**{name: given}), input=element)


def test_the_error_of_a_value_does_not_repeat_it(get_input: Any) -> None:
    with pytest.raises(WrongElement) as raised:
        get_input(body(a="the-secret"), input=s.Int("a"))
    assert "the-secret" not in raised.value.message


@pytest.mark.parametrize(
    ("element", "given", "path"),
    [
        (s.Dict("a", "b"), {}, "/a/b"),
        (s.Dict("a", s.Dict("b", "c", "-d")), {"b": {"d": 1}}, "/a/b/c"),
        (s.DictList("a", "b"), [{"b": 1}, {}], "/a[1]/b"),
    ],
    ids=repr,
)
def test_what_is_missing_inside_is_named_by_its_path(get_input: Any, element: Any, given: Any, path: str) -> None:
    with pytest.raises(ElementMissing) as raised:
        get_input(body(a=given), input=element)
    assert raised.value.message == f"Element missing: {path}"
    assert raised.value.http_status == 400


def test_what_has_to_be_a_list_of_objects_is_one(get_input: Any) -> None:
    with pytest.raises(ElementIsNotAList, match=r"^Element is not a list: /a$"):
        get_input(body(a=7), input=s.DictList("a"))


def test_an_element_of_ones_own_decides_for_itself(get_input: Any) -> None:
    class Upper(s.ForceType):
        def from_json(self, value: Any) -> Any:
            return value.upper() if isinstance(value, str) else int(value) + 1

    assert get_input(body(a="x", b="1"), input=(Upper("a"), "b")) == {"a": "X", "b": "1"}
    with pytest.raises(WrongElement, match="/a"):
        get_input(body(a=[]), input=Upper("a"))
