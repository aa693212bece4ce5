"""`zato object` and `zato kind`: everything that can be configured, whatever its kind."""

import argparse
import getpass
import json
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from zato.common.cli.admin import Admin, add_cluster_arguments, connect
from zato.common.cli.commands import Command, ExitCode, Group, UsageError
from zato.common.cli.console import Console
from zato.common.errors import BadRequest, NotFound, Unavailable
from zato.common.spelling import or_list
from zato.server.commands.liveness import add_live_argument, wait_until_live

# What every object has, whatever its kind.
_COMMON = ("id", "name", "kind", "is_active", "version", "config_version")
_TRUE = ("true", "yes", "on", "1")
_FALSE = ("false", "no", "off", "0")
_STDIN = "-"
_PAGE_SIZE = 50


def _kind_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("kind", metavar="KIND", help="e.g. channel-http; 'zato kind list' has them all")


def _kind_and_name(parser: argparse.ArgumentParser) -> None:
    _kind_argument(parser)
    parser.add_argument("name", metavar="NAME", help="The object's name")
    add_cluster_arguments(parser)


# List, get


def _list_configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("kind", metavar="KIND", nargs="?", help="Of this kind only; 'zato kind list' has them all")
    parser.add_argument("--all", action="store_true", help="The platform's own services too")
    parser.add_argument("--search", metavar="TEXT", default="", help="Only what contains this, in whichever option")
    parser.add_argument("--sort", metavar="OPTION", help="What objects of one kind are ordered by; --sort=-OPTION is backwards")
    parser.add_argument("--page", metavar="NUMBER", type=int, help="One page of the objects of a kind (default: all of them)")
    parser.add_argument("--page-size", metavar="COUNT", type=int, help=f"Objects a page (default: {_PAGE_SIZE})")
    add_cluster_arguments(parser)


def _list(options: argparse.Namespace, console: Console) -> int:
    if not options.kind and (options.sort or options.page or options.page_size):
        raise UsageError("--sort, --page and --page-size go with a KIND: 'zato kind list' has them all")
    with connect(options) as admin:
        kinds = {kind["name"]: kind for kind in get_kinds(admin)}
        wanted = [options.kind] if options.kind else list(kinds)
        answers = {kind: _page_of(admin, kind, options) for kind in wanted}
    found = {kind: [each for each in page["data"] if options.all or not _is_ours(each)] for kind, page in answers.items()}
    console.data([{"kind": kind, **each} for kind, objects in found.items() for each in objects])
    console.table(
        ("Kind", "Name", "Active", "Options"),
        [
            (kind, each["name"], "yes" if each.get("is_active", True) else "no", _unusual(each, kinds.get(kind)))
            for kind, objects in found.items()
            for each in objects
        ],
        empty="There are no such objects yet. 'zato object create KIND NAME option=value …' makes one, "
        "'zato kind list' shows what there can be"
        if not options.search
        else f"Nothing that contains '{options.search}'",
    )
    meta = answers[options.kind]["_meta"] if options.kind else {}
    if options.page and meta["num_pages"] > 1:
        console.hint(
            f"Page {meta['cur_page']} of {meta['num_pages']}, {meta['total']:,} in all; --page NUMBER shows another one"
        )
    return ExitCode.OK


def _page_of(admin: Admin, kind: str, options: argparse.Namespace) -> dict[str, Any]:
    """Return the page that is asked for; all objects look like one page."""
    given = {"query": options.search, "sort": options.sort, "cur_page": options.page, "page_size": options.page_size}
    values = {name: value for name, value in given.items() if value}
    if options.page_size and not options.page:
        options.page = values["cur_page"] = 1
    found = _on_kind(admin, kind, "get-list", values, is_idempotent=True)
    return found if isinstance(found, dict) else {"data": found, "_meta": {}}


def _is_ours(each: Mapping[str, Any]) -> bool:
    """Whether it is a service that came with the platform."""
    return bool(each.get("is_internal"))


def _unusual(each: Mapping[str, Any], kind: Mapping[str, Any] | None) -> str:
    """Return the options that say something: those that are not at their defaults."""
    defaults = {option["name"]: option["default"] for option in kind["options"]} if kind else {}
    return "  ".join(
        f"{name}={_text(value)}"
        for name, value in each.items()
        if name not in _COMMON and name in defaults and value not in (defaults[name], "", None)
    )


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _get(options: argparse.Namespace, console: Console) -> int:
    with connect(options) as admin:
        found: dict[str, Any] = _on_kind(admin, options.kind, "get", {"name": options.name}, is_idempotent=True)
    console.data(found)
    console.panel(f"{options.kind} {options.name}", [(name, _text(value)) for name, value in found.items() if name != "name"])
    return ExitCode.OK


