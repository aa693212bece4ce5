"""`zato stats`, and `zato service slow|samples|errors`: how services fare, and runs of them that are worth a look."""

import argparse
import contextlib
import json
import re
from typing import TYPE_CHECKING, Any

from zato.common.cli.admin import add_cluster_arguments, connect
from zato.common.cli.commands import Command, ExitCode, UsageError
from zato.common.cli.console import Console
from zato.server.commands.charts import bar, sparkline

if TYPE_CHECKING:
    from rich.text import Text

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_LAST = re.compile(r"(\d{1,6})([smhd])")
_PERCENT_THAT_IS_BAD = 5.0


def seconds(text: str) -> int:
    """Return the seconds of e.g. "90m". Raises UsageError."""
    found = _LAST.fullmatch(text)
    if found is None or not int(found[1]):
        raise UsageError(f"--last takes a number and s, m, h or d, e.g. 90m or 7d, not {text!r}")
    return int(found[1]) * _UNITS[found[2]]


def _stats_configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("service", metavar="SERVICE", nargs="?", help="This one over time; without it the leading ones")
    parser.add_argument("--last", metavar="TIME", default="1h", help="How far back, e.g. 90m, 12h or 7d (default: 1h)")
    parser.add_argument(
        "--by", choices=("usage", "mean", "errors", "time"), default="usage", help="What to rank services by (default: usage)"
    )
    parser.add_argument("--top", metavar="COUNT", type=int, default=20, help="How many services (default: 20)")
    parser.add_argument("--all", action="store_true", help="The platform's own services too")
    add_cluster_arguments(parser)


def _stats(options: argparse.Namespace, console: Console) -> int:
    span = {"last_s": seconds(options.last)}
    if options.service:
        return _over_time(options, console, {**span, "service": options.service})
    values = {**span, "n": options.top, "n_type": options.by, "is_internal": options.all}
    with connect(options) as admin:
        found: list[dict[str, Any]] = admin.invoke("zato.stats.get-trends", values, is_idempotent=True)
    console.data(found)
    console.table(
        ("Service", "Runs", "Share", "Per s", "Errors", "Mean ms", "p50", "p95", "p99", f"Runs, last {options.last}"),
        [
            (
                each["service_name"],
                f"{each['usage']:,}",
                bar(each["usage_perc_all_services"]),
                f"{each['rate']:g}",
                _errors(each),
                *(f"{each[name]:,.1f}" for name in ("mean", "p50", "p95", "p99")),
                sparkline([float(count) for count in each["usage_trend"].split(",")], 30),
            )
            for each in found
        ],
        empty=f"No service has run in the last {options.last}; numbers come within seconds, and --last 7d looks further back",
    )
    return ExitCode.OK


def _errors(each: dict[str, Any]) -> "Text":
    from rich.text import Text

    if not each["errors"]:
        return Text("–", style="dim")
    style = "red" if each["error_perc"] >= _PERCENT_THAT_IS_BAD else "yellow"
    return Text(f"{each['errors']:,} ({each['error_perc']:g} %)", style=style)


def _over_time(options: argparse.Namespace, console: Console, values: dict[str, Any]) -> int:
    with connect(options) as admin:
        found: dict[str, Any] = admin.invoke("zato.stats.get-series", values, is_idempotent=True)
    console.data(found)
    if not found["usage"]:
        console.hint(
            f"Service '{options.service}' has not run in the last {options.last}; 'zato service list' has all there are"
        )
        return ExitCode.OK
    points = found["points"]
    console.panel(
        f"{options.service}, last {options.last}",
        [
            ("Runs", f"{found['usage']:,}   {found['rate']:g} per s"),
            ("Errors", _errors(found)),
            ("Milliseconds", "   ".join(f"{name} {found[name]:,.1f}" for name in ("mean", "p50", "p95", "p99"))),
            ("Least, most", f"{found['min_resp_time']:,.2f}   {found['max_resp_time']:,.1f}"),
            ("Runs over time", sparkline([point["usage"] for point in points], 60)),
            ("Errors over time", sparkline([point["errors"] for point in points], 60)),
            ("p95 over time", sparkline([point["p95"] for point in points], 60)),
        ],
    )
    return ExitCode.OK


