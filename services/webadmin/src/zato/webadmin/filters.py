"""What a list of objects is narrowed to: a value for single columns, in the address of the page."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from werkzeug.datastructures import MultiDict

from zato.proto.control_plane.v1.control_plane_pb2 import OptionDescription
from zato.webadmin.forms import label_of
from zato.webadmin.kinds import Kind

# Of parameters in the address; behind it is the column's name.
PREFIX = "f-"
# Stands in the address for a field that is empty, since what is empty there was not chosen.
NOTHING = "(none)"
_YES_OR_NO = {"true": "yes", "false": "no"}
_MOST = 12
_MOST_CHARACTERS = 200


@dataclass(frozen=True)
class Filter:
    """
    One column that can be filtered by.

    Args:
        choices: What there is to choose, with what people read; empty where anything can be typed.
        references: Kinds of which it names an object.
        value: What was chosen, as it stands in the address; "" for anything.
    """

    name: str
    label: str
    choices: Mapping[str, str]
    references: tuple[str, ...]
    value: str

    @property
    def parameter(self) -> str:
        return f"{PREFIX}{self.name}"

    @property
    def shown(self) -> str:
        return "none" if self.value == NOTHING else self.choices.get(self.value, self.value)


def filters_of(kind: Kind, given: "MultiDict[str, str]") -> tuple[Filter, ...]:
    """Return what there is to filter by, with what was chosen: columns first, then what has few values or names an object."""
    columns = [option for option in kind.columns if option.type != "list" or option.choices]
    chosen_from = [option for option in kind.options if _has_few_values(option) and option not in columns]
    in_use = Filter("is_active", "In use", _YES_OR_NO, (), _value(given, "is_active"))
    return (in_use, *(_filter(option, given) for option in (*columns, *chosen_from)[:_MOST]))


def asked_of(filters: tuple[Filter, ...]) -> dict[str, Any]:
    """Return the input `filters` of the service that lists."""
    return {each.name: "" if each.value == NOTHING else each.value for each in filters if each.value}


def in_address(filters: tuple[Filter, ...], *, but: str = "") -> dict[str, str]:
    """Return the parameters of the address that say the same, without the filter that is called `but`."""
    return {each.parameter: each.value for each in filters if each.value and each.name != but}


def _has_few_values(option: OptionDescription) -> bool:
    return not option.secret and (option.type == "bool" or bool(option.choices) or bool(option.references))


def _filter(option: OptionDescription, given: "MultiDict[str, str]") -> Filter:
    choices = _YES_OR_NO if option.type == "bool" else {each or NOTHING: each or "none" for each in option.choices}
    return Filter(option.name, label_of(option.name), choices, tuple(option.references), _value(given, option.name))


def _value(given: "MultiDict[str, str]", name: str) -> str:
    return given.get(f"{PREFIX}{name}", "").strip()[:_MOST_CHARACTERS]
