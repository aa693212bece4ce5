"""
The kind `service`: what operators say of a service, whatever its code says.

An object is called as its service is. Without one a service is active and has no limits; one for a service that is not
deployed waits until it is.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from zato.common.kinds import Kind
from zato.common.options import option, options
from zato.server.control.state import Configuration
from zato.server.http.limit_options import definition_option, is_active_option, limits_of, type_option
from zato.server.http.rate_limits import RateLimit, parse_rules


@options
class ServiceOptions:
    """Whether a deployed service may be invoked, and how often by HTTP."""

    slow_threshold: int | None = option(
        "Milliseconds; who takes longer is logged as service_slow; 0 for nobody. As the class says when empty",
        default=None,
        minimum=0,
    )
    sample_every: int = option(
        "Keep the request and the answer of every so many runs for a look; 0 to keep none. They may hold secrets",
        default=0,
        minimum=0,
    )
    is_rate_limit_active: bool = is_active_option()
    rate_limit_type: str = type_option()
    rate_limit_def: str = definition_option()

    def __post_init__(self) -> None:
        parse_rules(self.rate_limit_def)


KIND = Kind("service", "Service", ServiceOptions)


@dataclass(frozen=True, slots=True)
class ServiceState:
    """
    What the store makes of such an object.

    Args:
        slow_threshold_ms: None for the class's own, infinite for none.
        sample_every: Every so many runs one is kept; 0 for none.
    """

    is_active: bool = True
    slow_threshold_ms: float | None = None
    sample_every: int = 0


def service_states(configuration: Configuration) -> dict[str, ServiceState]:
    return {
        each.name: ServiceState(each.is_active, _milliseconds(each.options.slow_threshold), each.options.sample_every)
        for each in configuration.of_kind(KIND.name)
    }


def _milliseconds(value: int | None) -> float | None:
    return float("inf") if value == 0 else value


def service_limits(configuration: Configuration) -> Iterator[tuple[str, tuple[RateLimit, ...]]]:
    """Yield what limits each service, by its name."""
    for each in configuration.of_kind(KIND.name):
        if limits := limits_of(each.kind, each.name, each.options):
            yield each.name, limits
