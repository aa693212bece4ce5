"""Plans as people read them."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from rich.text import Text

from zato.common.secrets import MASK

_SIGNS = {"create": ("+", "green"), "edit": ("~", "yellow"), "delete": ("-", "red")}
_DONE = {"create": "created", "edit": "changed", "delete": "deleted"}
_TO_DO = {"create": "to create", "edit": "to change", "delete": "to delete"}
_LONGEST = 200


def change_lines(change: Mapping[str, Any], defaults: Mapping[str, Any]) -> list[Text]:
    """
    Return the lines of one change, its kind and name in the first.

    Args:
        defaults: Of the kind's options; what is created with these is not worth a line.
    """
    sign, style = _SIGNS[change["action"]]
    lines = [Text.assemble((f"{sign} {change['kind']} ", style), (change["name"], f"bold {style}"))]
    if change["action"] == "delete":
        return lines
    for option in change["options"]:
        name, before, after = option["name"], option["before"], option["after"]
        if change["action"] == "create":
            if (name in defaults and after == defaults[name]) or (name == "is_active" and after):
                continue
            lines.append(Text.assemble((f"    + {name}: ", "green"), _shown(after)))
        elif MASK in (before, after):
            lines.append(Text.assemble((f"    ~ {name}: ", "yellow"), ("another secret", "dim")))
        else:
            arrow = (" → ", "dim")
            lines.append(Text.assemble((f"    ~ {name}: ", "yellow"), (_shown(before), "red"), arrow, (_shown(after), "green")))
    return lines


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False) if value != MASK else MASK
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def summary(answer: Mapping[str, Any], wanted: int) -> str:
    """Return one line on all changes, e.g. "2 to create, 1 to change, 12 unchanged"."""
    counts = Counter(change["action"] for change in answer["changes"])
    words = _DONE if answer["is_applied"] else _TO_DO
    parts = [f"{counts[action]} {words[action]}" for action in _SIGNS if counts[action]]
    unchanged = wanted - counts["create"] - counts["edit"]
    return ", ".join([*parts, f"{unchanged} unchanged"])


def defaults_of(kinds: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return the defaults of options by kind; required ones have none."""
    return {
        kind["name"]: {option["name"]: option["default"] for option in kind["options"] if not option["required"]}
        for kind in kinds
    }
