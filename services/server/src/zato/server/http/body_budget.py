"""How many bytes of request bodies a worker holds at a time, those of all its connections together."""

import sys

from zato.common.errors import Unavailable


class BodyBudget:
    """
    Each connection takes bytes as they arrive, not as they are announced: who announces much and sends nothing
    must not keep others from sending. Beyond the limit it is the newest bytes that are refused, and all that their
    request had taken is given back, so those that came before always come to an end.
    """

    def __init__(self, limit_bytes: int = sys.maxsize) -> None:
        self._limit_bytes = limit_bytes
        self.taken_bytes = 0

    def check(self, count: int) -> None:
        """Raise Unavailable when so many further bytes would be too many now."""
        if self.taken_bytes + count > self._limit_bytes:
            raise Unavailable("The server holds as many request bodies as it can: try again in a moment")

    def take(self, count: int) -> None:
        """Raises Unavailable, and takes nothing, when it would be too much."""
        self.check(count)
        self.taken_bytes += count

    def give_back(self, count: int) -> None:
        self.taken_bytes -= count
