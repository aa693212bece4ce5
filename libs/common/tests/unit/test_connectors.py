"""What connectors share: objects as configured, what is kept running for them, and messages on their way to a service."""

import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest

from zato.common.clock import SystemClock
from zato.common.connectors.intake import Intake, IntakeSettings
from zato.common.connectors.messages import Fate, Message, Outcome
from zato.common.connectors.objects import Configured, Objects
from zato.common.connectors.running import Context, Keeper
from zato.common.errors import Conflict, NotFound, Unavailable, WorkerLost
from zato.common.kinds import Kind
from zato.common.options import option, options
from zato.common.rpc.calls import ERROR_KEY
from zato.common.rpc.details import error_detail
from zato.common.rpc.servers import Servers
from zato.common.rpc.tls import TLSFiles
from zato.common.testing.waiting import eventually
from zato.proto.control_plane.v1.control_plane_pb2 import ConfigObject, WatchEvent
from zato.proto.invoker.v1 import invoker_pb2 as messages
from zato.proto.invoker.v1.invoker_pb2_grpc import InvokerServicer, add_InvokerServicer_to_server


@options
class PeerOptions:
    """A peer."""

    host: str = option("Host")


@options
class WireOptions:
    """What is taken from it."""

    definition: str = option("The peer", reference="definition-test")


KINDS = (Kind("definition-test", "Peer", PeerOptions), Kind("channel-test", "Wire", WireOptions))


def config(object_id: int, kind: str, name: str, *, version: int = 1, is_active: bool = True, **values: Any) -> ConfigObject:
    return ConfigObject(
        id=object_id, kind=kind, name=name, version=version, is_active=is_active, options_json=json.dumps(values).encode()
    )


def event(*objects: ConfigObject, is_snapshot: bool = False, deleted: tuple[int, ...] = ()) -> WatchEvent:
    return WatchEvent(version=1, is_snapshot=is_snapshot, objects=objects, deleted_ids=deleted)


PEER, WIRE = config(1, "definition-test", "peer", host="a"), config(2, "channel-test", "wire", definition="peer")


class Wire:
    def __init__(self, configured: Configured, context: Context, log: list[str]) -> None:
        self.host = configured.references["definition"].options.host
        self._context = context
        self._log = log

    def start(self) -> None:
        self._log.append(f"start {self.host}")
        self._context.report(True)

    def stop(self, drain_s: float) -> None:
        self._log.append(f"stop {self.host}")


@pytest.fixture
def log() -> list[str]:
    return []


@pytest.fixture
def apply(log: list[str]) -> Callable[[WatchEvent], Keeper]:
    objects = Objects(KINDS)
    servers = Servers([], "token", TLSFiles(), SystemClock())
    keeper = Keeper(
        {"channel-test": lambda configured, context: Wire(configured, context, log)},
        lambda: Context(servers, "connector-test", "test", "me", lambda: None),
    )

    def take(watched: WatchEvent) -> Keeper:
        objects.apply(watched)
        keeper.apply(objects.all())
        return keeper

    return take


def test_a_changed_definition_starts_the_new_before_it_stops_the_old(
    apply: Callable[[WatchEvent], Keeper], log: list[str]
) -> None:
    apply(event(PEER, WIRE, is_snapshot=True))
    apply(event(config(1, "definition-test", "peer", version=2, host="b")))
    eventually(lambda: log == ["start a", "start b", "stop a"], what=f"the replacement; there is {log}")


def test_what_did_not_change_goes_on(apply: Callable[[WatchEvent], Keeper], log: list[str]) -> None:
    apply(event(PEER, WIRE, is_snapshot=True))
    apply(event(PEER, WIRE, is_snapshot=True))
    assert log == ["start a"]


def test_what_is_deleted_or_switched_off_stops_and_is_said_to_be_so(
    apply: Callable[[WatchEvent], Keeper], log: list[str]
) -> None:
    apply(event(PEER, WIRE, is_snapshot=True))
    keeper = apply(event(config(2, "channel-test", "wire", version=2, is_active=False, definition="peer")))
    eventually(lambda: log == ["start a", "stop a"])
    with pytest.raises(Conflict, match="inactive"):
        keeper.find("wire", "channel-")
    with pytest.raises(NotFound, match="check the name"):
        apply(event(deleted=(2,))).find("wire", "channel-")


