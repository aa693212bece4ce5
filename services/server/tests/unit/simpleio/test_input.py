"""What of a request becomes `self.request.input`, by declaration."""

import json
from typing import Any

import pytest

from zato.common.errors import BadRequest, ElementMissing, WrongElement
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


def test_services_hand_any_object_to_one_another_under_a_plain_name(call: Any) -> None:
    given = {"a": object(), "n": {1, 2}}

    class Outer(s.Service):
        def handle(self) -> None:
            self.response.payload = self.invoke("inner", given)

    assert call(Outer, among=(Inner,), encoded=False).payload == given


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
