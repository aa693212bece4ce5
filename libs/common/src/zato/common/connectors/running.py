"""What runs for an object, and what keeps those running that should."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from zato.common.connectors.intake import Counts, Intake, IntakeSettings
from zato.common.connectors.leases import Lease, Leased
from zato.common.connectors.messages import DeadLetter, Outgoing
from zato.common.connectors.objects import Configured
from zato.common.connectors.runner import Running
from zato.common.errors import Conflict, NotFound, Unavailable, ZatoError
from zato.common.logs import get_logger
from zato.common.rpc.servers import Servers

log = get_logger(__name__)

# A successor that is not connected by then may never be: its predecessor, of the old configuration, stops all the same.
_HANDOVER_S = 5.0
_POLL_S = 0.02
_REPLACED_DRAIN_S = 10.0


@runtime_checkable
class Publisher(Protocol):
    def publish(self, messages: Sequence[Outgoing], timeout_s: float) -> list[bytes | ZatoError]:
        """
        Send, and return once the peer has confirmed: for each, in order, its answer (b"" in most protocols), or why not.

        The errors are those of `zato.common.connectors.errors`. Called by many threads at a time.
        """


@runtime_checkable
class Morgue(Protocol):
    def dead_letters(self, limit: int) -> list[DeadLetter]:
        """Return the oldest ones; they stay."""

    def redrive(self, ids: Sequence[str] | None) -> int:
        """Send these, or all when None, to where they came from. Returns how many; none is lost when we die meanwhile."""

    def purge(self, ids: Sequence[str] | None) -> int:
        """Throw these, or all when None, away. Returns how many."""


@runtime_checkable
class CountingMorgue(Protocol):
    def count_dead_letters(self) -> int:
        """Return how many there are: of more than are listed at a time, for one."""


@dataclass
class State:
    """How an object fares. Changed under the keeper's eyes by whoever runs for it."""

    is_connected: bool = False
    error: str = ""


class Context:
    """What a maker gets beside the object: ways to services, and to those who want to know how it fares."""

    def __init__(self, servers: Servers, part: str, channel_type: str, owner: str, changed: Callable[[], None]) -> None:
        self._servers = servers
        self._channel_type = channel_type
        self._changed = changed
        self.part = part
        self.owner = owner
        self.state = State()
        self.made_intake: Intake | None = None
        self._sent = Counts()
        # Of a channel that one connector of all serves at a time.
        self.lease: Lease | None = None

    def intake(self, configured: Configured, settings: IntakeSettings) -> Intake:
        """Return what hands the messages of a channel to its service."""
        before = self.made_intake
        made = self.made_intake = Intake(self._servers, self._channel_type, configured.name, settings, self.lease)
        if before is not None:
            made.counts = before.counts
        return made

    @property
    def counts(self) -> Counts:
        """Messages taken up, or for an outgoing connection sent, since the object runs as it does."""
        return self._sent if self.made_intake is None else self.made_intake.counts

    def report(self, is_connected: bool, error: str = "") -> None:
        """Say how the object fares now, e.g. `report(False, "Nobody listens at 10.0.0.1:5672")`."""
        state = State(is_connected, error[:1000])
        if state != self.state:
            self.state = state
            self._changed()

    def make_lease(self, configured: Configured) -> Lease:
        return Lease(self._servers, f"{configured.kind}:{configured.name}", self.owner)


Maker = Callable[[Configured, Context], Running]


@dataclass(frozen=True)
class Slot:
    configured: Configured
    context: Context
    running: Running | None

    @property
    def worker(self) -> Running | None:
        """What does the work, whether or not its lease lets it run now."""
        return self.running.inner if isinstance(self.running, Leased) else self.running


