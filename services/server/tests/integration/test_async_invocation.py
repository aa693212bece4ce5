"""Asynchronous invocation on a real server with a real Redis: callbacks, retries, patterns, and workers that are killed."""

import json
import signal
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import psutil
import pytest
import redis

from zato.common.errors import BadRequest, Forbidden, NotFound, Unavailable
from zato.common.testing.waiting import eventually
from zato.server.services.task_results import utc_text
from zato.server.services.tasks import FIELD, GROUP, Pattern, Task, Tasks, TaskSettings, decode, encode, encode_payload

pytestmark = pytest.mark.redis

SERVICES = '''
import json

from zato.common.logs import get_logger
from zato.server.service import Service


class Base(Service):
    def note(self, **more):
        known = {"service": self.name, "cid": self.cid, "channel": self.channel.type, "payload": self.request.payload,
            "in_reply_to": self.in_reply_to, "environ": dict(self.environ), **more}
        self.kvdb.conn.rpush("notes", json.dumps(known))


class Start(Base):
    """Invokes what it is told, asynchronously, and answers with the cids."""

    def handle(self):
        calls = self.request.payload["calls"]
        self.response.payload = [self.invoke_async(**call) for call in calls]


class Echo(Base):
    def handle(self):
        self.note()
        self.response.payload = {"got": self.request.payload}


class Callback(Base):
    def handle(self):
        self.note()


class OtherCallback(Callback):
    pass


class Caller(Base):
    """Is its own callback, or leaves it to convention."""

    def handle(self):
        if self.in_reply_to:
            self.note()
        else:
            self.invoke_async("tasks.echo", 1, callback=self if self.request.payload == "self" else None)


class CallerAsyncCallback(Callback):
    pass


class Fails(Base):
    def handle(self):
        self.note()
        left = self.kvdb.conn.decr("failures-left")
        if left >= 0:
            raise ValueError(f"it failed, {left} left")
        self.response.payload = "worked"


class Slow(Base):
    """Tells how many of its kind run at a time."""

    def handle(self):
        self.kvdb.conn.rpush("began", self.request.payload["number"])
        running = self.kvdb.conn.incr("running")
        self.kvdb.conn.zadd("most", {"running": running}, gt=True)
        self.sleep(self.request.payload["seconds"])
        self.kvdb.conn.decr("running")
        self.kvdb.conn.rpush("ended", self.request.payload["number"])


class Pure(Service):
    """Needs no Redis."""

    def handle(self):
        get_logger("pure").info("pure_began", number=self.request.payload)
        self.sleep(0.5)


class FanOut(Base):
    def handle(self):
        self.response.payload = {"answer": self.patterns.fanout.invoke(**self.request.payload)}


class Parallel(Base):
    def handle(self):
        self.response.payload = {"answer": self.patterns.parallel.invoke(**self.request.payload)}


class Retry(Base):
    def handle(self):
        arguments = dict(self.request.payload)
        call = getattr(self.patterns.invoke_retry, arguments.pop("how"))
        self.response.payload = {"answer": call(arguments.pop("target"), **arguments)}
'''


@dataclass
class Cluster:
    """A server with a Redis database of its own, and what services wrote there."""

    server: Any
    conn: "redis.Redis"
    prefix: str

    def start(self, *calls: Any) -> list[str]:
        answer: list[str] = json.loads(self.server.invoke("tasks.start", {"calls": calls}).payload)
        return answer

    def invoke(self, service: str, payload: Any) -> Any:
        return json.loads(self.server.invoke(service, payload).payload or "null")

    def notes(self, service: str = "") -> list[dict[str, Any]]:
        notes = [json.loads(note) for note in self.conn.lrange("notes", 0, -1)]
        return [note for note in notes if not service or note["service"] == f"tasks.{service}"]

    def dead(self) -> list[dict[str, Any]]:
        return [
            {name.decode(): value for name, value in fields.items()} for _, fields in self.conn.xrange(f"{self.prefix}:dead")
        ]

    def is_settled(self) -> bool:
        # At one moment: a task that moves from one to the other meanwhile would be in neither.
        with self.conn.pipeline(transaction=True) as pipeline:
            pipeline.xlen(f"{self.prefix}:stream")
            pipeline.zcard(f"{self.prefix}:delayed")
            return not any(pipeline.execute())

    def wait_until_settled(self, timeout_s: float = 30) -> None:
        eventually(self.is_settled, timeout_s=timeout_s, what="all tasks to be settled")


