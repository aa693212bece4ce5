"""
TLS handshakes that came to nothing, as gRPC's core tells of them.

It refuses a certificate before any code of ours could: there is no callback, and Python is handed no connection. All it
does is to write a line to the process's standard error, in a form of its own and without the other side's address:

    I1124 18:30:31.508848    4919 ssl_transport_security.cc:2563] Handshake failed with error SSL_ERROR_SSL: …

So standard error (file descriptor 2) becomes a pipe that is read here. These lines become events of the log and are told
to the audit log; all others go on as they came. What Python itself writes does not take this way. Of a server whose
certificate is for another place no such line comes: there the call fails, see `zato.common.rpc.distrust`.
"""

import contextlib
import fcntl
import logging
import os
import sys
import threading
from collections.abc import Callable, Iterator
from typing import TextIO

from zato.common.logs import get_logger
from zato.common.rpc.refusals import HANDSHAKE, Refusal
from zato.common.rpc.tls import TLSFiles

log = get_logger(__name__)

_STDERR = 2
_PIPE_BYTES = 1024 * 1024
_READ_BYTES = 64 * 1024
# A child that inherited the pipe may keep it open.
_END_S = 1.0
_FAILED = b"] Handshake failed with error "
# By what BoringSSL says. The first that fits holds.
_REASONS = (
    ("PEER_DID_NOT_RETURN_A_CERTIFICATE", "no certificate was shown"),
    ("certificate has expired", "the certificate that was shown has expired"),
    ("certificate is not yet valid", "the certificate that was shown is not valid yet"),
    ("unsuitable certificate purpose", "the certificate that was shown is for another purpose"),
    ("unable to get local issuer certificate", "the certificate that was shown is of an authority that is not trusted here"),
    ("self-signed certificate", "the certificate that was shown is of an authority that is not trusted here"),
    ("self signed certificate", "the certificate that was shown is of an authority that is not trusted here"),
    ("certificate signature failure", "the certificate that was shown is of an authority that is not trusted here"),
    ("CERTIFICATE_VERIFY_FAILED", "the certificate that was shown could not be verified"),
    ("UNSUPPORTED_PROTOCOL", "no version of TLS from 1.2 on was offered"),
    ("HTTP_REQUEST", "no TLS was spoken"),
    ("WRONG_VERSION_NUMBER", "no TLS was spoken"),
)


def refusal_in(line: bytes) -> str | None:
    """Return why we refused a connection, "" when the other side broke off, None for lines that are about no handshake."""
    if _FAILED not in line:
        return None
    text = line.decode(errors="replace")
    return next((reason for sign, reason in _REASONS if sign in text), "")


@contextlib.contextmanager
def handshakes_watched(tls: TLSFiles, take: Callable[[Refusal], None]) -> Iterator[None]:
    """
    Log and tell of the connections that gRPC refuses inside, to and from this process.

    Args:
        tls: Of this process; where it is off nothing is done.
        take: Called in a thread of its own.
    """
    if not tls.is_on:
        yield
        return
    original = os.dup(_STDERR)
    reading, writing = os.pipe()
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
    # A flood loses lines: whoever writes may hold what the reader waits for.
    os.set_blocking(writing, False)
    with _python_writes_to(original):
        os.dup2(writing, _STDERR)
        os.close(writing)
        thread = threading.Thread(target=_read, args=(reading, original, take), name="handshakes", daemon=True)
        thread.start()
        try:
            yield
        finally:
            os.dup2(original, _STDERR)
            thread.join(_END_S)
    if not thread.is_alive():
        os.close(original)


def _read(reading: int, original: int, take: Callable[[Refusal], None]) -> None:
    rest = b""
    while piece := os.read(reading, _READ_BYTES):
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            reason = refusal_in(line)
            if reason is None:
                os.write(original, line + b"\n")
            else:
                _tell(reason, line, take)
    os.write(original, rest)
    os.close(reading)


def _tell(reason: str, line: bytes, take: Callable[[Refusal], None]) -> None:
    said = line.partition(b"] ")[2].decode(errors="replace")
    if not reason:
        # The other side tells of its reasons itself.
        log.info("handshake_failed", error=said)
        return
    log.warning("handshake_refused", reason=reason, error=said)
    take(Refusal("", "", "", reason, "", HANDSHAKE))


@contextlib.contextmanager
def _python_writes_to(descriptor: int) -> Iterator[None]:
    """Have Python's standard error, and logs that go there, write to `descriptor`, if they are the process's."""
    before = sys.stderr
    if not _is_standard_error(before):
        yield
        return
    stream = os.fdopen(descriptor, "w", buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False)
    handlers = [each for each in logging.getLogger().handlers if isinstance(each, logging.StreamHandler)]
    moved = [each for each in handlers if each.stream is before]
    sys.stderr = stream
    for handler in moved:
        handler.setStream(stream)
    try:
        yield
    finally:
        for handler in moved:
            handler.setStream(before)
        sys.stderr = before
        stream.flush()


def _is_standard_error(stream: TextIO) -> bool:
    try:
        return stream.fileno() == _STDERR
    except (OSError, ValueError):
        # One that somebody put there, which is no file.
        return False
