#!/usr/bin/env python3
"""
Write docs/reference from what the installed parts declare: kinds, admin services, settings and commands; and into
docs/accounts.md which role each admin service asks for.

    scripts/reference.py                 write it
    scripts/reference.py --check         write nothing; fail, and say which pages differ, when it is not up to date
    scripts/reference.py --output PATH   write docs/reference there instead, and nothing else

What nobody has described is named, and makes either of them fail: a reference of names alone helps nobody.
"""

import argparse
import importlib
import json
import pkgutil
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from zato.common.bus import MemoryBus
from zato.common.cli.commands import Command
from zato.common.cli.main import load_commands
from zato.common.cli.parser import Parser
from zato.common.cli.parts import Part, load_parts
from zato.common.errors import Unavailable
from zato.common.kinds import Kind
from zato.common.options import Option, declared_options, default_json
from zato.common.secrets import generate_key
from zato.common.settings import env_prefix
from zato.server.accounts.roles import METHODS, Role
from zato.server.admin.kinds import ROLES
from zato.server.app import WorkerApp
from zato.server.config import ServerSettings
from zato.server.control.changes import Author
from zato.server.control.kinds import register_kinds
from zato.server.describe.admin import AdminOperation
from zato.server.describe.kinds import OPERATIONS
from zato.server.describe.schemas import Schema
from zato.server.kinds import own_kinds
from zato.server.metrics import Metrics
from zato.server.odb.database import Database
from zato.server.odb.schema import upgrade

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "docs" / "reference"
ACCOUNTS = ROOT / "docs" / "accounts.md"
_ROLES_BEGIN = "<!-- Made by scripts/reference.py from what admin services declare: run `make docs`. -->"
_ROLES_END = "<!-- Up to here. -->"
_NOTE = "<!-- Made by scripts/reference.py from declarations: change these, then run `make docs`. -->"
_FEWEST_WORDS = 2

Pages = dict[str, str]


class Undescribed:
    """Collects what has no helpful description."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def checked(self, help: str, what: str) -> str:
        if len(help.split()) < _FEWEST_WORDS:
            self.names.append(what)
        return help


# What there is


def kinds_of(part: Part) -> Iterator[Kind]:
    """Yield the kinds that a part other than the server declares, in whichever of its modules."""
    package = importlib.import_module(part.module)
    for found in pkgutil.walk_packages(getattr(package, "__path__", ()), f"{part.module}."):
        if found.name.endswith("__main__"):
            continue
        try:
            module = importlib.import_module(found.name)
        except Unavailable:
            # It takes a library that is an extra, and declares nothing.
            continue
        for value in vars(module).values():
            yield from (each for each in (value if isinstance(value, tuple) else (value,)) if isinstance(each, Kind))


def all_kinds(parts: Iterable[Part]) -> tuple[list[Kind], dict[str, list[Kind]]]:
    """Return all kinds by name, and those of parts other than the server by the part's name."""
    registered: dict[str, list[Kind]] = {}
    for part in parts:
        if part.name != "server" and (found := {kind.name: kind for kind in kinds_of(part)}):
            registered[part.name] = list(found.values())
    everything = [*own_kinds(), *(kind for kinds in registered.values() for kind in kinds)]
    return sorted(everything, key=lambda kind: kind.name), registered


def admin_operations(registered: Mapping[str, Iterable[Kind]]) -> list[AdminOperation]:
    """Return all admin services, as a server has them to which all other parts have registered their kinds."""
    with tempfile.TemporaryDirectory() as folder:
        settings = ServerSettings(
            odb_url=f"sqlite:///{folder}/odb.db",
            token="none",
            secret_key=generate_key(),
            work_folder=Path(folder),
            log_level="ERROR",
        )
        database = Database(settings.odb_url)
        upgrade(database)
        for part, kinds in registered.items():
            register_kinds(database, MemoryBus(), "", part, [kind.describe() for kind in kinds], Author("reference", ""))
        app = WorkerApp(settings, Metrics(), MemoryBus(), database)
        app.load()
        operations = sorted(app.documents.operations(), key=lambda each: each.service)
        database.close()
    return operations


# Pages


