"""The form of a service's input, as its JSON Schema says."""

from werkzeug.datastructures import MultiDict

from zato.webadmin.invoking import input_fields, input_of

SCHEMA = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "count": {"type": "integer"},
        "price": {"anyOf": [{"type": "null"}, {"type": "number"}]},
        "is_urgent": {"type": "boolean"},
        "lines": {"type": "array"},
        "address": {"$ref": "#/$defs/Address"},
        "size": {"type": "string", "enum": ["s", "m"]},
    },
    "required": ["name"],
    "$defs": {"Address": {"type": "object"}},
}


def test_each_property_has_the_control_of_its_type() -> None:
    fields = {field.name: (field.widget, field.is_required) for field in input_fields(SCHEMA)}
    assert fields == {
        "name": ("text", True),
        "count": ("number", False),
        "price": ("number", False),
        "is_urgent": ("switch", False),
        "lines": ("long", False),
        "address": ("long", False),
        "size": ("choice", False),
    }


def test_what_is_typed_becomes_json_and_what_is_empty_is_left_out() -> None:
    typed = MultiDict({"o-name": "", "o-count": "3", "o-lines": "[1, 2]", "o-address": "not json", "o-is_urgent": "on"})
    assert input_of(SCHEMA, typed) == {"name": "", "count": 3, "lines": [1, 2], "address": "not json", "is_urgent": True}


def test_a_service_that_declares_nothing_has_no_form() -> None:
    assert input_fields(None) == ()


def test_an_input_that_is_a_model_has_the_fields_of_the_model() -> None:
    schema = {"$ref": "#/$defs/Order", "$defs": {"Order": SCHEMA}}
    assert [field.name for field in input_fields(schema)] == list(SCHEMA["properties"])
    assert input_of(schema, MultiDict({"o-name": "Ann"})) == {"name": "Ann", "is_urgent": False}
