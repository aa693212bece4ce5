"""
Slows down whoever guesses passwords at a log-in.

Failures are counted in Redis, for all servers together: of one user from one address, and of all users from one address.
Beyond so many that people make by mistake, each further one closes the door for twice as long as the one before. From other
addresses the user logs in as ever: nobody can lock out somebody else.
"""

import hashlib
import ipaddress

import redis

from zato.common.errors import TooManyRequests, Unavailable
from zato.common.logs import get_logger

log = get_logger(__name__)

FREE_OF_USER = 10
FREE_OF_ADDRESS = 100
LONGEST_S = 300
# After so long without a failure all is forgotten.
_FORGET_S = 1800
_MESSAGE = "Too many log-ins from this address have failed: try again later"

# An attempt counts as a failure until it has succeeded: otherwise many at the same time would all be the first one.
# KEYS are the counters; ARGV how many are free of each, then the longest wait and when counters are forgotten, in seconds.
_BEGIN = """
local wait = 0
for _, key in ipairs(KEYS) do
  wait = math.max(wait, redis.call('PTTL', key .. ':closed'))
end
if wait > 0 then
  return wait
end
for index, key in ipairs(KEYS) do
  local beyond = redis.call('INCR', key) - tonumber(ARGV[index])
  redis.call('EXPIRE', key, ARGV[#ARGV])
  if beyond > 0 then
    redis.call('SET', key .. ':closed', 1, 'EX', math.min(2 ^ math.min(beyond - 1, 20), tonumber(ARGV[#ARGV - 1])))
  end
end
return 0
"""

# The user's failures are forgotten, those of the address are one less: an account of one's own opens no door to others.
_SUCCEED = """
redis.call('DEL', KEYS[1], KEYS[1] .. ':closed')
if tonumber(redis.call('GET', KEYS[2]) or '0') > 0 and redis.call('DECR', KEYS[2]) <= tonumber(ARGV[1]) then
  redis.call('DEL', KEYS[2] .. ':closed')
end
"""

# A good one forgives more: this takes back no more than itself.
_TAKE_BACK = """
for index, key in ipairs(KEYS) do
  if tonumber(redis.call('GET', key) or '0') > 0 and redis.call('DECR', key) <= tonumber(ARGV[index]) then
    redis.call('DEL', key .. ':closed')
  end
end
"""


class LogInThrottle:
    """
    Args:
        prefix: Of the keys in Redis, e.g. "zato:production:log-in:".
    """

    def __init__(self, client: "redis.Redis", prefix: str) -> None:
        self._prefix = prefix
        self._begin = client.register_script(_BEGIN)
        self._succeed = client.register_script(_SUCCEED)
        self._take_back = client.register_script(_TAKE_BACK)

    def begin(self, username: str, address: str) -> None:
        """
        Count an attempt, before its password is looked at.

        Raises:
            TooManyRequests: It has to wait.
            Unavailable: Redis can't be asked, so the attempts may be many.
        """
        arguments = [FREE_OF_USER, FREE_OF_ADDRESS, LONGEST_S, _FORGET_S]
        try:
            wait_ms = int(self._begin(keys=self._keys(username, address), args=arguments))
        except redis.RedisError as exc:
            raise Unavailable("Whether this is one log-in of many can't be found out at the moment: try again") from exc
        if wait_ms > 0:
            wait_s = -(-wait_ms // 1000)
            log.warning("log_in_throttled", remote_address=address, retry_after_s=wait_s)
            raise TooManyRequests(_MESSAGE, retry_after_s=wait_s)

    def succeed(self, username: str, address: str) -> None:
        """The attempt was good. Redis was there a moment ago; if it is not any more, the attempt stays counted."""
        try:
            self._succeed(keys=self._keys(username, address), args=[FREE_OF_ADDRESS])
        except redis.RedisError as exc:
            log.warning("log_in_stays_counted", error=type(exc).__name__)

    def take_back(self, username: str, address: str) -> None:
        """The attempt was neither good nor bad: nobody could look at the password."""
        try:
            self._take_back(keys=self._keys(username, address), args=[FREE_OF_USER, FREE_OF_ADDRESS])
        except redis.RedisError as exc:
            log.warning("log_in_stays_counted", error=type(exc).__name__)

    def _keys(self, username: str, address: str) -> list[str]:
        source = _network(address)
        # People type their password in the place of their name: neither is to be read in Redis.
        user = hashlib.sha256(f"{source}\0{username}".encode("utf-8", "surrogatepass")).hexdigest()[:32]
        return [f"{self._prefix}user:{user}", f"{self._prefix}address:{source}"]


def _network(address: str) -> str:
    """Who has one address of IPv6 has all of its /64."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is None:
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return str(getattr(parsed, "ipv4_mapped", None) or parsed)