@pytest.fixture(scope="module")
def start_cluster(start_server: Any, new_redis_url: Callable[[], str]) -> Callable[..., Cluster]:
    def start(**settings: Any) -> Cluster:
        url, name = settings.pop("redis_url", "") or new_redis_url(), f"tasks{time.monotonic_ns()}"
        options = {"async_claim_after_s": 1.5, "async_retry_after_s": 0.1, "async_concurrency": 5, **settings}
        server = start_server(redis_url=url, cluster=name, **options)
        server.deploy("tasks.py", SERVICES)
        return Cluster(server, redis.Redis.from_url(url), f"zato:{name}:async")

    return start


@pytest.fixture(scope="module")
def shared(start_cluster: Callable[..., Cluster]) -> Cluster:
    return start_cluster(workers=2)


@pytest.fixture
def cluster(shared: Cluster) -> Cluster:
    """A running server, without what earlier tests have left."""
    shared.wait_until_settled()
    shared.conn.delete("notes", "failures-left", "began", "ended", "running", "most", f"{shared.prefix}:dead")
    return shared


def test_an_invocation_is_accepted_and_runs_once_with_what_it_was_given(cluster: Cluster) -> None:
    payload = {"text": "ż", "list": [1, 2.5, None], "big": 2**70}
    (cid,) = cluster.start({"name": "tasks.echo", "payload": payload, "environ": {"a": [1]}})
    cluster.wait_until_settled()
    (note,) = cluster.notes()
    assert (note["cid"], note["payload"], note["environ"]) == (cid, payload, {"a": [1]})
    assert (note["channel"], note["in_reply_to"]) == ("invoke-async", None)


def test_a_payload_may_be_text_or_keywords_and_the_cid_ones_own(cluster: Cluster) -> None:
    cids = cluster.start(
        {"name": "tasks.echo", "payload": "text", "cid": "my-cid"},
        {"name": "tasks.echo", "customer": 7},
        {"name": "tasks.echo", "payload": {"a": 1}, "to_json_string": True},
        {"name": "tasks.echo", "payload": '{"a": 2}', "data_format": "json"},
    )
    cluster.wait_until_settled()
    assert cids[0] == "my-cid"
    assert len(set(cids)) == 4
    assert sorted(str(note["payload"]) for note in cluster.notes()) == sorted(
        ["text", "{'customer': 7}", '{"a":1}', "{'a': 2}"]
    )


def test_an_unknown_service_is_refused_at_once(cluster: Cluster) -> None:
    with pytest.raises(NotFound):
        cluster.start({"name": "tasks.nothing"})
    with pytest.raises(NotFound):
        cluster.start({"name": "tasks.echo", "callback": "tasks.nothing"})
    assert cluster.is_settled()


def test_callbacks_get_the_response_as_text_and_the_cid_that_it_answers(cluster: Cluster) -> None:
    (cid,) = cluster.start(
        {"name": "tasks.echo", "payload": [1], "callback": ["tasks.callback", "tasks.other-callback"]},
    )
    cluster.wait_until_settled()
    for name in ("callback", "other-callback"):
        (note,) = cluster.notes(name)
        assert (note["payload"], note["in_reply_to"]) == ('{"got":[1]}', cid)
        assert note["channel"] == "invoke-async-callback"
        assert note["cid"] != cid


@pytest.mark.parametrize(("how", "callback"), [("self", "caller"), ("", "caller-async-callback")])
def test_a_service_may_be_its_own_callback_or_have_one_by_convention(cluster: Cluster, how: str, callback: str) -> None:
    cluster.invoke("tasks.caller", how)
    cluster.wait_until_settled()
    assert [note["service"] for note in cluster.notes()] == ["tasks.echo", f"tasks.{callback}"]


