"""
Messages through a connector and a service, beside what else takes them: `make bench-messages`, about three minutes.

    taken       broker → service → acknowledged, at most 50 unacknowledged; 1 kB, persistent, from quorum queues
    published   service's side → connector → broker's confirmation; in batches, and one by one
    memory      of a connector that has one channel and nothing to do
    zmq         the acknowledged protocol, 200 messages on their way at a time

All take the same messages from the same broker, one after the other, several times in turns; the numbers are medians. Each is
one process, beside the broker and, for ours, a server with one worker: what is compared is what a user would start.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pika
import psutil
import zmq

from zato.common.testing.connector_cluster import ConnectorCluster
from zato.common.testing.processes import ServerProcess, free_port
from zato.common.testing.programs import find_program
from zato.common.testing.rabbitmq_server import RabbitMQServer
from zato.common.testing.redis_server import RedisServer
from zato.common.testing.waiting import eventually
from zato.proto.connector.v1 import connector_pb2 as contract
from zato.proto.connector.v1.connector_pb2_grpc import ConnectorStub

HERE = Path(__file__).parent.resolve()
RIVALS_BIN = Path("var/bench/venv/bin").resolve()
RESULT = Path("var/bench/messages.json")
BODY = b"x" * 1024
PREFETCH = 50
_TIMEOUT_S = 120.0


class Cluster(ConnectorCluster):
    services = """

class Take(Service):
    name = "@PROTOCOL@.take"

    def handle(self):
        pass
"""


class AMQPCluster(Cluster):
    protocol, module, prefetch = "amqp", "zato.connector_amqp", "prefetch_count"


class ZMQCluster(Cluster):
    protocol, module, prefetch = "zmq", "zato.connector_zmq", "prefetch"


class Broker:
    def __init__(self, folder: Path) -> None:
        self.server = RabbitMQServer(folder)
        self.server.start()

    @property
    def url(self) -> str:
        return f"amqp://guest:guest@127.0.0.1:{self.server.port}/"

    @contextmanager
    def channel(self) -> Iterator[Any]:
        connection = pika.BlockingConnection(pika.URLParameters(self.url))
        yield connection.channel()
        connection.close()

    def fill(self, queue: str, count: int, put: Callable[[Any], None] | None = None) -> None:
        """Put so many messages there, confirmed."""
        properties = pika.BasicProperties(delivery_mode=2)

        def part(number: int) -> None:
            with self.channel() as channel:
                channel.confirm_delivery()
                for _ in range(number):
                    if put is None:
                        channel.basic_publish("", queue, BODY, properties)
                    else:
                        put(channel)

        with self.channel() as channel:
            channel.queue_declare(queue, durable=True, arguments={"x-queue-type": "quorum"})
        with ThreadPoolExecutor(20) as threads:
            list(threads.map(part, [count // 20] * 20))

    def rate(self, queue: str, count: int, begin: Callable[[], Callable[[], None]]) -> float:
        """Return messages per second from the first that is taken until the last one is acknowledged."""
        with self.channel() as channel:

            def left() -> int:
                return int(channel.queue_declare(queue, passive=True).method.message_count)

            stop = begin()
            try:
                # How long somebody takes to start is not what is measured.
                eventually(lambda: left() < count, timeout_s=_TIMEOUT_S, what="the first message")
                first, began = left(), time.perf_counter()
                eventually(lambda: left() == 0, timeout_s=_TIMEOUT_S, what="the last message")
                return first / (time.perf_counter() - began)
            finally:
                stop()


def pika_begin(broker: Broker, queue: str) -> Callable[[], None]:
    """The client's library alone, with nothing around it."""
    script = (
        "import pika, sys\n"
        "c = pika.BlockingConnection(pika.URLParameters(sys.argv[1])).channel()\n"
        f"c.basic_qos(prefetch_count={PREFETCH})\n"
        "c.basic_consume(sys.argv[2], lambda ch, m, p, b: ch.basic_ack(m.delivery_tag))\n"
        "c.start_consuming()\n"
    )
    return _started([sys.executable, "-c", script, broker.url, queue], {})


