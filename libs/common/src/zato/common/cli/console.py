"""
What the command says, and how: colours on a terminal, plain aligned text in a pipe, one JSON document with `--json`.

A command calls `data` with what a program would want and `print`, `table` or `panel` with what a person would;
which of the two appears is decided here.
"""

import io
import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, TextIO

from rich.console import Console as RichConsole
from rich.text import Text

from zato.common.cli.progress import Progress

if TYPE_CHECKING:
    from rich.console import RenderableType

# A pipe has no width: whatever reads it wants whole lines.
_WIDTH_OF_A_PIPE = 10_000
_NOTHING = object()
_state_styles = {
    "ready": "green",
    "ok": "green",
    "live": "green",
    "created": "green",
    "up to date": "green",
    "changed": "cyan",
    "not ready": "yellow",
    "behind": "yellow",
    "unchanged": "dim",
    "replaced": "dim",
    "undeployed": "dim",
    "stopped": "dim",
    "refused": "red",
}


class Console:
    """
    Args:
        is_json: Standard output gets exactly one JSON document, when the command ends.
        color: False never colours, None does on terminals unless NO_COLOR is set.
    """

    def __init__(
        self,
        *,
        is_json: bool = False,
        color: bool | None = None,
        stdout: TextIO | None = None,
        stderr: TextIO | None = None,
    ) -> None:
        self.is_json = is_json
        self._stdout = stdout or sys.stdout
        self._out = _rich_console(self._stdout, color)
        self._err = _rich_console(stderr or sys.stderr, color)
        self._document: Any = _NOTHING

    @property
    def is_terminal(self) -> bool:
        """Whether a person looks at it, and can answer."""
        return self._out.is_terminal and not self.is_json

    def print(self, text: "str | Text" = "", style: str = "") -> None:
        if not self.is_json:
            self._out.print(Text(text, style=style) if isinstance(text, str) else text, soft_wrap=True)

    def print_lines(self, lines: "Iterable[Text]") -> None:
        """Print any number of lines at once; `print` takes a third of a millisecond for each."""
        lines = list(lines)
        if self.is_json or not lines:
            return
        if self._out.color_system is None:
            self._stdout.write("".join(f"{line.plain}\n" for line in lines))
        else:
            self._out.print(Text("\n").join(lines), soft_wrap=True)

    def hint(self, text: str) -> None:
        """Say what to do next."""
        self.print(text, style="dim")

    def table(self, columns: Sequence[str], rows: Iterable[Sequence[object]], *, empty: str = "") -> None:
        """
        Args:
            rows: Cells are made text with `str`, a `Text` keeps its colours.
            empty: Printed instead of a table without rows: says what to do to get some.
        """
        rows = list(rows)
        if self.is_json:
            return
        if not rows:
            self.hint(empty or "Nothing here yet.")
            return
        from rich.table import Table

        table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="bold", show_edge=False)
        for column in columns:
            table.add_column(Text(column), overflow="fold")
        for row in rows:
            table.add_row(*(cell if isinstance(cell, Text) else Text(str(cell)) for cell in row))
        self._render(table)

    def watch(self, draw: Callable[[], None], *, every_s: float = 1.0) -> None:
        """Draw again and again, in the place of what was drawn before, until Ctrl-C; once where no terminal shows it."""
        if not self.is_terminal:
            draw()
            return
        with self._out.screen() as screen, suppress(KeyboardInterrupt):
            while True:
                with self._out.capture() as captured:
                    draw()
                screen.update(Text.from_ansi(captured.get()))
                time.sleep(every_s)

    def panel(self, title: str, rows: Iterable[tuple[str, "str | Text"]]) -> None:
        """Print labelled values in a frame; without the frame in a pipe."""
        if self.is_json:
            return
        from rich.panel import Panel
        from rich.table import Table

        grid = Table.grid(padding=(0, 3, 0, 0))
        grid.add_column(style="dim", no_wrap=True)
        grid.add_column(overflow="fold")
        for label, value in rows:
            grid.add_row(label, value)
        if self._out.is_terminal:
            self._render(Panel(grid, title=Text(title, style="bold"), title_align="left", expand=False, padding=(0, 1)))
        else:
            self.print(title)
            self._render(grid)

    def data(self, value: Any) -> None:
        """Give what a program would want: the JSON document when --json was asked for, otherwise not shown."""
        self._document = value

    def warn(self, text: str) -> None:
        self._to_stderr("warning: ", "yellow", text)

    def error(self, text: str) -> None:
        self._to_stderr("error: ", "bold red", text)

    def log_lines(self, lines: Sequence[str]) -> None:
        """Show the end of a log, set apart from what we say ourselves."""
        for line in lines:
            self._err.print(Text.assemble(("  │ ", "dim"), line), soft_wrap=True)

    @staticmethod
    def state(state: str) -> Text:
        """Return the state of a part or worker in its colour."""
        return Text(state, style=_state_styles.get(state, ""))

    def confirm(self, question: str) -> bool:
        """Ask; the answer is no unless a person types yes."""
        if not (self.is_terminal and sys.stdin.isatty()):
            return False
        self._out.print(Text(f"{question} [y/N] ", style="bold"), end="")
        return sys.stdin.readline().strip().lower() in ("y", "yes")

    @contextmanager
    def progress(self, names: Iterable[str] = ()) -> Iterator[Progress]:
        """
        Show what happens to several things at the same time.

        Args:
            names: Of the steps, as far as they are known, so that their lines can be aligned.
        """
        progress = Progress(None if self.is_json else self._out, max(map(len, names), default=0))
        with progress:
            yield progress

    def finish(self) -> None:
        """Write the JSON document, if one was asked for. Called once, by the frame."""
        if self.is_json:
            document = {} if self._document is _NOTHING else self._document
            self._stdout.write(json.dumps(document, indent=2, ensure_ascii=False, default=str) + "\n")
        self._stdout.flush()

    def _to_stderr(self, label: str, style: str, text: str) -> None:
        self._err.print(Text.assemble((label, style), text), soft_wrap=True)

    def _render(self, renderable: "RenderableType") -> None:
        if self._out.is_terminal:
            self._out.print(renderable)
            return
        # Cells are padded to the column's width, which in a pipe is nothing but trailing blanks.
        plain = RichConsole(file=io.StringIO(), width=self._out.width, color_system=None)
        plain.print(renderable)
        assert isinstance(plain.file, io.StringIO)
        for line in plain.file.getvalue().splitlines():
            self._out.print(Text(line.rstrip()), soft_wrap=True)


def _rich_console(stream: TextIO, color: bool | None) -> RichConsole:
    # A terminal that can't show a tick gets a question mark, not a UnicodeEncodeError.
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors="replace")
    is_plain = color is False or bool(os.environ.get("NO_COLOR"))
    return RichConsole(
        file=stream,
        color_system=None if is_plain else "auto",
        width=None if stream.isatty() else _WIDTH_OF_A_PIPE,
        markup=False,
        highlight=False,
        emoji=False,
    )
