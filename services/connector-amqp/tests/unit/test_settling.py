"""What a broker is told of messages, and in how many frames."""

from collections.abc import Callable
from typing import Any

from zato.common.connectors.messages import Fate
from zato.connector_amqp.settling import Settling


class Channel:
    """Keeps what a broker would have been told, and knows what it would think of it."""

    is_open = True

    def __init__(self, tags: range) -> None:
        self.frames: list[tuple[str, int]] = []
        self.acknowledged: list[int] = []
        self.given_back: list[int] = []
        self._unacknowledged = list(tags)

    def basic_ack(self, tag: int, multiple: bool = False) -> None:
        self.frames.append(("ack all to" if multiple else "ack", tag))
        settled = [each for each in self._unacknowledged if each == tag or (multiple and each < tag)]
        assert settled, "the broker closes the channel for a tag that it does not know"
        self.acknowledged += settled
        self._unacknowledged = [each for each in self._unacknowledged if each not in settled]

    def basic_reject(self, tag: int, requeue: bool) -> None:
        self.frames.append(("reject", tag))
        self._unacknowledged.remove(tag)

    def basic_nack(self, tag: int, requeue: bool) -> None:
        self.given_back.append(tag)
        self._unacknowledged.remove(tag)


def made(tags: range) -> tuple[Settling, Channel, list[Callable[[], None]]]:
    calls: list[Callable[[], None]] = []
    channel: Any = Channel(tags)
    settling = Settling(channel, calls.append)
    for tag in tags:
        settling.take(tag)
    return settling, channel, calls


def tell(settling: Settling, calls: list[Callable[[], None]], *tags: int, fate: Fate = Fate.DONE) -> None:
    for tag in tags:
        settling.settle(tag, fate)
    calls.pop()()
    assert not calls, "once for all of them"


def test_what_is_done_in_order_is_acknowledged_in_one_frame() -> None:
    settling, channel, calls = made(range(1, 51))
    tell(settling, calls, *range(1, 26))
    tell(settling, calls, *range(50, 25, -1))
    assert channel.frames == [("ack all to", 25), ("ack all to", 50)]
    assert len(settling) == 0


def test_what_is_open_is_not_acknowledged_with_others() -> None:
    settling, channel, calls = made(range(1, 8))
    tell(settling, calls, 1, 2, 4, 7)
    assert channel.frames == [("ack all to", 2), ("ack", 4), ("ack", 7)]
    tell(settling, calls, 3, 5, 6)
    assert sorted(channel.acknowledged) == [1, 2, 3, 4, 5, 6, 7]
    assert channel.frames[-1] == ("ack all to", 6)


def test_what_is_refused_or_given_back_is_so_by_itself() -> None:
    settling, channel, calls = made(range(1, 7))
    settling.settle(2, Fate.REJECTED)
    settling.settle(4, Fate.RETURNED)
    tell(settling, calls, 1, 3, 5)
    assert (channel.acknowledged, channel.given_back) == ([1, 3, 5], [4])
    assert ("reject", 2) in channel.frames
    assert len(settling) == 1


def test_a_channel_that_is_gone_is_told_nothing() -> None:
    settling, channel, calls = made(range(1, 3))
    channel.is_open = False
    tell(settling, calls, 1, 2)
    assert channel.frames == []
