"""`Invoker.Deliver`: connectors' messages, each handed to its service, and what came of each said on its own."""

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import BinaryIO

from zato.common.cid import new_cid
from zato.common.connectors.deaths import killer_reason, most_deaths
from zato.common.errors import BadRequest, Unavailable, ZatoError
from zato.common.logs import bind_cid, get_logger
from zato.common.rpc.details import as_zato_error, error_detail
from zato.proto.invoker.v1 import invoker_pb2 as messages
from zato.server.http import formats
from zato.server.lines import FrequentLines
from zato.server.messaging.context import MessageContext
from zato.server.messaging.inbox import Entry, Inbox
from zato.server.messaging.leases import Leases
from zato.server.messaging.together import run_together
from zato.server.messaging.tries import Tries
from zato.server.services.context import ChannelInfo
from zato.server.services.invoke import Invoker
from zato.server.services.overseer import Overseer
from zato.server.services.reqresp import ServiceRequest

log = get_logger(__name__)

_FORMATS = {"": "json", "json": "json", "xml": "xml", "raw": ""}


class MessageLog(FrequentLines):
    def __init__(self, part: str, stream: BinaryIO | None) -> None:
        super().__init__(__name__, "message_done", part, stream)


class Deliveries:
    def __init__(
        self,
        server: str,
        invoker: Invoker,
        overseer: Overseer,
        inbox: Inbox,
        leases: Leases,
        tries: Tries,
        message_log: MessageLog,
    ) -> None:
        self._server = server
        self._invoker = invoker
        self._overseer = overseer
        self._inbox = inbox
        self._leases = leases
        self._tries = tries
        self._message_log = message_log

    def deliver(self, message: bytes, deadline_s: float) -> bytes:
        """
        Raises:
            Unavailable: Nothing is known to have been done: all of it is to be delivered again.
            StaleLease: Another connector serves the channel by now; nothing was done.
        """
        request = messages.DeliverRequest.FromString(message)
        if request.data_format not in _FORMATS:
            raise BadRequest(f"'data_format' takes json, xml or raw, not '{request.data_format:.40}'")
        if request.lease:
            self._leases.check(request.lease, request.lease_epoch)
        channel = ChannelInfo(request.channel, request.channel_type, _FORMATS[request.data_format])
        run = partial(self._deliver_one, request, channel, request.timeout_s or deadline_s)
        results = _in_order(run, request.messages) if request.is_ordered else _together(run, request.messages)
        return messages.DeliverResponse(results=results, server=self._server).SerializeToString()

    def _deliver_one(
        self, request: messages.DeliverRequest, channel: ChannelInfo, timeout_s: float, delivery: messages.Delivery
    ) -> messages.Delivered:
        entry: Entry | None = None
        if request.inbox_s and delivery.id:
            begun = self._inbox.begin(request.channel, delivery.id)
            if begun is True:
                return messages.Delivered(outcome=messages.Delivered.DONE, cid=delivery.cid, is_duplicate=True)
            if not isinstance(begun, Entry):
                return messages.Delivered(outcome=messages.Delivered.NOT_DONE)
            entry = begun
        cid = delivery.cid or new_cid()
        try:
            with bind_cid(cid):
                result = self._try(request, channel, delivery, timeout_s, cid)
        except BaseException:
            if entry is not None:
                entry.release()
            raise
        if entry is not None:
            if result.outcome == messages.Delivered.FAILED:
                entry.release()
            else:
                entry.finish(request.inbox_s)
        return result

    def _try(
        self,
        request: messages.DeliverRequest,
        channel: ChannelInfo,
        delivery: messages.Delivery,
        timeout_s: float,
        cid: str,
    ) -> messages.Delivered:
        """Run the service unless the message's tries are used up, and remember that it failed, or that its worker died."""
        attempt, is_counted = max(1, delivery.attempt), bool(request.tries and delivery.id)
        deaths = delivery.deaths
        if is_counted and (delivery.is_redelivered or deaths):
            known = self._tries.known(request.channel, delivery.id)
            attempt, deaths = max(attempt, known.failed + 1), max(deaths, known.deaths)
            if attempt > request.tries:
                return _used_up(cid, "Its tries were used up before it came again", request.tries)
            if deaths >= most_deaths(request.tries):
                return _used_up(cid, killer_reason(deaths), deaths)
            if deaths and len(request.messages) > 1:
                # Those that are with it are not to die with it.
                return messages.Delivered(outcome=messages.Delivered.NOT_DONE, cid=cid, deaths=deaths)
            delivery.attempt = attempt
        if is_counted and deaths:
            self._tries.died(request.channel, delivery.id, deaths + 1, most_deaths(request.tries))
        result = self._invoke(request, channel, delivery, timeout_s, cid)
        if is_counted:
            result.attempt = attempt
            if result.outcome == messages.Delivered.FAILED:
                self._tries.failed(request.channel, delivery.id, attempt, request.tries)
                if deaths:
                    self._tries.died(request.channel, delivery.id, deaths, most_deaths(request.tries))
            elif attempt > 1 or deaths:
                self._tries.forget(request.channel, delivery.id)
        return result

    def _invoke(
        self,
        request: messages.DeliverRequest,
        channel: ChannelInfo,
        delivery: messages.Delivery,
        timeout_s: float,
        cid: str,
    ) -> messages.Delivered:
        body, data_format = delivery.body, channel.data_format
        started = time.perf_counter()
        made = ServiceRequest(body, lambda: formats.load(data_format, body), {}, None)
        made.message = context = MessageContext(body, delivery.id, delivery.attempt, delivery.context_json)
        try:
            invoke = partial(self._invoker.invoke, cid=cid, channel=channel, environ={})
            response = self._overseer.run(timeout_s, invoke, request.service, made)
            payload, _ = formats.dump(data_format, response.payload)
        except Exception as exc:
            error = as_zato_error(exc)
            if error is exc:
                log.warning("message_failed", channel=request.channel, service=request.service, error=error.message)
            else:
                log.exception("message_failed", channel=request.channel, service=request.service)
                # Operators read the reason among the dead letters; nobody from outside does.
                error = type(error)(f"{type(exc).__name__}: {exc}")
            return messages.Delivered(outcome=messages.Delivered.FAILED, error=error_detail(error, cid), cid=cid)
        fields = {
            "service": request.service,
            "channel": request.channel,
            "attempt": delivery.attempt,
            "duration_ms": round((time.perf_counter() - started) * 1000, 2),
        }
        self._message_log.add(cid, fields)
        outcome = messages.Delivered.REJECTED if context.verdict == "reject" else messages.Delivered.DONE
        return messages.Delivered(outcome=outcome, cid=cid, payload=payload, is_explicit=bool(context.verdict))


