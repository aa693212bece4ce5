"""Taking messages of a queue: consumers, acknowledgements and dead letters."""

import os
import socket
import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import pika

from zato.common.connectors.channels import Crew, intake_settings
from zato.common.connectors.intake import Intake
from zato.common.connectors.messages import DeadLetter, Fate, Message, Outcome
from zato.common.connectors.objects import Configured
from zato.common.connectors.running import Context
from zato.common.errors import Unavailable
from zato.common.logs import get_logger
from zato.connector_amqp.context import context_of, plain
from zato.connector_amqp.kinds import ChannelOptions, DefinitionOptions
from zato.connector_amqp.link import Link, all_parameters
from zato.connector_amqp.outgoing import Publishing, Ready
from zato.connector_amqp.settling import Settling
from zato.connector_amqp.tables import UNREADABLE

log = get_logger(__name__)

_PUBLISH_S = 10.0
# A quorum queue without a leader answers nothing, neither yes nor no.
_CONSUMES_WITHIN_S = 15.0
_BURY_AGAIN_S = 1.0
_ACKNOWLEDGED_WITHIN_S = 0.2
_REASON, _CID, _COUNT, _DIED_AT, _FROM = "x-zato-reason", "x-zato-cid", "x-zato-count", "x-zato-died-at", "x-zato-queue"
# Of a message whose sender gave it none.
_ID = "x-zato-id"
# The last one is what quorum queues add.
_OURS = (_REASON, _CID, _COUNT, _DIED_AT, _FROM, _ID, "x-delivery-count")


class Consumer:
    """One connection that consumes. All but `start`, `cancel` and `stop` happens in its link's thread."""

    def __init__(self, options: ChannelOptions, definition: DefinitionOptions, tag: str, owner: "AMQPChannel") -> None:
        self._options = options
        self._tag = tag
        self._owner = owner
        self._channel: Any = None
        self._consuming: Any = None
        self._settling: Settling | None = None
        self._is_cancelled = False
        self._link = Link(definition, tag, self._opened, self._lost)

    def start(self) -> None:
        self._link.start()

    def cancel(self) -> None:
        """Take no more messages; those that we have stay ours."""
        self._is_cancelled = True
        self._link.call(self._cancel)

    def stop(self) -> None:
        self._link.close()

    @property
    def unsettled(self) -> int:
        """Messages that the broker was not told of yet."""
        settling = self._settling
        return 0 if settling is None else len(settling)

    def _cancel(self) -> None:
        if self._channel is not None and self._channel.is_open:
            self._channel.basic_cancel(self._tag)

    def _opened(self, connection: Any) -> None:
        connection.channel(on_open_callback=self._channel_opened)

    def _channel_opened(self, channel: Any) -> None:
        self._channel, self._settling = channel, Settling(channel, self._link.call)
        channel.add_on_close_callback(self._channel_closed)
        channel.add_on_cancel_callback(lambda _frame: self._reopen(channel, "the broker cancelled the consumer"))
        channel.connection.ioloop.call_later(_CONSUMES_WITHIN_S, lambda: self._check_consumes(channel))
        channel.basic_qos(prefetch_count=self._options.prefetch_count, callback=lambda _frame: self._consume(channel))

    def _consume(self, channel: Any) -> None:
        if not self._is_cancelled:
            channel.basic_consume(
                self._options.queue, self._take, consumer_tag=self._tag, callback=lambda _frame: self._consumes(channel)
            )

    def _consumes(self, channel: Any) -> None:
        self._consuming = channel
        self._owner.crew.fares(self, "")

    def _check_consumes(self, channel: Any) -> None:
        if channel is self._channel and channel is not self._consuming and not self._is_cancelled:
            self._reopen(
                channel, f"The broker gives no answer to who wants to consume '{self._options.queue}': has it a leader?"
            )

    def _channel_closed(self, channel: Any, reason: Any) -> None:
        """A queue that there is not, for one. The connection is closed too: the link tries again, later each time."""
        if channel is self._channel and channel.connection.is_open:
            self._reopen(channel, str(reason))

    def _reopen(self, channel: Any, reason: str) -> None:
        self._owner.crew.fares(self, reason)
        if channel.connection.is_open:
            channel.connection.close(reply_text="starting anew")

    def _lost(self, reason: str) -> None:
        self._channel = self._settling = None
        self._owner.crew.fares(self, reason)

    def _take(self, _channel: Any, method: Any, properties: Any, body: bytes) -> None:
        settle = self._settler(method.delivery_tag, properties, body)
        if UNREADABLE in (properties.headers or {}):
            self._give_up(settle, properties.headers[UNREADABLE])
            return
        try:
            message = Message(str(properties.message_id or ""), body, context_of(method, properties))
        except Exception as exc:  # a stranger's message must not end the consumer
            log.exception("message_not_understood", queue=self._options.queue)
            self._give_up(settle, f"{type(exc).__name__}: {exc}")
            return
        self._owner.intake.submit(message, settle)

    def _give_up(self, settle: Callable[[Outcome], None], reason: str) -> None:
        self._owner.intake.counts.dead += 1
        settle(Outcome(Fate.DEAD, f"The message's properties cannot be read: {reason}"))

    def _settler(self, tag: int, properties: Any, body: bytes) -> Callable[[Outcome], None]:
        settling = self._settling
        assert settling is not None, "what is delivered comes on a channel"
        settling.take(tag)

        def settle(outcome: Outcome) -> None:
            if outcome.fate is Fate.DEAD:
                self._owner.bury(outcome, properties, body, lambda: settling.settle(tag, Fate.DONE))
            else:
                settling.settle(tag, outcome.fate)

        return settle


