"""
Messages through a connector and a service, beside what else takes them: `make bench-messages`, about four minutes.

    taken       broker → service → acknowledged, at most 50 unacknowledged; JSON objects of 1 kB, persistent, from quorum queues
    published   service's side → connector → broker's confirmation; in batches, and one by one
    memory      of connectors that have nothing to do, see bench/idle_connectors.py
    zmq         the acknowledged protocol, 200 messages on their way at a time

All take the same messages from the same broker, one after the other, several times in turns; the numbers are medians, and only
ratios within one run mean something. What is compared is what a user would start: each acknowledges after its handler has
read the decoded message, with its framework's own defaults beside that; all but pika log each message into a file.

    pika        its library's callback, json.loads, basic_ack; one process
    ours        connector and server with one worker: three processes that work
    faststream  `async def take(order: dict)`, default policy of acknowledgement, default logger; one process
    celery      a task of late acknowledgement, prefork pool of one, `--loglevel INFO`: two processes

`--quiet` compares them with nothing logged per message. Processor time per message is of all processes of whoever takes, and
beside it what the broker spends on it.
"""

import argparse
import json
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pika
import psutil
import zmq

from bench import idle_connectors
from bench.figures import Figure, keep, show
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
ORDER = {"order_id": 123_456, "customer": "Jane Doe", "lines": [{"sku": f"sku-{at}", "count": at} for at in range(28)]}
BODY = json.dumps(ORDER).encode()
PREFETCH = 50
_TIMEOUT_S = 120.0


class Cluster(ConnectorCluster):
    services = """

class Take(Service):
    name = "@PROTOCOL@.take"

    def handle(self):
        self.order_id = self.request.payload["order_id"]
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

    def measure(self, queue: str, begin: Callable[[], "Taker"]) -> "Taken":
        """Measure from the first message that is taken until the last one is acknowledged."""
        with self.channel() as channel:

            def left() -> int:
                return int(channel.queue_declare(queue, passive=True).method.message_count)

            count = left()
            taker = begin()
            try:
                # How long somebody takes to start is not what is measured.
                eventually(lambda: left() < count, timeout_s=_TIMEOUT_S, what="the first message")
                broker = _family(self.server.pid)
                first, began = left(), time.perf_counter()
                assert first, "all were taken before anybody looked: --messages has to be larger"
                broker_s, takers_s = _cpu_s(broker), {name: _cpu_s(family) for name, family in taker.processes().items()}
                eventually(lambda: left() == 0, timeout_s=_TIMEOUT_S, what="the last message")
                elapsed_s = time.perf_counter() - began
                spent_s = {name: _cpu_s(family) - takers_s[name] for name, family in taker.processes().items()}
                broker_us = (_cpu_s(broker) - broker_s) * 1e6 / first
            finally:
                taker.stop()
        return Taken(first / elapsed_s, {name: seconds * 1e6 / first for name, seconds in spent_s.items()}, broker_us)


@dataclass(frozen=True)
class Taker:
    """
    What takes messages now.

    Args:
        processes: By name, to tell where the time goes.
    """

    stop: Callable[[], None]
    processes: Callable[[], dict[str, list[psutil.Process]]]


@dataclass(frozen=True)
class Taken:
    """Messages per second, and microseconds of processor time per message: by process, and of the broker."""

    rate: float
    spent_us: dict[str, float]
    broker_us: float


def _family(pid: int) -> list[psutil.Process]:
    process = psutil.Process(pid)
    return [process, *process.children(recursive=True)]


def _cpu_s(processes: list[psutil.Process]) -> float:
    total = 0.0
    for process in processes:
        # Brokers have helpers that come and go.
        with suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            total += times.user + times.system
    return total


def pika_begin(broker: Broker, queue: str) -> Taker:
    """The client's library alone, with nothing around it."""
    script = (
        "import json, pika, sys\n"
        "c = pika.BlockingConnection(pika.URLParameters(sys.argv[1])).channel()\n"
        f"c.basic_qos(prefetch_count={PREFETCH})\n"
        "def take(ch, m, p, b):\n"
        "    json.loads(b)['order_id']\n"
        "    ch.basic_ack(m.delivery_tag)\n"
        "c.basic_consume(sys.argv[2], take)\n"
        "c.start_consuming()\n"
    )
    return _started([sys.executable, "-c", script, broker.url, queue], {})


