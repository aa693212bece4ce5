"""API keys: a secret value in a header."""

import dataclasses
from typing import TYPE_CHECKING, Self

from zato.common.kinds import Kind
from zato.common.options import option, options
from zato.server.http.limit_options import definition_option, is_active_option, type_option
from zato.server.http.rate_limits import parse_rules
from zato.server.security.definitions import BadCredentials, Identity, Verifier
from zato.server.security.headers import digest, is_header_name, is_same, quoted, single_header
from zato.server.security.passwords import kept_secret

if TYPE_CHECKING:
    from zato.server.http.request import Request

# Headers whose value others set, or that say who calls in another way.
_TAKEN = frozenset({"host", "content-length", "transfer-encoding", "connection", "x-forwarded-for"})


@options
class APIKeyOptions:
    """A secret value that the caller sends in a header."""

    header: str = option("Header that holds the key", default="X-API-Key")
    key: str = option("The key itself; a random one that nobody knows when empty", default="", secret=True)
    is_rate_limit_active: bool = is_active_option()
    rate_limit_type: str = type_option()
    rate_limit_def: str = definition_option()

    def __post_init__(self) -> None:
        parse_rules(self.rate_limit_def)
        if not is_header_name(self.header) or self.header.lower() in _TAKEN:
            raise ValueError(f"'header' takes the name of an HTTP header that is free for a key, not {self.header!r}")
        if self.key != self.key.strip() or not self.key.isprintable():
            raise ValueError("'key' takes printable text that neither begins nor ends with a space: it is sent in a header")

    def stored_after(self, stored: Self | None) -> Self:
        return dataclasses.replace(self, key=kept_secret(self.key, stored.key if stored else ""))


KIND = Kind("security-api-key", "API key", APIKeyOptions)


def make_verifier(name: str, definition: APIKeyOptions) -> Verifier:
    header = definition.header.lower().encode()
    expected = digest(definition.key.encode())
    identity = Identity(name, KIND.name, definition.header)
    # No scheme is registered for keys in headers, yet each 401 has to have a challenge: this one tells people which header.
    challenge = f"zato-apikey header={quoted(definition.header)}"

    def verify(request: "Request") -> Identity:
        given = single_header(request, header)
        if not given or not is_same(given, expected):
            reason = "wrong key" if given else "no key, or more than one"
            message = f"The request needs a valid key in the header {definition.header}"
            raise BadCredentials(message, challenge, definition=name, reason=reason)
        return identity

    return verify
