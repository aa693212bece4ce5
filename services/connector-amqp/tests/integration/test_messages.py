"""Messages between a real RabbitMQ and services, while everything around them stops, dies and comes back."""

import json
import re
from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from running_cluster import Unreadable

from zato.common.errors import ZatoError
from zato.common.testing.connector_cluster import PATIENCE_S
from zato.common.testing.partitions import await_back
from zato.common.testing.steady import SteadySender
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


def test_a_service_sends_and_hears_of_what_reaches_nobody(cluster: "Cluster") -> None:
    with cluster.amqp() as channel:
        channel.queue_declare("sent", durable=True)
    cluster.server.invoke("amqp.send", {"body": {"a": 1}, "queue": "sent", "timeout_s": 10})
    with cluster.amqp() as channel:
        _, properties, body = channel.basic_get("sent", auto_ack=True)
    assert (body, properties.priority, properties.delivery_mode) == (b'{"a":1}', 7, 2)
    headers = properties.headers
    assert (headers["a"], headers["X-Zato-Component"]) == (1, "server1")
    assert headers["X-Zato-CID"] and datetime.fromisoformat(headers["X-Zato-Msg-TS"]).tzinfo is UTC
    with pytest.raises(ZatoError, match="reaches no queue"):
        cluster.server.invoke("amqp.send", {"body": "x", "queue": "nobody", "timeout_s": 10})


def test_people_publish_by_the_service_of_that_name_over_http_and_by_the_command(cluster: "Cluster") -> None:
    with cluster.amqp() as channel:
        channel.queue_declare("published", durable=True)
    values = {"conn_name": "out", "exchange": "", "routing_key": "published"}
    ok = {"response_data": '{"result": "OK"}'}
    assert cluster.over_http("zato.outgoing.amqp.publish", request_data="by HTTP", **values) == (200, ok)
    assert cluster.by_command("zato.outgoing.amqp.publish", request_data={"by": "command"}, **values) == ok
    with cluster.amqp() as channel:
        assert [channel.basic_get("published", auto_ack=True)[2] for _ in range(2)] == [b"by HTTP", b'{"by":"command"}']
    status, details = cluster.over_http("zato.outgoing.amqp.publish", request_data="x", **{**values, "routing_key": "nobody"})
    assert (status, "reaches no queue" in details) == (400, True), details
    assert cluster.over_http("zato.outgoing.amqp.publish", request_data="x", **{**values, "conn_name": "nobody"})[0] == 404
    entries = cluster.server.invoke("zato.audit-log.get-list", {"action": "publish"})["data"]
    assert {each["result"] for each in entries} == {"begun", "refused"} and "by HTTP" not in json.dumps(entries)


def test_a_service_that_does_not_wait_has_its_messages_sent_in_their_order(cluster: "Cluster") -> None:
    with cluster.amqp() as channel:
        channel.queue_declare("later", durable=True)
    sent = bodies("l", 20)
    for body in sent:
        assert cluster.server.invoke("amqp.send-later", {"body": body, "queue": "later"})["id"]
    eventually(lambda: cluster.size("later") == len(sent), timeout_s=PATIENCE_S)
    with cluster.amqp() as channel:
        assert [channel.basic_get("later", auto_ack=True)[2].decode() for _ in sent] == sent
    with pytest.raises(ZatoError, match="no outgoing-amqp 'nobody'"):
        cluster.server.invoke("amqp.send-later", {"body": "x", "queue": "later", "out": "nobody"})


def test_xml_is_read_for_the_service_and_consumers_have_tags_by_which_they_are_found(cluster: "Cluster") -> None:
    cluster.channel("xml", "amqp.xml", data_format="xml", consumer_tag_prefix="ours")
    cluster.put("xml", ["<order><id>7</id></order>"])
    eventually(lambda: cluster.lines("xml"), timeout_s=PATIENCE_S)
    number, tag = cluster.lines("xml")[0].split()
    assert (number, len(tag)) == ("7", 72) and re.match(r"ours:[\d.]+:[^:]+:\d+:[0-9a-f]{8}0*$", tag)


def test_effects_are_once_with_an_inbox_though_each_message_comes_twice(cluster: "Cluster") -> None:
    cluster.channel("once", "amqp.note", inbox_s=600, prefetch_count=PREFETCH)
    sent = bodies("i", 200)
    cluster.put("once", sent + sent)
    counts = cluster.await_all("once", sent)
    eventually(lambda: cluster.size("once") == 0, timeout_s=PATIENCE_S)
    assert set(counts.values()) == {1} and len(cluster.lines("once")) == len(sent)


@pytest.mark.timeout(400)
def test_what_is_sent_while_the_broker_is_away_is_refused_or_kept_and_sent_in_its_order(cluster: "Cluster") -> None:
    with cluster.amqp() as channel:
        channel.queue_declare("kept", durable=True)
    cluster.create("outgoing-amqp", "keeps", definition="broker", routing_key="kept", when_away="store", store_limit=30)
    cluster.create("outgoing-amqp", "refuses", definition="broker", when_away="refuse")
    eventually(lambda: cluster.connectors[0].is_connected("keeps"), timeout_s=PATIENCE_S, what="the connection")
    sent = bodies("k", 31)

    def send(body: str, out: str = "keeps") -> None:
        cluster.server.invoke("amqp.send", {"body": body, "queue": "kept", "timeout_s": 5, "out": out})

    send(sent[0])
    cluster.broker.stop()
    for body in sent[1:]:
        send(body)
    with pytest.raises(ZatoError, match="keeps 30 messages already"):
        send("one too many")
    with pytest.raises(ZatoError, match="did not confirm"):
        send("not for me", "refuses")
    assert cluster.queues()["outgoing-amqp:keeps"]["waiting"] == 30
    cluster.server.kill()
    cluster.server.start()
    cluster.broker.start()
    eventually(lambda: cluster.size("kept") == 31, timeout_s=PATIENCE_S, what="what was kept")
    with cluster.amqp() as channel:
        taken = [channel.basic_get("kept", auto_ack=True)[2].decode() for _ in sent]
    assert taken == sent
    assert cluster.queues()["outgoing-amqp:keeps"]["waiting"] == 0


