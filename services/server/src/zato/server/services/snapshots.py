"""What `self.log_input()` and `self.log_output()` write: the context of a call, as one dictionary."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zato.server.service import Service

SUPPRESSED = "(suppressed)"
_CONTEXT = (
    "cid",
    "channel",
    "data_format",
    "environ",
    "id",
    "impl_name",
    "invocation_time",
    "job_type",
    "name",
    "slow_threshold",
    "usage",
    "wsgi_environ",
)
_OUTPUT = ("handle_return_time", "processing_time")


def input_snapshot(service: "Service", suppress_keys: Iterable[str] | None) -> dict[str, Any]:
    made = _context(service, _CONTEXT, set(suppress_keys or ()))
    _add(made, "request.payload", service.request, "payload", suppress_keys)
    return made


def output_snapshot(service: "Service", suppress_keys: Iterable[str] | None) -> dict[str, Any]:
    made = _context(service, (*_CONTEXT, *_OUTPUT), set(suppress_keys or ()))
    _add(made, "response.payload", service.response, "payload", suppress_keys)
    return made


def _context(service: "Service", names: Iterable[str], suppressed: set[str]) -> dict[str, Any]:
    return {name: SUPPRESSED if name in suppressed else getattr(service, name, None) for name in names}


def _add(made: dict[str, Any], key: str, holder: Any, name: str, suppress_keys: Iterable[str] | None) -> None:
    made[key] = SUPPRESSED if key in set(suppress_keys or ()) else getattr(holder, name, None)