def rival_begin(command: list[str], broker: Broker, queue: str, *, is_quiet: bool) -> Taker:
    environment = {"BENCH_BROKER": broker.url, "BENCH_QUEUE": queue, "PYTHONPATH": str(HERE / "rivals")}
    if is_quiet:
        environment["BENCH_QUIET"] = "1"
    return _started([str(RIVALS_BIN / command[0]), *command[1:]], environment)


def _started(command: list[str], environment: dict[str, str]) -> Taker:
    folder = Path(tempfile.mkdtemp(prefix="zato-bench-"))
    settings = [f"{name}={value}" for name, value in environment.items()]
    process = ServerProcess(["/usr/bin/env", *settings, *command], log=folder / "log", is_ready=lambda: True)
    process.start()

    def stop() -> None:
        # A pool of processes ends its own ones when it is asked to.
        process.stop()
        shutil.rmtree(folder)

    return Taker(stop, lambda: {"all": _family(process.pid)})


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

    def begin(self, queue: str) -> Taker:
        options = {"service": "amqp.take", "prefetch_count": PREFETCH, "data_format": "json"}
        self._create("channel-amqp", queue, definition="bench", queue=queue, **options)
        return Taker(lambda: self._cluster.delete(queue), self._processes)

    def _processes(self) -> dict[str, list[psutil.Process]]:
        master, *others = _family(self._cluster.server.process.pid)
        sidecars = [process for process in others if "zato.server.sidecar" in process.cmdline()]
        return {
            "connector": _family(self._cluster.connectors[0].process.pid),
            "sidecar": sidecars,
            "worker": [master, *(process for process in others if process not in sidecars)],
        }

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


def zmq_rate(cluster: ZMQCluster, count: int) -> float:
    """Return messages per second that are acknowledged, 200 on their way at a time."""
    address = f"tcp://127.0.0.1:{free_port()}"
    values = {"name": "bench", "address": address, "service": "zmq.take", "socket_type": "ROUTER", "data_format": "json"}
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


