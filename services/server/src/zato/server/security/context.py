"""What verifiers need beside their definition."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

import redis

from zato.common.errors import Unavailable
from zato.common.redis_clients import redis_client
from zato.server.security.log_in_throttle import LogInThrottle
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
    redis: "redis.Redis" = field(repr=False)
    sessions: Sessions
    throttle: LogInThrottle

    @classmethod
    def connect(cls, cluster: str, secrets: Sequence[str], redis_url: str) -> "SecurityContext":
        """Return a context whose Redis is connected to when it is needed."""
        client = redis_client(redis_url, socket_timeout=_REDIS_TIMEOUT_S, socket_connect_timeout=_REDIS_TIMEOUT_S, retry=None)
        throttle = LogInThrottle(client, f"zato:{cluster}:log-in:")
        return cls(cluster, secrets, client, Sessions(client, f"zato:{cluster}:jwt:"), throttle)

    def is_first_use(self, purpose: str, nonce: bytes, seconds: float) -> bool:
        """
        Return whether nobody in the cluster has seen a nonce yet. It is remembered for `seconds`.

        To be asked last: only who knows the secret can then have a nonce remembered.

        Raises:
            Unavailable: Redis can't be asked, so the request may be a repeated one.
        """
        key = f"zato:{self.cluster}:nonce:{purpose}:{hashlib.sha256(nonce).hexdigest()}"
        try:
            return bool(self.redis.set(key, "1", ex=int(seconds), nx=True))
        except redis.RedisError as exc:
            raise Unavailable("Whether the request came before can't be found out at the moment: try again") from exc