def test_what_fails_is_tried_again_until_it_works(cluster: Cluster) -> None:
    cluster.conn.set("failures-left", 2)
    cluster.start({"name": "tasks.fails", "payload": 1, "callback": "tasks.callback"})
    cluster.wait_until_settled()
    assert len(cluster.notes("fails")) == 3
    (note,) = cluster.notes("callback")
    assert (note["payload"], note["environ"]) == ("worked", {})
    assert cluster.dead() == []


def test_what_fails_for_good_is_put_aside_with_the_reason_and_its_callback_hears_of_it(cluster: Cluster) -> None:
    cluster.conn.set("failures-left", 100)
    (cid,) = cluster.start({"name": "tasks.fails", "payload": [1], "callback": "tasks.callback"})
    cluster.wait_until_settled()
    assert len(cluster.notes("fails")) == 3
    (dead,) = cluster.dead()
    assert dead["reason"] == b"ValueError: it failed, 97 left"
    assert (dead["service"], dead["cid"], dead["attempts"]) == (b"tasks.fails", cid.encode(), b"3")
    assert decode(dead[FIELD.decode()]).decoded_payload == [1]
    (note,) = cluster.notes("callback")
    assert note["environ"] == {"async_error": "ValueError: it failed, 97 left"}
    assert note["in_reply_to"] == cid


def test_what_was_put_aside_can_be_looked_at_and_run_again_or_forgotten(cluster: Cluster) -> None:
    admin = cluster.server.admin
    cluster.conn.set("failures-left", 100)
    cids = cluster.start(*({"name": "tasks.fails", "payload": {"n": n}, "callback": "tasks.callback"} for n in range(2)))
    cluster.wait_until_settled()
    assert admin("zato.async.get-status") == {"waiting": 0, "running": 0, "delayed": 0, "given_up": 2}
    listed = admin("zato.async.get-dead-letters")
    assert {each["cid"] for each in listed} == set(cids)
    assert {(each["service"], each["caller"], each["attempts"]) for each in listed} == {("tasks.fails", "tasks.start", 3)}
    assert {each["payload"] for each in listed} == {'{"n":0}', '{"n":1}'}
    assert all(each["reason"].startswith("ValueError: it failed") for each in listed)
    cluster.conn.delete("failures-left", "notes")
    cluster.conn.set("failures-left", 1)
    assert admin("zato.async.retry-dead-letter", id=listed[0]["id"])["cid"] == listed[0]["cid"]
    admin("zato.async.delete-dead-letter", id=listed[1]["id"])
    cluster.wait_until_settled()
    assert [note["cid"] for note in cluster.notes("fails")] == [listed[0]["cid"]] * 2
    assert cluster.notes("callback")[0]["payload"] == "worked"
    assert admin("zato.async.get-dead-letters") == []
    for id in (listed[0]["id"], "", "no id", "1-1"):
        for service in ("retry-dead-letter", "delete-dead-letter"):
            with pytest.raises(NotFound, match="given up"):
                admin(f"zato.async.{service}", id=id)


def test_whoever_invokes_by_hand_hears_what_became_of_it(cluster: Cluster) -> None:
    def outcome(cid: str) -> dict[str, Any]:
        found = cluster.invoke("zato.async.get-outcome", {"cid": cid})
        assert found["state"] != "waiting"
        return dict(found)

    cid = cluster.invoke("zato.async.invoke", {"name": "tasks.echo", "payload": {"a": [1]}})["cid"]
    done = eventually(lambda: outcome(cid))
    assert (done["service"], done["state"], json.loads(done["payload"])) == ("tasks.echo", "done", {"got": {"a": [1]}})
    assert [note["cid"] for note in cluster.notes("echo")] == [cid]

    cluster.conn.set("failures-left", 5)
    cid = cluster.invoke("zato.async.invoke", {"name": "tasks.fails", "payload": "x", "data_format": "raw"})["cid"]
    failed = eventually(lambda: outcome(cid))
    assert failed["state"] == "failed" and "it failed, 4 left" in failed["error"]
    # It is tried once, and kept like all that nobody tries any more.
    assert len(cluster.notes("fails")) == 1
    assert [each["cid"] for each in cluster.dead()] == [cid.encode()]

    for error, service, values in (
        (Forbidden, "zato.async.invoke", {"name": "zato.channel-http.create"}),
        (NotFound, "zato.async.invoke", {"name": "tasks.nothing"}),
        (BadRequest, "zato.async.invoke", {"name": "tasks.echo", "payload": {}, "data_format": "raw"}),
        (NotFound, "zato.async.get-outcome", {"cid": "never-heard-of"}),
    ):
        with pytest.raises(error):
            cluster.invoke(service, values)


