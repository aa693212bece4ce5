"""Starts the MQ connector: `python -m zato.connector_mq --folder PATH`."""

import sys
import threading
from pathlib import Path

from zato.common.lifecycle.program import Program
from zato.connector_mq.config import PART_NAME, MQSettings


def _run(settings: MQSettings, _folder: Path | None, stop: threading.Event) -> None:
    from zato.common.connectors.app import App
    from zato.connector_mq.protocol import make_protocol

    App(make_protocol(settings), settings).run(stop)


PROGRAM = Program(
    PART_NAME, MQSettings, "The connector of IBM MQ and JMS: messages of queues to services, and back.", "GRPC_ADDRESS", _run
)
# The console script `zato-connector-mq`.
main = PROGRAM.main

if __name__ == "__main__":
    sys.exit(main())
