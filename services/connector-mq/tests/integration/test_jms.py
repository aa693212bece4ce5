"""The provider `jms` against a real broker, without servers."""

from typing import TYPE_CHECKING

import pytest

from zato.common.errors import Unavailable
from zato.connector_mq.jms import JMSProvider
from zato.connector_mq.kinds import DefinitionOptions
from zato.connector_mq.messages import MQMessage

if TYPE_CHECKING:
    from running_cluster import Cluster


def test_all_that_a_message_has_comes_as_it_went(cluster: "Cluster") -> None:
    # Beyond the first 65,536 characters ActiveMQ's client spoils what is in properties; bodies it does not.
    properties = {"text": "zażółć", "flag": True, "small": 5, "large": 2**40, "exact": 1.5, "empty": ""}
    sent = MQMessage(
        "zażółć 🚀".encode(),
        correlation_id="c-1",
        reply_to="ANSWERS",
        type="order",
        priority=8,
        expiration_ms=60_000,
        properties=properties,
        group_id="g",
        group_sequence=2,
    )
    with cluster.session() as session:
        message_id = session.send("WHOLE", sent)
        session.commit()
        came = session.receive("WHOLE", 5)
        session.commit()
    assert came is not None and came.message_id == message_id and message_id.startswith("ID:")
    assert came.body == sent.body and came.is_text and not came.problem
    assert (came.correlation_id, came.reply_to, came.type, came.priority) == ("c-1", "ANSWERS", "order", 8)
    assert (came.is_persistent, came.delivery_count, came.group_id, came.group_sequence) == (True, 1, "g", 2)
    assert came.expiration_ms == came.timestamp_ms + 60_000
    assert {name: came.properties[name] for name in properties} == properties
    assert [type(came.properties[name]) for name in properties] == [str, bool, int, int, float, str]


def test_bytes_stay_bytes(cluster: "Cluster") -> None:
    with cluster.session() as session:
        session.send("BYTES", MQMessage(bytes(range(256)), is_text=False, is_persistent=False))
        session.commit()
        came = session.receive("BYTES", 5)
        session.commit()
    assert came is not None and came.body == bytes(range(256)) and not came.is_text and not came.is_persistent


def test_what_was_sent_and_received_counts_once_it_is_committed(cluster: "Cluster") -> None:
    with cluster.session() as session:
        session.send("UNIT", MQMessage(b"gone"))
        session.roll_back()
        session.send("UNIT", MQMessage(b"there"))
        session.commit()
        first = session.receive("UNIT", 5)
        session.roll_back()
        again = session.receive("UNIT", 5)
        session.commit()
        assert session.receive("UNIT", 0.2) is None
    assert first is not None and again is not None
    assert (first.body, first.delivery_count) == (b"there", 1) and (again.body, again.delivery_count) == (b"there", 2)


def test_one_of_many_is_taken_by_its_id_and_forwarded_with_all_that_it_has(cluster: "Cluster") -> None:
    with cluster.session() as session:
        ids = [session.send("MANY", MQMessage(b"%d" % n, correlation_id="c", properties={"n": n})) for n in range(3)]
        session.commit()
        assert [each.message_id for each in session.browse("MANY", 10)] == ids
        message = session.receive("MANY", 5, ids[1])
        assert message is not None
        session.forward("OTHERS", message, {"zato_count": 3}, ("unknown",))
        session.commit()
        assert [each.body for each in session.browse("MANY", 10)] == [b"0", b"2"]
        came = session.receive("OTHERS", 5)
        session.commit()
    assert came is not None and (came.body, came.correlation_id, came.delivery_count) == (b"1", "c", 1)
    assert came.properties == {"n": 1, "zato_count": 3}


def test_messages_of_java_objects_say_that_they_cannot_be_read(cluster: "Cluster") -> None:
    with cluster.session() as session:
        java = session._java.jpype
        raw = session._session.createMapMessage()
        raw.setString("a", "b")
        session._produce("STRANGE", raw, 2, 4, 0)
        session._produce("STRANGE", session._session.createMessage(), 2, 4, 0)
        half = java.JClass("java.lang.String")(java.JArray(java.JChar)(["a", java.JChar(0xD800), "b"]))
        session._produce("STRANGE", session._session.createTextMessage(half), 2, 4, 0)
        session.commit()
        found = [session.receive("STRANGE", 5) for _ in range(3)]
        session.commit()
    mapped, empty, broken = found
    assert mapped is not None and "MapMessage" in mapped.problem
    assert empty is not None and (empty.body, empty.problem) == (b"", "")
    assert broken is not None and broken.message_id and "cannot be read" in broken.problem


def test_who_is_not_there_or_not_known_is_named(cluster: "Cluster") -> None:
    options = {**cluster.options, "port": 1, "connect_timeout_s": 1.0}
    with pytest.raises(Unavailable, match=r"127\.0\.0\.1:1 "):
        JMSProvider(cluster.settings, DefinitionOptions(**options)).connect()
    options = {**cluster.options, "factory_properties": ("nothingLikeIt=1",)}
    with pytest.raises(Unavailable, match="nothingLikeIt"):
        JMSProvider(cluster.settings, DefinitionOptions(**options)).connect()
    options = {**cluster.options, "connection_factory": "com.ibm.mq.jms.MQConnectionFactory"}
    with pytest.raises(Unavailable, match=r"com\.ibm\.mq\.jms\.MQConnectionFactory.*jars"):
        JMSProvider(cluster.settings, DefinitionOptions(**options)).connect()
