"""
Memory of connectors that have nothing to do: `python -m bench.idle_connectors`, about a minute.

Each has a definition, a channel and an outgoing connection, all of them connected, and has waited for ten seconds. Nobody
reads numbers from it: `http_address` adds 2 MB, and 2 more once somebody does. ZeroMQ has no definitions, and the one of MQ
is of the provider `amqp10`; `jms` has a Java virtual machine in its process, which takes some 100 MB.

    RSS     all that is in memory, pages of libraries included that other processes share
    PSS     the same, with shared pages divided among those who have them
"""

import contextlib
import importlib.util
import io
import shutil
import sys
import tempfile
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import pika
import psutil

from bench.figures import Figure, show
from zato.common.testing.connector_cluster import PATIENCE_S, ConnectorCluster
from zato.common.testing.processes import free_port
from zato.common.testing.programs import find_program
from zato.common.testing.rabbitmq_server import RabbitMQServer
from zato.common.testing.redis_server import RedisServer
from zato.common.testing.waiting import eventually

TARGET_MB = 50
_SETTLING_S = 10.0
_QUEUE = "idle"
Options = dict[str, Any]


@dataclass(frozen=True)
class Memory:
    """Megabytes, of 10^6 bytes."""

    rss: float
    pss: float


class AMQP(ConnectorCluster):
    protocol, module, prefetch = "amqp", "zato.connector_amqp", "prefetch_count"
    definition: ClassVar[Options] = {"host": "127.0.0.1", "password": "guest"}

    def objects(self) -> dict[str, Options]:
        return {"channel": {"definition": "idle", "queue": _QUEUE}, "outgoing": {"definition": "idle"}}


class ZMQ(ConnectorCluster):
    protocol, module, prefetch = "zmq", "zato.connector_zmq", "prefetch"
    definition: ClassVar[Options] = {}

    def objects(self) -> dict[str, Options]:
        address = f"tcp://127.0.0.1:{free_port()}"
        # The one is the other's peer.
        return {
            "channel": {"address": address, "socket_type": "ROUTER"},
            "outgoing": {"address": address, "socket_type": "DEALER"},
        }


class MQ(AMQP):
    protocol, module, prefetch, setting = "jms-wmq", "zato.connector_mq", "pool_size", "connector_mq_addresses"
    definition: ClassVar[Options] = {
        "provider": "amqp10",
        "host": "127.0.0.1",
        "username": "guest",
        "password": "guest",
        "queue_prefix": "/amq/queue/",
    }


def measure(broker: RabbitMQServer, cluster: ConnectorCluster) -> Memory:
    assert isinstance(cluster, AMQP | ZMQ)
    # The logs of parts that end are for tests.
    with contextlib.redirect_stdout(io.StringIO()), cluster:
        protocol = cluster.protocol
        if cluster.definition:
            definition = {**cluster.definition, "port": broker.port}
            assert cluster.create(f"definition-{protocol}", "idle", **definition)
        objects = cluster.objects()
        assert cluster.create(f"channel-{protocol}", "idle-in", service=f"{protocol}.note", **objects["channel"])
        assert cluster.create(f"outgoing-{protocol}", "idle-out", **objects["outgoing"])
        # The first one has an `http_address`, and may have what the other one has to listen at.
        cluster.connectors[0].process.stop()
        idle = cluster.connectors[1]
        idle.start()
        for name in ("idle-in", "idle-out"):
            eventually(partial(idle.is_connected, name), timeout_s=PATIENCE_S, what=name)
        time.sleep(_SETTLING_S)
        taken = psutil.Process(idle.process.pid).memory_full_info()
        return Memory(taken.rss / 1e6, taken.pss / 1e6)


def measure_all() -> dict[str, Memory]:
    """Return what each takes, by the names of the parts."""
    folder = Path(tempfile.mkdtemp(prefix="zato-bench-"))
    redis = RedisServer(find_program("redis-server") or "redis-server", folder)
    redis.start()
    broker = RabbitMQServer(folder, plugins=("rabbitmq_amqp1_0",))
    try:
        broker.start()
        with pika.BlockingConnection(pika.ConnectionParameters("127.0.0.1", broker.port)) as connection:
            for queue in (_QUEUE, f"{_QUEUE}.BACKOUT"):
                connection.channel().queue_declare(queue, durable=True)
        found: dict[str, Memory] = {}
        for name, make in (("amqp", AMQP), ("zmq", ZMQ), ("mq", MQ)):
            if make is MQ and importlib.util.find_spec("proton") is None:
                print("connector-mq is left out: install its extra, amqp10", file=sys.stderr)
                continue
            url = f"redis://127.0.0.1:{redis.port}/{len(found) + 1}"
            settings: dict[str, Any] = {"redis_url": url} if make is ZMQ else {}
            found[f"connector-{name}"] = measure(broker, make(f"sqlite:///{folder}/{name}.db", url, **settings))
        return found
    finally:
        broker.end()
        redis.stop()
        shutil.rmtree(folder, ignore_errors=True)


def figures_of(found: dict[str, Memory]) -> list[Figure]:
    figures = []
    for name, memory in found.items():
        figures.append(Figure(f"an idle {name}", memory.rss, "MB RSS", f"≤ {TARGET_MB}"))
        figures.append(Figure("the same, shared pages divided among those who have them", memory.pss, "MB PSS"))
    return figures


if __name__ == "__main__":
    show(figures_of(measure_all()))
    sys.exit(0)