# Create, edit, delete


def _options_argument(parser: argparse.ArgumentParser) -> None:
    _kind_argument(parser)
    parser.add_argument("name", metavar="NAME", help="The object's name")
    parser.add_argument(
        "options",
        metavar="OPTION=VALUE",
        nargs="*",
        help="e.g. url_path=/orders; OPTION=@FILE reads a file, OPTION=@- asks; 'zato kind get KIND' has them all",
    )
    add_live_argument(parser)
    add_cluster_arguments(parser)


def _create(options: argparse.Namespace, console: Console) -> int:
    return _change(options, console, "create", "Created")


def _edit(options: argparse.Namespace, console: Console) -> int:
    return _change(options, console, "edit", "Changed")


def _change(options: argparse.Namespace, console: Console, action: str, done: str) -> int:
    values = dict(_option_value(text) for text in options.options)
    if action == "edit" and not values:
        raise BadRequest("Nothing to change: give at least one OPTION=VALUE")
    with connect(options) as admin:
        answer: dict[str, Any] = _on_kind(admin, options.kind, action, {**values, "name": options.name})
        _warn_of_secrets(options.kind, _typed(options.options), admin, console)
        console.data(answer)
        console.print(f"{done} {options.kind} '{options.name}', version {answer['version']}")
        wait_until_live(admin, console, options.wait)
    return ExitCode.OK


def _typed(texts: Iterable[str]) -> frozenset[str]:
    """Return the names of the options whose values were on the command line itself."""
    pairs = (text.partition("=") for text in texts)
    return frozenset(name for name, _, value in pairs if value and (not value.startswith("@") or value.startswith("@@")))


def _warn_of_secrets(kind: str, typed: frozenset[str], admin: Admin, console: Console) -> None:
    options = _kind_named(kind, get_kinds(admin))["options"]
    for name in sorted(typed & {option["name"] for option in options if option["secret"]}):
        console.warn(f"Command lines are seen by others and kept by your shell: give '{name}' as {name}=@FILE or {name}=@-")