def test_an_invocation_may_wait_before_it_runs(cluster: Cluster) -> None:
    cluster.start({"name": "tasks.echo", "payload": "later", "delay": 0.3})
    assert cluster.conn.zcard(f"{cluster.prefix}:delayed") == 1
    assert cluster.notes() == []
    cluster.wait_until_settled()
    assert [note["payload"] for note in cluster.notes()] == ["later"]


def test_what_has_expired_does_not_run(cluster: Cluster) -> None:
    late = Task(service="tasks.echo", cid="late", payload=b"late", expires_at=time.time() - 1)
    cluster.conn.xadd(f"{cluster.prefix}:stream", {FIELD: encode(late)})
    cluster.start({"name": "tasks.echo", "payload": "in time", "expiration": 60})
    cluster.wait_until_settled()
    assert [note["payload"] for note in cluster.notes()] == ["in time"]
    assert cluster.dead() == []


def test_what_cannot_be_read_is_put_aside(cluster: Cluster) -> None:
    cluster.conn.xadd(f"{cluster.prefix}:stream", {FIELD: b"\xc1no task"})
    cluster.wait_until_settled()
    (dead,) = cluster.dead()
    assert dead["reason"].startswith(b"It cannot be read")
    assert dead[FIELD.decode()] == b"\xc1no task"


def test_no_worker_runs_more_at_a_time_than_it_may(cluster: Cluster) -> None:
    cluster.start(*({"name": "tasks.slow", "payload": {"number": n, "seconds": 0.1}} for n in range(40)))
    cluster.wait_until_settled()
    assert cluster.conn.llen("ended") == 40
    # Two workers, five each.
    assert 1 < cluster.conn.zscore("most", "running") <= 10


# Patterns


def test_a_fan_out_ends_when_all_targets_have_ended_be_it_by_an_exception(cluster: Cluster) -> None:
    cluster.conn.set("failures-left", 100)
    targets = {"tasks.echo": {"a": 1}, "tasks.fails": "x", "tasks.slow": {"number": 1, "seconds": 0.2}}
    cid = cluster.invoke(
        "tasks.fan-out",
        {
            "targets": targets,
            "on_final": ["tasks.callback", "tasks.other-callback"],
            "on_target": ["tasks.caller-async-callback"],
        },
    )["answer"]
    cluster.wait_until_settled()
    for name in ("callback", "other-callback"):
        (final,) = cluster.notes(name)
        assert final["channel"] == "fanout-on-final"
        data = final["payload"]
        assert data["source"] == "tasks.fan-out"
        assert (data["on_final"], data["on_target"]) == (
            ["tasks.callback", "tasks.other-callback"],
            ["tasks.caller-async-callback"],
        )
        assert {name: outcome["ok"] for name, outcome in data["data"].items()} == {
            "tasks.echo": True,
            "tasks.fails": False,
            "tasks.slow": True,
        }
        assert data["data"]["tasks.echo"]["response"] == {"got": {"a": 1}}
        assert "ValueError" in data["data"]["tasks.fails"]["exception"]
    each = cluster.notes("caller-async-callback")
    assert {note["payload"]["target"] for note in each} == set(targets)
    assert {note["channel"] for note in each} == {"fanout-on-target"}
    assert {note["payload"]["cid"] for note in each} == {cid}
    # Each target ran once, and nothing of the bookkeeping remains.
    assert len(cluster.notes("fails")) == 1
    assert [key for key in cluster.conn.scan_iter() if b"fanout" in key] == []