def kind_page(kind: Kind, undescribed: Undescribed) -> str:
    undescribed.checked(kind.help, f"kind {kind.name}: the docstring of {kind.options.__name__}")
    lines = [f"# {kind.label}: `{kind.name}`", "", kind.help, ""]
    if kind.unique:
        lines += [f"No two share the same {' and '.join(f'`{name}`' for name in kind.unique)}.", ""]
    declared = declared_options(kind.options)
    if declared:
        rows = [(_name(each), _type(each), _default(each), _option_help(each, kind.name, undescribed)) for each in declared]
        lines += table(("Option", "Type", "Default", "Meaning"), rows)
    else:
        lines += ["It has no options of its own.", ""]
    lines += ["Every object also has a `name` and `is_active`.", ""]
    if kind.rules:
        lines += ["What has to hold between options:", "", *(f"- {_rule(rule)}" for rule in kind.rules), ""]
    return "\n".join(lines)


def _rule(rule: Any) -> str:
    when = f"When `{rule.option}` is `{rule.value}`, " if rule.option else ""
    wanted = [f"{names(rule.all_of)} {'has' if len(rule.all_of) == 1 else 'have'} to be given"] if rule.all_of else []
    wanted += [f"at least one of {names(rule.any_of)} has to be given"] if rule.any_of else []
    wanted += [f"{names(rule.ascending)} have to be in this order"] if rule.ascending else []
    return f"{when}{' and '.join(wanted)}."


def admin_page(operations: list[AdminOperation], kinds: list[Kind], undescribed: Undescribed) -> str:
    for each in operations:
        undescribed.checked(each.description.help, f"admin service {each.service}: see zato.server.admin.actions")
    of_kinds = {f"zato.{kind.name}.{operation}" for kind in kinds for operation in OPERATIONS}
    first = own_kinds()[0]
    lines = [
        "# Admin services",
        "",
        "Each is called with one object as its input: `POST /zato/json/<service>`, `zato service invoke <service>`, or the gRPC"
        " `Invoker`. `zato openapi admin` has them all, with the JSON Schema of what goes in and comes out. Each takes the"
        " [role](../accounts.md#roles) that is said with it, or a greater one.",
        "",
        "## Those of each kind",
        "",
        f"For every [kind](README.md#kinds), e.g. `zato.{first.name}.create`. `ping` is there for kinds of connections, and"
        " `change-password` for kinds with one secret.",
        "",
        *table(
            ("Service", "Role", "Does"),
            [
                (f"`zato.<kind>.{name}`", ROLES[name].label, make(first).help.replace(first.name, "`<kind>`"))
                for name, make in OPERATIONS.items()
            ],
        ),
        "## The others",
        "",
    ]
    by_tag: dict[str, list[AdminOperation]] = {}
    for each in operations:
        if each.service not in of_kinds:
            by_tag.setdefault(each.description.tag, []).append(each)
    for tag in sorted(by_tag):
        lines += [f"### {tag}", ""]
        for each in by_tag[tag]:
            lines += [f"#### `{each.service}`", "", f"{each.description.help}. {each.note}", ""]
            lines += _properties("Input", each.description.takes) + _properties("Output", each.description.returns)
    return "\n".join(lines)


def roles_section(operations: list[AdminOperation], kinds: list[Kind]) -> str:
    """Return the table of who may what, each admin service in it once."""
    of_kinds = {f"zato.{kind.name}.{operation}" for kind in kinds for operation in OPERATIONS}
    rows = []
    for role in Role:
        services = [f"zato.<kind>.{name}" for name, least in ROLES.items() if least is role]
        services += [each.service for each in operations if each.role is role and each.service not in of_kinds]
        services += [method.replace("/", ".") for method, least in METHODS.items() if least is role]
        rows.append((role.label, role.help, "<br>".join(f"`{group}`" for group in _grouped(services))))
    return "\n".join(table(("Role", "May", "Invokes"), rows))


def _grouped(services: Iterable[str]) -> list[str]:
    """Return e.g. "zato.server.{get-by-id,get-list}" of what is in one area."""
    areas: dict[str, list[str]] = {}
    for service in services:
        area, _, name = service.rpartition(".")
        areas.setdefault(area, []).append(name)
    return [f"{area}.{names[0]}" if len(names) == 1 else f"{area}.{{{','.join(names)}}}" for area, names in areas.items()]


