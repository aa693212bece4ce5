"""Objects as files of `zato enmasse`: written without defaults and secrets, and read."""

import json
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from zato.common.errors import BadRequest
from zato.webadmin.kinds import Kind, default_of

# What only a machine with the files and variables at hand can say what it stands for.
_ELSEWHERE = re.compile(r"^(env|file|vault|Zato_Enmasse_Env)[:.]|\$\{")
_INSTEAD = "type the value, leave a secret out to keep it as it is, or use 'zato enmasse'"
_NOT_KINDS = ("include", "protect")


# The one in C is fifteen times as fast, which a file of thousands of objects needs; not every machine has it.
_Base: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


class _Dumper(_Base):  # type: ignore[misc]
    """Texts of several lines are shown as such."""


def _represent_text(dumper: Any, text: str) -> yaml.Node:
    made: yaml.Node = dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)
    return made


_Dumper.add_representer(str, _represent_text)


@dataclass(frozen=True)
class WantedSet:
    objects: tuple[Mapping[str, Any], ...]
    protect: tuple[str, ...]


def to_yaml(exported: Iterable[Mapping[str, Any]], kinds: Mapping[str, Kind]) -> str:
    """
    Args:
        exported: Objects as `zato.enmasse.export` returns them.
    """
    document: dict[str, list[dict[str, Any]]] = {}
    for each in sorted(exported, key=lambda each: (str(each["kind"]), str(each["name"]))):
        document.setdefault(each["kind"], []).append(_entry(each, kinds.get(each["kind"])))
    if not document:
        return "{}\n"
    text = yaml.dump(document, Dumper=_Dumper, sort_keys=False, allow_unicode=True, default_flow_style=False, width=1000)
    return re.sub(r"\n(?=[a-z][a-z0-9-]*:\n)", "\n\n", text)


def _entry(each: Mapping[str, Any], kind: Kind | None) -> dict[str, Any]:
    made: dict[str, Any] = {"name": each["name"], **({} if each["is_active"] else {"is_active": False})}
    declared = {option.name: option for option in kind.options} if kind else {}
    for name, value in each["options"].items():
        option = declared.get(name)
        if option is None or option.required or value != default_of(option):
            made[name] = _escaped(value)
    return made


def _escaped(value: Any) -> Any:
    """A text that would be taken for a variable says that it is none."""
    if isinstance(value, list):
        return [_escaped(each) for each in value]
    return value.replace("${", "$${") if isinstance(value, str) else value


def from_text(text: str) -> WantedSet:
    """
    Return what a file in YAML, JSON or TOML wants.

    Raises:
        BadRequest: It says where in the file, and what was wanted.
    """
    document = _document(text)
    if not isinstance(document, dict):
        raise BadRequest("A file has kinds at its top, and lists of objects below them")
    if "include" in document:
        raise BadRequest("'include:' names files, which are not here: paste them all, or use 'zato enmasse' where they are")
    objects = [each for kind, rows in document.items() if kind not in _NOT_KINDS for each in _objects(kind, rows)]
    protect = document.get("protect") or ()
    if not isinstance(protect, list | tuple) or not all(isinstance(each, str) for each in protect):
        raise BadRequest("'protect:' takes a list of patterns of names")
    return WantedSet(tuple(objects), tuple(protect))


def _document(text: str) -> Any:
    try:
        if re.match(r"\s*\[\[?[\w\"'.-]+\]\]?\s*$", text.partition("\n")[0]):
            return tomllib.loads(text)
        # JSON is YAML, too. Aliases could make a small text a huge document.
        if re.search(r"(^|[\s\[{:,-])[*&][A-Za-z0-9_-]+", text) and not text.lstrip().startswith("{"):
            return _without_aliases(text)
        return yaml.safe_load(text)
    except tomllib.TOMLDecodeError as exc:
        raise BadRequest(f"This is no valid TOML: {exc}") from exc
    except yaml.YAMLError as exc:
        mark = getattr(exc, "problem_mark", None)
        where = f" in line {mark.line + 1}" if mark else ""
        raise BadRequest(f"This is no valid YAML{where}: {getattr(exc, 'problem', None) or exc}") from exc
    except (RecursionError, ValueError) as exc:
        raise BadRequest(f"This cannot be read: {exc}") from exc


def _without_aliases(text: str) -> Any:
    for token in yaml.scan(text, Loader=yaml.SafeLoader):
        if isinstance(token, yaml.AliasToken):
            raise BadRequest(f"Line {token.start_mark.line + 1} has an alias: write the value out")
    return yaml.safe_load(text)


def _objects(kind: str, rows: Any) -> list[dict[str, Any]]:
    if rows is None:
        return []
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise BadRequest(f"'{kind:.100}' takes a list of objects, each with a name")
    made = []
    for row in rows:
        for name, value in row.items():
            if isinstance(value, str) and _ELSEWHERE.search(value.replace("$${", "")):
                what = f"{kind} '{row.get('name')!s:.100}': '{name}' is {value!r:.60}"
                raise BadRequest(f"{what}, which stands for something that is not here: {_INSTEAD}")
        made.append({"kind": str(kind), **{str(name): _unescaped(value) for name, value in row.items()}})
    # What JSON has no form for, dates for one, is written as people write it.
    plain: list[dict[str, Any]] = json.loads(json.dumps(made, default=str))
    return plain


def _unescaped(value: Any) -> Any:
    if isinstance(value, list):
        return [_unescaped(each) for each in value]
    return value.replace("$${", "${").removeprefix("text:") if isinstance(value, str) else value
