"""`zato lb`: the load-balancer's servers and configuration, asked of its agent."""

import argparse
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

from zato.common.cli.commands import Command, ExitCode, Group
from zato.common.cli.console import Console
from zato.common.cli.part_client import PartClient, connect_part, message_fields, which_part
from zato.common.errors import BadRequest

if TYPE_CHECKING:
    from rich.text import Text

_STATISTICS_COLUMNS = (
    *("Proxy", "Server", "State", "Sessions", "Most", "Requests", "Per s", "In", "Out", "Waiting"),
    *("4xx", "5xx", "Failed", "Mean"),
)
_state_styles = {"up": "green", "checking": "cyan", "drain": "yellow", "down": "bold red"}


def _which_agent(parser: argparse.ArgumentParser) -> None:
    which_part(parser, "Which load-balancer", "agent")


def _which_server(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="Name of the server, as 'zato lb state' shows it")
    _which_agent(parser)


def _connect(options: argparse.Namespace) -> AbstractContextManager[PartClient]:
    from zato.lb_agent.part import PART
    from zato.proto.load_balancer.v1 import load_balancer_pb2
    from zato.proto.load_balancer.v1.load_balancer_pb2_grpc import LoadBalancerStub

    return connect_part(options, PART, load_balancer_pb2, LoadBalancerStub)


def _state(options: argparse.Namespace, console: Console) -> int:
    from rich.text import Text

    from zato.common.cli.units import duration

    with _connect(options) as agent:
        state = agent.call("GetState")
    console.data(message_fields(state) | {"backends": [message_fields(backend) for backend in state.backends]})
    running = f"pid {state.haproxy_pid}, running for {duration(state.uptime_s)}" if state.haproxy_pid else "not running"
    console.print(f"HAProxy {state.haproxy_version} at {state.frontend_address}: {running}, {_times(state.reloads)} reloaded")
    rows = [
        (
            backend.name,
            backend.address,
            Text(backend.state, style=_state_styles.get(backend.state, "")),
            backend.weight,
            backend.active_requests,
            backend.total_requests,
            Text(str(backend.errors), style="red" if backend.errors else ""),
            backend.last_check,
        )
        for backend in state.backends
    ]
    console.table(
        ("Server", "Address", "State", "Weight", "Active", "Total", "Errors", "Last check"),
        rows,
        empty="No server takes part: they join by themselves when they are ready.",
    )
    return ExitCode.OK


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _drain(options: argparse.Namespace, console: Console) -> int:
    with _connect(options) as agent:
        agent.call("Drain", name=options.name)
    console.data({"name": options.name, "is_drained": True})
    console.print(f"{options.name} gets no new requests; let it have some again with: zato lb resume {options.name}")
    return ExitCode.OK


def _resume(options: argparse.Namespace, console: Console) -> int:
    with _connect(options) as agent:
        agent.call("Resume", name=options.name)
    console.data({"name": options.name, "is_drained": False})
    console.print(f"{options.name} gets new requests again")
    return ExitCode.OK


def _weight_configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="Name of the server, as 'zato lb state' shows it")
    parser.add_argument("weight", metavar="WEIGHT", type=int, help="1 to 256; 0 for what the server asks for itself")
    _which_agent(parser)


def _weight(options: argparse.Namespace, console: Console) -> int:
    with _connect(options) as agent:
        agent.call("SetWeight", name=options.name, weight=options.weight)
    console.data({"name": options.name, "weight": options.weight})
    if options.weight:
        console.print(
            f"{options.name} has the weight {options.weight}; give it back its own with: zato lb weight {options.name} 0"
        )
    else:
        console.print(f"{options.name} has the weight again that it asks for itself")
    return ExitCode.OK


def _stats(options: argparse.Namespace, console: Console) -> int:
    from rich.filesize import decimal
    from rich.text import Text

    with _connect(options) as agent:
        rows = agent.call("GetStatistics").rows
    console.data([message_fields(row) for row in rows])
    console.table(
        (
            "Proxy",
            "Server",
            "State",
            "Sessions",
            "Most",
            "Requests",
            "Per s",
            "In",
            "Out",
            "Waiting",
            "4xx",
            "5xx",
            "Failed",
            "Mean",
        ),
        [
            (
                row.proxy,
                row.server,
                Text(row.state, style="bold red" if row.state.startswith("DOWN") else ""),
                row.sessions,
                row.max_sessions,
                row.requests,
                row.requests_per_s,
                decimal(row.bytes_in),
                decimal(row.bytes_out),
                row.waiting,
                row.answers_4xx,
                Text(str(row.answers_5xx), style="red" if row.answers_5xx else ""),
                row.failed_connections + row.failed_answers,
                f"{row.total_ms:g} ms",
            )
            for row in rows
        ],
    )
    return ExitCode.OK