class AMQPChannel:
    """What runs for a `channel-amqp`."""

    def __init__(self, configured: Configured, context: Context) -> None:
        options: ChannelOptions = configured.options
        self._options = options
        self._definition: DefinitionOptions = configured.references["definition"].options
        is_acknowledged = options.ack_mode == "ack"
        self.intake: Intake = context.intake(
            configured, intake_settings(options, is_ordered=options.is_ordered, is_acknowledged=is_acknowledged)
        )
        self.crew = Crew(options.pool_size, context.report)
        self._dead_queue = options.dead_letter_queue or f"{options.queue}.dead-letters"
        self._grave = Publishing(self._definition, f"{configured.name} (dead letters)", lambda *_: None)
        self._is_stopping = threading.Event()
        self._consumers = [Consumer(options, self._definition, self._tag(), self) for _ in range(options.pool_size)]
        self._grave_started = threading.Lock()
        self._has_grave = False

    def start(self) -> None:
        for consumer in self._consumers:
            consumer.start()

    def stop(self, drain_s: float) -> None:
        for consumer in self._consumers:
            consumer.cancel()
        self.intake.stop(drain_s)
        self._is_stopping.set()
        # What was settled just now is on its way to the links' threads.
        deadline = time.monotonic() + 1.0
        while any(consumer.unsettled for consumer in self._consumers) and time.monotonic() < deadline:
            time.sleep(0.01)
        # A quorum queue takes acknowledgements in turns: what waits for its turn as the channel closes comes once more.
        time.sleep(_ACKNOWLEDGED_WITHIN_S)
        for consumer in self._consumers:
            consumer.stop()
        if self._has_grave:
            self._grave.stop()

    def bury(self, outcome: Outcome, properties: Any, body: bytes, then: Callable[[], Any]) -> None:
        """Put a message among the dead letters, however long that takes, and only then have it acknowledged."""
        headers = {
            **(properties.headers or {}),
            _REASON: outcome.reason[:1000],
            _CID: outcome.cid,
            _COUNT: outcome.count,
            _DIED_AT: datetime.now(UTC).isoformat(),
            _FROM: self._options.queue,
        }
        if not properties.message_id:
            headers[_ID] = os.urandom(8).hex()
        message = Ready("", self._dead_queue, body, _changed(properties, headers), True)

        def work() -> None:
            while not self._is_stopping.is_set():
                try:
                    self._dig()
                    result = self._grave.send([message], _PUBLISH_S)[0]
                except Exception as exc:  # it stays unacknowledged and is tried again
                    result = Unavailable(str(exc) or type(exc).__name__)
                if isinstance(result, bytes):
                    then()
                    return
                log.warning("dead_letter_not_kept", queue=self._dead_queue, error=result.message)
                self._is_stopping.wait(_BURY_AGAIN_S)

        threading.Thread(target=work, name="bury", daemon=True).start()

    def dead_letters(self, limit: int) -> list[DeadLetter]:
        return self._walk(lambda _channel, _properties, _body: False, limit, None)[0]

    def count_dead_letters(self) -> int:
        with _blocking(self._definition) as connection:
            return _size(connection.channel(), self._dead_queue)

    def redrive(self, ids: Sequence[str] | None) -> int:
        def send_back(channel: Any, properties: Any, body: bytes) -> bool:
            headers = {name: value for name, value in (properties.headers or {}).items() if name not in _OURS}
            # Confirmed before the dead letter goes: a death in between leaves it in both.
            channel.basic_publish("", self._options.queue, body, _changed(properties, headers), mandatory=True)
            return True

        return self._walk(send_back, None, ids)[1]

    def purge(self, ids: Sequence[str] | None) -> int:
        return self._walk(lambda _channel, _properties, _body: True, None, ids)[1]

    def _walk(
        self, take: Callable[[Any, Any, bytes], bool], limit: int | None, ids: Sequence[str] | None
    ) -> tuple[list[DeadLetter], int]:
        """Look at each dead letter; those that `take` is done with go, the others go back where they were."""
        letters: list[DeadLetter] = []
        count = 0
        with _blocking(self._definition) as connection:
            channel = connection.channel()
            channel.confirm_delivery()
            size = _size(channel, self._dead_queue)
            for _ in range(size if limit is None else min(size, limit)):
                method, properties, body = channel.basic_get(self._dead_queue)
                if method is None:
                    break
                letter = _letter(properties, body)
                letters.append(letter)
                if (ids is None or letter.id in ids) and take(channel, properties, body):
                    channel.basic_ack(method.delivery_tag)
                    count += 1
            # What was not acknowledged goes back as the connection closes.
        return letters, count

    def _dig(self) -> None:
        """See to it that there is a queue for dead letters; one that is there stays as it is."""
        with self._grave_started:
            if self._has_grave:
                return
            with _blocking(self._definition) as connection:
                _declare(connection.channel(), self._dead_queue)
            self._grave.start()
            self._has_grave = True

    def _tag(self) -> str:
        return f"{self._options.consumer_tag_prefix}:{socket.gethostname()}:{os.getpid()}:{os.urandom(4).hex()}"


