"""Limits of time for what waits in gevent's loop, where limits of a library's own are missing or are for each packet only."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import gevent


@contextmanager
def within(seconds: float, expired: Callable[[], BaseException]) -> Iterator[None]:
    """Raise what `expired` returns unless the block ends in time. It works in a patched process only, as workers are."""
    timer = gevent.Timeout(seconds)
    timer.start()
    try:
        yield
    except gevent.Timeout as raised:
        if raised is not timer:
            raise
        raise expired() from None
    finally:
        timer.close()
