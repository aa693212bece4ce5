"""HTTP Basic Auth (RFC 7617)."""

import base64
import binascii
import hmac
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
class BasicAuthOptions:
    """A user name and a password, sent with each request."""

    username: str = option("Name that the caller gives")
    realm: str = option("What the credentials are for, shown by clients that ask for them", default="API")
    password: str = option("Password that the caller gives", secret=True)
    is_rate_limit_active: bool = is_active_option()
    rate_limit_type: str = type_option()
    rate_limit_def: str = definition_option()

    def __post_init__(self) -> None:
        if ":" in self.username or not self.username:
            raise ValueError("'username' takes a text without a colon, which separates it from the password on the wire")
        if '"' in self.realm or "\\" in self.realm or not self.realm.isprintable():
            raise ValueError("'realm' takes printable text without quotes")
        if not self.password:
            raise ValueError("'password' must not be empty")
        parse_rules(self.rate_limit_def)


KIND = Kind("security-basic-auth", "HTTP Basic Auth", BasicAuthOptions, unique=("username",))


def make_verifier(name: str, definition: BasicAuthOptions) -> Verifier:
    expected = f"{definition.username}:{definition.password}".encode()
    challenge = f'Basic realm="{definition.realm}"'
    identity = Identity(name, KIND.name, definition.username)

    def verify(request: "Request") -> Identity:
        if not hmac.compare_digest(_credentials(request.header(b"authorization")), expected):
            raise Unauthorized("The request needs a valid user name and password", challenge=challenge)
        return identity

    return verify


def _credentials(header: str) -> bytes:
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        return b""
    try:
        return base64.b64decode(encoded.strip(), validate=True)
    except (binascii.Error, ValueError):
        return b""
