"""
Writes docs/benchmarks.md from what was measured last: `python -m bench.report`, the last step of `make bench`.
"""

import json
import os
import platform
import sys
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.figures import kept
from bench.run import BASE, RESULT

PAGE = Path("docs/benchmarks.md")
_BEGINNING = """# Benchmarks

`make bench` writes this page: all servers run at the same time on one machine and are measured in turns, each with one worker
on a processor of its own, by wrk on the other one. Only ratios within one run mean something. More on how it is done is in
[bench](../bench/README.md).
"""
# What each benchmark's figures stand under, and how they were measured.
_SECTIONS = {
    "system": ("The system", "One server of two workers behind HAProxy; clients in Python, on the same processors."),
    "slow_clients": ("Slow clients", "16 honest connections, alone and beside 1,000 that mean no good."),
    "scheduler": ("The scheduler", "10,000 jobs, one scheduler, one server."),
    "messages": ("Messages", "A real RabbitMQ; each rival does what our service does. Medians of turns within one run."),
    "propagation": ("Changes and deployments", "Four servers of two workers, PostgreSQL, Redis and clients on one machine."),
    "enmasse": ("Configuration in files", "`zato enmasse` as a person runs it, from its start until all workers run with it."),
    "webadmin": ("The web admin", "1,000 objects of three kinds and 100,000 rows in the audit log, as a browser sees it."),
}


def main() -> int:
    PAGE.write_text("\n".join(_lines()))
    print(f"{PAGE} written")
    return 0


def _lines() -> Iterator[str]:
    measured: list[dict[str, Any]] = json.loads(RESULT.read_text())
    yield _BEGINNING
    day = datetime.fromtimestamp(RESULT.stat().st_mtime, UTC)
    yield f"Measured on {day:%Y-%m-%d}: {_machine()}. Load of the machine at its end, over 1, 5 and 15 minutes: {_load()}.\n"
    by_connections: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for each in measured:
        by_connections[each["connections"]].append(each)
    for connections, rows in sorted(by_connections.items()):
        yield f"## {connections} connection{'s' if connections > 1 else ''}\n"
        yield from _table(rows)
    for benchmark, (title, how) in _SECTIONS.items():
        if figures := kept(benchmark):
            yield f"## {title}\n\n{how}\n\n| What | Measured | Wanted |\n|---|---:|---|"
            for figure in figures:
                yield f"| {figure.name} | {figure.value:,.2f} {figure.unit} | {figure.target} |"
            yield ""


def _table(rows: list[dict[str, Any]]) -> Iterator[str]:
    base = next((row for row in rows if (row["row"], row["target"]) == ("plain", BASE)), None)
    yield f"| Request | Server | Requests/s | CPU µs | p50 ms | p99 ms | ÷ {BASE} |\n|---|---|---:|---:|---:|---:|---:|"
    for row in rows:
        ratio = f"{row['per_second'] / base['per_second']:.2f}×" if base else ""
        numbers = f"{row['per_second']:,.0f} | {row['cpu_us']:,.1f} | {row['p50_ms']:.2f} | {row['p99_ms']:.2f} | {ratio}"
        yield f"| {row['row']} | {row['target']} | {numbers} |"
    yield ""


def _machine() -> str:
    models = [line.partition(":")[2].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    model = models[0] if models else "unknown processor"
    software = f"Linux {platform.release()}, Python {platform.python_version()}"
    return f"{os.cpu_count()} processors ({model}), {memory:.0f} GiB, {software}"


def _load() -> str:
    return " ".join(f"{load:.1f}" for load in os.getloadavg())


if __name__ == "__main__":
    sys.exit(main())
