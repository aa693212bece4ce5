"""What a service finds of a message beside its body: `self.request.amqp`."""

import json
from collections.abc import Mapping
from functools import cached_property
from typing import Any

from bunch import bunchify


class MessageContext:
    """
    `self.request.amqp.msg.properties["correlation_id"]`, `self.request.amqp.ack()`, `self.request.amqp.reject()`.

    Attributes:
        verdict: What the service asked for: "ack", "reject", or "" while it said nothing.
    """

    def __init__(self, body: bytes, message_id: str, attempt: int, context_json: bytes) -> None:
        self._body = body
        self._message_id = message_id
        self._attempt = attempt
        self._context_json = context_json
        self.verdict = ""

    @cached_property
    def msg(self) -> "ReceivedMessage":
        # Most services want the body alone.
        return ReceivedMessage(self._body, self._message_id, self._attempt, json.loads(self._context_json or b"{}"))

    @property
    def data(self) -> str | bytes:
        """The body: text, or bytes where it is none."""
        try:
            return self._body.decode()
        except UnicodeDecodeError:
            return self._body

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
