"""The tree of parsers, made from the declared commands."""

import argparse
import re
from collections.abc import Generator, Iterable, Sequence
from typing import Any, NoReturn

from rich.text import Text

from zato.common.cli.commands import Command, Group, UsageError
from zato.common.errors import ZatoError
from zato.common.spelling import did_you_mean

_WIDTH = 100

# What a newcomer needs comes first, the rest by name.
_first = ("quickstart", "create", "start", "stop", "info", "wait", "service")
_last = ("completion",)


class HelpWanted(Exception):
    """Somebody asked for help. `text` is what to show."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


class Parser(argparse.ArgumentParser):
    """Prints nothing and never leaves the process: raises UsageError or HelpWanted, which the frame shows."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{_sentence(message)} See: {self.prog} --help")

    def parse_all(self, arguments: Sequence[str]) -> argparse.Namespace:
        """Parse, and let the command itself complain about what it does not know, since its help is the one to read."""
        options, unknown = self.parse_known_args(arguments)
        if unknown:
            parser: Parser = options.parser
            first = unknown[0].partition("=")[0]
            if not first.startswith("-"):
                raise UsageError(f"'{first}' is one argument too many. See: {parser.prog} --help")
            known = {name.lstrip("-"): name for name in parser._option_string_actions}
            close = did_you_mean(first.lstrip("-"), known, ".").replace("'", "'--", 1)
            raise UsageError(f"There is no option '{first}' here{close} See: {parser.prog} --help")
        return options

    def print_help(self, file: Any = None) -> NoReturn:
        raise HelpWanted(self.format_help())


class _HelpFormatter(argparse.RawDescriptionHelpFormatter):
    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=34, width=_WIDTH)

    def _iter_indented_subactions(self, action: argparse.Action) -> Generator[argparse.Action, None, None]:
        if not isinstance(action, argparse._SubParsersAction):
            yield from super()._iter_indented_subactions(action)
            return
        yield from action._get_subactions()

    def _format_action(self, action: argparse.Action) -> str:
        text = super()._format_action(action)
        # The first line of subcommands is their metavar, which the heading has said already.
        return "".join(text.splitlines(keepends=True)[1:]) if isinstance(action, argparse._SubParsersAction) else text

    def _format_usage(self, *args: Any, **kwargs: Any) -> str:
        return super()._format_usage(*args, **kwargs).replace("usage:", "Usage:", 1)


def build_parser(declared: Iterable[Command | Group]) -> Parser:
    """Return the parser of all commands; what it parses has the chosen Command as `command`."""
    declared = tuple(declared)
    commands = sorted((each for each in declared if isinstance(each, Command)), key=_rank)
    group_helps = {each.path: each.help for each in declared if isinstance(each, Group)}
    root = Parser(
        prog="zato",
        add_help=False,
        description="Runs and controls Zato: clusters, their parts, services and configuration.",
        epilog=_examples(("zato quickstart create && zato quickstart start", "zato service invoke zato.ping")),
        formatter_class=_HelpFormatter,
        allow_abbrev=False,
    )
    _title(root)
    groups: dict[tuple[str, ...], Any] = {(): _subcommands(root)}
    _add_output_arguments(root, is_root=True)
    root.set_defaults(command=None, parser=root)
    for command in commands:
        for length in range(1, len(command.path)):
            path = command.path[:length]
            if path not in groups:
                groups[path] = _add_group(groups[path[:-1]], path, group_helps.get(path) or _names_inside(path, commands))
        _add_command(groups[command.path[:-1]], command)
    return root


def _rank(command: Command) -> tuple[int, tuple[str, ...]]:
    word = command.path[0]
    return (_first.index(word) if word in _first else len(_first) + (word in _last), command.path)


def _names_inside(path: tuple[str, ...], commands: Sequence[Command]) -> str:
    inside = [command.path[len(path)] for command in commands if command.path[: len(path)] == path]
    return ", ".join(dict.fromkeys(inside))


def _add_group(parent: Any, path: tuple[str, ...], help: str) -> Any:
    parser = parent.add_parser(
        path[-1], help=help, description=f"{help}.", formatter_class=_HelpFormatter, allow_abbrev=False, add_help=False
    )
    _title(parser)
    inside = _subcommands(parser)
    _add_output_arguments(parser)
    parser.set_defaults(command=None, parser=parser)
    return inside


def _add_command(group: Any, command: Command) -> None:
    parser = group.add_parser(
        command.path[-1],
        help=command.help,
        description=f"{command.help}.",
        epilog=_examples(command.examples),
        formatter_class=_HelpFormatter,
        allow_abbrev=False,
        add_help=False,
    )
    _title(parser)
    try:
        command.configure(parser)
    except (argparse.ArgumentError, ZatoError, TypeError, ValueError) as exc:
        raise UsageError(f"The command 'zato {' '.join(command.path)}' is declared wrongly: {exc}") from exc
    _add_output_arguments(parser)
    parser.set_defaults(command=command, parser=parser)


def _add_output_arguments(parser: argparse.ArgumentParser, *, is_root: bool = False) -> None:
    """They may stand before or after the command's words, so every level knows them."""
    default: Any = False if is_root else argparse.SUPPRESS
    output = parser.add_argument_group("Common options")
    output.add_argument("-h", "--help", action="help", help="This help, and exit")
    if is_root:
        output.add_argument("--version", action="store_true", help="Versions of what is installed, and exit")
    output.add_argument("--json", action="store_true", default=default, help="One JSON document, for programs")
    output.add_argument("--no-color", action="store_true", default=default, help="No colours, as with NO_COLOR=1")


def _subcommands(parser: argparse.ArgumentParser) -> Any:
    return parser.add_subparsers(title="Commands", metavar="COMMAND", parser_class=Parser)


def _title(parser: argparse.ArgumentParser) -> None:
    parser._positionals.title = "Arguments"
    parser._optionals.title = "Options"


def _examples(lines: tuple[str, ...]) -> str | None:
    return "\n".join(["Examples:", *(f"  {line}" for line in lines)]) if lines else None


def _sentence(message: str) -> str:
    unknown = re.fullmatch(r"argument (.+?): invalid choice: '(.*?)' \(choose from (.*)\)", message)
    if unknown:
        argument, given, known = unknown[1], unknown[2], unknown[3].replace("'", "")
        noun = "command" if argument == "COMMAND" else f"value of {argument}"
        return f"There is no {noun} '{given}'" + did_you_mean(given, known.split(", "), f"; there are: {known}.")
    return f"{message[:1].upper()}{message[1:]}."


def styled_help(text: str) -> Text:
    """Return a help text with headings, names and examples set apart."""
    styled = Text(text.rstrip("\n"))
    styled.highlight_regex(r"(?m)^(Usage:|[A-Z][A-Za-z ]+:$)", "bold")
    styled.highlight_regex(r"(?m)^  +(?=\S)(-[^ ].*?|[A-Za-z][\w.-]*)(?=  |$)", "cyan")
    styled.highlight_regex(r"(?m)^  \w*=?.*?zato .*$", "dim")
    return styled
