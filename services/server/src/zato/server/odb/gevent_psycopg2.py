"""PostgreSQL without stopping a worker: psycopg2 waits in gevent's loop, so other greenlets go on meanwhile."""

import math
import time
from typing import Any

import gevent.socket
import psycopg2
from psycopg2 import extensions

from zato.server.odb.patience import current


def install() -> None:
    """Call once in each worker, after the fork and before the first connection. Without it one slow query stops everyone."""
    extensions.set_wait_callback(_wait)


def _wait(connection: Any) -> None:
    """What is raised here closes the connection: an answer that comes too late must not be taken for the next one's."""
    patience = current()
    while True:
        state = connection.poll()
        if state == extensions.POLL_OK:
            return
        if patience.left_s <= 0:
            raise psycopg2.OperationalError("it did not answer in time")
        began_at = time.monotonic()
        try:
            _wait_until_ready(connection, state, None if patience.left_s == math.inf else patience.left_s)
        finally:
            patience.spend_since(began_at)


def _wait_until_ready(connection: Any, state: int, timeout_s: float | None) -> None:
    out_of_time = psycopg2.OperationalError("it did not answer in time")
    if state == extensions.POLL_READ:
        gevent.socket.wait_read(connection.fileno(), timeout_s, out_of_time)
    elif state == extensions.POLL_WRITE:
        gevent.socket.wait_write(connection.fileno(), timeout_s, out_of_time)
    else:
        raise psycopg2.OperationalError(f"unexpected state {state} of a PostgreSQL connection")
