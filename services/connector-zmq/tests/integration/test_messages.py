"""Messages between real ZeroMQ peers and services, while the connector, the server and peers die and come back."""

import contextlib
import itertools
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import zmq

from zato.common.errors import ZatoError
from zato.common.testing.connector_cluster import PATIENCE_S
from zato.common.testing.processes import free_port
from zato.common.testing.waiting import eventually

if TYPE_CHECKING:
    from running_cluster import Cluster

_PEER = Path(__file__).with_name("peer.py")


@contextlib.contextmanager
def peer(*arguments: str) -> Iterator["subprocess.Popen[str]"]:
    process = subprocess.Popen([sys.executable, str(_PEER), *arguments], stdout=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@contextlib.contextmanager
def socket(kind: int, address: str, **attributes: Any) -> Iterator["zmq.Socket[bytes]"]:
    with zmq.Context() as context, context.socket(kind) as made:
        made.linger = 2000
        for name, value in attributes.items():
            setattr(made, name, value)
        made.connect(address)
        yield made


def bodies(count: int, start: str = "b") -> list[str]:
    return [f"{start}-{number}" for number in range(count)]


def test_what_is_pushed_and_published_reaches_the_service(cluster: "Cluster") -> None:
    with socket(zmq.PUSH, cluster.channel("pull", "zmq.note")) as push:
        for body in bodies(200):
            push.send_string(body)
        assert set(cluster.await_all("pull", bodies(200)).values()) == {1}
    with socket(zmq.PUB, cluster.channel("sub", "zmq.note", socket_type="SUB", sub_key="yes")) as pub:
        eventually(lambda: pub.send_multipart([b"no", b"n"]) or pub.send_multipart([b"yes", b"y"]) or cluster.lines("sub"))
    assert set(cluster.lines("sub")) == {"y"}


@pytest.mark.parametrize("socket_type", ["REP", "ROUTER"])
def test_the_answer_is_the_response_of_the_service(cluster: "Cluster", socket_type: str) -> None:
    address = cluster.channel(f"asked-{socket_type}", "zmq.echo", socket_type=socket_type, is_acknowledged=False)
    with socket(zmq.REQ, address) as stuck, socket(zmq.REQ, address, req_correlate=1, req_relaxed=1) as req:
        stuck.send(b"never reads the answer")
        for body in (b"one", b"", b"two"):
            req.send(body)
            assert req.poll(10_000)
            assert req.recv() == b"echo " + body


def test_no_acknowledged_message_is_lost_when_its_sender_is_killed(cluster: "Cluster") -> None:
    address = cluster.channel("killed-peer", "zmq.note", socket_type="ROUTER")
    with peer("send", address, "1000") as sender:
        eventually(lambda: cluster.lines("killed-peer"), what="the first messages")
        sender.kill()
    with peer("send", address, "1000") as successor:
        successor.communicate(timeout=60)
    assert set(cluster.await_all("killed-peer", bodies(1000))) == set(bodies(1000))


def test_a_message_sent_by_a_service_is_done_though_its_peer_is_killed(cluster: "Cluster", tmp_path: Path) -> None:
    address, path = f"tcp://127.0.0.1:{free_port()}", tmp_path / "taken"
    cluster.outgoing("dealer", address, socket_type="DEALER", resend_after_s=0.2)
    with peer("take", address, str(path)):
        for body in bodies(20):
            answer = cluster.server.invoke("zmq.send", {"body": body, "out": "dealer"})
            assert answer == {"answer": "taken"}
    with pytest.raises(ZatoError):
        cluster.server.invoke("zmq.send", {"body": "b-20", "out": "dealer", "timeout_s": 1})
    with peer("take", address, str(path)):
        cluster.server.invoke("zmq.send", {"body": "b-20", "out": "dealer"})
    assert set(path.read_text().split()) == set(bodies(21))


def test_a_service_hears_when_nobody_takes_what_it_pushes(cluster: "Cluster") -> None:
    address = f"tcp://127.0.0.1:{free_port()}"
    cluster.outgoing("push", address)
    with pytest.raises(ZatoError, match="no peer with room"):
        eventually(lambda: cluster.server.invoke("zmq.send", {"body": "x", "out": "push", "timeout_s": 0.5}))
    with zmq.Context() as context, context.socket(zmq.PULL) as pull:
        pull.bind(address)
        cluster.server.invoke("zmq.send", {"body": "x", "out": "push"})
        assert pull.poll(5000) and pull.recv() == b"x"


def test_a_peer_that_does_not_read_is_noticed_and_nothing_that_was_sent_is_lost(cluster: "Cluster") -> None:
    address = f"tcp://127.0.0.1:{free_port()}"
    cluster.outgoing("slow", address, snd_hwm=1)
    sent: list[int] = []

    def send_for_ever() -> None:
        for number in itertools.count():
            # What kernels keep between the two is some megabytes.
            cluster.server.invoke("zmq.send", {"body": f"{number}:" + "x" * 500_000, "out": "slow", "timeout_s": 0.3})
            sent.append(number)

    with zmq.Context() as context, context.socket(zmq.PULL) as pull:
        pull.rcvhwm = 1
        pull.bind(address)
        eventually(lambda: cluster.status("slow").is_connected, timeout_s=PATIENCE_S)
        with pytest.raises(ZatoError, match="no peer with room"):
            send_for_ever()
        taken = []
        while len(taken) < len(sent) and pull.poll(10_000):
            taken.append(int(pull.recv().partition(b":")[0]))
        assert taken == sent and len(sent) > 1
        cluster.server.invoke("zmq.send", {"body": "room again", "out": "slow"})
        assert pull.poll(10_000) and pull.recv() == b"room again"


def test_unix_sockets_carry_messages_both_ways(cluster: "Cluster") -> None:
    path = cluster.folder / "peer.sock"
    with socket(zmq.PUSH, cluster.channel("ipc", "zmq.note", address=f"ipc://{path}")) as push:
        push.send(b"in")
        cluster.await_all("ipc", ["in"])
    assert cluster.server.invoke("zato.channel-zmq.ping", {"name": "ipc"})["is_ok"]
    there = f"ipc://{cluster.folder / 'ours.sock'}"
    cluster.outgoing("ipc-out", there)
    with zmq.Context() as context, context.socket(zmq.PULL) as pull:
        pull.bind(there)
        cluster.server.invoke("zmq.send", {"body": "out", "out": "ipc-out"})
        assert pull.poll(10_000) and pull.recv() == b"out"


def test_what_a_service_publishes_reaches_who_subscribed_to_its_topic(cluster: "Cluster") -> None:
    address = f"tcp://127.0.0.1:{free_port()}"
    cluster.outgoing("pub", address, socket_type="PUB", socket_method="bind", wait_for_subscriber_s=30)
    with zmq.Context() as context, context.socket(zmq.SUB) as sub:
        sub.subscribe(b"wanted")
        sub.connect(address)
        for topic in ("wanted", "other", "wanted.too"):
            cluster.server.invoke("zmq.send", {"body": f"of {topic}", "out": "pub", "topic": topic})
        got = [sub.recv_multipart() for _ in range(2) if sub.poll(10_000)]
    assert got == [[b"wanted", b"of wanted"], [b"wanted.too", b"of wanted.too"]]
    with pytest.raises(ZatoError, match="topic"):
        cluster.server.invoke("zmq.send", {"body": "x", "out": "pub", "topic": "t" * 300})


def test_a_service_that_asks_gets_the_answer_or_hears_that_there_is_none(cluster: "Cluster") -> None:
    address = f"tcp://127.0.0.1:{free_port()}"
    cluster.outgoing("req", address, socket_type="REQ")
    with ThreadPoolExecutor(1) as threads, zmq.Context() as context, context.socket(zmq.REP) as rep:
        rep.bind(address)
        for body in ("one", "two"):
            asked = threads.submit(cluster.server.invoke, "zmq.send", {"body": body, "out": "req"})
            assert rep.poll(10_000)
            rep.send(b"answer to " + rep.recv())
            assert asked.result(10) == {"answer": f"answer to {body}"}
        asked = threads.submit(cluster.server.invoke, "zmq.send", {"body": "three", "out": "req", "timeout_s": 0.5})
        assert rep.poll(10_000) and rep.recv() == b"three"
        with pytest.raises(ZatoError, match="did not confirm"):
            asked.result(20)
        assert cluster.server.invoke("zato.outgoing-zmq.ping", {"name": "req"})["is_ok"]
    eventually(lambda: not cluster.server.invoke("zato.outgoing-zmq.ping", {"name": "req"})["is_ok"], timeout_s=PATIENCE_S)


def test_a_channel_is_edited_moved_and_deleted(cluster: "Cluster") -> None:
    address = cluster.channel("edited", "zmq.note")
    (made,) = [each for each in cluster.server.invoke("zato.channel-zmq.get-list", {}) if each["name"] == "edited"]
    values = {key: made[key] for key in ("id", "name", "service")}
    with socket(zmq.PUSH, address) as push:
        for at, body in enumerate(bodies(500)):
            push.send_string(body)
            if at in (100, 300):
                cluster.server.invoke("zato.channel-zmq.edit", {**values, "address": address, "tries": at})
        cluster.await_all("edited", bodies(500))
    moved = f"tcp://127.0.0.1:{free_port()}"
    cluster.server.invoke("zato.channel-zmq.edit", {**values, "address": moved})
    with socket(zmq.PUSH, moved) as push:
        push.send(b"moved")
        cluster.await_all("edited", ["moved"])
    cluster.server.invoke("zato.channel-zmq.delete", {"id": made["id"]})
    with zmq.Context() as context, context.socket(zmq.PULL) as pull:

        def is_free() -> bool:
            with contextlib.suppress(zmq.ZMQError):
                pull.bind(moved)
                return True
            return False

        eventually(is_free, what="the address")


def test_curve_lets_in_whom_it_should_only(cluster: "Cluster") -> None:
    server, client, stranger = zmq.curve_keypair(), zmq.curve_keypair(), zmq.curve_keypair()
    keys = {"curve_public_key": server[0].decode(), "curve_secret_key": server[1].decode()}
    address = cluster.channel("curve", "zmq.note", **keys, curve_client_keys=[client[0].decode()])

    def attributes(ours: tuple[bytes, bytes], theirs: bytes) -> dict[str, bytes]:
        return {"curve_publickey": ours[0], "curve_secretkey": ours[1], "curve_serverkey": theirs}

    with (
        socket(zmq.PUSH, address, **attributes(stranger, server[0])) as unknown,
        socket(zmq.PUSH, address) as plain,
        socket(zmq.PUSH, address, **attributes(client, stranger[0])) as mistaken,
        socket(zmq.PUSH, address, **attributes(client, server[0])) as known,
    ):
        for each, body in ((unknown, b"unknown"), (plain, b"plain"), (mistaken, b"mistaken")):
            each.linger = 0
            each.send(body)
        known.send(b"known")
        cluster.await_all("curve", ["known"])
    assert cluster.lines("curve") == ["known"]
