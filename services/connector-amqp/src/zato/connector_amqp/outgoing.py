"""Sending, pipelined: many messages are on their way at a time, and each has its own confirmation."""

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pika

from zato.common.connectors.errors import InDoubt, NotSent, Refused
from zato.common.connectors.messages import Outgoing
from zato.common.connectors.objects import Configured
from zato.common.connectors.running import Context
from zato.common.errors import ZatoError
from zato.connector_amqp.kinds import OutgoingOptions
from zato.connector_amqp.link import Link

_PROPERTIES = frozenset(
    {
        "content_type",
        "content_encoding",
        "delivery_mode",
        "priority",
        "expiration",
        "user_id",
        "app_id",
        "correlation_id",
        "cluster_id",
        "message_id",
        "reply_to",
        "timestamp",
        "type",
    }
)
# What the broker closes a channel with for an exchange that there is not.
_NOT_FOUND = 404
_NUMBERS = frozenset({"delivery_mode", "priority", "timestamp"})


@dataclass(slots=True)
class _Batch:
    """What one call sends; `results` fill up as confirmations come."""

    results: list[bytes | ZatoError | None]
    left: int
    done: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _is_taken: bool = False

    def take(self) -> bool:
        """
        Return whether the caller is the first to ask: the link's thread, which writes it now, or whoever waited for that.

        What was said not to be sent must not be written a moment later.
        """
        with self._lock:
            is_first, self._is_taken = not self._is_taken, True
            return is_first

    def settle(self, index: int, result: bytes | ZatoError) -> None:
        if self.results[index] is None:
            self.results[index] = result
            self.left -= 1
            if self.left == 0:
                self.done.set()


@dataclass(frozen=True, slots=True)
class Ready:
    """A message as it goes onto the channel."""

    exchange: str
    routing_key: str
    body: bytes
    properties: pika.BasicProperties
    is_mandatory: bool


class Publishing:
    """
    A link with one channel in confirm mode.

    Args:
        report: Told whether it is connected, and why not.
    """

    def __init__(self, definition: Any, name: str, report: Any) -> None:
        self._name = name
        self._report = report
        self._link = Link(definition, name, self._opened, self._lost)
        # All of these belong to the link's thread.
        self._channel: Any = None
        self._unconfirmed: dict[int, tuple[_Batch, int, str]] = {}
        self._returned: dict[str, str] = {}
        self._number = 0
        self._reason = "not connected yet"

    def start(self) -> None:
        self._link.start()

    def stop(self) -> None:
        self._link.close()

    def send(self, ready: Sequence[Ready | ZatoError], timeout_s: float) -> list[bytes | ZatoError]:
        batch = _Batch([None] * len(ready), len(ready))

        def write() -> None:
            if not batch.take():
                return
            for index, message in enumerate(ready):
                if isinstance(message, ZatoError):
                    batch.settle(index, message)
                else:
                    self._write(batch, index, message)

        deadline = time.monotonic() + timeout_s
        if not ready:
            return []
        if not self._link.call(write):
            return [self._not_sent() for _ in ready]
        batch.done.wait(max(0.0, deadline - time.monotonic()))
        late: ZatoError = InDoubt(f"The broker of '{self._name}' did not confirm within {timeout_s:.3g} s")
        if batch.take():
            late = self._not_sent()
        return [result if result is not None else late for result in list(batch.results)]

    def _not_sent(self) -> NotSent:
        return NotSent(f"'{self._name}' has no connection to its broker: {self._reason}")

    def _write(self, batch: _Batch, index: int, message: Ready) -> None:
        if self._channel is None or not self._channel.is_open:
            batch.settle(index, self._not_sent())
            return
        try:
            self._channel.basic_publish(
                message.exchange, message.routing_key, message.body, message.properties, mandatory=message.is_mandatory
            )
        except Exception as exc:  # what can't be encoded: pika checks as it writes, and has written nothing then
            batch.settle(index, Refused(f"The message cannot be written as AMQP: {type(exc).__name__}: {exc}"))
            return
        self._number += 1
        self._unconfirmed[self._number] = (batch, index, str(message.properties.message_id))

    def _opened(self, connection: Any) -> None:
        connection.channel(on_open_callback=self._channel_opened)

    def _channel_opened(self, channel: Any) -> None:
        channel.add_on_close_callback(self._channel_closed)
        channel.add_on_return_callback(self._was_returned)
        channel.confirm_delivery(self._confirmed, callback=lambda _frame: self._is_ready(channel))

    def _is_ready(self, channel: Any) -> None:
        self._channel, self._number = channel, 0
        self._report(True)

    def _channel_closed(self, channel: Any, reason: Any) -> None:
        """The broker closes the channel for an exchange that there is not, for one; the others are in doubt by that."""
        if channel is not self._channel:
            return
        # With one message on its way there is no doubt whose fault that was.
        is_refusal = len(self._unconfirmed) == 1 and getattr(reason, "reply_code", 0) == _NOT_FOUND
        self._forget(str(reason), is_refusal=is_refusal)
        if channel.connection.is_open:
            channel.connection.channel(on_open_callback=self._channel_opened)

    def _was_returned(self, _channel: Any, method: Any, properties: Any, _body: bytes) -> None:
        # It comes before the confirmation of the same message.
        self._returned[str(properties.message_id)] = (
            f"{method.reply_text}: exchange '{method.exchange}', '{method.routing_key}'"
        )

    def _confirmed(self, frame: Any) -> None:
        method = frame.method
        is_ack = isinstance(method, pika.spec.Basic.Ack)
        tags = [method.delivery_tag]
        if method.multiple:
            tags = [tag for tag in self._unconfirmed if tag <= method.delivery_tag]
        for tag in tags:
            batch, index, message_id = self._unconfirmed.pop(tag)
            returned = self._returned.pop(message_id, None)
            if returned is not None:
                batch.settle(index, Refused(f"The message reaches no queue: {returned}"))
            elif is_ack:
                batch.settle(index, b"")
            else:
                batch.settle(index, NotSent("The broker did not take the message: a queue of it is full"))

    def _lost(self, reason: str) -> None:
        self._forget(reason)
        self._report(False, reason)

    def _forget(self, reason: str, *, is_refusal: bool = False) -> None:
        self._reason, self._channel = reason, None
        unconfirmed, self._unconfirmed, self._returned = self._unconfirmed, {}, {}
        for batch, index, _ in unconfirmed.values():
            error: ZatoError = Refused(reason) if is_refusal else InDoubt(f"The broker went away before it confirmed: {reason}")
            batch.settle(index, error)


