"""What security definitions have in common."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from zato.common.errors import Unauthorized

if TYPE_CHECKING:
    from zato.server.http.request import Request

# Definitions that a channel may ask its callers to satisfy.
SECURITY_KINDS = (
    "security-basic-auth",
    "security-api-key",
    "security-jwt",
    "security-jwt-issuer",
    "security-oauth",
    "security-tech-account",
    "security-tls-channel",
    "security-wss",
    "security-xpath",
)
# Definitions that hold what an outgoing connection shows to the other side.
OUTGOING_KINDS = (
    "security-basic-auth",
    "security-api-key",
    "security-bearer-token",
    "security-ntlm",
    "security-tls-key-cert",
    "security-wss",
)


# What services see as the `type` of a definition, where they have known it by another name.
SEC_TYPES: Mapping[str, str] = {
    "security-basic-auth": "basic_auth",
    "security-api-key": "apikey",
    "security-jwt": "jwt",
    "security-jwt-issuer": "jwt",
    "security-oauth": "oauth",
    "security-tech-account": "tech_acc",
    "security-tls-channel": "tls_channel_sec",
    "security-wss": "wss",
    "security-xpath": "xpath_sec",
}


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a request comes from: the definition that it satisfied."""

    definition: str
    kind: str
    username: str


# Returns who it is, or raises Unauthorized with the challenge for the client.
Verifier = Callable[["Request"], Identity]
# Of a channel with roles: by HTTP method, the (kind, name) of each definition that may call.
Allowed = Mapping[str, frozenset[tuple[str, str]]]


class BadCredentials(Unauthorized):
    """
    The credentials of a request are missing or wrong.

    Args:
        message: For the client; general.
        reason: For the log: precise, but quotes nothing that was sent.
    """

    def __init__(
        self, message: str, /, challenge: str = "", *, definition: str = "", reason: str = "", **attributes: object
    ) -> None:
        super().__init__(message, challenge=challenge, **attributes)
        self.definition = definition
        self.reason = reason
