"""
Runs the tasks that are in Redis: one consumer in each worker.

A task is acknowledged after its service has run, together with whatever follows from that, in one transaction. While it
runs its worker says so again and again; tasks of a worker that has stopped to say so are taken over by the others.
"""

import time
import traceback
from collections.abc import Callable
from typing import Any

import gevent
import msgspec
import redis
from gevent.pool import Pool

from zato.common.logs import bind_cid, get_logger
from zato.server.services.task_results import Result
from zato.server.services.task_settling import TaskSettling
from zato.server.services.tasks import FIELD, GROUP, Task, Tasks, decode, encode

log = get_logger(__name__)

_BLOCK_MS = 500
_RETRY_REDIS_S = 0.5
_MOST_AT_ONCE = 10
_FORGET_CONSUMERS_AFTER_S = 3600.0
_LOOK_FOR_DEAD_EVERY_S = 60.0
_DUE_AT_ONCE = 100

# Moves what is due, as Redis tells the time, so that no clock of ours matters twice.
_MOVE_DUE = """
local now = redis.call('TIME')
local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now[1] * 1000 + math.floor(now[2] / 1000), 'LIMIT', 0, ARGV[1])
for _, task in ipairs(due) do
    redis.call('XADD', KEYS[2], '*', ARGV[2], task)
    redis.call('ZREM', KEYS[1], task)
end
return #due
"""

# To delete a consumer is to delete what it has not acknowledged.
_FORGET_CONSUMER = """
for _, consumer in ipairs(redis.call('XINFO', 'CONSUMERS', KEYS[1], ARGV[1])) do
    if consumer[2] == ARGV[2] and consumer[4] == 0 then
        return redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], ARGV[2])
    end
end
return 0
"""


