"""Several things that happen at the same time: a line each, which turns while it works and then says how it ended."""

import threading
import time
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING

from rich.text import Text

if TYPE_CHECKING:
    from rich.console import Console as RichConsole
    from rich.live import Live

_TURNS = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
_TURNS_PER_S = 10


@dataclass
class _Step:
    name: str
    note: str
    started_at: float
    # Empty while it runs.
    mark: str = ""
    style: str = ""
    seconds: float = 0.0


class Progress:
    """
    May be used from several threads. On a terminal the lines move; in a pipe each is printed when it has ended.

    Args:
        console: None shows nothing.
        width: Of the longest name to come.
    """

    def __init__(self, console: "RichConsole | None", width: int = 0) -> None:
        self._console = console
        self._width = width
        self._steps: dict[str, _Step] = {}
        self._lock = threading.Lock()
        self._live: Live | None = None

    def __enter__(self) -> "Progress":
        if self._console is not None and self._console.is_terminal and not self._console.is_dumb_terminal:
            from rich.live import Live

            self._live = Live(console=self._console, get_renderable=self._lines, refresh_per_second=_TURNS_PER_S)
            self._live.start()
        return self

    def __exit__(self, exc_type: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None) -> None:
        with self._lock:
            for step in self._steps.values():
                if not step.mark:
                    self._end(step, "–", "dim")
        if self._live is not None:
            self._live.stop()

    def start(self, name: str, note: str = "") -> None:
        """Begin a line, e.g. ("server1", "starting")."""
        with self._lock:
            self._steps[name] = _Step(name, note, time.monotonic())

    def note(self, name: str, note: str) -> None:
        """Say what the running step does now."""
        with self._lock:
            self._steps[name].note = note

    def done(self, name: str, note: str = "") -> None:
        self._finish(name, "✓", "green", note)

    def skip(self, name: str, note: str) -> None:
        """There was nothing to do, e.g. because it runs already."""
        self._finish(name, "•", "cyan", note)

    def fail(self, name: str, note: str) -> None:
        self._finish(name, "✗", "red", note)

    def _finish(self, name: str, mark: str, style: str, note: str) -> None:
        with self._lock:
            step = self._steps.get(name)
            if step is None:
                step = self._steps[name] = _Step(name, note, time.monotonic())
            step.note = note
            self._end(step, mark, style)

    def _end(self, step: _Step, mark: str, style: str) -> None:
        step.mark, step.style = mark, style
        step.seconds = time.monotonic() - step.started_at
        if self._live is None and self._console is not None:
            self._console.print(_line(step, self._name_width(), time.monotonic()), soft_wrap=True)

    def _lines(self) -> Text:
        with self._lock:
            now, width = time.monotonic(), self._name_width()
            return Text("\n").join([_line(step, width, now) for step in self._steps.values()])

    def _name_width(self) -> int:
        return max([self._width, *(len(step.name) for step in self._steps.values())])


def _line(step: _Step, width: int, now: float) -> Text:
    mark = step.mark or _TURNS[int(now * _TURNS_PER_S) % len(_TURNS)]
    seconds = step.seconds if step.mark else now - step.started_at
    line = Text.assemble((mark, step.style or "cyan"), f" {step.name:<{width}}", no_wrap=True, overflow="ellipsis")
    line.append(f"  {seconds:5.1f} s" if step.mark != "•" else " " * 9, style="dim")
    if step.note:
        line.append(f"   {step.note}", style="" if step.mark == "✗" else "dim")
    line.rstrip()
    return line
