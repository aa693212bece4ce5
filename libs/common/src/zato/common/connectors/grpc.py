"""The contract `Connector`, served for every protocol: messages in, messages out; the work is that of what runs."""

import json
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from zato.common.connectors.errors import Refused
from zato.common.connectors.messages import Outgoing
from zato.common.connectors.running import CountingMorgue, Keeper, Morgue, Publisher
from zato.common.errors import BadRequest, DeadlineExceeded, NotImplementedHere, ZatoError
from zato.common.rpc.details import error_detail
from zato.proto.connector.v1 import connector_pb2 as messages
from zato.proto.connector.v1.connector_pb2_grpc import ConnectorServicer

if TYPE_CHECKING:
    import grpc

SERVICE = messages.DESCRIPTOR.services_by_name["Connector"].full_name

_DEFAULT_TIMEOUT_S = 30.0
_MAX_LETTERS = 1000


class Servicer(ConnectorServicer):
    """
    Args:
        ping: Asks the peer of an object of this kind and name for a sign of life; raises Unavailable.
        version: Says which version of the configuration was taken up last.
        is_connected: Whether a server answered lately.
    """

    def __init__(
        self,
        name: str,
        keeper: Keeper,
        ping: Callable[[str, str], None],
        version: Callable[[], int],
        is_connected: Callable[[], bool],
    ) -> None:
        self._name = name
        self._keeper = keeper
        self._ping = ping
        self._version = version
        self._is_connected = is_connected
        self._counting = threading.Lock()

    def Publish(self, request: messages.PublishRequest, context: "grpc.ServicerContext") -> messages.PublishResponse:
        slot = self._keeper.find(request.connection, "outgoing-")
        publisher = slot.worker
        if not isinstance(publisher, Publisher):
            raise NotImplementedHere(f"'{request.connection}' sends nothing")
        outgoing = [Outgoing(each.id, each.body, _options(each)) for each in request.messages]
        results = publisher.publish(outgoing, _time_left_s(context))
        counts = slot.context.counts
        with self._counting:
            counts.received += len(outgoing)
            counts.done += sum(isinstance(each, bytes) for each in results)
            counts.dead += sum(isinstance(each, Refused) for each in results)
        return messages.PublishResponse(
            results=[_result(each.id, result) for each, result in zip(outgoing, results, strict=True)]
        )

    def Ping(self, request: messages.PingRequest, context: "grpc.ServicerContext") -> messages.PingResponse:
        began = time.perf_counter()
        self._ping(request.kind, request.name)
        return messages.PingResponse(elapsed_ms=round((time.perf_counter() - began) * 1000, 2))

    def GetStatus(self, request: messages.GetStatusRequest, context: "grpc.ServicerContext") -> messages.GetStatusResponse:
        return messages.GetStatusResponse(
            name=self._name,
            objects=[_running_object(slot) for slot in self._keeper.slots()],
            config_version=self._version(),
            is_connected=self._is_connected(),
        )

    def ListDeadLetters(
        self, request: messages.ListDeadLettersRequest, context: "grpc.ServicerContext"
    ) -> messages.ListDeadLettersResponse:
        morgue = self._morgue(request.channel)
        letters = morgue.dead_letters(min(request.limit or 50, _MAX_LETTERS))
        return messages.ListDeadLettersResponse(
            total=morgue.count_dead_letters() if isinstance(morgue, CountingMorgue) else len(letters),
            letters=[
                messages.DeadLetter(
                    id=each.id,
                    body=each.body,
                    reason=each.reason,
                    cid=each.cid,
                    count=each.count,
                    died_at=each.died_at,
                    context_json=json.dumps(dict(each.context)).encode(),
                )
                for each in letters
            ],
        )

    def RedriveDeadLetters(
        self, request: messages.SettleDeadLettersRequest, context: "grpc.ServicerContext"
    ) -> messages.SettleDeadLettersResponse:
        return messages.SettleDeadLettersResponse(count=self._morgue(request.channel).redrive(_which(request)))

    def PurgeDeadLetters(
        self, request: messages.SettleDeadLettersRequest, context: "grpc.ServicerContext"
    ) -> messages.SettleDeadLettersResponse:
        return messages.SettleDeadLettersResponse(count=self._morgue(request.channel).purge(_which(request)))

    def _morgue(self, channel: str) -> Morgue:
        running = self._keeper.find(channel, "channel-").worker
        if not isinstance(running, Morgue):
            raise NotImplementedHere(f"The channel '{channel}' keeps no dead letters")
        return running


def _which(request: messages.SettleDeadLettersRequest) -> list[str] | None:
    if request.is_all == bool(request.ids):
        raise BadRequest("Name either the ids of dead letters or, with is_all, all of them")
    return None if request.is_all else list(request.ids)


def _options(message: messages.OutgoingMessage) -> dict[str, Any]:
    try:
        options = json.loads(message.options_json or b"{}")
    except ValueError:
        options = None
    if not isinstance(options, dict):
        raise BadRequest("'options_json' takes a JSON object")
    return options


def _result(message_id: str, result: bytes | ZatoError) -> messages.PublishResult:
    if isinstance(result, ZatoError):
        return messages.PublishResult(id=message_id, error=error_detail(result, ""))
    return messages.PublishResult(id=message_id, reply=result)


def _time_left_s(context: "grpc.ServicerContext") -> float:
    # Without a deadline gRPC says None, or a very large number.
    left = context.time_remaining()
    if left is not None and left <= 0:
        raise DeadlineExceeded("The call's time was up before it began")
    # So that we can say what became of each message before nobody listens any more.
    return min(left if left is not None else _DEFAULT_TIMEOUT_S, 3600.0) * 0.9


def _running_object(slot: Any) -> messages.RunningObject:
    configured, state, intake = slot.configured, slot.context.state, slot.context.made_intake
    made = messages.RunningObject(
        id=configured.id,
        kind=configured.kind,
        name=configured.name,
        version=configured.version,
        is_connected=state.is_connected,
        error=state.error,
    )
    counts = slot.context.counts
    made.received, made.done, made.retried, made.dead = counts.received, counts.done, counts.retried, counts.dead
    if intake is not None:
        made.in_flight = intake.in_flight
    return made
