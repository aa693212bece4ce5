"""Sending: what one call brings goes in one unit of work, which returns once the peer has it."""

import queue
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from zato.common.connectors.errors import InDoubt, NotSent, Refused
from zato.common.connectors.messages import Outgoing
from zato.common.connectors.objects import Configured
from zato.common.connectors.running import Context
from zato.common.errors import Unavailable, ZatoError
from zato.common.logs import get_logger
from zato.connector_mq.config import MQSettings
from zato.connector_mq.kinds import DefinitionOptions, OutgoingOptions
from zato.connector_mq.providers import Session, make_provider
from zato.connector_mq.sending import ToSend, to_send
from zato.connector_mq.waiting import Waiting, log_body

log = get_logger(__name__)

_KEEP_ALIVE_S = 1.0
_JOIN_S = 3.0


@dataclass(slots=True, eq=False)
class _Batch:
    """What one call sends."""

    messages: Sequence[ToSend | ZatoError]
    deadline: float
    results: list[bytes | ZatoError] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    is_begun: bool = False
    is_given_up: bool = False
    done: threading.Event = field(default_factory=threading.Event)

    def begin(self) -> bool:
        """Return whether somebody waits for it still."""
        with self.lock:
            self.is_begun = not self.is_given_up
            return self.is_begun

    def give_up(self) -> bool:
        """Return whether nobody has begun with it."""
        with self.lock:
            self.is_given_up = True
            return not self.is_begun


class MQOutgoing:
    """What runs for an `outgoing-jms-wmq`."""

    def __init__(self, settings: MQSettings, configured: Configured, context: Context) -> None:
        self._name = configured.name
        self._options: OutgoingOptions = configured.options
        self._definition: DefinitionOptions = configured.references["definition"].options
        self._provider = make_provider(settings, self._definition)
        self._context = context
        self._is_stopping = threading.Event()
        self._batches: queue.SimpleQueue[_Batch | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._connected = 0
        self._reason = "not connected yet"
        self._threads = [
            threading.Thread(target=self._work, name=f"mq-{configured.name}-{number}", daemon=True)
            for number in range(self._options.pool_size)
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self, drain_s: float) -> None:
        self._is_stopping.set()
        for _ in self._threads:
            self._batches.put(None)
        deadline = time.monotonic() + min(drain_s, _JOIN_S)
        for thread in self._threads:
            if thread.is_alive():
                thread.join(max(0.0, deadline - time.monotonic()))

    def publish(self, messages: Sequence[Outgoing], timeout_s: float) -> list[bytes | ZatoError]:
        ready = [to_send(self._options, message) for message in messages]
        with self._lock:
            is_connected = self._connected > 0
        if not is_connected:
            return [each if isinstance(each, ZatoError) else self._not_sent() for each in ready]
        batch = _Batch(ready, time.monotonic() + timeout_s)
        self._batches.put(batch)
        if batch.done.wait(timeout_s):
            return batch.results
        if batch.give_up():
            return [self._not_sent() for _ in ready]
        return [InDoubt(f"The peer of '{self._name}' did not confirm within {timeout_s:.3g} s") for _ in ready]

    def _not_sent(self) -> NotSent:
        return NotSent(f"'{self._name}' has no connection to its peer that is free: {self._reason}")

    def _work(self) -> None:
        waiting = Waiting(self._is_stopping)
        while not self._is_stopping.is_set():
            session: Session | None = None
            try:
                session = self._provider.connect()
                self._fares(1, "")
                waiting.reset()
                self._serve(session)
            except ZatoError as exc:
                self._failed(session, exc.message)
            except Exception as exc:  # this thread must not end, whatever we did not think of
                log.exception("sender_failed", connection=self._name)
                self._failed(session, f"{type(exc).__name__}; see sender_failed in the log")
            finally:
                if session is not None:
                    session.close()
            waiting.wait()

    def _failed(self, session: Session | None, reason: str) -> None:
        self._fares(0 if session is None else -1, reason)

    def _fares(self, change: int, reason: str) -> None:
        with self._lock:
            self._connected += change
            self._reason = reason or self._reason
            is_connected = self._connected > 0
        if not self._is_stopping.is_set():
            self._context.report(is_connected, "" if is_connected else self._reason)

    def _serve(self, session: Session) -> None:
        while not self._is_stopping.is_set():
            try:
                batch = self._batches.get(timeout=_KEEP_ALIVE_S)
            except queue.Empty:
                session.keep_alive()
                continue
            if batch is not None and batch.begin():
                self._send(session, batch)

    def _send(self, session: Session, batch: _Batch) -> None:
        results: list[bytes | ZatoError] = []
        lost: ZatoError | None = None
        try:
            for message in batch.messages:
                results.append(message if isinstance(message, ZatoError) else self._send_one(session, message))
            session.commit()
        except Unavailable as exc:
            lost = exc
        except Exception as exc:
            log.exception("message_not_sent", connection=self._name)
            lost = InDoubt(f"The message could not be sent: {type(exc).__name__}: {exc}")
        if lost is not None:
            # Whether what came before went out with it, only a peer without units of work leaves open.
            error = lost if isinstance(lost, NotSent | InDoubt) else NotSent(lost.message)
            results = [each if isinstance(each, Refused) else error for each in results]
            results += [error] * (len(batch.messages) - len(results))
        batch.results = results
        batch.done.set()
        if lost is not None:
            raise lost

    def _send_one(self, session: Session, ready: ToSend) -> bytes | ZatoError:
        log_body("message_sent", self._definition, ready.queue, ready.message, ready.max_chars_printed)
        try:
            return session.send(ready.queue, ready.message).encode()
        except Refused as exc:
            return exc
