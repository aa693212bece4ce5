"""`zato scheduler`: jobs, their next fires and their runs, asked of a scheduler."""

import argparse
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from typing import Any

from zato.common.cli.commands import Command, ExitCode, Group
from zato.common.cli.console import Console
from zato.common.cli.part_client import PartClient, connect_part, message_fields, which_part

_state_styles = {
    "ok": "green",
    "running": "cyan",
    "claimed": "dim",
    "failed": "bold red",
    "lost": "red",
    "skipped": "yellow",
}


def _which_scheduler(parser: argparse.ArgumentParser) -> None:
    which_part(parser, "Which scheduler", "scheduler")


def _which_job(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("job", metavar="JOB", help="Name of the job, as 'zato scheduler next' shows it")
    _which_scheduler(parser)


def _perhaps_a_job(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("job", metavar="JOB", nargs="?", default="", help="Name of the job (default: all of them)")
    _which_scheduler(parser)


def _with_count(parser: argparse.ArgumentParser) -> None:
    _perhaps_a_job(parser)
    parser.add_argument("--count", metavar="N", type=int, default=20, help="How many to show (default: 20)")
    parser.add_argument("--watch", action="store_true", help="Show them anew each second, until Ctrl-C")


def _with_state(parser: argparse.ArgumentParser) -> None:
    _with_count(parser)
    parser.add_argument("--state", choices=tuple(_state_styles), default="", help="Only runs that are in this state")


def _connect(options: argparse.Namespace) -> AbstractContextManager[PartClient]:
    from zato.proto.scheduler.v1 import scheduler_pb2
    from zato.proto.scheduler.v1.scheduler_pb2_grpc import SchedulerStub
    from zato.scheduler.part import PART

    return connect_part(options, PART, scheduler_pb2, SchedulerStub)


def _status(options: argparse.Namespace, console: Console) -> int:
    from rich.text import Text

    with _connect(options) as scheduler:
        status = scheduler.call("GetStatus")
    console.data(message_fields(status))
    leads = "leads" if status.is_leader else f"stands by; {status.leader or 'nobody'} leads"
    console.panel(
        status.name,
        [
            ("Role", Text(f"{leads}, epoch {status.epoch}", style="green" if status.is_leader else "")),
            ("Jobs", _jobs_text(status)),
            ("Runs under way", str(status.running)),
            ("Servers", Text("reached", style="green") if status.is_connected else Text("not reached", style="bold red")),
        ],
    )
    return ExitCode.OK


def _jobs_text(status: Any) -> Any:
    from rich.text import Text

    if status.is_paused:
        return Text(f"{status.jobs}, all paused: 'zato scheduler resume' lets them fire", style="yellow")
    return Text(f"{status.jobs}, {status.active_jobs} of them active")


def _show(options: argparse.Namespace, console: Console, draw: Callable[[PartClient], None]) -> int:
    with _connect(options) as scheduler:
        if options.watch:
            console.watch(lambda: draw(scheduler))
        else:
            draw(scheduler)
    return ExitCode.OK


def _next(options: argparse.Namespace, console: Console) -> int:
    def draw(scheduler: PartClient) -> None:
        fires = scheduler.call("GetNextFires", job=options.job, count=options.count).fires
        console.data([message_fields(fire) for fire in fires])
        console.table(
            ("At", "Job", "Type", "Schedule", "Service"),
            [(fire.at, fire.job, fire.job_type, fire.schedule, fire.service) for fire in fires],
            empty="No job is active. One is made with: zato object create scheduler-job NAME …",
        )

    return _show(options, console, draw)


def _runs(options: argparse.Namespace, console: Console) -> int:
    def draw(scheduler: PartClient) -> None:
        runs = scheduler.call("GetRuns", job=options.job, state=options.state, limit=options.count).runs
        console.data([message_fields(run) for run in runs])
        columns = ("Id", "Job", "State", "Planned", "Late", "Took", "Why", "Missed", "Server", "Result", "CID")
        filters = options.job or options.state
        empty = "There is no such run." if filters else "No job has run yet. 'zato scheduler next' shows when one will."
        console.table(columns, _run_rows(runs), empty=empty)

    return _show(options, console, draw)


def _run_rows(runs: Iterable[Any]) -> list[tuple[Any, ...]]:
    from rich.text import Text

    from zato.common.cli.units import duration

    return [
        (
            run.id,
            run.job,
            Text(run.state, style=_state_styles.get(run.state, "")),
            run.planned_at,
            f"{run.drift_s:.3f} s" if run.started_at else "",
            duration(_seconds(run.started_at, run.ended_at)) if run.started_at and run.ended_at else "",
            run.trigger if run.attempt == 1 else f"{run.trigger} {run.attempt - 1}",
            run.missed or "",
            run.server,
            (run.error or run.result)[:80],
            run.cid,
        )
        for run in runs
    ]


def _seconds(start: str, end: str) -> float:
    from datetime import datetime

    return (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds()


def _execute(options: argparse.Namespace, console: Console) -> int:
    with _connect(options) as scheduler:
        executed = scheduler.call("Execute", job=options.job)
    console.data({"job": options.job, "run_id": executed.run_id, "cid": executed.cid})
    console.print(f"{options.job} runs now, run {executed.run_id}, cid {executed.cid}")
    return ExitCode.OK


def _pause(options: argparse.Namespace, console: Console) -> int:
    with _connect(options) as scheduler:
        scheduler.call("Pause", job=options.job)
    console.data({"job": options.job, "is_paused": True})
    console.print(f"{options.job or 'No job'} {'does not fire' if options.job else 'fires'} until: {_resume_command(options)}")
    return ExitCode.OK


def _resume_command(options: argparse.Namespace) -> str:
    return f"zato scheduler resume {options.job}".strip()


def _resume(options: argparse.Namespace, console: Console) -> int:
    with _connect(options) as scheduler:
        scheduler.call("Resume", job=options.job)
    console.data({"job": options.job, "is_paused": False})
    console.print(f"{options.job or 'All active jobs'} {'fires' if options.job else 'fire'} again")
    return ExitCode.OK


COMMANDS: tuple[Command | Group, ...] = (
    Group(("scheduler",), "Scheduled jobs: when they run next, and how they ran"),
    Command(
        path=("scheduler", "status"),
        help="Which scheduler leads, and how many jobs there are",
        configure=_which_scheduler,
        run=_status,
        examples=("zato scheduler status", "zato scheduler status --folder ~/zato/scheduler --json"),
    ),
    Command(
        path=("scheduler", "next"),
        help="When jobs run next; the next runs of one job when it is named",
        configure=_with_count,
        run=_next,
        examples=("zato scheduler next", "zato scheduler next backup --count 5"),
    ),
    Command(
        path=("scheduler", "runs"),
        help="How jobs ran, the newest run first",
        configure=_with_state,
        run=_runs,
        examples=(
            "zato scheduler runs",
            "zato scheduler runs backup --state failed",
            "zato scheduler runs --state running --watch",
        ),
    ),
    Command(
        path=("scheduler", "execute"),
        help="Run a job now, active or not",
        configure=_which_job,
        run=_execute,
        examples=("zato scheduler execute backup",),
    ),
    Command(
        path=("scheduler", "pause"),
        help="Keep a job, or all jobs, from running",
        configure=_perhaps_a_job,
        run=_pause,
        examples=("zato scheduler pause", "zato scheduler pause backup"),
    ),
    Command(
        path=("scheduler", "resume"),
        help="Let a job, or all jobs, run again",
        configure=_perhaps_a_job,
        run=_resume,
        examples=("zato scheduler resume", "zato scheduler resume backup"),
    ),
)
