"""Who leads, as schedulers see it that compare no clocks. The ODB's part is played by the rules that it keeps."""

from dataclasses import dataclass, field

import pytest

from zato.common.clock import ManualClock
from zato.proto.jobs.v1.jobs_pb2 import LeadRequest, LeadResponse
from zato.scheduler.lease import Lease

LEASE_S = 2.5


@dataclass
class ODB:
    leader: str = ""
    epoch: int = 0
    beat: int = 0
    is_paused: bool = False
    asked: list[LeadRequest] = field(default_factory=list)

    def lead(self, request: LeadRequest) -> LeadResponse:
        self.asked.append(request)
        if self.leader != request.candidate and (not self.leader or request.stale_beat == self.beat > 0):
            self.leader, self.epoch = request.candidate, self.epoch + 1
        if self.leader == request.candidate:
            self.beat += 1
        is_leader = self.leader == request.candidate
        return LeadResponse(is_leader=is_leader, epoch=self.epoch, beat=self.beat, leader=self.leader, is_paused=self.is_paused)


class Candidate:
    def __init__(self, name: str, odb: ODB) -> None:
        self.clock = ManualClock()
        self.lease = Lease(self.clock, name, LEASE_S)
        self._odb = odb

    def ask(self, takes_s: float = 0.0) -> int:
        asked_at = self.clock.monotonic()
        response = self._odb.lead(self.lease.request())
        self.clock.advance(takes_s)
        self.lease.heard(response, asked_at)
        return self.lease.epoch


@pytest.fixture
def odb() -> ODB:
    return ODB()


def test_the_first_one_leads_and_goes_on_as_long_as_it_renews(odb: ODB) -> None:
    first, second = Candidate("a", odb), Candidate("b", odb)
    assert (first.ask(), second.ask()) == (1, 0)
    for _ in range(20):
        for each in (first, second):
            each.clock.advance(1.0)
        assert (first.ask(), second.ask()) == (1, 0)
    assert second.lease.leader.name == "a"


def test_a_leader_that_falls_silent_is_replaced_after_its_lease(odb: ODB) -> None:
    first, second = Candidate("a", odb), Candidate("b", odb)
    first.ask()
    second.ask()
    second.clock.advance(LEASE_S - 0.1)
    assert second.ask() == 0
    second.clock.advance(0.2)
    assert second.ask() == 2
    assert first.ask() == 0, "it woke up"


def test_a_leader_steps_down_by_itself_when_it_can_ask_nobody(odb: ODB) -> None:
    first = Candidate("a", odb)
    first.ask()
    first.clock.advance(LEASE_S + 0.1)
    assert first.lease.epoch == 0
    assert first.ask() == 1, "nobody took over meanwhile"


def test_a_lease_counts_from_the_question_not_from_the_answer(odb: ODB) -> None:
    first = Candidate("a", odb)
    assert first.ask(takes_s=LEASE_S + 0.1) == 0


def test_of_two_that_see_a_dead_leader_one_takes_over(odb: ODB) -> None:
    candidates = [Candidate(name, odb) for name in "abc"]
    for each in candidates:
        each.ask()
    for each in candidates[1:]:
        each.clock.advance(LEASE_S + 0.1)
    assert [each.ask() for each in candidates[1:]] == [2, 0]


def test_a_clock_that_is_hours_ahead_changes_nothing(odb: ODB) -> None:
    first, second = Candidate("a", odb), Candidate("b", odb)
    second.clock.advance(7200.0)
    first.ask()
    assert second.ask() == 0
    second.clock.advance(1.0)
    first.ask()
    assert second.ask() == 0


def test_one_that_was_refused_leads_no_more_until_it_is_told_so(odb: ODB) -> None:
    first = Candidate("a", odb)
    first.ask()
    first.lease.lose()
    assert first.lease.epoch == 0


def test_a_pause_is_heard_of_by_all(odb: ODB) -> None:
    odb.is_paused = True
    first, second = Candidate("a", odb), Candidate("b", odb)
    first.ask()
    second.ask()
    assert first.lease.leader.is_paused
    assert second.lease.leader.is_paused
