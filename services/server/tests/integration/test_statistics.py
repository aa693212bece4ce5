"""Statistics, slow runs, samples and errors on a real Redis; then on two servers, from outside and by the command."""

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
import redis

from zato.common.errors import BadRequest, NotFound, Unavailable, ZatoError
from zato.common.testing.waiting import eventually
from zato.server.http.traffic import Traffic
from zato.server.service import Service
from zato.server.services.context import ChannelInfo
from zato.server.services.counts import Counts
from zato.server.services.recordings import ERROR, KEPT, MAX_CHARACTERS, SAMPLE, SLOW, Recordings, as_text
from zato.server.services.reqresp import ServiceRequest, ServiceResponse
from zato.server.services.statistics import Statistics
from zato.server.services.statistics_reading import Numbers, StatisticsReader
from zato.server.services.store import ServiceEntry

from .conftest import Server, StartServer

pytestmark = pytest.mark.redis
NOON = 1_900_000_800  # a whole hour
DAY_S = 86_400


class Orders(Service):
    name = "orders.get"
    slow_threshold = 50

    def handle(self) -> None:
        pass


class Clock:
    now = float(NOON)

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def conn(redis_url: str) -> "redis.Redis":
    return redis.Redis.from_url(redis_url)


@pytest.fixture
def statistics(conn: "redis.Redis", clock: Clock) -> Statistics:
    return Statistics(conn, "stats", Recordings(conn, "runs", "server1", clock), clock)


@pytest.fixture
def reader(conn: "redis.Redis", clock: Clock) -> StatisticsReader:
    return StatisticsReader(conn, "stats", clock)


def entry(name: str = "orders.get", **more: Any) -> ServiceEntry:
    return ServiceEntry(name, "orders.Orders", Orders, "orders.py", 3, **more)


def instance(request: Any = b"{}", response: Any = "", cid: str = "cid-1") -> Service:
    made = Orders()
    answer = ServiceResponse()
    answer.payload = response
    made.__dict__.update(
        cid=cid,
        request=ServiceRequest(request, lambda: None, {}, None),
        response=answer,
        channel=ChannelInfo("orders", "http-soap"),
    )
    return made


def observe(statistics: Statistics, *elapsed_ms: float, name: str = "orders.get", **more: Any) -> None:
    for each in elapsed_ms:
        statistics.observe(entry(name), instance(**more), each)
    statistics.flush()


# Numbers


def test_workers_add_up(statistics: Statistics, reader: StatisticsReader, conn: "redis.Redis", clock: Clock) -> None:
    other = Statistics(conn, "stats", statistics.recordings, clock)
    observe(statistics, 10.0, 20.0, 30.0)
    observe(other, 2.0, name="orders.get")
    observe(other, 5.0, name="other")
    for numbers in (reader.window(NOON, NOON + 60).summaries(), reader.since_ever()):
        assert set(numbers) == {"orders.get", "other"}
        found = numbers["orders.get"]
        assert (found.runs, found.mean_ms, found.least_ms, found.most_ms, found.last) == (4, 15.5, 2.0, 30.0, NOON)


def test_a_failure_is_a_run_and_an_error(statistics: Statistics, reader: StatisticsReader) -> None:
    statistics.observe(entry(), instance(), 10.0)
    statistics.observe_failure(entry(), instance(), ValueError("no such order"), 20.0)
    statistics.flush()
    found = reader.since_ever()["orders.get"]
    assert (found.runs, found.errors, found.mean_ms) == (2, 1, 15.0)


def test_percentiles_are_right_to_within_a_quarter(statistics: Statistics, reader: StatisticsReader) -> None:
    observe(statistics, *(float(ms) for ms in range(1, 1001)))
    found = reader.since_ever()["orders.get"]
    for percent in (1, 10, 50, 90, 95, 99, 100):
        assert found.percentile_ms(percent) == pytest.approx(percent * 10, rel=0.25)
    assert found.percentile_ms(100) == 1000
    assert Numbers().percentile_ms(50) == 0.0


