"""One ZeroMQ socket as it is configured, with its keys, and what it says of its connections."""

import contextlib
from collections.abc import Callable

import zmq
from zmq.auth.thread import ThreadAuthenticator
from zmq.utils.monitor import recv_monitor_message

from zato.common.errors import Unavailable
from zato.connector_zmq.kinds import SocketOptions

_TYPES = {
    "PULL": zmq.PULL,
    "SUB": zmq.SUB,
    # Serves many REQ peers at a time, where one that hangs would stop a socket of the type REP.
    "REP": zmq.ROUTER,
    "ROUTER": zmq.ROUTER,
    "PUSH": zmq.PUSH,
    # The same as PUB on the wire, and we hear who subscribes.
    "PUB": zmq.XPUB,
    "REQ": zmq.REQ,
    "DEALER": zmq.DEALER,
}
# The domain has to be one by name: the authenticator does not take "*" for a domain that a socket has set.
_ZAP_DOMAIN = "zato"
REFUSED = {
    zmq.EVENT_HANDSHAKE_FAILED_AUTH: "the peer does not let our CURVE key in",
    zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL: "the peer does not speak as we do: does only one side have CURVE?",
    zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL: "the handshake failed: is the peer's CURVE key right?",
}


class ConfiguredSocket:
    """
    A socket of its own context, for one thread at a time.

    Args:
        report: Called with whether it is connected, and why not.
    """

    def __init__(
        self, options: SocketOptions, socket_type: str, method: str, hwm: int, report: Callable[[bool, str], None]
    ) -> None:
        self._options = options
        self._method = method
        self._report = report
        self._peers = 0
        self.context = zmq.Context()
        self._authenticator: ThreadAuthenticator | None = None
        self.socket: zmq.Socket[bytes] = self.context.socket(_TYPES[socket_type])
        self.socket.set_hwm(hwm)
        self._set_up(socket_type)
        self.monitor: zmq.Socket[bytes] = self.socket.get_monitor_socket()

    def _set_up(self, socket_type: str) -> None:
        options, socket = self._options, self.socket
        socket.linger = options.linger_ms
        socket.reconnect_ivl, socket.reconnect_ivl_max = options.reconnect_min_ms, options.reconnect_max_ms
        socket.maxmsgsize = options.max_message_bytes
        socket.ipv6 = any("[" in address for address in options.address)
        socket.tcp_keepalive = 1
        if options.heartbeat_ms:
            socket.heartbeat_ivl, socket.heartbeat_timeout = options.heartbeat_ms, options.heartbeat_ms * 3
        if socket_type in ("REP", "ROUTER"):
            # A peer that comes back under its identity is not locked out by its own dead connection.
            socket.router_handover = 1
        if socket_type in ("PUSH", "DEALER", "REQ"):
            # Nothing waits for a peer that was never there.
            socket.immediate = 1
        if socket_type == "REQ":
            # After an answer that did not come the next question may be asked, and a late answer is not taken for its.
            socket.req_relaxed = socket.req_correlate = 1
        if not options.curve_secret_key:
            return
        socket.curve_publickey, socket.curve_secretkey = options.curve_public_key.encode(), options.curve_secret_key.encode()
        if options.curve_server_key:
            socket.curve_serverkey = options.curve_server_key.encode()
            return
        socket.curve_server = 1
        socket.zap_domain = _ZAP_DOMAIN.encode()
        self._authenticator = ThreadAuthenticator(self.context)
        self._authenticator.start()
        self._authenticator.configure_curve_callback(_ZAP_DOMAIN, _Allowed(options.curve_client_keys))

    def open(self) -> None:
        """
        Bind or connect.

        Raises:
            Unavailable: The address is taken, or no address of this machine.
        """
        for address in self._options.address:
            try:
                if self._method == "bind":
                    self.socket.bind(address)
                else:
                    self.socket.connect(address)
            except zmq.ZMQError as exc:
                for opened in self._options.address:
                    with contextlib.suppress(zmq.ZMQError):
                        self.socket.unbind(opened)
                raise Unavailable(f"ZeroMQ cannot {self._method} {address}: {exc.strerror}") from exc
        if self._method == "bind":
            self._report(True, "")

    def leave(self) -> None:
        """Take no new peers; what those that are there have sent can still be read."""
        for address in self._options.address:
            with contextlib.suppress(zmq.ZMQError):
                if self._method == "bind":
                    self.socket.unbind(address)
                else:
                    self.socket.disconnect(address)

    def read_monitor(self) -> None:
        """Take up what happened to connections."""
        while self.monitor.poll(0):
            event = zmq.Event(recv_monitor_message(self.monitor)["event"])
            if event == zmq.EVENT_HANDSHAKE_SUCCEEDED:
                self._peers += 1
                self._report(True, "")
            elif event == zmq.EVENT_DISCONNECTED and self._method == "connect":
                self._peers = max(0, self._peers - 1)
                if not self._peers:
                    self._report(False, f"The peer at {', '.join(self._options.address)} is gone")
            elif event in REFUSED and self._method == "connect":
                self._report(False, f"{', '.join(self._options.address)}: {REFUSED[event]}")

    def close(self) -> None:
        self.socket.disable_monitor()
        self.monitor.close(linger=0)
        if self._authenticator is not None:
            self._authenticator.stop()
        self.socket.close()
        self.context.term()


class _Allowed:
    """Tells the authenticator which keys, in Z85, to let in; all when it is given none."""

    def __init__(self, keys: tuple[str, ...]) -> None:
        self._keys = frozenset(key.encode() for key in keys)

    def callback(self, _domain: str, key: bytes) -> bool:
        return not self._keys or key in self._keys
