"""API keys: a secret value in a header."""

import hmac
import re
from typing import TYPE_CHECKING

from zato.common.errors import Unauthorized
from zato.common.kinds import Kind
from zato.common.options import option, options
from zato.server.http.limit_options import definition_option, is_active_option, type_option
from zato.server.http.rate_limits import parse_rules
from zato.server.security.definitions import Identity, Verifier

if TYPE_CHECKING:
    from zato.server.http.request import Request


@options
class APIKeyOptions:
    """A secret value that the caller sends in a header."""

    header: str = option("Header that holds the key", default="X-API-Key")
    key: str = option("The key itself", secret=True)
    is_rate_limit_active: bool = is_active_option()
    rate_limit_type: str = type_option()
    rate_limit_def: str = definition_option()

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", self.header):
            raise ValueError(f"'header' takes the name of an HTTP header, not {self.header!r}")
        if not self.key:
            raise ValueError("'key' must not be empty")
        parse_rules(self.rate_limit_def)


KIND = Kind("security-api-key", "API key", APIKeyOptions)


def make_verifier(name: str, definition: APIKeyOptions) -> Verifier:
    header = definition.header.lower().encode()
    expected = definition.key.encode()
    identity = Identity(name, KIND.name, definition.header)

    def verify(request: "Request") -> Identity:
        if not hmac.compare_digest(request.header(header).encode("latin-1"), expected):
            raise Unauthorized(f"The request needs a valid key in the header {definition.header}")
        return identity

    return verify
