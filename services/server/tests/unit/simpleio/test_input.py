"""What of a request becomes `self.request.input`, by declaration."""

import json
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from zato.common.errors import BadRequest, ElementIsNotAList, ElementMissing, WrongElement
from zato.server import service as s
from zato.server.services.reqresp import Input, NoneGiven


def body(**values: Any) -> bytes:
    return json.dumps(values).encode()


# Spellings


@pytest.mark.parametrize(
    "declared",
    ["a", ("a",), ["a"], {"a"}, frozenset(("a",)), s.Text("a"), (s.Text("a"),), {s.Text("a")}],
    ids=repr,
)
@pytest.mark.parametrize("attribute", ["input_required", "input"])
@pytest.mark.parametrize("direct", [True, False], ids=["direct", "SimpleIO"])
def test_every_spelling_means_the_same(get_input: Any, declared: Any, attribute: str, direct: bool) -> None:
    assert get_input(body(a="x", b="y"), direct=direct, **{attribute: declared}) == {"a": "x"}
    with pytest.raises(ElementMissing, match=r"^Element missing: /a$"):
        get_input(body(b="y"), direct=direct, **{attribute: declared})


@pytest.mark.parametrize(
    "declared",
    [
        {"input_required": "a", "input_optional": "b"},
        {"input_required": ("a",), "input_optional": ["b"]},
        {"input": ("a", "-b")},
        {"input": ["-b", "a"]},
        {"input": {s.Text("a"), s.Text("-b")}},
        {"input_required": "a", "input_optional": ("-b",)},
    ],
    ids=repr,
)
@pytest.mark.parametrize("direct", [True, False], ids=["direct", "SimpleIO"])
def test_optional_elements_may_be_missing(get_input: Any, declared: Any, direct: bool) -> None:
    assert get_input(body(a="x", b="y"), direct=direct, **declared) == {"a": "x", "b": "y"}
    assert get_input(body(a="x"), direct=direct, **declared) == {"a": "x", "b": ""}
    with pytest.raises(ElementMissing):
        get_input(body(b="y"), direct=direct, **declared)


@pytest.mark.parametrize("declared", [{"input_required": "a", "input_optional": ("a", "b")}, {"input": ("-a", "a", "-b")}])
def test_what_is_required_and_optional_is_required(get_input: Any, declared: Any) -> None:
    with pytest.raises(ElementMissing, match=r"/a$"):
        get_input(body(b=1), **declared)


def test_the_nearest_class_of_a_hierarchy_counts(get_input: Any) -> None:
    class Base:
        input_required = "a"
        default_value = "from base"

    class Child(Base):
        input_optional = "b"

    class Other(Child):
        input = "c"

    assert get_input(body(a="1"), direct=True, SimpleIO=Child) == {"a": "1", "b": "from base"}
    assert get_input(body(c="1"), direct=True, SimpleIO=Other) == {"c": "1"}


# Where values come from


def test_only_declared_names_are_in_the_input(get_input: Any) -> None:
    assert get_input(body(a=1, zzz=2), input="a", params={"yyy": "3"}) == {"a": "1"}


@pytest.mark.parametrize(("params_win", "expected"), [(True, "param"), (False, "body")])
def test_of_parameters_and_body_the_channel_says_which_wins(get_input: Any, params_win: bool, expected: str) -> None:
    assert get_input(body(a="body"), input="a", params={"a": "param"}, params_win=params_win) == {"a": expected}


@pytest.mark.parametrize("raw", [b"", b"null", b"{}"])
def test_without_a_body_the_parameters_are_the_input(get_input: Any, raw: bytes) -> None:
    assert get_input(raw, input=("a", "-b"), params={"a": "1"}) == {"a": "1", "b": ""}


def test_a_channel_without_a_data_format_has_its_parameters_only(get_input: Any) -> None:
    assert get_input(b"any text", input="a", params={"a": "1"}, data_format="") == {"a": "1"}
    with pytest.raises(ElementMissing):
        get_input(b'{"a": 1}', input="a", data_format="")


def test_the_body_can_be_left_unread(get_input: Any) -> None:
    assert get_input(b"{not json", input="a", params={"a": "1"}, use_channel_params_only=True) == {"a": "1"}


def test_a_form_is_input_too(get_input: Any) -> None:
    assert get_input(b"a=1&b=x&b=y&count=", input=("a", "b", s.Int("count")), data_format="form") == {
        "a": "1",
        "b": ["x", "y"],
        "count": 0,
    }


def test_of_a_list_each_item_is_input(get_input: Any) -> None:
    assert get_input(b'[{"a": 1}, {"a": "x", "b": 2}]', input=("a", "-b")) == [{"a": "1", "b": ""}, {"a": "x", "b": "2"}]
    assert get_input(b"[]", input="a") == []
    with pytest.raises(ElementMissing, match=r"^Element missing: /\[1\]/a$"):
        get_input(b'[{"a": 1}, {"b": 2}]', input=("a", "-b"))
    with pytest.raises(WrongElement, match=r"/\[0\] takes an object"):
        get_input(b"[7]", input="a")


