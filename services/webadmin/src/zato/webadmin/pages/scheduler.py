"""The scheduler: what ran and when it was planned, what comes next, and who leads."""

from datetime import UTC, datetime
from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from zato.common.errors import ZatoError
from zato.webadmin.context import tell, webadmin
from zato.webadmin.menu import Entry
from zato.webadmin.person import person
from zato.webadmin.timeline import SPANS, WIDTH, timeline

PAGE = Blueprint("scheduler", __name__, url_prefix="/scheduler")
MENU = (Entry("Timeline and runs", "scheduler.page", "calendar-clock", under="scheduler"),)
_RUNS = 50
_DRAWN_RUNS = 500
_FIRES = 20
STATES = ("claimed", "running", "ok", "failed", "lost", "skipped")


@PAGE.get("/")
def page() -> ResponseReturnValue:
    return render_template("scheduler/page.html", **_now(), **_runs())


@PAGE.get("/now")
def now() -> ResponseReturnValue:
    """The part of the page that changes by itself."""
    return render_template("scheduler/now.html", **_now())


@PAGE.get("/runs")
def runs() -> ResponseReturnValue:
    return render_template("scheduler/runs.html", **_runs())


@PAGE.get("/jobs/<path:job>/next")
def next_fires(job: str) -> ResponseReturnValue:
    """When one job fires, the next times."""
    fires = webadmin().parts.next_fires(job, _FIRES)
    return render_template("scheduler/next.html", job=job, fires=fires)


@PAGE.post("/execute")
def execute() -> ResponseReturnValue:
    job = request.form.get("job", "")
    made = person().do("zato.scheduler.job.execute", {"name": job})
    tell(person(), f"{job} runs now, as run {made['run_id']}")
    return redirect(url_for("scheduler.page"))


@PAGE.post("/paused")
def set_paused() -> ResponseReturnValue:
    is_paused = request.form.get("is_paused") == "true"
    person().do("zato.scheduler.pause" if is_paused else "zato.scheduler.resume")
    tell(person(), "No job fires until somebody resumes them" if is_paused else "Jobs fire again")
    return redirect(url_for("scheduler.page"))


def _now() -> dict[str, Any]:
    span_name = request.args.get("span", "10m")
    span_name = span_name if span_name in SPANS else "10m"
    fires, problem = _fires()
    found = person().ask("zato.scheduler.job.get-run-list", {"limit": _DRAWN_RUNS})
    drawn = timeline(
        found,
        [(fire.job, fire.at) for fire in fires],
        now=datetime.now(UTC),
        span=SPANS[span_name],
        zone=person().zone,
    )
    status = person().ask("zato.scheduler.get-status")
    return {
        "status": status,
        "fires": fires[:_FIRES],
        "problem": problem,
        "drawn": drawn,
        "width": WIDTH,
        "span": span_name,
        "spans": SPANS,
    }


def _fires() -> tuple[list[Any], str]:
    """What comes next, and why it is not known when no scheduler answers."""
    try:
        return webadmin().parts.next_fires("", 100), ""
    except ZatoError as exc:
        return [], exc.message


def _runs() -> dict[str, Any]:
    asked: dict[str, Any] = {"limit": _RUNS}
    if job := request.args.get("job", "").strip():
        asked["name"] = job
    state = request.args.get("state", "")
    if state in STATES:
        asked["state"] = state
    if before := request.args.get("before", type=int):
        asked["before_id"] = before
    found = person().ask("zato.scheduler.job.get-run-list", asked)
    last = found[-1]["id"] if len(found) == _RUNS else None
    return {"runs": found, "states": STATES, "job": job, "state": state, "before": before, "last": last}
