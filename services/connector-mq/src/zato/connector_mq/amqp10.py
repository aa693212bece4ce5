"""The provider `amqp10`: brokers that speak AMQP 1.0, and IBM MQ's AMQP channels as far as these go."""

import math
import os
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from zato.common.connectors.errors import InDoubt, NotSent, Refused
from zato.common.errors import Unavailable, ZatoError
from zato.connector_mq.config import MQSettings
from zato.connector_mq.kinds import DefinitionOptions
from zato.connector_mq.messages import MQMessage

try:
    import proton._reactor
    from proton import Delivery, Message, ProtonException, SSLDomain, Timeout, symbol
    from proton.handlers import MessagingHandler
    from proton.reactor import LinkOption
    from proton.utils import BlockingConnection, LinkDetached, SendException
except ImportError as exc:
    raise Unavailable("The provider amqp10 is not installed: pip install 'zato-connector-mq[amqp10]'") from exc

# Each connection would have the machine's authorities read, twice, 1.7 MB: those with TLS have a domain of their own.
proton._reactor.SSLConfig = lambda: None

_MOST_SENDERS = 100
_LOOK_S = 0.5
_TICK_S = 0.01
_NOT_ITS_FAULT = ("amqp:internal-error", "amqp:resource-limit-exceeded", "amqp:connection:forced")


class AMQP10Provider:
    def __init__(self, _settings: MQSettings, options: DefinitionOptions) -> None:
        self._options = options

    def connect(self) -> "AMQP10Session":
        return AMQP10Session(self._options)


class _Connection(BlockingConnection):  # type: ignore[misc]
    def on_session_remote_close(self, event: Any) -> None:
        """Some brokers end the session, not the link, when a queue is not there; nobody else would hear of it."""
        if not self.closing:
            raise ProtonException(str(event.session.remote_condition or "the peer ended the session"))


class _IsQueue(LinkOption):  # type: ignore[misc]
    """Says that an address is a queue: IBM MQ takes one for a topic otherwise."""

    def apply(self, link: Any) -> None:
        end = link.source if link.is_receiver else link.target
        end.capabilities.put_object(symbol("queue"))


class _Inbox(MessagingHandler):  # type: ignore[misc]
    """What has come over a link and was not settled."""

    def __init__(self) -> None:
        super().__init__(prefetch=0, auto_accept=False)
        self.came: deque[tuple[Any, Any]] = deque()

    def on_message(self, event: Any) -> None:
        self.came.append((event.message, event.delivery))


