"""PostgreSQL without stopping a worker: psycopg2 waits in gevent's loop, so other greenlets go on meanwhile."""

from typing import Any

import gevent.socket
import psycopg2
from psycopg2 import extensions


def install() -> None:
    """Call once in each worker, after the fork and before the first connection. Without it one slow query stops everyone."""
    extensions.set_wait_callback(_wait)


def _wait(connection: Any) -> None:
    while True:
        state = connection.poll()
        if state == extensions.POLL_OK:
            return
        if state == extensions.POLL_READ:
            gevent.socket.wait_read(connection.fileno())
        elif state == extensions.POLL_WRITE:
            gevent.socket.wait_write(connection.fileno())
        else:
            raise psycopg2.OperationalError(f"unexpected state {state} of a PostgreSQL connection")
