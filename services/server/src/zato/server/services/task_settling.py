"""
The end of a task: acknowledged together with all that follows from it, in one transaction, so that whatever happens
meanwhile either all of it has happened or nothing.
"""

import time
import traceback
from collections.abc import Callable
from typing import Any

import gevent
import redis

from zato.common.logs import get_logger
from zato.server.http import formats
from zato.server.services.task_results import Result, final_tasks, follow_ups, outcome_of, target_outcome
from zato.server.services.tasks import FIELD, GROUP, Pattern, Task, Tasks, encode

log = get_logger(__name__)

_RETRY_REDIS_S = 0.5
_LONGEST_RETRY_S = 5.0
_KEEP_RESULTS_S = 86_400

# Whoever deletes the results of a fan-out is the one who ends it.
_END_FANOUT = """
if redis.call('DEL', KEYS[1]) == 0 then return 0 end
for i = 2, #ARGV do redis.call('XADD', KEYS[2], '*', ARGV[1], ARGV[i]) end
return 1
"""


class TaskSettling:
    """All methods wait until Redis answers: what has run has run, and to give up would make it run again."""

    def __init__(self, tasks: Tasks) -> None:
        self._tasks = tasks
        self._end_fanout = tasks.conn.register_script(_END_FANOUT)

    def drop(self, id: bytes) -> None:
        """Forget a task."""
        self._settle(id, lambda pipeline: None)

    def put_back(self, id: bytes, again: bytes, delay_s: float) -> None:
        """Let a task run again, after a while."""
        self._settle(id, lambda pipeline: self._tasks.add(pipeline, [again], delay_s))

    def bury(self, id: bytes, blob: bytes, reason: str) -> None:
        """Put aside what is no task at all."""
        self._settle(id, lambda pipeline: self._add_to_dead(pipeline, blob, None, reason))

    def finish(self, id: bytes, task: Task, result: Result) -> None:
        pattern = task.pattern
        try:
            next_tasks, outcome, kept = _consequences(task, result)
        except Exception as exc:
            # Its response has no form in JSON, so nobody can have it: as good as no response.
            log.exception("task_response_not_usable", service=task.service)
            result = Result(error=f"{type(exc).__name__}: {exc}", traceback=traceback.format_exc())
            next_tasks, outcome, kept = _consequences(task, result)
        finals = self._note_target(task, pattern, outcome) if pattern is not None and pattern.kind == "fanout" else []

        def settle(pipeline: Any) -> None:
            self._tasks.add(pipeline, next_tasks)
            if kept:
                pipeline.set(self._tasks.outcome_key(task.cid), kept, ex=task.keep_outcome_s)
            if not result.is_ok and not _is_answered(pattern):
                self._add_to_dead(pipeline, encode(task), task, result.error)
            if finals and pattern is not None:
                keys = [self._tasks.results_key(pattern.cid), self._tasks.stream]
                self._end_fanout(keys=keys, args=[FIELD, *finals], client=pipeline)

        self._settle(id, settle)

    def _note_target(self, task: Task, pattern: Pattern, outcome: bytes) -> list[bytes]:
        """Keep a target's outcome; return the final tasks when it was the last one."""
        key = self._tasks.results_key(pattern.cid)

        def note() -> Any:
            with self._tasks.conn.pipeline(transaction=True) as pipeline:
                pipeline.hsetnx(key, task.service, outcome)
                pipeline.expire(key, _KEEP_RESULTS_S)
                pipeline.hgetall(key)
                return pipeline.execute()[-1]

        outcomes = self._until_redis_answers(note)
        if len(outcomes) < pattern.targets:
            return []
        return [encode(each) for each in final_tasks(pattern, [formats.load_json(each) for each in outcomes.values()])]

    def _add_to_dead(self, pipeline: Any, blob: bytes, task: Task | None, reason: str) -> None:
        fields: dict[Any, Any] = {FIELD: blob, "reason": reason, "failed_at": time.time()}
        if task is not None:
            fields |= {"service": task.service, "cid": task.cid, "attempts": task.attempt}
            log.error("task_given_up", service=task.service, attempts=task.attempt, reason=reason)
        pipeline.xadd(self._tasks.dead, fields, maxlen=self._tasks.settings.dead_letters_kept, approximate=True)

    def _settle(self, id: bytes, add: Callable[[Any], None]) -> None:
        """Acknowledge a task, together with what follows from it."""

        def settle() -> None:
            with self._tasks.conn.pipeline(transaction=True) as pipeline:
                add(pipeline)
                pipeline.xack(self._tasks.stream, GROUP, id)
                pipeline.xdel(self._tasks.stream, id)
                pipeline.execute()

        self._until_redis_answers(settle)

    def _until_redis_answers(self, step: Callable[[], Any]) -> Any:
        pause_s = _RETRY_REDIS_S
        while True:
            try:
                return step()
            # One that is full, or a replica after a failover, does not take it now but may soon.
            except redis.RedisError as exc:
                log.warning("task_not_settled_yet", error=str(exc))
                gevent.sleep(pause_s)
                pause_s = min(2 * pause_s, _LONGEST_RETRY_S)


def _consequences(task: Task, result: Result) -> tuple[list[bytes], bytes, bytes]:
    """Return the tasks that follow at once, what a fan-out keeps of this one, and what is kept for whoever asks."""
    pattern = task.pattern
    outcome = formats.dump_json(target_outcome(task, pattern, result)) if pattern is not None else b""
    kept = outcome_of(task, result) if task.keep_outcome_s else b""
    return [encode(each) for each in follow_ups(task, result)], outcome, kept


def _is_answered(pattern: Pattern | None) -> bool:
    """Whether somebody hears of a failure anyway."""
    return pattern is not None and bool(pattern.on_target or pattern.on_final)
