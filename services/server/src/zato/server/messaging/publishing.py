"""
Sending through connectors: `self.out.amqp.send(...)` and its like. Whichever connector of the protocol answers.

What happens while the broker is away says each connection: see `zato.common.connectors.sending`.
"""

import itertools
import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import gevent

from zato.common.cid import CID_HEADER, new_cid
from zato.common.connectors.errors import InDoubt, NotSent
from zato.common.connectors.sending import DEFAULT_STORE_LIMIT, STORE, WAIT
from zato.common.errors import (
    DeadlineExceeded,
    InvalidOptions,
    NotFound,
    Unavailable,
    Unreachable,
    WorkerLost,
    ZatoError,
    error_from,
    grpc_code_of,
)
from zato.common.logs import current_cid, get_logger
from zato.server.messaging.outbox import Connection, Outbox, Stored

if TYPE_CHECKING:
    from zato.common.rpc.client import Client

log = get_logger(__name__)

DEFAULT_WAIT_S = 10.0
_FIRST_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 1.0


class ConnectorClient:
    """
    The connectors of one protocol. Makes its channels at the first call: after the fork, and only where services send.

    Args:
        protocol: As in the names of its kinds, e.g. "amqp" of outgoing-amqp.
        connect: Makes a client of an address.
        outbox: Keeps what is to be kept.
        options_of: Returns the options of a connection by its kind and name; None where there is none.
        pinged: The beginnings of its kinds of which connectors know whether a peer answers.
    """

    def __init__(
        self,
        protocol: str,
        addresses: Sequence[str],
        connect: Callable[[str], "Client"],
        outbox: Outbox,
        options_of: Callable[[str, str], Any],
        pinged: tuple[str, ...] = (),
    ) -> None:
        self.pinged = pinged
        self.protocol = protocol
        self.outgoing_kind, self.channel_kind = f"outgoing-{protocol}", f"channel-{protocol}"
        self._addresses = addresses
        self._connect = connect
        self._outbox = outbox
        self._options_of = options_of
        self._clients: list[tuple[Client, Any]] = []
        self._turns = itertools.count()

    def publish(
        self,
        connection: str,
        body: bytes,
        options: Mapping[str, Any],
        *,
        message_id: str = "",
        timeout_s: float = DEFAULT_WAIT_S,
    ) -> bytes:
        """
        Send one message, and return the peer's answer once the peer has confirmed it; b"" where it is kept instead.

        While no connector or no broker answers, the connection's `when_away` says what happens: it is sent again, under the
        same id, until the time is up, or kept, or neither. It is never dropped: what was not confirmed nor kept raises.

        Raises:
            NotSent, InDoubt: The time is up; nobody has it, or perhaps somebody does.
            Refused: The peer does not take it.
            NotFound, Conflict: There is no such connection, or it is switched off.
        """
        stored = Stored("", message_id or new_cid(), body, options, 0.0)
        encode_options(options)
        configured = self._options_of(self.outgoing_kind, connection)
        when_away = getattr(configured, "when_away", WAIT)
        if when_away != STORE:
            return self._publish_within(connection, stored, timeout_s, is_patient=when_away == WAIT)
        of = Connection(self.outgoing_kind, connection)
        limit = getattr(configured, "store_limit", DEFAULT_STORE_LIMIT)
        if not self._outbox.has_any(of):
            try:
                return self._publish_within(connection, stored, timeout_s, is_patient=False)
            except (Unavailable, DeadlineExceeded) as exc:
                log.info("message_kept", kind=of.kind, name=connection, id=stored.id, error=exc.message)
        self._outbox.add(of, stored.id, body, options, limit=limit)
        return b""

    def publish_later(self, connection: str, body: bytes, options: Mapping[str, Any]) -> str:
        """
        Have a message kept by the servers, which send it soon, in its order and however long that takes. Returns its id.

        Raises:
            NotSent: As many are kept already as the connection's `store_limit` says, or Redis does not answer.
            NotFound: There is no such connection.
        """
        configured = self._options_of(self.outgoing_kind, connection)
        if configured is None:
            raise NotFound(f"There is no {self.outgoing_kind} '{connection:.100}': check the name, or create it")
        encode_options(options)
        message_id, limit = new_cid(), getattr(configured, "store_limit", DEFAULT_STORE_LIMIT)
        self._outbox.add(Connection(self.outgoing_kind, connection), message_id, body, options, limit=limit)
        return message_id

    def send_stored(self, name: str, messages: Sequence[Stored], timeout_s: float) -> list[bytes | ZatoError]:
        """
        Send many, in their order; for each the peer's answer, or why not.

        Raises:
            ZatoError: Nobody knows what became of any of them.
        """
        from zato.proto.connector.v1 import connector_pb2 as contract

        request = contract.PublishRequest(
            connection=name,
            messages=[
                contract.OutgoingMessage(id=each.id, body=each.body, options_json=encode_options(each.options))
                for each in messages
            ],
        )
        return [_result_of(each) for each in self.call("Publish", request, timeout_s=timeout_s).results]

    def ping(self, kind: str, name: str, timeout_s: float = 5.0) -> None:
        """Raise Unavailable, saying why, unless the object's peer answers a connector."""
        from zato.proto.connector.v1 import connector_pb2 as contract

        self.call("Ping", contract.PingRequest(kind=kind, name=name), timeout_s=timeout_s)

    def statuses(self, timeout_s: float = 2.0) -> "list[tuple[str, Any]]":
        """Return for each address what the connector there tells of itself, a ZatoError where none does."""
        from zato.proto.connector.v1 import connector_pb2 as contract

        self._open()
        asked = [
            gevent.spawn(_status_of, client, stub, contract.GetStatusRequest(), timeout_s) for client, stub in self._clients
        ]
        return [(address, each.get()) for address, each in zip(self._addresses, asked, strict=True)]

    def call(self, method: str, request: Any, *, timeout_s: float) -> Any:
        """
        Call a connector; the next one where nobody takes the call.

        Raises:
            ZatoError: What the connector raised; Unreachable where none takes the call.
        """
        failure: ZatoError = NotSent("This server knows no connector of the protocol: set its addresses in the settings")
        answered: ZatoError | None = None
        for client, stub in self._in_turn():
            try:
                return client.call(getattr(stub, method), request, timeout_s=timeout_s)
            except Unreachable as exc:
                failure = exc
            except Unavailable as exc:
                if type(exc) is not Unavailable:
                    raise
                # One that is there knows more than that another one is not.
                answered = exc
        raise answered or failure

    def _publish_within(self, connection: str, message: Stored, timeout_s: float, *, is_patient: bool) -> bytes:
        deadline, pause_s, is_in_doubt = time.monotonic() + timeout_s, _FIRST_PAUSE_S, False
        while True:
            remaining_s = deadline - time.monotonic()
            try:
                result = self.send_stored(connection, [message], max(0.05, remaining_s))[0]
                if isinstance(result, ZatoError):
                    raise result
                return result
            except (Unavailable, DeadlineExceeded) as exc:
                is_in_doubt = is_in_doubt or isinstance(exc, InDoubt | WorkerLost | DeadlineExceeded)
                if not is_patient or remaining_s <= pause_s:
                    error = InDoubt if is_in_doubt else NotSent
                    raise error(f"'{connection}' did not confirm the message within {timeout_s:g} s: {exc.message}") from exc
            time.sleep(pause_s)
            pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)

    def _in_turn(self) -> "list[tuple[Client, Any]]":
        self._open()
        # Workers begin with different ones.
        turn = (os.getpid() + next(self._turns)) % max(1, len(self._clients))
        return self._clients[turn:] + self._clients[:turn]

    def _open(self) -> None:
        if not self._clients and self._addresses:
            from grpc.experimental.gevent import init_gevent

            from zato.proto.connector.v1.connector_pb2_grpc import ConnectorStub

            init_gevent()
            clients = [self._connect(address) for address in self._addresses]
            self._clients = [(client, ConnectorStub(client.channel)) for client in clients]


