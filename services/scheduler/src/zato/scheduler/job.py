"""What a job is: the kind `scheduler-job`, which the scheduler registers with the servers, and one job of it."""

import json
from dataclasses import dataclass

from zato.common.kinds import Kind, OptionRule
from zato.common.options import declared_options, option, options, parse_options
from zato.proto.control_plane.v1.control_plane_pb2 import ConfigObject

ONE_TIME, INTERVAL, CRON = "one_time", "interval_based", "cron_style"
UNITS_S = {"weeks": 604_800, "days": 86_400, "hours": 3600, "minutes": 60, "seconds": 1}
_MAX_EXTRA_CHARACTERS = 500_000


@options
class JobOptions:
    """Runs a service when it is time: once, at intervals, or as a cron expression says."""

    job_type: str = option("What decides when it runs", choices=(ONE_TIME, INTERVAL, CRON))
    service: str = option("Service that it runs", reference="service")
    start_date: str = option(
        "Time of the only run, or of the first: intervals are counted from here. ISO 8601, in the job's time zone "
        "unless it names an offset",
        default="",
        format="date-time",
    )
    end_date: str = option("No run is planned after this time, written as the start", default="", format="date-time")
    time_zone: str = option("Zone of its dates and of its cron expression", default="UTC", format="time-zone")
    extra: str = option(
        "Extra data: what the service finds in self.request.raw_request", default="", max_length=_MAX_EXTRA_CHARACTERS
    )

    weeks: int | None = option("Weeks between runs", default=None, minimum=0, maximum=5_000)
    days: int | None = option("Days between runs", default=None, minimum=0, maximum=40_000)
    hours: int | None = option("Hours between runs", default=None, minimum=0, maximum=1_000_000)
    minutes: int | None = option("Minutes between runs", default=None, minimum=0, maximum=60_000_000)
    seconds: int | None = option("Seconds between runs", default=None, minimum=0, maximum=4_000_000_000)
    repeats: int | None = option("Runs at most, of a job with intervals; no limit when empty", default=None, minimum=0)
    cron_definition: str = option(
        "Five fields as in crontab(5), minute first, e.g. 30 2 * * 1, or one such as @daily", default="", format="cron"
    )

    on_missed: str = option(
        "What becomes of runs that nobody could start in time: one for all of them, all up to missed_limit, or none",
        default="run_once",
        choices=("run_once", "run_all", "skip"),
    )
    missed_limit: int = option("Missed runs that run_all makes up for, the latest ones", default=10, minimum=1, maximum=1000)
    overlap: str = option(
        "What a run does while an earlier one goes on: run beside it, wait for its end, or not run at all",
        default="allow",
        choices=("allow", "queue", "skip"),
    )
    jitter_s: float = option("Seconds that a run starts late, at random from 0 to this", default=0.0, minimum=0, maximum=86_400)
    deadline_s: float = option("Seconds that a run may take; no limit when 0", default=0.0, minimum=0, maximum=2_000_000)
    retries: int = option("Attempts after a run that failed or was lost", default=0, minimum=0, maximum=100)
    retry_after_s: float = option(
        "Seconds to the first of them; doubled for each further one, up to an hour", default=10.0, minimum=0.1, maximum=86_400
    )
    callback: str = option("Service that is told how a run ended, after its last attempt", default="", reference="service")


KIND = Kind(
    "scheduler-job",
    "Scheduled job",
    JobOptions,
    rules=(
        OptionRule(option="job_type", value=ONE_TIME, all_of=("start_date",)),
        OptionRule(option="job_type", value=INTERVAL, any_of=tuple(UNITS_S)),
        OptionRule(option="job_type", value=CRON, all_of=("cron_definition",)),
        OptionRule(all_of=("service", "time_zone"), ascending=("start_date", "end_date")),
    ),
)
_DEFAULTS = {declared.name: declared.default for declared in declared_options(JobOptions)}


@dataclass(frozen=True, slots=True)
class Job:
    """One job as it is configured, at one version."""

    id: int
    name: str
    version: int
    is_active: bool
    options: JobOptions


def job_of(message: ConfigObject) -> Job:
    """
    Raises:
        InvalidOptions: It was stored by a newer release, with what this one does not understand.
    """
    values = json.loads(message.options_json)
    # Servers send all options, and most of them are the defaults: to check those again takes longer than all the rest.
    known = {name: value for name, value in values.items() if name in _DEFAULTS and value != _DEFAULTS[name]}
    made = parse_options(JobOptions, known, what=f"{KIND.name} '{message.name}'")
    return Job(message.id, message.name, message.version, message.is_active, made)
