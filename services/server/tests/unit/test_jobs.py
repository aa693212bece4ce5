"""The books of jobs: who leads, what is claimed, started, ended, tried again and lost. On SQLite, without a server."""

import json
import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import gevent
import pytest
from sqlalchemy import select, text, update

from zato.common.bus import MemoryBus
from zato.common.errors import InvalidOptions, NotFound
from zato.common.kinds import Kind, OptionRule
from zato.common.options import option, options
from zato.common.secrets import SecretBox, generate_key
from zato.proto.jobs.v1 import jobs_pb2 as messages
from zato.server.admin.services import Admin, admin_services
from zato.server.control.changes import Author
from zato.server.control.kinds import Kinds, register_kinds
from zato.server.control.objects import Objects
from zato.server.control.workers import report_worker
from zato.server.jobs.admin import Jobs, job_actions
from zato.server.jobs.claims import MOST_WAITING, Claims
from zato.server.jobs.history import History
from zato.server.jobs.leadership import JobsPaused, Leadership, StaleEpoch
from zato.server.jobs.options import KIND
from zato.server.jobs.runner import Runner
from zato.server.jobs.runs import Outcome, Runs, Started
from zato.server.jobs.times import now_us
from zato.server.kinds import own_kinds
from zato.server.metrics import Metrics
from zato.server.odb import schema
from zato.server.odb.database import Database
from zato.server.odb.tables import AuditRow, JobRunRow, WorkerRow, utc_now
from zato.server.service import Service
from zato.server.services.context import KeyValueDB, ServerContext
from zato.server.services.finding import describe_service
from zato.server.services.invoke import Invoker
from zato.server.services.overseer import Overseer
from zato.server.services.store import ServiceStore

AUTHOR = Author("ann", "the-cid")
OK = Outcome("ok")


@options
class JobOptions:
    """As schedulers declare it, the options that servers look at."""

    job_type: str = option("Type", choices=("one_time", "interval_based", "cron_style"))
    service: str = option("Service", reference="service")
    extra: str = option("Data", default="")
    seconds: int | None = option("Seconds", default=None)
    cron_definition: str = option("Cron", default="", format="cron")
    overlap: str = option("Overlap", default="allow", choices=("allow", "queue", "skip"))
    deadline_s: float = option("Deadline", default=0.0)
    retries: int = option("Retries", default=0)
    retry_after_s: float = option("Seconds", default=10.0)
    callback: str = option("Callback", default="")


JOB = Kind(KIND, "Job", JobOptions, rules=(OptionRule(all_of=("service",)),))
SEEN: list[dict[str, Any]] = []


class Seen(Service):
    name = "seen"

    def handle(self) -> None:
        SEEN.append(
            {
                "channel": self.channel.type,
                "job": self.channel.name,
                "job_type": self.environ["job_type"],
                "raw": self.request.raw_request,
                "payload": self.request.payload,
                "cid": self.cid,
            }
        )
        self.response.payload = {"n": 1}


class Fails(Service):
    name = "fails"

    def handle(self) -> None:
        raise SystemExit(self.request.raw_request or "no reason \0")


class Hangs(Service):
    name = "hangs"

    def handle(self) -> None:
        gevent.sleep(60)