def test_a_connector_that_has_just_started_says_so_of_all_that_it_may_know_in_a_moment() -> None:
    with pytest.raises(Unavailable, match="'wire' is not ready yet"):
        Keeper({}, lambda: Context(None, "", "", "", lambda: None)).find("wire", "channel-")  # type: ignore[arg-type]


def test_what_cannot_run_as_it_is_configured_says_why(apply: Callable[[WatchEvent], Keeper]) -> None:
    keeper = apply(event(config(1, "definition-test", "peer", is_active=False, host="a"), WIRE, is_snapshot=True))
    with pytest.raises(Conflict, match="'peer' is switched off"):
        keeper.find("wire", "channel-")


class Server(InvokerServicer):
    """A server whose service fails as often as told, and that does not answer while it is down."""

    def __init__(self) -> None:
        self.failures_left = 0
        self.is_down = False
        self.killer = ""
        # What workers died of before it came again, as servers remember.
        self.killed_before = ""
        # How often others tried what comes again.
        self.tried_before = 0
        self.calls: list[list[str]] = []
        self.deaths: dict[str, int] = {}
        self.seen: list[tuple[str, int]] = []
        self._lock = threading.Lock()

    def Deliver(self, request: messages.DeliverRequest, context: Any) -> messages.DeliverResponse:
        if self.is_down:
            context.abort(grpc.StatusCode.UNAVAILABLE, "down")
        ids = [delivery.id for delivery in request.messages]
        self.calls.append(ids)
        if self.killer in ids:
            detail = error_detail(WorkerLost("it went away"), "")
            context.set_trailing_metadata(((ERROR_KEY, detail.SerializeToString()),))
            context.abort(grpc.StatusCode.UNAVAILABLE, "")
        assert request.tries == 3
        with self._lock:
            results = [self._one(delivery, is_alone=len(ids) == 1) for delivery in request.messages]
        return messages.DeliverResponse(results=results)

    def _one(self, delivery: messages.Delivery, *, is_alone: bool) -> messages.Delivered:
        if delivery.id == self.killed_before and not is_alone:
            return messages.Delivered(outcome=messages.Delivered.NOT_DONE, cid=delivery.cid, deaths=2)
        self.deaths[delivery.id] = delivery.deaths
        self.seen.append((delivery.id, delivery.attempt))
        if self.failures_left:
            self.failures_left -= 1
            attempt = max(delivery.attempt, self.tried_before + 1) if delivery.is_redelivered else delivery.attempt
            failed = messages.Delivered(outcome=messages.Delivered.FAILED, cid=delivery.cid, attempt=attempt)
            failed.error.type, failed.error.message = "InternalError", "the reason"
            return failed
        return messages.Delivered(outcome=messages.Delivered.DONE, cid=delivery.cid)


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def intake(server: Server) -> Iterator[Intake]:
    running = grpc.server(ThreadPoolExecutor(4))
    add_InvokerServicer_to_server(server, running)
    port = running.add_insecure_port("127.0.0.1:0")
    running.start()
    servers = Servers([f"127.0.0.1:{port}"], "token", TLSFiles(), SystemClock())
    made = Intake(servers, "test", "wire", IntakeSettings(service="s", tries=3, retry_after_s=0.01))
    yield made
    made.stop(5)
    servers.close()
    running.stop(0).wait()


def test_a_service_that_fails_is_tried_again_and_then_done(server: Server, intake: Intake) -> None:
    outcomes: list[Outcome] = []
    server.failures_left = 2
    intake.submit(Message("m", b""), outcomes.append)
    eventually(lambda: outcomes)
    assert (outcomes[0].fate, outcomes[0].count) == (Fate.DONE, 3)
    assert server.seen == [("m", 1), ("m", 2), ("m", 3)]


def test_a_message_is_dead_after_its_tries_with_the_reason(server: Server, intake: Intake) -> None:
    outcomes: list[Outcome] = []
    server.failures_left = 100
    intake.submit(Message("m", b""), outcomes.append)
    eventually(lambda: outcomes)
    assert (outcomes[0].fate, outcomes[0].count, len(server.seen)) == (Fate.DEAD, 3, 3)
    assert "the reason" in outcomes[0].reason and outcomes[0].cid