def _used_up(cid: str, reason: str, count: int) -> messages.Delivered:
    """Return what has the connector put a message among the dead letters."""
    error = error_detail(ZatoError(reason), cid)
    return messages.Delivered(outcome=messages.Delivered.FAILED, error=error, cid=cid, attempt=count)


_DeliverOne = Callable[[messages.Delivery], messages.Delivered]


def _in_order(run: _DeliverOne, deliveries: Sequence[messages.Delivery]) -> list[messages.Delivered]:
    results: list[messages.Delivered] = []
    for delivery in deliveries:
        results.append(run(delivery))
        if results[-1].outcome in (messages.Delivered.FAILED, messages.Delivered.NOT_DONE):
            break
    return results + [messages.Delivered(outcome=messages.Delivered.NOT_DONE)] * (len(deliveries) - len(results))


def _together(run: _DeliverOne, deliveries: Sequence[messages.Delivery]) -> list[messages.Delivered]:
    if len(deliveries) == 1:
        return [run(deliveries[0])]

    def run_one(delivery: messages.Delivery) -> messages.Delivered:
        try:
            return run(delivery)
        except Unavailable:
            # Redis has no inbox for it now; the others are done and have to be heard of.
            return messages.Delivered(outcome=messages.Delivered.NOT_DONE)

    return run_together(run_one, deliveries)
