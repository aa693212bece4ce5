"""The thread that owns a channel's socket: reads while there is room, sends answers, sees connections come and go."""

import contextlib
import os
import queue
import threading
import time
from dataclasses import dataclass
from typing import Any, Protocol

import zmq

from zato.common.errors import Unavailable
from zato.common.logs import get_logger
from zato.connector_zmq.acknowledged import Memory
from zato.connector_zmq.kinds import ChannelOptions
from zato.connector_zmq.sockets import ConfiguredSocket

log = get_logger(__name__)

_POLL_MS = 200
_READ_AT_ONCE = 200
_BIND_AGAIN_S = 0.3
# What peers had on its way when they were left arrives within this, or it is still at them.
_QUIET_MS = 100
_JOIN_S = 5.0


class Receiver(Protocol):
    """What a socket's messages go to. Called in the engine's thread, but for `attach`, which comes first."""

    def attach(self, engine: "Engine") -> None: ...

    def has_room(self) -> bool: ...

    def take(self, frames: list[bytes]) -> None: ...

    def report(self, is_connected: bool, error: str) -> None: ...


@dataclass(frozen=True)
class SocketSettings:
    """What a socket is made of: a channel that changes in nothing of it keeps its socket."""

    values: tuple[Any, ...]

    @classmethod
    def of(cls, options: ChannelOptions) -> "SocketSettings":
        names = (
            "address linger_ms reconnect_min_ms reconnect_max_ms heartbeat_ms max_message_bytes curve_public_key "
            "curve_secret_key curve_server_key curve_client_keys socket_type socket_method rcv_hwm sub_key"
        )
        return cls(tuple(getattr(options, name) for name in names.split()))


