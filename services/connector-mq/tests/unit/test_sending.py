"""What services and strangers say of messages to send."""

import random
from typing import Any

import pytest

from zato.common.connectors.errors import Refused
from zato.common.connectors.messages import Outgoing
from zato.connector_mq.kinds import OutgoingOptions
from zato.connector_mq.sending import ToSend, to_send

OPTIONS = OutgoingOptions(definition="qm", queue="Q", priority=6, expiration=500)


def made(body: bytes = b"x", **options: Any) -> ToSend:
    found = to_send(OPTIONS, Outgoing("id-1", body, options))
    assert isinstance(found, ToSend), found
    return found


def test_a_message_has_what_its_connection_says_unless_the_service_says_otherwise() -> None:
    message = made().message
    assert (message.priority, message.expiration_ms, message.is_persistent, message.message_id) == (6, 500, True, "id-1")
    message = made(priority=0, expiration="0", delivery_mode=1, msg_id="mine").message
    assert (message.priority, message.expiration_ms, message.is_persistent, message.message_id) == (0, 0, False, "mine")
    assert made().queue == "Q" and made(queue="OTHER").queue == "OTHER"


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"prio": 1}, "prio"),
        ({"priority": 10}, "priority"),
        ({"delivery_mode": 3}, "delivery_mode"),
        ({"expiration": -1}, "expiration"),
        ({"priority": True}, "priority"),
        ({"properties": {"a b": 1}}, "a b"),
        ({"properties": {"JMSPriority": 1}}, "JMSPriority"),
        ({"properties": {"and": 1}}, "and"),
        ({"properties": {"a": [1]}}, "'a'"),
        ({"properties": {"a": 2**63}}, "'a'"),
        ({"properties": []}, "properties"),
        ({"correlation_id": "\ud800"}, "correlation_id"),
        ({"reply_to": 5}, "reply_to"),
    ],
)
def test_what_cannot_be_is_refused_by_its_name(given: dict[str, Any], named: str) -> None:
    refused = to_send(OPTIONS, Outgoing("", b"x", given))
    assert isinstance(refused, Refused) and named in refused.message


def test_what_is_no_text_is_not_sent_as_one() -> None:
    assert isinstance(to_send(OPTIONS, Outgoing("", b"\xff", {})), Refused)
    assert made(b"\xff", is_text=False).message.body == b"\xff"


def test_ten_thousand_malformed_messages_are_each_refused_or_made() -> None:
    chosen = random.Random(6)
    names = ["priority", "delivery_mode", "expiration", "properties", "queue", "is_text", "type", "group_sequence", "", "ü"]
    values = ["", "x", "\ud800", "\0", "9", -1, 5, 2**70, 1.5, float("nan"), True, None, [], {}, {"a": float("inf")}, {1: 2}]
    results = [
        to_send(OPTIONS, Outgoing("m", chosen.randbytes(3), {chosen.choice(names): chosen.choice(values) for _ in range(3)}))
        for _ in range(10_000)
    ]
    assert all(isinstance(each, ToSend | Refused) for each in results)
    assert 1000 < sum(isinstance(each, ToSend) for each in results) < 9000 or len({str(each) for each in results}) > 100