@pytest.mark.parametrize(("tried_before", "attempts"), [(0, [1, 2, 3]), (1, [1, 3]), (2, [1])])
def test_tries_that_it_had_before_it_came_again_count(
    server: Server, intake: Intake, tried_before: int, attempts: list[int]
) -> None:
    outcomes: list[Outcome] = []
    server.failures_left, server.tried_before = 100, tried_before
    intake.submit(Message("m", b"", is_redelivered=True), outcomes.append)
    eventually(lambda: outcomes)
    assert (outcomes[0].fate, outcomes[0].count) == (Fate.DEAD, 3)
    assert [attempt for _, attempt in server.seen] == attempts


def test_messages_that_come_fast_go_in_few_calls(server: Server, intake: Intake) -> None:
    outcomes: list[Outcome] = []
    for number in range(1000):
        intake.submit(Message(str(number), b""), outcomes.append)
    eventually(lambda: len(outcomes) == 1000, timeout_s=30)
    assert len(server.calls) < 60


def test_one_message_waits_for_no_others(server: Server, intake: Intake) -> None:
    for number in range(3):
        outcomes: list[Outcome] = []
        intake.submit(Message(str(number), b""), outcomes.append)
        eventually(lambda outcomes=outcomes: outcomes)
    assert server.calls == [["0"], ["1"], ["2"]]


def test_a_server_that_is_down_costs_no_try(server: Server, intake: Intake) -> None:
    outcomes: list[Outcome] = []
    server.is_down = True
    for number in range(100):
        intake.submit(Message(str(number), b""), outcomes.append)
    eventually(lambda: intake._pause_s > 0.2, what="a few refusals")
    assert not outcomes
    server.is_down = False
    eventually(lambda: len(outcomes) == 100, timeout_s=15)
    assert {outcome.fate for outcome in outcomes} == {Fate.DONE} and {attempt for _, attempt in server.seen} == {1}


def test_a_message_that_kills_its_worker_is_dead_in_the_end_and_those_beside_it_are_done(
    server: Server, intake: Intake
) -> None:
    outcomes: dict[str, Outcome] = {}
    server.killer = "3"
    server.is_down = True
    for number in range(6):
        intake.submit(Message(str(number), b""), lambda outcome, at=str(number): outcomes.__setitem__(at, outcome))
    eventually(lambda: intake._pause_s > 0.1, what="a refusal")
    server.is_down = False
    eventually(lambda: len(outcomes) == 6, timeout_s=15)
    dead = outcomes.pop("3")
    assert {outcome.fate for outcome in outcomes.values()} == {Fate.DONE}
    assert (dead.fate, dead.count, sum("3" in call for call in server.calls)) == (Fate.DEAD, 3, 3)
    assert "went away, 3 times" in dead.reason and dead.cid


def test_a_message_of_which_workers_died_before_it_came_again_goes_alone(server: Server, intake: Intake) -> None:
    outcomes: list[Outcome] = []
    server.killed_before, server.is_down = "3", True
    for number in range(6):
        intake.submit(Message(str(number), b"", is_redelivered=True), outcomes.append)
    eventually(lambda: intake._pause_s > 0.1, what="a refusal")
    server.is_down = False
    eventually(lambda: len(outcomes) == 6, timeout_s=15)
    assert {outcome.fate for outcome in outcomes} == {Fate.DONE}
    assert ["3"] in server.calls
    assert (server.deaths["3"], server.deaths["2"]) == (2, 0)


def test_what_was_not_begun_goes_back_when_it_stops(server: Server, intake: Intake) -> None:
    outcomes: list[Outcome] = []
    server.is_down = True
    intake.submit(Message("m", b""), outcomes.append)
    eventually(lambda: intake._pause_s > 0.2, what="a few refusals")
    intake.stop(5)
    intake.submit(Message("late", b""), outcomes.append)
    assert [outcome.fate for outcome in outcomes] == [Fate.RETURNED, Fate.RETURNED]
