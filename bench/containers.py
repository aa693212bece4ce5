"""
What the cluster of docker-compose.yml takes: `make bench-containers`, about two minutes once the images are built.

Three measurements, on a project of its own, which is deleted afterwards:

    healthy    seconds from `up`, with images there and nothing else, until a container is healthy
    memory     what each takes when nothing happens, as the engine counts it, file cache left out
    images     their size, what they share with one another included

PostgreSQL, Redis and RabbitMQ are listed and not added up: operations have their own.
"""

import argparse
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from zato.common.testing.processes import free_port

RESULT = Path("var/bench/containers.json")
THEIRS = ("postgres", "redis", "rabbitmq")
PROJECT = f"zatobench{os.getpid()}"
COMPOSE = ["docker-compose"] if shutil.which("docker-compose") else ["docker", "compose"]
_HEALTHY_TIMEOUT_S = 300.0
# Start-up is over by then, and what it allocated has been given back.
_SETTLING_S = 30.0
_SAMPLES, _BETWEEN_S = 5, 2.0
_MB = 1024 * 1024


@dataclass(frozen=True)
class Measured:
    """Of one container; `healthy_s` is None for one that has no health check."""

    service: str
    image: str
    healthy_s: float | None
    memory_mb: float
    image_mb: float

    @property
    def is_ours(self) -> bool:
        return self.service not in THEIRS


def run(*command: str) -> str:
    ports = {name: str(free_port()) for name in ("ZATO_LB_PORT", "ZATO_LB_HTTPS_PORT", "ZATO_WEBADMIN_PORT")}
    environ = {**os.environ, "COMPOSE_PROJECT_NAME": PROJECT, "NO_COLOR": "1", **ports}
    done = subprocess.run(command, env=environ, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def containers() -> list[dict[str, Any]]:
    ids = run("docker", "ps", "-q", "--filter", f"label=com.docker.compose.project={PROJECT}").split()
    found: list[dict[str, Any]] = json.loads(run("docker", "inspect", *ids)) if ids else []
    return found


def wait_until_healthy() -> dict[str, float]:
    """Return when each container was healthy first, in seconds since the epoch, by its id."""
    seen: dict[str, float] = {}
    deadline = time.monotonic() + _HEALTHY_TIMEOUT_S
    while True:
        running = [each for each in containers() if "Health" in each["State"]]
        for each in running:
            if each["State"]["Health"]["Status"] == "healthy" and each["Id"] not in seen:
                passed = [check for check in each["State"]["Health"]["Log"] if check["ExitCode"] == 0]
                seen[each["Id"]] = _moment(passed[0]["End"])
        if running and all(each["Id"] in seen for each in running):
            return seen
        if time.monotonic() > deadline:
            raise RuntimeError(f"Not healthy within {_HEALTHY_TIMEOUT_S:g} s: see docker-compose -p {PROJECT} ps")
        time.sleep(0.5)


def memory_mb(container: str) -> float:
    """Return what its processes hold, as `docker stats` would show it."""
    text = run("docker", "stats", "--no-stream", "--format", "{{.MemUsage}}", container).split("/")[0].strip()
    units = {"KiB": 1 / 1024, "MiB": 1.0, "GiB": 1024.0}
    return float(text[:-3]) * units[text[-3:]]


def measure() -> list[Measured]:
    run(*COMPOSE, "build")
    began_at = time.time()
    try:
        run(*COMPOSE, "up", "-d")
    except RuntimeError as exc:
        raise RuntimeError(f"{exc}\n{run(*COMPOSE, 'ps')}\n{run(*COMPOSE, 'logs', '--tail', '20')}") from None
    healthy = wait_until_healthy()
    time.sleep(_SETTLING_S)
    rows = []
    for each in containers():
        samples = []
        for _ in range(_SAMPLES):
            samples.append(memory_mb(each["Id"]))
            time.sleep(_BETWEEN_S / _SAMPLES)
        image = json.loads(run("docker", "image", "inspect", each["Image"]))[0]
        rows.append(
            Measured(
                service=each["Config"]["Labels"]["com.docker.compose.service"],
                image=each["Config"]["Image"],
                healthy_s=round(healthy[each["Id"]] - began_at, 1) if each["Id"] in healthy else None,
                memory_mb=round(statistics.median(samples), 1),
                image_mb=round(image["Size"] / _MB),
            )
        )
    return sorted(rows, key=lambda row: (not row.is_ours, row.service))


def show(rows: list[Measured]) -> None:
    print(f"{'container':<18}{'image':<24}{'healthy after':>14}{'idle memory':>14}{'image size':>12}")
    for row in rows:
        healthy = f"{row.healthy_s:.1f} s" if row.healthy_s is not None else "–"
        print(f"{row.service:<18}{row.image:<24}{healthy:>14}{row.memory_mb:>11.1f} MB{row.image_mb:>9.0f} MB")
    ours = [row for row in rows if row.is_ours]
    print(
        f"\n{len(ours)} containers of ours, idle: {sum(row.memory_mb for row in ours):.0f} MB;"
        f" all healthy after {max(row.healthy_s or 0.0 for row in rows):.0f} s"
    )


def _moment(text: str) -> float:
    """Read the engine's times, which have nanoseconds and a zone, e.g. 2026-01-31T12:00:00.123456789+01:00."""
    digits = re.sub(r"(\.\d{6})\d+", r"\1", text)
    return datetime.fromisoformat(digits.replace("Z", "+00:00")).timestamp()


def main() -> int:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    if shutil.which("docker") is None or subprocess.run(["docker", "version"], capture_output=True).returncode != 0:
        print("Containers were not measured: no Docker engine answers")
        return 0
    try:
        rows = measure()
    finally:
        run(*COMPOSE, "down", "-v")
    show(rows)
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    RESULT.write_text(json.dumps([asdict(row) for row in rows], indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
