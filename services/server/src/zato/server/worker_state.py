"""What one worker runs with: configuration, routes and connections of one version, swapped by one assignment."""

from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field

from zato.server.connections.pool import ConnectionPool
from zato.server.control.state import Configuration
from zato.server.http.rate_limits import RateLimit
from zato.server.http.router import Router


class Hold:
    """
    How a request keeps what it began with. It is taken away from requests that outlive the connections of that time, and
    greenlets that serve nobody at the moment keep nothing but this.
    """

    __slots__ = ("state",)

    def __init__(self) -> None:
        self.state: WorkerState | None = None


_held: ContextVar[Hold] = ContextVar("held", default=Hold())  # noqa: B039 (nobody writes into that one)


@dataclass(frozen=True, slots=True)
class WorkerState:
    configuration: Configuration = field(default_factory=Configuration)
    router: Router = field(default_factory=Router)
    connections: ConnectionPool = field(default_factory=ConnectionPool)
    # Kind and name of a security definition → how often whoever satisfies it may call.
    definition_limits: Mapping[tuple[str, str], tuple[RateLimit, ...]] = field(default_factory=dict)
    definition_ids: Mapping[tuple[str, str], int] = field(default_factory=dict)
    hold: Hold = field(default_factory=Hold, compare=False, repr=False)

    def __post_init__(self) -> None:
        self.hold.state = self


def begin_with(state: WorkerState) -> None:
    """Say what the request runs with that begins in this greenlet now."""
    _held.set(state.hold)


def running_state(current: WorkerState) -> WorkerState:
    """
    Return what the request of this greenlet began with, so that it never sees a half of what was changed meanwhile.

    It is `current` where no request runs, as in greenlets that services start, and in requests that take too long.
    """
    return _held.get().state or current
