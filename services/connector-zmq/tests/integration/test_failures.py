"""Messages that are acknowledged, while peers end and networks are cut, and both sides go on sending."""

import contextlib
import secrets
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import zmq

from zato.common.testing.connector_cluster import PATIENCE_S
from zato.common.testing.fault_proxy import FaultProxy
from zato.common.testing.partitions import FAULTS, LONGEST_BACK_S, PARTITION_S
from zato.common.testing.processes import free_port
from zato.common.testing.steady import SteadySender
from zato.common.testing.waiting import eventually

if TYPE_CHECKING:
    from running_cluster import Cluster

PREFETCH = 50
# Of the ways in which the network is cut, the one whose channel has an inbox.
ONCE = "half_open"
_PEER = Path(__file__).with_name("peer.py")


@contextlib.contextmanager
def taking(port: int, path: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """Have a peer which takes messages, each written down before it is acknowledged."""
    process = subprocess.Popen([sys.executable, str(_PEER), "take", f"tcp://127.0.0.1:{port}", str(path)])
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@contextlib.contextmanager
def peer_sender(port: int) -> Iterator[Callable[[str], None]]:
    """Have what sends a message to a channel as somebody else's program does, and waits a second for the acknowledgement."""
    with zmq.Context() as context, context.socket(zmq.DEALER) as dealer:
        dealer.linger = 0
        dealer.connect(f"tcp://127.0.0.1:{port}")

        def send(body: str) -> None:
            message_id = body.encode()
            dealer.send_multipart([b"ZATO1", b"MSG", message_id, message_id])
            deadline = time.monotonic() + 1
            while dealer.poll(max(0, int((deadline - time.monotonic()) * 1000))):
                if dealer.recv_multipart()[1:3] == [b"ACK", message_id]:
                    return
            raise TimeoutError(body)

        yield send


def our_sender(cluster: "Cluster", out: str) -> Callable[[str], None]:
    def send(body: str) -> None:
        cluster.server.invoke("zmq.send", {"body": body, "out": out, "timeout_s": 1})

    return send


def listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


def taken_twice(path: Path, sender: SteadySender) -> int:
    """
    Return how many messages a peer has more often than they were sent; each that was confirmed it has.

    A message is counted once: while the network is cut one that waits is sent again and again, and all of that may arrive.
    """
    counts = Counter(path.read_text().split())
    assert set(counts) >= set(sender.confirmed)
    return len(counts - sender.attempts)


def await_back(senders: Sequence[SteadySender], what: str) -> None:
    """Wait until all have had a message confirmed since now, and say how long that took."""
    began = time.monotonic()
    for each in senders:
        each.await_more(1)
    back_s = time.monotonic() - began
    print(f"{what}: messages were confirmed again after {back_s:.2f} s")
    assert back_s < LONGEST_BACK_S


@pytest.mark.parametrize("end", ["terminate", "kill"])
def test_a_peer_that_ends_while_messages_are_sent_has_all_that_it_acknowledged_and_is_found_again(
    cluster: "Cluster", tmp_path: Path, end: str
) -> None:
    name, port, path = f"peer-{end}", free_port(), tmp_path / "taken"
    cluster.outgoing(name, f"tcp://127.0.0.1:{port}", socket_type="DEALER", resend_after_s=0.2)
    with contextlib.ExitStack() as stack:
        process = stack.enter_context(taking(port, path))
        with SteadySender(our_sender(cluster, name), "ours") as sender:
            sender.await_more(20)
            getattr(process, end)()
            sender.await_failure()
            stack.enter_context(taking(port, path))
            eventually(lambda: listens(port), timeout_s=PATIENCE_S, what="the peer's successor")
            await_back([sender], end)
            sender.await_more(20)
    twice = taken_twice(path, sender)
    print(f"{end}: {len(sender.confirmed)} confirmed, none lost, {twice} taken twice")
    assert twice <= PREFETCH


@pytest.mark.timeout(400)
def test_half_a_minute_of_partition_loses_nothing_that_was_confirmed_and_messages_flow_soon_after(
    cluster: "Cluster", tmp_path: Path
) -> None:
    names = {fault: f"partition-{fault}-{secrets.token_hex(3)}" for fault in FAULTS}
    with contextlib.ExitStack() as stack:
        proxies: list[tuple[str, FaultProxy]] = []
        senders: dict[str, tuple[SteadySender, SteadySender]] = {}

        def behind_proxy(fault: str, port: int) -> int:
            proxies.append((fault, stack.enter_context(FaultProxy("127.0.0.1", port))))
            return proxies[-1][1].port

        with contextlib.ExitStack() as sending:
            for fault, name in names.items():
                ours, theirs = free_port(), free_port()
                inbox_s = 600 if fault == ONCE else 0
                address = f"tcp://127.0.0.1:{ours}"
                cluster.safe_channel(name, "zmq.note", address=address, prefetch=PREFETCH, inbox_s=inbox_s)
                stack.enter_context(taking(theirs, tmp_path / fault))
                address = f"tcp://127.0.0.1:{behind_proxy(fault, theirs)}"
                cluster.outgoing(f"{name}-out", address, socket_type="DEALER", heartbeat_ms=1000)
                send = stack.enter_context(peer_sender(behind_proxy(fault, ours)))
                senders[fault] = (
                    sending.enter_context(SteadySender(send, "theirs")),
                    sending.enter_context(SteadySender(our_sender(cluster, f"{name}-out"), "ours")),
                )
            everybody = [each for pair in senders.values() for each in pair]
            for each in everybody:
                each.await_more(20)
            for fault, proxy in proxies:
                getattr(proxy, fault)()
            for each in everybody:
                each.await_failure()
            time.sleep(PARTITION_S)
            for _, proxy in proxies:
                proxy.restore()
            await_back(everybody, "partition")
            for each in everybody:
                each.await_more(20)
        for fault, name in names.items():
            received, sent = senders[fault]
            assert cluster.await_settled(name, (), [received]).total() <= PREFETCH
            assert taken_twice(tmp_path / fault, sent) <= PREFETCH
    assert set(Counter(cluster.lines(names[ONCE])).values()) == {1}
