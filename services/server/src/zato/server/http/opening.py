"""What comes before HTTP on a connection: a load-balancer's word on who the client is, and TLS."""

import contextlib
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gevent
from gevent.socket import socket as GeventSocket
from gevent.ssl import SSLContext, SSLSocket

from zato.common.errors import BadRequest, InvalidOptions
from zato.common.logs import get_logger
from zato.server.http.proxy_protocol import read_proxy_header

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Opening:
    """
    Args:
        is_proxied: Whether connections from an address begin with the header of the PROXY protocol.
        tls: None where HTTP is spoken as it is.
        timeout_s: For all of it together.
    """

    is_proxied: Callable[[str], bool]
    tls: SSLContext | None
    timeout_s: float

    def open(self, socket: Any, address: str) -> tuple[Any, str] | None:
        """Return the socket to go on with, and the client's address; None when there is no more to be said to it."""
        try:
            with gevent.Timeout(self.timeout_s, TimeoutError("It took too long")):
                if self.is_proxied(address):
                    address = read_proxy_header(lambda count: _receive(socket, count)) or address
                if self.tls is not None:
                    socket = self.tls.wrap_socket(socket, server_side=True, do_handshake_on_connect=False)
                    socket.do_handshake()
        except (BadRequest, EOFError, OSError) as exc:
            log.info("connection_not_opened", remote_address=address, reason=str(exc)[:200])
            socket.close()
            return None
        return socket, address


def _receive(socket: Any, count: int) -> bytes:
    data = b""
    while len(data) < count:
        part = socket.recv(count - len(data))
        if not part:
            raise EOFError("The connection ended within the header of the PROXY protocol")
        data += part
    return data


def close(socket: Any) -> None:
    """Close; of TLS say the end first, by which a client knows that it was not cut off. Nobody waits for an answer to that."""
    if isinstance(socket, SSLSocket):
        with contextlib.suppress(OSError, ValueError):
            socket.settimeout(0)
            socket.unwrap()
    socket.close()


def server_tls(certificate: Path, key: Path) -> SSLContext:
    """Raises InvalidOptions when they cannot be used, naming them."""
    context = SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    try:
        context.load_cert_chain(certificate, key)
    except (OSError, ssl.SSLError) as exc:
        raise InvalidOptions(
            f"'http_tls_certificate' and 'http_tls_key' ({certificate}, {key}) cannot be used: {exc}"
        ) from None
    return context


def shutdown(socket: Any, how: int) -> None:
    """
    End one direction, or both, of the connection below.

    That of an SSLSocket itself would first forget that there is TLS, and go on in the clear.
    """
    with contextlib.suppress(OSError):
        GeventSocket.shutdown(socket, how)
