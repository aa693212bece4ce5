"""The provider `amqp10` against RabbitMQ's AMQP 1.0, first without servers, then with all of them."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from provider_contract import ProviderContract
from tls_contract import TLSContract

from zato.common.errors import Unavailable, ZatoError
from zato.common.testing.certificates import CertificateAuthority
from zato.common.testing.plugin import require_package, require_program
from zato.common.testing.rabbitmq_server import RabbitMQServer
from zato.common.testing.waiting import eventually
from zato.connector_mq.kinds import DefinitionOptions
from zato.connector_mq.messages import MQMessage

require_package("proton", "python-qpid-proton")

from zato.connector_mq.amqp10 import AMQP10Session  # noqa: E402

if TYPE_CHECKING:
    from running_cluster import Cluster

QUEUES = ("CONTRACT", "CONTRACT.OTHER", "amqp10", "amqp10.BACKOUT", "died", "died.BACKOUT")


class Rabbit:
    def __init__(self, folder: Path) -> None:
        self.authority = CertificateAuthority(folder)
        self.server = RabbitMQServer(folder, plugins=("rabbitmq_amqp1_0",), tls=self.authority.issue("broker", "localhost"))
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


class TestAMQP10(ProviderContract):
    # RabbitMQ's plugin counts none.
    has_units = has_counts = False

    @pytest.fixture(autouse=True)
    def _broker(self, rabbit: Rabbit) -> None:
        self._rabbit = rabbit

    def connect(self) -> AMQP10Session:
        return AMQP10Session(DefinitionOptions(**self._rabbit.options))


class TestAMQP10OverTLS(TLSContract):
    @pytest.fixture(autouse=True)
    def _broker(self, rabbit: Rabbit) -> None:
        self._rabbit = rabbit

    def authority(self) -> CertificateAuthority:
        return self._rabbit.authority

    def connect(self, **options: Any) -> AMQP10Session:
        return AMQP10Session(DefinitionOptions(**{**self._rabbit.options, "port": self._rabbit.server.tls_port, **options}))


def test_who_is_not_there_or_not_known_is_named(rabbit: Rabbit) -> None:
    for wrong in ({"port": 1}, {"password": "wrong"}):
        with pytest.raises(Unavailable, match="does not let us in"):
            AMQP10Session(DefinitionOptions(**{**rabbit.options, "connect_timeout_s": 2.0, **wrong}))
    with rabbit.session() as session, pytest.raises(Unavailable, match="NOWHERE"):
        session.receive("NOWHERE", 0.1)


def test_services_get_and_send_messages_and_a_killed_broker_loses_none(cluster: "Cluster", rabbit: Rabbit) -> None:
    cluster.server.invoke("zato.definition-jms-wmq.create", {"name": "rabbit", **rabbit.options})
    cluster.create("outgoing-jms-wmq", "out10", definition="rabbit", queue="amqp10")
    cluster.channel("amqp10", "jms-wmq.note", definition="rabbit")
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
    message_id = cluster.server.invoke("jms-wmq.send", {"body": "by a service", "queue": "", "out": "out10"})["id"]
    cluster.await_all("amqp10", ["by a service"])
    assert message_id


def test_a_poison_message_is_backed_out_and_redriven(cluster: "Cluster", rabbit: Rabbit) -> None:
    cluster.create("definition-jms-wmq", "rabbit", **rabbit.options)
    cluster.channel("died", "jms-wmq.fail", definition="rabbit", tries=2, retry_after_s=0.05)
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
