"""
What honest clients notice of a thousand that mean no good: `python -m bench.slow_clients`, about a minute.

slowhttptest holds 1,000 connections open by headers, bodies and reads that never end, h2load has 1,000 that each ask once a
second, while wrk asks as ever. In turns with and without them, so that the machine is the same.
"""

import argparse
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from bench.figures import Figure, keep
from bench.loads import check, measure
from bench.rows import ROWS
from bench.targets import Running, start_zato

_CONNECTIONS = 1000
_HONEST = 16
_WANTED = 2.0
_SETTLING_S = 3.0


def attacks(address: str) -> dict[str, list[str]]:
    slow = ["slowhttptest", "-c", str(_CONNECTIONS), "-r", "1000", "-l", "60", "-i", "1", "-u", address + "/plain"]
    return {
        "slow headers": [*slow, "-H"],
        "slow bodies": [*slow, "-B", "-s", "8192"],
        "slow readers": [*slow, "-X", "-w", "1", "-y", "8", "-z", "1", "-k", "3"],
        "many that ask": ["h2load", "--h1", "-c", str(_CONNECTIONS), "-D", "60", "--rps", "1", address + "/health/live"],
    }


@contextmanager
def _attacked(command: list[str]) -> Iterator[None]:
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        time.sleep(_SETTLING_S)
        yield
    finally:
        process.terminate()
        process.wait()


def compare(target: Running, address: str, command: list[str], *, rounds: int, seconds: float) -> tuple[float, float]:
    """Return the p99 of honest requests without and with the attack, medians in milliseconds."""
    row = next(row for row in ROWS if row.name == "plain")
    alone: list[float] = []
    attacked: list[float] = []
    for _ in range(rounds):
        alone.append(measure(row, target, address, row.headers, connections=_HONEST, seconds=seconds).p99_ms)
        with _attacked(command):
            attacked.append(measure(row, target, address, row.headers, connections=_HONEST, seconds=seconds).p99_ms)
    return statistics.median(alone), statistics.median(attacked)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.slow_clients", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="measurements of each; medians are shown (default: 3)")
    parser.add_argument("--seconds", type=float, default=3.0, help="how long one takes (default: 3)")
    arguments = parser.parse_args()
    if missing := [program for program in ("slowhttptest", "h2load", "wrk") if not shutil.which(program)]:
        print(f"This needs {', '.join(missing)}: sudo apt-get install slowhttptest nghttp2-client wrk", file=sys.stderr)
        return 2
    target = start_zato()
    try:
        address = target.addresses["zato"]
        plain = next(row for row in ROWS if row.name == "plain")
        check(plain, address, plain.headers)
        print(f"{_CONNECTIONS} connections beside {_HONEST} honest ones; wanted: p99 ≤ {_WANTED:g}×")
        figures = []
        for name, command in attacks(address).items():
            alone, attacked = compare(target, address, command, rounds=arguments.rounds, seconds=arguments.seconds)
            print(f"{name:18} p99 {alone:8.2f} ms alone, {attacked:8.2f} ms beside them: {attacked / alone:5.2f}×")
            figures.append(Figure(f"p99 beside 1,000 connections of {name} ÷ alone", attacked / alone, "×", f"≤ {_WANTED:g}"))
        keep("slow_clients", figures)
    finally:
        target.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