class AMQP10Session:
    """One connection with one session. There are no units of work: what is sent is confirmed before what came is accepted."""

    def __init__(self, options: DefinitionOptions) -> None:
        self._options = options
        self._receivers: dict[str, tuple[Any, _Inbox]] = {}
        self._senders: dict[str, Any] = {}
        self._taken: Any = None
        self._connection = self._connect()

    def _connect(self) -> Any:
        options = self._options
        domain = _domain(options) if options.ssl else None
        sasl: dict[str, Any] = {"allowed_mechs": "ANONYMOUS"}
        if options.username:
            # In clear text only over a connection that is not: whoever wants neither says ssl.
            sasl = {"allowed_mechs": "PLAIN", "allow_insecure_mechs": not options.ssl}
            sasl |= {"user": options.username, "password": options.password}
        scheme = "amqps" if options.ssl else "amqp"
        with _errors(lambda reason: Unavailable(f"{options.host}:{options.port} does not let us in: {reason}")):
            return _Connection(
                f"{scheme}://{options.host}:{options.port}",
                timeout=options.connect_timeout_s,
                ssl_domain=domain,
                heartbeat=options.heartbeat_s,
                **sasl,
            )

    def _address(self, queue: str) -> str:
        # What a message says to answer to is an address as it is.
        return queue if queue.startswith("/") else f"{self._options.queue_prefix}{queue}"

    def receive(self, queue: str, wait_s: float, message_id: str = "") -> MQMessage | None:
        with _errors(lambda reason: Unavailable(f"The queue {queue} cannot be read: {reason}")):
            receiver, inbox = self._receiver(queue)
            if message_id:
                found = self._find(receiver, inbox, message_id)
            else:
                if not inbox.came and not receiver.link.credit:
                    receiver.link.flow(1)
                self._wait(lambda: bool(inbox.came), wait_s)
                found = inbox.came.popleft() if inbox.came else None
        if found is None:
            return None
        message, self._taken = found
        return _read(message)

    def _receiver(self, queue: str) -> tuple[Any, _Inbox]:
        if queue not in self._receivers:
            inbox = _Inbox()
            options = [_IsQueue()] if self._options.is_queue_capability else None
            receiver = self._connection.create_receiver(self._address(queue), credit=0, handler=inbox, options=options)
            self._receivers[queue] = (receiver, inbox)
        return self._receivers[queue]

    def _find(self, receiver: Any, inbox: _Inbox, message_id: str) -> tuple[Any, Any] | None:
        """Take messages until the one comes, then give back the others."""
        others = []
        found = None
        while found is None:
            if not inbox.came:
                receiver.link.flow(max(0, 50 - receiver.link.credit))
                self._wait(lambda: bool(inbox.came), _LOOK_S)
            if not inbox.came:
                break
            each = inbox.came.popleft()
            if str(each[0].id) == message_id:
                found = each
            else:
                others.append(each)
        for _, delivery in (*others, *inbox.came):
            _settle(delivery, Delivery.RELEASED)
        inbox.came.clear()
        # Credit that is out would bring further ones: they wait in the inbox, and come first then.
        return found

    def _wait(self, condition: Callable[[], bool], wait_s: float) -> None:
        with suppress(Timeout):
            self._connection.wait(condition, timeout=wait_s)
        self._check()

    def _check(self) -> None:
        connection = self._connection
        if connection is None or connection.disconnected or connection._is_closed():
            raise Unavailable("The connection is lost")

    def commit(self) -> None:
        self._finish(Delivery.ACCEPTED)

    def roll_back(self) -> None:
        self._finish(Delivery.RELEASED)

    def _finish(self, state: Any) -> None:
        taken, self._taken = self._taken, None
        if taken is not None:
            with _errors(lambda reason: InDoubt(f"The peer went away before it heard of it: {reason}")):
                _settle(taken, state)
                self._tick()

    def send(self, queue: str, message: MQMessage) -> str:
        written = _write(message)
        self._send(queue, written)
        return str(written.id)

    def forward(self, queue: str, message: MQMessage, add: Mapping[str, Any], drop: Collection[str]) -> None:
        written = message.raw
        properties = {name: value for name, value in (written.properties or {}).items() if name not in drop}
        written.properties = {**properties, **add}
        written.id = written.id or _new_id()
        # Without its expiration, so that it does not vanish, and as one that nobody was given yet. IBM MQ takes no annotations.
        written.ttl, written.expiry_time, written.delivery_count, written.first_acquirer = 0, 0, 0, False
        written.annotations = written.instructions = None
        written.durable = True
        self._send(queue, written)

    def _send(self, queue: str, written: Any) -> None:
        try:
            sender = self._sender(queue)
            sender.send(written, timeout=self._options.heartbeat_s * 2)
        except SendException as exc:
            if exc.state == Delivery.REJECTED:
                raise Refused(f"The peer does not take it for {queue}") from None
            raise NotSent(f"The peer does not take it for {queue} now") from None
        except LinkDetached as exc:
            self._senders.pop(queue, None)
            if exc.condition in (None, *_NOT_ITS_FAULT):
                raise NotSent(f"The peer does not take messages for {queue}: {exc}") from None
            raise Refused(f"The peer does not take messages for {queue}: {exc}") from None
        except Timeout as exc:
            raise InDoubt(f"The peer did not confirm: {exc}") from None
        except ProtonException as exc:
            raise InDoubt(f"The peer went away before it confirmed: {exc}") from None

    def _sender(self, queue: str) -> Any:
        if queue not in self._senders:
            if len(self._senders) >= _MOST_SENDERS:
                # They cannot be closed one by one everywhere: the next connection has none.
                raise NotSent(f"More than {_MOST_SENDERS} queues on a connection: it is made anew")
            options = [_IsQueue()] if self._options.is_queue_capability else None
            self._senders[queue] = self._connection.create_sender(self._address(queue), options=options)
        return self._senders[queue]

    def browse(self, queue: str, limit: int) -> list[MQMessage]:
        """On a connection of its own, at whose end the messages are as they were."""
        session = AMQP10Session(self._options)
        found: list[MQMessage] = []
        try:
            with _errors(lambda reason: Unavailable(f"The queue {queue} cannot be looked at: {reason}")):
                receiver, inbox = session._receiver(queue)
                receiver.link.flow(limit)
                while len(found) < limit:
                    session._wait(lambda: bool(inbox.came), _LOOK_S)
                    if not inbox.came:
                        break
                    found.append(_read(inbox.came.popleft()[0]))
        finally:
            session.close()
        return found

    def count(self, queue: str, limit: int) -> int:
        return len(self.browse(queue, limit))

    def backout_queue(self, queue: str) -> str:
        return ""

    def keep_alive(self) -> None:
        with _errors(lambda reason: Unavailable(f"The connection is lost: {reason}")):
            self._tick()

    def _tick(self) -> None:
        """Read and write what there is, heartbeats among it, without waiting for more."""
        turns = iter((False, False, True))
        with suppress(Timeout):
            self._connection.wait(lambda: next(turns, True), timeout=_TICK_S)
        self._check()

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.timeout = 2.0
            # It raises whatever happened meanwhile; the socket is closed all the same.
            with suppress(Exception):
                connection.close()


