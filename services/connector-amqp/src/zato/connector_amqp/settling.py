"""Telling a broker what became of messages: all that is known meanwhile at once, and in one frame where that can be."""

import threading
from collections.abc import Callable
from typing import Any

from zato.common.connectors.messages import Fate


class Settling:
    """
    The messages of one AMQP channel that the broker still has as ours.

    A tag means something on this very channel only: on one that came after it it is another message's.

    Args:
        call: Has something done in the thread of the channel's connection.
    """

    def __init__(self, channel: Any, call: Callable[[Callable[[], None]], Any]) -> None:
        self._channel = channel
        self._call = call
        self._lock = threading.Lock()
        self._untold: list[tuple[int, Fate]] = []
        # In the order of their tags, which grow.
        self._open: dict[int, None] = {}

    def __len__(self) -> int:
        return len(self._open)

    def take(self, tag: int) -> None:
        """A message came. In the connection's thread."""
        self._open[tag] = None

    def settle(self, tag: int, fate: Fate) -> None:
        """Have the broker told. Safe in any thread."""
        with self._lock:
            is_first = not self._untold
            self._untold.append((tag, fate))
        if is_first:
            self._call(self._tell)

    def _tell(self) -> None:
        with self._lock:
            untold, self._untold = self._untold, []
        if not self._channel.is_open:
            return
        done = []
        for tag, fate in untold:
            del self._open[tag]
            if fate is Fate.DONE:
                done.append(tag)
            elif fate is Fate.REJECTED:
                self._channel.basic_reject(tag, requeue=False)
            else:
                self._channel.basic_nack(tag, requeue=True)
        self._acknowledge(done)

    def _acknowledge(self, tags: list[int]) -> None:
        """One frame settles all messages up to its tag: those before the first one that is still open."""
        first_open = next(iter(self._open), None)
        together = [tag for tag in tags if first_open is None or tag < first_open]
        if together:
            self._channel.basic_ack(max(together), multiple=len(together) > 1)
        for tag in tags:
            if first_open is not None and tag > first_open:
                self._channel.basic_ack(tag)
