"""Runs that are claimed and have to be started, now or later."""

import heapq
from collections import defaultdict
from itertools import count

from zato.proto.jobs.v1.jobs_pb2 import PendingRun

TRY_AGAIN_US = 1_000_000


class PendingRuns:
    """
    By when they may start. Of a job whose runs wait for each other the first one is tried again now and then, and
    whenever a run of the job ended; the others queue behind it.
    """

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, PendingRun]] = []
        self._queues: defaultdict[int, list[PendingRun]] = defaultdict(list)
        self._ids: set[int] = set()
        self._numbers = count()

    def __contains__(self, run_id: int) -> bool:
        return run_id in self._ids

    def __len__(self) -> int:
        return len(self._ids)

    def add(self, run: PendingRun, not_before_us: int = 0) -> None:
        """A run that is there already stays where it is."""
        if run.run_id not in self._ids:
            self._ids.add(run.run_id)
            self._schedule(run, max(not_before_us, run.not_before_us))

    def queue(self, run: PendingRun, now_us: int) -> None:
        """A run that was taken out has to wait for an earlier one of its job."""
        queue = self._queues[run.job_id]
        queue.append(run)
        queue.sort(key=lambda each: (each.planned_us, each.run_id))
        self._ids.add(run.run_id)
        if queue[0] is run:
            self._schedule(run, now_us + TRY_AGAIN_US)

    def ended(self, job_id: int, now_us: int) -> None:
        """A run of the job ended: the one that waits for it may start."""
        if queue := self._queues.get(job_id):
            self._schedule(queue[0], now_us)

    def take(self, now_us: int) -> list[PendingRun]:
        """Take out what may start now."""
        taken = []
        while self._heap and self._heap[0][0] <= now_us:
            run = heapq.heappop(self._heap)[2]
            if run.run_id not in self._ids:
                continue  # an earlier place of one that was taken out meanwhile
            queue = self._queues.get(run.job_id, [])
            if queue and queue[0].run_id != run.run_id:
                if run not in queue:  # it comes behind those that wait already
                    self.queue(run, now_us)
                continue
            if queue:
                queue.pop(0)
                if queue:
                    # Nobody may tell us that this one ended, for one that another leader started.
                    self._schedule(queue[0], now_us + TRY_AGAIN_US)
                else:
                    del self._queues[run.job_id]
            self._ids.discard(run.run_id)
            taken.append(run)
        return taken

    def next_at_us(self) -> int | None:
        return self._heap[0][0] if self._heap else None

    def clear(self) -> None:
        self._heap.clear()
        self._queues.clear()
        self._ids.clear()

    def _schedule(self, run: PendingRun, at_us: int) -> None:
        heapq.heappush(self._heap, (at_us, next(self._numbers), run))