def measure(count: int, turns: int, *, is_quiet: bool, only_taken: bool) -> dict[str, Any]:
    folder = Path(tempfile.mkdtemp(prefix="zato-bench-"))
    redis = RedisServer(find_program("redis-server") or "redis-server", folder)
    redis.start()
    broker_folder = folder / "broker"
    broker_folder.mkdir()
    broker = Broker(broker_folder)
    clusters: list[ConnectorCluster] = []
    try:
        url = f"redis://127.0.0.1:{redis.port}"
        amqp = AMQPCluster(f"sqlite:///{folder}/amqp.db", f"{url}/1", server_settings=_log_level(is_quiet))
        clusters.append(amqp)
        amqp.start()
        ours = Ours(amqp, broker)
        result: dict[str, Any] = {"taken": _taken(ours, broker, count, turns, is_quiet=is_quiet)}
        if only_taken:
            return result
        with broker.channel() as channel:
            channel.queue_declare("published", durable=True, arguments={"x-queue-type": "quorum"})
        together, one_by_one = result["published_together"], result["published_one_by_one"] = [], []
        for _ in range(turns):
            together.append(round(ours.publish("published", count // 2, 500)))
            one_by_one.append(round(ours.publish("published", 500, 1)))
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


def _log_level(is_quiet: bool) -> dict[str, Any]:
    return {"log_level": "WARNING"} if is_quiet else {}


def _taken(ours: Ours, broker: Broker, count: int, turns: int, *, is_quiet: bool) -> dict[str, list[dict[str, Any]]]:
    celery_body = json.dumps([[ORDER], {}, {}]).encode()

    def celery_put(queue: str, channel: Any) -> None:
        headers = {"lang": "py", "task": "bench.take", "id": os.urandom(8).hex()}
        properties = pika.BasicProperties(
            delivery_mode=2, headers=headers, content_type="application/json", content_encoding="utf-8"
        )
        channel.basic_publish("", queue, celery_body, properties)

    level = "WARNING" if is_quiet else "INFO"
    celery = ["celery", "-A", "celery_app", "worker", "--concurrency", "1", "--loglevel", level, "--without-mingle"]
    faststream = ["python", str(HERE / "rivals/faststream_app.py")]
    takers: dict[str, Callable[[str], Taker]] = {
        "pika": lambda queue: pika_begin(broker, queue),
        "ours": ours.begin,
        "faststream": lambda queue: rival_begin(faststream, broker, queue, is_quiet=is_quiet),
        "celery": lambda queue: rival_begin(celery, broker, queue, is_quiet=is_quiet),
    }
    taken: dict[str, list[dict[str, Any]]] = {name: [] for name in takers}
    for turn in range(turns):
        # Whoever comes first one time comes last another time.
        for name in [*takers, *takers][turn % len(takers) :][: len(takers)]:
            queue = f"{name}-{turn}"
            put = (lambda channel, queue=queue: celery_put(queue, channel)) if name == "celery" else None
            broker.fill(queue, count, put)
            one = broker.measure(queue, lambda name=name, queue=queue: takers[name](queue))
            taken[name].append(asdict(one))
            spent = ", ".join(f"{each} {spent_us:.0f}" for each, spent_us in one.spent_us.items())
            print(f"  {name:12} {one.rate:>7,.0f} messages/s   µs: {spent}; broker {one.broker_us:.0f}", flush=True)
    return taken


def figures_of(result: dict[str, Any]) -> list[Figure]:
    taken = result["taken"]
    rate = {name: statistics.median(each["rate"] for each in runs) for name, runs in taken.items()}
    spent_us = {name: statistics.median(sum(each["spent_us"].values()) for each in runs) for name, runs in taken.items()}
    figures = []
    for name in taken:
        figures.append(Figure(f"taken from RabbitMQ, given to a service, and acknowledged by {name}", rate[name], "messages/s"))
        figures.append(Figure("the same: processor time of each", spent_us[name], "µs"))
    for name, target in (("pika", "≥ 0.3, aim 0.6"), ("faststream", "≥ 2"), ("celery", "≥ 4")):
        figures.append(Figure(f"ours ÷ {name}", rate["ours"] / rate[name], "×", target))
    if "zmq" in result:
        together, one = statistics.median(result["published_together"]), statistics.median(result["published_one_by_one"])
        figures += [
            Figure("published and confirmed, many at a time", together, "messages/s"),
            Figure("the same ÷ one after the other", together / one, "×", "≥ 6"),
            Figure("taken by acknowledged ZeroMQ", result["zmq"], "messages/s"),
        ]
        idle = {name: idle_connectors.Memory(**each) for name, each in result["idle"].items()}
        figures += idle_connectors.figures_of(idle)
    return figures


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=10_000, help="Of each measurement (default: 10,000)")
    parser.add_argument("--turns", type=int, default=5, help="How often each is measured (default: 5)")
    parser.add_argument("--quiet", action="store_true", help="Nobody logs a message")
    parser.add_argument("--taken", action="store_true", help="Only how fast messages are taken")
    options = parser.parse_args()
    result = measure(options.messages, options.turns, is_quiet=options.quiet, only_taken=options.taken)
    if not options.taken:
        result["idle"] = {name: asdict(each) for name, each in idle_connectors.measure_all().items()}
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    RESULT.write_text(json.dumps(result, indent=2))
    figures = figures_of(result)
    keep("messages", figures)
    show(figures)
    return 0


if __name__ == "__main__":
    sys.exit(main())
