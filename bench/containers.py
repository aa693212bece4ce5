"""
What the cluster of docker-compose.yml takes: `make bench-containers`, about three minutes once the images are built.

Three measurements, on a project of its own, which is deleted afterwards:

    healthy    seconds from `up`, with images there and nothing else, until a container is healthy
    memory     what each takes when nothing happens, as the engine counts it, file cache left out
    images     their size, and what of it is above the layers that they share with others of ours

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
from collections import Counter
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
    """Of one container; of its image, `own_mb` is what is in no other image of these."""

    service: str
    image: str
    is_ours: bool
    healthy_s: float
    memory_mb: float
    image_mb: float
    own_mb: float


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
    """
    Return when each container was healthy first, in seconds since the epoch, by its id.

    What has no health check has something to do and ends; until then the others are not idle.
    """
    seen: dict[str, float] = {}
    deadline = time.monotonic() + _HEALTHY_TIMEOUT_S
    while True:
        running = containers()
        for each in running:
            health = each["State"].get("Health", {})
            if health.get("Status") == "healthy" and each["Id"] not in seen:
                passed = [check for check in health["Log"] if check["ExitCode"] == 0]
                seen[each["Id"]] = _moment(passed[0]["End"])
        missing = [each["Name"].lstrip("/") for each in running if each["Id"] not in seen]
        if running and not missing:
            return seen
        if time.monotonic() > deadline:
            logs = run(*COMPOSE, "logs", "--tail", "20")
            raise RuntimeError(f"Not healthy or at an end within {_HEALTHY_TIMEOUT_S:g} s: {', '.join(missing)}\n{logs}")
        time.sleep(0.5)


def memory_mb(of: list[str]) -> dict[str, float]:
    """Return what the processes of each container hold, as `docker stats` would show it, of several samples the median."""
    units = {"B": 1 / _MB, "KiB": 1 / 1024, "MiB": 1.0, "GiB": 1024.0}
    samples: dict[str, list[float]] = {container: [] for container in of}
    for number in range(_SAMPLES):
        time.sleep(_BETWEEN_S if number else 0.0)
        for line in run("docker", "stats", "--no-stream", "--no-trunc", "--format", "{{.ID}} {{.MemUsage}}", *of).splitlines():
            container, used = line.split()[:2]
            amount, unit = re.fullmatch(r"([0-9.]+)(\w+)", used).groups()  # type: ignore[union-attr]
            samples[container].append(float(amount) * units[unit])
    return {container: statistics.median(found) for container, found in samples.items()}


def image_mb(images: set[str]) -> dict[str, tuple[float, float]]:
    """Return the size of each image, and how much of it is in no other of them."""
    inspected = {image: json.loads(run("docker", "image", "inspect", image))[0] for image in images}
    used = Counter(layer for found in inspected.values() for layer in found["RootFS"]["Layers"])
    sizes = {}
    for image, found in inspected.items():
        # Newest first; what only writes settings down has no layer.
        made = [
            int(size)
            for size in run("docker", "history", "--no-trunc", "--human=false", "--format", "{{.Size}}", image).split()
        ]
        layers = list(reversed(found["RootFS"]["Layers"]))
        alone = sum(1 for layer in layers if used[layer] == 1)
        sizes[image] = (found["Size"] / _MB, sum([size for size in made if size][:alone]) / _MB)
    return sizes


def measure() -> list[Measured]:
    say("Building images …")
    run(*COMPOSE, "build")
    say("Starting …")
    began_at = time.time()
    try:
        run(*COMPOSE, "up", "-d")
    except RuntimeError as exc:
        raise RuntimeError(f"{exc}\n{run(*COMPOSE, 'ps')}\n{run(*COMPOSE, 'logs', '--tail', '20')}") from None
    healthy = wait_until_healthy()
    say(f"All healthy; {_SETTLING_S:g} s for them to settle …")
    time.sleep(_SETTLING_S)
    running = containers()
    memory = memory_mb([each["Id"] for each in running])
    sizes = image_mb({each["Image"] for each in running})
    rows = []
    for each in running:
        service = each["Config"]["Labels"]["com.docker.compose.service"]
        size_mb, own_mb = sizes[each["Image"]]
        rows.append(
            Measured(
                service=service,
                image=each["Config"]["Image"],
                is_ours=service not in THEIRS,
                healthy_s=round(healthy[each["Id"]] - began_at, 1),
                memory_mb=round(memory[each["Id"]], 1),
                image_mb=round(size_mb),
                own_mb=round(own_mb),
            )
        )
    return sorted(rows, key=lambda row: (not row.is_ours, row.service))


def show(rows: list[Measured]) -> None:
    print(f"{'container':<18}{'image':<24}{'healthy after':>14}{'idle memory':>14}{'image size':>12}{'its own':>12}")
    for row in rows:
        healthy = f"{row.healthy_s:.1f} s"
        sizes = f"{row.image_mb:>9.0f} MB{row.own_mb:>9.0f} MB"
        print(f"{row.service:<18}{row.image:<24}{healthy:>14}{row.memory_mb:>11.1f} MB{sizes}")
    ours = [row for row in rows if row.is_ours]
    print(
        f"\n{len(ours)} containers of ours, idle: {sum(row.memory_mb for row in ours):.0f} MB;"
        f" all healthy after {max(row.healthy_s for row in rows):.0f} s"
    )


def say(what: str) -> None:
    print(what, flush=True)


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
