"""The provider `amqp10` against RabbitMQ's AMQP 1.0, first without servers, then with all of them."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from zato.common.errors import Unavailable, ZatoError
from zato.common.testing.plugin import require_package, require_program
from zato.common.testing.rabbitmq_server import RabbitMQServer
from zato.common.testing.waiting import eventually
from zato.connector_mq.kinds import DefinitionOptions
from zato.connector_mq.messages import MQMessage

require_package("proton", "python-qpid-proton")

from zato.connector_mq.amqp10 import AMQP10Session  # noqa: E402

if TYPE_CHECKING:
    from running_cluster import Cluster

QUEUES = ("WHOLE", "BYTES", "UNIT", "MANY", "OTHERS", "STRANGE", "amqp10", "amqp10.BACKOUT", "died", "died.BACKOUT")


class Rabbit:
    def __init__(self, folder: Path) -> None:
        self.server = RabbitMQServer(folder, plugins=("rabbitmq_amqp1_0",))
        self.options: dict[str, Any] = {
            "provider": "amqp10",
            "host": "127.0.0.1",
            "port": self.server.port,
            "username": "guest",
            "password": "guest",
            "queue_prefix": "/amq/queue/",
            "heartbeat_s": 4,
        }

    def declare(self) -> None:
        # By AMQP 1.0 its queues would not be durable.
        import pika

        with contextlib.closing(
            pika.BlockingConnection(pika.ConnectionParameters("127.0.0.1", self.server.port))
        ) as connection:
            for queue in QUEUES:
                connection.channel().queue_declare(queue, durable=True)

    @contextlib.contextmanager
    def session(self) -> Iterator[AMQP10Session]:
        with contextlib.closing(AMQP10Session(DefinitionOptions(**self.options))) as session:
            yield session


@pytest.fixture(scope="module")
def rabbit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rabbit]:
    require_program("rabbitmq-server")
    made = Rabbit(tmp_path_factory.mktemp("rabbitmq"))
    made.server.start()
    made.declare()
    yield made
    made.server.end()


def test_all_that_a_message_has_comes_as_it_went(rabbit: Rabbit) -> None:
    properties = {"text": "zażółć 🚀", "flag": True, "small": 5, "large": 2**40, "exact": 1.5, "empty": ""}
    fields: dict[str, Any] = {"message_id": "m-1", "correlation_id": "c-1", "reply_to": "ANSWERS", "type": "order"}
    sent = MQMessage("zażółć 🚀".encode(), priority=8, expiration_ms=60_000, properties=properties, group_id="g", **fields)
    with rabbit.session() as session:
        assert session.send("WHOLE", sent) == "m-1"
        came = session.receive("WHOLE", 5)
        session.commit()
        assert came is not None and (came.body, came.is_text, came.problem) == (sent.body, True, "")
        assert {name: getattr(came, name) for name in fields} == fields
        assert (came.priority, came.is_persistent, came.group_id, came.properties) == (8, True, "g", properties)
        session.send("BYTES", MQMessage(bytes(range(256)), is_text=False, is_persistent=False))
        came = session.receive("BYTES", 5)
        session.commit()
    assert came is not None and came.body == bytes(range(256)) and not came.is_text and not came.is_persistent


def test_what_is_not_accepted_comes_again(rabbit: Rabbit) -> None:
    with rabbit.session() as session:
        session.send("UNIT", MQMessage(b"there"))
        assert session.receive("UNIT", 5) is not None
        session.roll_back()
        assert session.receive("UNIT", 5) is not None
    with rabbit.session() as session:
        came = session.receive("UNIT", 5)
        session.commit()
        assert session.receive("UNIT", 0.2) is None
    assert came is not None and came.body == b"there"


def test_one_of_many_is_taken_by_its_id_and_forwarded_with_all_that_it_has(rabbit: Rabbit) -> None:
    with rabbit.session() as session:
        for n in range(3):
            session.send("MANY", MQMessage(b"%d" % n, message_id=f"m{n}", correlation_id="c", properties={"n": n}))
        assert [each.message_id for each in session.browse("MANY", 10)] == ["m0", "m1", "m2"]
        message = session.receive("MANY", 5, "m1")
        assert message is not None
        session.forward("OTHERS", message, {"zato_count": 3}, ("unknown",))
        session.commit()
        assert session.receive("MANY", 0.2, "m1") is None
    with rabbit.session() as session:
        assert [each.body for each in session.browse("MANY", 10)] == [b"0", b"2"]
        came = session.receive("OTHERS", 5)
        session.commit()
    assert came is not None and (came.body, came.correlation_id, came.message_id) == (b"1", "c", "m1")
    assert came.properties == {"n": 1, "zato_count": 3}


def test_who_is_not_there_or_not_known_is_named(rabbit: Rabbit) -> None:
    for wrong in ({"port": 1}, {"password": "wrong"}):
        with pytest.raises(Unavailable, match="does not let us in"):
            AMQP10Session(DefinitionOptions(**{**rabbit.options, "connect_timeout_s": 2.0, **wrong}))
    with rabbit.session() as session, pytest.raises(Unavailable, match="NOWHERE"):
        session.receive("NOWHERE", 0.1)


def test_services_get_and_send_messages_and_a_killed_broker_loses_none(cluster: "Cluster", rabbit: Rabbit) -> None:
    cluster.server.invoke("zato.definition-jms-wmq.create", {"name": "rabbit", **rabbit.options})
    cluster.create("outgoing-jms-wmq", "out10", definition="rabbit", queue="amqp10")
    cluster.channel("amqp10", "mq.note", definition="rabbit")
    eventually(lambda: cluster.connectors[0].is_connected("out10"), timeout_s=10)
    sent = [f"r-{number}" for number in range(300)]
    with rabbit.session() as session:
        for body in sent:
            session.send("amqp10", MQMessage(body.encode(), message_id=body))
    eventually(lambda: cluster.lines("amqp10"), timeout_s=10)
    rabbit.server.kill()
    rabbit.server.start()
    counts = cluster.await_all("amqp10", sent)
    assert sum(counts.values()) - len(sent) <= 5
    message_id = cluster.server.invoke("mq.send", {"body": "by a service", "queue": "", "out": "out10"})["id"]
    cluster.await_all("amqp10", ["by a service"])
    assert message_id


def test_a_poison_message_is_backed_out_and_redriven(cluster: "Cluster", rabbit: Rabbit) -> None:
    cluster.create("definition-jms-wmq", "rabbit", **rabbit.options)
    cluster.channel("died", "mq.fail", definition="rabbit", backout_threshold=2, retry_after_s=0.05)
    with rabbit.session() as session:
        session.send("died", MQMessage(b"bad", message_id="bad-1", properties={"kept": "yes"}))

    def letters() -> list[Any]:
        return list(cluster.connectors[0].call("ListDeadLetters", channel="died").letters)

    (letter,) = eventually(letters, timeout_s=15, what="the dead letter")
    assert (letter.id, letter.body, letter.count) == ("bad-1", b"bad", 2) and "the reason" in letter.reason
    assert cluster.lines("died") == ["bad"] * 2
    assert cluster.connectors[0].call("RedriveDeadLetters", channel="died", ids=["bad-1"]).count == 1
    eventually(lambda: len(cluster.lines("died")) == 4, timeout_s=10)
    eventually(letters, timeout_s=15, what="the dead letter again")
    assert cluster.connectors[0].call("PurgeDeadLetters", channel="died", is_all=True).count == 1
    with contextlib.suppress(ZatoError):
        cluster.server.invoke("zato.channel-jms-wmq.delete", {"name": "died"})
