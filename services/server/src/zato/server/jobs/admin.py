"""
The services `zato.scheduler.*`: the names that jobs are managed by, over the kind's own `zato.scheduler-job.*`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gevent

from zato.common.errors import InvalidOptions, NotFound
from zato.common.kinds import KindRegistry
from zato.common.logs import get_logger
from zato.server.accounts.roles import Role
from zato.server.admin.actions import Action, Area, Run, Values, options_schema
from zato.server.admin.kinds import CHANGES, ROLES
from zato.server.admin.waiting import changing
from zato.server.control.changes import Author
from zato.server.control.objects import Objects
from zato.server.describe.kinds import CHANGED, ActionDescription, describe_operation, object_schema, which
from zato.server.describe.schemas import Schema, array, boolean, integer, nullable, number, record, text
from zato.server.jobs.history import History, RunFilter
from zato.server.jobs.leadership import Leadership
from zato.server.jobs.options import KIND
from zato.server.jobs.runner import Runner
from zato.server.jobs.runs import Runs

log = get_logger(__name__)


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


Do = Callable[[Jobs, Values, Author], Any]

_SCHEDULER = Area("Scheduler")
_NOTHING = {"type": "null", "description": "Nothing: it is done"}
_RUN = record(
    {
        "id": integer("Number of the run"),
        "job_id": nullable(integer("Number of its job; null when that was deleted")),
        "job": text("Name of its job"),
        "state": text("claimed, running, ok, failed, lost or skipped"),
        "trigger": text("What started it"),
        "attempt": integer("Which attempt it is"),
        "missed": integer("Runs before it that nobody could start in time"),
        "planned_at": text("When it was due, UTC", format="date-time"),
        "started_at": text("When it started; empty when it has not"),
        "ended_at": text("When it ended; empty when it has not"),
        "drift_s": number("Seconds from due to started"),
        "server": text("Server that ran it"),
        "pid": integer("Process that ran it"),
        "result": text("What the service answered, shortened"),
        "error": text("Why it failed"),
        "cid": text("Correlation id"),
        "epoch": integer("Epoch of the scheduler that planned it"),
    }
)
_STATUS = record(
    {
        "leader": text("Scheduler that plans; empty when none does"),
        "epoch": integer("Counts the leaders that there were"),
        "is_paused": boolean("Whether no job fires"),
        "since": text("Since when it leads, UTC", format="date-time"),
    }
)
_EXECUTED = record(
    {
        "id": integer("Number of the job"),
        "name": text("Its name"),
        "run_id": integer("Number of the run"),
        "cid": text("Correlation id of the run"),
    }
)


def job_actions(jobs: Jobs, kinds: KindRegistry) -> dict[str, Action]:
    """Return the actions by the names of their services. `kinds` has that of jobs as soon as a scheduler brought it."""

    def run(do: Do) -> Run:
        return lambda _admin, values, author: run_action(jobs, do, values, author)

    def alias(operation: str, do: Do) -> Action:
        target = f"zato.{KIND}.{operation}"

        def describe() -> ActionDescription:
            takes = describe_operation(kinds.get(KIND), operation).takes if KIND in kinds else {"type": "object"}
            return ActionDescription(f"The same as {target}", takes, {"type": "object"}, _SCHEDULER.tag)

        action = Action(run(do), ROLES[operation], describe, alias_of=(target,))
        return changing(action) if operation in CHANGES else action

    def job() -> Schema:
        made = object_schema(kinds.get(KIND)) if KIND in kinds else {"type": "object"}
        return {**made, "description": "The job, with service_name, which is its service"}

    def getting(do: Do, help: str, takes: Schema) -> Action:
        return Action(run(do), Role.VIEWER, lambda: ActionDescription(help, record(takes), job(), _SCHEDULER.tag))

    runs, job_name = options_schema(RunFilter), {"name": text("Name of the job")}
    return {
        "zato.scheduler.job.create": alias("create", lambda jobs, values, author: jobs.create(values, author)),
        "zato.scheduler.job.edit": alias("edit", lambda jobs, values, author: jobs.edit(values, author)),
        "zato.scheduler.job.delete": alias("delete", lambda jobs, values, author: jobs.delete(values, author)),
        "zato.scheduler.job.get-list": alias("get-list", lambda jobs, _values, _author: jobs.get_list()),
        "zato.scheduler.job.get-by-name": getting(
            lambda jobs, values, _author: jobs.get({"name": values.get("name", "")}), "Return the job of that name", job_name
        ),
        "zato.scheduler.job.get-by-id": getting(
            lambda jobs, values, _author: jobs.get({"id": values.get("id")}),
            "Return the job with that number",
            {"id": integer("Number of the job")},
        ),
        "zato.scheduler.job.execute": _SCHEDULER.action(
            run(lambda jobs, values, author: jobs.execute(values, author)),
            Role.OPERATOR,
            "Run a job now, active or not",
            takes=which({}),
            returns=_EXECUTED,
        ),
        "zato.scheduler.job.set-active-status": changing(
            _SCHEDULER.action(
                run(lambda jobs, values, author: jobs.set_active_status(values, author)),
                Role.OPERATOR,
                "Switch a job on or off",
                takes=which({"is_active": boolean("Whether it fires")}, required=("is_active",)),
                returns=CHANGED,
            )
        ),
        "zato.scheduler.job.get-run-list": _SCHEDULER.action(
            run(lambda jobs, values, _author: jobs.history.find(values)),
            Role.VIEWER,
            "Return runs of jobs, the newest first",
            takes=runs,
            returns=array(_RUN),
        ),
        "zato.scheduler.job.get-running": _SCHEDULER.action(
            run(lambda jobs, values, _author: jobs.history.find({**values, "state": "running"})),
            Role.VIEWER,
            "Return the runs that go on now",
            takes=runs,
            returns=array(_RUN),
        ),
        "zato.scheduler.get-status": _SCHEDULER.action(
            run(lambda jobs, _values, _author: jobs.leadership.status()),
            Role.VIEWER,
            "Return which scheduler leads",
            returns=_STATUS,
        ),
        "zato.scheduler.pause": _SCHEDULER.action(
            run(lambda jobs, _values, author: jobs.leadership.set_paused(True, author)),
            Role.OPERATOR,
            "Let no job fire until somebody resumes them",
            returns=_NOTHING,
        ),
        "zato.scheduler.resume": _SCHEDULER.action(
            run(lambda jobs, _values, author: jobs.leadership.set_paused(False, author)),
            Role.OPERATOR,
            "Let jobs fire again",
            returns=_NOTHING,
        ),
    }


def run_action(jobs: Jobs, do: Do, values: Values, author: Author) -> Any:
    """Raises NotFound, with what is missing, as long as no scheduler has ever been there."""
    try:
        return do(jobs, values, author)
    except NotFound as exc:
        if exc.attributes.get("kind") == KIND and exc.message.startswith("There is no kind"):
            raise NotFound("No scheduler has connected to this cluster yet: start one, it brings jobs with it") from None
        raise


def _given(values: Values) -> dict[str, Any]:
    """The documented services take `cluster_id`, of which there is one only, and null for what is not given."""
    return {name: value for name, value in values.items() if value is not None and name not in ("cluster_id", "cluster")}


def _public(job: dict[str, Any]) -> dict[str, Any]:
    return {**job, "service_name": job["service"]}