def test_dead_letters_are_in_one_place_with_all_other_queues(cluster: "Cluster") -> None:
    cluster.channel("buried", "amqp.fail", tries=1)
    assert cluster.queues()["channel-amqp:buried"]["dead"] == 0
    cluster.put("buried", ["one"])
    with cluster.amqp() as channel:
        channel.basic_publish("", "buried", b"nameless")
    eventually(lambda: cluster.queues()["channel-amqp:buried"]["dead"] == 2, timeout_s=PATIENCE_S)

    def ask(action: str, **values: object) -> dict[str, Any]:
        answer: dict[str, Any] = cluster.server.invoke(f"zato.queue.{action}", {"queue": "channel-amqp:buried", **values})
        return answer

    letters = ask("get-messages")["data"]
    assert {each["target"] for each in letters} == {"amqp.fail"} and all("the reason" in each["reason"] for each in letters)
    (nameless,) = [each for each in letters if each["id"] != "one"]
    assert ask("get-message", id=nameless["id"])["payload"].startswith("nameless")
    assert ask("purge", ids=[nameless["id"]]) == {"deleted": 1}
    assert ask("redrive", ids=["one"]) == {"redriven": 1}
    eventually(lambda: cluster.lines("buried").count("one") == 2, timeout_s=PATIENCE_S)
    eventually(lambda: ask("purge", all=True) == {"deleted": 1}, timeout_s=PATIENCE_S)


def test_a_channel_that_runs_once_has_one_consumer_and_the_other_replica_takes_over(cluster: "Cluster") -> None:
    first, second = cluster.connectors
    cluster.channel("single", "amqp.note", runs_once=True, is_ordered=True)
    second.start()

    def status(connector: Any) -> Any:
        return next((each for each in connector.call("GetStatus").objects if each.name == "single"), None)

    def stands_by(connector: Any) -> bool:
        found = status(connector)
        return found is not None and "stands by" in found.error

    eventually(lambda: stands_by(second), timeout_s=PATIENCE_S, what="the other one to stand by")
    with cluster.amqp() as channel:
        assert channel.queue_declare("single", passive=True).method.consumer_count == 1
    sent = bodies("s", 100)
    cluster.put("single", sent[:50])
    cluster.server.invoke("zato.channel-amqp.edit", {"name": "single", "prefetch_count": 10})
    eventually(lambda: first.is_connected("single"), timeout_s=PATIENCE_S)
    first.kill()
    cluster.put("single", sent[50:])
    counts = cluster.await_all("single", sent)
    eventually(lambda: second.is_connected("single"), timeout_s=PATIENCE_S)
    assert sum(counts.values()) - len(sent) <= PREFETCH
    first.start()
    eventually(lambda: stands_by(first), timeout_s=PATIENCE_S)
    second.process.stop(20)
    eventually(lambda: first.is_connected("single"), timeout_s=PATIENCE_S)


# A broker takes a minute to start on a machine that is busy.
@pytest.mark.timeout(400)
@pytest.mark.parametrize("end", ["stop", "kill"])
def test_a_broker_that_ends_while_messages_are_sent_loses_none_that_it_confirmed_and_is_found_again(
    cluster: "Cluster", end: str
) -> None:
    plain, once = f"broker-{end}", f"broker-{end}-once"
    cluster.channel(plain, "amqp.note", prefetch_count=PREFETCH)
    cluster.channel(once, "amqp.note", prefetch_count=PREFETCH, inbox_s=600)
    for name in (plain, once):
        cluster.broker.await_on_disk(name)
    waiting = bodies("b", 600)
    with (
        cluster.peer_sender(plain) as peer,
        cluster.peer_sender(once) as peer_once,
        SteadySender(peer, "theirs") as theirs,
        SteadySender(cluster.sender(plain), "ours") as ours,
        SteadySender(peer_once, "theirs") as theirs_once,
        SteadySender(cluster.sender(once), "ours") as ours_once,
    ):
        senders = (theirs, ours, theirs_once, ours_once)
        for each in senders:
            each.await_more(20)
        # So many at a time that the broker ends with some of them under way.
        for name in (plain, once):
            cluster.put_fast(name, waiting)
        getattr(cluster.broker, end)()
        for each in senders:
            each.await_failure()
        cluster.broker.start()
        eventually(cluster.answers, timeout_s=PATIENCE_S, what="the broker to answer")
        await_back(cluster, [plain, once])
        for each in senders:
            each.await_more(20)
    assert cluster.await_settled(plain, waiting, (theirs, ours)).total() <= PREFETCH
    cluster.await_settled(once, waiting, (theirs_once, ours_once))
    assert set(Counter(cluster.lines(once)).values()) == {1}


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
