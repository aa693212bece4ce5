"""
A thousand objects in a file: `make bench-enmasse`, about two minutes.

What `zato enmasse` takes as a person or a pipeline runs it, start of the command included: 500 channels, 250 users and
250 outgoing connections in YAML, each channel with one of the users, on two servers of two workers each.

    plan       what applying would do, when there is none of them
    apply      creating them
    unchanged  what applying would do, when they are all there
    edit       applying a change of each of them
    prune      deleting them all

A change has taken as long as said when each worker runs with it.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from bench.figures import Figure, keep
from bench.propagation import TOKEN, Cluster, cluster

ZATO = Path(sys.executable).parent / "zato"


class Operator:
    """Who runs commands."""

    def __init__(self, made: Cluster, folder: Path) -> None:
        self._file = folder / "enmasse.yaml"
        token_file = folder / "token"
        token_file.write_text(TOKEN)
        self._connection = ["--server", made.servers[0].grpc_address, "--token-file", token_file]

    def measure(self, action: str, contents: dict[str, Any], *arguments: str) -> float:
        """Return how many seconds it took."""
        self._file.write_text(yaml.safe_dump(contents, sort_keys=False))
        waits = ["--wait", "60"] if action == "apply" else []
        command = [ZATO, "enmasse", action, self._file, *self._connection, *waits, *arguments]
        began_at = time.monotonic()
        done = subprocess.run(command, capture_output=True, text=True)
        seconds = time.monotonic() - began_at
        if done.returncode != 0:
            raise RuntimeError(f"zato enmasse {action} failed: {done.stdout[-2000:]}{done.stderr[-2000:]}")
        return seconds


def contents_of(count: int, turn: int) -> dict[str, Any]:
    """Return what a file has. Another turn has other values of the same objects."""
    users = [
        {"name": f"user-{number}", "username": f"user-{number}", "password": "secret", "realm": f"Realm {turn}"}
        for number in range(count // 4)
    ]
    outgoing = [
        {"name": f"out-{number}", "host": f"http://127.0.0.1:{number + 1}", "url_path": f"/{turn}", "is_active": False}
        for number in range(count // 4)
    ]
    channels = [
        {
            "name": f"channel-{number}",
            "url_path": f"/{turn}/{number}",
            "service": "zato.ping",
            "security": users[number % len(users)]["name"],
        }
        for number in range(count - len(users) - len(outgoing))
    ]
    return {"security-basic-auth": users, "outgoing-http": outgoing, "channel-http": channels}


def measure_turn(operator: Operator, count: int) -> dict[str, float]:
    old, new = contents_of(count, 1), contents_of(count, 2)
    nothing = {"protect": ["zato.*"]}
    return {
        "plan": operator.measure("plan", old),
        "apply": operator.measure("apply", old),
        "unchanged": operator.measure("plan", old),
        "edit": operator.measure("apply", new),
        "prune": operator.measure("apply", nothing, "--prune", "--yes"),
    }


def figures_of(results: Mapping[str, Mapping[str, float]], objects: int) -> list[Figure]:
    targets = {"plan": "≤ 1", "unchanged": "≤ 1", "apply": "≤ 10", "edit": "≤ 10"}
    return [
        Figure(f"{action}, {objects:,} objects, {database}", taken, "s", targets.get(action, ""))
        for database, seconds in results.items()
        for action, taken in seconds.items()
    ]


def main() -> int:
    parser = argparse.ArgumentParser(prog="bench.enmasse", description=__doc__)
    parser.add_argument("--database", choices=("postgresql", "sqlite"), help="only on this one (default: on both)")
    parser.add_argument("--objects", type=int, default=1_000, help="how many (default: 1,000)")
    parser.add_argument("--turns", type=int, default=5, help="how often each is measured; medians are shown (default: 5)")
    arguments = parser.parse_args()
    results: dict[str, dict[str, float]] = {}
    for database in (arguments.database,) if arguments.database else ("postgresql", "sqlite"):
        seconds: dict[str, list[float]] = defaultdict(list)
        with cluster(database, servers=2) as made, tempfile.TemporaryDirectory() as folder:
            operator = Operator(made, Path(folder))
            for _ in range(arguments.turns):
                for action, taken in measure_turn(operator, arguments.objects).items():
                    seconds[action].append(taken)
        results[database] = {action: round(statistics.median(each), 2) for action, each in seconds.items()}
        print(database.ljust(12), "  ".join(f"{action} {taken} s" for action, taken in results[database].items()), flush=True)
    keep("enmasse", figures_of(results, arguments.objects))
    return 0


if __name__ == "__main__":
    sys.exit(main())
