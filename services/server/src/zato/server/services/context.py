"""What every service of a worker shares. Whatever it is made of is made once, and only when a service asks for it."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gevent
from gevent.lock import RLock

from bunch import Bunch
from zato.common.errors import Unavailable
from zato.common.secrets import SecretBox
from zato.server.control.state import Configuration
from zato.server.services.kvdb import KeyValueDB

if TYPE_CHECKING:
    from zato.server.connections.outgoing import Outgoing
    from zato.server.services.caches import Caches
    from zato.server.services.crypto import Crypto
    from zato.server.services.invoke import Invoker
    from zato.server.services.messages import MessageFacade
    from zato.server.services.security_facade import SecurityFacade
    from zato.server.services.static_config import StaticConfig
    from zato.server.services.statistics import Statistics
    from zato.server.services.tasks import Tasks
    from zato.server.services.times import Times
    from zato.server.services.usage import Usage
    from zato.server.services.user_config import UserConfig

__all__ = ["ChannelInfo", "KeyValueDB", "SecurityInfo", "ServerContext"]

HTTP = "http-soap"


@dataclass(frozen=True, slots=True)
class SecurityInfo:
    """The security definition that callers of a channel satisfy. Empty, and false, when there is none."""

    name: str = ""
    type: str = ""
    id: int = 0
    username: str = ""
    impl: Any = None

    def __bool__(self) -> bool:
        return bool(self.name)

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True, eq=False)
class ChannelInfo:
    """
    What a call came in through, e.g. name="orders.get", type="http-soap".

    In 2.0 a channel was the text of its type: it still compares with text as that, and prints as it.
    """

    name: str
    type: str
    data_format: str = ""
    security: Any = None
    id: int = 0
    is_internal: bool = False
    match_target: str = ""
    impl: Any = None

    def __post_init__(self) -> None:
        if self.type == "http":
            object.__setattr__(self, "type", HTTP)
        if not isinstance(self.security, SecurityInfo):
            object.__setattr__(self, "security", SecurityInfo(self.security or ""))

    @property
    def sec(self) -> Any:
        return self.security

    @property
    def is_http(self) -> bool:
        return self.type == HTTP

    def __str__(self) -> str:
        return self.type

    def __eq__(self, other: object) -> bool:
        if isinstance(other, str):
            return self.type == other
        if not isinstance(other, ChannelInfo):
            return NotImplemented
        return (self.type, self.name, self.data_format) == (other.type, other.name, other.data_format)

    def __hash__(self) -> int:
        return hash(self.type)


class ServerContext:
    """
    `self.server`: the worker that a service runs in.

    Args:
        cluster: Name of the cluster; part of the keys in Redis.
        folder: The server's folder of what services read: lua/user/, schema/json/, user-conf/.
        box: Encrypts for `self.crypto`.
        signing_key: Tells what servers of this cluster have cached from what others put there.
        user_config: Folders and files of `self.user_config`, by label.
        tasks: Takes asynchronous invocations; None where there is nobody to run them.
        usage: Counts how often services ran.
        statistics: Counts how long they took and how often they failed, and keeps what is worth a look.
        odb: The ODB, for services that look into it.
        configuration: Returns the configuration that runs now.

    Attributes:
        user_ctx: For the services' own use, shared by all of them in this worker; `user_ctx_lock` guards it.
    """

    def __init__(
        self,
        name: str,
        invoker: "Invoker",
        outgoing: "Outgoing",
        kvdb: KeyValueDB,
        *,
        cluster: str = "zato",
        folder: Path | None = None,
        box: SecretBox | None = None,
        signing_key: bytes = b"",
        user_config: Mapping[str, Path] | None = None,
        tasks: "Tasks | None" = None,
        usage: "Usage | None" = None,
        statistics: "Statistics | None" = None,
        odb: Any = None,
        configuration: Callable[[], Configuration] = Configuration,
    ) -> None:
        self.name = name
        self.cluster = cluster
        self.invoker = invoker
        self.outgoing = outgoing
        self.kvdb = kvdb
        self.odb = odb
        self.user_ctx = Bunch()
        self.user_ctx_lock = RLock()
        self.usage = usage
        self.statistics = statistics
        self._configuration = configuration
        self._folder = folder
        self._box = box
        # Without one, what is cached is good for this process.
        self._signing_key = signing_key or os.urandom(32)
        self._user_config = user_config or {}
        self._tasks = tasks

    @property
    def tasks(self) -> "Tasks":
        if self._tasks is None:
            raise Unavailable("Nothing can be invoked asynchronously here: this server has no queue")
        return self._tasks

    @cached_property
    def cache(self) -> "Caches":
        from zato.server.services.caches import Caches

        return Caches(self.kvdb.raw, f"zato:{self.cluster}:cache", self._signing_key)

    @cached_property
    def crypto(self) -> "Crypto":
        from zato.server.services.crypto import Crypto

        return Crypto(self._box)

    @cached_property
    def msg(self) -> "MessageFacade":
        from zato.server.services.messages import MessageFacade

        return MessageFacade(self._configuration)

    @cached_property
    def security(self) -> "SecurityFacade":
        from zato.server.services.security_facade import SecurityFacade

        return SecurityFacade(self._configuration)

    @cached_property
    def static_config(self) -> "StaticConfig":
        from zato.server.services.static_config import StaticConfig

        return StaticConfig(self._folder / "static" if self._folder else None)

    @cached_property
    def time(self) -> "Times":
        from zato.server.services.times import Times

        return Times(lambda key: self.kvdb.conn.get(key))  # type: ignore[arg-type,return-value]

    @cached_property
    def user_config(self) -> "UserConfig":
        from zato.server.services.user_config import UserConfig

        return UserConfig(self._user_config, self._folder / "user-conf" if self._folder else None)

    def spawn(self, work: Callable[[], object]) -> None:
        """Run something in the background of this worker. It ends with the worker."""
        gevent.spawn(work)
