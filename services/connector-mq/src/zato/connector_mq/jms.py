"""The provider `jms`: the Java client of a broker, whichever it is, by the interface that they all have."""

import math
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from itertools import islice
from typing import Any

from zato.common.connectors.errors import InDoubt, NotSent, Refused
from zato.common.errors import Unavailable, ZatoError
from zato.connector_mq import jvm
from zato.connector_mq.config import MQSettings
from zato.connector_mq.jms_factories import make_factory
from zato.connector_mq.jms_tls import distrust
from zato.connector_mq.kinds import DefinitionOptions
from zato.connector_mq.messages import MQMessage

_MOST_PRODUCERS = 100
_COUNT = "JMSXDeliveryCount"
_GROUP, _SEQUENCE = "JMSXGroupID", "JMSXGroupSeq"
_INT = 2**31


class JMSProvider:
    def __init__(self, settings: MQSettings, options: DefinitionOptions) -> None:
        self._options = options
        self._java = Java(jvm.started(settings))

    def connect(self) -> "JMSSession":
        return JMSSession(self._java, self._options)


class Java:
    """The classes of JMS, from `javax.jms` or, in newer clients, `jakarta.jms`."""

    def __init__(self, jpype: Any) -> None:
        self.jpype = jpype
        try:
            jpype.JClass("javax.jms.Session")
            self._package = "javax.jms"
        except TypeError:
            self._package = "jakarta.jms"
        self.error = jpype.JException

    def jms(self, name: str) -> Any:
        """
        Return e.g. the class `javax.jms.Queue`.

        Raises:
            Unavailable: No archive has it.
        """
        return self.of(f"{self._package}.{name}")

    def of(self, name: str) -> Any:
        try:
            return self.jpype.JClass(name)
        except TypeError as exc:
            raise Unavailable(f"No Java archive has {name}: name the client's .jar files in the setting 'jars'") from exc

    def reason(self, exc: Any) -> str:
        """Return what an exception says, with what is behind it, which often says more."""
        texts = [str(exc.getMessage() or exc.getClass().getSimpleName())]
        behind = exc.getCause() or (exc.getLinkedException() if hasattr(exc, "getLinkedException") else None)
        if behind is not None:
            text = str(behind.getMessage() or behind.getClass().getSimpleName())
            texts += [text] if text not in texts[0] else []
        return ": ".join(texts)

    @contextmanager
    def errors(self, otherwise: Callable[[str], ZatoError]) -> Iterator[None]:
        """Raise what is ours for what Java raises."""
        try:
            yield
        except self.error as exc:
            raise otherwise(self.reason(exc)) from None