def test_many_fan_outs_at_the_same_time_end_once_each(cluster: Cluster) -> None:
    targets = {"tasks.echo": 1, "tasks.slow": {"number": 1, "seconds": 0.01}, "tasks.caller-async-callback": 1}
    cids = [cluster.invoke("tasks.fan-out", {"targets": targets, "on_final": "tasks.callback"})["answer"] for _ in range(15)]
    cluster.wait_until_settled()
    assert Counter(note["cid"] for note in cluster.notes("callback")) == dict.fromkeys(cids, 1)


def test_a_fan_out_without_targets_has_ended(cluster: Cluster) -> None:
    cluster.invoke("tasks.fan-out", {"targets": {}, "on_final": "tasks.callback"})
    cluster.wait_until_settled()
    (note,) = cluster.notes("callback")
    assert note["payload"]["data"] == {}


def test_parallel_services_report_each_to_all_that_listen(cluster: Cluster) -> None:
    targets = {"tasks.echo": 1, "tasks.slow": {"number": 1, "seconds": 0}}
    cluster.invoke("tasks.parallel", {"targets": targets, "on_target": ["tasks.callback", "tasks.other-callback"]})
    cluster.wait_until_settled()
    for name in ("callback", "other-callback"):
        notes = cluster.notes(name)
        assert {note["payload"]["target"] for note in notes} == set(targets)
        assert {note["channel"] for note in notes} == {"parallel-exec-on-target"}
    assert cluster.notes("echo")[0]["channel"] == "parallel-exec-call"
    assert [key for key in cluster.conn.scan_iter() if b"parallel" in key] == []


@pytest.mark.parametrize(("failures", "is_ok", "calls"), [(0, True, 1), (2, True, 3), (9, False, 4)])
def test_a_call_is_retried_in_the_background_and_its_callback_hears_of_the_end(
    cluster: Cluster, failures: int, is_ok: bool, calls: int
) -> None:
    cluster.conn.set("failures-left", failures)
    arguments = {"how": "invoke_async", "target": "tasks.fails", "payload": "p", "repeats": 3, "seconds": 0.05}
    answer = cluster.invoke("tasks.retry", {**arguments, "callback": "tasks.callback", "context": {"c": 1}})["answer"]
    cluster.wait_until_settled()
    assert len(cluster.notes("fails")) == calls
    (note,) = cluster.notes("callback")
    outcome = note["payload"]
    assert (outcome["ok"], outcome["call_cid"], outcome["context"]) == (is_ok, answer, {"c": 1})
    assert (outcome["source"], outcome["target"]) == ("tasks.retry", "tasks.fails")
    assert (outcome["retry_repeats"], outcome["retry_seconds"]) == (3, 0.05)


def test_a_call_that_fails_now_is_retried_in_the_background(cluster: Cluster) -> None:
    cluster.conn.set("failures-left", 1)
    arguments = {"how": "invoke", "target": "tasks.fails", "payload": "p", "repeats": 3, "seconds": 0.05}
    arguments |= {"async_fallback": True, "callback": "tasks.callback"}
    cid = cluster.invoke("tasks.retry", arguments)["answer"]
    cluster.wait_until_settled()
    assert [note["cid"] == cid for note in cluster.notes("fails")] == [False, True]
    assert cluster.notes("callback")[0]["payload"]["ok"] is True


# Workers that die


def test_nothing_is_lost_when_workers_are_killed(start_cluster: Callable[..., Cluster]) -> None:
    cluster = start_cluster(workers=2)
    count = 60
    cluster.start(*({"name": "tasks.slow", "payload": {"number": n, "seconds": 0.3}} for n in range(count)))
    eventually(lambda: cluster.conn.llen("ended") >= 5, timeout_s=20, what="some to have run")
    killed = cluster.server.live_worker_pids()
    for pid in killed:
        psutil.Process(pid).kill()
    cluster.wait_until_settled(60)
    ended = Counter(int(number) for number in cluster.conn.lrange("ended", 0, -1))
    began = Counter(int(number) for number in cluster.conn.lrange("began", 0, -1))
    assert set(ended) == set(range(count))
    # What ran in the moment of the kill ran twice, nothing else did: two workers, five at a time.
    again = [number for number, times in began.items() if times > 1]
    assert 1 <= len(again) <= 10
    assert max(began.values()) == 2
    assert cluster.dead() == []


