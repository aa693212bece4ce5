"""`zato audit`: who did what, when and from where, and whether the log still says so."""

import argparse
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from zato.common.cli.admin import add_cluster_arguments, connect
from zato.common.cli.commands import Command, ExitCode, Group, UsageError
from zato.common.cli.console import Console

if TYPE_CHECKING:
    from rich.text import Text

_VERIFY_TIMEOUT_S = 600.0
_PAGE_SIZE = 30
_FILTERS = {
    "who": ("NAME", "Done by this person or part"),
    "kind": ("KIND", "Of this kind, e.g. channel-http"),
    "name": ("NAME", "Of the object of this name"),
    "action": ("ACTION", "e.g. create, edit, delete"),
    "service": ("SERVICE", "By this admin service"),
    "address": ("ADDRESS", "From this address"),
    "result": ("RESULT", "ok, begun, refused or failed"),
    "cid": ("CID", "By the request with this correlation id"),
    "since": ("TIME", "At this time or later, ISO 8601, UTC"),
    "until": ("TIME", "Before this time"),
}


def _filters(parser: argparse.ArgumentParser) -> None:
    for name, (metavar, help) in _FILTERS.items():
        parser.add_argument(f"--{name}", metavar=metavar, default="", help=help)
    parser.add_argument("--page", metavar="NUMBER", type=int, default=1, help="Which page; the newest entries are on 1")
    parser.add_argument(
        "--page-size", metavar="COUNT", type=int, default=_PAGE_SIZE, help=f"Entries a page (default: {_PAGE_SIZE})"
    )
    add_cluster_arguments(parser)


def _search_configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("text", metavar="TEXT", help="Part of a name, of who did it, of a reason or of a cid")
    _filters(parser)


def _list(options: argparse.Namespace, console: Console) -> int:
    values = {name: getattr(options, name) for name in _FILTERS if getattr(options, name)}
    values |= {"cur_page": options.page, "page_size": options.page_size, "query": getattr(options, "text", "")}
    with connect(options) as admin:
        answer: dict[str, Any] = admin.invoke("zato.audit-log.get-list", values, is_idempotent=True)
    console.data(answer)
    console.table(
        ("Id", "When (UTC)", "Who", "From", "What", "Object", "Result"),
        [
            (
                each["id"],
                each["created_at"][:19].replace("T", " "),
                each["who"],
                each["address"] or "–",
                each["action"],
                f"{each['kind']} {each['name']}".strip(),
                result(each["result"]),
            )
            for each in answer["data"]
        ],
        empty="There are no such entries. 'zato audit list' without filters shows all there are",
    )
    meta = answer["_meta"]
    if meta["num_pages"] > 1:
        console.hint(
            f"Page {meta['cur_page']} of {meta['num_pages']}, {meta['total']} entries; --page NUMBER shows another one"
        )
    return ExitCode.OK


def result(text: str) -> "Text":
    from rich.text import Text

    return Text(text, style={"ok": "green", "refused": "yellow", "failed": "red"}.get(text, ""))


def _show_configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("id", metavar="ID", type=int, help="Of the entry; 'zato audit list' has them")
    add_cluster_arguments(parser)


def _show(options: argparse.Namespace, console: Console) -> int:
    with connect(options) as admin:
        entry: dict[str, Any] = admin.invoke("zato.audit-log.get", {"id": options.id}, is_idempotent=True)
    console.data(entry)
    fields = {
        "When": entry["created_at"],
        "Who": entry["who"],
        "From": entry["address"],
        "Service": entry["service"],
        "What": entry["action"],
        "Object": f"{entry['kind']} {entry['name']}".strip(),
        "Reason": entry["details"],
        "Version": entry["version"],
        "Cid": entry["cid"],
        "Hash": entry["hash"],
    }
    shown = [(name, str(value)) for name, value in fields.items() if value not in ("", None)]
    console.panel(f"Entry {entry['id']}", [("Result", result(entry["result"])), *shown])
    before, after = entry["before"] or {}, entry["after"] or {}
    if before or after:
        console.print()
        console.table(("Field", "Before", "After"), [_field(name, before, after) for name in {**before, **after}])
    return ExitCode.OK


def _field(name: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[Any, ...]:
    from rich.text import Text

    return name, Text(_text(before, name), style="red"), Text(_text(after, name), style="green")


def _text(values: Mapping[str, Any], name: str) -> str:
    if name not in values:
        return "–"
    return values[name] if isinstance(values[name], str) else json.dumps(values[name], ensure_ascii=False)


def _verify_configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--expect", metavar="ID:HASH", help="A hash that was noted of a row: proves that nobody has made the whole log anew"
    )
    add_cluster_arguments(parser)


def _verify(options: argparse.Namespace, console: Console) -> int:
    values: dict[str, Any] = {}
    if options.expect:
        id, colon, hash = options.expect.partition(":")
        if not colon or not id.isdecimal():
            raise UsageError("--expect takes ID:HASH, as 'zato audit verify' printed them before")
        values = {"expected_id": int(id), "expected_hash": hash}
    with connect(options) as admin:
        found: dict[str, Any] = admin.invoke("zato.audit-log.verify", values, is_idempotent=True, timeout_s=_VERIFY_TIMEOUT_S)
    console.data(found)
    for problem in found["problems"]:
        console.error(problem["message"])
    rows = "1 entry" if found["rows"] == 1 else f"{found['rows']:,} entries"
    if not found["is_ok"]:
        console.print(f"The audit log was tampered with: looked at {rows}", style="bold red")
        return ExitCode.FAILED
    console.print(f"The audit log is as it was written: {rows}", style="green")
    if found["last_id"]:
        console.hint(f"Note this elsewhere, to compare with --expect later: {found['last_id']}:{found['last_hash']}")
    return ExitCode.OK


def _prune_configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--days", metavar="NUMBER", type=float, required=True, help="What is older is removed")
    add_cluster_arguments(parser)


def _prune(options: argparse.Namespace, console: Console) -> int:
    with connect(options) as admin:
        answer: dict[str, int] = admin.invoke("zato.audit-log.prune", {"days": options.days})
    console.data(answer)
    console.print(f"Removed {answer['removed']:,} entries older than {options.days:g} days; the rest can be verified still")
    return ExitCode.OK


AUDIT_COMMANDS: tuple[Command | Group, ...] = (
    Group(("audit",), "Who did what, and when"),
    Command(
        path=("audit", "list"),
        help="Changes and attempts, the newest first",
        configure=_filters,
        run=_list,
        examples=("zato audit list", "zato audit list --who ann --since 2027-01-31", "zato audit list --result refused --json"),
    ),
    Command(
        path=("audit", "search"),
        help="Entries that contain a text",
        configure=_search_configure,
        run=_list,
        examples=("zato audit search orders", "zato audit search orders --kind channel-http"),
    ),
    Command(
        path=("audit", "show"),
        help="One entry, with what was there before and after",
        configure=_show_configure,
        run=_show,
        examples=("zato audit show 17",),
    ),
    Command(
        path=("audit", "verify"),
        help="Find entries that were tampered with, removed or inserted",
        configure=_verify_configure,
        run=_verify,
        examples=("zato audit verify", "zato audit verify --expect 17:ab12…"),
    ),
    Command(
        path=("audit", "prune"),
        help="Remove old entries; what is left can be verified still",
        configure=_prune_configure,
        run=_prune,
        examples=("zato audit prune --days 365",),
    ),
)