class Books:
    """What a server does for schedulers."""

    def __init__(self, folder: Path) -> None:
        self.database = Database(f"sqlite:///{folder}/odb.db")
        bus = MemoryBus()
        self.kinds = Kinds(own_kinds())
        self.objects = Objects(self.database, self.kinds, SecretBox([generate_key()]), bus, "config")
        self.leadership = Leadership(self.database)
        self.claims = Claims(self.database)
        self.runs = Runs(
            self.database,
            bus,
            "config",
            "server1",
            lambda: 11,
            lambda service, row: self.told.append((service, row.state, row.attempt)),
        )
        self.told: list[tuple[str, str, int]] = []
        self.history = History(self.database)
        store = ServiceStore()
        store.replace_internal([describe_service(cls, __name__) for cls in (Seen, Fails, Hangs)])
        invoker = Invoker(store)
        invoker.context = ServerContext("server1", invoker, None, KeyValueDB("redis://127.0.0.1:1"))  # type: ignore[arg-type]
        self.runner = Runner(self.runs, invoker, Overseer(max_busy_s=0, turn_s=0), METRICS)
        self.jobs = Jobs(self.objects, self.leadership, self.runs, self.runner, self.history)
        self.bus = bus

    def register(self) -> "Books":
        register_kinds(self.database, self.bus, "config", "scheduler", [JOB.describe()], AUTHOR)
        with self.database.reading() as session:
            self.kinds.refresh(session)
        return self

    def do(self, action: str, **values: Any) -> Any:
        admin: Any = None
        return job_actions(self.jobs, self.kinds.registry)[f"zato.scheduler.{action}"].run(admin, values, AUTHOR)

    def job(self, name: str = "job", **values: Any) -> tuple[int, int]:
        """Create a job and return its id and version."""
        created = self.do("job.create", name=name, **{"job_type": "interval_based", "service": "seen", **values})
        return created["id"], created["version"]

    def lead(self, candidate: str = "a", stale_beat: int = 0) -> messages.LeadResponse:
        return self.leadership.lead(messages.LeadRequest(candidate=candidate, stale_beat=stale_beat))

    def claim(self, *fires: messages.Fire, epoch: int = 1) -> list[messages.Claim]:
        return list(self.claims.claim(messages.ClaimRequest(epoch=epoch, fires=fires)).claims)

    def rows(self) -> list[JobRunRow]:
        with self.database.reading() as session:
            return list(session.execute(select(JobRunRow).order_by(JobRunRow.id)).scalars())

    def states(self) -> list[str]:
        return [row.state for row in self.rows()]

    def state(self, *job_ids: int) -> messages.GetStateResponse:
        return self.runs.state(messages.GetStateRequest(job_ids=job_ids))


METRICS = Metrics()


