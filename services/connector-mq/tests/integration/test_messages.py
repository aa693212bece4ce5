"""Messages between a real broker of JMS and services, while everything around them stops, dies and comes back."""

import contextlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tls_contract import options_of as tls_options

from zato.common.errors import ZatoError
from zato.common.testing.certificates import CertificateAuthority
from zato.common.testing.connector_cluster import PATIENCE_S
from zato.common.testing.fault_proxy import FaultProxy
from zato.common.testing.partitions import FAULTS, await_back, cut_off
from zato.common.testing.steady import SteadySender
from zato.common.testing.waiting import eventually

if TYPE_CHECKING:
    from running_cluster import Cluster

# Messages that a channel has at a time, and so those at most that come twice.
POOL_SIZE = 5
# Of the ways in which the network is cut, the one whose channel has an inbox.
ONCE = "half_open"


def bodies(start: str, count: int) -> list[str]:
    return [f"{start}-{number}" for number in range(count)]


def letters(cluster: "Cluster", channel: str) -> Callable[[], list[Any]]:
    return lambda: list(cluster.connectors[0].call("ListDeadLetters", channel=channel).letters)


def test_a_service_sees_the_message_with_all_that_belongs_to_it(cluster: "Cluster") -> None:
    cluster.channel("seen", "jms-wmq.seen", data_format="json")
    fields: dict[str, Any] = {"correlation_id": "c1", "reply_to": "back", "type": "t", "priority": 3}
    cluster.put("seen", ['{"id": 1}'], properties={"x": "y", "n": 2}, **fields)
    eventually(lambda: cluster.lines("seen"), timeout_s=10)
    seen = json.loads(cluster.lines("seen")[0])
    assert {name: seen[name] for name in fields} == fields
    assert (seen["channel"], seen["payload"], seen["data"]) == ("websphere-mq", {"id": 1}, '{"id": 1}')
    assert (seen["properties"]["x"], seen["properties"]["n"], seen["delivery_mode"]) == ("y", 2, 2)
    assert seen["msg_id"].startswith("ID:") and len(seen["put_date"]) == len(seen["put_time"]) == 8


def test_a_service_sends_by_its_own_words_or_the_connections(cluster: "Cluster") -> None:
    more = {"delivery_mode": 1, "expiration": 60_000, "priority": 9, "properties": {"a": 1}, "correlation_id": "c"}
    sent = cluster.server.invoke("jms-wmq.send", {"body": "text", "queue": "sent", **more})
    came = cluster.take("sent")
    assert (came.message_id, came.body, came.is_text, came.priority) == (sent["id"], b"text", True, 9)
    assert (came.is_persistent, came.correlation_id, came.properties["a"]) == (False, "c", 1)
    assert came.expiration_ms == came.timestamp_ms + 60_000
    cluster.server.invoke("jms-wmq.send", {"body": {"a": 1}, "queue": "sent"})
    came = cluster.take("sent")
    assert (came.body, came.priority, came.is_persistent, came.expiration_ms) == (b'{"a":1}', 5, True, 0)


def test_people_send_and_ping_by_the_published_services_over_http_and_by_the_command(cluster: "Cluster") -> None:
    (found,) = [each for each in cluster.over_http("zato.outgoing.jms-wmq.get-list")[1] if each["name"] == "out"]
    # As a form sends it: texts, empty where the connection is to decide.
    form = {"delivery_mode": "1", "priority": "", "expiration": "", "reply_to": "answers", "msg_id": "", "correl_id": "c"}
    send = "zato.outgoing.jms-wmq.send-message"
    status, sent = cluster.over_http(send, id=str(found["id"]), queue_name="by-hand", data="by HTTP", **form)
    came = cluster.take("by-hand")
    assert (status, sent["msg_id"], came.body, came.correlation_id) == (200, came.message_id, b"by HTTP", "c")
    assert (came.is_persistent, came.priority, came.reply_to) == (False, 5, "answers")
    assert cluster.by_command(send, name="out", queue_name="by-hand", data="by command")["msg_id"].startswith("ID:")
    assert cluster.take("by-hand").body == b"by command"
    assert cluster.over_http(send, id=999_999, queue_name="by-hand", data="x")[0] == 404
    assert cluster.over_http(send, name="out", queue_name="by-hand", data="x", priority="high")[0] == 400

    definitions = {each["name"]: each["id"] for each in cluster.over_http("zato.definition.jms-wmq.get-list")[1]}
    status, pinged = cluster.over_http("zato.definition.jms-wmq.ping", id=definitions["broker"])
    assert (status, "'broker' answered after" in pinged["info"]) == (200, True)
    assert "'broker' answered" in cluster.by_command("zato.definition.jms-wmq.ping", id=definitions["broker"])["info"]
    status, details = cluster.over_http("zato.definition.jms-wmq.ping", id=definitions["nobody"])
    assert (status, "127.0.0.1:1 does not let us in" in details) == (503, True), details


