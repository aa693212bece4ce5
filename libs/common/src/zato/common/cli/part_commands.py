"""`zato create`, `start`, `stop` and `info`: the same for every part, made from its declaration."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from zato.common.cli.commands import Command, ExitCode, Group, completes_files, completes_folders
from zato.common.cli.completion import COMPLETION
from zato.common.cli.console import Console
from zato.common.cli.parts import Part, load_parts
from zato.common.cli.units import duration, mebibytes
from zato.common.lifecycle.generated import is_generated
from zato.common.options import Option, declared_options

_START_WAIT_S = 30.0
_STOP_WAIT_S = 30.0


# Create


def _create_command(part: Part) -> Command:
    return Command(
        path=("create", part.name),
        help=f"Make the folder of a {part.name}, with its settings and secrets",
        configure=_create_configure(part),
        run=_create_run(part),
        examples=(f"zato create {part.name} ~/zato/{part.name}1{_required_flags(part)}",),
    )


def _create_configure(part: Part) -> Callable[[argparse.ArgumentParser], None]:
    def configure(parser: argparse.ArgumentParser) -> None:
        # A part has dozens of settings: below they are explained, here they would hide what is needed.
        parser.usage = f"zato create {part.name} PATH{_required_flags(part)} [--SETTING VALUE …]"
        completes_folders(parser.add_argument("path", metavar="PATH", type=Path, help="A folder that is empty or missing"))
        settings = parser.add_argument_group("Settings")
        secrets = parser.add_argument_group(
            "Secrets", "Read from files, since command lines are seen by everybody on the machine."
        )
        for option in declared_options(part.settings):
            if option.secret:
                _add_secret(secrets, option)
            else:
                _add_setting(settings, option)

    return configure


def _create_run(part: Part) -> Callable[[argparse.Namespace, Console], int]:
    def run(options: argparse.Namespace, console: Console) -> int:
        from zato.common.lifecycle.folders import create_folder

        values = _given_values(part, options)
        folder = create_folder(part, options.path, values, version=load_parts().version(part.name))
        made = [option.name for option in declared_options(part.settings) if option.secret and option.name not in values]
        console.data({"part": part.name, "path": str(folder.path), "settings": str(folder.settings_file)})
        console.print(f"Created {part.name} in {folder.path}")
        if made:
            console.hint(f"Secrets are in {folder.secrets_file}")
        console.hint(f"Settings are in {folder.settings_file}")
        console.print(f"Start it with: zato start {options.path}")
        return ExitCode.OK

    return run


def _add_setting(group: Any, option: Option) -> None:
    flag = "--" + option.name.replace("_", "-")
    # What is given is checked by the declaration, which says what was wanted; argparse only knows of choices.
    keywords: dict[str, Any] = {"default": argparse.SUPPRESS, "dest": f"setting:{option.name}", "help": _help_of(option)}
    if option.type == "bool":
        group.add_argument(flag, action=argparse.BooleanOptionalAction, required=option.is_required, **keywords)
        return
    if option.choices:
        keywords["choices"] = option.choices
    else:
        keywords["metavar"] = _metavars.get(option.type, option.type.upper())
    action = group.add_argument(flag, required=option.is_required, **keywords)
    if option.type == "path":
        completes_files(action)


def _add_secret(group: Any, option: Option) -> None:
    is_made = is_generated(option)
    completes_files(
        group.add_argument(
            f"--{option.name.replace('_', '-')}-file",
            metavar="FILE",
            type=Path,
            default=argparse.SUPPRESS,
            dest=f"secret:{option.name}",
            required=option.is_required and not is_made,
            help=f"{_escaped(option.help)}{' (generated when not given)' if is_made else ''}",
        )
    )


_metavars = {"str": "TEXT", "int": "N", "float": "NUMBER", "list": "A,B,…", "path": "PATH"}


def _help_of(option: Option) -> str:
    if option.is_required:
        return f"{_escaped(option.help)} (required)"
    if option.default in ("", None, ()):
        return _escaped(option.help)
    shown = ("yes" if option.default else "no") if option.type == "bool" else option.default
    return f"{_escaped(option.help)} (default: {_escaped(str(shown))})"


def _escaped(text: str) -> str:
    # argparse formats help with %.
    return text.replace("%", "%%")


def _given_values(part: Part, options: argparse.Namespace) -> dict[str, object]:
    from zato.common.lifecycle.folders import read_secret

    by_name = {option.name: option for option in declared_options(part.settings)}
    values: dict[str, object] = {}
    for key, value in vars(options).items():
        source, _, name = key.partition(":")
        if source == "secret":
            values[name] = read_secret(value)
        elif source == "setting":
            # Someone who types a path means it from where they are, not from the part's folder.
            values[name] = Path(value).absolute() if by_name[name].type == "path" else value
    return values


def _required_flags(part: Part) -> str:
    needed = [option for option in declared_options(part.settings) if option.is_required and not is_generated(option)]
    flags = [f" --{option.name.replace('_', '-')}{'-file FILE' if option.secret else ' VALUE'}" for option in needed]
    return "".join(flags)


# Start, stop, info


def _path_argument(parser: argparse.ArgumentParser) -> None:
    completes_folders(parser.add_argument("path", metavar="PATH", type=Path, help="The folder that 'zato create' made"))


def _start_configure(parser: argparse.ArgumentParser) -> None:
    _path_argument(parser)
    parser.add_argument("--fg", action="store_true", help="Stay in the foreground, log to the terminal; Ctrl-C ends it")
    parser.add_argument(
        "--wait",
        metavar="SECONDS",
        type=float,
        default=_START_WAIT_S,
        help=f"How long to wait until it works; 0 does not wait (default: {_START_WAIT_S:g})",
    )


def _start(options: argparse.Namespace, console: Console) -> int:
    from zato.common.lifecycle.folders import open_folder
    from zato.common.lifecycle.starting import NotReadyInTime, StartFailed, start, start_in_foreground

    folder = open_folder(options.path)
    part = load_parts().get(folder.part)
    if options.fg:
        start_in_foreground(part, folder)
    with console.progress() as progress:
        progress.start(folder.name, "starting")
        try:
            started = start(part, folder, wait_s=options.wait)
        except (StartFailed, NotReadyInTime) as exc:
            progress.fail(folder.name, "failed")
            console.log_lines(exc.lines)
            raise
        note = _addresses(part.addresses(folder.load_settings(part)))
        if started.was_running:
            progress.skip(folder.name, f"already running, pid {started.pid}   {note}")
        else:
            progress.done(folder.name, f"pid {started.pid}   {note}")
    console.data(
        {
            "name": folder.name,
            "part": part.name,
            "pid": started.pid,
            "was_running": started.was_running,
            "is_ready": started.is_ready,
            "seconds": round(started.seconds, 3),
        }
    )
    return ExitCode.OK


def _stop_configure(parser: argparse.ArgumentParser) -> None:
    _path_argument(parser)
    parser.add_argument(
        "--timeout",
        metavar="SECONDS",
        type=float,
        default=_STOP_WAIT_S,
        help=f"How long it may take to end by itself, before it is killed (default: {_STOP_WAIT_S:g})",
    )


def _stop(options: argparse.Namespace, console: Console) -> int:
    from zato.common.lifecycle.folders import open_folder
    from zato.common.lifecycle.starting import stop

    folder = open_folder(options.path)
    with console.progress() as progress:
        progress.start(folder.name, "stopping")
        stopped = stop(folder, timeout_s=options.timeout)
        if stopped is None:
            progress.skip(folder.name, "not running")
        elif stopped.was_killed:
            progress.done(folder.name, f"killed, pid {stopped.pid}: it had not ended after {options.timeout:g} s")
        else:
            progress.done(folder.name, "stopped")
    console.data(
        {
            "name": folder.name,
            "part": folder.part,
            "was_running": stopped is not None,
            "was_killed": stopped is not None and stopped.was_killed,
        }
    )
    return ExitCode.OK


def _info(options: argparse.Namespace, console: Console) -> int:
    from dataclasses import asdict

    from zato.common.lifecycle.folders import open_folder
    from zato.common.lifecycle.starting import status

    folder = open_folder(options.path)
    parts = load_parts()
    found = status(parts.get(folder.part), folder, version=parts.version(folder.part))
    console.data({**asdict(found), "state": found.state, "path": str(folder.path), "log": str(folder.log_file)})
    created = "" if folder.version in ("", found.version) else f", folder created by {folder.version}"
    rows: list[tuple[str, Any]] = [("State", console.state(found.state))]
    if found.pid:
        more = f", {found.processes} processes" if found.processes > 1 else ""
        rows += [
            ("Process", f"pid {found.pid}{more}"),
            ("Running for", duration(found.uptime_s)),
            ("Memory", f"{mebibytes(found.memory)}"),
        ]
    rows += [(label, address) for label, address in found.addresses.items()]
    rows += [("Version", f"{found.version}{created}"), ("Folder", str(folder.path)), ("Log", str(folder.log_file))]
    console.panel(f"{found.name} ({found.part})" if found.name != found.part else found.name, rows)
    if not found.pid:
        console.hint(f"Start it with: zato start {options.path}")
    return ExitCode.OK if found.pid else ExitCode.NOT_RUNNING


def _addresses(addresses: Any) -> str:
    return "  ".join(f"{label} {address}" for label, address in addresses.items())


COMMANDS: tuple[Command | Group, ...] = (
    Group(("create",), "Make the folder of a part"),
    *(_create_command(part) for part in load_parts()),
    Command(
        path=("start",),
        help="Start a part in the background and wait until it works",
        configure=_start_configure,
        run=_start,
        examples=("zato start ~/zato/server1", "zato start ~/zato/server1 --fg"),
    ),
    Command(
        path=("stop",),
        help="Stop a part, letting it finish what it does",
        configure=_stop_configure,
        run=_stop,
        examples=("zato stop ~/zato/server1",),
    ),
    Command(
        path=("info",),
        help="Whether a part runs, where it listens, what it uses",
        configure=_path_argument,
        run=_info,
        examples=("zato info ~/zato/server1", "zato info ~/zato/server1 --json"),
    ),
    COMPLETION,
)
