"""What runs, rather than what is configured: `zato kvdb`, `zato cache`, `zato queue`, `zato rate-limit`, `zato server list`."""

import argparse
import shlex
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from zato.common.cli.admin import add_cluster_arguments, connect
from zato.common.cli.commands import Command, ExitCode, Group, UsageError
from zato.common.cli.console import Console
from zato.common.cli.units import duration
from zato.server.commands.charts import bar

_STATES = ("dead", "waiting", "running", "delayed")


def _invoke(options: argparse.Namespace, service: str, values: dict[str, Any], *, is_idempotent: bool = True) -> Any:
    with connect(options) as admin:
        return admin.invoke(service, values, is_idempotent=is_idempotent)


def _more(console: Console, meta: dict[str, Any]) -> None:
    if meta["num_pages"] > 1:
        console.hint(
            f"Page {meta['cur_page']} of {meta['num_pages']}, {meta['total']:,} in all; --page NUMBER shows another one"
        )


def _page_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--search", metavar="TEXT", default="", help="Only what contains this")
    parser.add_argument("--page", metavar="NUMBER", type=int, default=1, help="Which page (default: 1)")
    add_cluster_arguments(parser)


# Redis


def _kvdb_configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("words", metavar="WORD", nargs="+", help="A command, e.g. GET my-key; 'list' shows which there are")
    add_cluster_arguments(parser)


def _kvdb(options: argparse.Namespace, console: Console) -> int:
    if options.words == ["list"]:
        found = _invoke(options, "zato.kvdb.remote-command.get-list", {})
        console.data(found)
        console.print("\n".join(each["name"] for each in found))
        return ExitCode.OK
    command = shlex.join(options.words)
    answer = _invoke(options, "zato.kvdb.remote-command.execute", {"command": command}, is_idempotent=False)
    console.data(answer)
    console.print("".join(each if each.isprintable() or each in "\n\t" else "\ufffd" for each in answer["result"]))
    return ExitCode.OK


# Caches


def _caches(options: argparse.Namespace, console: Console) -> int:
    found = _invoke(options, "zato.cache.builtin.get-list", {})
    console.data(found)
    console.table(
        ("Cache", "Entries", "Full", "Bytes", "Largest", "Expiring", "Last used (UTC)"),
        [
            (
                each["name"],
                f"{each['entries']:,}",
                bar(100 * each["entries"] / each["max_entries"]),
                f"{each['bytes']:,}",
                f"{each['largest_bytes']:,}",
                f"{each['expiring']:,}",
                _time(each["last_use"]),
            )
            for each in found
        ],
        empty="All caches are empty: services and channels fill them",
    )
    return ExitCode.OK


def _cache_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--cache", metavar="NAME", default="default", help="Which cache (default: default)")


def _cache_entries_configure(parser: argparse.ArgumentParser) -> None:
    _cache_argument(parser)
    _page_arguments(parser)


def _cache_entries(options: argparse.Namespace, console: Console) -> int:
    values = {"name": options.cache, "query": options.search, "cur_page": options.page}
    answer = _invoke(options, "zato.cache.builtin.entry.get-list", values)
    console.data(answer)
    console.table(
        ("Key", "Bytes", "Written (UTC)", "Used (UTC)", "Goes in"),
        [
            (
                repr(each["key"]) if isinstance(each["key"], int) else each["key"],
                f"{each['bytes']:,}",
                _time(each["last_write"]),
                _time(each["last_use"]),
                "–" if each["expires_in_s"] is None else duration(each["expires_in_s"]),
            )
            for each in answer["data"]
        ],
        empty=f"There are no such entries in the cache '{options.cache}'",
    )
    _more(console, answer["_meta"])
    return ExitCode.OK


def _cache_key_configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("key", metavar="KEY", help="The entry's key")
    parser.add_argument("--number", action="store_true", help="The key is a number, not a text")
    _cache_argument(parser)
    add_cluster_arguments(parser)


def _key(options: argparse.Namespace) -> dict[str, Any]:
    try:
        return {"name": options.cache, "key": int(options.key) if options.number else options.key}
    except ValueError:
        raise UsageError(f"--number needs a whole number for a key, not {options.key!r}") from None


def _cache_get(options: argparse.Namespace, console: Console) -> int:
    found = _invoke(options, "zato.cache.builtin.entry.get", _key(options))
    console.data(found)
    console.print(found["value"])
    return ExitCode.OK


def _cache_delete(options: argparse.Namespace, console: Console) -> int:
    found = _invoke(options, "zato.cache.builtin.entry.delete", _key(options), is_idempotent=False)
    console.data(found)
    console.print(f"Deleted '{options.key}' of the cache '{options.cache}'")
    return ExitCode.OK


def _cache_clear_configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("cache", metavar="NAME", help="Which cache")
    _yes_argument(parser, "Do not ask")
    add_cluster_arguments(parser)


def _cache_clear(options: argparse.Namespace, console: Console) -> int:
    _confirm(options, console, f"Delete everything in the cache '{options.cache}'?")
    answer = _invoke(options, "zato.cache.builtin.clear", {"name": options.cache}, is_idempotent=False)
    console.data(answer)
    console.print(f"Deleted {answer['deleted']:,} entries of the cache '{options.cache}'")
    return ExitCode.OK


