"""Connections to brokers: TLS, several hosts, and what becomes of them when networks and brokers fail."""

import contextlib
import secrets
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import pytest

from zato.common.errors import ZatoError
from zato.common.testing.certificates import CertificateAuthority
from zato.common.testing.connector_cluster import PATIENCE_S
from zato.common.testing.connector_contract import bodies
from zato.common.testing.fault_proxy import FaultProxy
from zato.common.testing.partitions import FAULTS, cut_off
from zato.common.testing.processes import free_port
from zato.common.testing.steady import SteadySender
from zato.common.testing.waiting import eventually

if TYPE_CHECKING:
    from running_cluster import Cluster

PREFETCH = 50
# Of the ways in which the network is cut, the one whose channel has an inbox.
ONCE = "half_open"


@pytest.fixture
def name(cluster: "Cluster") -> Iterator[str]:
    """Of a definition, a queue, a channel and an outgoing connection of the test's own."""
    made = f"connection-{secrets.token_hex(3)}"
    yield made
    delete(cluster, made)


def delete(cluster: "Cluster", name: str) -> None:
    for kind in ("channel", "outgoing", "definition"):
        cluster.server.invoke(f"zato.{kind}-amqp.delete", {"name": name})


@pytest.fixture
def proxy(cluster: "Cluster") -> Iterator[FaultProxy]:
    with FaultProxy("127.0.0.1", cluster.broker.port) as made:
        yield made


def make(
    cluster: "Cluster",
    name: str,
    host: str,
    service: str = "amqp.note",
    channel: Mapping[str, Any] = MappingProxyType({}),
    **definition: Any,
) -> None:
    """Make a definition and what uses it, whether or not that can connect."""
    with cluster.amqp() as declaring:
        declaring.queue_declare(name, durable=True, arguments={"x-queue-type": "quorum"})
    assert cluster.create("definition-amqp", name, host=host, password="guest", **definition)
    options = {"queue": name, "service": service, "prefetch_count": PREFETCH, "tries": 2, **channel}
    assert cluster.create("channel-amqp", name, definition=name, **options)
    assert cluster.create("outgoing-amqp", name, definition=name)

    def is_known() -> bool:
        return sum(each.name == name for each in cluster.connectors[0].call("GetStatus").objects) == 2

    eventually(is_known, timeout_s=PATIENCE_S, what="the connector to know of both")


def ping(cluster: "Cluster", name: str) -> str:
    """Return why the definition's broker cannot be reached, "" when it can."""
    return str(eventually(lambda: cluster.server.invoke("zato.definition-amqp.ping", {"name": name}))["error"])


def why(cluster: "Cluster", name: str) -> str:
    """Return why the channel is not connected, "" while it is or nobody knows it yet."""
    status = cluster.status(name)
    return str(status.error) if status is not None and not status.is_connected else ""


def test_a_broker_is_reached_over_tls_with_a_certificate_of_ours(cluster: "Cluster", name: str) -> None:
    ours = cluster.authority.issue(f"client-{name}")
    files = {"certificate_file": str(ours.certificate), "key_file": str(ours.key), "ca_file": str(ours.authorities)}
    make(cluster, name, "localhost", port=cluster.broker.tls_port, is_tls=True, **files)
    cluster.await_connected(name)
    assert ping(cluster, name) == ""
    cluster.server.invoke("amqp.send", {"body": "over TLS", "queue": name, "timeout_s": 10, "out": name})
    cluster.await_all(name, ["over TLS"])


def test_tls_with_the_wrong_certificates_says_what_is_wrong_and_connects_to_nobody(
    cluster: "Cluster", name: str, tmp_path: Path
) -> None:
    ours, stranger = cluster.authority.issue(f"client-{name}"), CertificateAuthority(tmp_path, "stranger")
    files = {"certificate_file": str(ours.certificate), "key_file": str(ours.key)}
    make(cluster, name, "localhost", port=cluster.broker.tls_port, is_tls=True, ca_file=str(stranger.file), **files)
    eventually(lambda: "certificate" in why(cluster, name), timeout_s=PATIENCE_S)
    assert "certificate" in ping(cluster, name)

    def edit(**options: Any) -> None:
        cluster.server.invoke("zato.definition-amqp.edit", {"name": name, **options})

    edit(ca_file="/nowhere/ca.pem")
    eventually(lambda: "/nowhere/ca.pem" in why(cluster, name), timeout_s=PATIENCE_S)
    edit(ca_file=str(ours.authorities), certificate_file="", key_file="")
    eventually(lambda: why(cluster, name) and "/nowhere" not in why(cluster, name), timeout_s=PATIENCE_S)
    edit(certificate_file=str(ours.certificate), key_file=str(ours.key))
    cluster.await_connected(name)


