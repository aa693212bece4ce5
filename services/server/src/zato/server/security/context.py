"""What verifiers need beside their definition."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import redis

from zato.server.security.sessions import Sessions

_REDIS_TIMEOUT_S = 2.0


@dataclass(frozen=True, slots=True)
class SecurityContext:
    """
    Args:
        secrets: The cluster's secret keys, the newest first; keys for other purposes are derived from them.
        redis: With time-outs, since requests wait for its answers.
    """

    cluster: str
    secrets: Sequence[str] = field(repr=False)
    redis: "redis.Redis"
    sessions: Sessions

    @classmethod
    def connect(cls, cluster: str, secrets: Sequence[str], redis_url: str) -> "SecurityContext":
        """Return a context whose Redis is connected to when it is needed."""
        client = redis.Redis.from_url(
            redis_url, socket_timeout=_REDIS_TIMEOUT_S, socket_connect_timeout=_REDIS_TIMEOUT_S, retry=None
        )
        return cls(cluster, secrets, client, Sessions(client, f"zato:{cluster}:jwt:"))
