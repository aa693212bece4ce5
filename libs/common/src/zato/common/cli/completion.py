"""`zato completion`: scripts that let a shell complete commands, options, files and names."""

import argparse

from zato.common.cli.commands import Command, ExitCode
from zato.common.cli.console import Console
from zato.common.cli.parser import build_parser


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("shell", choices=("bash", "zsh"), help="The shell to write the script for")


def _run(options: argparse.Namespace, console: Console) -> int:
    import shtab

    from zato.common.cli.main import load_commands

    script = shtab.complete(build_parser(load_commands()[0]), options.shell)
    console.data({"shell": options.shell, "script": script})
    console.print(script)
    return ExitCode.OK


COMPLETION = Command(
    path=("completion",),
    help="Print a script that makes the shell complete zato's commands",
    configure=_configure,
    run=_run,
    examples=(
        'eval "$(zato completion bash)"',
        "zato completion bash > ~/.local/share/bash-completion/completions/zato",
        "zato completion zsh > ~/.zfunc/_zato",
    ),
)