@pytest.fixture(scope="module")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty ODB with all tables: to migrate one for each test takes longer than the tests."""
    folder = tmp_path_factory.mktemp("odb")
    database = Database(f"sqlite:///{folder}/odb.db")
    schema.upgrade(database)
    database.close()
    return folder / "odb.db"


@pytest.fixture
def new_books(tmp_path: Path, migrated: Path) -> Iterator[Books]:
    """Books of a cluster that no scheduler has connected to."""
    SEEN.clear()
    shutil.copy(migrated, tmp_path / "odb.db")
    made = Books(tmp_path)
    yield made
    made.database.close()


@pytest.fixture
def books(new_books: Books) -> Books:
    made = new_books.register()
    assert made.lead().epoch == 1
    return made


def fire(job: tuple[int, int], planned_us: int | None = None, **fields: Any) -> messages.Fire:
    # Later than the job: what was due before it was changed counts for every version.
    return messages.Fire(job_id=job[0], version=job[1], planned_us=planned_us or now_us() + 10**9, **fields)


CLAIMED, TAKEN = messages.CLAIM_STATE_CLAIMED, messages.CLAIM_STATE_TAKEN
SKIPPED, CHANGED = messages.CLAIM_STATE_SKIPPED, messages.CLAIM_STATE_CHANGED

# Leadership


def test_one_leads_until_its_beat_stands_still(books: Books) -> None:
    beat = books.lead("b").beat
    assert not books.lead("b").is_leader
    renewed = books.lead("a")
    assert (renewed.is_leader, renewed.epoch, renewed.beat) == (True, 1, beat + 1)
    assert not books.lead("b", stale_beat=beat).is_leader, "it moved since"
    taken = books.lead("b", stale_beat=renewed.beat)
    assert (taken.is_leader, taken.epoch, taken.leader) == (True, 2, "b")
    assert not books.lead("a").is_leader
    assert not books.lead("c", stale_beat=renewed.beat).is_leader, "of two that saw it one takes over"


def test_who_resigns_is_followed_at_once_and_who_leads_no_more_resigns_nothing(books: Books) -> None:
    books.leadership.resign(1)
    assert books.lead("b").epoch == 2
    books.leadership.resign(1)
    assert not books.lead("c").is_leader


def test_a_pause_is_kept_told_and_audited(books: Books) -> None:
    job = books.job()
    books.do("pause")
    books.do("pause")
    assert books.lead().is_paused
    assert books.do("get-status")["is_paused"]
    with pytest.raises(JobsPaused):
        books.claim(fire(job))
    books.do("resume")
    assert books.claim(fire(job))[0].state == CLAIMED
    with books.database.reading() as session:
        audited = list(
            session.execute(select(AuditRow.action, AuditRow.actor).where(AuditRow.kind == KIND).order_by(AuditRow.id))
        )
    assert audited[-2:] == [("pause", "ann"), ("resume", "ann")]


# Claims


def test_a_fire_is_written_down_once_however_often_it_is_planned(books: Books) -> None:
    planned = fire(books.job(), missed=3, is_catch_up=True)
    first, again = books.claim(planned), books.claim(planned, planned)
    assert [claim.state for claim in (*first, *again)] == [CLAIMED] * 3
    assert {claim.run.run_id for claim in (*first, *again)} == {first[0].run.run_id}
    (row,) = books.rows()
    assert (row.state, row.trigger, row.missed, row.epoch, row.attempt) == ("claimed", "catch-up", 3, 1, 1)
    books.runs.start(row.id, 1)
    assert books.claim(planned)[0].state == TAKEN


def test_an_old_leader_claims_starts_and_changes_nothing(books: Books) -> None:
    job = books.job()
    (claim,) = books.claim(fire(job))
    books.lead("b", stale_beat=books.lead("b").beat)
    with pytest.raises(StaleEpoch, match="b leads in epoch 2"):
        books.claim(fire(job), epoch=1)
    with pytest.raises(StaleEpoch):
        books.runs.start(claim.run.run_id, 1)
    assert books.states() == ["claimed"]
    assert isinstance(books.runs.start(claim.run.run_id, 2), Started)


def test_a_job_that_was_changed_switched_off_or_deleted_does_not_fire_as_it_was(books: Books) -> None:
    changed, inactive, deleted = (books.job(name) for name in ("changed", "inactive", "deleted"))
    books.do("job.edit", id=changed[0], seconds=9)
    books.do("job.set-active-status", id=inactive[0], is_active=False)
    books.do("job.delete", id=deleted[0])
    claims = books.claim(fire(changed), fire(inactive), fire(deleted), fire((12345, 1)))
    assert [claim.state for claim in claims] == [CHANGED] * 4
    assert books.rows() == []


def test_a_fire_that_was_due_before_its_job_was_changed_still_counts(books: Books) -> None:
    job = books.job()
    due_us = now_us()
    books.do("job.edit", id=job[0], seconds=9)
    assert books.claim(fire(job, due_us))[0].state == CLAIMED


def test_one_job_that_cannot_be_used_keeps_no_other_from_firing(books: Books) -> None:
    bad, good = books.job("bad"), books.job("good")
    with books.database.transaction() as session:
        session.execute(text("UPDATE object SET data = '{}' WHERE name = 'bad'"))
    assert [claim.state for claim in books.claim(fire(bad), fire(good))] == [CHANGED, CLAIMED]


def test_a_server_that_has_not_heard_of_the_kind_yet_still_runs_its_jobs(books: Books) -> None:
    job = books.job()
    books.kinds.registry = Kinds(own_kinds()).registry
    (claim,) = books.claim(fire(job))
    assert books.runner.run(claim.run.run_id, 1).state == "ok"


def test_overlap_leaves_out_what_would_run_beside_an_earlier_run(books: Books) -> None:
    job = books.job(overlap="skip")
    at = now_us() + 10**9
    assert [claim.state for claim in books.claim(fire(job, at), fire(job, at + 1))] == [CLAIMED, SKIPPED]
    assert books.rows()[1].error == "The job's earlier run had not ended"
    started = books.runs.start(books.rows()[0].id, 1)
    assert isinstance(started, Started)
    books.runs.finish(started.run_id, OK)
    assert books.claim(fire(job, at + 2))[0].state == CLAIMED


def test_a_queue_has_an_end(books: Books) -> None:
    job, at = books.job(overlap="queue"), now_us() + 10**9
    claims = books.claim(*(fire(job, at + number) for number in range(MOST_WAITING + 2)))
    assert [claim.state for claim in claims] == [CLAIMED] * MOST_WAITING + [SKIPPED] * 2


def test_the_latest_claimed_fire_is_known_and_counts_for_its_version_only(books: Books) -> None:
    job, at = books.job(), now_us() + 10**9
    books.claim(fire(job, at), fire(job, at + 5))
    (state,) = books.state(job[0]).jobs
    assert state.last_planned_us == at + 5
    assert 0 <= now_us() - state.since_us < 60 * 10**6
    books.do("job.edit", id=job[0], seconds=9)
    assert books.state(job[0]).jobs[0].last_planned_us == 0
    assert books.state().jobs == []
    assert len(books.runs.state(messages.GetStateRequest(all_jobs=True)).jobs) == 1


# Runs


def test_a_run_is_started_once_whoever_asks(books: Books) -> None:
    (claim,) = books.claim(fire(books.job(extra="x")))
    started = books.runs.start(claim.run.run_id, 1)
    assert isinstance(started, Started)
    assert (started.service, started.extra, started.job_type) == ("seen", "x", "interval_based")
    assert books.runs.start(claim.run.run_id, 1) == "running"
    books.runs.finish(claim.run.run_id, OK)
    assert books.runs.start(claim.run.run_id, 1) == "ok"
    with pytest.raises(NotFound):
        books.runs.start(4711, 1)


def test_runs_of_a_queue_start_one_after_the_other(books: Books) -> None:
    job, at = books.job(overlap="queue"), now_us() + 10**9
    first, second = books.claim(fire(job, at), fire(job, at + 1))
    assert isinstance(books.runs.start(first.run.run_id, 1), Started)
    assert books.runs.start(second.run.run_id, 1) == "waiting"
    books.runs.finish(first.run.run_id, OK)
    assert isinstance(books.runs.start(second.run.run_id, 1), Started)


def test_a_run_whose_job_was_switched_off_meanwhile_is_skipped(books: Books) -> None:
    job = books.job()
    (claim,) = books.claim(fire(job))
    books.do("job.set-active-status", id=job[0], is_active=False)
    assert books.runs.start(claim.run.run_id, 1) == "skipped"


def test_a_service_sees_the_job_and_its_data(books: Books) -> None:
    extra = json.dumps({"a": [1]})
    (claim,) = books.claim(fire(books.job("nightly", extra=extra, job_type="cron_style", cron_definition="@daily")))
    assert books.runner.run(claim.run.run_id, 1).state == "ok"
    (run,) = books.history.find({"name": "nightly"})
    assert [
        {
            "channel": "scheduler",
            "job": "nightly",
            "job_type": "cron_style",
            "raw": extra,
            "payload": {"a": [1]},
            "cid": run["cid"],
        }
    ] == SEEN
    assert (run["result"], run["state"], run["server"], run["pid"]) == ('{"n":1}', "ok", "server1", 11)


@pytest.mark.parametrize("extra", ["", "plain", "{broken", "12", '"text"'])
def test_extra_data_that_is_no_json_object_or_list_stays_a_text(books: Books, extra: str) -> None:
    (claim,) = books.claim(fire(books.job(extra=extra)))
    books.runner.run(claim.run.run_id, 1)
    assert (SEEN[0]["raw"], SEEN[0]["payload"]) == (extra, extra)


def test_a_failed_run_is_tried_again_with_longer_waits(books: Books) -> None:
    (claim,) = books.claim(fire(books.job(service="fails", extra="why", retries=2, retry_after_s=100.0)))
    run = claim.run
    waits = []
    while True:
        ended = books.runner.run(run.run_id, 1)
        if not ended.HasField("retry"):
            break
        run = ended.retry
        waits.append(round((run.not_before_us - now_us()) / 1e6, -1))
    assert waits == [100, 200]
    rows = books.rows()
    assert [(row.state, row.attempt, row.trigger) for row in rows] == [
        ("failed", 1, "schedule"),
        ("failed", 2, "retry"),
        ("failed", 3, "retry"),
    ]
    assert {row.planned_us for row in rows} == {rows[0].planned_us}
    assert rows[0].error == "SystemExit: why"


def test_a_callback_is_told_how_a_run_ended_after_its_last_attempt(books: Books) -> None:
    (claim,) = books.claim(fire(books.job("fine", callback="listener")))
    books.runner.run(claim.run.run_id, 1)
    assert books.told == [("listener", "ok", 1)]
    (claim,) = books.claim(fire(books.job("fails", service="fails", retries=1, retry_after_s=0.1, callback="listener")))
    ended = books.runner.run(claim.run.run_id, 1)
    assert books.told[1:] == [], "there is another attempt"
    books.do("job.set-active-status", name="fails", is_active=True)
    books.runner.run(ended.retry.run_id, 1)
    assert books.told[1:] == [("listener", "failed", 2)]


def test_a_service_that_is_not_there_is_a_failed_run(books: Books) -> None:
    (claim,) = books.claim(fire(books.job(service="nobody")))
    assert books.runner.run(claim.run.run_id, 1).state == "failed"
    assert "nobody" in books.rows()[0].error


def test_a_run_that_exceeds_its_deadline_is_ended(books: Books) -> None:
    (claim,) = books.claim(fire(books.job(service="hangs", deadline_s=0.05)))
    assert books.runner.run(claim.run.run_id, 1).state == "failed"
    assert "it took longer than its 0.05 s" in books.rows()[0].error


def test_a_one_time_job_is_switched_off_after_its_last_attempt_unless_it_was_changed(books: Books) -> None:
    job = books.job("once", job_type="one_time", retries=1, retry_after_s=0.1, service="fails")
    (claim,) = books.claim(fire(job))
    ended = books.runner.run(claim.run.run_id, 1)
    assert books.do("job.get-by-name", name="once")["is_active"]
    books.runner.run(ended.retry.run_id, 1)
    assert not books.do("job.get-by-name", name="once")["is_active"]
    job = books.job("twice", job_type="one_time")
    (claim,) = books.claim(fire(job))
    books.do("job.edit", name="twice", extra="new")
    books.runner.run(claim.run.run_id, 1)
    assert books.do("job.get-by-name", name="twice")["is_active"]


def test_a_run_is_lost_with_its_worker_and_tried_again(books: Books) -> None:
    (claim,) = books.claim(fire(books.job(retries=1)))
    with books.database.transaction() as session:
        report_worker(session, "server1", 11, 1, [])
        report_worker(session, "server1", 12, 1, [])
    books.runs.start(claim.run.run_id, 1)
    for _ in range(3):
        books.runs.sweep(1000.0)
    assert books.states() == ["running"], "its worker lives"
    with books.database.transaction() as session:
        session.execute(update(WorkerRow).where(WorkerRow.pid == 11).values(reported_at=utc_now() - timedelta(minutes=1)))
    books.runs.sweep(1000.0)
    assert books.states() == ["running"], "it may only be the first to have come back"
    books.runs.sweep(1000.0)
    assert books.states() == ["lost", "claimed"]
    books.runs.finish(claim.run.run_id, OK)
    assert books.states() == ["ok", "claimed"], "it was only slow, and says so"


def test_runs_are_kept_for_a_time(books: Books) -> None:
    job = books.job()
    (claim,) = books.claim(fire(job))
    books.runner.run(claim.run.run_id, 1)
    books.claim(fire(job))
    books.runs.sweep(1000.0)
    assert books.states() == ["ok", "claimed"]
    books.runs.sweep(-1.0)
    assert books.states() == ["claimed"], "what has not ended stays"


# Admin services


def test_a_job_is_executed_by_hand_though_it_is_not_active(books: Books) -> None:
    books.job("off")
    books.do("job.set-active-status", name="off", is_active=False)
    executed = books.do("job.execute", name="off")
    gevent.sleep(0)
    assert [each["cid"] for each in SEEN] == [executed["cid"]]
    (run,) = books.history.find({"cid": executed["cid"]})
    assert (run["id"], run["trigger"], run["state"]) == (executed["run_id"], "manual", "ok")


def test_the_documented_services_take_what_they_always_took(books: Books) -> None:
    created = books.do(
        "job.create",
        cluster_id=1,
        name="doc",
        is_active=True,
        job_type="cron_style",
        service="seen",
        cron_definition="0 1 * * *",
        extra=None,
        seconds=None,
    )
    assert created.keys() >= {"id", "name", "cron_definition"}
    books.do("job.edit", cluster_id=1, id=created["id"], name="renamed", cron_definition="0 2 * * *")
    found = books.do("job.get-by-name", cluster_id=1, name="renamed")
    assert (found["id"], found["cron_definition"], found["service_name"]) == (created["id"], "0 2 * * *", "seen")
    assert books.do("job.get-by-id", id=created["id"]) == found
    assert books.do("job.get-list", cluster_id=1) == [found]
    with pytest.raises(InvalidOptions, match="'is_active' is required"):
        books.do("job.set-active-status", id=created["id"])
    books.do("job.delete", id=created["id"])
    assert books.do("job.get-list") == []


def test_runs_are_found_by_what_is_known_of_them(books: Books) -> None:
    a, b, at = books.job("a"), books.job("b", service="fails"), now_us() + 10**9
    for claim in books.claim(fire(a, at), fire(b, at + 1), fire(a, at + 2)):
        books.runner.run(claim.run.run_id, 1)
    find = books.history.find
    assert [run["job"] for run in find({})] == ["a", "b", "a"]
    assert [run["job"] for run in find({"state": "failed", "cluster_id": 1, "cid": None})] == ["b"]
    assert len(find({"name": "a"})) == 2
    assert len(find({"limit": 1})) == 1
    assert [run["id"] for run in find({"before_id": find({})[1]["id"]})] == [find({})[2]["id"]]
    planned = find({})[1]["planned_at"]
    assert len(find({"since": planned})) == 2
    assert len(find({"until": planned})) == 1
    assert books.do("job.get-running") == []
    for wrong in ({"state": "perhaps"}, {"limit": 0}, {"since": "soon"}, {"job": "a"}):
        with pytest.raises(InvalidOptions):
            find(wrong)


def test_before_a_scheduler_came_its_services_say_so(new_books: Books) -> None:
    books = new_books
    with pytest.raises(NotFound, match="No scheduler has connected to this cluster yet"):
        books.job()
    with pytest.raises(NotFound, match="No scheduler"):
        books.do("job.get-list")


def test_the_services_are_among_the_admin_services(books: Books) -> None:
    admin = Admin(books.database, books.kinds, books.objects, None, None, jobs=books.jobs)  # type: ignore[arg-type]
    assert set(job_actions(books.jobs, books.kinds.registry)) <= {entry.name for entry in admin_services(admin)}
