"""A running outgoing connection. What "sent" means differs: see `publish` of each."""

import contextlib
import threading
import time
from collections.abc import Sequence
from typing import Protocol

import zmq

from zato.common.connectors.errors import InDoubt, NotSent, Refused
from zato.common.connectors.messages import Outgoing
from zato.common.connectors.objects import Configured
from zato.common.connectors.running import Context
from zato.common.errors import Unavailable, ZatoError
from zato.common.logs import get_logger
from zato.connector_zmq import acknowledged
from zato.connector_zmq.acknowledged import ACK, MSG, Frames
from zato.connector_zmq.kinds import OutgoingOptions
from zato.connector_zmq.sockets import ConfiguredSocket

log = get_logger(__name__)

_OPEN_AGAIN_S = 0.3
_TURN_MS = 20
_IDLE_TURN_S = 0.1
_JOIN_S = 5.0
_LONGEST_TOPIC = 250


class ZMQOutgoing:
    """
    One socket, used under a lock, and a thread that opens it and sees to what comes in while nobody sends.

    Raises of `publish`, per message: NotSent when it is in no socket, InDoubt when a peer may have it, Refused.
    """

    def __init__(self, configured: Configured, context: Context) -> None:
        self._name = configured.name
        self._options: OutgoingOptions = configured.options
        self._context = context
        self._lock = threading.RLock()
        self._socket: ConfiguredSocket | None = None
        self._is_stopping = threading.Event()
        self._way = _way(self._options)
        self._thread = threading.Thread(target=self._run, name=f"zmq-{self._name}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, drain_s: float) -> None:
        self._is_stopping.set()
        if self._thread.is_alive():
            self._thread.join(_JOIN_S)
        if self._lock.acquire(timeout=max(drain_s, 0.1)):
            with contextlib.ExitStack() as stack:
                stack.callback(self._lock.release)
                configured, self._socket = self._socket, None
                if configured is not None:
                    configured.close()

    def publish(self, messages: Sequence[Outgoing], timeout_s: float) -> list[bytes | ZatoError]:
        deadline = time.monotonic() + timeout_s
        if not self._lock.acquire(timeout=timeout_s):
            return [NotSent(f"'{self._name}' is busy with earlier messages") for _ in messages]
        try:
            if self._socket is None:
                error = self._context.state.error or "its socket is not open"
                return [NotSent(f"'{self._name}' cannot send: {error}") for _ in messages]
            return self._way.send(self._name, self._socket.socket, messages, deadline)
        finally:
            self._lock.release()

    def _run(self) -> None:
        while not self._is_stopping.is_set():
            try:
                with self._lock:
                    if self._socket is None:
                        self._open()
                    else:
                        self._socket.read_monitor()
                        self._way.idle(self._socket.socket)
            except Unavailable as exc:
                self._context.report(False, exc.message)
                self._is_stopping.wait(_OPEN_AGAIN_S)
            except Exception:  # this thread must not end, whatever we did not think of
                log.exception("socket_failed", connection=self._name)
            self._is_stopping.wait(_IDLE_TURN_S)

    def _open(self) -> None:
        options = self._options
        made = ConfiguredSocket(options, options.socket_type, options.socket_method, options.snd_hwm, self._context.report)
        try:
            made.open()
        except BaseException:
            made.close()
            raise
        self._socket = made


class _Way(Protocol):
    def send(
        self, name: str, socket: "zmq.Socket[bytes]", messages: Sequence[Outgoing], deadline: float
    ) -> list[bytes | ZatoError]: ...

    def idle(self, socket: "zmq.Socket[bytes]") -> None:
        """Nobody sends: take what came in."""


class _Pushed:
    """PUSH, and DEALER with plain frames: a success says that a socket has it, of which a peer that dies may lose it."""

    def send(
        self, name: str, socket: "zmq.Socket[bytes]", messages: Sequence[Outgoing], deadline: float
    ) -> list[bytes | ZatoError]:
        return [self._send_one(name, socket, message, deadline) for message in messages]

    def _send_one(self, name: str, socket: "zmq.Socket[bytes]", message: Outgoing, deadline: float) -> bytes | ZatoError:
        if not socket.poll(_left_ms(deadline), zmq.POLLOUT):
            return NotSent(f"'{name}' has no peer with room for the message: is one there, and does it read?")
        socket.send(message.body, zmq.NOBLOCK)
        return b""

    def idle(self, socket: "zmq.Socket[bytes]") -> None:
        while socket.type == zmq.DEALER and socket.poll(0):
            socket.recv_multipart(zmq.NOBLOCK)


class _Published:
    """PUB: who subscribes gets it, unless it is too slow; that nobody does is no error but waited for, the first time."""

    def __init__(self, wait_s: float) -> None:
        self._wait_s = wait_s
        self._subscriptions = 0

    def send(
        self, name: str, socket: "zmq.Socket[bytes]", messages: Sequence[Outgoing], deadline: float
    ) -> list[bytes | ZatoError]:
        until = min(deadline, time.monotonic() + self._wait_s)
        self.idle(socket)
        while not self._subscriptions and time.monotonic() < until:
            socket.poll(_TURN_MS)
            self.idle(socket)
        self._wait_s = 0.0
        results: list[bytes | ZatoError] = []
        for message in messages:
            topic = message.options.get("topic", "")
            if not isinstance(topic, str) or len(topic) > _LONGEST_TOPIC:
                results.append(Refused(f"'topic' takes a text of at most {_LONGEST_TOPIC} characters"))
                continue
            socket.send_multipart([topic.encode(), message.body] if topic else [message.body])
            results.append(b"")
        return results

    def idle(self, socket: "zmq.Socket[bytes]") -> None:
        while socket.poll(0):
            frame = socket.recv()
            self._subscriptions += {b"\x01": 1, b"\x00": -1}.get(frame[:1], 0)


class _Requested(_Pushed):
    """REQ: the peer's answer is the result."""

    def _send_one(self, name: str, socket: "zmq.Socket[bytes]", message: Outgoing, deadline: float) -> bytes | ZatoError:
        sent = super()._send_one(name, socket, message, deadline)
        if isinstance(sent, ZatoError):
            return sent
        if not socket.poll(_left_ms(deadline)):
            return InDoubt(f"The peer of '{name}' did not answer in time")
        return b"".join(socket.recv_multipart())

    def idle(self, socket: "zmq.Socket[bytes]") -> None:
        return


class _Confirmed:
    """DEALER with the acknowledged protocol: a success says that the peer has done it."""

    def __init__(self, resend_after_s: float) -> None:
        self._resend_after_s = resend_after_s

    def send(
        self, name: str, socket: "zmq.Socket[bytes]", messages: Sequence[Outgoing], deadline: float
    ) -> list[bytes | ZatoError]:
        waiting = {message.id: message for message in messages}
        results: dict[str, bytes | ZatoError] = {}
        was_sent: set[str] = set()
        while waiting and time.monotonic() < deadline:
            resend_at = min(deadline, time.monotonic() + self._resend_after_s)
            for message in waiting.values():
                if not socket.poll(_left_ms(resend_at), zmq.POLLOUT):
                    break
                socket.send_multipart(Frames(MSG, message.id, message.body).encode(), zmq.NOBLOCK)
                was_sent.add(message.id)
            while waiting and socket.poll(_left_ms(resend_at)):
                answer = _decoded(socket.recv_multipart())
                if answer is None or waiting.pop(answer.id, None) is None:
                    continue
                refusal = answer.content.decode(errors="replace")
                results[answer.id] = answer.content if answer.kind == ACK else Refused(f"The peer of '{name}': {refusal}")
        for message_id in waiting:
            if message_id in was_sent:
                results[message_id] = InDoubt(f"The peer of '{name}' did not acknowledge the message in time")
            else:
                results[message_id] = NotSent(f"'{name}' has no peer with room for the message: is one there?")
        return [results[message.id] for message in messages]

    def idle(self, socket: "zmq.Socket[bytes]") -> None:
        """Answers that came after we stopped to wait for them: whoever sends the message again is answered again."""
        while socket.poll(0):
            socket.recv_multipart(zmq.NOBLOCK)


def _decoded(frames: list[bytes]) -> Frames | None:
    try:
        made = acknowledged.decode(frames)
    except ValueError as exc:
        log.warning("frames_thrown_away", reason=str(exc))
        return None
    return made if made.kind != MSG else None


def _way(options: OutgoingOptions) -> _Way:
    if options.socket_type == "PUB":
        return _Published(options.wait_for_subscriber_s)
    if options.socket_type == "REQ":
        return _Requested()
    if options.socket_type == "DEALER" and options.is_acknowledged:
        return _Confirmed(options.resend_after_s)
    return _Pushed()


def _left_ms(deadline: float) -> int:
    return max(0, int((deadline - time.monotonic()) * 1000))