def _option_value(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise BadRequest(f"'{text}' is not OPTION=VALUE, e.g. url_path=/orders")
    if value.startswith("@@"):
        return name, value[1:]
    if value.startswith("@"):
        return name, _from_outside(name, value[1:])
    return name, as_active(value) if name == "is_active" else value


def _from_outside(name: str, source: str) -> str:
    """Read a value that should not be seen on a command line."""
    if source == _STDIN:
        return getpass.getpass(f"{name}: ") if sys.stdin.isatty() else sys.stdin.readline().rstrip("\n")
    try:
        return Path(source).read_text().rstrip("\n")
    except (OSError, UnicodeDecodeError) as exc:
        raise NotFound(f"The value of '{name}' cannot be read from {source}: {getattr(exc, 'strerror', None) or exc}") from exc


def as_active(value: Any) -> bool:
    """Return `is_active`, however it was written. Raises BadRequest."""
    text = str(value).lower()
    if text not in (*_TRUE, *_FALSE):
        raise BadRequest(f"'is_active' takes true or false, not '{value}'")
    return text in _TRUE


def _delete_configure(parser: argparse.ArgumentParser) -> None:
    add_live_argument(parser)
    _kind_and_name(parser)


def _delete(options: argparse.Namespace, console: Console) -> int:
    with connect(options) as admin:
        answer = _on_kind(admin, options.kind, "delete", {"name": options.name})
        console.data(answer or {})
        console.print(f"Deleted {options.kind} '{options.name}'")
        wait_until_live(admin, console, options.wait)
    return ExitCode.OK


def _ping(options: argparse.Namespace, console: Console) -> int:
    with connect(options) as admin:
        try:
            answer: dict[str, Any] = _on_kind(admin, options.kind, "ping", {"name": options.name}, is_idempotent=True)
        except NotFound:
            pings = {"name": f"zato.{options.kind}.ping"}
            if admin.invoke("zato.service.is-deployed", pings, is_idempotent=True)["is_deployed"]:
                raise
            raise BadRequest(f"A {options.kind} connects to nobody: outgoing connections are what is pinged") from None
    console.data(answer)
    if not answer["is_ok"]:
        raise Unavailable(answer["error"])
    console.print(f"{options.kind} '{options.name}' answers, after {answer['duration_ms']:g} ms")
    return ExitCode.OK


# Kinds


def _on_kind(admin: Admin, kind: str, action: str, payload: Mapping[str, Any], *, is_idempotent: bool = False) -> Any:
    """Invoke an admin service of a kind. Raises NotFound with the kinds that there are when it is none of them."""
    try:
        return admin.invoke(f"zato.{kind}.{action}", payload, is_idempotent=is_idempotent)
    except NotFound:
        _kind_named(kind, get_kinds(admin))
        raise


def _kind_named(name: str, kinds: Iterable[dict[str, Any]]) -> dict[str, Any]:
    by_name = {kind["name"]: kind for kind in kinds}
    if name not in by_name:
        raise NotFound(f"There is no kind '{name}'{or_list(name, by_name)}")
    return by_name[name]


def get_kinds(admin: Admin) -> list[dict[str, Any]]:
    """Return the kinds' descriptions, each option with its `default` decoded."""
    kinds: list[dict[str, Any]] = admin.invoke("zato.kind.get-list", {}, is_idempotent=True)
    for kind in kinds:
        for option in kind["options"]:
            option["default"] = json.loads(option.pop("default_json", "") or "null")
    return kinds


def _list_kinds(options: argparse.Namespace, console: Console) -> int:
    with connect(options) as admin:
        kinds = get_kinds(admin)
    console.data(kinds)
    console.table(("Kind", "Label", "Meaning"), [(kind["name"], kind["label"], _first_line(kind["help"])) for kind in kinds])
    console.print()
    console.hint("zato kind get KIND shows a kind's options.")
    return ExitCode.OK


def _get_kind_configure(parser: argparse.ArgumentParser) -> None:
    _kind_argument(parser)
    add_cluster_arguments(parser)


def _get_kind(options: argparse.Namespace, console: Console) -> int:
    with connect(options) as admin:
        kind = _kind_named(options.kind, get_kinds(admin))
    console.data(kind)
    console.print(kind["label"], style="bold")
    if kind["help"]:
        console.print(kind["help"])
    console.print()
    console.table(
        ("Option", "Type", "Default", "Meaning"),
        [(option["name"], _type_text(option), _default_text(option), _meaning(option)) for option in kind["options"]],
    )
    return ExitCode.OK


def _type_text(option: Mapping[str, Any]) -> str:
    return f"{option['type']}, secret" if option["secret"] else str(option["type"])


def _default_text(option: Mapping[str, Any]) -> str:
    if option["required"]:
        return "required"
    return "" if option["default"] in ("", None) else _text(option["default"])


def _meaning(option: Mapping[str, Any]) -> str:
    more: Iterable[str] = option["choices"] or option["references"] or ()
    label = "One of" if option["choices"] else "Name of a"
    return f"{option['help']}. {label}: {', '.join(repr(str(each)) for each in more)}" if more else str(option["help"])


def _first_line(text: str) -> str:
    return text.partition("\n")[0]


OBJECT_COMMANDS: tuple[Command | Group, ...] = (
    Group(("object",), "Channels, connections, security definitions: all that is configured"),
    Command(
        path=("object", "list"),
        help="What is configured",
        configure=_list_configure,
        run=_list,
        examples=(
            "zato object list",
            "zato object list channel-http --search /orders --sort=-name --page 2",
            "zato object list channel-http --json",
        ),
    ),
    Command(
        path=("object", "get"),
        help="All options of an object, secrets left out",
        configure=_kind_and_name,
        run=_get,
        examples=("zato object get channel-http orders",),
    ),
    Command(
        path=("object", "create"),
        help="Make an object",
        configure=_options_argument,
        run=_create,
        examples=(
            "zato object create channel-http orders url_path=/orders service=orders.get data_format=json",
            "zato object create security-basic-auth crm username=crm password=@crm-password.txt",
        ),
    ),
    Command(
        path=("object", "edit"),
        help="Change options of an object; the others stay as they are",
        configure=_options_argument,
        run=_edit,
        examples=(
            "zato object edit channel-http orders url_path=/v2/orders",
            "zato object edit channel-http orders url_path=/v2/orders --wait 10 && echo live everywhere",
        ),
    ),
    Command(
        path=("object", "delete"),
        help="Delete an object that nothing else uses",
        configure=_delete_configure,
        run=_delete,
        examples=("zato object delete channel-http orders",),
    ),
    Command(
        path=("object", "ping"),
        help="See whether the other side of an outgoing connection answers, also while it is switched off",
        configure=_kind_and_name,
        run=_ping,
        examples=("zato object ping outgoing-sql crm",),
    ),
    Group(("kind",), "What sorts of objects there can be"),
    Command(
        path=("kind", "list"),
        help="What can be configured",
        configure=add_cluster_arguments,
        run=_list_kinds,
        examples=("zato kind list",),
    ),
    Command(
        path=("kind", "get"),
        help="The options of a kind, with their meaning",
        configure=_get_kind_configure,
        run=_get_kind,
        examples=("zato kind get channel-http",),
    ),
)