def _status_of(client: "Client", stub: Any, request: Any, timeout_s: float) -> Any:
    try:
        return client.call(stub.GetStatus, request, timeout_s=timeout_s)
    except ZatoError as exc:
        return exc


def encode_options(options: Mapping[str, Any]) -> bytes:
    try:
        return json.dumps(dict(options)).encode()
    except (TypeError, ValueError) as exc:
        raise InvalidOptions(f"Options of a message take text, numbers, lists and dictionaries only: {exc}") from exc


def _result_of(result: Any) -> bytes | ZatoError:
    if result.HasField("error"):
        detail = result.error
        return error_from(detail.type, detail.message, detail.attributes, grpc_code_of(detail.http_status))
    return bytes(result.reply)


class AMQPSender:
    """
    `self.out.amqp`, and `self.amqp`.

    Args:
        component: What the header X-Zato-Component says: who sent it.
    """

    def __init__(self, connector: ConnectorClient, component: str) -> None:
        self._connector = connector
        self._component = component

    def send(
        self,
        msg: Any,
        out_name: str,
        exchange: str = "",
        routing_key: str = "",
        properties: Mapping[str, Any] | None = None,
        headers: Mapping[str, Any] | None = None,
        *,
        mandatory: bool | None = None,
        timeout_s: float = DEFAULT_WAIT_S,
    ) -> None:
        """
        Send a message, and return once the broker has confirmed it.

        Args:
            msg: Text or bytes as they are; anything else as JSON.
            out_name: Name of the outgoing connection.
            properties: Override the connection's: content_type, priority, expiration, correlation_id and so on.
            headers: Beside X-Zato-Component, X-Zato-Msg-TS and X-Zato-CID, which they may override.
            timeout_s: How long to wait for the broker to confirm, and for one that is away; 0 tries once.

        Raises:
            As `ConnectorClient.publish`.
        """
        options = self._options(exchange, routing_key, properties, headers, mandatory)
        self._connector.publish(out_name, encode_body(msg), options, timeout_s=timeout_s)

    # What it is called in later releases.
    invoke = send

    def invoke_async(
        self,
        msg: Any,
        out_name: str,
        exchange: str = "",
        routing_key: str = "",
        properties: Mapping[str, Any] | None = None,
        headers: Mapping[str, Any] | None = None,
        *,
        mandatory: bool | None = None,
    ) -> str:
        """
        Have a message sent soon, whatever the broker does meanwhile, and return the id that it is sent under.

        What the broker refuses is among the dead letters of the connection.

        Raises:
            As `ConnectorClient.publish_later`.
        """
        options = self._options(exchange, routing_key, properties, headers, mandatory)
        return self._connector.publish_later(out_name, encode_body(msg), options)

    def _options(
        self,
        exchange: str,
        routing_key: str,
        properties: Mapping[str, Any] | None,
        headers: Mapping[str, Any] | None,
        mandatory: bool | None,
    ) -> dict[str, Any]:
        ours = {"X-Zato-Component": self._component, "X-Zato-Msg-TS": datetime.now(UTC).isoformat()}
        if cid := current_cid():
            ours[CID_HEADER] = cid
        given = {"exchange": exchange or None, "routing_key": routing_key or None, "mandatory": mandatory}
        options = {name: value for name, value in given.items() if value is not None}
        return {**options, "properties": dict(properties or {}), "headers": {**ours, **(headers or {})}}