@pytest.mark.parametrize("raw", [b"7", b"0", b"true", b'"text"', b"false"])
def test_what_is_no_object_is_refused(get_input: Any, raw: bytes) -> None:
    with pytest.raises(BadRequest, match="takes an object"):
        get_input(raw, input="-a")


def test_a_body_that_does_not_parse_is_refused(get_input: Any) -> None:
    with pytest.raises(BadRequest, match="not valid JSON"):
        get_input(b"{", input="-a")


# Types


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


# Defaults


@pytest.mark.parametrize(
    ("declared", "expected"),
    [
        ({}, ""),
        ({"default_value": "d"}, "d"),
        ({"default_value": None}, None),
        ({"default_value": "d", "default_input_value": "i"}, "i"),
        ({"default_input_value": 0}, 0),
        ({"default_output_value": "o"}, ""),
    ],
    ids=repr,
)
@pytest.mark.parametrize("optional", [{"input_optional": "a"}, {"input": "-a"}, {"input_optional": s.Int("a")}], ids=repr)
def test_a_missing_optional_element_is_its_default(get_input: Any, optional: Any, declared: Any, expected: Any) -> None:
    assert get_input(**optional, **declared) == {"a": expected}


@pytest.mark.parametrize("attribute", ["input_required", "input_optional", "input"])
def test_an_elements_own_default_comes_first_even_if_it_is_required(get_input: Any, attribute: str) -> None:
    elements = (s.Bool("a", default=False), s.Int("b", default=None), s.List("c", default=["x"]))
    assert get_input(**{attribute: elements, "default_value": "no"}) == {"a": False, "b": None, "c": ["x"]}


def test_a_default_that_can_change_is_new_each_time(call: Any) -> None:
    seen = []

    class Appends(s.Service):
        input = s.List("-a", default=["x"])

        def handle(self) -> None:
            seen.append(self.request.input.a)
            self.request.input.a.append("y")

    call(Appends)
    call(Appends)
    assert seen == [["x", "y"], ["x", "y"]]
    assert seen[0] is not seen[1]


@pytest.mark.parametrize(
    ("skip", "expected"),
    [
        ({"input": True}, {"c": "z"}),
        ({"input": "a"}, {"b": "", "c": "z"}),
        ({"input": ("a", "b")}, {"c": "z"}),
        ({"input": True, "force_empty_input": "b"}, {"b": "", "c": "z"}),
        ({"output_def": True}, {"a": "", "b": "", "c": "z"}),
    ],
    ids=repr,
)
def test_empty_input_can_be_left_out(get_input: Any, skip: Any, expected: Any) -> None:
    skip_empty = type("SkipEmpty", (), skip)
    assert get_input(body(a="", c="z"), input=("-a", "-b", "-c"), SkipEmpty=skip_empty) == expected


# What the input can do


def test_the_input_is_a_dictionary_with_attributes(get_input: Any) -> None:
    got = get_input(body(a="1", b=[1]), input=("a", "b"))
    assert isinstance(got, Input)
    assert (got.a, got["a"], got.get("zzz", 7), json.dumps(got)) == ("1", "1", 7, '{"a": "1", "b": [1]}')
    with pytest.raises(AttributeError, match="no 'zzz'; it has: a, b"):
        _ = got.zzz
    copied = got.deepcopy()
    copied.b.append(2)
    assert (type(copied), got.b) == (Input, [1])


def test_one_of_several_can_be_required() -> None:
    Input(a="", b=0).require_any("a", "b")
    with pytest.raises(NoneGiven, match="a, c") as raised:
        Input(a="", b=0).require_any("a", "c")
    assert isinstance(raised.value, ValueError)
    assert raised.value.http_status == 400


class Inner(s.Service):
    name = "inner"
    input = "a", "-n"

    def handle(self) -> None:
        self.response.payload = self.request.input


@pytest.mark.parametrize("payload", [{"a": "x"}, '{"a": "x"}', b'{"a": "x"}'])
def test_services_invoke_one_another_with_objects_or_json(call: Any, payload: Any) -> None:
    class Outer(s.Service):
        def handle(self) -> None:
            self.response.payload = self.invoke("inner", payload)

    assert call(Outer, among=(Inner,)).payload == {"a": "x", "n": ""}


@pytest.mark.parametrize("payload", [None, "", {}, {"n": 1}])
def test_services_hear_what_their_call_misses(call: Any, payload: Any) -> None:
    class Outer(s.Service):
        def handle(self) -> None:
            self.response.payload = self.invoke("inner", payload)

    with pytest.raises(ElementMissing):
        call(Outer, among=(Inner,))


def test_a_secret_is_encrypted_before_the_service_sees_it(call: Any) -> None:
    class Crypto:
        def encrypt(self, text: str) -> str:
            return f"encrypted {text}"

    class Keeps(s.Service):
        input = s.Secret("a"), s.Secret("-b"), "token"
        crypto = Crypto()

        def handle(self) -> None:
            self.response.payload = dict(self.request.input)

    assert call(Keeps, body(a="x", token="y")).payload == {"a": "encrypted x", "b": "", "token": "y"}
