"""What security definitions have in common."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from zato.server.http.request import Request

SECURITY_KINDS = ("security-basic-auth", "security-api-key")


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a request comes from: the definition that it satisfied."""

    definition: str
    kind: str
    username: str


# Returns who it is, or raises Unauthorized with the challenge for the client.
Verifier = Callable[["Request"], Identity]