@pytest.mark.parametrize("ms", [0.0, 0.001, 400_000.0, 1e9])
def test_times_out_of_all_bounds_are_counted(statistics: Statistics, reader: StatisticsReader, ms: float) -> None:
    observe(statistics, ms)
    assert reader.since_ever()["orders.get"].percentile_ms(99) == pytest.approx(ms, abs=0.001)


def test_numbers_over_time_are_in_minutes_hours_or_days(statistics: Statistics, reader: StatisticsReader, clock: Clock) -> None:
    for minute in (0, 0, 1, 90):
        clock.now = NOON + 60 * minute
        observe(statistics, 1.0)
    for seconds, resolution, counts in ((3 * 3600, "minute", [2, 1, 1]), (5 * DAY_S, "hour", [3, 1]), (60 * DAY_S, "day", [4])):
        window = reader.window(NOON, NOON + seconds)
        assert window.resolution.name == resolution
        assert [point.services["orders.get"].runs for point in window.points if point.services] == counts
    assert len(reader.window(NOON, NOON + 3 * 3600).points) == 180


def test_the_last_two_minutes_are_there_second_by_second_before_anything_longer(
    statistics: Statistics, reader: StatisticsReader, clock: Clock
) -> None:
    for second in (0, 0, 1, 30):
        clock.now = NOON + second
        statistics.observe(entry(), instance(), 1.0)
        statistics.flush_seconds()
    window = reader.window(NOON, NOON + 31)
    assert window.resolution.name == "second"
    assert [(point.start - NOON, point.services["orders.get"].runs) for point in window.points if point.services] == [
        (0, 2),
        (1, 1),
        (30, 1),
    ]
    assert reader.since_ever() == {}
    statistics.flush()
    assert reader.since_ever()["orders.get"].runs == 4
    clock.now += 120
    assert reader.window(NOON, NOON + 31).resolution.name == "minute"


def test_minutes_that_are_forgotten_are_read_as_hours(statistics: Statistics, reader: StatisticsReader, clock: Clock) -> None:
    observe(statistics, 1.0)
    clock.now += 2 * DAY_S
    window = reader.window(NOON, NOON + 3600)
    assert (window.resolution.name, window.summaries()["orders.get"].runs) == ("hour", 1)


def test_a_rate_is_over_what_has_passed_of_the_time(statistics: Statistics, reader: StatisticsReader, clock: Clock) -> None:
    clock.now += 30
    assert reader.window(NOON, NOON + 3600).seconds == 30
    assert reader.window(NOON - 3600, NOON).seconds == 3600


@pytest.mark.parametrize(("start", "stop"), [(NOON, NOON), (NOON, NOON - 1), (0, NOON)])
def test_a_span_that_is_none_is_refused(reader: StatisticsReader, start: float, stop: float) -> None:
    with pytest.raises(BadRequest, match="start"):
        reader.window(start, stop)


def test_numbers_are_deleted(statistics: Statistics, reader: StatisticsReader, clock: Clock) -> None:
    observe(statistics, 1.0)
    clock.now += 7200
    observe(statistics, 1.0)
    assert reader.delete(NOON, NOON + 3600) == 2, "a minute and an hour"
    assert reader.window(NOON, NOON + 3600).summaries() == {}
    assert reader.window(NOON + 7200, NOON + 7260).summaries()["orders.get"].runs == 1
    reader.delete(0, clock.now + 1)
    assert reader.since_ever() == {}


def test_every_number_is_forgotten_one_day_but_those_since_ever(statistics: Statistics, conn: "redis.Redis") -> None:
    observe(statistics, 1.0)
    keys: Any = conn.keys("stats:*")
    lives = {key.decode().split(":")[1]: conn.ttl(key) for key in keys}
    assert lives.pop("all") == -1
    assert 120 <= lives.pop("second") <= 121
    assert set(lives) == {"minute", "hour", "day"}
    assert all(26 * 3600 <= seconds <= 402 * DAY_S for seconds in lives.values())