def _yes_argument(parser: argparse.ArgumentParser, help: str) -> None:
    parser.add_argument("--yes", action="store_true", help=help)


def _confirm(options: argparse.Namespace, console: Console, question: str) -> None:
    if not options.yes and not console.confirm(question):
        raise UsageError("Nothing was done: say --yes where nobody can be asked")


# Queues


def _queues(options: argparse.Namespace, console: Console) -> int:
    from rich.text import Text

    found = _invoke(options, "zato.queue.get-list", {})
    console.data(found)
    console.table(
        ("Queue", "What", "Waiting", "Running", "Delayed", "Dead letters", "Oldest waits for"),
        [
            (
                each["name"],
                each["label"],
                f"{each['waiting']:,}",
                f"{each['running']:,}",
                f"{each['delayed']:,}",
                Text("?" if each["error"] else f"{each['dead']:,}", style="red" if each["dead"] or each["error"] else "dim"),
                "–" if each["oldest_s"] is None else duration(each["oldest_s"]),
            )
            for each in found
        ],
    )
    for each in found:
        if each["error"]:
            console.warn(f"{each['name']}: {each['error']}")
    return ExitCode.OK


def _queue_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("queue", metavar="QUEUE", help="e.g. async; 'zato queue list' has them all")


def _state_argument(parser: argparse.ArgumentParser, states: Sequence[str]) -> None:
    parser.add_argument("--state", choices=states, default="dead", help="In this state (default: dead, the dead letters)")


def _queue_show_configure(parser: argparse.ArgumentParser) -> None:
    _queue_argument(parser)
    parser.add_argument("id", metavar="ID", nargs="?", help="Show this message whole")
    _state_argument(parser, _STATES)
    _page_arguments(parser)


def _queue_show(options: argparse.Namespace, console: Console) -> int:
    values: dict[str, Any] = {"queue": options.queue, "state": options.state}
    if options.id:
        found = _invoke(options, "zato.queue.get-message", {**values, "id": options.id})
        console.data(found)
        fields = (("For", "target"), ("Cid", "cid"), ("Tried", "attempts"), ("Reason", "reason"), ("Payload", "payload"))
        rows = [(label, str(found[name])) for label, name in fields if found[name]]
        console.panel(f"{options.state} {found['id']}", [("When", _moment(found["at"])), *rows])
        return ExitCode.OK
    answer = _invoke(options, "zato.queue.get-messages", {**values, "query": options.search, "cur_page": options.page})
    console.data(answer)
    console.table(
        ("Id", "When (UTC)", "For", "Tried", "Reason", "Cid"),
        [
            (each["id"], _moment(each["at"]), each["target"], each["attempts"] or "–", each["reason"][:60] or "–", each["cid"])
            for each in answer["data"]
        ],
        empty=f"There are no such messages in the queue '{options.queue}', state {options.state}",
    )
    _more(console, answer["_meta"])
    return ExitCode.OK


def _messages_arguments(parser: argparse.ArgumentParser) -> None:
    _queue_argument(parser)
    parser.add_argument("ids", metavar="ID", nargs="*", help="These; 'zato queue show QUEUE' has them")
    parser.add_argument("--all", action="store_true", help="All there are")
    _yes_argument(parser, "Do not ask, for --all")
    add_cluster_arguments(parser)


def _purge_configure(parser: argparse.ArgumentParser) -> None:
    _state_argument(parser, ("dead", "waiting", "delayed"))
    _messages_arguments(parser)


def _messages(options: argparse.Namespace, console: Console, question: str) -> dict[str, Any]:
    if bool(options.ids) == options.all:
        raise UsageError("Say which: ids of messages, or --all")
    if options.all:
        _confirm(options, console, question)
        return {"queue": options.queue, "all": True}
    return {"queue": options.queue, "ids": options.ids}


def _redrive(options: argparse.Namespace, console: Console) -> int:
    values = _messages(options, console, f"Let all dead letters of '{options.queue}' run again?")
    answer = _invoke(options, "zato.queue.redrive", values, is_idempotent=False)
    console.data(answer)
    return _concluded(console, answer["redriven"], options.ids, "Run again")


def _purge(options: argparse.Namespace, console: Console) -> int:
    values = _messages(options, console, f"Delete all messages of '{options.queue}', state {options.state}, for good?")
    answer = _invoke(options, "zato.queue.purge", {**values, "state": options.state}, is_idempotent=False)
    console.data(answer)
    return _concluded(console, answer["deleted"], options.ids, "Deleted")


def _concluded(console: Console, count: int, ids: Sequence[str], what: str) -> int:
    console.print(f"{what}: {count:,} of the messages")
    if count < len(ids):
        console.error(f"{len(ids) - count} of these were not there any more, or could not be read")
        return ExitCode.FAILED
    return ExitCode.OK


# Rate limits


