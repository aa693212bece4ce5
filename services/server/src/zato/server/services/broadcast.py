"""Runs what was broadcast: once in each worker that listened."""

from collections.abc import Callable
from typing import Any

import gevent
import msgspec

from zato.common.errors import ZatoError
from zato.common.logs import bind_cid, get_logger
from zato.server.services.rules import InvokeRules
from zato.server.services.task_results import Result, follow_ups
from zato.server.services.tasks import Task, Tasks, decode_text

log = get_logger(__name__)


class BroadcastListener:
    """
    Called with each message of the channel `Tasks.broadcasts`.

    Args:
        rules: Which targets this server is.
        run: Runs a task and returns the response's payload.
        spawn: Runs a function in the background.
    """

    def __init__(
        self, tasks: Tasks, rules: InvokeRules, run: Callable[[Task], Any], spawn: Callable[..., object] = gevent.spawn
    ) -> None:
        self._tasks = tasks
        self._rules = rules
        self._run = run
        self._spawn = spawn

    def __call__(self, message: str) -> None:
        # Empty: the connection was made (again). What was missed is lost, as whoever broadcasts knows.
        if not message:
            return
        try:
            task = decode_text(message)
        except msgspec.DecodeError as exc:
            log.error("broadcast_not_readable", error=str(exc))
            return
        if not task.target or self._rules.targets.allows(task.target):
            self._spawn(self._work, task)

    def _work(self, task: Task) -> None:
        with bind_cid(task.cid):
            try:
                response = self._run(task)
            except gevent.GreenletExit:
                raise
            except BaseException:
                # Others may have run it: to try it again here would be to run it twice there.
                log.exception("broadcast_failed", service=task.service)
                return
            log.info("service_invoked", service=task.service, channel_type=task.channel)
            self._publish(follow_ups(task, Result(response)))

    def _publish(self, next_tasks: list[Task]) -> None:
        try:
            if next_tasks:
                self._tasks.publish(next_tasks)
        except ZatoError as exc:
            log.error("callbacks_not_published", error=exc.message)