def test_the_next_host_is_taken_when_one_is_gone(cluster: "Cluster", name: str, proxy: FaultProxy) -> None:
    hosts = f"127.0.0.1:{free_port()}, 127.0.0.1:{proxy.port}, 127.0.0.1:{cluster.broker.port}"
    make(cluster, name, hosts, heartbeat=2)
    cluster.await_connected(name)
    assert ping(cluster, name) == ""
    proxy.cut()
    cluster.give(name, bodies(100))
    cluster.await_all(name, bodies(100))
    cluster.server.invoke("amqp.send", {"body": "last", "queue": name, "timeout_s": 30, "out": name})
    cluster.await_all(name, ["last"])


@pytest.mark.timeout(400)
def test_half_a_minute_of_partition_loses_nothing_that_was_confirmed_and_consumers_are_back_soon_after(
    cluster: "Cluster",
) -> None:
    names = {fault: f"partition-{fault}-{secrets.token_hex(3)}" for fault in FAULTS}
    with contextlib.ExitStack() as stack:
        proxies = {fault: stack.enter_context(FaultProxy("127.0.0.1", cluster.broker.port)) for fault in FAULTS}
        for fault, name in names.items():
            channel = {"inbox_s": 600 if fault == ONCE else 0}
            make(cluster, name, "127.0.0.1", channel=channel, port=proxies[fault].port, heartbeat=2)
            stack.callback(delete, cluster, name)
            cluster.await_connected(name)
            stack.enter_context(cluster.giving(name, bodies(600)))
        with contextlib.ExitStack() as sending:
            senders = {
                fault: (
                    sending.enter_context(SteadySender(stack.enter_context(cluster.peer_sender(name)), "theirs")),
                    sending.enter_context(SteadySender(cluster.sender(name, out=name, timeout_s=5.0), "ours")),
                )
                for fault, name in names.items()
            }
            cut_off(cluster, names, proxies, senders)
            assert all(ours.failures for _, ours in senders.values())
        for fault, name in names.items():
            assert cluster.await_settled(name, bodies(600), senders[fault]).total() <= PREFETCH
    assert set(Counter(cluster.lines(names[ONCE])).values()) == {1}


def test_a_service_may_take_longer_than_the_heartbeat(cluster: "Cluster", name: str) -> None:
    make(cluster, name, "127.0.0.1", "amqp.nap", port=cluster.broker.port, heartbeat=2)
    cluster.await_connected(name)
    cluster.give(name, ["slow"])
    assert cluster.await_all(name, ["slow"]) == {"slow": 1}
    eventually(lambda: cluster.is_empty(name), timeout_s=PATIENCE_S)
    assert cluster.lines(name) == ["slow"]


def test_a_deleted_queue_is_noticed_and_its_successor_consumed(cluster: "Cluster", name: str) -> None:
    make(cluster, name, "127.0.0.1", port=cluster.broker.port)
    cluster.await_connected(name)
    with cluster.amqp() as channel:
        channel.queue_delete(name)
    eventually(lambda: "no queue" in why(cluster, name), timeout_s=PATIENCE_S)
    with pytest.raises(ZatoError, match="reaches no queue"):
        cluster.server.invoke("amqp.send", {"body": "x", "queue": name, "timeout_s": 10, "out": name})
    with cluster.amqp() as channel:
        channel.queue_declare(name, durable=True, arguments={"x-queue-type": "quorum"})
    cluster.await_connected(name)
    cluster.give(name, ["after all"])
    cluster.await_all(name, ["after all"])
