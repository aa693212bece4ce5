"""What strangers and services put into properties and headers."""

import json
import random
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pika
import pytest

from zato.common.connectors.errors import Refused
from zato.common.errors import InvalidOptions
from zato.connector_amqp.context import plain
from zato.connector_amqp.kinds import DefinitionOptions, OutgoingOptions
from zato.connector_amqp.link import all_parameters
from zato.connector_amqp.outgoing import properties_of

OPTIONS = OutgoingOptions(definition="broker")


def test_messages_are_persistent_unless_somebody_says_otherwise() -> None:
    assert properties_of(OPTIONS, {}, {}, "m").delivery_mode == 2
    assert properties_of(OPTIONS, {"delivery_mode": 1}, {}, "m").delivery_mode == 1


def test_a_service_overrides_what_the_connection_says() -> None:
    made = properties_of(OPTIONS, {"priority": 9, "expiration": 500}, {"a": 1}, "m")
    assert (made.priority, made.expiration, made.headers, made.message_id) == (9, "500", {"a": 1}, "m")


@pytest.mark.parametrize(
    ("given", "named"), [({"prioritty": 1}, "prioritty"), ({"priority": 300}, "priority"), ({"app_id": "x" * 256}, "app_id")]
)
def test_what_cannot_be_is_refused_by_its_name(given: dict[str, Any], named: str) -> None:
    with pytest.raises(Refused, match=named):
        properties_of(OPTIONS, given, {}, "m")


def test_ten_thousand_malformed_properties_are_each_refused_or_written() -> None:
    chosen = random.Random(6)
    values = ["", "x" * 300, "\ud800", -1, 256, 2**70, 1.5, True, None, [], {}, b"\xff", "ok", 5, float("nan")]
    names = ["priority", "delivery_mode", "timestamp", "app_id", "expiration", "headers", "", "type", "user_id", "ünknown"]
    refused = 0
    for _ in range(10_000):
        given = {chosen.choice(names): chosen.choice(values) for _ in range(chosen.randrange(4))}
        try:
            made = properties_of(OPTIONS, given, {"h": chosen.choice(values)}, "m")
        except Refused:
            refused += 1
        else:
            assert isinstance(made, pika.BasicProperties)
    assert refused > 1000


def test_what_a_field_table_holds_becomes_json() -> None:
    table = {"at": datetime(2026, 1, 1, tzinfo=UTC), "exact": Decimal("1.10"), "raw": b"\xff", "many": [1, {"n": float("inf")}]}
    assert json.loads(json.dumps(plain(table))) == {
        "at": "2026-01-01T00:00:00+00:00",
        "exact": "1.10",
        "raw": "\ufffd",
        "many": [1, {"n": "inf"}],
    }


@pytest.mark.parametrize(
    ("host", "wanted"),
    [
        ("broker", [("broker", 5672)]),
        ("a:1, b ,c:3", [("a", 1), ("b", 5672), ("c", 3)]),
        ("[::1]:7,::1,[::2]", [("::1", 7), ("::1", 5672), ("::2", 5672)]),
    ],
)
def test_hosts_may_be_several_and_have_ports(host: str, wanted: list[tuple[str, int]]) -> None:
    assert [(each.host, each.port) for each in all_parameters(DefinitionOptions(host=host))] == wanted


def test_a_file_of_certificates_that_cannot_be_used_is_named() -> None:
    with pytest.raises(InvalidOptions, match="'ca_file' /nowhere cannot be used: No such file"):
        all_parameters(DefinitionOptions(host="a", is_tls=True, ca_file="/nowhere"))
