"""Whether somebody is at an object's addresses: its peers, or where we listen ourselves, we."""

import contextlib
import socket
import time

import zmq
from zmq.utils.monitor import recv_monitor_message

from zato.common.connectors.objects import Configured
from zato.common.errors import Unavailable
from zato.connector_zmq.sockets import REFUSED, ConfiguredSocket

_TIMEOUT_S = 3.0


def ping_channel(configured: Configured) -> None:
    """
    Connect, and say nothing: a socket that goes on to the handshake would be given messages, which nobody would read.

    Raises:
        Unavailable: Nobody answers at any of the addresses.
    """
    reason = ""
    for address in configured.options.address:
        try:
            _knock(address)
        except OSError as exc:
            reason = f"{address}: {exc.strerror or exc}"
        else:
            return
    raise Unavailable(f"Nobody answers: {reason}")


def ping_outgoing(configured: Configured) -> None:
    """
    Connect as far as the handshake, keys included; where we listen, show that we do.

    Raises:
        Unavailable: Nobody answers, or the handshake fails; says why.
    """
    options = configured.options
    if options.socket_method == "bind":
        ping_channel(configured)
        return
    made = ConfiguredSocket(options, options.socket_type, "connect", 1, lambda *_: None)
    try:
        made.open()
        deadline = time.monotonic() + _TIMEOUT_S
        while (left_s := deadline - time.monotonic()) > 0 and made.monitor.poll(max(1, int(left_s * 1000))):
            event = zmq.Event(recv_monitor_message(made.monitor)["event"])
            if event == zmq.EVENT_HANDSHAKE_SUCCEEDED:
                return
            if event in REFUSED:
                raise Unavailable(f"{', '.join(options.address)}: {REFUSED[event]}")
        raise Unavailable(f"Nobody answers at {', '.join(options.address)} within {_TIMEOUT_S:g} s")
    finally:
        made.close()


def _knock(address: str) -> None:
    scheme, _, rest = address.partition("://")
    if scheme == "ipc":
        with contextlib.closing(socket.socket(socket.AF_UNIX)) as connection:
            connection.settimeout(_TIMEOUT_S)
            connection.connect(rest)
        return
    host, _, port = rest.rpartition(":")
    host = "127.0.0.1" if host == "*" else host.strip("[]")
    socket.create_connection((host, int(port)), _TIMEOUT_S).close()
