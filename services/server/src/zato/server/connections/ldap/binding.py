"""Connecting and binding with ldap3, and what its exceptions mean."""

import contextlib
import itertools
import math
import ssl
from typing import TYPE_CHECKING

from urllib3.util.wait import wait_for_read

from zato.server.connections.deadline import within
from zato.server.connections.extras import need
from zato.server.connections.ldap.options import OutgoingLDAPOptions, servers

if TYPE_CHECKING:
    import ldap3


class NotLetIn(Exception):
    """The server answered our bind with something else than success: `result` is LDAP's code."""

    def __init__(self, result: int) -> None:
        super().__init__(f"result {result}")
        self.result = result


class Binder:
    """
    Raises:
        Unavailable: ldap3 is missing.
    """

    def __init__(self, options: OutgoingLDAPOptions) -> None:
        self._ldap3 = need("ldap3", "ldap")
        self._exceptions = need("ldap3.core.exceptions", "ldap")
        self._options = options
        # It would remember for minutes that a server was down. Names are resolved each time instead.
        self._ldap3.set_config_parameter("ADDRESS_INFO_REFRESH_TIME", -1)
        tls = self._ldap3.Tls(
            validate=ssl.CERT_REQUIRED if options.tls_verify else ssl.CERT_NONE,
            ca_certs_data=options.ca_certificates or None,
        )
        info = getattr(self._ldap3, options.get_info)
        self._servers = [
            self._ldap3.Server(address, connect_timeout=options.connect_timeout, get_info=info, tls=tls)
            for address in servers(options.server_list)
        ]
        # Each connection begins with another server, so that all of them have their share.
        self._first = itertools.cycle(range(len(self._servers)))

    @property
    def errors(self) -> tuple[type[BaseException], ...]:
        return (self._exceptions.LDAPExceptionError, NotLetIn)

    @property
    def network_errors(self) -> tuple[type[BaseException], ...]:
        """Those that are not about what a service asked for."""
        return (self._exceptions.LDAPCommunicationError, self._exceptions.LDAPMaximumRetriesError)

    def bind(self) -> "ldap3.Connection":
        """Return a connection to the first server that lets us in. Raises what the last one came to."""
        first = next(self._first)
        in_turn = [*self._servers[first:], *self._servers[:first]]
        failures: tuple[type[BaseException], ...] = (OSError, *self.errors)
        for number, server in enumerate(in_turn, 1):
            try:
                return self._bind(server)
            except failures:
                if number == len(in_turn):
                    raise
        raise AssertionError("there is at least one server")

    def escape(self, text: str) -> str:
        escaped: str = need("ldap3.utils.conv", "ldap").escape_filter_chars(text)
        return escaped

    def end(self, client: "ldap3.Connection") -> None:
        # It is not used any more, whatever becomes of it.
        with contextlib.suppress(OSError, *self.errors):
            client.unbind()
        # ldap3 leaves a socket open that did not get through.
        if client.socket is not None:
            client.socket.close()

    def meaning(self, exc: BaseException) -> str | None:
        errors = self._exceptions
        if isinstance(exc, errors.LDAPStartTLSError):
            return "no TLS session could be made with it"
        if isinstance(exc, errors.LDAPExceptionError):
            return _meaning_of_text(str(exc))
        return None

    def _bind(self, server: "ldap3.Server") -> "ldap3.Connection":
        options, library = self._options, self._ldap3
        authentication = library.NTLM if options.auth_type == "NTLM" else library.SIMPLE
        client: ldap3.Connection = library.Connection(
            server,
            user=options.username or None,
            password=options.password or None,
            authentication=authentication if options.username else library.ANONYMOUS,
            read_only=options.is_read_only,
            check_names=options.should_check_names,
            return_empty_attributes=options.should_return_empty_attrs,
            auto_range=options.use_auto_range,
            receive_timeout=math.ceil(options.receive_timeout),
        )
        try:
            with within(options.connect_timeout, lambda: TimeoutError("no answer to our bind")):
                self._let_in(client)
        except BaseException:
            self.end(client)
            raise
        # ldap3 sets its limit where gevent's sockets do not look.
        client.socket.settimeout(options.receive_timeout)
        return client

    def _let_in(self, client: "ldap3.Connection") -> None:
        client.open(read_server_info=False)
        client.socket.settimeout(self._options.connect_timeout)
        if self._options.use_start_tls and not client.server.ssl:
            client.start_tls(read_server_info=False)
        if not client.bind():
            raise NotLetIn(int(client.result["result"]))


def is_usable(client: "ldap3.Connection") -> bool:
    """Whether a connection that was kept is still one: what a server sends without being asked is its good-bye."""
    try:
        return not client.closed and client.bound and not wait_for_read(client.socket, timeout=0)
    except (OSError, ValueError):
        return False


# ldap3 keeps what happened only in the text of its exceptions.
_TEXTS = (
    ("certificate verify failed", "its certificate is not trusted"),
    ("certificate", "its certificate is not trusted"),
    ("timed out", "it did not answer in time"),
    ("refused", "nobody listens there"),
    ("getaddrinfo", "its host name is not known"),
    ("invalid server address", "its host name is not known"),
    ("Name or service not known", "its host name is not known"),
    ("wrapping", "no TLS session could be made with it"),
)


def _meaning_of_text(text: str) -> str:
    return next((words for part, words in _TEXTS if part in text), "it closed the connection, or does not speak LDAP")