def rival_begin(command: list[str], broker: Broker, queue: str) -> Callable[[], None]:
    environment = {"BENCH_BROKER": broker.url, "BENCH_QUEUE": queue, "PYTHONPATH": str(HERE / "rivals")}
    return _started([str(RIVALS_BIN / command[0]), *command[1:]], environment)


def _started(command: list[str], environment: dict[str, str]) -> Callable[[], None]:
    folder = Path(tempfile.mkdtemp(prefix="zato-bench-"))
    settings = [f"{name}={value}" for name, value in environment.items()]
    process = ServerProcess(["/usr/bin/env", *settings, *command], log=folder / "log", is_ready=lambda: True)
    process.start()
    return process.stop


class Ours:
    def __init__(self, cluster: AMQPCluster, broker: Broker) -> None:
        self._cluster = cluster
        self._broker = broker
        options = {"host": "127.0.0.1", "port": broker.server.port, "password": "guest"}
        self._create("definition-amqp", "bench", **options)
        self._create("outgoing-amqp", "bench", definition="bench")
        cluster.await_connected("bench")

    def _create(self, kind: str, name: str, **options: Any) -> None:
        self._cluster.server.invoke(f"zato.{kind}.create", {"name": name, **options})

    def begin(self, queue: str) -> Callable[[], None]:
        options = {"definition": "bench", "queue": queue, "service": "amqp.take", "prefetch_count": PREFETCH}
        self._create("channel-amqp", queue, **options)
        return lambda: self._cluster.delete(queue)

    def publish(self, queue: str, count: int, at_once: int) -> float:
        """Return messages per second that are confirmed."""
        connector = self._cluster.connectors[0]
        options = json.dumps({"routing_key": queue}).encode()
        stub = ConnectorStub(connector.client.channel)
        began = time.perf_counter()
        for start in range(0, count, at_once):
            messages = [
                contract.OutgoingMessage(id=f"m{number}", body=BODY, options_json=options)
                for number in range(start, start + at_once)
            ]
            request = contract.PublishRequest(connection="bench", messages=messages)
            answer = connector.client.call(stub.Publish, request, timeout_s=60)
            assert not any(each.HasField("error") for each in answer.results), answer
        return count / (time.perf_counter() - began)

    def memory_mb(self) -> float:
        return float(psutil.Process(self._cluster.connectors[0].process.pid).memory_info().rss) / 1e6


def zmq_rate(cluster: ZMQCluster, count: int) -> float:
    """Return messages per second that are acknowledged, 200 on their way at a time."""
    address = f"tcp://127.0.0.1:{free_port()}"
    values = {"name": "bench", "address": address, "service": "zmq.take", "socket_type": "ROUTER"}
    cluster.server.invoke("zato.channel-zmq.create", values)
    cluster.await_connected("bench")
    with zmq.Context() as context, context.socket(zmq.DEALER) as dealer:
        dealer.linger = 0
        dealer.connect(address)
        sent = done = 0
        began = time.perf_counter()
        while done < count:
            while sent < count and sent - done < 200:
                dealer.send_multipart([b"ZATO1", b"MSG", b"%d" % sent, BODY])
                sent += 1
            assert dealer.poll(30_000), "no acknowledgement came"
            dealer.recv_multipart()
            done += 1
        return count / (time.perf_counter() - began)