# Runs that are worth a look


def _runs_configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("service", metavar="SERVICE", help="'zato service list' has them")
    parser.add_argument("cid", metavar="CID", nargs="?", help="Show this one whole")
    add_cluster_arguments(parser)


def _slow(options: argparse.Namespace, console: Console) -> int:
    hint = f"No run of '{options.service}' was slow. What is slow: zato object create service NAME slow_threshold=500"
    return _runs(options, console, "slow-response", hint)


def _samples(options: argparse.Namespace, console: Console) -> int:
    hint = f"There are no samples of '{options.service}'. To have some: zato object create service NAME sample_every=100"
    return _runs(options, console, "sample", hint)


def _service_errors(options: argparse.Namespace, console: Console) -> int:
    return _runs(options, console, "error", f"Nothing has failed in '{options.service}' of late")


def _runs(options: argparse.Namespace, console: Console, group: str, empty: str) -> int:
    if options.cid:
        return _one_run(options, console, group)
    with connect(options) as admin:
        answer: dict[str, Any] = admin.invoke(f"zato.service.{group}.get-list", {"name": options.service}, is_idempotent=True)
    console.data(answer)
    reason = ("Error",) if group == "error" else ()
    console.table(
        ("When (UTC)", "Milliseconds", "Channel", "Server", "Version", *reason, "Cid"),
        [
            (
                each["req_ts"][:19].replace("T", " "),
                f"{each['proc_time']:,.1f}",
                each["channel"],
                each["server"],
                each["version"],
                *((f"{each['type']}: {each['message']}"[:80],) if reason else ()),
                each["cid"],
            )
            for each in answer["data"]
        ],
        empty=empty,
    )
    return ExitCode.OK


def _one_run(options: argparse.Namespace, console: Console, group: str) -> int:
    values = {"name": options.service, "cid": options.cid}
    with connect(options) as admin:
        found: dict[str, Any] = admin.invoke(f"zato.service.{group}.get", values, is_idempotent=True)
    console.data(found)
    title = f"{options.service}, {found['req_ts'][:19].replace('T', ' ')}"
    rows = [("Milliseconds", f"{found['proc_time']:,.1f}"), ("Channel", found["channel"]), ("Server", found["server"])]
    rows += [("Error", f"{found['type']}: {found['message']}")] if group == "error" else []
    console.panel(title, rows)
    for label, name in (("Request", "req"), ("Answer", "resp"), ("Where", "traceback")):
        if found.get(name):
            console.print()
            console.print(label, style="bold")
            console.print(_readable(found[name]))
    return ExitCode.OK


def _readable(text: str) -> str:
    """JSON with its lines, anything else as it is; without characters that would be orders to the terminal."""
    with contextlib.suppress(ValueError):
        text = json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    return "".join(each if each.isprintable() or each in "\n\t" else "\ufffd" for each in text)


STATISTICS_COMMANDS: tuple[Command, ...] = (
    Command(
        path=("stats",),
        help="How often services run, how long they take and how often they fail",
        configure=_stats_configure,
        run=_stats,
        examples=("zato stats", "zato stats --by errors --last 12h", "zato stats orders.get --last 7d"),
    ),
    Command(
        path=("service", "slow"),
        help="Runs of a service that took longer than its threshold",
        configure=_runs_configure,
        run=_slow,
        examples=("zato service slow orders.get", "zato service slow orders.get 5f2c…"),
    ),
    Command(
        path=("service", "samples"),
        help="Requests and answers of a service that were kept for a look",
        configure=_runs_configure,
        run=_samples,
        examples=("zato service samples orders.get",),
    ),
    Command(
        path=("service", "errors"),
        help="The last runs of a service that failed, and where",
        configure=_runs_configure,
        run=_service_errors,
        examples=("zato service errors orders.get", "zato service errors orders.get 5f2c…"),
    ),
)