def test_what_was_counted_while_redis_was_away_is_counted_later(redis_server: Any, clock: Clock) -> None:
    conn = redis.Redis.from_url(redis_server.url, retry=None)
    statistics = Statistics(conn, "stats", Recordings(conn, "runs", "server1", clock), clock)
    reader = StatisticsReader(conn, "stats", clock)
    redis_server.stop()
    observe(statistics, 1.0, 2.0)
    observe(statistics, 99.0, name="orders.get")
    with pytest.raises(Unavailable):
        reader.since_ever()
    redis_server.start()
    observe(statistics, 3.0)
    found = reader.since_ever()["orders.get"]
    assert (found.runs, found.most_ms, sum(found.buckets.values())) == (4, 99.0, 4)


def test_seconds_of_a_redis_that_is_away_are_missing_and_nothing_else_is(redis_server: Any, clock: Clock) -> None:
    conn = redis.Redis.from_url(redis_server.url, retry=None)
    traffic, reader = Traffic(conn, "http", "server1", dict, clock), StatisticsReader(conn, "http", clock)
    counts = Counts()
    counts.observe(5.0)
    redis_server.stop()
    traffic.add({"orders": counts})
    traffic.flush()
    redis_server.start()
    clock.now += 1
    traffic.add({"orders": counts, "": counts})
    traffic.flush()
    assert {name: each.runs for name, each in reader.since_ever().items()} == {
        "channel:orders": 2,
        "channel:": 1,
        "server:server1": 3,
    }
    assert reader.window(NOON, NOON + 2).summaries()["server:server1"].runs == 2


# Slow runs, samples, errors


def test_a_slow_run_is_kept_with_its_request_and_answer(statistics: Statistics) -> None:
    observe(statistics, 49.0, cid="fast")
    observe(statistics, 51.0, request=b'{"id": 1}', response={"name": "\u017b"}, cid="slow")
    (kept,) = statistics.recordings.read(SLOW, "orders.get")
    assert (kept["cid"], kept["req"], kept["resp"]) == ("slow", '{"id": 1}', '{"name":"\u017b"}')
    assert (kept["proc_time"], kept["slow_threshold"], kept["channel"], kept["version"]) == (51.0, 50, "orders", 3)
    assert kept["resp_ts"] - kept["req_ts"] == pytest.approx(0.051, abs=1e-6)


def test_of_the_platform_s_own_services_nothing_is_kept_since_they_are_given_passwords(statistics: Statistics) -> None:
    observe(statistics, 1000.0, name="zato.security-basic-auth.create", request=b'{"password": "hush"}')
    assert statistics.recordings.read(SLOW, "zato.security-basic-auth.create") == []


def test_every_nth_run_is_a_sample(statistics: Statistics) -> None:
    for number in range(10):
        statistics.observe(entry(sample_every=3), instance(cid=f"cid-{number}"), 1.0)
    statistics.flush()
    assert [each["cid"] for each in statistics.recordings.read(SAMPLE, "orders.get")] == ["cid-8", "cid-5", "cid-2"]


def test_the_last_errors_are_kept_with_where_they_happened(statistics: Statistics) -> None:
    for error in (ValueError("no such \ud800 order"), NotFound("There is no order 7")):
        try:
            raise error
        except Exception as exc:
            statistics.observe_failure(entry(), instance(), exc, 2.0)
    statistics.flush()
    known, unknown = statistics.recordings.read(ERROR, "orders.get")
    assert (unknown["type"], unknown["message"]) == ("ValueError", "no such ? order")
    assert "test_the_last_errors_are_kept" in unknown["traceback"]
    assert (known["type"], known["message"], known["traceback"]) == ("NotFound", "There is no order 7", "")


def test_runs_of_several_workers_are_in_the_order_in_which_they_ended(
    statistics: Statistics, conn: "redis.Redis", clock: Clock
) -> None:
    other = Statistics(conn, "stats", Recordings(conn, "runs", "server2", clock), clock)
    for number, each in enumerate((statistics, other, statistics, other)):
        clock.now += 1
        each.observe(entry(), instance(cid=f"cid-{number}"), 60.0)
    other.flush()
    statistics.flush()
    kept = statistics.recordings.read(SLOW, "orders.get")
    assert [each["cid"] for each in kept] == ["cid-3", "cid-2", "cid-1", "cid-0"]


