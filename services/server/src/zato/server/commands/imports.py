"""
Objects from TOML files:

    [[security-basic-auth]]
    name = "crm"
    username = "crm"
    password = "${CRM_PASSWORD}"

    [[channel-http]]
    name = "orders"
    url_path = "/orders"
    service = "orders.get"
    security = "crm"

An object that is missing is created, one that differs is changed, so a file may be imported again and again.
"""

import os
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zato.common.cli.admin import Admin
from zato.common.errors import InvalidOptions, NotFound
from zato.common.options import Option
from zato.server.commands.objects import as_active

_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


@dataclass(frozen=True)
class WantedObject:
    """One table of a file. `source` is the file, for messages."""

    kind: str
    name: str
    options: Mapping[str, Any]
    source: Path


@dataclass(frozen=True)
class Imported:
    """`outcome` is "created", "changed" or "unchanged"; `changed` has the names of the options that differed."""

    kind: str
    name: str
    outcome: str
    changed: tuple[str, ...] = ()


def read_objects(files: Iterable[Path], environ: Mapping[str, str] = os.environ) -> list[WantedObject]:
    """
    Read files of objects. `${NAME}` in a value stands for a variable of the environment.

    Raises:
        InvalidOptions: A file is not what it should be, a variable is not set, or an object is there twice.
    """
    found: dict[tuple[str, str], WantedObject] = {}
    for file in files:
        for kind, tables in _document(file).items():
            if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
                raise InvalidOptions(f"{file}: write [[{kind}]] above each object, not '{kind} =' or [{kind}]")
            for table in tables:
                wanted = _wanted(kind, table, file, environ)
                first = found.setdefault((kind, wanted.name), wanted)
                if first is not wanted:
                    raise InvalidOptions(f"{file}: {kind} '{wanted.name}' is there twice, the first time in {first.source}")
    return list(found.values())


def import_objects(
    wanted: Sequence[WantedObject], admin: Admin, kinds: Sequence[Mapping[str, Any]], *, is_dry_run: bool
) -> list[Imported]:
    """
    Create or change objects, those first that others refer to.

    Raises:
        NotFound: A kind does not exist; nothing was changed.
        ZatoError: The server refused an object; those before it are in use already.
    """
    declared = {kind["name"]: kind for kind in kinds}
    for each in wanted:
        if each.kind not in declared:
            raise NotFound(f"{each.source}: there is no kind '{each.kind}'; there are: {', '.join(sorted(declared))}")
    rank = _ranks(declared)
    ordered = sorted(wanted, key=lambda each: rank[each.kind])
    return [_import_one(each, admin, declared[each.kind], is_dry_run=is_dry_run) for each in ordered]


def _document(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text())
    except (OSError, UnicodeDecodeError) as exc:
        raise InvalidOptions(f"{file} cannot be read: {getattr(exc, 'strerror', None) or exc}") from exc
    except tomllib.TOMLDecodeError as exc:
        raise InvalidOptions(f"{file} is not valid TOML: {exc}") from exc


def _wanted(kind: str, table: Mapping[str, Any], file: Path, environ: Mapping[str, str]) -> WantedObject:
    name = table.get("name")
    if not isinstance(name, str) or not name:
        raise InvalidOptions(f"{file}: a [[{kind}]] has no name")
    what = f"{file}: {kind} '{name}'"
    options = {key: _with_variables(value, f"{what}, '{key}'", environ) for key, value in table.items() if key != "name"}
    if "is_active" in options:
        options["is_active"] = as_active(options["is_active"])
    return WantedObject(kind, name, options, file)


def _with_variables(value: Any, what: str, environ: Mapping[str, str]) -> Any:
    if isinstance(value, list):
        return [_with_variables(each, what, environ) for each in value]
    if not isinstance(value, str):
        return value

    def value_of(match: re.Match[str]) -> str:
        if match[1] not in environ:
            raise InvalidOptions(f"{what} uses ${{{match[1]}}}, which is not set in the environment")
        return environ[match[1]]

    return _VARIABLE.sub(value_of, value)


def _ranks(kinds: Mapping[str, Mapping[str, Any]]) -> dict[str, int]:
    """Return 0 for kinds that refer to no other kind, 1 for those that refer to these, and so on."""
    ranks: dict[str, int] = {}

    def rank(name: str, above: frozenset[str]) -> int:
        if name in above:
            return 0  # kinds that refer to each other; the server will say if the order matters
        if name not in ranks:
            used = {
                each for option in kinds[name]["options"] for each in option["references"] if each in kinds and each != name
            }
            ranks[name] = max((rank(each, above | {name}) + 1 for each in used), default=0)
        return ranks[name]

    for name in kinds:
        rank(name, frozenset())
    return ranks


def _import_one(wanted: WantedObject, admin: Admin, kind: Mapping[str, Any], *, is_dry_run: bool) -> Imported:
    try:
        present: dict[str, Any] = admin.invoke(f"zato.{wanted.kind}.get", {"name": wanted.name}, is_idempotent=True)
    except NotFound:
        if not is_dry_run:
            admin.invoke(f"zato.{wanted.kind}.create", {"name": wanted.name, **wanted.options})
        return Imported(wanted.kind, wanted.name, "created")
    differing = _differing(wanted.options, present, kind)
    secrets = {option["name"] for option in kind["options"] if option["secret"]}
    changes = {name: value for name, value in wanted.options.items() if name in differing or name in secrets}
    if not changes:
        return Imported(wanted.kind, wanted.name, "unchanged")
    if is_dry_run:
        # Secrets can't be compared: nobody is shown those that are in use.
        return Imported(wanted.kind, wanted.name, "changed" if differing else "unchanged", differing)
    answer = admin.invoke(f"zato.{wanted.kind}.edit", {"name": wanted.name, **changes})
    is_same = not differing and answer["version"] == present["version"]
    return Imported(wanted.kind, wanted.name, "unchanged" if is_same else "changed", tuple(changes) if not is_same else ())


def _differing(wanted: Mapping[str, Any], present: Mapping[str, Any], kind: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of options with other values than the object has; secrets, which are not shown, are left out."""
    options = {option["name"]: option for option in kind["options"]}
    names = []
    for name, value in wanted.items():
        option = options.get(name)
        if option is not None and option["secret"]:
            continue
        if name not in present or _normal(value, option) != _normal(present[name], option):
            names.append(name)
    return tuple(names)


def _normal(value: Any, option: Mapping[str, Any] | None) -> Any:
    """Return a value as the kind's declaration reads it, so that "5" and 5 are the same whole number."""
    if option is None:
        return value
    try:
        return Option(option["name"], option["type"], "", default=None).convert(value)
    except ValueError:
        return value  # the server will say what is wrong with it