def test_nothing_is_lost_when_the_whole_server_is_killed_and_started_again(start_cluster: Callable[..., Cluster]) -> None:
    cluster = start_cluster()
    cluster.start(*({"name": "tasks.slow", "payload": {"number": n, "seconds": 0.3}} for n in range(20)))
    eventually(lambda: cluster.conn.llen("ended") >= 3, timeout_s=20, what="some to have run")
    family = [psutil.Process(cluster.server.pid), *cluster.server.children()]
    for process in family:
        process.kill()
    cluster.server.close_client()
    cluster.server.wait_for_end(10)
    psutil.wait_procs(family, timeout=10)
    assert not cluster.is_settled()
    cluster.server.start()
    cluster.wait_until_settled(60)
    assert {int(number) for number in cluster.conn.lrange("ended", 0, -1)} == set(range(20))
    assert cluster.dead() == []


def test_a_task_that_kills_its_worker_each_time_is_given_up(start_cluster: Callable[..., Cluster]) -> None:
    cluster = start_cluster(async_claim_after_s=0.6)
    source = (
        "import os, signal\nfrom zato.server.service import Service\n\n"
        "class Deadly(Service):\n    def handle(self):\n"
        "        self.kvdb.conn.rpush('began', 1)\n        os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    cluster.server.deploy("deadly.py", source)
    cluster.start({"name": "deadly.deadly"})
    cluster.wait_until_settled(60)
    (dead,) = cluster.dead()
    assert dead["reason"] == b"The worker that ran it died, 3 times"
    assert cluster.conn.llen("began") == 3


def test_a_server_that_stops_lets_what_runs_end_and_leaves_the_rest(start_cluster: Callable[..., Cluster]) -> None:
    cluster = start_cluster(async_concurrency=2)
    cluster.start(*({"name": "tasks.slow", "payload": {"number": n, "seconds": 0.5}} for n in range(6)))
    eventually(lambda: cluster.conn.llen("began") >= 2, timeout_s=20, what="some to run")
    cluster.server.close_client()
    psutil.Process(cluster.server.pid).send_signal(signal.SIGTERM)
    assert cluster.server.wait_for_end(30) == 0
    began, ended = cluster.conn.llen("began"), cluster.conn.llen("ended")
    assert began == ended < 6
    # Nobody has anything unacknowledged, so nobody has to wait until it is taken over; and no consumer is left behind.
    assert cluster.conn.xpending(f"{cluster.prefix}:stream", GROUP)["pending"] == 0
    assert cluster.conn.xinfo_consumers(f"{cluster.prefix}:stream", GROUP) == []
    cluster.server.start()
    cluster.wait_until_settled()
    assert sorted(int(number) for number in cluster.conn.lrange("began", 0, -1)) == list(range(6))
    assert sorted(int(number) for number in cluster.conn.lrange("ended", 0, -1)) == list(range(6))


def test_a_task_that_takes_long_is_not_taken_over(cluster: Cluster) -> None:
    # Three times as long as a worker may be silent.
    cluster.start({"name": "tasks.slow", "payload": {"number": 1, "seconds": 4.5}})
    cluster.wait_until_settled()
    assert cluster.conn.lrange("began", 0, -1) == [b"1"]


def test_nothing_is_lost_or_done_twice_when_redis_is_killed_and_comes_back(
    start_cluster: Callable[..., Cluster], redis_server: Any
) -> None:
    cluster = start_cluster(redis_url=redis_server.url, workers=2, async_claim_after_s=20.0)
    cluster.start(*({"name": "tasks.pure", "payload": n} for n in range(20)))
    eventually(lambda: len(cluster.server.log_lines("pure_began")) >= 5, timeout_s=20, what="some to run")
    redis_server.kill()
    eventually(lambda: cluster.server.log_lines("task_not_settled_yet"), timeout_s=20, what="some to end meanwhile")
    redis_server.start()
    cluster.wait_until_settled(60)
    began = Counter(line["number"] for line in cluster.server.log_lines("pure_began"))
    assert set(began) == set(range(20))
    # What had ended waited for Redis rather than run again. What Redis had handed out the moment it died did not run yet.
    assert max(began.values()) == 1
    assert cluster.dead() == []


def test_a_redis_that_refuses_for_a_while_gets_the_result_later(
    start_cluster: Callable[..., Cluster], redis_server: Any
) -> None:
    cluster = start_cluster(redis_url=redis_server.url, async_claim_after_s=20.0)
    cluster.start({"name": "tasks.pure", "payload": 1, "callback": "tasks.callback"})
    eventually(lambda: cluster.server.log_lines("pure_began"), timeout_s=20, what="the task to run")
    # As a master that was made a replica of another one by a failover.
    cluster.conn.execute_command("REPLICAOF", "127.0.0.1", "1")
    eventually(lambda: cluster.server.log_lines("task_not_settled_yet"), timeout_s=20, what="the task to end meanwhile")
    cluster.conn.execute_command("REPLICAOF", "NO", "ONE")
    cluster.wait_until_settled()
    assert len(cluster.server.log_lines("pure_began")) == 1
    assert len(cluster.notes("callback")) == 1


# The caller


def test_who_invokes_while_redis_is_down_is_told_so(redis_server: Any) -> None:
    tasks = Tasks(redis_server.url, "zato:down:async", TaskSettings())
    tasks.publish([Task(service="a", cid="1")])
    redis_server.stop()
    with pytest.raises(Unavailable, match="may not have been queued"):
        tasks.publish([Task(service="a", cid="2")])
    redis_server.start()
    assert [decode(fields[FIELD]).cid for _, fields in tasks.conn.xrange(tasks.stream)] == ["1"]


def test_a_redis_that_keeps_nothing_gets_nothing_to_keep(redis_server: Any) -> None:
    conn = redis.Redis.from_url(redis_server.url)
    conn.config_set("appendonly", "no")
    with pytest.raises(Unavailable, match="appendonly yes"):
        Tasks(redis_server.url, "zato:forgets:async", TaskSettings()).publish([Task(service="a", cid="1")])
    relaxed = Tasks(redis_server.url, "zato:forgets:async", TaskSettings(needs_persistence=False))
    relaxed.publish([Task(service="a", cid="1")])
    assert conn.xlen(relaxed.stream) == 1


def test_all_tasks_of_a_call_are_published_or_none(redis_url: str) -> None:
    tasks = Tasks(redis_url, "zato:all:async", TaskSettings())
    good, bad = Task(service="a", cid="1"), Task(service="a", cid="2", environ={"no": object()})
    with pytest.raises(BadRequest, match="environ"):
        tasks.publish([good, bad])
    assert tasks.conn.xlen(tasks.stream) == 0


def test_back_off_doubles_up_to_its_limit() -> None:
    settings = TaskSettings(retry_after_s=2.0, longest_retry_s=10.0)
    assert [settings.back_off_s(Task(service="a", cid="1", attempt=n)) for n in (1, 2, 3, 4)] == [2, 4, 8, 10]
    fixed = Task(service="a", cid="1", attempt=4, retry_after_s=0.5)
    assert settings.back_off_s(fixed) == 0.5


@pytest.mark.parametrize("payload", ["", "text", b"\xff\x00", {"a": 1}, [1, "b"], None, 2**80, 1.5])
def test_payloads_come_back_as_they_were(payload: Any) -> None:
    body, payload_format = encode_payload(payload)
    pattern = Pattern(kind="fanout", source="s", requested_at=utc_text(), cid="c")
    task = Task(service="a", cid="1", payload=body, payload_format=payload_format, pattern=pattern)
    assert decode(encode(task)) == task
    assert decode(encode(task)).decoded_payload == payload
