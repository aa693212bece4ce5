"""What stands in for Redis in a sandbox."""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import msgspec

from zato.server.services.kvdb import KeyValueDB
from zato.server.services.tasks import Task, encode


class MemoryKVDB(KeyValueDB):
    """A Redis in memory, made when a service first asks for it. Needs the extra zato-server[testing]."""

    def __init__(self) -> None:
        super().__init__("")

    @cached_property
    def _server(self) -> Any:
        import fakeredis

        return fakeredis.FakeServer()

    @cached_property
    def conn(self) -> Any:
        import fakeredis

        return fakeredis.FakeRedis(server=self._server, decode_responses=True)

    @cached_property
    def raw(self) -> Any:
        import fakeredis

        return fakeredis.FakeRedis(server=self._server)


class MemoryTasks:
    """
    Keeps asynchronous invocations until the test has them run.

    Attributes:
        waiting: Those that have not run yet, in their order.
        published: All that there ever were.
    """

    def __init__(self) -> None:
        self.waiting: list[Task] = []
        self.published: list[Task] = []

    def publish(self, tasks: Sequence[Task], *, delay_s: float = 0.0) -> None:
        for task in tasks:
            # As in Redis: what can't be sent fails in the test too.
            encode(task)
        self.waiting += tasks
        self.published += tasks

    def broadcast(self, task: Task, target: str = "") -> None:
        """A sandbox is one worker, and any target."""
        self.publish([msgspec.structs.replace(task, target=target)])
