"""A message of a queue as the providers have it, whatever their peer calls its parts."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

# What a message gets that is given up: names that JMS allows.
REASON, CID, COUNT, DIED_AT, FROM = "zato_reason", "zato_cid", "zato_count", "zato_died_at", "zato_queue"
GRAVE_PROPERTIES = (REASON, CID, COUNT, DIED_AT, FROM)


@dataclass(frozen=True, slots=True)
class MQMessage:
    """
    Args:
        is_text: A text, in UTF-8 here; bytes otherwise.
        message_id: As the peer writes it: "ID:…". Given by whoever sends only where a provider lets us.
        reply_to: Name of a queue, or queue://MANAGER/QUEUE.
        priority: 0 to 9, the urgent ones.
        expiration_ms: Of one to send: how long it is worth reading; 0 for ever. Of one that came: until when, since the epoch.
        timestamp_ms: When it was sent, since the epoch; 0 where nobody says.
        delivery_count: How often it was delivered, now included; 1 the first time, or where the peer does not count.
        is_redelivered: The peer does not say that it is the first time.
        properties: Named by users; text, numbers and truth values.
        mqmd: Fields of IBM MQ's message descriptor, where there is one.
        problem: Why it can't be read as a message of ours; "" when it can.
        raw: The provider's own object.
    """

    body: bytes
    is_text: bool = True
    message_id: str = ""
    correlation_id: str = ""
    reply_to: str = ""
    type: str = ""
    priority: int = 4
    is_persistent: bool = True
    expiration_ms: int = 0
    timestamp_ms: int = 0
    delivery_count: int = 1
    is_redelivered: bool = False
    group_id: str = ""
    group_sequence: int = 0
    properties: Mapping[str, Any] = field(default_factory=dict)
    mqmd: Mapping[str, Any] = field(default_factory=dict)
    problem: str = ""
    raw: Any = None
