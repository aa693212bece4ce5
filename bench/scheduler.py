"""
The scheduler under many jobs: `make bench-scheduler`, about four minutes.

Two measurements, each with one server and one scheduler on SQLite:

    fires    10,000 jobs with a period of 100 seconds, so 100 fires a second: how late runs start
    load     100,000 jobs: how long a scheduler that starts takes until it has them all

The jobs are written into the database by SQL, since to create so many one by one would take minutes.
"""

import argparse
import json
import os
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil

from bench.figures import Figure, keep
from zato.common.testing.waiting import eventually

HERE = Path(__file__).parent
BIN = Path(sys.executable).parent
SERVICE = "bench.nothing"
SOURCE = """
from zato.server.service import Service


class Nothing(Service):
    name = "bench.nothing"

    def handle(self):
        pass
"""
# Runs that start while the jobs are still being loaded are late for that reason, which is the other measurement.
_SETTLING_S = 5.0


class Cluster:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._environment = {**os.environ, "ZATO_CLUSTER": str(folder), "NO_COLOR": "1"}

    def zato(self, *arguments: str) -> str:
        command = [str(BIN / "zato"), *arguments]
        done = subprocess.run(command, env=self._environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode != 0:
            raise RuntimeError(f"zato {' '.join(arguments)} failed:\n{done.stdout}")
        return done.stdout

    @property
    def odb(self) -> sqlite3.Connection:
        (path,) = self._folder.rglob("odb.db")
        return sqlite3.connect(path)

    def stop(self) -> None:
        for part in ("scheduler", "server1"):
            self.zato("stop", str(self._folder / part))

    def start(self) -> None:
        for part in ("server1", "scheduler"):
            self.zato("start", str(self._folder / part))

    def scheduler(self) -> psutil.Process:
        folder = str(self._folder / "scheduler")
        found = [each for each in psutil.process_iter(["cmdline"]) if folder in (each.info["cmdline"] or ())]
        return found[-1]

    def loaded(self) -> dict[str, float]:
        """Return what the scheduler said of its jobs, once it has them."""
        lines: list[str] = eventually(
            lambda: [line for log in self._logs for line in log.read_text().splitlines() if '"jobs_loaded"' in line][1:],
            timeout_s=120,
            what="the jobs to be loaded",
        )
        said: dict[str, float] = json.loads(lines[-1])
        return said

    @property
    def _logs(self) -> list[Path]:
        return list(self._folder.joinpath("scheduler").rglob("*.log"))


@contextmanager
def cluster() -> Iterator[Cluster]:
    folder = Path(tempfile.mkdtemp(prefix="zato-bench-")) / "cluster"
    made = Cluster(folder)
    made.zato("quickstart", "create", str(folder), "--servers", "1")
    try:
        made.zato("quickstart", "start", str(folder))
        source = folder / "nothing.py"
        source.write_text(SOURCE)
        made.zato("service", "deploy", str(source), "--wait", "20")
        options = ("job_type=interval_based", f"service={SERVICE}", "seconds=100")
        made.zato("object", "create", "scheduler-job", "seed", *options, "is_active=false")
        yield made
    finally:
        made.zato("quickstart", "destroy", "--yes", str(folder))


def add_jobs(made: Cluster, count: int, *, period_s: int, step_s: float) -> None:
    """
    Copy the job that was made the ordinary way.

    Args:
        step_s: From one planned time to the next; 1 has many jobs fire at the same moment.
    """
    made.stop()
    now = datetime.now(UTC)
    with closing(made.odb) as odb, odb:
        (data,) = odb.execute("select data from object where kind = 'scheduler-job' and name = 'seed'").fetchone()
        for number in range(count):
            start = now + timedelta(seconds=number * step_s % period_s)
            options = json.dumps({**json.loads(data), "start_date": start.isoformat(), "seconds": period_s})
            odb.execute(
                "insert into object (kind, name, is_active, version, data, secrets, created_at, updated_at) "
                "select kind, ?, 1, version, ?, secrets, created_at, updated_at from object "
                "where kind = 'scheduler-job' and name = 'seed'",
                (f"job{number}", options),
            )
    made.start()


def measure_fires(step_s: float, seconds: float) -> dict[str, float]:
    with cluster() as made:
        add_jobs(made, 10_000, period_s=100, step_s=step_s)
        made.loaded()
        time.sleep(_SETTLING_S)
        began_us = time.time_ns() // 1000
        process = made.scheduler()
        before = process.cpu_times()
        time.sleep(seconds)
        after = process.cpu_times()
        memory = process.memory_full_info()
        with closing(made.odb) as odb:
            rows = odb.execute(
                "select drift_s, missed, state from job_run where planned_us between ? and ?",
                (began_us, began_us + (seconds - 1) * 1e6),
            ).fetchall()
    drifts = sorted(drift for drift, _, _ in rows)
    return {
        "runs": len(rows),
        "not_ok": sum(state != "ok" for _, _, state in rows),
        "missed": sum(missed for _, missed, _ in rows),
        "drift_p50_ms": round(1000 * statistics.median(drifts), 1),
        "drift_p99_ms": round(1000 * drifts[int(len(drifts) * 0.99)], 1),
        "drift_max_ms": round(1000 * drifts[-1], 1),
        "scheduler_cpu": round((after.user + after.system - before.user - before.system) / seconds, 3),
        "scheduler_pss_mb": round(memory.pss / 1e6, 1),
    }


def measure_load(count: int) -> dict[str, float]:
    with cluster() as made:
        add_jobs(made, count, period_s=100_000, step_s=1)
        said = made.loaded()
        process = made.scheduler()
        return {
            "jobs": said["jobs"],
            "seconds": said["seconds"],
            "scheduler_cpu_s": round(sum(process.cpu_times()[:2]), 1),
            "scheduler_pss_mb": round(process.memory_full_info().pss / 1e6, 1),
        }


def figures_of(results: Mapping[str, Mapping[str, float]]) -> list[Figure]:
    figures = []
    for name, what in (("spread", "100 fires a second"), ("bursts", "100 fires at the same moment each second")):
        if measured := results.get(name):
            figures += [
                Figure(f"{what}: a run begins late by (p50)", measured["drift_p50_ms"], "ms"),
                Figure("the same (p99)", measured["drift_p99_ms"], "ms"),
                Figure("the same: processors that the scheduler takes", measured["scheduler_cpu"], ""),
                Figure("the same: its memory", measured["scheduler_pss_mb"], "MB PSS"),
            ]
    if measured := results.get("load"):
        figures.append(Figure(f"{measured['jobs']:,.0f} jobs are loaded after", measured["seconds"], "s"))
        figures.append(Figure("the same: its memory", measured["scheduler_pss_mb"], "MB PSS"))
    return figures


def main() -> int:
    parser = argparse.ArgumentParser(prog="bench.scheduler", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="how long jobs fire (default: 60)")
    parser.add_argument("--only", choices=("spread", "bursts", "load"), help="one of the measurements")
    arguments = parser.parse_args()
    measurements = {
        "spread": lambda: measure_fires(0.01, arguments.seconds),
        "bursts": lambda: measure_fires(1, arguments.seconds),
        "load": lambda: measure_load(100_000),
    }
    results = {}
    for name, measure in measurements.items():
        if arguments.only in (None, name):
            results[name] = measure()
            print(name.ljust(8), "  ".join(f"{key} {value:,}" for key, value in results[name].items()), flush=True)
    keep("scheduler", figures_of(results))
    return 0


if __name__ == "__main__":
    sys.exit(main())
