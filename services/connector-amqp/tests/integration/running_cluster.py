"""A broker, a server and connectors as child processes, ended by their process ids."""

import contextlib
import random
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pika

from zato.common.testing.certificates import CertificateAuthority
from zato.common.testing.connector_cluster import PATIENCE_S, ConnectorCluster
from zato.common.testing.rabbitmq_server import RabbitMQServer
from zato.common.testing.waiting import eventually

_PEER = Path(__file__).with_name("peer.py")
_PUT_BESIDE_EACH_OTHER = 10
_MALFORMED = 10_000


class Unreadable(pika.BasicProperties):
    """Headers with a time that no calendar has."""

    def encode(self) -> list[bytes]:
        table = b"\x01tT" + struct.pack(">Q", 2**63)
        return [struct.pack(">H", self.FLAG_HEADERS), struct.pack(">I", len(table)), table]


class Cluster(ConnectorCluster):
    protocol = "amqp"
    module = "zato.connector_amqp"
    prefetch = "prefetch_count"
    services = """

class Seen(Service):
    name = "amqp.seen"

    def handle(self):
        message = self.request.amqp.msg
        note(self.channel.name, json.dumps([self.channel.type, self.request.payload, message.properties, message.headers]))


class XML(Service):
    name = "amqp.xml"

    def handle(self):
        tag = self.request.amqp.msg.delivery_info["consumer_tag"]
        note(self.channel.name, f"{self.request.payload.id} {tag}")


class SendLater(Service):
    name = "amqp.send-later"

    def handle(self):
        wanted = self.request.payload
        self.response.payload = {"id": self.amqp.invoke_async(wanted["body"], wanted.get("out", "out"), "", wanted["queue"])}


class Nap(Service):
    name = "amqp.nap"

    def handle(self):
        time.sleep(7)
        note(self.channel.name, self.request.raw_request.decode())


class Send(Service):
    name = "amqp.send"

    def handle(self):
        wanted = self.request.payload
        properties = {"priority": 7, **wanted.get("properties", {})}
        more = {"properties": properties, "headers": {"a": 1}, "timeout_s": wanted["timeout_s"]}
        self.outgoing.amqp.send(wanted["body"], wanted.get("out", "out"), "", wanted["queue"], **more)
"""

    def __init__(self, odb_url: str, redis_url: str) -> None:
        super().__init__(odb_url, redis_url)
        broker_folder = self.folder / "broker"
        broker_folder.mkdir()
        self.authority = CertificateAuthority(self.folder)
        self.broker = RabbitMQServer(broker_folder, tls=self.authority.issue("broker"))

    def start(self) -> None:
        self.broker.start()
        super().start()
        options = {"host": "127.0.0.1", "port": self.broker.port, "password": "guest"}
        eventually(lambda: self.create("definition-amqp", "broker", **options), timeout_s=PATIENCE_S, what="the kind")
        self.create("outgoing-amqp", "out", definition="broker")

    def end(self) -> None:
        # First, since what it is ended by is in the folder.
        self.broker.end()
        super().end()

    def channel(self, name: str, service: str, **options: Any) -> None:
        """Make a queue and a channel of the same name, and wait until messages can come."""
        with self.amqp() as channel:
            channel.queue_declare(name, durable=True, arguments={"x-queue-type": "quorum"})
        self.make_channel(name, service, **{"definition": "broker", "queue": name, **options})

    safe_channel = channel

    def give(self, name: str, bodies: Sequence[str]) -> None:
        self.put_fast(name, list(bodies))

    def give_malformed(self, name: str) -> int:
        made = random.Random(6)
        table = {"t": datetime(2026, 1, 1, tzinfo=UTC), "d": Decimal("1.5"), "b": b"\xff\x00", "l": [None, {"n": -(2**40)}]}
        texts = [b"\xff\xfe", "ü" * 100, "", "\x00"]
        with contextlib.closing(self.connect()) as connection:
            channel = connection.channel()
            for number in range(_MALFORMED):
                properties = pika.BasicProperties(
                    content_type=made.choice(texts),
                    app_id=made.choice(texts),
                    timestamp=made.choice([0, 2**62]),
                    headers=made.choice([None, {}, table]),
                )
                if number % 4 == 0:
                    properties = Unreadable()
                channel.basic_publish("", name, f"strange-{number}".encode(), properties)
        eventually(lambda: self.status(name).received, timeout_s=PATIENCE_S, what="the first of them")
        return _MALFORMED

    def is_empty(self, name: str) -> bool:
        return self.size(name) == 0

    def broken_options(self, name: str) -> dict[str, Any]:
        return {"queue": "nowhere"}

    def whole_options(self, name: str) -> dict[str, Any]:
        return {"queue": name}

    def connect(self) -> pika.BlockingConnection:
        return pika.BlockingConnection(pika.ConnectionParameters("127.0.0.1", self.broker.port))

    @contextlib.contextmanager
    def amqp(self) -> Any:
        with contextlib.closing(self.connect()) as connection:
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

    def sender(self, queue: str, out: str = "out", timeout_s: float = 2.0) -> Callable[[str], None]:
        """Return what has a service send a message to a queue, under the same id each time that it is sent."""

        def send(body: str) -> None:
            wanted = {"body": body, "queue": queue, "out": out, "timeout_s": timeout_s, "properties": {"message_id": body}}
            self.server.invoke("amqp.send", wanted, timeout_s=timeout_s + 10)

        return send

    @contextlib.contextmanager
    def peer_sender(self, queue: str) -> Iterator[Callable[[str], None]]:
        """Have what sends a message to a queue as somebody else's program does, which waits for the broker's confirmation."""
        command = [sys.executable, str(_PEER), str(self.broker.port), queue]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1) as process:
            assert process.stdin is not None and process.stdout is not None
            answers, lines = process.stdout, process.stdin

            def send(body: str) -> None:
                lines.write(body + "\n")
                if (answer := answers.readline().strip()) != "confirmed":
                    raise ConnectionError(answer)

            try:
                yield send
            finally:
                process.kill()

    def answers(self) -> bool:
        """Whether the broker lets a client in, and confirms what it sends."""
        with self.peer_sender("amq.nobody") as send:
            try:
                send("x")
            except ConnectionError as exc:
                # It answers that there is no such queue.
                return "Unroutable" in str(exc)
            return True

    def size(self, queue: str) -> int:
        with self.amqp() as channel:
            return int(channel.queue_declare(queue, passive=True).method.message_count)
