"""Objects as files, and back."""

import pytest

from zato.common.errors import BadRequest
from zato.common.kinds import Kind as DeclaredKind
from zato.common.options import option, options
from zato.webadmin.exporting import from_text, to_yaml
from zato.webadmin.kinds import Kind


@options
class PumpOptions:
    """A pump."""

    place: str = option("Where it stands")
    speed: int = option("How fast", default=3)
    note: str = option("What is special", default="")


KINDS = {"pump": Kind(DeclaredKind("pump", "Pump", PumpOptions).describe(), frozenset())}
OBJECTS = [
    {"kind": "pump", "name": "b", "is_active": False, "options": {"place": "cellar", "speed": 3, "note": "one\ntwo"}},
    {"kind": "pump", "name": "a", "is_active": True, "options": {"place": "${roof}", "speed": 5, "note": ""}},
]


def test_a_file_has_no_defaults_and_is_read_back_as_it_was() -> None:
    text = to_yaml(OBJECTS, KINDS)
    assert "speed: 3" not in text
    assert from_text(text).objects == (
        {"kind": "pump", "name": "a", "place": "${roof}", "speed": 5},
        {"kind": "pump", "name": "b", "is_active": False, "place": "cellar", "note": "one\ntwo"},
    )


def test_json_and_toml_are_read_too() -> None:
    assert from_text('{"pump": [{"name": "a", "speed": 1}]}').objects == ({"kind": "pump", "name": "a", "speed": 1},)
    assert from_text('[[pump]]\nname = "a"\nspeed = 1\n').objects == ({"kind": "pump", "name": "a", "speed": 1},)


def test_what_is_protected_is_said_beside_the_kinds() -> None:
    assert from_text("protect: [pump/x*]\npump: []").protect == ("pump/x*",)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("pump: [", "YAML in line 1"),
        ("- a", "kinds at its top"),
        ("pump: {name: a}", "'pump' takes a list of objects"),
        ("pump: [{name: a, key: env:KEY}]", "'key' is 'env:KEY'"),
        ("pump: [{name: a, place: 'x${Y}'}]", "leave a secret out"),
        ("include: [more.yaml]", "'include:' names files"),
        ("a: &x [1]\nb: [*x, *x]", "Line 2 has an alias"),
        ("[[pump]]\nname = ", "TOML"),
        ("!!python/object/apply:os.system ['true']", "YAML"),
    ],
)
def test_what_does_not_fit_is_said(text: str, said: str) -> None:
    with pytest.raises(BadRequest, match=said.replace("[", r"\[").replace("*", r"\*")):
        from_text(text)