class JMSSession:
    """A connection of its own with one transacted session."""

    def __init__(self, java: Java, options: DefinitionOptions) -> None:
        self._java = java
        self._options = options
        self._connection: Any = None
        self._session: Any = None
        self._consumer: tuple[str, Any] | None = None
        self._chosen: Any = None
        self._producers: OrderedDict[str, Any] = OrderedDict()
        self._lost = ""
        try:
            with java.errors(self._not_let_in):
                self._open()
        except BaseException:
            self.close()
            raise

    def _not_let_in(self, reason: str) -> ZatoError:
        options = self._options
        reason = distrust(self._java, options) or reason
        return Unavailable(f"{options.host}:{options.port} does not let us in: {reason}")

    def _open(self) -> None:
        options, java = self._options, self._java
        factory = make_factory(java, options)
        credentials = (options.username, options.password) if options.username else ()
        self._connection = factory.createConnection(*credentials)
        listener = java.jpype.JProxy(java.jms("ExceptionListener"), dict={"onException": self._is_lost})
        self._connection.setExceptionListener(listener)
        self._connection.start()
        self._session = self._connection.createSession(True, 0)

    def _is_lost(self, exc: Any) -> None:
        self._lost = self._java.reason(exc)

    def receive(self, queue: str, wait_s: float, message_id: str = "") -> MQMessage | None:
        with self._java.errors(lambda reason: Unavailable(f"The queue {queue} cannot be read: {reason}")):
            consumer = self._choose(queue, message_id) if message_id else self._consume(queue)
            raw = consumer.receive(max(1, int(wait_s * 1000)))
            if raw is None:
                self.keep_alive()
                return None
            return self._read(raw)

    def _consume(self, queue: str) -> Any:
        if self._consumer is None or self._consumer[0] != queue:
            if self._consumer is not None:
                self._consumer[1].close()
            self._consumer = (queue, self._session.createConsumer(self._queue(queue)))
        return self._consumer[1]

    def _choose(self, queue: str, message_id: str) -> Any:
        quoted = message_id.replace("'", "''")
        self._chosen = self._session.createConsumer(self._queue(queue), f"JMSMessageID = '{quoted}'")
        return self._chosen

    def _queue(self, name: str) -> Any:
        # IBM's client takes queue://MANAGER/QUEUE; a bare name is one of the queue manager that we are connected to.
        return self._session.createQueue(name.removeprefix("queue:///"))

    def commit(self) -> None:
        rolled_back = self._java.jms("TransactionRolledBackException")
        try:
            self._session.commit()
        except rolled_back as exc:
            raise NotSent(f"The peer rolled back: {self._java.reason(exc)}") from None
        except self._java.error as exc:
            raise InDoubt(f"The peer went away before it confirmed: {self._java.reason(exc)}") from None
        self._leave_chosen()

    def roll_back(self) -> None:
        with self._java.errors(lambda reason: Unavailable(f"The peer went away: {reason}")):
            self._session.rollback()
            self._leave_chosen()

    def _leave_chosen(self) -> None:
        chosen, self._chosen = self._chosen, None
        if chosen is not None:
            with suppress(self._java.error):
                chosen.close()

    def send(self, queue: str, message: MQMessage) -> str:
        with self._sending(queue):
            raw = self._write(message)
            mode = 2 if message.is_persistent else 1
            self._produce(queue, raw, mode, message.priority, message.expiration_ms)
            return str(raw.getJMSMessageID() or "")

    @contextmanager
    def _sending(self, queue: str) -> Iterator[None]:
        java = self._java
        refusals = tuple(java.jms(name) for name in ("InvalidDestinationException", "MessageFormatException"))
        try:
            yield
        except refusals as exc:
            raise Refused(f"The peer does not take it for {queue}: {java.reason(exc)}") from None
        except java.error as exc:
            raise NotSent(f"It cannot be sent to {queue}: {java.reason(exc)}") from None

    def _produce(self, queue: str, raw: Any, mode: int, priority: int, lives_ms: int) -> None:
        producer = self._producers.pop(queue, None) or self._session.createProducer(self._queue(queue))
        try:
            producer.send(raw, mode, priority, lives_ms)
        except BaseException:
            with suppress(self._java.error):
                producer.close()
            raise
        if not self._options.cache_open_send_queues:
            producer.close()
            return
        self._producers[queue] = producer
        if len(self._producers) > _MOST_PRODUCERS:
            self._producers.popitem(last=False)[1].close()

    def _write(self, message: MQMessage) -> Any:
        if message.is_text:
            raw = self._session.createTextMessage(message.body.decode())
        else:
            raw = self._session.createBytesMessage()
            raw.writeBytes(self._java.jpype.JArray(self._java.jpype.JByte)(message.body))
        if message.correlation_id:
            raw.setJMSCorrelationID(message.correlation_id)
        if message.reply_to:
            raw.setJMSReplyTo(self._queue(message.reply_to))
        if message.type:
            raw.setJMSType(message.type)
        if message.group_id:
            raw.setStringProperty(_GROUP, message.group_id)
            raw.setIntProperty(_SEQUENCE, message.group_sequence)
        for name, value in message.properties.items():
            _set_property(raw, name, value)
        return raw

    def forward(self, queue: str, message: MQMessage, add: Mapping[str, Any], drop: Collection[str]) -> None:
        raw = message.raw
        with self._sending(queue):
            kept = {name: raw.getObjectProperty(name) for name in _names(raw) if _is_kept(name) and name not in drop}
            # Those of a message that came can be read only, until they are cleared all at once.
            raw.clearProperties()
            for name, value in kept.items():
                raw.setObjectProperty(name, value)
            for name, value in add.items():
                _set_property(raw, name, value)
            # Without its expiration: a dead letter is not to vanish.
            self._produce(queue, raw, raw.getJMSDeliveryMode(), raw.getJMSPriority(), 0)

    def browse(self, queue: str, limit: int) -> list[MQMessage]:
        with self._browsing(queue, limit) as messages:
            return [self._read(each) for each in messages]

    def count(self, queue: str, limit: int) -> int:
        # To read a message takes many calls of Java's, and ten thousand of them half a minute.
        with self._browsing(queue, limit) as messages:
            return sum(1 for _ in messages)

    @contextmanager
    def _browsing(self, queue: str, limit: int) -> Iterator[Iterator[Any]]:
        with self._java.errors(lambda reason: Unavailable(f"The queue {queue} cannot be looked at: {reason}")):
            browser = self._session.createBrowser(self._queue(queue))
            try:
                yield islice(_all_of(browser.getEnumeration()), limit)
            finally:
                browser.close()

    def backout_queue(self, queue: str) -> str:
        return ""

    def keep_alive(self) -> None:
        if self._lost:
            raise Unavailable(f"The connection is lost: {self._lost}")

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(self._java.error):
                connection.close()
        # Java's connection has us for a listener, and we have its session: no collector of either sees through that.
        self._session = self._consumer = self._chosen = None
        self._producers.clear()

    def _read(self, raw: Any) -> MQMessage:
        made = partial(MQMessage, raw=raw)
        try:
            body, is_text, problem = self._body(raw)
            return made(
                body=body,
                is_text=is_text,
                problem=problem,
                message_id=_text(raw.getJMSMessageID()),
                correlation_id=_text(raw.getJMSCorrelationID()),
                reply_to=self._destination(raw.getJMSReplyTo()),
                type=_text(raw.getJMSType()),
                priority=int(raw.getJMSPriority()),
                is_persistent=int(raw.getJMSDeliveryMode()) == 2,
                expiration_ms=int(raw.getJMSExpiration()),
                timestamp_ms=int(raw.getJMSTimestamp()),
                delivery_count=_delivery_count(raw),
                group_id=_text(raw.getStringProperty(_GROUP)),
                group_sequence=int(raw.getIntProperty(_SEQUENCE)) if raw.propertyExists(_SEQUENCE) else 0,
                properties={name: self._value(raw.getObjectProperty(name)) for name in _names(raw) if name != _COUNT},
            )
        except (self._java.error, ValueError, TypeError) as exc:
            # A stranger's message must not end the session.
            reason = self._java.reason(exc) if isinstance(exc, self._java.error) else str(exc)
            return made(body=b"", message_id=_text(raw.getJMSMessageID()), problem=f"The message cannot be read: {reason}")

    def _body(self, raw: Any) -> tuple[bytes, bool, str]:
        jms = self._java.jms
        if isinstance(raw, jms("TextMessage")):
            return _text(raw.getText()).encode(), True, ""
        if isinstance(raw, jms("BytesMessage")):
            raw.reset()
            content = self._java.jpype.JArray(self._java.jpype.JByte)(int(raw.getBodyLength()))
            raw.readBytes(content)
            raw.reset()
            return bytes(content), False, ""
        for name in ("MapMessage", "ObjectMessage", "StreamMessage"):
            if isinstance(raw, jms(name)):
                return b"", False, f"A {name} holds values of Java: send a TextMessage or a BytesMessage"
        return b"", True, ""

    def _destination(self, destination: Any) -> str:
        if destination is None:
            return ""
        is_queue = isinstance(destination, self._java.jms("Queue"))
        return str(destination.getQueueName() if is_queue else destination.toString())

    def _value(self, value: Any) -> Any:
        """Return a property's value as plain JSON has it."""
        if value is None:
            return None
        if isinstance(value, self._java.jpype.java.lang.Boolean):
            return bool(value)
        if isinstance(value, float):
            return float(value) if math.isfinite(value) else str(float(value))
        return int(value) if isinstance(value, int) else _text(value)


