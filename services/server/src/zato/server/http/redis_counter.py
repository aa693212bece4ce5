"""Counting for all servers of a cluster, in Redis: one script, and so one round trip, for each request."""

import time
from collections.abc import Sequence

import redis

from zato.common.errors import Unavailable
from zato.common.logs import get_logger
from zato.server.http.rate_limits import Counter, Ticket

log = get_logger(__name__)

_CONNECTIONS = 32
_TIMEOUT_S = 0.5
# After a failure nobody asks for a while: otherwise each request would wait for its own time-out.
_PAUSE_S = 1.0

# Redis' own clock decides which window it is, so servers whose clocks differ count in the same one. Redis runs a script
# whole: of many requests at once exactly as many come through as are allowed.
_TAKE = """
local now = tonumber(redis.call('TIME')[1])
local names = {}
for index, key in ipairs(KEYS) do
  local count, window = tonumber(ARGV[2 * index - 1]), tonumber(ARGV[2 * index])
  names[index] = key .. ':' .. math.floor(now / window)
  if tonumber(redis.call('GET', names[index]) or '0') >= count then
    return window - now % window
  end
end
for index, name in ipairs(names) do
  if redis.call('INCR', name) == 1 then
    redis.call('EXPIRE', name, ARGV[2 * index] + 1)
  end
end
return 0
"""


class RedisCounter:
    """
    Args:
        url: Of the Redis that all servers share.
        prefix: What its keys begin with, e.g. "zato:my-cluster:rate".
        fallback: Counts while Redis can't be reached; None to refuse requests then.
    """

    def __init__(self, url: str, prefix: str, fallback: Counter | None) -> None:
        pool = redis.BlockingConnectionPool.from_url(
            url,
            max_connections=_CONNECTIONS,
            timeout=_TIMEOUT_S,
            socket_timeout=_TIMEOUT_S,
            socket_connect_timeout=_TIMEOUT_S,
            retry=None,
        )
        self._client = redis.Redis(connection_pool=pool)
        self._script = self._client.register_script(_TAKE)
        self._prefix = prefix
        self._fallback = fallback
        self._asked_again_at = 0.0

    def take(self, tickets: Sequence[Ticket]) -> int:
        """Raises Unavailable when Redis can't be reached and there is no fallback."""
        if time.monotonic() >= self._asked_again_at:
            try:
                return self._ask(tickets)
            except redis.RedisError as exc:
                self._asked_again_at = time.monotonic() + _PAUSE_S
                log.warning("rate_limits_without_redis", error=type(exc).__name__, are_refused=self._fallback is None)
        if self._fallback is None:
            raise Unavailable("How often this was used can't be found out now: try again in a moment")
        return self._fallback.take(tickets)

    def close(self) -> None:
        self._client.close()

    def _ask(self, tickets: Sequence[Ticket]) -> int:
        keys = [f"{self._prefix}:{ticket.key}" for ticket in tickets]
        arguments = [number for ticket in tickets for number in (ticket.count, ticket.window_s)]
        return int(self._script(keys=keys, args=arguments))
