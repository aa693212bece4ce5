"""What services have sent while brokers were away: kept in Redis, in order, and sent when they are back."""

from collections.abc import Iterator, Sequence
from typing import Any

import gevent
import pytest
import redis

from zato.common.connectors.errors import NotSent, Refused
from zato.common.errors import Unavailable, ZatoError
from zato.common.testing.waiting import eventually
from zato.server.admin.queues import DEAD, WAITING
from zato.server.messaging.forwarding import Forwarder
from zato.server.messaging.outbox import Connection, Outbox, Stored
from zato.server.messaging.queues import OutboxQueue

pytestmark = pytest.mark.redis

OUT = Connection("outgoing-test", "out:1")


class Broker:
    """Takes what it is given once it is there."""

    def __init__(self) -> None:
        self.is_there = False
        self.refuses = ""
        self.taken: list[str] = []

    def send_stored(self, name: str, messages: Sequence[Stored], timeout_s: float) -> list[bytes | ZatoError]:
        assert name == OUT.name
        if not self.is_there:
            raise Unavailable("nobody answers")
        gevent.sleep(0)
        return [self._take(each) for each in messages]

    def _take(self, message: Stored) -> bytes | ZatoError:
        if message.id == self.refuses:
            return Refused("it reaches no queue")
        self.taken.append(message.id)
        return b""


@pytest.fixture
def outbox(redis_url: str) -> Iterator[Outbox]:
    with redis.Redis.from_url(redis_url) as client:
        yield Outbox(client, "test:outbox")


@pytest.fixture
def broker() -> Broker:
    return Broker()


@pytest.fixture
def forwarders(redis_url: str, outbox: Outbox, broker: Broker) -> Iterator[list[Forwarder]]:
    with redis.Redis.from_url(redis_url) as client:
        made = [Forwarder(each, {OUT.kind: broker}) for each in (outbox, Outbox(client, "test:outbox"))]
        for each in made:
            each.start("test")
        yield made
        for each in made:
            each.stop()


def keep(outbox: Outbox, *ids: str, limit: int = 1000) -> None:
    for each in ids:
        outbox.add(OUT, each, f"body of {each}".encode(), {"routing_key": "q"}, limit=limit)


def soon(condition: Any) -> None:
    eventually(lambda: gevent.sleep(0.02) or condition(), timeout_s=30)


def test_what_is_kept_is_sent_in_its_order_once_the_broker_is_there(
    outbox: Outbox, broker: Broker, forwarders: list[Forwarder]
) -> None:
    ids = [f"m{number}" for number in range(230)]
    keep(outbox, *ids[:200])
    gevent.sleep(0.5)
    assert (broker.taken, outbox.sizes(OUT)[0], outbox.has_any(OUT)) == ([], 200, True)
    broker.is_there = True
    keep(outbox, *ids[200:])
    soon(lambda: not outbox.has_any(OUT))
    assert broker.taken == ids
    soon(lambda: not outbox.connections())


def test_only_so_many_are_kept_and_the_next_sender_hears_of_it(outbox: Outbox) -> None:
    keep(outbox, "a", "b", limit=2)
    with pytest.raises(NotSent, match="keeps 2 messages already"):
        keep(outbox, "c", limit=2)
    assert [each.id for each in outbox.messages(OUT, "waiting", 10)] == ["a", "b"]


def test_what_the_broker_refuses_holds_up_nobody_and_can_be_sent_again(
    outbox: Outbox, broker: Broker, forwarders: list[Forwarder]
) -> None:
    broker.is_there, broker.refuses = True, "bad"
    keep(outbox, "a", "bad", "c")
    queue = OutboxQueue(outbox, OUT)
    soon(lambda: queue.status().dead == 1 and not queue.status().waiting)
    assert broker.taken == ["a", "c"]
    (letter,) = queue.messages(DEAD)
    assert (letter.cid, letter.reason, "body of bad" in letter.payload) == ("bad", "it reaches no queue", True)
    broker.refuses = ""
    assert (queue.redrive([letter.id]), queue.redrive([letter.id]), queue.redrive(["nonsense"])) == (1, 0, 0)
    soon(lambda: broker.taken == ["a", "c", "bad"])


def test_what_waits_is_seen_and_can_be_thrown_away(outbox: Outbox) -> None:
    keep(outbox, "a", "b", "c")
    queue = OutboxQueue(outbox, OUT)
    assert (queue.name, queue.status().waiting, queue.status().oldest_s is not None) == ("outgoing-test:out:1", 3, True)
    first = queue.messages(WAITING)[0]
    assert (first.cid, first.target, queue.purge(WAITING, [first.id]), queue.purge(WAITING, None)) == ("a", "out:1", 1, 2)


def test_a_turn_is_one_workers_until_it_ends_it(outbox: Outbox) -> None:
    assert (outbox.take_turn(OUT, "me"), outbox.take_turn(OUT, "you"), outbox.take_turn(OUT, "me")) == (True, False, True)
    outbox.end_turn(OUT, "you")
    assert not outbox.take_turn(OUT, "you")
    outbox.end_turn(OUT, "me")
    assert outbox.take_turn(OUT, "you")
