"""A running channel: what comes out of its socket goes to the service, and what becomes of it goes back."""

import json
import time
from typing import Any

from zato.common.connectors.channels import intake_settings
from zato.common.connectors.intake import Intake, IntakeSettings
from zato.common.connectors.messages import DeadLetter, Fate, Message, Outcome
from zato.common.connectors.objects import Configured
from zato.common.connectors.running import Context
from zato.common.errors import Unavailable
from zato.common.logs import get_logger
from zato.connector_zmq import acknowledged
from zato.connector_zmq.acknowledged import ACK, MSG, NAK, Frames
from zato.connector_zmq.dead_letters import DeadLetters
from zato.connector_zmq.engine import Engine, Engines
from zato.connector_zmq.kinds import ChannelOptions

log = get_logger(__name__)

_POLL_S = 0.02
# Peers send what a predecessor had again within seconds of our start; to look up what comes later would be for nothing.
_SENT_AGAIN_S = 60.0


class ZMQChannel:
    def __init__(self, configured: Configured, context: Context, engines: Engines, letters: DeadLetters) -> None:
        options: ChannelOptions = configured.options
        self._configured = configured
        self._options = options
        self._context = context
        self._engines = engines
        self._letters = letters
        self._engine: Engine | None = None
        self._is_stopped = False
        self._intake: Intake = context.intake(configured, _intake_settings(options))
        self.memory = engines.memory_of(configured.id)
        self._exchange = _EXCHANGES["ACKNOWLEDGED" if _is_acknowledged(options) else options.socket_type](self)

    def start(self) -> None:
        self._engines.attach(self._configured.id, self._configured.name, self._options, self)

    def attach(self, engine: Engine) -> None:
        self._engine = engine

    def stop(self, drain_s: float) -> None:
        engine = self._engine
        if engine is None or self._is_stopped:
            return
        self._is_stopped = True
        is_ours = self._engines.release(self._configured.id, engine, self)
        if is_ours:
            engine.leave(drain_s, keeps_address=self._exchange.is_redelivered)
        deadline = time.monotonic() + drain_s
        while self._intake.in_flight and time.monotonic() < deadline and not self._exchange.is_redelivered:
            time.sleep(_POLL_S)
        self._intake.stop(max(0.0, deadline - time.monotonic()))
        if is_ours:
            engine.close()

    def has_room(self) -> bool:
        return self._intake.in_flight < self._options.prefetch

    def report(self, is_connected: bool, error: str) -> None:
        self._context.report(is_connected, error)

    def take(self, frames: list[bytes]) -> None:
        self._exchange.take(frames)

    def submit(self, message: Message, settle: Any) -> None:
        engine = self._engine

        def settled(outcome: Outcome) -> None:
            settle(outcome)
            if engine is not None:
                engine.wake()

        self._intake.submit(message, settled)

    def answer(self, frames: list[bytes]) -> None:
        if self._engine is not None:
            self._engine.answer(frames)

    def bury(self, message: Message, outcome: Outcome, reason: str = "") -> None:
        """
        Put a message among the dead letters.

        Raises:
            Unavailable: Redis does not take it.
        """
        self._letters.add(self._configured.name, message, reason or outcome.reason, outcome.cid, outcome.count)

    def context_of(self, **more: Any) -> dict[str, Any]:
        return {"socket_type": self._options.socket_type, "address": ",".join(self._options.address), **more}

    def dead_letters(self, limit: int) -> list[DeadLetter]:
        return self._letters.all(self._configured.name, limit)

    def count_dead_letters(self) -> int:
        return self._letters.count(self._configured.name)

    def redrive(self, ids: Any) -> int:
        """Hand dead letters to the service again; each is gone only once that went well or it is dead anew."""
        count = 0
        for letter in self._letters.chosen(self._configured.name, ids):
            message = Message(letter.id, letter.body, letter.context)

            def settle(outcome: Outcome, letter: DeadLetter = letter, message: Message = message) -> None:
                if outcome.fate is Fate.RETURNED:
                    return
                if outcome.fate is Fate.DEAD:
                    self.bury(message, outcome)
                self._letters.remove(self._configured.name, [letter.id])

            self.submit(message, settle)
            count += 1
        return count

    def purge(self, ids: Any) -> int:
        chosen = [letter.id for letter in self._letters.chosen(self._configured.name, ids)]
        return self._letters.remove(self._configured.name, chosen)


class _OneWay:
    """PULL and SUB: the peer hears nothing, so what is read has to be kept here until it is done."""

    is_redelivered = False

    def __init__(self, channel: ZMQChannel) -> None:
        self._channel = channel

    def take(self, frames: list[bytes]) -> None:
        message = Message("", b"".join(frames), self._channel.context_of(parts=[len(frame) for frame in frames]))
        self._channel.submit(message, lambda outcome: self._settle(message, outcome))

    def _settle(self, message: Message, outcome: Outcome) -> None:
        if outcome.fate is Fate.DEAD:
            try:
                self._channel.bury(message, outcome)
            except Unavailable as exc:
                # Nobody else has it: it stays in memory, and is tried again, until Redis is back.
                log.error("dead_letter_not_kept", error=exc.message)
                self._channel.submit(message, lambda outcome: self._settle(message, outcome))
        elif outcome.fate is Fate.RETURNED:
            # No peer has it any more.
            self._channel.bury(message, outcome, "The connector was stopped before the service had it; redrive it")