class AMQPOutgoing:
    """What runs for an `outgoing-amqp`."""

    def __init__(self, configured: Configured, context: Context) -> None:
        self._options: OutgoingOptions = configured.options
        self._publishing = Publishing(configured.references["definition"].options, configured.name, context.report)

    def start(self) -> None:
        self._publishing.start()

    def stop(self, drain_s: float) -> None:
        self._publishing.stop()

    def publish(self, messages: Sequence[Outgoing], timeout_s: float) -> list[bytes | ZatoError]:
        return self._publishing.send([self._ready(message) for message in messages], timeout_s)

    def _ready(self, message: Outgoing) -> "Ready | ZatoError":
        options = self._options
        try:
            given = dict(message.options.get("properties") or {})
            headers = dict(message.options.get("headers") or {})
            return Ready(
                str(message.options.get("exchange", options.exchange)),
                str(message.options.get("routing_key", options.routing_key)),
                message.body,
                properties_of(options, given, headers, message.id),
                bool(message.options.get("mandatory", options.is_mandatory)),
            )
        except ZatoError as exc:
            return exc
        except (TypeError, ValueError) as exc:
            return Refused(f"'properties' and 'headers' take objects: {exc}")


def properties_of(
    options: OutgoingOptions, given: Mapping[str, Any], headers: Mapping[str, Any], message_id: str
) -> pika.BasicProperties:
    """
    Raises:
        Refused: A property that there is not, or that can't have such a value; says which.
    """
    values: dict[str, Any] = {name: getattr(options, name) for name in _PROPERTIES if hasattr(options, name)}
    values = {name: value for name, value in {**values, "message_id": message_id, **given}.items() if value not in ("", None)}
    if "expiration" in values:
        values["expiration"] = str(values["expiration"])
        if values["expiration"] == "0":
            del values["expiration"]
    for name, value in values.items():
        if name not in _PROPERTIES:
            raise Refused(f"There is no property '{name:.100}'; there are: {', '.join(sorted(_PROPERTIES))}")
        if name in _NUMBERS:
            most = 2**63 - 1 if name == "timestamp" else 255
            if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= most:
                raise Refused(f"The property '{name}' takes a whole number from 0 to {most}, not {value!r:.80}")
        elif not isinstance(value, str) or len(value.encode(errors="surrogatepass")) > 255:
            raise Refused(f"The property '{name}' takes text of at most 255 bytes, not {value!r:.80}")
    return pika.BasicProperties(headers=dict(headers) or None, **values)