def with_roles(text: str, section: str) -> str:
    """Return docs/accounts.md with what is between its two marks made anew."""
    before, _, rest = text.partition(_ROLES_BEGIN)
    _, _, after = rest.partition(_ROLES_END)
    return f"{before}{_ROLES_BEGIN}\n\n{section}\n{_ROLES_END}{after}"


def _properties(title: str, schema: Schema) -> list[str]:
    what = title
    if "anyOf" in schema and "properties" not in schema:
        # All, or a page of them.
        schema = schema["anyOf"][0]
    if schema.get("type") == "array":
        schema, what = schema["items"], f"{title}, a list of"
    properties = schema.get("properties", {})
    if not properties:
        return []
    required = schema.get("required", ())
    rows = [
        (f"`{name}`" + ("" if name in required else " (optional)"), json_type(each), each.get("description", ""))
        for name, each in properties.items()
    ]
    return table((what, "Type", "Meaning"), rows)


def settings_page(parts: Iterable[Part], undescribed: Undescribed) -> str:
    lines = [
        "# Settings",
        "",
        "Of each part, from its settings.toml or from the environment: `ZATO_<PART>_<SETTING>`, or"
        " `ZATO_<PART>_<SETTING>_FILE` to read it from a file. A path in settings.toml is relative to that file.",
        "",
    ]
    for part in sorted(parts, key=lambda each: each.name):
        rows = [
            (_name(each), _type(each), _default(each), _option_help(each, f"settings of {part.name}", undescribed))
            for each in declared_options(part.settings)
        ]
        if rows:
            lines += [f"## {part.name}", "", f"Environment variables begin with `{env_prefix(part.name)}`.", ""]
            lines += table(("Setting", "Type", "Default", "Meaning"), rows)
    return "\n".join(lines)


def commands_page(commands: Iterable[Command], undescribed: Undescribed) -> str:
    lines = [
        "# Commands",
        "",
        "Each also takes `--json` for one JSON document on standard output, `--no-color` and `--help`.",
        "",
    ]
    for command in sorted(commands, key=lambda each: each.path):
        words = " ".join(("zato", *command.path))
        undescribed.checked(command.help, f"command {words}")
        parser = Parser(prog=words, add_help=False)
        command.configure(parser)
        lines += [f"## {words}", "", f"{command.help}.", ""]
        rows = [
            (f"`{_usage(action)}`", _argument_help(action, words, undescribed))
            for action in parser._actions
            if action.help != argparse.SUPPRESS
        ]
        lines += table(("Argument", "Meaning"), rows) if rows else []
        if command.examples:
            lines += ["```", *command.examples, "```", ""]
    return "\n".join(lines)


def _usage(action: argparse.Action) -> str:
    metavar = action.metavar if isinstance(action.metavar, str) else action.dest.upper()
    if not action.option_strings:
        shown = f"[{metavar}]" if action.nargs in ("?", "*") else metavar
    else:
        shown = ", ".join(action.option_strings) + ("" if action.nargs == 0 else f" {metavar}")
    return shown


def _argument_help(action: argparse.Action, words: str, undescribed: Undescribed) -> str:
    help_text = (action.help or "") % {**vars(action), "prog": words} if "%(" in (action.help or "") else action.help or ""
    choices = f" One of: {', '.join(map(str, action.choices))}" if action.choices else ""
    return undescribed.checked(help_text, f"command {words}: {_usage(action)}") + choices


def index_page(kinds: list[Kind]) -> str:
    lines = [
        "# Reference",
        "",
        "Made from what the parts declare.",
        "",
        "| Page | Has |",
        "|---|---|",
        "| [commands.md](commands.md) | each command of `zato`, with its arguments |",
        "| [settings.md](settings.md) | each setting of each part |",
        "| [admin-api.md](admin-api.md) | each service that manages the platform |",
        "",
        "## Kinds",
        "",
        "What can be configured: in files for `zato enmasse`, with `zato object`, and by the admin services.",
        "",
        *table(
            ("Kind", "Called", "What it is"),
            [(f"[{kind.name}](kinds/{kind.name}.md)", kind.label, kind.help.partition("\n")[0]) for kind in kinds],
        ),
    ]
    return "\n".join(lines)


