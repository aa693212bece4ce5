"""`self.schedule.onetime`: the job that it makes."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from zato.common.text_formats import parse_time
from zato.server.jobs.schedule import Schedule
from zato.server.service import Service


class Target(Service):
    name = "target"


class Made:
    def __init__(self) -> None:
        self.jobs: list[dict[str, Any]] = []

    def __call__(self, service: str, values: dict[str, Any]) -> dict[str, Any]:
        assert service == "zato.scheduler.job.create"
        self.jobs.append(values)
        return {"id": len(self.jobs)}


@pytest.fixture
def made() -> Made:
    return Made()


def test_a_job_is_made_for_now_with_a_name_of_its_own(made: Made) -> None:
    schedule = Schedule(made)
    assert [schedule.onetime("caller", target) for target in ("target", Target, Target())] == [1, 2, 3]
    assert {job["service"] for job in made.jobs} == {"target"}
    assert {job["job_type"] for job in made.jobs} == {"one_time"}
    names = [job["name"] for job in made.jobs]
    assert len(set(names)) == 3
    assert all(name.startswith("caller.target.") for name in names)
    assert abs(parse_time(made.jobs[0]["start_date"]) - datetime.now(UTC)) < timedelta(minutes=5)


def test_a_name_is_given_or_begun(made: Made) -> None:
    Schedule(made).onetime("caller", "target", "mine")
    Schedule(made).onetime("c" * 500, "t" * 500, prefix="later.")
    assert made.jobs[0]["name"] == "mine"
    assert made.jobs[1]["name"].startswith("later.ccc")
    assert len(made.jobs[1]["name"]) <= 200
    assert made.jobs[1]["service"] == "t" * 500


@pytest.mark.parametrize(
    ("start", "wanted"),
    [
        ("2027-01-01T10:00", "2027-01-01T10:01:30"),
        ("2027-01-01 10:00:00+02:00", "2027-01-01T10:01:30+02:00"),
        (datetime(2027, 1, 1, 10, tzinfo=UTC), "2027-01-01T10:01:30+00:00"),
        ("soon", "soon"),
    ],
    ids=str,
)
def test_it_runs_so_much_later_than_its_start(made: Made, start: Any, wanted: str) -> None:
    Schedule(made).onetime("caller", "target", start_date=start, after_seconds=30, after_minutes=1)
    assert made.jobs[0]["start_date"] == wanted


def test_data_is_a_text_or_json(made: Made) -> None:
    for data in ("text", {"a": [1]}, [1, 2], 5):
        Schedule(made).onetime("caller", "target", data=data)
    assert made.jobs[0]["extra"] == "text"
    assert [json.loads(job["extra"]) for job in made.jobs[1:]] == [{"a": [1]}, [1, 2], 5]
