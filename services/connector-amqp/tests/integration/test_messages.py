"""Messages between a real RabbitMQ and services, while everything around them stops, dies and comes back."""

import json
import struct
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

import pika
import pytest
from running_cluster import PATIENCE_S

from zato.common.errors import ZatoError
from zato.common.testing.waiting import eventually

if TYPE_CHECKING:
    from running_cluster import Cluster

PREFETCH = 50


def bodies(start: str, count: int) -> list[str]:
    return [f"{start}-{number}" for number in range(count)]


def test_a_service_sees_the_message_with_its_properties_and_headers(cluster: "Cluster") -> None:
    cluster.channel("seen", "amqp.seen", data_format="json")
    cluster.put("seen", ['{"id": 1}'], message_id="m1", correlation_id="c1", priority=3, headers={"x": "y", "n": [1, 2]})
    eventually(lambda: cluster.lines("seen"), timeout_s=PATIENCE_S)
    channel_type, payload, properties, headers = json.loads(cluster.lines("seen")[0])
    assert (channel_type, payload, headers) == ("amqp", {"id": 1}, {"x": "y", "n": [1, 2]})
    assert (properties["message_id"], properties["correlation_id"], properties["priority"]) == ("m1", "c1", 3)


def test_an_ordered_channel_keeps_the_order(cluster: "Cluster") -> None:
    cluster.channel("ordered", "amqp.note", is_ordered=True)
    sent = bodies("o", 200)
    cluster.put("ordered", sent)
    cluster.await_all("ordered", sent)
    assert cluster.lines("ordered") == sent


def test_a_poison_message_is_dead_after_exactly_its_tries_and_can_be_looked_at_redriven_and_purged(cluster: "Cluster") -> None:
    cluster.channel("poison", "amqp.fail", tries=3, retry_after_s=0.05)
    connector = cluster.connectors[0]
    cluster.put("poison", ["bad"], headers={"kept": "yes"})
    eventually(lambda: connector.call("GetStatus") and len(cluster.lines("poison")) == 3, timeout_s=PATIENCE_S)

    def letters() -> list[object]:
        try:
            return list(connector.call("ListDeadLetters", channel="poison").letters)
        except ZatoError:
            return []

    (letter,) = eventually(letters, timeout_s=PATIENCE_S, what="the dead letter")
    assert letter.body == b"bad" and letter.count == 3 and letter.cid and "ValueError: the reason" in letter.reason
    assert json.loads(letter.context_json)["headers"] == {"kept": "yes"}
    assert connector.call("RedriveDeadLetters", channel="poison", ids=["bad"]).count == 1
    eventually(lambda: len(cluster.lines("poison")) == 6, timeout_s=PATIENCE_S)
    eventually(letters, timeout_s=PATIENCE_S, what="the dead letter again")
    assert connector.call("PurgeDeadLetters", channel="poison", is_all=True).count == 1
    assert not letters() and cluster.size("poison") == 0


def test_a_message_that_kills_its_worker_ends_among_the_dead_and_takes_no_other_along(cluster: "Cluster") -> None:
    cluster.channel("killing", "amqp.kill", tries=3, retry_after_s=0.05)
    sent = bodies("g", 20)
    cluster.put("killing", [*sent[:10], "bad", *sent[10:]])

    def letters() -> list[object]:
        try:
            return list(cluster.connectors[0].call("ListDeadLetters", channel="killing").letters)
        except ZatoError:
            return []

    (letter,) = eventually(letters, timeout_s=PATIENCE_S, what="the dead letter")
    assert (letter.body, letter.count, letter.cid != "") == (b"bad", 3, True) and "went away, 3 times" in letter.reason
    counts = cluster.await_all("killing", sent)
    assert counts["bad"] == 3
    eventually(lambda: cluster.size("killing") == 0, timeout_s=PATIENCE_S)


def test_a_service_sends_and_hears_of_what_reaches_nobody(cluster: "Cluster") -> None:
    with cluster.amqp() as channel:
        channel.queue_declare("sent", durable=True)
    cluster.server.invoke("amqp.send", {"body": {"a": 1}, "queue": "sent", "timeout_s": 10})
    with cluster.amqp() as channel:
        _, properties, body = channel.basic_get("sent", auto_ack=True)
    assert (body, properties.priority, properties.delivery_mode, properties.headers) == (b'{"a":1}', 7, 2, {"a": 1})
    with pytest.raises(ZatoError, match="reaches no queue"):
        cluster.server.invoke("amqp.send", {"body": "x", "queue": "nobody", "timeout_s": 10})


def test_messages_wait_for_a_server_that_was_killed(cluster: "Cluster") -> None:
    cluster.channel("served", "amqp.note", tries=1, prefetch_count=PREFETCH)
    sent = bodies("s", 1000)
    cluster.put_fast("served", sent)
    cluster.server.kill()
    cluster.server.start()
    counts = cluster.await_all("served", sent)
    assert sum(counts.values()) - len(sent) <= PREFETCH
    eventually(lambda: cluster.size("served") == 0, timeout_s=PATIENCE_S)