def test_what_is_sent_while_the_broker_is_away_is_kept_and_arrives_later(cluster: "Cluster") -> None:
    cluster.create("outgoing-jms-wmq", "kept", definition="nobody", queue="kept", when_away="store")
    eventually(lambda: cluster.status("kept"), timeout_s=PATIENCE_S)
    assert cluster.server.invoke("jms-wmq.send", {"body": "later", "queue": "", "out": "kept", "priority": 7})["id"] == ""
    cluster.server.invoke("zato.outgoing-jms-wmq.edit", {"name": "kept", "definition": "broker"})
    came = cluster.take("kept", PATIENCE_S)
    assert (came.body, came.priority) == (b"later", 7)


@pytest.mark.parametrize(
    ("wrong", "named"), [({"priority": 11}, "priority"), ({"properties": {"a-b": 1}}, "a-b"), ({"queue": ""}, "Name the queue")]
)
def test_what_cannot_be_sent_is_refused_by_its_name(cluster: "Cluster", wrong: dict[str, Any], named: str) -> None:
    with pytest.raises(ZatoError, match=named):
        cluster.server.invoke("jms-wmq.send", {"body": "x", "queue": "q", **wrong})


def test_a_question_is_answered_to_the_queue_that_it_names(cluster: "Cluster") -> None:
    cluster.channel("asked", "jms-wmq.answer")
    cluster.put("asked", ["what"], reply_to="answers")
    answer = cluster.take("answers", 10)
    assert answer.body == b"WHAT" and answer.correlation_id.startswith("ID:")


def test_an_ordered_channel_keeps_the_order(cluster: "Cluster") -> None:
    cluster.channel("ordered", "jms-wmq.note", is_ordered=True)
    sent = bodies("o", 100)
    cluster.put("ordered", sent)
    cluster.await_all("ordered", sent)
    assert cluster.lines("ordered") == sent


def test_a_message_that_a_service_rejects_goes_to_the_backout_queue_that_the_channel_names(cluster: "Cluster") -> None:
    cluster.channel("rejected", "jms-wmq.reject", backout_queue="graveyard")
    cluster.put("rejected", ["no"])
    (letter,) = eventually(letters(cluster, "rejected"), timeout_s=10, what="the dead letter")
    assert "rejected" in letter.reason and cluster.size("graveyard") == 1


def test_what_a_peer_has_counted_is_counted_but_leaves_a_message_one_try(cluster: "Cluster") -> None:
    cluster.put("counted", ["often"])
    for _ in range(4):
        with cluster.session() as session:
            assert session.receive("counted", 5) is not None
    cluster.channel("counted", "jms-wmq.fail", tries=3, retry_after_s=0.05)
    (letter,) = eventually(letters(cluster, "counted"), timeout_s=10, what="the dead letter")
    assert cluster.lines("counted") == ["often"] and letter.count == 3


def test_a_channel_over_tls_says_whom_it_does_not_trust_and_works_once_it_does(cluster: "Cluster", tmp_path: Path) -> None:
    stranger, ours = CertificateAuthority(tmp_path, "stranger"), cluster.authority.issue("connector")
    options = {**cluster.options, **tls_options(ours, host="localhost", port=cluster.broker.tls_port)}
    cluster.create("definition-jms-wmq", "tls", **{**options, "ssl_ca_file": str(stranger.file)})
    values = {"definition": "tls", "queue": "tls", "service": "jms-wmq.note"}
    cluster.create("channel-jms-wmq", "tls", **values)
    cluster.create("outgoing-jms-wmq", "tls-out", definition="tls", queue="tls")
    for name in ("tls", "tls-out"):
        eventually(
            lambda name=name: (at := cluster.status(name)) and "valid certification path" in at.error, timeout_s=PATIENCE_S
        )
    cluster.server.invoke("zato.definition-jms-wmq.edit", {"name": "tls", "ssl_ca_file": str(ours.authorities)})
    cluster.await_connected("tls")
    cluster.server.invoke("jms-wmq.send", {"body": "over TLS", "queue": "", "out": "tls-out"})
    cluster.await_all("tls", ["over TLS"])


