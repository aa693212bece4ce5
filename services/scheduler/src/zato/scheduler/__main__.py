"""Starts the scheduler: `python -m zato.scheduler --folder PATH`."""

import sys
import threading
from pathlib import Path

from zato.common.lifecycle.program import Program
from zato.scheduler.config import PART_NAME, SchedulerSettings


def _run(settings: SchedulerSettings, _folder: Path | None, stop: threading.Event) -> None:
    from zato.scheduler.app import App

    App(settings).run(stop)


PROGRAM = Program(PART_NAME, SchedulerSettings, "The scheduler: runs services when it is time.", "GRPC_ADDRESS", _run)
# The console script `zato-scheduler`.
main = PROGRAM.main

if __name__ == "__main__":
    sys.exit(main())
