"""Asking whether something works, without any library and in less than a second."""

import socket
from collections.abc import Mapping

from zato.common.lifecycle.ports import split_address

_TIMEOUT_S = 1.0


def is_listening(address: str) -> bool:
    """Whether somebody takes connections there, whatever they speak."""
    try:
        socket.create_connection(split_address(address), timeout=_TIMEOUT_S).close()
    except OSError:
        return False
    return True


def http_status(address: str, path: str, headers: Mapping[str, str] | None = None, *, is_tls: bool = False) -> int:
    """
    Return the status that `GET path` gives, or 0 when nobody answers in time.

    Not urllib: it would ask a proxy from the environment. With TLS the certificate may be anybody's: this asks our own parts,
    by addresses that are in no certificate.
    """
    # Each part declares how it is probed, and most commands probe nothing.
    import http.client
    import ssl

    host, port = split_address(address)
    connection = http.client.HTTPConnection(host, port, timeout=_TIMEOUT_S)
    if is_tls:
        context = ssl._create_unverified_context()  # noqa: S323  # nosec B323
        connection = http.client.HTTPSConnection(host, port, timeout=_TIMEOUT_S, context=context)
    try:
        connection.request("GET", path, headers=dict(headers or {}))
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        connection.close()
