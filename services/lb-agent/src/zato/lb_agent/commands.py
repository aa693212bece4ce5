"""`zato lb`: the load-balancer's servers and configuration, asked of its agent."""

import argparse
from contextlib import AbstractContextManager

from zato.common.cli.commands import Command, ExitCode, Group
from zato.common.cli.console import Console
from zato.common.cli.part_client import PartClient, connect_part, message_fields, which_part

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


def _reload(options: argparse.Namespace, console: Console) -> int:
    with _connect(options) as agent:
        pid = agent.call("Reload").haproxy_pid
    console.data({"haproxy_pid": pid})
    console.print(f"HAProxy runs with the new configuration, pid {pid}")
    return ExitCode.OK


def _config(options: argparse.Namespace, console: Console) -> int:
    with _connect(options) as agent:
        config = agent.call("GetConfig").config
    console.data({"config": config})
    console.print(config)
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
        configure=_which_agent,
        run=_config,
        examples=("zato lb config", "zato lb config --address 127.0.0.1:20151 --token-file token.txt"),
    ),
)