def _text(value: Any) -> str:
    """Return Java's text. Half a pair of surrogates, which is none, raises ValueError."""
    return "" if value is None else str(value)


def _all_of(enumeration: Any) -> Iterator[Any]:
    while enumeration.hasMoreElements():
        yield enumeration.nextElement()


def _names(raw: Any) -> list[str]:
    found: list[str] = []
    for name in _all_of(raw.getPropertyNames()):
        # A name that is no text could not be said again.
        with suppress(ValueError):
            found.append(str(name))
    return found


def _is_kept(name: str) -> bool:
    # The others are the peer's to set.
    return not name.startswith("JMS") or name in (_GROUP, _SEQUENCE)


def _delivery_count(raw: Any) -> int:
    if raw.propertyExists(_COUNT):
        return max(1, int(raw.getIntProperty(_COUNT)))
    return 2 if raw.getJMSRedelivered() else 1


def _set_property(raw: Any, name: str, value: Any) -> None:
    if isinstance(value, bool):
        raw.setBooleanProperty(name, value)
    elif isinstance(value, int):
        (raw.setIntProperty if -_INT <= value < _INT else raw.setLongProperty)(name, value)
    elif isinstance(value, float):
        raw.setDoubleProperty(name, value)
    else:
        raw.setStringProperty(name, str(value))
