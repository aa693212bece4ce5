"""From objects to files that say the same."""

import json
import re
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Any

import yaml

from zato.server.enmasse.references import escaped

FORMATS = ("yaml", "json")


class _Dumper(yaml.CSafeDumper):
    """Texts of several lines are shown as such."""


def _represent_text(dumper: Any, text: str) -> yaml.Node:
    is_block = (
        "\n" in text and not re.search(r"[^\S\n]$|[^\n\x20-\x7e]", text, re.MULTILINE) and not text.startswith((" ", "\n"))
    )
    node: yaml.Node = dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if is_block else None)
    return node


_Dumper.add_representer(str, _represent_text)


def to_document(
    objects: Iterable[Mapping[str, Any]],
    kinds: Iterable[Mapping[str, Any]],
    *,
    wanted_kinds: Iterable[str] = (),
    wanted_name: str = "*",
    with_variables: bool = False,
) -> dict[str, list[dict[str, Any]]]:
    """
    Return objects by their kinds, without options at their defaults, and without secrets.

    Args:
        with_variables: Secrets are there as names of variables, e.g. "env:SECURITY_API_KEY_CRM_KEY".
    """
    declared = {kind["name"]: {option["name"]: option for option in kind["options"]} for kind in kinds}
    only = frozenset(wanted_kinds)
    document: dict[str, list[dict[str, Any]]] = {}
    for each in sorted(objects, key=lambda each: (each["kind"], each["name"])):
        if (only and each["kind"] not in only) or not fnmatchcase(each["name"], wanted_name):
            continue
        made = _entry(each, declared.get(each["kind"], {}))
        if with_variables:
            made.update({secret: f"env:{variable_name(each['kind'], each['name'], secret)}" for secret in each["secrets"]})
        document.setdefault(each["kind"], []).append(made)
    return document


def _entry(each: Mapping[str, Any], declared: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    made: dict[str, Any] = {"name": _escaped(each["name"])}
    if not each["is_active"]:
        made["is_active"] = False
    for name, option in declared.items():
        value = each["options"].get(name)
        if name in each["options"] and (option["required"] or value != option["default"]):
            made[name] = _escaped(value)
    return made


def _escaped(value: Any) -> Any:
    if isinstance(value, list):
        return [_escaped(each) for each in value]
    return escaped(value) if isinstance(value, str) else value


def variable_name(*parts: str) -> str:
    return re.sub(r"[^A-Z0-9]+", "_", "_".join(parts).upper()).strip("_")


def variables(document: Mapping[str, Iterable[Mapping[str, Any]]]) -> list[str]:
    """Return the names of the variables that stand for secrets."""
    values = (value for objects in document.values() for each in objects for value in each.values())
    return sorted({value[4:] for value in values if isinstance(value, str) and re.fullmatch(r"env:[A-Z0-9_]+", value)})


def to_text(document: Mapping[str, Any], format: str) -> str:
    if format == "json":
        return json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    text: str = yaml.dump(
        dict(document), Dumper=_Dumper, sort_keys=False, allow_unicode=True, default_flow_style=False, width=1000
    )
    # An empty line between kinds, as people would put it.
    return re.sub(r"\n(?=[a-z][a-z0-9-]*:\n)", "\n\n", text) if document else "{}\n"
