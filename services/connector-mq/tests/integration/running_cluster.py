"""A broker, a server and connectors as child processes, ended by their process ids."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from activemq_server import CLIENT_JARS, ActiveMQServer
from double import QueueManager

from zato.common.errors import ZatoError
from zato.common.testing.certificates import CertificateAuthority
from zato.common.testing.connector_cluster import PATIENCE_S, ConnectorCluster
from zato.common.testing.waiting import eventually
from zato.connector_mq.config import MQSettings
from zato.connector_mq.jms import JMSProvider, JMSSession
from zato.connector_mq.jms_factories import ACTIVEMQ_FACTORY
from zato.connector_mq.kinds import DefinitionOptions
from zato.connector_mq.messages import MQMessage

_MALFORMED = 10_000


class Broker:
    """ActiveMQ, and how to get at it from here, in a Java virtual machine of the tests' own."""

    def __init__(self, java: str, folder: Path) -> None:
        self.authority = CertificateAuthority(folder)
        self.server = ActiveMQServer(java, folder, self.authority.issue("broker", "localhost"))
        self.settings = MQSettings(token="-", jars=CLIENT_JARS)
        self.options: dict[str, Any] = {
            "provider": "jms",
            "host": "127.0.0.1",
            "port": self.server.port,
            "connection_factory": ACTIVEMQ_FACTORY,
            "heartbeat_s": 4,
        }

    def connect(self, **options: Any) -> JMSSession:
        return JMSProvider(self.settings, DefinitionOptions(**{**self.options, **options})).connect()


class Cluster(ConnectorCluster):
    protocol = "jms-wmq"
    module = "zato.connector_mq"
    prefetch = "pool_size"
    setting = "connector_mq_addresses"
    services = """

class Seen(Service):
    name = "@PROTOCOL@.seen"

    def handle(self):
        mq = self.request.ibm_mq
        names = "msg_id correlation_id timestamp put_date put_time reply_to type priority delivery_mode expiration".split()
        found = {name: getattr(mq, name) for name in names}
        more = {"channel": self.channel.type, "payload": self.request.payload, "data": mq.data, "mqmd": self.request.wmq.mqmd}
        note(self.channel.name, json.dumps({**found, **more, "properties": mq.properties}))


class Nap(Service):
    # Takes longer than it takes to notice that a peer went away.

    name = "@PROTOCOL@.nap"

    def handle(self):
        time.sleep(3)
        note(self.channel.name, self.request.raw_request.decode())


class Answer(Service):
    name = "@PROTOCOL@.answer"

    def handle(self):
        mq = self.request.wmq
        self.outgoing.ibm_mq.send(mq.data.upper(), "out", mq.reply_to, correlation_id=mq.msg_id)


class Reject(Service):
    name = "@PROTOCOL@.reject"

    def handle(self):
        self.request.ibm_mq.reject()


class Send(Service):
    name = "@PROTOCOL@.send"

    def handle(self):
        wanted = dict(self.request.payload)
        body, queue, name = wanted.pop("body"), wanted.pop("queue"), wanted.pop("out", "out")
        self.response.payload = {"id": self.outgoing.jms_wmq.send(body, name, queue, **wanted)}
"""

    def __init__(self, broker: Broker, manager: QueueManager, odb_url: str, redis_url: str) -> None:
        super().__init__(odb_url, redis_url, jars=list(CLIENT_JARS), mq_library=str(manager.library))
        self.broker = broker.server
        self.authority = broker.authority
        self.options = broker.options
        self._connect = broker.connect
        self.session = lambda: contextlib.closing(broker.connect())

    def start(self) -> None:
        super().start()
        self.create("definition-jms-wmq", "broker", **self.options)
        self.create("definition-jms-wmq", "nobody", **{**self.options, "port": 1})
        self.create("outgoing-jms-wmq", "out", definition="broker")
        eventually(lambda: self.connectors[0].is_connected("out"), timeout_s=PATIENCE_S)

    def channel(self, name: str, service: str, **options: Any) -> None:
        """Make a channel of a queue of the same name, and wait until messages can come."""
        self.make_channel(name, service, **{"definition": "broker", "queue": name, **options})

    safe_channel = channel

    def give(self, name: str, bodies: Sequence[str]) -> None:
        self.put(name, bodies)

    def give_malformed(self, name: str) -> int:
        """Messages of Java's own values, which are of no use here, and such as have nothing in them."""
        with self.session() as session:
            for number in range(_MALFORMED):
                make = (session._session.createStreamMessage, session._session.createMapMessage, session._session.createMessage)
                raw = make[number % 3]()
                raw.setIntProperty("number", number)
                session._produce(name, raw, 2, 4, 0)
            session.commit()
        return _MALFORMED

    def is_empty(self, name: str) -> bool:
        return self.size(name) == 0

    def broken_options(self, name: str) -> dict[str, Any]:
        return {"definition": "nobody"}

    def whole_options(self, name: str) -> dict[str, Any]:
        return {"definition": "broker"}

    def put(self, queue: str, bodies: Sequence[str], **fields: Any) -> None:
        """Put messages into a queue, all in one unit of work."""
        with self.session() as session:
            for body in bodies:
                session.send(queue, MQMessage(body.encode(), **fields))
            session.commit()

    def sender(self, queue: str, out: str = "out") -> Callable[[str], None]:
        """Return what has a service send a message to a queue, and waits two seconds for the broker to confirm it."""

        def send(body: str) -> None:
            self.server.invoke(f"{self.protocol}.send", {"body": body, "queue": queue, "out": out, "timeout_s": 2})

        return send

    @contextlib.contextmanager
    def peer_sender(self, queue: str) -> Iterator[Callable[[str], None]]:
        """Have what sends each message to a queue in a unit of work of its own, over a connection made anew if it breaks."""
        kept: list[JMSSession] = []

        def send(body: str) -> None:
            try:
                if not kept:
                    kept.append(self._connect())
                kept[0].send(queue, MQMessage(body.encode()))
                kept[0].commit()
            except ZatoError:
                close()
                raise

        def close() -> None:
            while kept:
                kept.pop().close()

        try:
            yield send
        finally:
            close()

    def answers(self) -> bool:
        """Whether the broker lets clients in."""
        with contextlib.suppress(ZatoError), self.session():
            return True
        return False

    def take(self, queue: str, wait_s: float = 5.0) -> MQMessage:
        with self.session() as session:
            message = session.receive(queue, wait_s)
            assert message is not None, f"{queue} is empty"
            session.commit()
            return message

    def size(self, queue: str) -> int:
        with self.session() as session:
            return session.count(queue, 10_000)
