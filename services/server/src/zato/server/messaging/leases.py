"""
Leases of channels that one connector of all may serve at a time, in Redis: who holds one, until when, in which epoch.

Redis counts the time; no clocks are compared. An epoch is for ever, a holder until its time is up.
"""

from typing import Any

import redis

from zato.common.connectors.errors import StaleLease
from zato.common.errors import BadRequest, Unavailable
from zato.proto.invoker.v1.invoker_pb2 import HoldLeaseRequest, HoldLeaseResponse

_LONGEST_MS = 60_000
# Who holds it, and the epoch; the caller from now on if nobody does, or it does already.
_HOLD = """
local holder = redis.call('GET', KEYS[1])
if not holder then
  redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
  return {ARGV[1], redis.call('INCR', KEYS[2])}
end
if holder == ARGV[1] then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return {holder, tonumber(redis.call('GET', KEYS[2]) or '0')}
"""
_GIVE_UP = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0"


class Leases:
    def __init__(self, conn: Any, prefix: str) -> None:
        self._conn = conn
        self._prefix = prefix

    def hold(self, message: bytes) -> bytes:
        """
        Raises:
            Unavailable: Redis does not answer: nobody gets a lease, and who has one keeps it until its time is up.
        """
        request = HoldLeaseRequest.FromString(message)
        if not request.name or not request.holder or not 0 < request.lease_ms <= _LONGEST_MS:
            raise BadRequest(f"A lease has a name, a holder and 1 to {_LONGEST_MS} ms")
        key, epoch_key = self._keys(request.name)
        try:
            if request.gives_up:
                self._conn.eval(_GIVE_UP, 1, key, request.holder)
                return HoldLeaseResponse().SerializeToString()
            holder, epoch = self._conn.eval(_HOLD, 2, key, epoch_key, request.holder, request.lease_ms)
        except redis.RedisError as exc:
            raise Unavailable("No lease can be had: Redis does not answer") from exc
        held_by = holder.decode()
        return HoldLeaseResponse(is_held=held_by == request.holder, epoch=int(epoch), holder=held_by).SerializeToString()

    def check(self, name: str, epoch: int) -> None:
        """
        Raises:
            StaleLease: Another one holds it by now, or has held it since.
        """
        try:
            now = int(self._conn.get(self._keys(name)[1]) or 0)
        except redis.RedisError as exc:
            raise Unavailable("The lease cannot be checked: Redis does not answer") from exc
        if now != epoch:
            raise StaleLease(f"Epoch {epoch} of the lease of '{name}' is over: it is {now} by now")

    def _keys(self, name: str) -> tuple[str, str]:
        return f"{self._prefix}:{name}:holder", f"{self._prefix}:{name}:epoch"
