"""What a service's author is told who asks `self` for what it does not have."""

import difflib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from zato.server.service import Service

_CONNECTIONS = "connections are found as self.outgoing.<type>[name] and self.email.<type>[name]"
# What published services know, and where it is now.
_ELSEWHERE = {
    **dict.fromkeys(("zmq", "wsx", "im", "cloud", "search", "sms", "vault", "definition"), _CONNECTIONS),
    **dict.fromkeys(("cassandra_conn", "cassandra_query"), _CONNECTIONS),
    "pubsub": "topics are a broker's: send to one through an outgoing connection, or invoke services by self.invoke_async",
    "sso": "users sign in at an identity provider, whose tokens channels check (security-jwt-issuer)",
    "worker_store": "it was the inside of the original; connections are in self.outgoing, services in self.server.invoker",
}


def explain_absence(error: AttributeError) -> None:
    """Add to an error about an attribute of a service what there is instead, once. Others stay as they are."""
    from zato.server.service import Service

    name, service = error.name, error.obj
    if not name or not isinstance(service, Service) or hasattr(type(service), name) or hasattr(error, "__notes__"):
        return
    error.add_note(_sentence(name, service))


def _sentence(name: str, service: "Service") -> str:
    if name in _ELSEWHERE:
        return f"There is no self.{name} here: {_ELSEWHERE[name]}"
    present = sorted({each for each in (*dir(type(service)), *vars(service)) if not each.startswith("_")})
    similar = difflib.get_close_matches(name, present, n=3, cutoff=0.6)
    hint = (
        f"did you mean {' or '.join(f'self.{each}' for each in similar)}?"
        if similar
        else "docs/compatibility.md lists all there is"
    )
    return f"A service has no '{name}': {hint}"
