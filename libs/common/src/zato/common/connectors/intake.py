"""
Handing messages to a service: many per call, again after a failure, later while no server takes them.

Two things that go wrong are kept apart. A server that is down or busy, or dies, is not the message's fault: the message
waits, for as long as it takes, and that counts as no try. A service that fails is tried again, each time after twice the
time, and when its tries are used up the message is dead.

A message may also be what its worker died of. All that were with a worker that died are suspected: they are tried again one
at a time, and one that was alone with workers that died, again and again, is dead. Servers remember deaths as they do tries,
each before it can happen, so that whoever has the message after us goes on where we ended.
"""

import heapq
import itertools
import json
import math
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from zato.common.cid import new_cid
from zato.common.connectors.deaths import killer_reason, most_deaths
from zato.common.connectors.errors import StaleLease
from zato.common.connectors.messages import Fate, Message, Outcome
from zato.common.errors import (
    DeadlineExceeded,
    NotImplementedHere,
    TooManyRequests,
    Unauthorized,
    Unavailable,
    WorkerLost,
    ZatoError,
)
from zato.common.logs import get_logger
from zato.common.rpc.servers import Servers
from zato.proto.invoker.v1 import invoker_pb2 as messages

if TYPE_CHECKING:
    from zato.common.connectors.leases import Lease

log = get_logger(__name__)

Settle = Callable[[Outcome], None]

# A server takes messages of 4 MB; what is larger than this goes alone, and is refused if it is too large.
_BATCH_BYTES = 1_000_000
_GRACE_S = 5.0
_FIRST_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 1.0
_LONGEST_WAIT_S = 60.0
# Where there are many messages they wait for so long for others to go with.
_GATHER_S = 0.003
# One half of the messages is worked on while the other one is on its way. Where that takes longer than this it is the services
# that do, and as many workers as can be should have a part.
_LONG_CALL_S = 0.05
# What a server answers, or nobody, when the messages are not to blame.
_SERVERS_FAULT = (Unavailable, DeadlineExceeded, TooManyRequests, Unauthorized, NotImplementedHere, StaleLease)


@dataclass(frozen=True)
class IntakeSettings:
    """
    Args:
        data_format: "json", "xml" or "raw": what `self.request.payload` is made of.
        tries: How often a service that fails is tried, the first time included.
        retry_after_s: Wait before the second try; doubles with each further one, up to a minute.
        timeout_s: How long a service may take.
        is_ordered: One message after the other; one that fails holds up those behind it until it is done or dead.
        batch: Messages per call at most.
        calls: Calls at a time.
        inbox_s: For so many seconds a message that was done is not done again; 0 for no memory.
        is_acknowledged: What becomes of a message whose service ended well and said nothing.
    """

    service: str
    data_format: str = "json"
    tries: int = 5
    retry_after_s: float = 1.0
    timeout_s: float = 60.0
    is_ordered: bool = False
    batch: int = 50
    calls: int = 4
    inbox_s: int = 0
    is_acknowledged: bool = True


@dataclass(slots=True)
class Counts:
    received: int = 0
    done: int = 0
    retried: int = 0
    dead: int = 0


@dataclass(slots=True, eq=False)
class _Entry:
    message: Message
    settle: Settle
    count: int
    cid: str = ""
    # A call with this message was refused, or its worker died: the next one is to show whose fault that was.
    goes_alone: bool = False
    # Workers that went away while they had it.
    deaths: int = 0


