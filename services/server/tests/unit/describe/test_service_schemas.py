"""What services declare, as JSON Schema."""

import enum
from dataclasses import dataclass, field
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from zato.common.typing_ import list_, optional
from zato.server.describe.services import read_words, service_schemas
from zato.server.service import (
    AsIs,
    Bool,
    Date,
    Decimal,
    Dict,
    DictList,
    Float,
    Int,
    List,
    Model,
    Secret,
    Service,
    Text,
)
from zato.server.services.finding import describe_service


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


@dataclass(init=False)
class Line(Model):
    """One line of an order."""

    sku: str
    count: int = 1


@dataclass(init=False)
class Order(Model):
    order_id: int
    colour: Colour
    lines: list_[Line]
    parent: optional["Order"]
    note: optional[str] = None
    tags: list_[str] = field(default_factory=list)


class Elements(Service):
    """
    Finds customers.

    Only active ones, unless asked for all.

    * name - Beginning of the name
    * customers - Who was found
    """

    class SimpleIO:
        input_required = ("name", "customer_id", Date("born_on"))
        input_optional = ("is_active", Float("limit", default=1.5), Secret("pin"))
        output_required = (Int("total"), DictList("customers", "name", "-city", Dict("home", Text("street"))))
        output_optional = ("note",)


class Short(Service):
    input = "name", "-page_size", Decimal("-price"), List("-parts"), AsIs("-any"), Dict("-free")
    output = Bool("ok")


class Models(Service):
    input = Order
    output = list_[Line]


class Nothing(Service):
    def handle(self) -> None:
        pass


def schemas(cls: type[Service]) -> dict[str, Any]:
    made = service_schemas(describe_service(cls, "shop"))
    for schema in made.values():
        if schema is not None:
            Draft202012Validator.check_schema(schema)
    return made


def test_elements_of_2_0_have_types_by_name_and_say_what_is_required() -> None:
    made = schemas(Elements)["input"]
    assert made["required"] == ["name", "customer_id", "born_on"]
    assert made["properties"]["name"] == {"type": "string", "description": "Beginning of the name"}
    assert made["properties"]["customer_id"] == {"type": "integer"}
    assert made["properties"]["is_active"] == {"type": "boolean"}
    assert made["properties"]["limit"] == {"type": "number", "default": 1.5}
    assert made["properties"]["born_on"] == {"type": "string", "format": "date"}
    assert made["properties"]["pin"]["writeOnly"] is True


def test_an_output_is_inside_its_wrapper_and_may_be_a_list() -> None:
    made = schemas(Elements)["output"]
    valid = {"total": 1, "customers": [{"name": "a", "home": {"street": "b"}}], "note": None}
    check = Draft202012Validator(made)
    check.validate({"response": valid})
    check.validate({"response": [valid, valid]})
    assert not check.is_valid(valid)
    assert not check.is_valid({"response": {"total": "many", "customers": [], "note": ""}})
    assert not check.is_valid({"response": {**valid, "customers": [{"name": "a"}]}})


def test_elements_of_3_x_are_optional_with_a_dash() -> None:
    made = schemas(Short)["input"]
    assert made["required"] == ["name"]
    assert {name: each.get("type") for name, each in made["properties"].items()} == {
        "name": "string",
        "page_size": "integer",
        "price": ["string", "number"],
        "parts": "array",
        "any": None,
        "free": "object",
    }


def test_a_model_is_described_with_what_it_holds_and_itself_in_it() -> None:
    made = schemas(Models)["input"]
    check = Draft202012Validator(made)
    order = {"order_id": 1, "colour": "red", "lines": [{"sku": "a"}]}
    check.validate(order)
    check.validate({**order, "parent": order, "note": None})
    for wrong in ({"order_id": "x"}, {"colour": "green"}, {"lines": [{"count": 1}]}, {"lines": "a"}, {"parent": {}}):
        assert not check.is_valid({**order, **wrong}), wrong
    assert not check.is_valid({"colour": "red", "lines": []})
    assert made["$defs"]["Line"]["description"] == "One line of an order."
    assert made["$defs"]["Line"]["properties"]["count"]["default"] == 1
    assert "description" not in made["$defs"]["Order"]


def test_what_is_described_is_what_the_service_takes() -> None:
    for given in ({"order_id": 1, "colour": "red", "lines": [{"sku": "a", "count": 2}]}, {"order_id": 1}, {}):
        is_described = Draft202012Validator(schemas(Models)["input"]).is_valid(given)
        try:
            Order.from_dict(given)
            is_taken = True
        except Exception:
            is_taken = False
        assert is_taken == is_described, given


def test_a_list_of_models_is_an_array() -> None:
    made = schemas(Models)["output"]
    assert made["type"] == "array"
    Draft202012Validator(made).validate([{"sku": "a", "count": 3}, {}])


def test_two_models_of_one_name_stay_two() -> None:
    @dataclass(init=False)
    class Inner(Model):
        a: int

    first = Inner

    @dataclass(init=False)
    class Inner(Model):  # type: ignore[no-redef]
        b: str

    @dataclass(init=False)
    class Both(Model):
        one: first  # type: ignore[valid-type]
        two: Inner

    class Uses(Service):
        input = Both

    made = schemas(Uses)["input"]
    assert set(made["$defs"]) == {"Both", "Inner", "Inner2"}


def test_a_service_that_declares_nothing_has_no_schemas() -> None:
    assert schemas(Nothing) == {"input": None, "output": None}


@pytest.mark.parametrize("doc", [None, "", "  \n "])
def test_no_docstring_says_nothing(doc: str | None) -> None:
    assert read_words(doc).summary == ""


def test_a_docstring_has_a_summary_a_description_and_elements() -> None:
    words = read_words("Finds.\n\nAll of them.\n\n* customer_id - Whose: one\n* `name` - Its name\n")
    assert (words.summary, words.description) == ("Finds.", "All of them.")
    assert words.elements == {"customer_id": "Whose: one", "name": "Its name"}
