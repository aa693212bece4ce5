"""
Measure our server beside its rivals, in one run: `make bench`, or `python -m bench.run --short`.

All targets run at the same time and are measured in turns, so that what the machine does meanwhile hits all of them alike.
Ratios within one run are what counts; requests a second are this machine's of this day.
"""

import argparse
import json
import signal
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeVar

from bench.loads import Measurement, check, is_installed, log_in, measure
from bench.rows import ROWS, Row
from bench.targets import RIVALS, Running, start_all, stop_all

RESULT = Path("var/bench/result.json")
TARGETS = ("zato", "zato-2", *RIVALS, "nginx-200", "haproxy-200")
BASE = "gunicorn"
BOLD, DIM, PLAIN = ("\033[1m", "\033[2m", "\033[0m") if sys.stdout.isatty() else ("", "", "")


@dataclass(frozen=True)
class Case:
    row: Row
    target: str
    connections: int


_T = TypeVar("_T")
Results = dict[Case, list[Measurement]]


def main() -> int:
    arguments = _arguments()
    if not is_installed("wrk") or not is_installed("taskset"):
        print("This needs wrk and taskset: sudo apt-get install wrk util-linux", file=sys.stderr)
        return 2
    # Whoever cuts it off finds no servers left behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    rows = [row for row in ROWS if not arguments.rows or row.name in arguments.rows]
    running = start_all(arguments.targets)
    try:
        results = _measure_all(running, rows, arguments.connections, arguments.rounds, arguments.seconds)
    finally:
        stop_all(running)
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    RESULT.write_text(json.dumps([_as_json(case, medians) for case, medians in _medians(results)], indent=1))
    _print_tables(results)
    print(f"\n{DIM}All numbers: {RESULT}{PLAIN}")
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--short", action="store_true", help="one round of a second each, for CI")
    parser.add_argument("--rounds", type=int, default=5, help="measurements of each; medians are shown (default: 5)")
    parser.add_argument("--seconds", type=float, default=2.0, help="how long one takes (default: 2)")
    parser.add_argument(
        "--connections", type=int, nargs="+", default=[1, 16, 64, 256], help="concurrent clients (default: 1 16 64 256)"
    )
    parser.add_argument("--rows", nargs="+", choices=[row.name for row in ROWS], help="only these requests")
    parser.add_argument("--targets", nargs="+", choices=TARGETS, default=list(TARGETS), help="only these servers")
    arguments = parser.parse_args()
    if arguments.short:
        arguments.rounds, arguments.seconds, arguments.connections = 1, 1.0, [64]
    return arguments


def _measure_all(
    running: dict[str, Running], rows: Sequence[Row], connections: Sequence[int], rounds: int, seconds: float
) -> Results:
    cases = [
        (Case(row, name, count), target, address, log_in(row, address))
        for count in connections
        for row in rows
        if count <= row.max_connections
        for target in running.values()
        if not target.rows or row.name in target.rows
        for name, address in target.addresses.items()
    ]
    for case, _, address, headers in cases:
        check(case.row, address, headers)
    results: Results = defaultdict(list)
    for case, target, address, headers in _with_progress(cases * rounds, seconds):
        results[case].append(
            measure(case.row, target, address, headers, connections=case.connections, seconds=seconds),
        )
    return results


def _with_progress(items: Sequence[_T], seconds: float) -> Iterator[_T]:
    started = time.monotonic()
    for number, item in enumerate(items):
        left = (len(items) - number) * seconds
        if sys.stdout.isatty():
            done = int(30 * number / len(items))
            print(f"\r[{'█' * done}{'·' * (30 - done)}] {number}/{len(items)}, about {left:.0f} s left ", end="", flush=True)
        yield item
    if sys.stdout.isatty():
        print(f"\r{' ' * 70}\r", end="")
    print(f"{len(items)} measurements in {time.monotonic() - started:.0f} s")


def _medians(results: Results) -> list[tuple[Case, Measurement]]:
    fields = ("per_second", "cpu_us", "p50_ms", "p99_ms")
    return [
        (case, Measurement(*(statistics.median(getattr(each, field) for each in measured) for field in fields)))
        for case, measured in results.items()
    ]


def _as_json(case: Case, medians: Measurement) -> dict[str, object]:
    return {"row": case.row.name, "target": case.target, "connections": case.connections, **asdict(medians)}


def _print_tables(results: Results) -> None:
    medians = dict(_medians(results))
    for count in sorted({case.connections for case in medians}):
        base = next((m for case, m in medians.items() if _is(case, "plain", BASE, count)), None)
        print(f"\n{BOLD}{count} connections{PLAIN}")
        heading = f"{'request':12} {'server':15} {'req/s':>9} {'CPU µs':>8} {'p50 ms':>8} {'p99 ms':>8} "
        print(f"{heading}{'÷ ' + BASE:>11} {'p99 ÷':>7}")
        for case, measured in medians.items():
            if case.connections != count:
                continue
            ratio = f"{measured.per_second / base.per_second:10.2f}×" if base else ""
            slowness = f"{measured.p99_ms / base.p99_ms:7.2f}" if base and base.p99_ms else ""
            print(
                f"{case.row.name:12} {case.target:15} {measured.per_second:9.0f} {measured.cpu_us:8.1f}"
                f" {measured.p50_ms:8.2f} {measured.p99_ms:8.2f} {ratio:>11} {slowness:>7}"
            )


def _is(case: Case, row: str, target: str, connections: int) -> bool:
    return (case.row.name, case.target, case.connections) == (row, target, connections)


if __name__ == "__main__":
    sys.exit(main())
