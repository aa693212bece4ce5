"""One connection to a broker on a thread of its own, which reads and writes and does nothing that could take long."""

import itertools
import logging
import random
import ssl
import threading
import time
from collections.abc import Callable
from typing import Any

import pika
from pika.exceptions import AMQPError

from zato.common.errors import InvalidOptions, Unavailable
from zato.common.logs import get_logger
from zato.connector_amqp.kinds import DefinitionOptions
from zato.connector_amqp.tables import tolerate

log = get_logger(__name__)

# It tells of each step of each connection; what matters of that we say ourselves.
logging.getLogger("pika").setLevel(logging.CRITICAL)
tolerate()

_FIRST_WAIT_S = 0.2
_LONGEST_WAIT_S = 3.0
# A connection that did not last so long was no success: a queue that there is not ends one, for instance.
_GOOD_AFTER_S = 5.0


def all_parameters(options: DefinitionOptions) -> list[pika.ConnectionParameters]:
    """
    Return how to connect to each of a definition's hosts.

    Raises:
        InvalidOptions: A file of certificates cannot be used.
    """
    context = _tls_context(options) if options.is_tls else None
    found = []
    for text in options.host.split(","):
        host, port = _split(text.strip(), options.port)
        found.append(
            pika.ConnectionParameters(
                host=host,
                port=port,
                virtual_host=options.vhost,
                credentials=pika.PlainCredentials(options.username, options.password),
                heartbeat=options.heartbeat,
                frame_max=options.frame_max,
                socket_timeout=options.connect_timeout_s,
                stack_timeout=options.connect_timeout_s * 2,
                blocked_connection_timeout=options.blocked_timeout_s,
                ssl_options=pika.SSLOptions(context, host) if context is not None else None,
            )
        )
    return found


def _split(text: str, port: int) -> tuple[str, int]:
    host, colon, given = text.rpartition(":")
    # Of IPv6 only what is in brackets can have a port behind it.
    if colon and given.isdecimal() and (":" not in host or host.endswith("]")):
        return host.strip("[]"), int(given)
    return text.strip("[]"), port


def _tls_context(options: DefinitionOptions) -> ssl.SSLContext:
    name = "ca_file"
    try:
        context = ssl.create_default_context(cafile=options.ca_file or None)
        if options.certificate_file:
            name = "certificate_file"
            context.load_cert_chain(options.certificate_file, options.key_file or None)
    except OSError as exc:  # ssl.SSLError is one
        path = getattr(options, name)
        key = f" with the key {options.key_file}" if name == "certificate_file" and options.key_file else ""
        raise InvalidOptions(f"'{name}' {path}{key} cannot be used: {exc.strerror or exc}") from exc
    return context


def ping(options: DefinitionOptions) -> None:
    """Raise Unavailable unless one of the hosts lets us in."""
    reason = ""
    for parameters in all_parameters(options):
        try:
            pika.BlockingConnection(parameters).close()
        except (AMQPError, OSError) as exc:
            reason = f"{parameters.host}:{parameters.port}: {reason_of(exc)}"
        else:
            return
    raise Unavailable(f"No broker answers: {reason}")


def reason_of(exc: object) -> str:
    """Return what happened: pika wraps it several times, and says nothing outside."""
    while isinstance(exc, BaseException):
        inner = [*getattr(exc, "exceptions", ()), *exc.args, getattr(exc, "exception", None)]
        wrapped = [each for each in inner if isinstance(each, BaseException)]
        if not wrapped:
            break
        exc = wrapped[-1]
    if isinstance(exc, OSError) and exc.strerror:
        return str(exc.strerror)
    return str(exc) or type(exc).__name__


class Link:
    """
    Connects, and connects again whenever the connection is lost, until it is closed.

    Args:
        opened: Called in the link's thread with each new connection.
        lost: Called in the link's thread when a connection is gone or could not be made, with the reason.
    """

    def __init__(
        self, options: DefinitionOptions, name: str, opened: Callable[[Any], None], lost: Callable[[str], None]
    ) -> None:
        self._hosts = itertools.cycle(all_parameters(options))
        self._opened = opened
        self._lost = lost
        self._is_closing = threading.Event()
        self._connection: Any = None
        self._wait_s = _FIRST_WAIT_S
        self._opened_at = 0.0
        self._thread = threading.Thread(target=self._work, name=f"amqp-{name}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def call(self, work: Callable[[], None]) -> bool:
        """Have `work` done in the link's thread. Returns whether there is a connection to do it on."""
        connection = self._connection
        if connection is None:
            return False
        connection.ioloop.add_callback_threadsafe(work)
        return True

    def close(self, timeout_s: float = 3.0) -> None:
        """Close the connection, and wait until it is. Never raises; may be called twice."""
        self._is_closing.set()
        connection = self._connection
        if connection is not None:
            connection.ioloop.add_callback_threadsafe(lambda: _close(connection))
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join(timeout_s)

    def _work(self) -> None:
        while not self._is_closing.is_set():
            reason = "the connection was closed"
            try:
                reason = self._run_once(next(self._hosts))
            except (AMQPError, OSError) as exc:
                reason = reason_of(exc)
            except Exception as exc:  # this thread must not end, whatever we did not think of
                log.exception("link_failed")
                reason = reason_of(exc)
            self._connection = None
            if self._opened_at and time.monotonic() - self._opened_at > _GOOD_AFTER_S:
                self._wait_s = _FIRST_WAIT_S
            self._opened_at = 0.0
            if not self._is_closing.is_set():
                self._lost(reason)
                # Not all that a broker served come back in the same moment.
                self._is_closing.wait(self._wait_s * random.uniform(0.5, 1.0))  # noqa: S311
                self._wait_s = min(self._wait_s * 2, _LONGEST_WAIT_S)

    def _run_once(self, parameters: pika.ConnectionParameters) -> str:
        reasons: list[str] = []

        def is_open(connection: Any) -> None:
            self._opened_at = time.monotonic()
            self._opened(connection)

        def ended(connection: Any, exc: object) -> None:
            reasons.append(f"{parameters.host}:{parameters.port}: {reason_of(exc)}")
            connection.ioloop.stop()

        connection = pika.SelectConnection(
            parameters, on_open_callback=is_open, on_open_error_callback=ended, on_close_callback=ended
        )
        self._connection = connection
        if self._is_closing.is_set():
            connection.ioloop.add_callback_threadsafe(lambda: _close(connection))
        try:
            connection.ioloop.start()
        finally:
            connection.ioloop.close()
        return reasons[0] if reasons else "it ended"


def _close(connection: Any) -> None:
    if connection.is_open:
        connection.close()
    elif not connection.is_closing:
        connection.ioloop.stop()
