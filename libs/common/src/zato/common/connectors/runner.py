"""What runs for an object."""

from typing import Protocol


class Running(Protocol):
    """What a maker returns. Reconnects by itself, for ever, until it is stopped."""

    def start(self) -> None:
        """Begin, in threads of its own. Returns at once, whether or not the peer is there."""

    def stop(self, drain_s: float) -> None:
        """
        Take no more messages, let those under way end for so many seconds, give back the rest, release everything.

        Never raises. May be called twice.
        """
