"""Claims and starts that meet: whatever the database, each fire is one row and each run is started once."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import func, select

from zato.common.bus import MemoryBus
from zato.common.errors import Unavailable
from zato.common.kinds import Kind
from zato.common.options import option, options
from zato.common.secrets import SecretBox, generate_key
from zato.proto.jobs.v1 import jobs_pb2 as messages
from zato.server.control.changes import Author
from zato.server.control.kinds import Kinds
from zato.server.control.objects import Objects
from zato.server.jobs.claims import Claims
from zato.server.jobs.leadership import Leadership, StaleEpoch
from zato.server.jobs.options import KIND
from zato.server.jobs.runs import Outcome, Runs, Started
from zato.server.jobs.times import now_us
from zato.server.odb import schema
from zato.server.odb.database import Database
from zato.server.odb.tables import JobRunRow

pytestmark = pytest.mark.timeout(120)
CALLERS = 6


@options
class JobOptions:
    job_type: str = option("Type", default="interval_based")
    service: str = option("Service", default="s")
    extra: str = option("Data", default="")
    overlap: str = option("Overlap", default="allow")
    deadline_s: float = option("Deadline", default=0.0)
    retries: int = option("Retries", default=0)
    retry_after_s: float = option("Seconds", default=1.0)


class Books:
    def __init__(self, odb_url: str) -> None:
        self.database = Database(odb_url)
        schema.upgrade(self.database)
        kinds, bus = Kinds([Kind(KIND, "Job", JobOptions)]), MemoryBus()
        objects = Objects(self.database, kinds, SecretBox([generate_key()]), bus, "config")
        self.leadership, self.claims = Leadership(self.database), Claims(self.database)
        self.runs = Runs(self.database, bus, "config", "server1", lambda: 1, lambda *_told: None)
        self.job = objects.create(KIND, {"name": "job", "overlap": "queue"}, Author("ann", "cid"))
        self.queue_free = objects.create(KIND, {"name": "beside"}, Author("ann", "cid"))

    def at_once(self, work: Callable[[int], Any]) -> list[Any]:
        """Call it from several threads, all at the same moment. A database that is busy is asked again."""
        start = threading.Barrier(CALLERS)

        def call(number: int) -> Any:
            start.wait()
            while True:
                try:
                    return work(number)
                except Unavailable:
                    continue
                except StaleEpoch as exc:
                    return exc

        with ThreadPoolExecutor(CALLERS) as pool:
            return list(pool.map(call, range(CALLERS)))


@pytest.fixture
def books(new_odb_url: Callable[[], str]) -> Any:
    made = Books(new_odb_url())
    yield made
    made.database.close()


def test_of_many_candidates_one_leads_each_epoch(books: Books) -> None:
    def lead(number: int) -> messages.LeadResponse:
        return books.leadership.lead(messages.LeadRequest(candidate=f"c{number} of {epoch}", stale_beat=beat))

    beat = 0
    for epoch in (1, 2, 3):
        answers = books.at_once(lead)
        assert {answer.epoch for answer in answers if answer.is_leader} == {epoch}
        assert sum(answer.is_leader for answer in answers) == 1
        beat = max(answer.beat for answer in answers)


def test_the_same_fires_claimed_by_many_calls_are_one_row_each(books: Books) -> None:
    books.leadership.lead(messages.LeadRequest(candidate="a"))
    at = now_us() + 10**9
    job = books.queue_free
    fires = [messages.Fire(job_id=job["id"], version=job["version"], planned_us=at + number) for number in range(20)]
    request = messages.ClaimRequest(epoch=1, fires=fires)
    answers = books.at_once(lambda _number: books.claims.claim(request))
    ids = {tuple(claim.run.run_id for claim in answer.claims) for answer in answers}
    assert len(ids) == 1
    with books.database.reading() as session:
        assert session.execute(select(func.count()).select_from(JobRunRow)).scalar_one() == len(fires)


def test_a_run_that_many_ask_for_is_started_once_and_a_queue_has_one_at_a_time(books: Books) -> None:
    books.leadership.lead(messages.LeadRequest(candidate="a"))
    at, job = now_us() + 10**9, books.job
    fires = [messages.Fire(job_id=job["id"], version=job["version"], planned_us=at + number) for number in range(3)]
    claims = books.claims.claim(messages.ClaimRequest(epoch=1, fires=fires)).claims
    started: list[int] = []
    for _ in fires:
        answers = books.at_once(lambda number: books.runs.start(claims[number % len(fires)].run.run_id, 1))
        (run,) = [answer for answer in answers if isinstance(answer, Started)]
        started.append(run.run_id)
        books.runs.finish(run.run_id, Outcome("ok"))
    assert sorted(started) == [claim.run.run_id for claim in claims]


def test_nothing_of_an_old_epoch_is_written_after_the_new_one_began(books: Books) -> None:
    beat = books.leadership.lead(messages.LeadRequest(candidate="a")).beat
    at, job = now_us() + 10**9, books.queue_free

    def act(number: int) -> Any:
        if number == 0:
            return books.leadership.lead(messages.LeadRequest(candidate="b", stale_beat=beat))
        fires = [messages.Fire(job_id=job["id"], version=job["version"], planned_us=at + number)]
        return books.claims.claim(messages.ClaimRequest(epoch=1, fires=fires))

    answers = books.at_once(act)
    assert answers[0].epoch == 2
    claimed = sum(isinstance(answer, messages.ClaimResponse) for answer in answers[1:])
    with books.database.reading() as session:
        assert session.execute(select(func.count()).select_from(JobRunRow)).scalar_one() == claimed
    with pytest.raises(StaleEpoch):
        act(8)
