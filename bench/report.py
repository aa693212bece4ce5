"""
Writes docs/benchmarks.md from what was measured here last: `python -m bench.report`, the last step of `make bench`.

Sections of what was not measured here stay as they are.
"""

import json
import os
import platform
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.containers import RESULT as CONTAINERS_RESULT
from bench.figures import file_of, kept
from bench.run import BASE, RESULT

PAGE = Path("docs/benchmarks.md")
_BEGINNING = """# Benchmarks

`make bench` writes this page: all servers run at the same time on one machine and are measured in turns, each with one worker
on a processor of its own, by wrk on the other one. Only ratios within one run mean something. More on how it is done is in
[bench](../bench/README.md).
"""


# What each benchmark's figures stand under, and how they were measured.
_FIGURES = {
    "system": ("The system", "One server of two workers behind HAProxy; clients in Python, on the same processors."),
    "slow_clients": ("Slow clients", "16 honest connections, alone and beside 1,000 that mean no good."),
    "scheduler": ("The scheduler", "10,000 jobs, one scheduler, one server."),
    "messages": ("Messages", "A real RabbitMQ; each rival does what our service does. Medians of turns within one run."),
    "propagation": ("Changes and deployments", "Four servers of two workers, PostgreSQL, Redis and clients on one machine."),
    "enmasse": ("Configuration in files", "`zato enmasse` as a person runs it, from its start until all workers run with it."),
    "webadmin": ("The web admin", "1,000 objects of three kinds and 100,000 rows in the audit log, as a browser sees it."),
}
Section = tuple[str, Iterable[str]]


def main() -> int:
    sections = _sections(PAGE.read_text()) if PAGE.exists() else {}
    for title, lines in _measured():
        sections[title] = "\n".join(lines)
    PAGE.write_text("\n".join(f"## {title}\n\n{text}" if title else text for title, text in sections.items()))
    print(f"{PAGE} written")
    return 0


def _measured() -> Iterator[Section]:
    if RESULT.exists():
        yield from _requests(json.loads(RESULT.read_text()))
    for benchmark, (title, how) in _FIGURES.items():
        if figures := kept(benchmark):
            rows = [f"| {each.name} | {each.value:,.2f} {each.unit} | {each.target} |" for each in figures]
            measured = f"Measured on {_day(file_of(benchmark))}.\n"
            yield title, [how, measured, "| What | Measured | Wanted |\n|---|---:|---|", *rows, ""]
    if CONTAINERS_RESULT.exists():
        yield _containers(json.loads(CONTAINERS_RESULT.read_text()))


def _sections(page: str) -> dict[str, str]:
    """Return the text of each section by its title, what is before the first one by ""."""
    beginning, *sections = page.split("\n## ")
    return {"": beginning} | {title: text for title, _, text in (section.partition("\n\n") for section in sections)}


def _requests(measured: list[dict[str, Any]]) -> Iterator[Section]:
    machine = (
        f"Measured on {_day(RESULT)}: {_machine()}. Load of the machine at its end, over 1, 5 and 15 minutes: {_load()}.\n"
    )
    yield "", [_BEGINNING, machine]
    by_connections: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for each in measured:
        by_connections[each["connections"]].append(each)
    for connections, rows in sorted(by_connections.items()):
        yield f"{connections} connection{'s' if connections > 1 else ''}", _table(rows)


def _containers(measured: list[dict[str, Any]]) -> Section:
    """What operations have of their own, PostgreSQL and the like, is listed and not added up."""
    ours = [row for row in measured if row["is_ours"]]
    memory = sum(row["memory_mb"] for row in ours)
    return (
        "Containers",
        [
            f"`make bench-containers` on {_day(CONTAINERS_RESULT)}: `docker-compose.yml` with messaging, images built.",
            f"All is healthy {max(row['healthy_s'] for row in measured):.0f} s after `docker-compose up`.",
            f"Our {len(ours)} containers take {memory:,.0f} MB when nothing happens, without PostgreSQL, Redis and RabbitMQ.",
            "Images share lower layers: the last figure is what no other one has.\n",
            "| Container | Image | Healthy after s | Idle memory MB | Image MB | Its own MB |\n|---|---|---:|---:|---:|---:|",
            *map(_container, measured),
            "",
        ],
    )


def _container(row: dict[str, Any]) -> str:
    sizes = f"{row['image_mb']:,.0f} | {row['own_mb']:,.0f}"
    return f"| {row['service']} | {row['image']} | {row['healthy_s']:.1f} | {row['memory_mb']:.1f} | {sizes} |"


def _table(rows: list[dict[str, Any]]) -> Iterator[str]:
    base = next((row for row in rows if (row["row"], row["target"]) == ("plain", BASE)), None)
    yield f"| Request | Server | Requests/s | CPU µs | p50 ms | p99 ms | ÷ {BASE} |\n|---|---|---:|---:|---:|---:|---:|"
    for row in rows:
        ratio = f"{row['per_second'] / base['per_second']:.2f}×" if base else ""
        numbers = f"{row['per_second']:,.0f} | {row['cpu_us']:,.1f} | {row['p50_ms']:.2f} | {row['p99_ms']:.2f} | {ratio}"
        yield f"| {row['row']} | {row['target']} | {numbers} |"
    yield ""


def _day(result: Path) -> str:
    return f"{datetime.fromtimestamp(result.stat().st_mtime, UTC):%Y-%m-%d}"


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
