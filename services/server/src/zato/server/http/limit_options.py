"""How rate limits are declared, on whatever can have one (the rules: `zato.server.http.rate_limits`)."""

from collections.abc import Iterator
from typing import Any

from zato.common.options import option
from zato.server.control.state import Configuration
from zato.server.http.rate_limits import APPROXIMATE, LIMIT_TYPES, RateLimit, make_rate_limit


def is_active_option() -> Any:
    return option("Whether rate_limit_def holds", default=False)


def type_option() -> Any:
    return option(
        "EXACT: counted once for all servers, in Redis; APPROXIMATE: by each process on its own",
        default=APPROXIMATE,
        choices=LIMIT_TYPES,
    )


def definition_option() -> Any:
    return option(
        "Lines such as 10.0.0.0/8 = 100/m: address, network or *, then requests per m, h or d, or *; the first that fits"
        " holds, who fits none is refused",
        default="",
    )


def limits_of(kind: str, name: str, options: Any) -> tuple[RateLimit, ...]:
    """Return what limits an object, nothing when its kind has no limits or they are switched off."""
    if not getattr(options, "is_rate_limit_active", False):
        return ()
    return (make_rate_limit(f"{kind}:{name}", options.rate_limit_type, options.rate_limit_def),)


def definition_limits(configuration: Configuration) -> Iterator[tuple[tuple[str, str], tuple[RateLimit, ...]]]:
    """Yield what limits each security definition, by its kind and name."""
    for each in configuration.objects.values():
        if each.kind.startswith("security-") and (limits := limits_of(each.kind, each.name, each.options)):
            yield (each.kind, each.name), limits
