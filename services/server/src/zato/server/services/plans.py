"""What of the steps around a handler a class has at all: known when it is deployed, so that nobody asks on each call."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zato.server.service import Service

SCHEDULER = "scheduler"
_JOB_TYPES = ("one_time", "interval_based", "cron_style")
_HOOKS = (
    "before_job",
    *(f"before_{job_type}_job" for job_type in _JOB_TYPES),
    "before_handle",
    "after_handle",
    "after_job",
    *(f"after_{job_type}_job" for job_type in _JOB_TYPES),
    "finalize_handle",
)


@dataclass(frozen=True, slots=True)
class Plan:
    """
    Args:
        hooks: Those that the class defines, by name; none when it has `call_hooks = False`.
        is_plain: Whether there is a handler and nothing else.
    """

    accepts: bool
    validates_input: bool
    validates_output: bool
    hooks: frozenset[str]
    slow_threshold_ms: float

    @property
    def is_plain(self) -> bool:
        return not (self.accepts or self.validates_input or self.validates_output or self.hooks)

    def before(self, channel_type: str, job_type: str | None) -> list[str]:
        """Return the hooks that run before the handler, in their order."""
        job = ["before_job", f"before_{job_type}_job"] if channel_type == SCHEDULER else []
        return [name for name in (*job, "before_handle") if name in self.hooks]

    def after(self, channel_type: str, job_type: str | None) -> list[str]:
        """Return the hooks that run after a handler that did not fail, in their order, all but the last one."""
        job = ["after_job", f"after_{job_type}_job"] if channel_type == SCHEDULER else []
        return [name for name in ("after_handle", *job) if name in self.hooks]


def make_plan(cls: "type[Service]") -> Plan:
    from zato.server.service import Service

    def has(name: str) -> bool:
        return getattr(cls, name, None) is not getattr(Service, name)

    return Plan(
        accepts=has("accept"),
        validates_input=has("validate_input"),
        validates_output=has("validate_output"),
        hooks=frozenset(name for name in _HOOKS if has(name)) if cls.call_hooks else frozenset(),
        slow_threshold_ms=_milliseconds(cls.slow_threshold),
    )


def _milliseconds(value: Any) -> float:
    return float(value) if value else float("inf")
