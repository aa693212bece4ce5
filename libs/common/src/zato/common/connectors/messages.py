"""Messages on their way between a peer and a service."""

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Message:
    """
    One that came in.

    Args:
        id: The sender's, which a message that comes again has again; "" when it gave none.
        context: What the service finds beside the body. Plain JSON values.
        attempts: How often it was tried before, as far as the peer counts.
        is_redelivered: The peer says that it gave it to somebody before; servers know how often it was tried then.
    """

    id: str
    body: bytes
    context: Mapping[str, Any] = field(default_factory=dict)
    attempts: int = 0
    is_redelivered: bool = False


class Fate(enum.Enum):
    # Tell the peer that it is done.
    DONE = "done"
    # The service refuses it, or asked for it to be thrown away: tell the peer, which does with it what it does.
    REJECTED = "rejected"
    # Its tries are used up: put it among the dead letters, then tell the peer that it is done. Never drop it.
    DEAD = "dead"
    # The connector stops: give it back as it was.
    RETURNED = "returned"


@dataclass(frozen=True, slots=True)
class Outcome:
    """
    What is to become of a message.

    Args:
        reason: Why it is dead.
        cid: Correlation id of the last attempt.
        count: How often the service was tried.
        reply: What the service answered.
    """

    fate: Fate
    reason: str = ""
    cid: str = ""
    count: int = 0
    reply: bytes = b""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One to send. `id` is the same each time that it is sent again; `options` are the protocol's."""

    id: str
    body: bytes
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message that was given up. `died_at` is ISO 8601 in UTC, `count` how often its service was tried."""

    id: str
    body: bytes
    reason: str
    cid: str
    count: int
    died_at: str
    context: Mapping[str, Any] = field(default_factory=dict)
