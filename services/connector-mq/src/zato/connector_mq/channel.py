"""Taking messages of a queue: each in a unit of work of its own, which ends when it is known what becomes of the message."""

import queue
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

from zato.common.connectors.channels import Crew, intake_settings
from zato.common.connectors.intake import Intake
from zato.common.connectors.messages import DeadLetter, Fate, Message, Outcome
from zato.common.connectors.objects import Configured
from zato.common.connectors.running import Context
from zato.common.errors import ZatoError
from zato.common.logs import get_logger
from zato.connector_mq.config import MQSettings
from zato.connector_mq.context import context_of
from zato.connector_mq.kinds import ChannelOptions, DefinitionOptions
from zato.connector_mq.messages import CID, COUNT, DIED_AT, FROM, GRAVE_PROPERTIES, REASON, MQMessage
from zato.connector_mq.providers import Provider, Session, make_provider
from zato.connector_mq.waiting import Waiting, log_body

log = get_logger(__name__)

_RECEIVE_S = 1.0
_KEEP_ALIVE_S = 1.0
_JOIN_S = 3.0
_TAKE_S = 2.0
_MOST_ORPHANS = 1000
_MOST_LETTERS = 10_000
_REJECTED = "The service rejected it"


class MQChannel:
    """What runs for a `channel-jms-wmq`."""

    def __init__(self, settings: MQSettings, configured: Configured, context: Context) -> None:
        options: ChannelOptions = configured.options
        self.options = options
        self.definition: DefinitionOptions = configured.references["definition"].options
        self.provider: Provider = make_provider(settings, self.definition)
        self.intake: Intake = context.intake(configured, intake_settings(options, is_ordered=options.is_ordered))
        self.crew = Crew(options.readers, context.report)
        self.orphans = Orphans()
        self.is_stopping = threading.Event()
        self._readers = [Reader(self, f"mq-{configured.name}-{number}") for number in range(options.readers)]

    def start(self) -> None:
        for reader in self._readers:
            reader.start()

    def stop(self, drain_s: float) -> None:
        self.is_stopping.set()
        self.intake.stop(drain_s)
        for reader in self._readers:
            reader.join(_JOIN_S)

    def bury(self, session: Session, message: MQMessage, outcome: Outcome) -> None:
        """Put a message into the backout queue, in the unit of work in which it was received."""
        grave = {
            REASON: outcome.reason[:1000],
            CID: outcome.cid,
            COUNT: outcome.count,
            DIED_AT: datetime.now(UTC).isoformat(timespec="milliseconds"),
            FROM: self.options.queue,
        }
        session.forward(self.backout_queue(session), message, grave, ())

    def backout_queue(self, session: Session) -> str:
        queue_name = self.options.queue
        return self.options.backout_queue or session.backout_queue(queue_name) or f"{queue_name}.BACKOUT"

    def dead_letters(self, limit: int) -> list[DeadLetter]:
        with closing(self.provider.connect()) as session:
            return [_letter(each) for each in session.browse(self.backout_queue(session), limit)]

    def count_dead_letters(self) -> int:
        with closing(self.provider.connect()) as session:
            return session.count(self.backout_queue(session), _MOST_LETTERS)

    def redrive(self, ids: Sequence[str] | None) -> int:
        return self._take_out(ids, lambda session, message: session.forward(self.options.queue, message, {}, GRAVE_PROPERTIES))

    def purge(self, ids: Sequence[str] | None) -> int:
        return self._take_out(ids, lambda _session, _message: None)

    def _take_out(self, ids: Sequence[str] | None, then: Callable[[Session, MQMessage], None]) -> int:
        count = 0
        with closing(self.provider.connect()) as session:
            grave = self.backout_queue(session)
            there = [each.message_id for each in session.browse(grave, _MOST_LETTERS)]
            chosen = None if ids is None else frozenset(ids)
            wanted = [each for each in there if chosen is None or each in chosen]
            for message_id in wanted:
                message = session.receive(grave, _TAKE_S, message_id)
                if message is None:
                    continue
                then(session, message)
                session.commit()
                count += 1
        return count