def test_what_is_kept_has_limits(statistics: Statistics, clock: Clock) -> None:
    big = "x" * 1_000_000
    for number in range(300):
        clock.now += 1
        observe(statistics, 60.0, request=big.encode(), response=big, cid=f"cid-{number}")
    kept = statistics.recordings.read(SLOW, "orders.get")
    assert (len(kept), kept[0]["cid"]) == (KEPT[SLOW], "cid-299")
    assert {len(kept[0]["req"]), len(kept[0]["resp"])} == {MAX_CHARACTERS}
    for _ in range(500):
        statistics.observe(entry(), instance(cid="many"), 60.0)
    statistics.flush()
    assert 0 < sum(each["cid"] == "many" for each in statistics.recordings.read(SLOW, "orders.get")) <= 50


@pytest.mark.parametrize(
    ("payload", "text"),
    [(b"\xff\xfe", "\ufffd\ufffd"), ("\ud800", "?"), (None, "null"), (1 + 2j, "(1+2j)"), ("", ""), ([1, "a"], '[1,"a"]')],
)
def test_whatever_a_service_was_given_or_answered_is_text(payload: Any, text: str) -> None:
    assert as_text(payload) == text


def test_a_request_that_cannot_be_shown_does_no_harm(statistics: Statistics) -> None:
    class Odd:
        def __repr__(self) -> str:
            raise RuntimeError("no")

    observe(statistics, 60.0, response=Odd())
    assert statistics.recordings.read(SLOW, "orders.get") == []


# Servers

SERVICES = """
from time import sleep

from zato.common.errors import BadRequest
from zato.server.service import Service


class Get(Service):
    def handle(self):
        if self.request.payload.get("fails"):
            raise ValueError("it broke")
        if self.request.payload.get("is_wrong"):
            raise BadRequest("that is no order")
        sleep(self.request.payload.get("seconds", 0))
        self.response.payload = {"ordered": self.request.payload}


class Validated(Get):
    def validate_input(self):
        pass
"""


@pytest.fixture(scope="module")
def servers(start_server: StartServer, new_odb_url: Callable[[], str], new_redis_url: Callable[[], str]) -> list[Server]:
    shared = {"odb_url": new_odb_url(), "redis_url": new_redis_url(), "cluster": f"stats{time.time_ns()}"}
    first, second = start_server(**shared), start_server(**shared)
    first.deploy("orders.py", SERVICES)
    first.wait_until_applied()
    return [first, second]


def call(server: Server, service: str, **payload: Any) -> str:
    try:
        return server.invoke(service, payload).cid
    except ZatoError:
        return ""


def numbers(server: Server, service: str) -> dict[str, Any]:
    found: dict[str, Any] = server.admin("zato.stats.get-by-service", service=service, last_s=7200)
    return found


def test_any_server_answers_for_the_whole_cluster(servers: list[Server]) -> None:
    for server in servers:
        for service in ("orders.get", "orders.validated"):
            call(server, service, id=1)
            call(server, service, id=1, fails=True)
            call(server, service, is_wrong=True)
    for service in ("orders.get", "orders.validated"):
        for server in servers:
            eventually(lambda: numbers(server, service)["usage"] >= 6, what="the numbers of both servers")  # noqa: B023
            found = numbers(server, service)
            assert (found["errors"], found["error_perc"]) == (4, 66.67)
            assert sum(point["usage"] for point in found["series"]) == 6
            assert 0 < found["min_resp_time"] <= found["p50"] <= found["p95"] <= found["max_resp_time"]
    ranked = servers[1].admin("zato.stats.get-summary-by-day", n=1, n_type="errors")
    assert [each["service_name"] for each in ranked] == ["orders.get"]
    assert (ranked[0]["all_services_usage"], ranked[0]["usage_perc_all_services"]) == (12, 50.0)
    told = servers[1].admin("zato.service.get-by-name", name="orders.get")
    assert (told["usage"], told["errors"], told["file_name"], told["last_used"] is None) == (6, 4, "orders.py", False)
    assert 0 < told["time_min_all_time"] <= told["time_mean_all_time"] <= told["time_max_all_time"]
    trends = servers[0].admin("zato.stats.get-trends", n=5)
    assert sum(map(int, trends[0]["usage_trend"].split(","))) == 6


