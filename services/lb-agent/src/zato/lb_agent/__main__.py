"""Starts the agent: `python -m zato.lb_agent --folder PATH`."""

import os
import sys
import threading
from pathlib import Path

from zato.common.lifecycle.program import Program
from zato.lb_agent.config import PART_NAME, LBAgentSettings

_DESCRIPTION = "The load-balancer's agent: runs HAProxy in front of the servers."


def _run(settings: LBAgentSettings, folder: Path | None, stop: threading.Event) -> None:
    from zato.lb_agent.app import Agent

    Agent(settings, read_settings=lambda: PROGRAM.read_settings(folder, os.environ)).run(stop)


PROGRAM = Program(PART_NAME, LBAgentSettings, _DESCRIPTION, "FRONTEND_ADDRESS", _run)
# The console script `zato-lb-agent`.
main = PROGRAM.main

if __name__ == "__main__":
    sys.exit(main())
