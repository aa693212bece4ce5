"""
How many machine instructions one request takes inside a worker: `make bench-instructions`.

A whole worker runs in this process, without a network: what the parser makes of a request goes in, the bytes of the answer
come out. (The parser itself uses instructions that Debian's Valgrind does not know.) Valgrind counts, so the numbers are the
same on a busy machine, and a change that makes requests dearer shows at once: `instructions.json` holds what a request may
take, and 3 % beyond it fails. A change that makes it cheaper, or dearer for a reason, writes the budget with `--update`.

Another build of Python needs other instructions for the same steps. A piece of plain Python is counted too, therefore: where it
takes more or less than it took when the budget was written, the budget is scaled alike, and 15 % more are let through.
"""

# The worker's modules expect to be patched, as they are in a server.
from gevent import monkey

monkey.patch_all()

import argparse  # noqa: E402
import gc  # noqa: E402
import json  # noqa: E402
import os  # noqa: E402
import re  # noqa: E402
import shutil  # noqa: E402
import subprocess  # noqa: E402
import sys  # noqa: E402
import tempfile  # noqa: E402
from collections.abc import Callable  # noqa: E402
from functools import partial  # noqa: E402
from pathlib import Path  # noqa: E402

from bench.rows import ROWS  # noqa: E402

HERE = Path(__file__).parent
BUDGET = HERE / "instructions.json"
MEASURED = ("plain", "json-10k", "simple-io", "model", "xml", "soap", "basic-auth", "api-key", "invoke-100")
CALL = "Invoke by gRPC"
REFERENCE = "plain Python"
TOLERANCE, TOLERANCE_ELSEWHERE = 0.03, 0.15
_WARM_UP = 60
_FEW, _MANY = 50, 250


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.instructions", description=__doc__)
    parser.add_argument("--update", action="store_true", help="write the budget anew")
    parser.add_argument("--inside", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.inside:
        _run_all(arguments.inside)
        return 0
    measured = measure()
    if arguments.update:
        BUDGET.write_text(json.dumps(measured, indent=4) + "\n")
    return report(measured, json.loads(BUDGET.read_text()))


def measure() -> dict[str, int]:
    """Return the instructions that one request of each row takes."""
    folder = Path(tempfile.mkdtemp(prefix="zato-instructions-"))
    try:
        counted = ["valgrind", "--tool=cachegrind", "--cache-sim=no", f"--cachegrind-out-file={folder}/%p.out"]
        command = [*counted, sys.executable, "-m", "bench.instructions", "--inside", str(folder)]
        environment = {**os.environ, "PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1"}
        log = folder / "log"
        with log.open("w") as output:
            done = subprocess.run(command, env=environment, stdout=output, stderr=output)
        if done.returncode != 0:
            raise SystemExit(f"The worker did not run under valgrind:\n{log.read_text(errors='replace')[-4000:]}")
        pids: dict[str, dict[str, int]] = json.loads((folder / "pids.json").read_text())
        return {
            row: round((_total(folder, each["many"]) - _total(folder, each["few"])) / (_MANY - _FEW))
            for row, each in pids.items()
        }
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def report(measured: dict[str, int], budget: dict[str, int]) -> int:
    """Print what was measured beside what is allowed. Returns 1 when a request takes more."""
    scale = measured[REFERENCE] / budget[REFERENCE]
    is_same_python = abs(scale - 1) < 0.01
    tolerance = TOLERANCE if is_same_python else TOLERANCE_ELSEWHERE
    allowed = {row: round(budget.get(row, 0) * scale) for row in measured}
    dearer = [row for row, count in measured.items() if count > allowed[row] * (1 + tolerance)]
    print(f"{'request':<14}{'instructions':>14}{'budget':>12}")
    for row, count in measured.items():
        change = f"{count / allowed[row] - 1:+.1%}" if allowed[row] else "new"
        print(f"{row:<14}{count:>14,}{allowed[row]:>12,}  {change}{'  too many' if row in dearer else ''}")
    if not is_same_python:
        print(f"The budget was written with another build of Python: it is scaled by {scale:.2f}")
    if dearer:
        print(f"Dearer than {BUDGET.name} allows: {', '.join(dearer)}. Make them cheaper, or write a new budget with --update.")
    return 1 if dearer else 0


def _total(folder: Path, pid: int) -> int:
    found = re.search(r"^summary: (\d+)", (folder / f"{pid}.out").read_text(), re.MULTILINE)
    assert found is not None
    return int(found[1])


def _run_all(folder: Path) -> None:
    """Under valgrind: each count is a process of its own, forked from one that is warm."""
    from bench.worker_in_process import InProcessWorker
    from zato.server.app import COLLECT_AFTER

    worker = InProcessWorker(folder)
    works: dict[str, Callable[[int], None]] = {row.name: partial(worker.send, row) for row in ROWS if row.name in MEASURED}
    works[CALL] = worker.call
    works[REFERENCE] = _run_plain_python
    for work in works.values():
        work(_WARM_UP)
    # As in a worker, and so that how much else there is in memory makes no difference.
    gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER)
    pids = {name: {"few": _count(work, _FEW), "many": _count(work, _MANY)} for name, work in works.items()}
    (folder / "pids.json").write_text(json.dumps(pids))


def _count(work: Callable[[int], None], times: int) -> int:
    """Return the process id under which it was counted."""
    pid = os.fork()
    if pid == 0:
        work(times)
        os._exit(0)
    _, status = os.waitpid(pid, 0)
    if status:
        raise SystemExit("A process that was to be counted failed")
    return pid


class _Sample:
    def __init__(self, number: int) -> None:
        self.number = number

    def text(self) -> str:
        return f"{self.number:x}".upper()


def _run_plain_python(times: int) -> None:
    """What requests are made of too: calls, attributes, dictionaries, texts."""
    for _ in range(times):
        found = {sample.text(): sample for sample in map(_Sample, range(100))}
        sorted(found, key=lambda text: found[text].number)


if __name__ == "__main__":
    sys.exit(main())
