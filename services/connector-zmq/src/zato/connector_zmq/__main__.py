"""Starts the connector: `python -m zato.connector_zmq --folder PATH`."""

import sys
import threading
from pathlib import Path

from zato.common.lifecycle.program import Program
from zato.connector_zmq.config import PART_NAME, ZMQSettings


def _run(settings: ZMQSettings, _folder: Path | None, stop: threading.Event) -> None:
    from zato.common.connectors.app import App
    from zato.connector_zmq.protocol import make_protocol

    App(make_protocol(settings), settings).run(stop)


PROGRAM = Program(
    PART_NAME, ZMQSettings, "The ZeroMQ connector: messages of peers to services, and back.", "GRPC_ADDRESS", _run
)
# The console script `zato-connector-zmq`.
main = PROGRAM.main

if __name__ == "__main__":
    sys.exit(main())
