"""Sends what is kept in the outbox, as soon as brokers take it: of each connection one worker of the cluster, in order."""

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import gevent
from gevent.event import Event

from zato.common.connectors.errors import Refused
from zato.common.errors import BadRequest, ZatoError
from zato.common.logs import get_logger
from zato.server.messaging.outbox import Connection, Outbox, Stored

log = get_logger(__name__)

_LOOK_EVERY_S = 1.0
_AT_ONCE = 50
_SEND_S = 8.0
_FIRST_PAUSE_S = 0.2
_LONGEST_PAUSE_S = 3.0


class Sender(Protocol):
    def send_stored(self, name: str, messages: Sequence[Stored], timeout_s: float) -> list[bytes | ZatoError]: ...


class Forwarder:
    """
    Args:
        senders: By kind, e.g. outgoing-amqp.
    """

    def __init__(self, outbox: Outbox, senders: Mapping[str, Sender]) -> None:
        self._outbox = outbox
        self._senders = senders
        self._owner = ""
        self._woken = Event()
        self._greenlets: dict[Connection, gevent.Greenlet[..., None]] = {}
        self._looking: gevent.Greenlet[..., None] | None = None
        outbox.added = self._woken.set

    def start(self, owner: str) -> None:
        """
        Args:
            owner: Names this worker.
        """
        self._owner = f"{owner}/{os.urandom(4).hex()}"
        self._looking = gevent.spawn(self._look_for_ever)

    def stop(self) -> None:
        """Let others have our turns. What is on its way is sent again by them, under the same id."""
        if self._looking is not None:
            self._looking.kill()
        gevent.killall(list(self._greenlets.values()))

    def _look_for_ever(self) -> None:
        while True:
            self._woken.wait(_LOOK_EVERY_S)
            self._woken.clear()
            try:
                self._look()
            except ZatoError as exc:
                log.debug("outbox_not_read", error=exc.message)
            except Exception:  # it must not end, whatever we did not think of
                log.exception("outbox_not_read")

    def _look(self) -> None:
        for connection in self._outbox.connections():
            before = self._greenlets.get(connection)
            is_ours = before is not None and not before.dead
            if not is_ours and connection.kind in self._senders and self._outbox.take_turn(connection, self._owner):
                self._greenlets[connection] = gevent.spawn(self._forward, connection)

    def _forward(self, connection: Connection) -> None:
        try:
            pause_s = _FIRST_PAUSE_S
            while self._outbox.take_turn(connection, self._owner):
                batch = self._outbox.messages(connection, "waiting", _AT_ONCE)
                if not batch:
                    self._outbox.forget(connection)
                    return
                if self._send(connection, batch):
                    pause_s = _FIRST_PAUSE_S
                else:
                    gevent.sleep(pause_s)
                    pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)
        except ZatoError as exc:
            log.warning("outbox_not_forwarded", kind=connection.kind, name=connection.name, error=exc.message)
        finally:
            _quietly(lambda: self._outbox.end_turn(connection, self._owner))

    def _send(self, connection: Connection, batch: list[Stored]) -> bool:
        """Return whether all of them are settled."""
        try:
            results = self._senders[connection.kind].send_stored(connection.name, batch, _SEND_S)
        except ZatoError as exc:
            # No connector, or it does not know the connection: it may have been switched off.
            log.debug("outbox_waits", kind=connection.kind, name=connection.name, error=exc.message)
            return False
        done = [each.entry for each, result in zip(batch, results, strict=True) if isinstance(result, bytes)]
        self._outbox.remove(connection, done)
        settled = len(done)
        for each, result in zip(batch, results, strict=True):
            if isinstance(result, Refused | BadRequest):
                log.error("stored_message_refused", name=connection.name, id=each.id, error=result.message)
                self._outbox.bury(connection, each.entry, result.message)
                settled += 1
        if done:
            log.info("stored_messages_sent", kind=connection.kind, name=connection.name, count=len(done))
        return settled == len(batch)


def _quietly(work: Callable[[], None]) -> None:
    try:
        work()
    except ZatoError:
        return  # the turn ends by itself
