"""What a service finds of a message beside its body: `self.request.amqp`."""

from collections.abc import Mapping
from typing import Any

from bunch import bunchify


class MessageContext:
    """
    `self.request.amqp.msg.properties["correlation_id"]`, `self.request.amqp.ack()`, `self.request.amqp.reject()`.

    Attributes:
        verdict: What the service asked for: "ack", "reject", or "" while it said nothing.
    """

    def __init__(self, body: bytes, message_id: str, attempt: int, context: Mapping[str, Any]) -> None:
        self.msg = ReceivedMessage(body, message_id, attempt, context)
        self.verdict = ""

    @property
    def data(self) -> str | bytes:
        """The body: text, or bytes where it is none."""
        try:
            return self.msg.body.decode()
        except UnicodeDecodeError:
            return self.msg.body

    def ack(self) -> None:
        """Have the message acknowledged once the service has ended well, whatever the channel does by default."""
        self.verdict = "ack"

    def reject(self) -> None:
        """Have it refused once the service has ended well: it does not come again."""
        self.verdict = "reject"

    def __getattr__(self, name: str) -> Any:
        # `self.request.ibm_mq.correlation_id` and its like: each protocol's own names.
        try:
            return bunchify(self.msg.context[name])
        except KeyError:
            known = ", ".join(sorted(self.msg.context)) or "nothing"
            raise AttributeError(f"The message has no '{name}'; it has: {known}") from None


class ReceivedMessage:
    """
    Attributes:
        body: As received.
        attempt: 1 the first time that a service gets it.
        context: All that the protocol says of it.
    """

    def __init__(self, body: bytes, message_id: str, attempt: int, context: Mapping[str, Any]) -> None:
        self.body = body
        self.message_id = message_id
        self.attempt = attempt
        self.context = dict(context)
        self.properties: dict[str, Any] = self.context.get("properties") or {}
        self.headers: dict[str, Any] = self.context.get("headers") or {}
        self.delivery_info: dict[str, Any] = self.context.get("delivery_info") or {}