class ZMQSender:
    """`self.out.zmq`."""

    def __init__(self, connector: ConnectorClient) -> None:
        self._connector = connector

    def send(self, msg: Any, out_name: str, *, topic: str = "", timeout_s: float = DEFAULT_WAIT_S) -> bytes:
        """
        Send a message, and return what the peer answered: b"" where the socket's type has no answers.

        What a return without an error means is the type's: PUSH and PUB handed it to a socket, REQ has an answer, and
        DEALER, acknowledged, has the peer's word that it is done.

        Args:
            msg: Text or bytes as they are; anything else as JSON.
            out_name: Name of the outgoing connection.
            topic: PUB: a frame before the message, that subscribers choose by.
            timeout_s: How long to wait for a peer that is away or has no room; 0 tries once.

        Raises:
            As `ConnectorClient.publish`.
        """
        options = {"topic": topic} if topic else {}
        return self._connector.publish(out_name, encode_body(msg), options, timeout_s=timeout_s)


class JMSWMQSender:
    """`self.out.jms_wmq`."""

    def __init__(self, connector: ConnectorClient) -> None:
        self._connector = connector

    def send(
        self,
        msg: Any,
        out_name: str,
        queue: str = "",
        delivery_mode: int | None = None,
        expiration: int | None = None,
        priority: int | None = None,
        max_chars_printed: int | None = None,
        *,
        correlation_id: str = "",
        msg_id: str = "",
        reply_to: str = "",
        properties: Mapping[str, Any] | None = None,
        timeout_s: float = DEFAULT_WAIT_S,
        **more: Any,
    ) -> str:
        """
        Send a message, and return its id once the queue manager or broker has it.

        Args:
            msg: Text as it is, bytes as a message of bytes, anything else as JSON.
            out_name: Name of the outgoing connection.
            queue: Where to; the connection's own when empty.
            delivery_mode: 2 to survive the peer's restart, 1 not to. This and what follows override the connection's.
            expiration: Milliseconds after which an unread message goes; 0 for never.
            priority: 0 to 9.
            max_chars_printed: How much of it the connector logs.
            msg_id: Where the provider lets senders choose: mqi and amqp10.
            properties: Of the message: text, numbers, truth values.
            timeout_s: How long to wait for a peer that is away; 0 tries once.
            more: `type`, `group_id` and `group_sequence`.

        Raises:
            As `ConnectorClient.publish`.
        """
        options = {
            "queue": queue,
            "delivery_mode": delivery_mode,
            "expiration": expiration,
            "priority": priority,
            "max_chars_printed": max_chars_printed,
            "correlation_id": correlation_id,
            "msg_id": msg_id,
            "reply_to": reply_to,
            "properties": dict(properties or {}),
            "is_text": not isinstance(msg, bytes),
            **more,
        }
        return self._connector.publish(out_name, encode_body(msg), options, timeout_s=timeout_s).decode()


class IBMMQSender:
    """`self.out.ibm_mq` and `self.out.wmq`: what `self.out.jms_wmq` is, with the parameters of later releases."""

    def __init__(self, connector: ConnectorClient) -> None:
        self._sender = JMSWMQSender(connector)

    def send(
        self,
        msg: Any,
        outconn_name: str,
        queue_name: str = "",
        correlation_id: str = "",
        msg_id: str = "",
        reply_to: str = "",
        expiration: int | None = None,
        priority: int | None = None,
        delivery_mode: int | None = None,
        **more: Any,
    ) -> str:
        """See `JMSWMQSender.send`."""
        return self._sender.send(
            msg,
            outconn_name,
            queue_name,
            delivery_mode,
            expiration,
            priority,
            correlation_id=correlation_id,
            msg_id=msg_id,
            reply_to=reply_to,
            **more,
        )


def encode_body(msg: Any) -> bytes:
    """Return what goes out of what a service sends: text and bytes as they are, anything else as JSON."""
    if isinstance(msg, bytes):
        return msg
    if isinstance(msg, str):
        return msg.encode()
    from zato.server.http.formats import dump_json

    return dump_json(msg)