@dataclass
class Keeper:
    """
    Keeps running what is configured and active.

    Args:
        makers: By the name of the kind.
        make_context: Makes a context for one object.
        overlaps: Whether a changed object's successor may begin while its predecessor runs; by kind, True unless named.
    """

    makers: Mapping[str, Maker]
    make_context: Callable[[], Context]
    overlaps: Mapping[str, bool] = field(default_factory=dict)
    _slots: dict[int, Slot] = field(default_factory=dict)
    # None until servers have said what there is.
    _all: dict[int, Configured] | None = None
    _handovers: set[threading.Thread] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def apply(self, wanted: Mapping[int, Configured]) -> None:
        """Start, replace and stop until what runs is what is wanted. Returns before predecessors have stopped."""
        for object_id in [each for each in self._slots if each not in wanted or not wanted[each].is_active]:
            with self._lock:
                slot = self._slots.pop(object_id)
            log.info("object_stopped", kind=slot.configured.kind, name=slot.configured.name)
            self._hand_over(slot, None)
        with self._lock:
            self._all = dict(wanted)
        for object_id, configured in wanted.items():
            before = self._slots.get(object_id)
            if not configured.is_active or (before and before.configured.fingerprint == configured.fingerprint):
                continue
            # A definition only is referenced; it is "connected" where those that reference it are.
            if configured.kind in self.makers:
                self._replace(before, configured)

    def _replace(self, before: Slot | None, configured: Configured) -> None:
        overlaps = self.overlaps.get(configured.kind, True)
        if before is not None and before.running is not None and not overlaps:
            before.running.stop(_REPLACED_DRAIN_S)
        slot = self._make(configured, before)
        with self._lock:
            self._slots[configured.id] = slot
        log.info("object_started", kind=configured.kind, name=configured.name, version=configured.version)
        if before is not None and overlaps:
            self._hand_over(before, slot)

    def _make(self, configured: Configured, before: Slot | None) -> Slot:
        context = self.make_context()
        running: Running | None = None
        error = configured.error
        if not error:
            try:
                running = self._make_running(configured, context, before)
                running.start()
            except ZatoError as exc:
                error = exc.message
            except Exception as exc:
                log.exception("object_not_started", kind=configured.kind, name=configured.name)
                error = f"It could not be started: {type(exc).__name__}; see object_not_started in the log"
        if error:
            context.report(False, error)
        return Slot(configured, context, running)

    def _make_running(self, configured: Configured, context: Context, before: Slot | None) -> Running:
        maker = self.makers[configured.kind]
        if not getattr(configured.options, "runs_once", False):
            return maker(configured, context)
        has_same = before is not None and before.configured.name == configured.name
        # The successor of one that serves the channel does so at once, and gives the lease back when both are gone.
        context.lease = (before.context.lease if before and has_same else None) or context.make_lease(configured)
        return Leased(context.lease, lambda: maker(configured, context), context.report)

    def _hand_over(self, old: Slot, new: Slot | None) -> None:
        def work() -> None:
            deadline = time.monotonic() + _HANDOVER_S
            while new is not None and not new.context.state.is_connected and time.monotonic() < deadline:
                time.sleep(_POLL_S)
            if old.running is not None:
                _stop(old, _REPLACED_DRAIN_S)
            self._handovers.discard(threading.current_thread())

        thread = threading.Thread(target=work, name="handover", daemon=True)
        self._handovers.add(thread)
        thread.start()

    def stop(self, drain_s: float) -> None:
        """Stop all at the same time, each with so many seconds for what is under way."""
        with self._lock:
            slots, self._slots = list(self._slots.values()), {}
        threads = [threading.Thread(target=_stop, args=(slot, drain_s), daemon=True) for slot in slots]
        for thread in threads:
            thread.start()
        for thread in (*threads, *self._handovers):
            thread.join(drain_s + 2.0)

    def slots(self) -> list[Slot]:
        with self._lock:
            return list(self._slots.values())

    def find(self, name: str, kind_start: str) -> Slot:
        """
        Return what runs under a name, of a kind that begins so, e.g. "outgoing-".

        Raises:
            NotFound: There is none.
            Conflict: It is switched off, or can't run as it is configured.
            Unavailable: The connector has just started.
        """
        for slot in self.slots():
            if slot.configured.name == name and slot.configured.kind.startswith(kind_start):
                if slot.running is None:
                    raise Conflict(f"{slot.configured.kind} '{name}' does not run: {slot.context.state.error}", name=name)
                return slot
        with self._lock:
            everything = None if self._all is None else list(self._all.values())
        found = [each for each in everything or () if each.name == name and each.kind.startswith(kind_start)]
        if everything is None or any(each.is_active for each in found):
            raise Unavailable(f"This connector is just starting, and '{name}' is not ready yet: try again")
        if found:
            raise Conflict(f"'{name}' is inactive: switch it on to use it", name=name)
        raise NotFound(f"This connector knows no {kind_start.rstrip('-')} '{name}': check the name, or create it", name=name)


def _stop(slot: Slot, drain_s: float) -> None:
    if slot.running is None:
        return
    try:
        slot.running.stop(drain_s)
    except Exception:  # whatever breaks in one must not keep the others
        log.exception("object_not_stopped", kind=slot.configured.kind, name=slot.configured.name)
