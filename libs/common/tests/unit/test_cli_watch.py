"""A view that is drawn again and again, on a terminal of its own."""

import io
import os
import pty
import signal
import subprocess
import sys

from zato.common.cli.console import Console

PROGRAM = """
from zato.common.cli.console import Console
console, counter = Console(), iter(range(1000))
console.watch(lambda: console.table(("Count",), [(f"number {next(counter)}",)]), every_s=0.01)
console.print("ended in order")
"""


def test_a_terminal_shows_it_anew_until_ctrl_c() -> None:
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "80", "LINES": "24"}
    process = subprocess.Popen([sys.executable, "-c", PROGRAM], stdout=theirs, stderr=theirs, env=environment)
    os.close(theirs)
    shown = b""
    try:
        while b"number 3" not in shown:
            shown += os.read(ours, 4096)
        process.send_signal(signal.SIGINT)
        while b"ended in order" not in shown:
            shown += os.read(ours, 4096)
        assert process.wait(10) == 0
    finally:
        process.kill()
        process.wait()
        os.close(ours)
    assert b"number 0" in shown and b"Count" in shown
    # The terminal's other screen, so that what was there before comes back.
    assert b"\x1b[?1049h" in shown and b"\x1b[?1049l" in shown


def test_where_no_terminal_shows_it_it_is_drawn_once() -> None:
    out = io.StringIO()
    console = Console(stdout=out)
    console.watch(lambda: console.print("once"))
    assert out.getvalue() == "once\n"