def _domain(options: DefinitionOptions) -> Any:
    # With a library of 12 MB, which those without TLS have no use for.
    from zato.connector_mq.tls import read_stores

    # Proton itself says of a file only that something is wrong.
    read_stores(options)
    domain = SSLDomain(SSLDomain.MODE_CLIENT)
    if options.ssl_ca_file:
        domain.set_trusted_ca_db(options.ssl_ca_file)
    if options.ssl_certificate_file:
        domain.set_credentials(options.ssl_certificate_file, options.ssl_key_file or options.ssl_certificate_file, None)
    domain.set_peer_authentication(SSLDomain.VERIFY_PEER_NAME)
    return domain


@contextmanager
def _errors(make: Callable[[str], ZatoError]) -> Iterator[None]:
    try:
        yield
    except (ProtonException, OSError) as exc:
        raise make(str(exc) or type(exc).__name__) from None


def _settle(delivery: Any, state: Any) -> None:
    delivery.update(state)
    delivery.settle()


def _new_id() -> str:
    return f"ID:{os.urandom(16).hex()}"


def _write(message: MQMessage) -> Any:
    return Message(
        body=message.body.decode() if message.is_text else message.body,
        # Bytes as bytes, a text as one value.
        inferred=not message.is_text,
        # As text: IBM MQ takes nothing else.
        id=message.message_id or _new_id(),
        correlation_id=message.correlation_id or None,
        reply_to=message.reply_to or None,
        subject=message.type or None,
        durable=message.is_persistent,
        priority=message.priority,
        ttl=message.expiration_ms / 1000,
        group_id=message.group_id or None,
        group_sequence=message.group_sequence,
        properties=dict(message.properties) or None,
    )


def _read(message: Any) -> MQMessage:
    body, is_text, problem = _body(message.body)
    sent_ms = int((message.creation_time or 0) * 1000)
    expires_ms = int((message.expiry_time or 0) * 1000)
    return MQMessage(
        body=body,
        is_text=is_text,
        message_id=_text(message.id),
        correlation_id=_text(message.correlation_id),
        reply_to=_text(message.reply_to),
        type=_text(message.subject),
        priority=int(message.priority),
        is_persistent=bool(message.durable),
        expiration_ms=expires_ms or (sent_ms + int(message.ttl * 1000) if message.ttl and sent_ms else 0),
        timestamp_ms=sent_ms,
        delivery_count=int(message.delivery_count or 0) + 1,
        is_redelivered=not message.first_acquirer,
        group_id=_text(message.group_id),
        group_sequence=int(message.group_sequence or 0),
        properties={str(name): _plain(value) for name, value in (message.properties or {}).items()},
        problem=problem,
        raw=message,
    )


def _body(body: Any) -> tuple[bytes, bool, str]:
    if body is None:
        return b"", True, ""
    if isinstance(body, str):
        return body.encode(errors="replace"), True, ""
    if isinstance(body, bytes | memoryview):
        return bytes(body), False, ""
    return b"", False, f"A body of the type {type(body).__name__} is no text and no bytes: send one of these"


def _text(value: Any) -> str:
    if value is None:
        return ""
    return _plain(value) if isinstance(value, bytes | memoryview) else str(value)


def _plain(value: Any) -> Any:
    """Return a property's value as plain JSON has it."""
    if value is None or isinstance(value, bool | str):
        return value if value is None or isinstance(value, bool) else str(value)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else str(float(value))
    if isinstance(value, bytes | memoryview):
        return bytes(value).decode(errors="replace")
    return str(value)