def test_effects_are_once_with_an_inbox_though_each_message_comes_twice(cluster: "Cluster") -> None:
    cluster.channel("once", "amqp.note", inbox_s=600, prefetch_count=PREFETCH)
    sent = bodies("i", 200)
    cluster.put("once", sent + sent)
    counts = cluster.await_all("once", sent)
    eventually(lambda: cluster.size("once") == 0, timeout_s=PATIENCE_S)
    assert set(counts.values()) == {1} and len(cluster.lines("once")) == len(sent)


def test_a_killed_connector_loses_nothing_and_the_other_replica_goes_on(cluster: "Cluster") -> None:
    cluster.channel("killed", "amqp.note", prefetch_count=PREFETCH)
    first, second = cluster.connectors
    second.start()
    eventually(lambda: second.is_connected("killed"), timeout_s=PATIENCE_S)
    sent = bodies("k", 1000)
    cluster.put_fast("killed", sent)
    first.kill()
    counts = cluster.await_all("killed", sent)
    assert sum(counts.values()) - len(sent) <= PREFETCH
    first.start()
    second.process.stop(20)
    eventually(lambda: first.is_connected("killed"), timeout_s=PATIENCE_S)


# A broker takes a minute to start on a machine that is busy.
@pytest.mark.timeout(400)
@pytest.mark.parametrize("end", ["stop", "kill"])
def test_a_broker_that_ends_loses_nothing_and_is_found_again(cluster: "Cluster", end: str) -> None:
    name = f"broker-{end}"
    cluster.channel(name, "amqp.note", prefetch_count=PREFETCH)
    sent = bodies("b", 600)
    cluster.broker.await_on_disk(name)
    cluster.put_fast(name, sent)
    getattr(cluster.broker, end)()
    with pytest.raises(ZatoError, match="did not confirm"):
        # To a queue of its own: in doubt means that it may have arrived.
        cluster.server.invoke("amqp.send", {"body": "x", "queue": "in-doubt", "timeout_s": 0.5})
    cluster.broker.start()
    eventually(lambda: cluster.connectors[0].is_connected(name), timeout_s=PATIENCE_S, what="consumers")
    counts = cluster.await_all(name, sent)
    assert sum(counts.values()) - len(sent) <= PREFETCH


def test_a_channel_is_edited_switched_off_and_deleted_under_load(cluster: "Cluster") -> None:
    cluster.channel("edited", "amqp.note", prefetch_count=PREFETCH)
    sent = bodies("e", 600)
    cluster.put("edited", sent[:300])
    cluster.server.invoke("zato.channel-amqp.edit", {"name": "edited", "prefetch_count": 20})
    cluster.put("edited", sent[300:])
    counts = cluster.await_all("edited", sent)
    assert sum(counts.values()) - len(sent) <= PREFETCH
    cluster.server.invoke("zato.channel-amqp.delete", {"name": "edited"})
    eventually(lambda: not cluster.connectors[0].is_connected("edited"), timeout_s=PATIENCE_S)

    def has_no_consumer() -> bool:
        with cluster.amqp() as channel:
            return bool(channel.queue_declare("edited", passive=True).method.consumer_count == 0)

    eventually(has_no_consumer, timeout_s=PATIENCE_S, what="the consumer to go")


def test_messages_with_whatever_in_their_properties_end_at_the_service_or_among_the_dead(cluster: "Cluster") -> None:
    cluster.channel("strange", "amqp.note")
    table = {"t": datetime(2026, 1, 1, tzinfo=UTC), "d": Decimal("1.5"), "b": b"\xff\x00", "l": [None, True, {"n": -(2**40)}]}
    texts = [b"\xff\xfe", "ü" * 100, "", "\x00"]
    sent = bodies("x", 500)
    with cluster.amqp() as channel:
        for number, body in enumerate(sent):
            text = texts[number % len(texts)]
            made = pika.BasicProperties(content_type=text, app_id=text, timestamp=2**62 if number % 2 else 0, headers=table)
            channel.basic_publish("", "strange", body.encode(), made)
    cluster.await_all("strange", sent)
    eventually(lambda: cluster.size("strange") == 0, timeout_s=PATIENCE_S)


class Unreadable(pika.BasicProperties):
    """Headers with a time that no calendar has."""

    def encode(self) -> list[bytes]:
        table = b"\x01tT" + struct.pack(">Q", 2**63)
        return [struct.pack(">H", self.FLAG_HEADERS), struct.pack(">I", len(table)), table]


def test_a_message_whose_headers_cannot_be_read_is_dead_and_holds_up_nobody(cluster: "Cluster") -> None:
    cluster.channel("unreadable", "amqp.note")
    with cluster.amqp() as channel:
        channel.basic_publish("", "unreadable", b"bad", Unreadable())
    cluster.put("unreadable", ["good"])
    cluster.await_all("unreadable", ["good"])
    eventually(lambda: cluster.size("unreadable") == 0, timeout_s=PATIENCE_S)

    def letters() -> list[object]:
        try:
            return list(cluster.connectors[0].call("ListDeadLetters", channel="unreadable").letters)
        except ZatoError:
            return []

    (letter,) = eventually(letters, timeout_s=PATIENCE_S, what="the dead letter")
    assert letter.body == b"bad" and "cannot be read" in letter.reason
    assert cluster.lines("unreadable") == ["good"]
