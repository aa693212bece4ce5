"""
How long `zato enmasse` takes for 1,000 objects, as a person waits for it: the command is started anew for each row.

    .venv/bin/python services/server/benchmarks/enmasse.py --cluster var/quickstart

Objects of the names "bench-…" are created, changed, and deleted in the end; all others are protected. On a busy machine look
at the seconds of processor, which the command and the workers of all servers took together: they hold there too.
"""

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
import yaml

ZATO = str(Path(sys.executable).parent / "zato")
_EACH = 250


def document(version: int) -> dict[str, list[dict[str, object]]]:
    """Return definitions, channels and connections that refer to them. Every second object differs between versions."""

    def changed(number: int) -> int:
        return version if number % 2 else 0

    numbers = range(_EACH)
    return {
        "security-basic-auth": [
            {"name": f"bench-{n}", "username": f"bench-{n}", "password": f"{n}", "realm": f"v{changed(n)}"} for n in numbers
        ],
        "channel-http": [
            {
                "name": f"bench-{part}-{n}",
                "url_path": f"/bench/{part}/{n}",
                "service": "zato.ping",
                "security": f"bench-{n}",
                "timeout_s": changed(n),
            }
            for n in numbers
            for part in ("a", "b")
        ],
        "outgoing-http": [
            {"name": f"bench-{n}", "host": "http://127.0.0.1:1", "security": f"bench-{n}", "timeout": 1 + changed(n)}
            for n in numbers
        ],
    }


def main() -> None:
    where = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / f"v{version}.yaml" for version in (0, 1)]
        for version, file in enumerate(files):
            file.write_text(yaml.dump(document(version), Dumper=yaml.CSafeDumper))
        empty = Path(folder) / "none.yaml"
        # Names that begin otherwise stay.
        empty.write_text("protect: ['[!b]*', 'b[!e]*']\n")
        steps: tuple[tuple[str, list[str]], ...] = (
            ("plan, all to create", ["plan", str(files[0])]),
            ("apply, all created", ["apply", str(files[0])]),
            ("plan, nothing to do", ["plan", str(files[0])]),
            ("plan, half to change", ["plan", str(files[1])]),
            ("apply, half changed", ["apply", str(files[1])]),
            ("export", ["export", "--output", str(Path(folder) / "out.yaml")]),
            ("apply --prune, all deleted", ["apply", str(empty), "--prune", "--yes"]),
        )
        for what, arguments in steps:
            workers = _workers(where)
            before_s = _processor_s(workers)
            took_s, cpu_s = _timed(["enmasse", *arguments, *where])
            live = f", live {_timed(['wait', *where])[0]:.2f} s later" if arguments[0] == "apply" else ""
            server_s = _processor_s(workers) - before_s
            print(f"{what:28} {took_s:6.2f} s, processor: command {cpu_s:.2f} s, servers {server_s:.2f} s{live}", flush=True)


def _workers(where: list[str]) -> list[psutil.Process]:
    """Return the processes that serve requests, on this machine."""
    answer = subprocess.run([ZATO, "cluster", "status", "--json", *where], check=True, capture_output=True)
    return [psutil.Process(each["pid"]) for each in json.loads(answer.stdout)["workers"]]


def _processor_s(workers: list[psutil.Process]) -> float:
    """Return the seconds of processor that these took so far."""
    return sum(sum(worker.cpu_times()[:2]) for worker in workers)


def _timed(arguments: list[str]) -> tuple[float, float]:
    """Return seconds until the command has ended, and seconds of processor that it took itself."""
    started, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([ZATO, *arguments], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.perf_counter() - started, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    main()
