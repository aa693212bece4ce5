import contextlib
import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zato.common.errors import InvalidOptions
from zato.common.options import declared_options, default_json, option, option_values, options, parse_options


@options
class Everything:
    """One option of each sort."""

    text: str = option("Any text")
    count: int = option("How many", default=5, minimum=1, maximum=100)
    ratio: float = option("How much", default=0.5, minimum=0)
    is_on: bool = option("Whether", default=False)
    names: tuple[str, ...] = option("Names, separated by commas", default=())
    file: Path | None = option("Where", default=None)
    note: str | None = option("What", default=None)
    mode: str = option("How", default="fast", choices=("fast", "safe"))
    colours: tuple[str, ...] = option("Which", default=("red",), choices=("red", "green"))
    password: str = option("Secret", default="", secret=True)
    service: str = option("Service", default="", reference="service")


def parse(**values: object) -> Everything:
    return parse_options(Everything, {"text": "x", **values}, what="thing 'a'")


def problems_of(**values: object) -> dict[str, str]:
    with pytest.raises(InvalidOptions) as raised:
        parse(**values)
    return raised.value.attributes


@pytest.mark.parametrize(
    ("name", "given", "wanted"),
    [
        ("text", "", ""),
        ("text", "zażółć\n", "zażółć\n"),
        ("count", 7, 7),
        ("count", "7", 7),
        ("count", " 7 ", 7),
        ("ratio", 2, 2.0),
        ("ratio", "2.5", 2.5),
        ("ratio", "1e3", 1000.0),
        ("is_on", True, True),
        ("is_on", "yes", True),
        ("is_on", "ON", True),
        ("is_on", 1, True),
        ("is_on", "false", False),
        ("is_on", "0", False),
        ("names", "a, b ,,c", ("a", "b", "c")),
        ("names", ["a", "b"], ("a", "b")),
        ("names", "", ()),
        ("file", "/tmp/x", Path("/tmp/x")),
        ("file", Path("x"), Path("x")),
        ("file", None, None),
        ("file", "", None),
        ("note", None, None),
        ("note", "", ""),
        ("mode", "safe", "safe"),
        ("colours", "green,red", ("green", "red")),
    ],
)
def test_a_value_is_read_as_people_programs_and_environments_write_it(name: str, given: object, wanted: object) -> None:
    converted = getattr(parse(**{name: given}), name)
    assert converted == wanted
    assert type(converted) is type(wanted)


@pytest.mark.parametrize(
    ("name", "given", "wanted"),
    [
        ("text", None, "takes text, not None"),
        ("text", 5, "takes text, not 5"),
        ("text", "a\0b", r"takes text without NUL characters, not 'a\x00b'"),
        ("count", "many", "takes a whole number, not 'many'"),
        ("count", 2.5, "takes a whole number, not 2.5"),
        ("count", True, "takes a whole number, not True"),
        ("count", 0, "takes a whole number from 1 to 100, not 0"),
        ("count", 101, "takes a whole number from 1 to 100, not 101"),
        ("count", "9" * 5000, f"takes a whole number, not '{'9' * 79}…"),
        ("ratio", "nan", "takes a finite number, not 'nan'"),
        ("ratio", "-inf", "takes a finite number, not '-inf'"),
        ("ratio", 10**400, f"takes a finite number, not 1{'0' * 79}…"),
        ("ratio", -1, "takes a number of at least 0, not -1"),
        ("ratio", [], "takes a number, not []"),
        ("is_on", "perhaps", "takes true or false, not 'perhaps'"),
        ("is_on", None, "takes true or false, not None"),
        ("names", [1], "takes a list of texts, not [1]"),
        ("names", 5, "takes a list of texts, not 5"),
        ("file", 5, "takes text, not 5"),
        ("mode", "slow", "takes one of 'fast', 'safe', not 'slow'"),
        ("colours", ["red", "blue"], "takes any of 'red', 'green', not ['red', 'blue']"),
    ],
)
def test_what_does_not_fit_is_named_with_what_was_wanted(name: str, given: object, wanted: str) -> None:
    assert problems_of(**{name: given}) == {name: wanted}