class Orphans:
    """
    Messages whose session ended while their service ran.

    Their peer gives them again, to us or to another connector. To us: what becomes of them is known by then or will be, and
    the service is not run a second time.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pending: OrderedDict[str, queue.SimpleQueue[Outcome]] = OrderedDict()

    def leave(self, message_id: str, pending: "queue.SimpleQueue[Outcome]") -> None:
        with self._lock:
            self._pending[message_id] = pending
            if len(self._pending) > _MOST_ORPHANS:
                self._pending.popitem(last=False)

    def adopt(self, message_id: str) -> "queue.SimpleQueue[Outcome] | None":
        with self._lock:
            return self._pending.pop(message_id, None)


class Reader:
    """One thread with one session, which reads one message after the other."""

    def __init__(self, channel: MQChannel, name: str) -> None:
        self._channel = channel
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def join(self, timeout_s: float) -> None:
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    def _work(self) -> None:
        channel, waiting = self._channel, Waiting(self._channel.is_stopping)
        while not channel.is_stopping.is_set():
            session: Session | None = None
            try:
                session = channel.provider.connect()
                self._read(session, waiting)
            except ZatoError as exc:
                self._failed(exc.message)
            except Exception as exc:  # this thread must not end, whatever we did not think of
                log.exception("reader_failed", queue=channel.options.queue)
                self._failed(f"{type(exc).__name__}; see reader_failed in the log")
            finally:
                if session is not None:
                    session.close()
            waiting.wait()

    def _failed(self, reason: str) -> None:
        if not self._channel.is_stopping.is_set():
            self._channel.crew.fares(self, reason or "it failed")

    def _read(self, session: Session, waiting: Waiting) -> None:
        channel = self._channel
        is_first = True
        while not channel.is_stopping.is_set():
            # The first time without a wait: it shows whether the queue is there.
            message = session.receive(channel.options.queue, 0.01 if is_first else _RECEIVE_S)
            if is_first:
                is_first = False
                waiting.reset()
                channel.crew.fares(self, "")
            if message is not None:
                self._handle(session, message)

    def _handle(self, session: Session, message: MQMessage) -> None:
        channel = self._channel
        log_body("message_received", channel.definition, channel.options.queue, message)
        pending = channel.orphans.adopt(message.message_id) if message.message_id else None
        if pending is None:
            pending = queue.SimpleQueue()
            self._submit(message, pending)
        outcome: Outcome | None = None
        try:
            outcome = self._await(session, pending)
            self._settle(session, message, outcome)
        except BaseException:
            if message.message_id and (outcome is None or outcome.fate is not Fate.RETURNED):
                if outcome is not None:
                    pending.put(outcome)
                channel.orphans.leave(message.message_id, pending)
            raise

    def _submit(self, message: MQMessage, pending: "queue.SimpleQueue[Outcome]") -> None:
        channel = self._channel
        if message.problem:
            channel.intake.counts.dead += 1
            pending.put(Outcome(Fate.DEAD, message.problem))
            return
        # One try at least: what a peer counts has connectors that were killed in it, which no message is to blame for.
        attempts = min(message.delivery_count, channel.options.tries) - 1
        came_before = message.is_redelivered or message.delivery_count > 1
        channel.intake.submit(
            Message(message.message_id, message.body, context_of(message), max(0, attempts), came_before), pending.put
        )

    def _await(self, session: Session, pending: "queue.SimpleQueue[Outcome]") -> Outcome:
        while True:
            try:
                return pending.get(timeout=_KEEP_ALIVE_S)
            except queue.Empty:
                session.keep_alive()

    def _settle(self, session: Session, message: MQMessage, outcome: Outcome) -> None:
        channel = self._channel
        if outcome.fate is Fate.RETURNED:
            session.roll_back()
            return
        if outcome.fate is Fate.REJECTED:
            channel.bury(session, message, Outcome(Fate.DEAD, _REJECTED, outcome.cid, outcome.count))
        elif outcome.fate is Fate.DEAD:
            channel.bury(session, message, outcome)
        session.commit()


def _letter(message: MQMessage) -> DeadLetter:
    properties = dict(message.properties)
    grave: dict[str, Any] = {name: properties.pop(name, "") for name in GRAVE_PROPERTIES}
    count = str(grave[COUNT])
    return DeadLetter(
        id=message.message_id,
        body=message.body,
        reason=str(grave[REASON]),
        cid=str(grave[CID]),
        count=int(count) if count.isdecimal() else 0,
        died_at=str(grave[DIED_AT]),
        context={"properties": properties, "correlation_id": message.correlation_id, "reply_to": message.reply_to},
    )
