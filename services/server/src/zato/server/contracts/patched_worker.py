"""
A process that is patched as the server's workers are, with one connection that waits in one greenlet.

    python -m zato.server.contracts.patched_worker CONTROL_PORT KIND OPTIONS_AS_JSON CODE

It connects to CONTROL_PORT of 127.0.0.1, runs CODE, which uses `connection`, in a greenlet, and answers each byte that
comes from the control port from another: as long as it does, the waiting stops nobody. It prints what CODE came to.
"""

from gevent import monkey

monkey.patch_all()

import json  # noqa: E402
import socket  # noqa: E402
import sys  # noqa: E402

import gevent  # noqa: E402

from zato.server.connections.types import connection_types  # noqa: E402
from zato.server.contracts.connection_contract import make_object  # noqa: E402
from zato.server.control.state import Configuration  # noqa: E402
from zato.server.odb import psycopg2_import  # noqa: E402


def main() -> None:
    port, kind, values, code = sys.argv[1:]
    psycopg2_import.wait_with_gevent()
    connection_type = connection_types()[kind]
    config_object = make_object(connection_type, json.loads(values))
    connection = connection_type.connect(config_object, Configuration(1, {1: config_object}))
    with socket.create_connection(("127.0.0.1", int(port))) as control:
        waiting = gevent.spawn(_run, code, connection)
        while byte := control.recv(1):
            control.sendall(byte)
    sys.stdout.write(f"{waiting.get()}\n")


def _run(code: str, connection: object) -> str:
    try:
        return repr(eval(code, {"connection": connection}))  # noqa: S307 (a test's own code)  # nosec B307
    except Exception as exc:
        return f"{type(exc).__name__}: {' '.join(str(exc).split())}"


if __name__ == "__main__":
    main()