def measure(count: int, turns: int) -> dict[str, Any]:
    folder = Path(tempfile.mkdtemp(prefix="zato-bench-"))
    redis = RedisServer(find_program("redis-server") or "redis-server", folder)
    redis.start()
    broker_folder = folder / "broker"
    broker_folder.mkdir()
    broker = Broker(broker_folder)
    clusters: list[ConnectorCluster] = []
    try:
        url = f"redis://127.0.0.1:{redis.port}"
        amqp = AMQPCluster(f"sqlite:///{folder}/amqp.db", f"{url}/1")
        clusters.append(amqp)
        amqp.start()
        ours = Ours(amqp, broker)
        result: dict[str, Any] = {"memory_mb": round(ours.memory_mb(), 1)}
        result["taken"] = _taken(ours, broker, count, turns)
        with broker.channel() as channel:
            channel.queue_declare("published", durable=True, arguments={"x-queue-type": "quorum"})
        result["published_together"] = [round(ours.publish("published", count // 2, 500)) for _ in range(turns)]
        result["published_one_by_one"] = [round(ours.publish("published", 500, 1)) for _ in range(turns)]
        amqp.end()
        clusters.clear()
        zmq_cluster = ZMQCluster(f"sqlite:///{folder}/zmq.db", f"{url}/2", redis_url=f"{url}/2")
        clusters.append(zmq_cluster)
        zmq_cluster.start()
        result["zmq"] = round(zmq_rate(zmq_cluster, count))
        return result
    finally:
        for cluster in clusters:
            cluster.end()
        broker.server.end()
        redis.stop()


def _taken(ours: Ours, broker: Broker, count: int, turns: int) -> dict[str, list[int]]:
    celery_body = json.dumps([[BODY.decode()], {}, {}])

    def celery_put(queue: str, channel: Any) -> None:
        headers = {"lang": "py", "task": "bench.take", "id": os.urandom(8).hex()}
        properties = pika.BasicProperties(
            delivery_mode=2, headers=headers, content_type="application/json", content_encoding="utf-8"
        )
        channel.basic_publish("", queue, celery_body.encode(), properties)

    takers: dict[str, Callable[[str], Callable[[], None]]] = {
        "pika": lambda queue: pika_begin(broker, queue),
        "ours": ours.begin,
        "faststream": lambda queue: rival_begin(["python", str(HERE / "rivals/faststream_app.py")], broker, queue),
        "celery": lambda queue: rival_begin(
            ["celery", "-A", "celery_app", "worker", "--pool", "solo", "--loglevel", "ERROR", "--without-mingle"], broker, queue
        ),
    }
    rates: dict[str, list[int]] = {name: [] for name in takers}
    for turn in range(turns):
        for name, begin in takers.items():
            queue = f"{name}-{turn}"
            put = (lambda channel, queue=queue: celery_put(queue, channel)) if name == "celery" else None
            broker.fill(queue, count, put)
            rates[name].append(round(broker.rate(queue, count, lambda begin=begin, queue=queue: begin(queue))))
            print(f"  {name:12} {rates[name][-1]:>7,} messages/s", flush=True)
    return rates


def report(result: dict[str, Any]) -> None:
    middle = {name: statistics.median(rates) for name, rates in result["taken"].items()}
    ours = middle["ours"]
    together, one = statistics.median(result["published_together"]), statistics.median(result["published_one_by_one"])
    for name, rate in middle.items():
        print(f"taken by {name:12} {rate:>8,.0f} messages/s   ours is {ours / rate:.2f} of it")
    print(f"published together    {together:>8,.0f} messages/s")
    print(f"published one by one  {one:>8,.0f} messages/s   together is {together / one:.1f} of it")
    print(f"zmq acknowledged      {result['zmq']:>8,.0f} messages/s")
    print(f"an idle connector     {result['memory_mb']:>8} MB")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=10_000, help="Of each measurement (default: 10,000)")
    parser.add_argument("--turns", type=int, default=3, help="How often each is measured (default: 3)")
    options = parser.parse_args()
    result = measure(options.messages, options.turns)
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    RESULT.write_text(json.dumps(result, indent=2))
    report(result)
    return 0


if __name__ == "__main__":
    sys.exit(main())