def test_traffic_is_there_by_channel_server_and_service_and_live(servers: list[Server]) -> None:
    servers[0].add_channel("orders", "/orders", "orders.get")
    for server in servers:
        server.wait_until_applied()
        for payload in (b"{}", b"{}", b'{"fails": true}'):
            server.request("POST", "/orders", payload)
        server.request("GET", "/nothing")

    def by_name(what: str, last_s: float = 60) -> dict[str, tuple[int, int]]:
        found = servers[1].admin("zato.stats.get-traffic", last_s=last_s)[what]
        return {each["name"]: (each["usage"], each["errors"]) for each in found}

    eventually(lambda: by_name("channels") == {"orders": (6, 2), "": (2, 0)}, what="the channels")
    assert by_name("servers") == {servers[0].name: (4, 1), servers[1].name: (4, 1)}
    eventually(lambda: by_name("services")["orders.get"][1] >= 2, what="the services")
    found = servers[1].admin("zato.stats.get-traffic", last_s=60)
    assert (found["usage"], found["errors"], found["resolution_s"]) == (8, 2, 1)
    assert sum(point["usage"] for point in found["points"]) == 8
    assert 0 < found["p50"] <= found["p95"] <= found["p99"]
    eventually(lambda: by_name("channels", 3600) == {"orders": (6, 2), "": (2, 0)}, what="the minutes")


def test_slow_runs_samples_and_errors_are_found_from_any_server(servers: list[Server]) -> None:
    first, second = servers
    first.admin("zato.service.edit", name="orders.get", slow_threshold=50)
    first.admin("zato.service.configure-request-response", name="orders.get", sample_req_resp_freq=1)
    first.wait_until_applied()
    cid = call(first, "orders.get", seconds=0.1)
    call(first, "orders.get", fails=True)

    def slow() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = second.admin("zato.service.slow-response.get-list", name="orders.get")["data"]
        return found

    eventually(slow, what="the slow run")
    assert [(each["cid"], "req" in each) for each in slow()] == [(cid, False)]
    whole = second.admin("zato.service.slow-response.get", name="orders.get", cid=cid)
    assert json.loads(whole["resp"]) == {"ordered": {"seconds": 0.1}}
    sample = second.admin("zato.service.get-request-response", name="orders.get")
    assert (sample["sample_req_resp_freq"], sample["sample_cid"], json.loads(sample["sample_req"])) == (
        1,
        cid,
        {"seconds": 0.1},
    )
    errors = second.admin("zato.service.error.get-list", name="orders.get", query="it broke")["data"]
    assert errors[0]["type"] == "ValueError"
    assert "it broke" in second.admin("zato.service.error.get", name="orders.get", cid=errors[0]["cid"])["traceback"]
    assert second.admin("zato.service.slow-response.delete", name="orders.get") == {"deleted": 1}
    with pytest.raises(NotFound):
        second.admin("zato.service.slow-response.get", name="orders.get", cid=cid)


@pytest.mark.parametrize(
    ("service", "values"),
    [
        ("zato.stats.get-trends", {"n": 0}),
        ("zato.stats.get-trends", {"n_type": "x"}),
        ("zato.stats.get-series", {"start": "soon"}),
        ("zato.stats.get-series", {"last_s": -1}),
        ("zato.service.sample.get-list", {}),
        ("zato.service.error.get-list", {"name": "x", "page_size": 0}),
    ],
)
def test_what_makes_no_sense_is_refused(servers: list[Server], service: str, values: dict[str, Any]) -> None:
    with pytest.raises(ZatoError) as raised:
        servers[0].admin(service, **values)
    assert raised.value.http_status == 400


def test_numbers_are_deleted_in_everybody_s_sight(servers: list[Server]) -> None:
    servers[0].admin("zato.stats.delete", start="2020-01-01", stop="2099-01-01")
    entries = servers[0].admin("zato.audit-log.get-list", kind="stats")["data"]
    assert (entries[0]["action"], entries[0]["result"], entries[0]["after"]["start"]) == ("delete", "begun", "2020-01-01")
