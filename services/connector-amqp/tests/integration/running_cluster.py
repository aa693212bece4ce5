"""A broker, servers and connectors as child processes, ended by their process ids."""

import contextlib
import shutil
import tempfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pika

from zato.common.errors import ZatoError
from zato.common.testing.connector_parts import Connector, Server
from zato.common.testing.processes import free_port
from zato.common.testing.rabbitmq_server import RabbitMQServer
from zato.common.testing.waiting import eventually

# On a machine that is busy with other things, and whose disk takes long to confirm what was written.
PATIENCE_S = 60.0
_PUT_BESIDE_EACH_OTHER = 10

SERVICES = '''
import json
import os

from zato.server.service import Service

FOLDER = "@FOLDER@"


def note(name, line):
    with open(os.path.join(FOLDER, name), "a") as file:
        file.write(line + chr(10))


class Note(Service):
    """Writes the body to a file named after its channel."""

    name = "amqp.note"

    def handle(self):
        note(self.channel.name, self.request.raw_request.decode())


class Seen(Service):
    name = "amqp.seen"

    def handle(self):
        message = self.request.amqp.msg
        note(self.channel.name, json.dumps([self.channel.type, self.request.payload, message.properties, message.headers]))


class Fail(Service):
    name = "amqp.fail"

    def handle(self):
        note(self.channel.name, self.request.raw_request.decode())
        raise ValueError("the reason")


class Kill(Service):
    """Ends its worker, as a crash in C code or a lack of memory does."""

    name = "amqp.kill"

    def handle(self):
        note(self.channel.name, self.request.raw_request.decode())
        if self.request.raw_request == b"bad":
            os.kill(os.getpid(), 9)


class Send(Service):
    name = "amqp.send"

    def handle(self):
        wanted = self.request.payload
        more = {"properties": {"priority": 7}, "headers": {"a": 1}, "timeout_s": wanted["timeout_s"]}
        self.outgoing.amqp.send(wanted["body"], "out", "", wanted["queue"], **more)
'''


class Cluster:
    def __init__(self, odb_url: str, redis_url: str) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="zato-test-files-"))
        broker_folder = self.folder / "broker"
        broker_folder.mkdir()
        self.broker = RabbitMQServer(broker_folder)
        addresses = [f"127.0.0.1:{free_port()}" for _ in range(2)]
        self.server = Server("server1", odb_url, redis_url, f"test-{free_port()}", connector_amqp_addresses=addresses)
        self.connectors = [
            Connector("zato.connector_amqp", f"amqp{at}", address, [self.server.address])
            for at, address in enumerate(addresses, 1)
        ]

    def start(self) -> "Cluster":
        self.broker.start()
        self.server.start()
        self.server.deploy("amqp_services.py", SERVICES.replace("@FOLDER@", str(self.folder)))
        self.connectors[0].start()
        options = {"host": "127.0.0.1", "port": self.broker.port, "password": "guest"}
        eventually(lambda: self.create("definition-amqp", "broker", **options), timeout_s=PATIENCE_S, what="the kind")
        self.create("outgoing-amqp", "out", definition="broker")
        return self

    def end(self) -> None:
        for part in (*self.connectors, self.server):
            part.end()
        self.broker.end()
        shutil.rmtree(self.folder, ignore_errors=True)

    def create(self, kind: str, name: str, **options: Any) -> bool:
        with contextlib.suppress(ZatoError):
            self.server.invoke(f"zato.{kind}.create", {"name": name, **options})
            return True
        return False

    def channel(self, name: str, service: str, **options: Any) -> None:
        """Make a queue and a channel of the same name, and wait until messages can come."""
        with self.amqp() as channel:
            channel.queue_declare(name, durable=True, arguments={"x-queue-type": "quorum"})
        values = {"name": name, "definition": "broker", "queue": name, "service": service, **options}
        self.server.invoke("zato.channel-amqp.create", values)
        eventually(lambda: self.connectors[0].is_connected(name), timeout_s=PATIENCE_S, what=f"{name} to consume")

    @contextlib.contextmanager
    def amqp(self) -> Any:
        parameters = pika.ConnectionParameters("127.0.0.1", self.broker.port)
        with contextlib.closing(pika.BlockingConnection(parameters)) as connection:
            channel = connection.channel()
            channel.confirm_delivery()
            yield channel

    def put(self, queue: str, bodies: list[str], **properties: Any) -> None:
        """Put them there, in their order, each confirmed."""
        with self.amqp() as channel:
            for body in bodies:
                made = pika.BasicProperties(delivery_mode=2, **{"message_id": body, **properties})
                channel.basic_publish("", queue, body.encode(), made, mandatory=True)

    def put_fast(self, queue: str, bodies: list[str], **properties: Any) -> None:
        """Put them there, each confirmed, in whatever order: faster than they can be done."""
        parts = [bodies[at::_PUT_BESIDE_EACH_OTHER] for at in range(_PUT_BESIDE_EACH_OTHER)]
        with ThreadPoolExecutor(_PUT_BESIDE_EACH_OTHER) as threads:
            for _ in threads.map(lambda part: self.put(queue, part, **properties), parts):
                pass

    def size(self, queue: str) -> int:
        with self.amqp() as channel:
            return int(channel.queue_declare(queue, passive=True).method.message_count)

    def lines(self, name: str) -> list[str]:
        path = self.folder / name
        return path.read_text().splitlines() if path.exists() else []

    def await_all(self, name: str, bodies: list[str], timeout_s: float = PATIENCE_S) -> Counter[str]:
        """Wait until each of them was written at least once; return how often each was."""
        eventually(lambda: set(self.lines(name)) >= set(bodies), timeout_s=timeout_s, what=f"all messages of {name}")
        return Counter(self.lines(name))