def test_all_problems_are_told_at_once_in_one_sentence() -> None:
    with pytest.raises(InvalidOptions) as raised:
        parse_options(Everything, {"count": 0, "mode": "slow", "colour": "red"}, what="channel-http 'orders'")
    assert str(raised.value) == (
        "channel-http 'orders': 'colour' there is no such option, did you mean 'colours'?; "
        "'count' takes a whole number from 1 to 100, not 0; 'mode' takes one of 'fast', 'safe', not 'slow'; "
        "'text' is required"
    )


def test_a_name_that_is_like_none_is_answered_with_all_there_are() -> None:
    assert problems_of(zzz=1)["zzz"].startswith("there is no such option; there are: colours, count, file")


@pytest.mark.parametrize("name", ["message", "self", "challenge", "what", ""])
def test_an_unknown_name_may_be_one_that_python_functions_use(name: str) -> None:
    assert list(problems_of(**{name: 1})) == [name]


@pytest.mark.parametrize("bad", [12345678, ["12345678"], "1234\x005678"])
def test_a_secret_is_neither_in_messages_nor_in_repr(bad: object) -> None:
    with pytest.raises(InvalidOptions) as raised:
        parse(password=bad)
    assert "5678" not in str(raised.value) + repr(raised.value.attributes)
    assert "hunter2" not in repr(parse(password="hunter2"))


def test_what_a_class_checks_across_its_options_is_told_with_what_was_configured() -> None:
    @options
    class Range:
        low: int = option("Low")
        high: int = option("High")

        def __post_init__(self) -> None:
            if self.low > self.high:
                raise ValueError("low is above high")

    with pytest.raises(InvalidOptions, match="range 'a': low is above high"):
        parse_options(Range, {"low": 2, "high": 1}, what="range 'a'")


def test_instances_can_not_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        parse().count = 6  # type: ignore[misc]


def test_a_field_without_a_declaration_is_the_programmers_mistake() -> None:
    with pytest.raises(TypeError, match="'port' of Forgotten is not declared with option"):

        @options
        class Forgotten:
            port: int = 5


def test_a_type_that_no_form_can_ask_for_is_the_programmers_mistake() -> None:
    with pytest.raises(TypeError, match="'table'"):

        @options
        class Odd:
            table: dict[str, str] = option("A table")


def test_declarations_keep_their_order_and_all_they_say() -> None:
    by_name = {declared.name: declared for declared in declared_options(Everything)}
    assert list(by_name)[:3] == ["text", "count", "ratio"]
    assert [declared.type for declared in by_name.values()] == [
        *("str", "int", "float", "bool", "list", "path", "str", "str", "list", "str", "str")
    ]
    assert by_name["text"].is_required
    assert not by_name["count"].is_required
    assert by_name["service"].references == ("service",)
    assert default_json(by_name["text"]) is None
    assert default_json(by_name["colours"]) == '["red"]'
    assert default_json(by_name["file"]) == "null"


given_values: dict[str, st.SearchStrategy[Any]] = {
    "text": st.text().filter(lambda text: "\0" not in text),
    "count": st.integers(1, 100),
    "ratio": st.floats(0, allow_nan=False, allow_infinity=False),
    "is_on": st.booleans(),
    "names": st.lists(st.text()),
    "file": st.none() | st.text("abc/.", min_size=1),
    "note": st.none() | st.text("abc"),
    "mode": st.sampled_from(["fast", "safe"]),
    "colours": st.lists(st.sampled_from(["red", "green"])),
}


@given(st.fixed_dictionaries({}, optional=given_values))
def test_what_is_exported_is_imported_as_the_same(values: dict[str, object]) -> None:
    made = parse(**values)
    exported = json.loads(json.dumps(option_values(made)))
    assert parse_options(Everything, exported, what="thing") == made


anything_in_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
some_name = st.sampled_from([*given_values, "password"]) | st.text()


@given(st.dictionaries(some_name, anything_in_json, max_size=6))
def test_whatever_json_a_client_sends_is_taken_or_refused_by_name(values: dict[str, object]) -> None:
    with contextlib.suppress(InvalidOptions):
        parse_options(Everything, values, what="thing")