def _run_configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("words", metavar="COMMAND", nargs="+", help="E.g. show info")
    _which_agent(parser)


def _run(options: argparse.Namespace, console: Console) -> int:
    command = " ".join(options.words)
    with _connect(options) as agent:
        answer = agent.call("Execute", command=command)
    console.data({"output": answer.output, "is_truncated": answer.is_truncated})
    console.print(answer.output.rstrip())
    if answer.is_truncated:
        console.warn("There is more than 1 MB of it; this is the beginning")
    return ExitCode.OK


def _edit_configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", help="Has the sections; - reads standard input")
    parser.add_argument("--dry-run", action="store_true", help="Show what would change, and change nothing")
    _which_agent(parser)


def _edit(options: argparse.Namespace, console: Console) -> int:
    text = _text_of(options.file)
    with _connect(options) as agent:
        diff = agent.call("CheckConfig", own_sections=text).diff
        console.print_lines(_coloured(diff))
        if options.dry_run or not diff:
            console.data({"diff": diff, "is_loaded": False})
            console.print("Nothing would change" if not diff else "HAProxy accepts this; nothing was changed")
            return ExitCode.OK
        pid = agent.call("SetConfig", own_sections=text).haproxy_pid
    console.data({"diff": diff, "is_loaded": True, "haproxy_pid": pid})
    console.print(f"HAProxy runs with the new configuration, pid {pid}")
    return ExitCode.OK


def _text_of(name: str) -> str:
    try:
        return sys.stdin.read() if name == "-" else Path(name).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        raise BadRequest(f"File '{name}' cannot be read: {exc}") from exc


def _coloured(diff: str) -> "Iterator[Text]":
    from rich.text import Text

    styles = {"+": "green", "-": "red", "@": "cyan"}
    return (Text(line, style=styles.get(line[:1], "")) for line in diff.splitlines())


def _reload(options: argparse.Namespace, console: Console) -> int:
    with _connect(options) as agent:
        pid = agent.call("Reload").haproxy_pid
    console.data({"haproxy_pid": pid})
    console.print(f"HAProxy runs with the new configuration, pid {pid}")
    return ExitCode.OK


def _config_configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--own", action="store_true", help="Only the sections of your own, as 'zato lb edit' takes them")
    _which_agent(parser)


def _config(options: argparse.Namespace, console: Console) -> int:
    with _connect(options) as agent:
        config = agent.call("GetConfig")
    console.data(message_fields(config))
    console.print(config.own_sections if options.own else config.config)
    return ExitCode.OK


COMMANDS: tuple[Command | Group, ...] = (
    Group(("lb",), "The load-balancer: its servers and its configuration"),
    Command(
        path=("lb", "state"),
        help="Who takes part, and how HAProxy sees them",
        configure=_which_agent,
        run=_state,
        examples=("zato lb state", "zato lb state --folder ~/zato/lb-agent --json"),
    ),
    Command(
        path=("lb", "drain"),
        help="Send a server no new requests; those that run end",
        configure=_which_server,
        run=_drain,
        examples=("zato lb drain server1",),
    ),
    Command(
        path=("lb", "resume"),
        help="Let traffic through to a drained server again",
        configure=_which_server,
        run=_resume,
        examples=("zato lb resume server1",),
    ),
    Command(
        path=("lb", "reload"),
        help="Read the settings anew and load what they give, without losing a connection",
        configure=_which_agent,
        run=_reload,
        examples=("zato lb reload",),
    ),
    Command(
        path=("lb", "config"),
        help="Print the configuration that HAProxy runs with, passwords masked",
        configure=_config_configure,
        run=_config,
        examples=(
            "zato lb config",
            "zato lb config --own > own.cfg",
            "zato lb config --address 127.0.0.1:20151 --token-file token.txt",
        ),
    ),
    Command(
        path=("lb", "edit"),
        help="Replace the sections of your own in HAProxy's configuration: checked, shown and loaded",
        configure=_edit_configure,
        run=_edit,
        examples=("zato lb edit own.cfg --dry-run", "zato lb edit own.cfg"),
    ),
    Command(
        path=("lb", "weight"),
        help="Give a server another share of the traffic than it asks for",
        configure=_weight_configure,
        run=_weight,
        examples=("zato lb weight server1 50", "zato lb weight server1 0"),
    ),
    Command(
        path=("lb", "stats"),
        help="What frontends, backends and servers did since the last reload",
        configure=_which_agent,
        run=_stats,
        examples=("zato lb stats", "zato lb stats --json"),
    ),
    Command(
        path=("lb", "run"),
        help="Run one of HAProxy's own commands that show something",
        configure=_run_configure,
        run=_run,
        examples=("zato lb run show info", "zato lb run show errors"),
    ),
)
