"""The jobs as a scheduler knows them, from what servers send."""

import json
from typing import Any

from zato.common.options import option_values
from zato.proto.control_plane.v1.control_plane_pb2 import ConfigObject, WatchEvent
from zato.scheduler.job import KIND
from zato.scheduler.jobs import Jobs


def message(job_id: int, version: int = 1, **changes: Any) -> ConfigObject:
    values = option_values(KIND.parse({"job_type": "interval_based", "service": "s", "seconds": 5}, what="job"))
    options_json = json.dumps({**values, **changes}).encode()
    return ConfigObject(
        id=job_id, kind=KIND.name, name=f"job{job_id}", is_active=True, version=version, options_json=options_json
    )


def test_a_snapshot_replaces_what_was_known_and_changes_add_to_it() -> None:
    jobs = Jobs()
    assert jobs.apply(WatchEvent(version=5, is_snapshot=True, objects=[message(1), message(2)])).changed == {1, 2}
    changes = jobs.apply(WatchEvent(version=6, objects=[message(2, 6), message(3, 6)], deleted_ids=[1, 99]))
    assert (changes.changed, changes.gone) == ({2, 3}, {1})
    changes = jobs.apply(WatchEvent(version=9, is_snapshot=True, objects=[message(3, 6), message(4, 9)]))
    assert (changes.changed, changes.gone) == ({4}, {2}), "what is as it was is no change"
    assert ([job.name for job in jobs.all()], jobs.version) == (["job3", "job4"], 9)


def test_a_job_of_a_newer_release_is_read_as_far_as_it_is_understood() -> None:
    jobs = Jobs()
    jobs.apply(WatchEvent(version=1, objects=[message(1, colour="blue")]))
    found = jobs.find("job1")
    assert found is not None
    assert found.options.seconds == 5


def test_a_job_that_cannot_be_read_is_left_out_and_no_longer_runs_as_it_was() -> None:
    jobs = Jobs()
    jobs.apply(WatchEvent(version=1, objects=[message(1), message(2)]))
    changes = jobs.apply(WatchEvent(version=2, objects=[message(1, 2, job_type="on_full_moon"), message(3, 2)]))
    assert (changes.changed, changes.gone) == ({3}, {1})


def test_the_kind_says_everything_in_its_description() -> None:
    """Servers check jobs by the description alone."""
    described = type(KIND).from_description(KIND.describe())
    assert described.rules == KIND.rules
    assert described.describe() == KIND.describe()
