"""
The services `zato.scheduler.*`: the names that jobs are managed by, over the kind's own `zato.scheduler-job.*`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import gevent

from zato.common.errors import InvalidOptions, NotFound
from zato.common.logs import get_logger
from zato.server.control.changes import Author
from zato.server.control.objects import Objects
from zato.server.jobs.history import History
from zato.server.jobs.leadership import Leadership
from zato.server.jobs.options import KIND
from zato.server.jobs.runner import Runner
from zato.server.jobs.runs import Runs

log = get_logger(__name__)

Values = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Jobs:
    """What the services of this module work with."""

    objects: Objects
    leadership: Leadership
    runs: Runs
    runner: Runner
    history: History

    def create(self, values: Values, author: Author) -> dict[str, Any]:
        return self._with_cron(self.objects.create(KIND, _given(values), author))

    def edit(self, values: Values, author: Author) -> dict[str, Any]:
        given = _given(values)
        if "id" in given and "name" in given:
            given.setdefault("new_name", given.pop("name"))
        return self._with_cron(self.objects.edit(KIND, given, author))

    def delete(self, values: Values, author: Author) -> dict[str, Any]:
        return self.objects.delete(KIND, _given(values), author)

    def get(self, values: Values) -> dict[str, Any]:
        return _public(self.objects.get(KIND, _given(values)))

    def get_list(self) -> list[dict[str, Any]]:
        return [_public(job) for job in self.objects.get_list(KIND)]

    def set_active_status(self, values: Values, author: Author) -> dict[str, Any]:
        given = _given(values)
        if "is_active" not in given:
            raise InvalidOptions("'is_active' is required", is_active="is required")
        wanted = {name: value for name, value in given.items() if name in ("id", "name", "is_active")}
        return self.objects.edit(KIND, wanted, author)

    def execute(self, values: Values, author: Author) -> dict[str, Any]:
        """Run a job now, active or not. Once this has returned, the run happens whatever dies: a leader would take it up."""
        job = self.objects.get(KIND, _given(values))
        run_id, cid = self.runs.create_manual(job, author)
        gevent.spawn(self._run, run_id)
        return {"id": job["id"], "name": job["name"], "run_id": run_id, "cid": cid}

    def _run(self, run_id: int) -> None:
        try:
            self.runner.run(run_id, None)
        except Exception:
            log.exception("job_not_executed", run_id=run_id)

    def _with_cron(self, changed: dict[str, Any]) -> dict[str, Any]:
        return {**changed, "cron_definition": self.objects.get(KIND, {"id": changed["id"]})["cron_definition"]}


Action = Callable[[Jobs, Values, Author], Any]

ACTIONS: Mapping[str, Action] = {
    "zato.scheduler.job.create": lambda jobs, values, author: jobs.create(values, author),
    "zato.scheduler.job.edit": lambda jobs, values, author: jobs.edit(values, author),
    "zato.scheduler.job.delete": lambda jobs, values, author: jobs.delete(values, author),
    "zato.scheduler.job.execute": lambda jobs, values, author: jobs.execute(values, author),
    "zato.scheduler.job.get-list": lambda jobs, values, author: jobs.get_list(),
    "zato.scheduler.job.get-by-name": lambda jobs, values, author: jobs.get({"name": values.get("name", "")}),
    "zato.scheduler.job.get-by-id": lambda jobs, values, author: jobs.get({"id": values.get("id")}),
    "zato.scheduler.job.set-active-status": lambda jobs, values, author: jobs.set_active_status(values, author),
    "zato.scheduler.job.get-run-list": lambda jobs, values, author: jobs.history.find(values),
    "zato.scheduler.job.get-running": lambda jobs, values, author: jobs.history.find({**values, "state": "running"}),
    "zato.scheduler.get-status": lambda jobs, values, author: jobs.leadership.status(),
    "zato.scheduler.pause": lambda jobs, values, author: jobs.leadership.set_paused(True, author),
    "zato.scheduler.resume": lambda jobs, values, author: jobs.leadership.set_paused(False, author),
}


def run_action(jobs: Jobs, action: Action, values: Values, author: Author) -> Any:
    """Raises NotFound, with what is missing, as long as no scheduler has ever been there."""
    try:
        return action(jobs, values, author)
    except NotFound as exc:
        if exc.attributes.get("kind") == KIND and exc.message.startswith("There is no kind"):
            raise NotFound("No scheduler has connected to this cluster yet: start one, it brings jobs with it") from None
        raise


def _given(values: Values) -> dict[str, Any]:
    """The documented services take `cluster_id`, of which there is one only, and null for what is not given."""
    return {name: value for name, value in values.items() if value is not None and name not in ("cluster_id", "cluster")}


def _public(job: dict[str, Any]) -> dict[str, Any]:
    return {**job, "service_name": job["service"]}
