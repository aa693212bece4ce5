"""A broker, servers and connectors as child processes, ended by their process ids."""

import contextlib
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from activemq_server import CLIENT_JARS, ActiveMQServer

from zato.common.errors import ZatoError
from zato.common.testing.connector_parts import Connector, Server
from zato.common.testing.processes import free_port
from zato.common.testing.waiting import eventually
from zato.connector_mq.config import MQSettings
from zato.connector_mq.jms import JMSProvider, JMSSession
from zato.connector_mq.jms_factories import ACTIVEMQ_FACTORY
from zato.connector_mq.kinds import DefinitionOptions
from zato.connector_mq.messages import MQMessage

SERVICES = '''
import json
import os
import time

from zato.server.service import Service

FOLDER = "@FOLDER@"


def note(name, line):
    with open(os.path.join(FOLDER, name), "a") as file:
        file.write(line + chr(10))


class Note(Service):
    """Writes the body to a file named after its channel."""

    name = "mq.note"

    def handle(self):
        note(self.channel.name, self.request.raw_request.decode())


class Slow(Service):
    name = "mq.slow"

    def handle(self):
        time.sleep(0.05)
        note(self.channel.name, self.request.raw_request.decode())


class Seen(Service):
    name = "mq.seen"

    def handle(self):
        mq = self.request.ibm_mq
        names = "msg_id correlation_id timestamp put_date put_time reply_to type priority delivery_mode expiration".split()
        found = {name: getattr(mq, name) for name in names}
        more = {"channel": self.channel.type, "payload": self.request.payload, "data": mq.data, "mqmd": self.request.wmq.mqmd}
        note(self.channel.name, json.dumps({**found, **more, "properties": mq.properties}))


class Answer(Service):
    name = "mq.answer"

    def handle(self):
        mq = self.request.wmq
        self.outgoing.ibm_mq.send(mq.data.upper(), "out", mq.reply_to, correlation_id=mq.msg_id)


class Fail(Service):
    name = "mq.fail"

    def handle(self):
        note(self.channel.name, self.request.raw_request.decode())
        raise ValueError("the reason")


class Reject(Service):
    name = "mq.reject"

    def handle(self):
        self.request.ibm_mq.reject()


class Send(Service):
    name = "mq.send"

    def handle(self):
        wanted = dict(self.request.payload)
        body, queue, name = wanted.pop("body"), wanted.pop("queue"), wanted.pop("out", "out")
        self.response.payload = {"id": self.outgoing.jms_wmq.send(body, name, queue, **wanted)}
'''


class Cluster:
    def __init__(self, java: str, odb_url: str, redis_url: str) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="zato-test-files-"))
        broker_folder = self.folder / "broker"
        broker_folder.mkdir()
        self.broker = ActiveMQServer(java, broker_folder)
        self.options: dict[str, Any] = {
            "provider": "jms",
            "host": "127.0.0.1",
            "port": self.broker.port,
            "connection_factory": ACTIVEMQ_FACTORY,
            "heartbeat_s": 4,
        }
        self.settings = MQSettings(token="-", jars=CLIENT_JARS)
        addresses = [f"127.0.0.1:{free_port()}" for _ in range(2)]
        self.server = Server("server1", odb_url, redis_url, f"test-{free_port()}", connector_mq_addresses=addresses)
        self.connectors = [
            Connector("zato.connector_mq", f"mq{at}", address, [self.server.address], jars=list(CLIENT_JARS))
            for at, address in enumerate(addresses, 1)
        ]

    def start(self) -> "Cluster":
        self.broker.start()
        self.server.start()
        self.server.deploy("mq_services.py", SERVICES.replace("@FOLDER@", str(self.folder)))
        self.connectors[0].start()
        eventually(lambda: self.create("definition-jms-wmq", "broker", **self.options), timeout_s=20, what="the kind")
        self.create("outgoing-jms-wmq", "out", definition="broker")
        return self

    def end(self) -> None:
        for part in (*self.connectors, self.server):
            part.end()
        self.broker.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def create(self, kind: str, name: str, **options: Any) -> bool:
        with contextlib.suppress(ZatoError):
            self.server.invoke(f"zato.{kind}.create", {"name": name, **options})
            return True
        return False

    def channel(self, name: str, service: str, **options: Any) -> None:
        """Make a channel of a queue of the same name, and wait until messages can come."""
        values = {"name": name, "definition": "broker", "queue": name, "service": service, **options}
        self.server.invoke("zato.channel-jms-wmq.create", values)
        eventually(lambda: self.connectors[0].is_connected(name), timeout_s=10, what=f"{name} to be read")

    @contextlib.contextmanager
    def session(self) -> Iterator[JMSSession]:
        """A session of the test's own, in its own Java virtual machine."""
        with contextlib.closing(JMSProvider(self.settings, DefinitionOptions(**self.options)).connect()) as session:
            yield session

    def put(self, queue: str, bodies: list[str], **fields: Any) -> None:
        """Put messages into a queue, all in one unit of work."""
        with self.session() as session:
            for body in bodies:
                session.send(queue, MQMessage(body.encode(), **fields))
            session.commit()

    def take(self, queue: str, wait_s: float = 5.0) -> MQMessage:
        with self.session() as session:
            message = session.receive(queue, wait_s)
            assert message is not None, f"{queue} is empty"
            session.commit()
            return message

    def size(self, queue: str) -> int:
        with self.session() as session:
            return len(session.browse(queue, 10_000))

    def lines(self, name: str) -> list[str]:
        path = self.folder / name
        return path.read_text().splitlines() if path.exists() else []

    def await_all(self, name: str, bodies: list[str], timeout_s: float = 30) -> Counter[str]:
        """Wait until each of them was written at least once; return how often each was."""
        eventually(lambda: set(self.lines(name)) >= set(bodies), timeout_s=timeout_s, what=f"all messages of {name}")
        return Counter(self.lines(name))