class Intake:
    """Of one channel. Messages wait in memory, unacknowledged: the peer's prefetch limits how many."""

    def __init__(
        self,
        servers: Servers,
        channel_type: str,
        channel: str,
        settings: IntakeSettings,
        lease: "Lease | None" = None,
    ) -> None:
        self._lease = lease
        self._servers = servers
        self._channel_type = channel_type
        self._channel = channel
        self._settings = settings
        self._ready: deque[_Entry] = deque()
        self._later: list[tuple[float, int, _Entry]] = []
        self._numbers = itertools.count()
        self._changed = threading.Condition()
        self._calls = 0
        self._under_way = 0
        self._parts = min(2, settings.calls)
        # How many messages there were at a time, lately.
        self._lately = 0
        self._gathering_since = 0.0
        self._has_suspect = False
        self._hold_until = 0.0
        self._pause_s = _FIRST_PAUSE_S
        self._is_stopping = False
        self._thread: threading.Thread | None = None
        self.counts = Counts()

    @property
    def in_flight(self) -> int:
        """Messages that were submitted and not settled."""
        with self._changed:
            return len(self._ready) + len(self._later) + self._under_way

    def submit(self, message: Message, settle: Settle) -> None:
        """
        Take a message. Never waits.

        Args:
            settle: Called once, in some thread, with what is to become of the message. May not wait for long.
        """
        with self._changed:
            is_returned = self._is_stopping
            if not is_returned:
                self.counts.received += 1
                if not self._ready:
                    self._gathering_since = time.monotonic()
                self._ready.append(_Entry(message, settle, message.attempts))
                if self._thread is None:
                    self._thread = threading.Thread(target=self._work, name=f"intake-{self._channel}", daemon=True)
                    self._thread.start()
                # To wake it for each message would cost more than all else that is done here.
                if self._calls < self._most_calls() and (len(self._ready) == 1 or len(self._ready) >= self._share()):
                    self._changed.notify()
        if is_returned:
            settle(Outcome(Fate.RETURNED))

    def stop(self, drain_s: float) -> None:
        """Begin no call any more, let those under way end for so many seconds, and return what is left."""
        with self._changed:
            self._is_stopping = True
            left = [*self._ready, *(entry for _, _, entry in self._later)]
            self._ready.clear()
            self._later.clear()
            self._changed.notify_all()
        for entry in left:
            _settle(entry, Outcome(Fate.RETURNED))
        with self._changed:
            self._changed.wait_for(lambda: self._calls == 0, drain_s)
        if self._thread is not None:
            self._thread.join(1.0)

    def _work(self) -> None:
        while True:
            with self._changed:
                batch = self._next_batch()
                while not batch and not self._is_stopping:
                    self._changed.wait(self._wait_s())
                    batch = self._next_batch()
                if not batch:
                    return
                self._calls += 1
                self._under_way += len(batch)
                self._has_suspect = self._has_suspect or batch[0].goes_alone
            self._send(batch)

    def _wait_s(self) -> float:
        now = time.monotonic()
        if self._calls >= self._most_calls() or (self._has_suspect and self._ready and self._ready[0].goes_alone):
            return _LONGEST_WAIT_S
        moments = [max(self._hold_until, self._gathering_since + _GATHER_S)] if self._ready else []
        if self._later:
            moments.append(max(self._later[0][0], self._hold_until))
        return max(0.0, min(moments) - now) if moments else _LONGEST_WAIT_S

    def _most_calls(self) -> int:
        return 1 if self._settings.is_ordered else self._settings.calls

    def _share(self) -> int:
        """Return how many messages a call should have now."""
        if self._settings.is_ordered:
            return self._settings.batch
        return min(self._settings.batch, math.ceil(max(len(self._ready) + self._under_way, self._lately) / self._parts))

    def _is_gathering(self, now: float) -> bool:
        return (
            not self._settings.is_ordered
            and len(self._ready) < self._share()
            and now < self._gathering_since + _GATHER_S
            and not self._ready[0].goes_alone
        )

    def _next_batch(self) -> list[_Entry]:
        now = time.monotonic()
        if self._is_stopping or self._calls >= self._most_calls() or now < self._hold_until:
            return []
        while self._later and self._later[0][0] <= now:
            self._ready.append(heapq.heappop(self._later)[2])
        if self._ready and self._ready[0].goes_alone and self._has_suspect:
            return []
        if not self._ready or self._is_gathering(now):
            return []
        batch: list[_Entry] = []
        size, share = 0, self._share()
        while self._ready and len(batch) < share:
            entry = self._ready[0]
            size += len(entry.message.body)
            if batch and (size > _BATCH_BYTES or entry.goes_alone or batch[0].goes_alone):
                break
            batch.append(self._ready.popleft())
        self._gathering_since = now
        here = len(batch) + len(self._ready) + self._under_way
        self._lately = max(here, (7 * self._lately + here) // 8)
        return batch

    def _send(self, batch: list[_Entry]) -> None:
        settings = self._settings
        for entry in batch:
            entry.cid = new_cid()
        request = messages.DeliverRequest(
            service=settings.service,
            data_format=settings.data_format,
            channel_type=self._channel_type,
            channel=self._channel,
            is_ordered=settings.is_ordered,
            timeout_s=settings.timeout_s,
            inbox_s=settings.inbox_s,
            tries=settings.tries,
            lease=self._lease.name if self._lease is not None else "",
            lease_epoch=self._lease.epoch if self._lease is not None else 0,
            messages=[
                messages.Delivery(
                    id=entry.message.id,
                    body=entry.message.body,
                    context_json=json.dumps(dict(entry.message.context)).encode(),
                    cid=entry.cid,
                    attempt=entry.count + 1,
                    is_redelivered=entry.message.is_redelivered,
                    deaths=entry.deaths,
                )
                for entry in batch
            ],
        )
        is_suspect = batch[0].goes_alone
        began = time.monotonic()
        timeout_s = settings.timeout_s * (len(batch) if settings.is_ordered else 1) + _GRACE_S
        self._servers.start(
            lambda server: server.invoker.Deliver,
            request,
            timeout_s=timeout_s,
            done=lambda answer: self._heard(batch, answer, time.monotonic() - began, is_suspect=is_suspect),
        )

    def _heard(
        self, batch: list[_Entry], answer: "messages.DeliverResponse | ZatoError", elapsed_s: float, *, is_suspect: bool
    ) -> None:
        try:
            settled = self._refused(batch, answer) if isinstance(answer, ZatoError) else self._took(batch, answer)
        except Exception:  # the call must be over, whatever we did not think of
            log.exception("answer_not_understood", channel=self._channel)
            settled = [(entry, Outcome(Fate.RETURNED)) for entry in batch]
        for entry, outcome in settled:
            _settle(entry, outcome)
        with self._changed:
            self._calls -= 1
            self._under_way -= len(batch)
            self._parts = min(2, self._settings.calls) if elapsed_s < _LONG_CALL_S else self._settings.calls
            if is_suspect:
                self._has_suspect = False
            self._changed.notify_all()

    def _refused(self, batch: list[_Entry], error: ZatoError) -> list[tuple[_Entry, Outcome]]:
        if isinstance(error, _SERVERS_FAULT):
            with self._changed:
                if self._hold_until < time.monotonic():
                    log.warning("messages_wait_for_servers", channel=self._channel, messages=len(batch), error=error.message)
                    self._hold_until = time.monotonic() + self._pause_s
                    self._pause_s = min(self._pause_s * 2, _LONGEST_PAUSE_S)
                if not isinstance(error, WorkerLost):
                    return self._again_first(batch)
            return self._lost(batch, error.message)
        if len(batch) == 1:
            return self._failed(batch[0], error.message)
        for entry in batch:
            entry.goes_alone = True
        with self._changed:
            return self._again_first(batch)

    def _lost(self, batch: list[_Entry], reason: str) -> list[tuple[_Entry, Outcome]]:
        """The worker went away in the middle: perhaps of one of these."""
        settled: list[tuple[_Entry, Outcome]] = []
        for entry in reversed(batch):
            entry.deaths += 1
            if entry.goes_alone and entry.deaths >= most_deaths(self._settings.tries):
                entry.count += entry.deaths
                settled.append(self._dead(entry, f"{killer_reason(entry.deaths)}: {reason}"))
                continue
            # What was with others is to show at once that it was not to blame.
            wait_s = self._back_off_s(entry.deaths - 1) if entry.goes_alone else 0.0
            entry.goes_alone = True
            with self._changed:
                settled += self._again_later(entry, wait_s)
        return settled

    def _again_first(self, entries: list[_Entry]) -> list[tuple[_Entry, Outcome]]:
        if self._is_stopping:
            return [(entry, Outcome(Fate.RETURNED)) for entry in entries]
        self._ready.extendleft(reversed(entries))
        return []

    def _took(self, batch: list[_Entry], response: messages.DeliverResponse) -> list[tuple[_Entry, Outcome]]:
        self._pause_s = _FIRST_PAUSE_S
        settled: list[tuple[_Entry, Outcome]] = []
        undone: list[_Entry] = []
        failed: list[tuple[_Entry, str]] = []
        for entry, result in zip(batch, response.results, strict=True):
            entry.count = max(entry.count, result.attempt - 1)
            if result.outcome == messages.Delivered.NOT_DONE:
                if result.deaths:
                    entry.deaths, entry.goes_alone = max(entry.deaths, result.deaths), True
                undone.append(entry)
            elif result.outcome == messages.Delivered.FAILED:
                failed.append((entry, f"{result.error.type}: {result.error.message}"))
            else:
                settled.append((entry, self._done(entry, result)))
        with self._changed:
            if undone and not failed:
                # Another one is about to do them: it will not be long.
                self._hold_until = time.monotonic() + _FIRST_PAUSE_S
            settled += self._again_first(undone)
        for entry, reason in reversed(failed):
            settled += self._failed(entry, reason)
        return settled

    def _done(self, entry: _Entry, result: Any) -> Outcome:
        self.counts.done += 1
        is_refused = result.outcome == messages.Delivered.REJECTED
        if not result.is_explicit and not is_refused:
            is_refused = not self._settings.is_acknowledged
        fate = Fate.REJECTED if is_refused else Fate.DONE
        return Outcome(fate, cid=result.cid, count=entry.count + 1, reply=result.payload)

    def _failed(self, entry: _Entry, reason: str) -> list[tuple[_Entry, Outcome]]:
        entry.count += 1
        if entry.count >= self._settings.tries:
            return [self._dead(entry, reason)]
        with self._changed:
            return self._again_later(entry, self._back_off_s(entry.count))

    def _dead(self, entry: _Entry, reason: str) -> tuple[_Entry, Outcome]:
        self.counts.dead += 1
        log.error("message_dead", channel=self._channel, id=entry.message.id, cid=entry.cid, count=entry.count, reason=reason)
        return entry, Outcome(Fate.DEAD, reason, entry.cid, entry.count)

    def _back_off_s(self, tries: int) -> float:
        return float(min(self._settings.retry_after_s * 2 ** (tries - 1), _LONGEST_WAIT_S))

    def _again_later(self, entry: _Entry, wait_s: float) -> list[tuple[_Entry, Outcome]]:
        if self._is_stopping:
            return [(entry, Outcome(Fate.RETURNED))]
        self.counts.retried += 1
        if self._settings.is_ordered or not wait_s:
            self._ready.appendleft(entry)
            self._hold_until = max(self._hold_until, time.monotonic() + wait_s)
        else:
            heapq.heappush(self._later, (time.monotonic() + wait_s, next(self._numbers), entry))
        return []


def _settle(entry: _Entry, outcome: Outcome) -> None:
    try:
        entry.settle(outcome)
    except Exception:  # foreign code: a connector's
        log.exception("message_not_settled", id=entry.message.id)