# Cells


def table(heads: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> list[str]:
    escaped = (tuple(cell.replace("\\", "\\\\").replace("|", "\\|").replace("\n", " ") for cell in row) for row in rows)
    return [
        f"| {' | '.join(heads)} |",
        f"|{'---|' * len(heads)}",
        *(f"| {' | '.join(row)} |" for row in escaped),
        "",
    ]


def names(values: Iterable[str]) -> str:
    return ", ".join(f"`{value}`" for value in values)


def json_type(schema: Schema) -> str:
    given = schema.get("type", "anything")
    return " or ".join(given) if isinstance(given, list) else str(given)


def _name(option: Option) -> str:
    return f"`{option.name}`"


def _type(option: Option) -> str:
    low, high = option.minimum, option.maximum
    if low is not None:
        span = f", at least {_number(low)}" if high is None else f", {_number(low)} to {_number(high)}"
    else:
        span = "" if high is None else f", at most {_number(high)}"
    length = f", at most {option.max_length:,} characters" if option.max_length else ""
    form = f" ({option.format})" if option.format else ""
    return f"{option.type}{form}{span}{length}{', secret' if option.secret else ''}"


def _number(value: float) -> str:
    return f"{int(value):,}" if float(value).is_integer() else f"{value:g}"


def _default(option: Option) -> str:
    default = default_json(option)
    if default is None:
        return "required"
    return "" if default in ('""', "null", "[]") else f"`{json.dumps(json.loads(default), ensure_ascii=False)}`"


def _option_help(option: Option, where: str, undescribed: Undescribed) -> str:
    parts = [undescribed.checked(option.help, f"{where}: {option.name}")]
    if option.choices:
        parts.append("One of " + ", ".join(f"`{choice}`" if choice else "empty" for choice in option.choices))
    if option.references:
        parts.append(f"Names an object of {names(option.references)}")
    return ". ".join(part for part in parts if part)


# The command


def make_pages(undescribed: Undescribed) -> tuple[Pages, str]:
    """Return the pages of docs/reference, and what docs/accounts.md says of roles."""
    parts = list(load_parts())
    kinds, registered = all_kinds(parts)
    operations = admin_operations(registered)
    commands = [each for each in load_commands()[0] if isinstance(each, Command)]
    pages = {
        "README.md": index_page(kinds),
        "admin-api.md": admin_page(operations, kinds, undescribed),
        "settings.md": settings_page(parts, undescribed),
        "commands.md": commands_page(commands, undescribed),
        **{f"kinds/{kind.name}.md": kind_page(kind, undescribed) for kind in kinds},
    }
    made = {name: f"{_NOTE}\n\n{text.rstrip()}\n" for name, text in pages.items()}
    return made, roles_section(operations, kinds)


def differences(pages: Pages, folder: Path) -> list[str]:
    present = {str(file.relative_to(folder)): file.read_text() for file in folder.rglob("*.md")} if folder.exists() else {}
    return sorted(name for name in pages.keys() | present.keys() if pages.get(name) != present.get(name))


def write(pages: Pages, folder: Path) -> None:
    for name in differences(pages, folder):
        file = folder / name
        if name not in pages:
            file.unlink()
            continue
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(pages[name])
        print(f"{file} written")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing, fail when a page is not up to date")
    parser.add_argument("--output", metavar="PATH", type=Path, default=FOLDER, help="where to write (default: docs/reference)")
    options = parser.parse_args()
    undescribed = Undescribed()
    pages, roles = make_pages(undescribed)
    accounts = ACCOUNTS.read_text()
    is_ours = options.output == FOLDER
    failed = bool(undescribed.names)
    for name in undescribed.names:
        print(f"Without a helpful description: {name}", file=sys.stderr)
    if options.check:
        for name in differences(pages, options.output):
            print(f"{options.output / name} is not what the declarations give: run 'make docs'", file=sys.stderr)
            failed = True
        if is_ours and accounts != with_roles(accounts, roles):
            print(f"{ACCOUNTS} is not what admin services declare: run 'make docs'", file=sys.stderr)
            failed = True
    else:
        write(pages, options.output)
        if is_ours:
            ACCOUNTS.write_text(with_roles(accounts, roles))
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
