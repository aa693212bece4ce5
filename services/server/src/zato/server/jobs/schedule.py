"""`self.schedule`: what services have run later."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from zato.common.cid import new_cid
from zato.server.http.formats import dump_json

_CREATE = "zato.scheduler.job.create"
_MOST_OF_A_NAME = 80


class Schedule:
    """
    Args:
        invoke: Runs an admin service and returns its output.
    """

    def __init__(self, invoke: Callable[[str, dict[str, Any]], Any]) -> None:
        self._invoke = invoke

    def onetime(
        self,
        invoking_service: Any,
        target_service: Any,
        name: str = "",
        *,
        prefix: str = "",
        start_date: str | datetime = "",
        after_seconds: float = 0,
        after_minutes: float = 0,
        data: Any = "",
    ) -> int:
        """
        Run a service once, later, and return the id of the job that does so.

        Args:
            invoking_service: The service that wants it: itself, its class or its name. Part of the job's name.
            target_service: The service to run: its class or its name.
            name: Of the job; made of the services' names and what makes it unique when empty.
            prefix: What a made name begins with.
            start_date: When, UTC unless it says otherwise; now when empty.
            after_seconds, after_minutes: So much later than that.
            data: What the service finds in `self.request.raw_request`, a text as it is, anything else as JSON.

        Raises:
            InvalidOptions: The time can't be read, or another option does not fit.
            NotFound: No scheduler has connected to the cluster yet.
        """
        wanted = {
            "name": name or f"{prefix}{_name(invoking_service)}.{_name(target_service)}.{new_cid()}",
            "job_type": "one_time",
            "service": _name(target_service, whole=True),
            "start_date": _start(start_date, timedelta(seconds=after_seconds, minutes=after_minutes)),
            "extra": data if isinstance(data, str) else dump_json(data).decode(),
        }
        job_id: int = self._invoke(_CREATE, wanted)["id"]
        return job_id


def _name(service: Any, *, whole: bool = False) -> str:
    name = service if isinstance(service, str) else service.name or service.get_name()
    return str(name) if whole else str(name)[:_MOST_OF_A_NAME]


def _start(start: str | datetime, later: timedelta) -> str:
    """What can't be read as a time is passed on: the job's own check says what is wrong with it."""
    if not start:
        return (datetime.now(UTC) + later).isoformat()
    if isinstance(start, str):
        try:
            start = datetime.fromisoformat(start)
        except ValueError:
            return str(start)
    return (start + later).isoformat()