class TaskConsumer:
    """
    Args:
        run: Runs a task and returns the response's payload.
    """

    def __init__(self, tasks: Tasks, run: Callable[[Task], Any]) -> None:
        self._tasks = tasks
        self._settings = tasks.settings
        self._name = ""
        self._run = run
        self._pool = Pool(self._settings.concurrency)
        self._running: set[bytes] = set()
        self._is_stopping = False
        self._forget_at = 0.0
        self._greenlets: list[gevent.Greenlet[..., Any]] = []
        self._move_due = tasks.conn.register_script(_MOVE_DUE)
        self._settling = TaskSettling(tasks)
        self._forget_consumer = tasks.conn.register_script(_FORGET_CONSUMER)

    def start(self, name: str) -> None:
        """
        Args:
            name: Of this worker, unlike that of any other one, living or dead.
        """
        self._name = name
        tend_every_s = min(1.0, self._settings.claim_after_s / 4)
        self._greenlets = [
            gevent.spawn(self._forever, self._read, 0.0),
            gevent.spawn(self._forever, self._tend, tend_every_s),
        ]

    def stop_reading(self) -> None:
        """Take no further tasks. Those that run go on."""
        self._is_stopping = True

    def stop(self, timeout_s: float) -> None:
        """Give running tasks their time. Those that are cut off stay in Redis, and another worker takes them."""
        self._is_stopping = True
        gevent.joinall(self._greenlets, timeout=2 * _BLOCK_MS / 1000 + _RETRY_REDIS_S)
        deadline = time.monotonic() + timeout_s
        while self._running and time.monotonic() < deadline:
            self._pool.join(timeout=min(1.0, max(0.0, deadline - time.monotonic())))
            self._quietly(self._say_that_they_run)
        if self._running:
            log.warning("tasks_cut_off", count=len(self._running))
        self._pool.kill(timeout=1.0)
        gevent.killall(self._greenlets, timeout=1.0)
        self._quietly(lambda: self._forget(self._name))

    def _forever(self, step: Callable[[], None], pause_s: float) -> None:
        is_reported = False
        while not self._is_stopping:
            try:
                step()
                is_reported = False
                gevent.sleep(pause_s)
            except redis.RedisError as exc:
                if "NOGROUP" in str(exc):
                    self._quietly(self._make_group)
                elif not is_reported:
                    log.warning("tasks_not_reachable", error=str(exc))
                    is_reported = True
                gevent.sleep(_RETRY_REDIS_S)
            except Exception:
                # Whatever it is, a worker that takes no tasks any more would be worse.
                log.exception("task_consumer_failed")
                gevent.sleep(_RETRY_REDIS_S)

    def _read(self) -> None:
        self._pool.wait_available()
        count = min(self._pool.free_count(), _MOST_AT_ONCE)
        streams: dict[Any, Any] = {self._tasks.stream: ">"}
        answer: Any = self._tasks.conn.xreadgroup(GROUP, self._name, streams, count=count, block=_BLOCK_MS)
        for id, fields in _entries(answer):
            self._start(id, fields, 1)

    def _tend(self) -> None:
        """What has to be done once in a while."""
        tasks = self._tasks
        self._move_due(keys=[tasks.delayed, tasks.stream], args=[_DUE_AT_ONCE, FIELD])
        self._say_that_they_run()
        self._claim()
        self._forget_dead_consumers()

    def _say_that_they_run(self) -> None:
        if self._running:
            self._tasks.conn.xclaim(self._tasks.stream, GROUP, self._name, 0, list(self._running), justid=True)

    def _claim(self) -> None:
        """Take over what dead workers have left."""
        free = self._pool.free_count()
        if not free or self._is_stopping:
            return
        conn, stream = self._tasks.conn, self._tasks.stream
        idle_ms = round(self._settings.claim_after_s * 1000)
        claimed: Any = conn.xautoclaim(stream, GROUP, self._name, idle_ms, count=min(free, _MOST_AT_ONCE))
        for id, fields in claimed[1]:
            if id in self._running:
                continue
            pending: Any = conn.xpending_range(stream, GROUP, id, id, 1)
            deliveries = pending[0]["times_delivered"] if pending else 1
            log.warning("task_taken_over", id=id.decode(), deliveries=deliveries)
            self._start(id, fields, deliveries)

    def _forget_dead_consumers(self) -> None:
        if time.monotonic() < self._forget_at:
            return
        self._forget_at = time.monotonic() + _LOOK_FOR_DEAD_EVERY_S
        consumers: Any = self._tasks.conn.xinfo_consumers(self._tasks.stream, GROUP)
        for consumer in consumers:
            if consumer["pending"] == 0 and consumer["idle"] > _FORGET_CONSUMERS_AFTER_S * 1000:
                self._forget(consumer["name"])

    def _forget(self, consumer: str | bytes) -> None:
        self._forget_consumer(keys=[self._tasks.stream], args=[GROUP, consumer])

    def _make_group(self) -> None:
        try:
            # From the beginning: what was published before the first worker ran is to be run too.
            self._tasks.conn.xgroup_create(self._tasks.stream, GROUP, id="0", mkstream=True)
        except redis.ResponseError as exc:
            if "BUSYGROUP" not in str(exc):
                raise

    def _start(self, id: bytes, fields: dict[bytes, bytes], deliveries: int) -> None:
        self._running.add(id)
        self._pool.spawn(self._work, id, fields, deliveries)

    def _work(self, id: bytes, fields: dict[bytes, bytes], deliveries: int) -> None:
        try:
            blob = fields.get(FIELD, b"")
            try:
                task = decode(blob)
            except msgspec.DecodeError as exc:
                log.error("task_not_readable", id=id.decode(), error=str(exc))
                reason = f"It cannot be read: {exc}"
                self._settling.bury(id, blob, reason)
                return
            with bind_cid(task.cid):
                self._run_task(id, task, deliveries)
        finally:
            self._running.discard(id)

    def _run_task(self, id: bytes, task: Task, deliveries: int) -> None:
        most = task.max_attempts or self._settings.max_attempts
        # Each delivery but the first is a worker that died in the middle.
        task = msgspec.structs.replace(task, attempt=task.attempt + deliveries - 1)
        if task.expires_at and time.time() > task.expires_at:
            log.warning("task_expired", service=task.service, late_s=round(time.time() - task.expires_at, 1))
            self._settling.drop(id)
            return
        if deliveries > 1 and task.attempt > max(most, self._settings.max_attempts):
            result = Result(error=f"The worker that ran it died, {deliveries - 1} times")
        else:
            result = self._outcome(task)
        if not result.is_ok and task.attempt < most:
            again = encode(msgspec.structs.replace(task, attempt=task.attempt + 1))
            delay_s = max(self._settings.back_off_s(task), 0.001)
            log.info("task_retried", service=task.service, attempt=task.attempt, after_s=delay_s)
            self._settling.put_back(id, again, delay_s)
            return
        self._settling.finish(id, task, result)

    def _outcome(self, task: Task) -> Result:
        started = time.perf_counter()
        try:
            response = self._run(task)
        except gevent.GreenletExit:
            # We are told to stop: the task stays unacknowledged, for another worker.
            raise
        except BaseException as exc:
            log.exception("task_failed", service=task.service, attempt=task.attempt)
            return Result(error=f"{type(exc).__name__}: {exc}", traceback="".join(traceback.format_exception(exc)))
        duration_ms = round((time.perf_counter() - started) * 1000, 2)
        log.info("service_invoked", service=task.service, channel_type=task.channel, duration_ms=duration_ms)
        return Result(response)

    @staticmethod
    def _quietly(step: Callable[[], None]) -> None:
        try:
            step()
        except redis.RedisError as exc:
            log.warning("tasks_not_reachable", error=str(exc))


def _entries(answer: Any) -> list[tuple[bytes, dict[bytes, bytes]]]:
    """What XREADGROUP answers, in either version of Redis' protocol."""
    streams = answer.values() if isinstance(answer, dict) else [entries for _, entries in answer or ()]
    found: list[tuple[bytes, dict[bytes, bytes]]] = []
    for entries in streams:
        for entry in entries:
            found += entry if isinstance(entry, list) else [entry]
    return found