class _Topics(_OneWay):
    """SUB: the first of several frames is the topic."""

    def take(self, frames: list[bytes]) -> None:
        topic, body = (frames[0], frames[1:]) if len(frames) > 1 else (b"", frames)
        context = self._channel.context_of(topic=topic.decode(errors="replace"), parts=[len(frame) for frame in body])
        message = Message("", b"".join(body), context)
        self._channel.submit(message, lambda outcome: self._settle(message, outcome))


class _Asked:
    """REP, and ROUTER with plain frames: the service's response is the answer. A peer that gets none asks again."""

    is_redelivered = True

    def __init__(self, channel: ZMQChannel) -> None:
        self._channel = channel

    def take(self, frames: list[bytes]) -> None:
        # A REQ socket puts an empty frame, and where it correlates a number, before what it asks.
        split = frames.index(b"", 1) + 1 if b"" in frames[1:-1] else 1
        envelope, body = frames[:split], frames[split:]
        message = Message("", b"".join(body), self._channel.context_of(parts=[len(frame) for frame in body]))

        def settle(outcome: Outcome) -> None:
            if outcome.fate is Fate.DEAD:
                self._channel.bury(message, outcome)
            self._channel.answer([*envelope, _answer(outcome)])

        self._channel.submit(message, settle)


def _answer(outcome: Outcome) -> bytes:
    if outcome.fate is Fate.DONE:
        return outcome.reply
    details = {
        Fate.DEAD: "The service failed; the message is among the dead letters",
        Fate.REJECTED: "The service refused the message",
        Fate.RETURNED: "The connector is being stopped: send it again",
    }[outcome.fate]
    return json.dumps({"result": "Error", "cid": outcome.cid, "details": details}).encode()


class _Acknowledged:
    """ROUTER with the acknowledged protocol. A peer that was not answered sends again, to us or to our successor."""

    is_redelivered = True

    def __init__(self, channel: ZMQChannel) -> None:
        self._channel = channel
        # Its predecessor's too.
        self._memory = channel.memory
        self._sent_again_until = time.monotonic() + _SENT_AGAIN_S

    def take(self, frames: list[bytes]) -> None:
        identity = frames[0]
        try:
            decoded = acknowledged.decode(frames[1:])
            if decoded.kind != MSG:
                raise ValueError("only MSG is sent to a channel")
        except ValueError as exc:
            log.warning("frames_refused", reason=str(exc), size=sum(map(len, frames)))
            if (answer := acknowledged.refusal(frames[1:], str(exc))) is not None:
                self._channel.answer([identity, *answer])
            return
        memory = self._memory
        with memory.lock:
            answered = memory.answered.get(decoded.id)
            is_under_way = decoded.id in memory.under_way
            if answered is None:
                memory.under_way[decoded.id] = identity
        if answered is not None:
            self._channel.answer([identity, *answered.encode()])
        elif not is_under_way:
            may_be_again = time.monotonic() < self._sent_again_until
            message = Message(decoded.id, decoded.content, self._channel.context_of(id=decoded.id), is_redelivered=may_be_again)
            self._channel.submit(message, lambda outcome: self._settle(message, outcome))

    def _settle(self, message: Message, outcome: Outcome) -> None:
        memory = self._memory
        try:
            if outcome.fate is Fate.DEAD:
                self._channel.bury(message, outcome)
        except Exception:
            with memory.lock:
                del memory.under_way[message.id]
            raise
        with memory.lock:
            identity = memory.under_way.pop(message.id)
            if outcome.fate is Fate.RETURNED:
                return
            kind, content = (NAK, b"The service refused it") if outcome.fate is Fate.REJECTED else (ACK, outcome.reply)
            answer = Frames(kind, message.id, content)
            memory.remember(answer)
        self._channel.answer([identity, *answer.encode()])


_EXCHANGES: dict[str, Any] = {
    "PULL": _OneWay,
    "SUB": _Topics,
    "REP": _Asked,
    "ROUTER": _Asked,
    "ACKNOWLEDGED": _Acknowledged,
}


def _is_acknowledged(options: ChannelOptions) -> bool:
    return options.socket_type == "ROUTER" and options.is_acknowledged


def _intake_settings(options: ChannelOptions) -> IntakeSettings:
    inbox_s = options.inbox_s if _is_acknowledged(options) else 0
    return intake_settings(options, is_ordered=options.pool_strategy == "single", inbox_s=inbox_s)
