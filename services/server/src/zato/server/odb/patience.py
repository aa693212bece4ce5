"""How long a transaction may wait for the database: for all answers together, since each alone may just be in time."""

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar


class Patience:
    """
    What is left of the time that may be waited. Computing costs nothing of it: a large import may take longer.

    Args:
        seconds: 0 for no limit.
    """

    __slots__ = ("left_s", "seconds")

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.left_s = seconds or math.inf

    def renew(self) -> None:
        self.left_s = self.seconds or math.inf

    def spend_since(self, began_at: float) -> None:
        """Take off what has passed since `began_at`, of the monotonic clock."""
        self.left_s -= time.monotonic() - began_at


_ENDLESS = Patience(0)
# Each greenlet and each thread has its own.
_current: ContextVar[Patience] = ContextVar("patience", default=_ENDLESS)


def current() -> Patience:
    return _current.get()


@contextmanager
def patience(seconds: float) -> Iterator[Patience]:
    """Wait no longer than that within the block."""
    given = Patience(seconds)
    token = _current.set(given)
    try:
        yield given
    finally:
        _current.reset(token)
