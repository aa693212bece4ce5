"""What one worker runs with: configuration, routes and connections of one version, swapped by one assignment."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from zato.server.connections.pool import ConnectionPool
from zato.server.control.state import Configuration
from zato.server.http.rate_limits import RateLimit
from zato.server.http.router import Router


@dataclass(frozen=True, slots=True)
class WorkerState:
    configuration: Configuration = field(default_factory=Configuration)
    router: Router = field(default_factory=Router)
    connections: ConnectionPool = field(default_factory=ConnectionPool)
    # Kind and name of a security definition → how often whoever satisfies it may call.
    definition_limits: Mapping[tuple[str, str], tuple[RateLimit, ...]] = field(default_factory=dict)
    definition_ids: Mapping[tuple[str, str], int] = field(default_factory=dict)
