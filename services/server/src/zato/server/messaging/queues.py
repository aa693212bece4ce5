"""Connectors' messages as queues that people look into: dead letters of channels, and what waits for brokers."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from zato.common.errors import Conflict, NotFound, ZatoError
from zato.server.admin.queues import DEAD, WAITING, Message, Queue, QueueStatus
from zato.server.control.state import Configuration
from zato.server.messaging.outbox import Connection, Outbox, Stored
from zato.server.messaging.publishing import ConnectorClient
from zato.server.services.recordings import as_text

_MOST = 1000
_MOST_STORED = 10_000
_TIMEOUT_S = 10.0


class ChannelQueue:
    """Dead letters of a channel, which its connector keeps. Messages that wait are the broker's, not ours."""

    def __init__(self, client: ConnectorClient, channel: str, service: str) -> None:
        self.name = f"{client.channel_kind}:{channel}"
        self._client = client
        self._channel = channel
        self._service = service

    def status(self) -> QueueStatus:
        dead, error = 0, ""
        try:
            dead = int(self._list(1).total)
        except ZatoError as exc:
            error = exc.message
        return QueueStatus(self.name, f"Dead letters of the channel '{self._channel}'", 0, 0, 0, dead, error=error)

    def messages(self, state: str) -> list[Message]:
        if state != DEAD:
            return []
        # The connector has the oldest ones first, and people look for the newest.
        return [self._message(each) for each in reversed(self._list(_MOST).letters)]

    def redrive(self, ids: Sequence[str] | None) -> int:
        return self._settle("RedriveDeadLetters", ids)

    def purge(self, state: str, ids: Sequence[str] | None) -> int:
        return self._settle("PurgeDeadLetters", ids) if state == DEAD else 0

    def _list(self, limit: int) -> Any:
        from zato.proto.connector.v1 import connector_pb2 as contract

        request = contract.ListDeadLettersRequest(channel=self._channel, limit=limit)
        return self._client.call("ListDeadLetters", request, timeout_s=_TIMEOUT_S)

    def _settle(self, method: str, ids: Sequence[str] | None) -> int:
        from zato.proto.connector.v1 import connector_pb2 as contract

        request = contract.SettleDeadLettersRequest(channel=self._channel, ids=ids or [], is_all=ids is None)
        return int(self._client.call(method, request, timeout_s=_TIMEOUT_S * 3).count)

    def _message(self, letter: Any) -> Message:
        context = json.loads(letter.context_json or b"{}")
        payload = as_text(letter.body)
        if context:
            payload = f"{payload}\n\n{json.dumps(context, ensure_ascii=False)}"
        return Message(
            letter.id, DEAD, _moment(letter.died_at), self._service, letter.cid, letter.count, letter.reason, payload
        )


@dataclass(frozen=True)
class OutboxQueue:
    """What waits for the broker of an outgoing connection, and what that refused."""

    outbox: Outbox
    connection: Connection

    @property
    def name(self) -> str:
        return f"{self.connection.kind}:{self.connection.name}"

    def status(self) -> QueueStatus:
        waiting, dead, oldest_s = self.outbox.sizes(self.connection)
        label = f"Kept for the broker of '{self.connection.name}'"
        return QueueStatus(self.name, label, waiting, 0, 0, dead, oldest_s)

    def messages(self, state: str) -> list[Message]:
        if state not in (WAITING, DEAD):
            return []
        found = self.outbox.messages(self.connection, state, _MOST_STORED)
        return [_kept(self.connection, state, each) for each in (reversed(found) if state == DEAD else found)]

    def redrive(self, ids: Sequence[str] | None) -> int:
        if ids is None:
            ids = [each.entry for each in self.outbox.messages(self.connection, DEAD, _MOST_STORED)]
        return sum(self.outbox.redrive(self.connection, each) for each in ids)

    def purge(self, state: str, ids: Sequence[str] | None) -> int:
        if state not in (WAITING, DEAD):
            return 0
        if ids is None:
            ids = [each.entry for each in self.outbox.messages(self.connection, state, _MOST_STORED)]
        return self.outbox.remove(self.connection, list(ids), state)


def connector_queues(
    clients: Iterable[ConnectorClient], outbox: Outbox, current: Callable[[], Configuration]
) -> Callable[[], list[Queue]]:
    """Return what finds the queues of all connectors in the configuration that runs now."""
    by_kind: Mapping[str, ConnectorClient] = {each.channel_kind: each for each in clients}

    def channels() -> Iterator[Queue]:
        for each in sorted(current().objects.values(), key=lambda found: (found.kind, found.name)):
            if each.kind in by_kind and each.is_active:
                yield ChannelQueue(by_kind[each.kind], each.name, str(getattr(each.options, "service", "")))

    def kept() -> Iterator[Queue]:
        kinds = {each.outgoing_kind for each in clients}
        wanted = {
            Connection(each.kind, each.name)
            for each in current().objects.values()
            if each.kind in kinds and getattr(each.options, "when_away", "") == "store"
        }
        # Also what was kept for connections that are there no more, or keep nothing any more.
        for connection in sorted({*wanted, *outbox.connections()}, key=lambda found: (found.kind, found.name)):
            yield OutboxQueue(outbox, connection)

    return lambda: [*channels(), *kept()]


def options_of(current: Callable[[], Configuration]) -> Callable[[str, str], Any]:
    def find(kind: str, name: str) -> Any:
        try:
            found = current().find((kind,), name)
        except NotFound:
            # The connector says so, in its own words; it may know of it before we do.
            return None
        if not found.is_active:
            raise Conflict(f"'{name}' is inactive: switch it on to use it", name=name)
        return found.options

    return find


def _kept(connection: Connection, state: str, stored: Stored) -> Message:
    payload = as_text(stored.body)
    options = {name: value for name, value in stored.options.items() if value}
    if options:
        payload = f"{payload}\n\n{json.dumps(options, ensure_ascii=False)}"
    return Message(stored.entry, state, stored.at, connection.name, stored.id, 0, stored.reason, payload)


def _moment(text: str) -> float:
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        return 0.0