@pytest.mark.timeout(400)
@pytest.mark.parametrize("end", ["stop", "kill"])
def test_a_broker_that_ends_while_messages_are_sent_loses_none_that_it_confirmed_and_is_found_again(
    cluster: "Cluster", end: str
) -> None:
    plain, once = f"broker-{end}", f"broker-{end}-once"
    cluster.channel(plain, "jms-wmq.note")
    cluster.channel(once, "jms-wmq.note", inbox_s=600)
    waiting = bodies("b", 400)
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
            each.await_more(10)
        # So many at a time that the broker ends with some of them under way.
        for name in (plain, once):
            cluster.put(name, waiting)
        getattr(cluster.broker, end)()
        for each in senders:
            each.await_failure()
        cluster.broker.start()
        eventually(cluster.answers, timeout_s=PATIENCE_S, what="the broker to answer")
        await_back(cluster, [plain, once])
        for each in senders:
            each.await_more(10)
    assert cluster.await_settled(plain, waiting, (theirs, ours)).total() <= POOL_SIZE
    assert cluster.await_settled(once, waiting, (theirs_once, ours_once)).total() == 0


@pytest.mark.timeout(400)
def test_half_a_minute_of_partition_loses_nothing_that_was_confirmed_and_consumers_are_back_soon_after(
    cluster: "Cluster",
) -> None:
    names = {fault: f"partition-{fault}" for fault in FAULTS}
    with contextlib.ExitStack() as stack:
        proxies = {fault: stack.enter_context(FaultProxy("127.0.0.1", cluster.broker.port)) for fault in FAULTS}
        for fault, name in names.items():
            cluster.create("definition-jms-wmq", name, **{**cluster.options, "port": proxies[fault].port})
            cluster.create("outgoing-jms-wmq", name, definition=name)
            # Of one of them what is done is to be done once.
            cluster.channel(name, "jms-wmq.note", definition=name, inbox_s=600 if fault == ONCE else 0)
            cluster.put(name, bodies("b", 300))
        with contextlib.ExitStack() as sending:
            senders = {
                fault: (
                    sending.enter_context(SteadySender(stack.enter_context(cluster.peer_sender(name)), "theirs")),
                    sending.enter_context(SteadySender(cluster.sender(name, out=name), "ours")),
                )
                for fault, name in names.items()
            }
            cut_off(cluster, names, proxies, senders)
            assert all(ours.failures for _, ours in senders.values())
        for fault, name in names.items():
            twice = cluster.await_settled(name, bodies("b", 300), senders[fault]).total()
            assert twice <= (0 if fault == ONCE else POOL_SIZE)
        for name in names.values():
            cluster.delete(name)
            for kind in ("outgoing", "definition"):
                cluster.server.invoke(f"zato.{kind}-jms-wmq.delete", {"name": name})


def test_a_channel_is_switched_off_and_on_again_and_deleted(cluster: "Cluster") -> None:
    cluster.channel("edited", "jms-wmq.note")
    cluster.edit("edited", is_active=False)
    eventually(lambda: not cluster.connectors[0].is_connected("edited"), timeout_s=PATIENCE_S)
    cluster.put("edited", ["while-off"])
    cluster.edit("edited", is_active=True)
    cluster.await_all("edited", ["while-off"])
    cluster.delete("edited")
    eventually(lambda: not cluster.connectors[0].is_connected("edited"), timeout_s=PATIENCE_S)


def test_messages_that_are_none_of_ours_are_backed_out_and_hold_up_nobody(cluster: "Cluster") -> None:
    cluster.channel("strange", "jms-wmq.note")
    with cluster.session() as session:
        for number in range(100):
            raw = session._session.createStreamMessage() if number % 2 else session._session.createMapMessage()
            raw.setIntProperty("number", number)
            session._produce("strange", raw, 2, 4, 0)
        session.commit()
    cluster.put("strange", ["good"])
    cluster.await_all("strange", ["good"])
    eventually(lambda: cluster.size("strange.BACKOUT") == 100, timeout_s=10)
    assert cluster.lines("strange") == ["good"]
    assert all("Message holds values of Java" in letter.reason for letter in letters(cluster, "strange")())


def test_a_connection_and_a_definition_are_pinged(cluster: "Cluster") -> None:
    connector = cluster.connectors[0]
    assert connector.call("Ping", kind="definition-jms-wmq", name="broker").elapsed_ms > 0
    assert connector.call("Ping", kind="outgoing-jms-wmq", name="out").elapsed_ms > 0
    cluster.create("definition-jms-wmq", "nobody", **{**cluster.options, "port": 1})

    def answer() -> str:
        with pytest.raises(ZatoError) as caught:
            connector.call("Ping", kind="definition-jms-wmq", name="nobody")
        return caught.value.message

    eventually(lambda: "127.0.0.1:1 does not let us in" in answer(), timeout_s=10)