def _blocking(definition: DefinitionOptions) -> Any:
    reason = ""
    for parameters in all_parameters(definition):
        try:
            return pika.BlockingConnection(parameters)
        except (pika.exceptions.AMQPError, OSError) as exc:
            reason = f"{parameters.host}:{parameters.port}: {str(exc) or type(exc).__name__}"
    raise Unavailable(f"The broker cannot be reached: {reason}")


def _declare(channel: Any, queue: str) -> None:
    """See to it that there is such a queue; one that is there stays as it is."""
    try:
        channel.queue_declare(queue, passive=True)
    except pika.exceptions.ChannelClosedByBroker:
        channel.connection.channel().queue_declare(queue, durable=True, arguments={"x-queue-type": "quorum"})


def _size(channel: Any, queue: str) -> int:
    """Return how many messages a queue has; none when there is no such queue, which looking does not make."""
    try:
        return int(channel.queue_declare(queue, passive=True).method.message_count)
    except pika.exceptions.ChannelClosedByBroker:
        return 0


def _changed(properties: Any, headers: dict[str, Any]) -> pika.BasicProperties:
    names = ("content_type", "content_encoding", "priority", "correlation_id", "reply_to", "message_id", "type", "app_id")
    kept = {name: getattr(properties, name) for name in (*names, "timestamp")}
    # Without its expiration: a dead letter is not to vanish. Nor is it from the user that it was from.
    return pika.BasicProperties(headers=headers, delivery_mode=2, **kept)


def _letter(properties: Any, body: bytes) -> DeadLetter:
    headers = properties.headers or {}
    return DeadLetter(
        id=str(properties.message_id or headers.get(_ID, "")),
        body=body,
        reason=str(headers.get(_REASON, "")),
        cid=str(headers.get(_CID, "")),
        count=int(headers.get(_COUNT, 0)),
        died_at=str(headers.get(_DIED_AT, "")),
        context={"headers": plain({name: value for name, value in headers.items() if name not in _OURS})},
    )
