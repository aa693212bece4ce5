"""Starts the web admin: `python -m zato.webadmin --folder PATH`."""

import sys
import threading
from pathlib import Path

from zato.common.lifecycle.program import Program
from zato.webadmin.config import PART_NAME, WebAdminSettings


def _run(settings: WebAdminSettings, _folder: Path | None, _stop: threading.Event) -> None:
    from zato.webadmin.serving import WebServer

    WebServer(settings).run()


PROGRAM = Program(
    PART_NAME,
    WebAdminSettings,
    "The web admin: what people see of a cluster in a browser.",
    "HTTP_ADDRESS",
    _run,
    is_forking=True,
)
# The console script `zato-webadmin`.
main = PROGRAM.main

if __name__ == "__main__":
    sys.exit(main())
