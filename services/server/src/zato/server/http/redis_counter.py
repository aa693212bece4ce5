"""Counting for all servers of a cluster, in Redis. What a worker's requests ask at the same time goes in one round trip."""

import time
from collections.abc import Sequence
from typing import Any

import gevent
import redis
from gevent.event import AsyncResult

from zato.common.errors import Unavailable
from zato.common.logs import get_logger
from zato.common.redis_clients import redis_client
from zato.server.http.rate_limits import Counter, Ticket

log = get_logger(__name__)

_TIMEOUT_S = 0.5
# After a failure nobody asks for a while: otherwise each request would wait for its own time-out.
_PAUSE_S = 1.0
_MOST_AT_ONCE = 200

# ARGV is, for each request, how many keys are its own, and for each of these how many uses a window takes and how long it
# is. Redis' own clock decides which window it is, so servers whose clocks differ count in the same one. Redis runs a
# script whole: of many requests at once exactly as many come through as are allowed.
_TAKE = """
local now = tonumber(redis.call('TIME')[1])
local answers, key, argument = {}, 1, 1
while argument <= #ARGV do
  local names, windows, wait = {}, {}, 0
  local own = tonumber(ARGV[argument])
  argument = argument + 1
  for index = 1, own do
    local count, window = tonumber(ARGV[argument]), tonumber(ARGV[argument + 1])
    local name = KEYS[key] .. ':' .. math.floor(now / window)
    if wait == 0 and tonumber(redis.call('GET', name) or '0') >= count then
      wait = window - now % window
    end
    names[index], windows[index] = name, window
    argument, key = argument + 2, key + 1
  end
  if wait == 0 then
    for index, name in ipairs(names) do
      if redis.call('INCR', name) == 1 then
        redis.call('EXPIRE', name, windows[index] + 1)
      end
    end
  end
  answers[#answers + 1] = wait
end
return answers
"""


class RedisCounter:
    """
    Args:
        url: Of the Redis that all servers share.
        prefix: What its keys begin with, e.g. "zato:my-cluster:rate".
        fallback: Counts while Redis can't be reached; None to refuse requests then.
    """

    def __init__(self, url: str, prefix: str, fallback: Counter | None) -> None:
        self._client = redis_client(url, socket_timeout=_TIMEOUT_S, socket_connect_timeout=_TIMEOUT_S, retry=None)
        self._script = self._client.register_script(_TAKE)
        self._prefix = prefix
        self._fallback = fallback
        self._asked_again_at = 0.0
        self._waiting: list[tuple[Sequence[Ticket], AsyncResult[int]]] = []
        self._is_asking = False

    def take(self, tickets: Sequence[Ticket]) -> int:
        """Raises Unavailable when Redis can't be reached and there is no fallback."""
        if time.monotonic() >= self._asked_again_at:
            answer: AsyncResult[int] = AsyncResult()
            self._waiting.append((tickets, answer))
            if not self._is_asking:
                self._is_asking = True
                gevent.spawn(self._ask_for_all)
            try:
                return answer.get() or 0
            except redis.RedisError:
                pass
        if self._fallback is None:
            raise Unavailable("How often this was used can't be found out now: try again in a moment")
        return self._fallback.take(tickets)

    def used(self, tickets: Sequence[Ticket]) -> list[int]:
        """Return how many uses of the present window are taken of each. Raises redis.RedisError."""
        if not tickets:
            return []
        counts: Any = self._client.mget(self._names(tickets))
        return [int(count or 0) for count in counts]

    def reset(self, tickets: Sequence[Ticket]) -> None:
        """Begin to count anew. Raises redis.RedisError."""
        if tickets:
            self._client.delete(*self._names(tickets))

    def _names(self, tickets: Sequence[Ticket]) -> list[str]:
        seconds: Any = self._client.time()
        return [f"{self._prefix}:{ticket.key}:{seconds[0] // ticket.window_s}" for ticket in tickets]

    def close(self) -> None:
        self._client.close()

    def _ask_for_all(self) -> None:
        """Ask for whoever waits, and for those who came meanwhile, until nobody does."""
        try:
            while self._waiting:
                batch, self._waiting = self._waiting[:_MOST_AT_ONCE], self._waiting[_MOST_AT_ONCE:]
                try:
                    waits = self._ask([tickets for tickets, _ in batch])
                except Exception as exc:  # whatever it is: they wait for an answer
                    self._asked_again_at = time.monotonic() + _PAUSE_S
                    log.warning("rate_limits_without_redis", error=type(exc).__name__, are_refused=self._fallback is None)
                    for _, answer in batch:
                        answer.set_exception(exc)
                else:
                    for (_, answer), wait_s in zip(batch, waits, strict=True):
                        answer.set(wait_s)
        finally:
            self._is_asking = False

    def _ask(self, requests: Sequence[Sequence[Ticket]]) -> list[int]:
        keys: list[str] = []
        arguments: list[int] = []
        for tickets in requests:
            arguments.append(len(tickets))
            for ticket in tickets:
                keys.append(f"{self._prefix}:{ticket.key}")
                arguments += (ticket.count, ticket.window_s)
        waits: list[int] = self._script(keys=keys, args=arguments)
        return waits