class Engine:
    """
    One socket and its thread.

    Args:
        receiver: Whom its messages go to; `hand_over` names another one.
    """

    def __init__(self, name: str, options: ChannelOptions, receiver: Receiver) -> None:
        self._name = name
        self._options = options
        self.settings = SocketSettings.of(options)
        self.receiver = receiver
        self._last_report = (False, "")
        self._answers: queue.SimpleQueue[list[bytes]] = queue.SimpleQueue()
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._wake_lock = threading.Lock()
        self._is_leaving = threading.Event()
        self._keeps_address = False
        self._has_left = threading.Event()
        self._is_closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"zmq-{name}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def hand_over(self, receiver: Receiver) -> None:
        """From now on messages go to another one; none is lost, since the socket stays."""
        receiver.attach(self)
        self.receiver = receiver
        receiver.report(*self._last_report)
        self.wake()

    def answer(self, frames: list[bytes]) -> None:
        """Send frames from any thread."""
        self._answers.put(frames)
        self.wake()

    def wake(self) -> None:
        """There is something to do: an answer, or room."""
        with self._wake_lock:
            if self._wake >= 0:
                with contextlib.suppress(BlockingIOError):
                    os.eventfd_write(self._wake, 1)

    def leave(self, timeout_s: float, *, keeps_address: bool = False) -> None:
        """
        Take no new messages. Returns when that is so, or the time is up.

        Args:
            keeps_address: Peers get their answers still, and keep what they have not sent. Otherwise the address is free
                for a successor, connections end, and what is in the socket is handed on.
        """
        self._keeps_address = keeps_address
        self._is_leaving.set()
        self.wake()
        self._has_left.wait(timeout_s)

    def close(self) -> None:
        """Send what is to be sent, then end."""
        self._is_leaving.set()
        self._is_closing.set()
        self.wake()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join(_JOIN_S)

    def _report(self, is_connected: bool, error: str) -> None:
        self._last_report = (is_connected, error)
        self.receiver.report(is_connected, error)

    def _run(self) -> None:
        configured: ConfiguredSocket | None = None
        try:
            configured = self._open()
            if configured is not None:
                self._serve(configured)
        except Exception as exc:
            log.exception("socket_failed", channel=self._name)
            self._report(False, f"Its socket failed: {type(exc).__name__}; see socket_failed in the log")
        finally:
            self._has_left.set()
            if configured is not None:
                configured.close()
            with self._wake_lock:
                os.close(self._wake)
                self._wake = -1

    def _open(self) -> ConfiguredSocket | None:
        """Wait until the address is free: another replica on this machine may have it, and die."""
        options = self._options
        while not self._is_leaving.is_set():
            configured = ConfiguredSocket(options, options.socket_type, options.socket_method, options.rcv_hwm, self._report)
            if options.socket_type == "SUB":
                for topic in options.topics():
                    configured.socket.subscribe(topic)
            try:
                configured.open()
            except Unavailable as exc:
                configured.close()
                self._report(False, exc.message)
                self._is_leaving.wait(_BIND_AGAIN_S)
            except BaseException:
                configured.close()
                raise
            else:
                return configured
        return None

    def _serve(self, configured: ConfiguredSocket) -> None:
        socket = configured.socket
        poller = zmq.Poller()
        poller.register(self._wake, zmq.POLLIN)
        poller.register(configured.monitor, zmq.POLLIN)
        while not self._is_closing.is_set():
            if self._is_leaving.is_set() and not self._has_left.is_set():
                if not self._keeps_address:
                    # With its address libzmq ends the connections that came in there.
                    configured.leave()
                    self._read_rest(socket)
                self._has_left.set()
            can_read = not self._has_left.is_set() and self.receiver.has_room()
            poller.register(socket, zmq.POLLIN if can_read else 0)
            ready = dict(poller.poll(_POLL_MS))
            if self._wake in ready:
                os.eventfd_read(self._wake)
            if configured.monitor in ready:
                configured.read_monitor()
            self._send_answers(socket)
            if can_read and socket in ready:
                self._read(socket, _READ_AT_ONCE)
        self._send_answers(socket)

    def _read(self, socket: "zmq.Socket[bytes]", at_most: int) -> None:
        for _ in range(at_most):
            if not self.receiver.has_room():
                return
            try:
                frames = socket.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return
            self.receiver.take(frames)

    def _read_rest(self, socket: "zmq.Socket[bytes]") -> None:
        deadline = time.monotonic() + _JOIN_S
        while time.monotonic() < deadline and socket.poll(_QUIET_MS):
            self.receiver.take(socket.recv_multipart())
            self._send_answers(socket)

    def _send_answers(self, socket: "zmq.Socket[bytes]") -> None:
        while True:
            try:
                frames = self._answers.get_nowait()
            except queue.Empty:
                return
            try:
                socket.send_multipart(frames, zmq.NOBLOCK)
            except zmq.ZMQError as exc:
                # Its peer is gone or does not read. In the acknowledged protocol it asks again.
                log.warning("answer_not_sent", channel=self._name, error=exc.strerror)


class Engines:
    """Those that run, by the ids of their channels: a channel's successor takes over its socket."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._engines: dict[int, Engine] = {}
        self._memories: dict[int, Memory] = {}

    def memory_of(self, object_id: int) -> Memory:
        """Return what a channel remembers, which lasts over its changes, until it runs no more."""
        with self._lock:
            return self._memories.setdefault(object_id, Memory())

    def attach(self, object_id: int, name: str, options: ChannelOptions, receiver: Receiver) -> None:
        """Give a channel its engine, which is the one of its predecessor if the socket stays the same."""
        with self._lock:
            before = self._engines.get(object_id)
            if before is not None and before.settings == SocketSettings.of(options):
                before.hand_over(receiver)
                return
            if before is not None:
                # The address is free then. The predecessor itself ends it, once it has sent its answers.
                before.leave(_JOIN_S)
            engine = self._engines[object_id] = Engine(name, options, receiver)
            receiver.attach(engine)
            engine.start()

    def release(self, object_id: int, engine: Engine, receiver: Receiver) -> bool:
        """Return whether the engine is still the receiver's, who then has to end it. Nobody takes it over any more."""
        with self._lock:
            if engine.receiver is not receiver:
                return False
            if self._engines.get(object_id) is engine:
                del self._engines[object_id]
                self._memories.pop(object_id, None)
            return True
