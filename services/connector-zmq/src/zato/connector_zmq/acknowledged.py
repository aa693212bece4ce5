"""
The acknowledged protocol between a DEALER and a ROUTER: at least once, whoever dies. Version 1.

Each message is four frames, after the peer's identity at a ROUTER; no empty frame comes before them:

    ZATO1 | MSG | id | body       DEALER to ROUTER. Sent again, the same, until it is answered.
    ZATO1 | ACK | id | reply      ROUTER to DEALER: done, for good. `reply` is what the receiver says, or empty.
    ZATO1 | NAK | id | reason     ROUTER to DEALER: refused, however often it is sent. `reason` is UTF-8.

`id` is 1 to 200 bytes that no other message has, e.g. a UUID in text; what is sent again has the same one. A sender keeps a
message until it is answered, and sends it again when a second went by (its own choice) or when it has started anew. A receiver
answers once the message is done and not before, answers what comes again in the same way, and is silent while it works or
can't. What is none of these four frames is refused by a NAK with the reason, and with the third frame as its id where there is
one; but an answer is never answered.
"""

import threading
from collections import OrderedDict
from dataclasses import dataclass, field

VERSION = b"ZATO1"
MSG, ACK, NAK = b"MSG", b"ACK", b"NAK"
_LONGEST_ID = 200
_REMEMBERED = 10_000


@dataclass(frozen=True, slots=True)
class Frames:
    """One message of the protocol. `kind` is MSG, ACK or NAK."""

    kind: bytes
    id: str
    content: bytes

    def encode(self) -> list[bytes]:
        return [VERSION, self.kind, self.id.encode(), self.content]


@dataclass(frozen=True, slots=True)
class Memory:
    """
    Of one channel, however often it is changed: messages that are sent again are not done again.

    Args:
        under_way: Where the answer goes, by the message's id: to whoever sent it last, since its sender may have started anew.
        answered: The last ones; their answers are given again to whoever asks again.
    """

    lock: threading.Lock = field(default_factory=threading.Lock)
    under_way: dict[str, bytes] = field(default_factory=dict)
    answered: "OrderedDict[str, Frames]" = field(default_factory=OrderedDict)

    def remember(self, answer: Frames) -> None:
        """The caller has the lock."""
        self.answered[answer.id] = answer
        if len(self.answered) > _REMEMBERED:
            self.answered.popitem(last=False)


def refusal(frames: list[bytes], reason: str) -> list[bytes] | None:
    """Return what is answered to frames that are no message; nothing to answers: two who misunderstand would go on for ever."""
    if frames[1:2] in ([ACK], [NAK]):
        return None
    return [VERSION, NAK, frames[2][:_LONGEST_ID] if len(frames) > 2 else b"", reason.encode()]


def decode(frames: list[bytes]) -> Frames:
    """
    Raises:
        ValueError: It is none of the protocol's; says why.
    """
    if len(frames) != 4:
        raise ValueError(f"4 frames are wanted, not {len(frames)}")
    version, kind, message_id, content = frames
    if version != VERSION:
        raise ValueError(f"the first frame is {VERSION.decode()}, not {version[:20]!r}")
    if kind not in (MSG, ACK, NAK):
        raise ValueError(f"the second frame is MSG, ACK or NAK, not {kind[:20]!r}")
    if not 0 < len(message_id) <= _LONGEST_ID:
        raise ValueError(f"an id has 1 to {_LONGEST_ID} bytes, not {len(message_id)}")
    try:
        text = message_id.decode()
    except UnicodeDecodeError:
        raise ValueError("an id is UTF-8") from None
    return Frames(kind, text, content)
