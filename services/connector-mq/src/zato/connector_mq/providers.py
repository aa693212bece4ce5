"""
What a provider is: one way to talk to a queue manager or broker.

    session = provider.connect()
    message = session.receive("ORDERS", 1.0)
    session.forward("ORDERS.BACKOUT", message, {"zato_reason": "…"}, ())
    session.commit()

A session is a connection and its unit of work: what is received and sent in it counts once it is committed, all of it or
nothing. Where the protocol has no such units, a message is sent and confirmed first, and only then is the one that was
received acknowledged: a death in between leaves it in both queues, never in none.
"""

from collections.abc import Callable, Collection, Mapping
from typing import Any, Protocol

from zato.connector_mq.config import MQSettings
from zato.connector_mq.kinds import DefinitionOptions
from zato.connector_mq.messages import MQMessage


class Session(Protocol):
    """
    Belongs to one thread. Each method raises Unavailable, which ends the session, when the peer is gone.

    What was received and not committed is given back when the session ends, however that happens.
    """

    def receive(self, queue: str, wait_s: float, message_id: str = "") -> MQMessage | None:
        """Return the next message, or the one of that id, or None when none came. Then `commit` or `roll_back`."""

    def commit(self) -> None:
        """Acknowledge what was received, and have sent what was sent. Raises InDoubt when nobody knows what came of it."""

    def roll_back(self) -> None:
        """Give back what was received, and have not sent what was sent."""

    def send(self, queue: str, message: MQMessage) -> str:
        """Return the id that it has. Raises Refused when the peer does not take it; the session goes on then."""

    def forward(self, queue: str, message: MQMessage, add: Mapping[str, Any], drop: Collection[str]) -> None:
        """Send one that was received as it came, with further properties and without some."""

    def browse(self, queue: str, limit: int) -> list[MQMessage]:
        """Return the first messages, which stay. Only between units of work."""

    def count(self, queue: str, limit: int) -> int:
        """Return how many messages a queue has, as far as `browse` would see them."""

    def backout_queue(self, queue: str) -> str:
        """Return where the peer itself says that messages of a queue go which are given up; "" where it says nothing."""

    def keep_alive(self) -> None:
        """Called about every second while the session waits for a service."""

    def close(self) -> None:
        """Give back what is open. Never raises; may be called twice."""


class Provider(Protocol):
    def connect(self) -> Session:
        """Raises Unavailable, saying why, when the peer does not let us in."""


def make_provider(settings: MQSettings, options: DefinitionOptions) -> Provider:
    """
    Raises:
        Unavailable: What the provider needs is not installed here; says how to get it.
    """
    return _MAKERS[options.provider](settings, options)


def _jms(settings: MQSettings, options: DefinitionOptions) -> Provider:
    from zato.connector_mq.jms import JMSProvider

    return JMSProvider(settings, options)


def _amqp10(settings: MQSettings, options: DefinitionOptions) -> Provider:
    from zato.connector_mq.amqp10 import AMQP10Provider

    return AMQP10Provider(settings, options)


def _mqi(settings: MQSettings, options: DefinitionOptions) -> Provider:
    from zato.connector_mq.mqi import MQIProvider

    return MQIProvider(settings, options)


# Their libraries are imported when a definition wants them.
_MAKERS: Mapping[str, Callable[[MQSettings, DefinitionOptions], Provider]] = {
    "jms": _jms,
    "amqp10": _amqp10,
    "mqi": _mqi,
}