def _rate_limits(options: argparse.Namespace, console: Console) -> int:
    answer = _invoke(options, "zato.rate-limit.get-list", {"query": options.search, "cur_page": options.page})
    console.data(answer)
    console.table(
        ("Kind", "Name", "From", "Used", "", "Window", "Counted by"),
        [
            (
                each["kind"],
                each["name"],
                each["source"],
                f"{each['used']:,} of {each['limit']:,}",
                bar(100 * each["used"] / each["limit"] if each["limit"] else 100),
                duration(each["window_s"]),
                each["counted_by"],
            )
            for each in answer["data"]
        ],
        empty="Nothing is limited. Limit a channel with: zato object edit channel-http NAME is_rate_limit_active=true "
        "rate_limit_def='* = 100/m'",
    )
    _more(console, answer["_meta"])
    return ExitCode.OK


def _rate_limit_reset_configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("kind", metavar="KIND", help="e.g. channel-http")
    parser.add_argument("name", metavar="NAME", help="The object's name")
    add_cluster_arguments(parser)


def _rate_limit_reset(options: argparse.Namespace, console: Console) -> int:
    values = {"kind": options.kind, "name": options.name}
    console.data(_invoke(options, "zato.rate-limit.reset", values, is_idempotent=False))
    console.print(f"The uses of {options.kind} '{options.name}' are counted anew")
    return ExitCode.OK


# Servers


def _servers(options: argparse.Namespace, console: Console) -> int:
    from rich.text import Text

    found = _invoke(options, "zato.server.get-list", {})
    console.data(found)
    console.table(
        ("Server", "State", "Workers", "Runs version", "Up for", "Heard of (UTC)"),
        [
            (
                each["name"],
                Text(each["up_status"], style="green" if each["up_status"] == "running" else "yellow"),
                len(each["workers"]),
                each["config_version"],
                duration(each["up_s"]),
                _time(each["up_mod_date"]),
            )
            for each in found
        ],
    )
    return ExitCode.OK


def _time(text: str) -> str:
    return text[:19].replace("T", " ") or "–"


def _moment(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S}"


OPERATIONS_COMMANDS: tuple[Command | Group, ...] = (
    Command(
        path=("kvdb",),
        help="Give Redis a command; those on a list, and nothing that the platform keeps there is changed",
        configure=_kvdb_configure,
        run=_kvdb,
        examples=("zato kvdb GET my-key", "zato kvdb list"),
    ),
    Group(("cache",), "What services and channels keep for a while"),
    Command(
        path=("cache", "list"),
        help="Which caches there are, and how full they are",
        configure=add_cluster_arguments,
        run=_caches,
        examples=("zato cache list",),
    ),
    Command(
        path=("cache", "entries"),
        help="What is in a cache, what was used last first",
        configure=_cache_entries_configure,
        run=_cache_entries,
        examples=("zato cache entries", "zato cache entries --cache rates --search EUR"),
    ),
    Command(
        path=("cache", "get"),
        help="The value of a key",
        configure=_cache_key_configure,
        run=_cache_get,
        examples=("zato cache get customer-1", "zato cache get 7 --number --cache rates"),
    ),
    Command(
        path=("cache", "delete"),
        help="Forget a key",
        configure=_cache_key_configure,
        run=_cache_delete,
        examples=("zato cache delete customer-1",),
    ),
    Command(
        path=("cache", "clear"),
        help="Forget everything in a cache",
        configure=_cache_clear_configure,
        run=_cache_clear,
        examples=("zato cache clear rates", "zato cache clear default --yes"),
    ),
    Group(("queue",), "What waits, runs and was given up"),
    Command(
        path=("queue", "list"),
        help="How many messages wait, run, are delayed and were given up",
        configure=add_cluster_arguments,
        run=_queues,
        examples=("zato queue list",),
    ),
    Command(
        path=("queue", "show"),
        help="Messages of a queue, dead letters unless it says otherwise",
        configure=_queue_show_configure,
        run=_queue_show,
        examples=("zato queue show async", "zato queue show async --state waiting", "zato queue show async 1789-0"),
    ),
    Command(
        path=("queue", "redrive"),
        help="Let dead letters run again",
        configure=_messages_arguments,
        run=_redrive,
        examples=("zato queue redrive async 1789-0", "zato queue redrive async --all --yes"),
    ),
    Command(
        path=("queue", "purge"),
        help="Delete messages",
        configure=_purge_configure,
        run=_purge,
        examples=("zato queue purge async 1789-0", "zato queue purge async --state waiting --all"),
    ),
    Group(("rate-limit",), "How much of each limit is used"),
    Command(
        path=("rate-limit", "list"),
        help="What is limited, and how much of it is used now",
        configure=_page_arguments,
        run=_rate_limits,
        examples=("zato rate-limit list",),
    ),
    Command(
        path=("rate-limit", "reset"),
        help="Count the uses of an object anew",
        configure=_rate_limit_reset_configure,
        run=_rate_limit_reset,
        examples=("zato rate-limit reset channel-http orders",),
    ),
    Group(("server",), "Servers of the cluster"),
    Command(
        path=("server", "list"),
        help="Which servers there are, and for how long",
        configure=add_cluster_arguments,
        run=_servers,
        examples=("zato server list",),
    ),
)
