"""What every service of a worker shares."""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import redis

if TYPE_CHECKING:
    from zato.server.connections.outgoing import Outgoing
    from zato.server.service import Service
    from zato.server.services.invoke import Invoker


@dataclass(frozen=True, slots=True)
class ChannelInfo:
    """What a call came in through, e.g. name="orders.get", type="http". `security` is the caller's definition, if any."""

    name: str
    type: str
    data_format: str = ""
    security: Any = None


class KeyValueDB:
    """Redis, for services: `self.kvdb.conn`. Answers are text."""

    def __init__(self, url: str) -> None:
        self._url = url

    @cached_property
    def conn(self) -> "redis.Redis":
        return redis.Redis.from_url(self._url, decode_responses=True)


class ServerContext:
    """`self.server`: the worker that a service runs in."""

    def __init__(self, name: str, invoker: "Invoker", outgoing: "Outgoing", kvdb: KeyValueDB) -> None:
        self.name = name
        self.outgoing = outgoing
        self.kvdb = kvdb
        self.user_ctx: dict[str, Any] = {}
        self._invoker = invoker

    def invoke(self, caller: "Service", name: str, payload: Any) -> Any:
        return self._invoker.invoke_from(caller, name, payload)
