"""What outgoing connections say of us: asked for with each request, since tokens come and go."""

import base64
from collections.abc import Callable, Mapping
from typing import Protocol

from zato.common.errors import ZatoError
from zato.server.control.state import ConfigObject, Configuration
from zato.server.security import api_key, basic_auth, bearer_token, tls_key_cert
from zato.server.security.definitions import OUTGOING_KINDS

_NO_HEADERS: Mapping[str, str] = {}


class CannotSend(ZatoError):
    """A definition holds nothing that can be sent, or not by this sort of connection."""


class Credentials(Protocol):
    def __call__(self) -> Mapping[str, str]:
        """Return the headers to send with a request. Raises Unavailable when there are none at the moment."""

    def refused(self, sent: Mapping[str, str]) -> bool:
        """
        The other side answered 401 to these headers. Return whether others can be had, so that one more try makes sense.
        """


class FixedCredentials:
    """The same headers for ever."""

    def __init__(self, headers: Mapping[str, str] = _NO_HEADERS) -> None:
        self._headers = headers

    def __call__(self) -> Mapping[str, str]:
        return self._headers

    def refused(self, _sent: Mapping[str, str]) -> bool:
        return False


NO_CREDENTIALS = FixedCredentials()


class BearerCredentials:
    """A token that is renewed before it expires, and when it is refused although it should be good."""

    def __init__(self, source: bearer_token.TokenSource) -> None:
        self._source = source

    def __call__(self) -> Mapping[str, str]:
        return {"Authorization": f"Bearer {self._source.current()}"}

    def refused(self, sent: Mapping[str, str]) -> bool:
        self._source.refused(sent.get("Authorization", "").removeprefix("Bearer "))
        return True


def credentials_of(name: str, configuration: Configuration) -> Credentials:
    """
    Return what a connection with this security definition sends; nothing when the name is "".

    Raises:
        NotFound: There is no such definition.
        CannotSend: It is switched off, only kept as a hash, or of a kind that is no header.
    """
    if not name:
        return NO_CREDENTIALS
    definition = configuration.find(OUTGOING_KINDS, name)
    if not definition.is_active:
        raise CannotSend(f"The credentials '{name}' are switched off: switch them on to send them")
    make = _CREDENTIALS.get(definition.kind)
    if make is None:
        raise CannotSend(f"The credentials '{name}' ({definition.kind}) are none that this connection can send")
    return make(definition)


def basic_auth_header(username: str, password: str) -> Mapping[str, str]:
    encoded = base64.b64encode(f"{username}:{password}".encode()).decode()
    return {"Authorization": f"Basic {encoded}"}


def _basic_auth(definition: ConfigObject) -> Credentials:
    given: basic_auth.BasicAuthOptions = definition.options
    if given.is_hashed:
        raise CannotSend(f"The password of '{definition.name}' is kept as a hash: nobody can send it")
    return FixedCredentials(basic_auth_header(given.username, given.password))


def _api_key(definition: ConfigObject) -> Credentials:
    # Headers are bytes: what is not ASCII goes out as UTF-8.
    return FixedCredentials({definition.options.header: definition.options.key.encode().decode("latin-1")})


def _bearer_token(definition: ConfigObject) -> Credentials:
    return BearerCredentials(bearer_token.token_source(definition.name, definition.options))


_CREDENTIALS: Mapping[str, Callable[[ConfigObject], Credentials]] = {
    basic_auth.KIND.name: _basic_auth,
    api_key.KIND.name: _api_key,
    bearer_token.KIND.name: _bearer_token,
    # Shown when the connection is made, not with each request.
    tls_key_cert.KIND.name: lambda _: FixedCredentials(),
}
