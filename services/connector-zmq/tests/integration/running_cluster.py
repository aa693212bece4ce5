"""A server and connectors as child processes, ended by their process ids."""

import contextlib
import os
import random
import time
from collections.abc import Iterator, Sequence
from typing import Any

import zmq

from zato.common.testing.connector_cluster import PATIENCE_S, ConnectorCluster
from zato.common.testing.processes import free_port
from zato.common.testing.waiting import eventually

_MALFORMED = 10_000
# Fewer than a socket keeps for a peer that does not read.
_AT_A_TIME = 100


class Cluster(ConnectorCluster):
    protocol = "zmq"
    module = "zato.connector_zmq"
    prefetch = "prefetch"
    services = """

class Echo(Service):
    name = "zmq.echo"

    def handle(self):
        self.response.payload = "echo " + self.request.raw_request.decode()


class Send(Service):
    name = "zmq.send"

    def handle(self):
        wanted = self.request.payload
        more = {"timeout_s": wanted.get("timeout_s", 10), "topic": wanted.get("topic", "")}
        answer = self.outgoing.zmq.send(wanted["body"], wanted["out"], **more)
        self.response.payload = {"answer": answer.decode()}
"""

    def __init__(self, odb_url: str, redis_url: str) -> None:
        super().__init__(odb_url, redis_url, redis_url=redis_url)
        self._addresses: dict[str, str] = {}

    def channel(self, name: str, service: str, **options: Any) -> str:
        """Make a channel, and return its address once it listens there."""
        address = str(options.pop("address", f"tcp://127.0.0.1:{free_port()}"))
        self.make_channel(name, service, address=address, **options)
        self._addresses[name] = address
        return address

    def safe_channel(self, name: str, service: str, **options: Any) -> None:
        self.channel(name, service, socket_type="ROUTER", **options)

    def give(self, name: str, bodies: Sequence[str]) -> None:
        """As a peer of the acknowledged protocol has to: each is sent again until it is acknowledged."""
        waiting = {body.encode(): body.encode() for body in bodies}
        deadline = time.monotonic() + PATIENCE_S * 2
        with zmq.Context() as context, context.socket(zmq.DEALER) as dealer:
            dealer.linger = 0
            dealer.connect(self._addresses[name])
            while waiting:
                assert time.monotonic() < deadline, f"{len(waiting)} were not acknowledged"
                for message_id, body in list(waiting.items()):
                    dealer.send_multipart([b"ZATO1", b"MSG", message_id, body])
                # As long as some are answered the others wait for their turn.
                while waiting and dealer.poll(2000):
                    waiting.pop(dealer.recv_multipart()[2], None)

    @contextlib.contextmanager
    def given(self, name: str, bodies: Sequence[str]) -> Iterator[None]:
        # It is the sender who keeps them until they are done.
        with self.giving(name, bodies):
            yield

    def give_malformed(self, name: str) -> int:
        """Each is answered with the reason why it is refused, but for answers, which are given none."""
        made = random.Random(1)
        parts = [b"", b"ZATO1", b"MSG", b"ACK", b"id", b"\xff\xfe", os.urandom(300)]
        made_frames = ([made.choice(parts) for _ in range(made.randrange(1, 7))] for _ in range(2 * _MALFORMED))
        right = [[b"ZATO1", b"MSG", message_id] for message_id in (b"ZATO1", b"MSG", b"ACK", b"id")]
        wrong = [frames for frames in made_frames if frames[:3] not in right or len(frames) != 4][:_MALFORMED]
        assert len(wrong) == _MALFORMED
        with zmq.Context() as context, context.socket(zmq.DEALER) as dealer:
            dealer.linger = 10_000
            dealer.connect(self._addresses[name])
            for start in range(0, len(wrong), _AT_A_TIME):
                some = wrong[start : start + _AT_A_TIME]
                for frames in some:
                    dealer.send_multipart(frames)
                for _ in [frames for frames in some if frames[1:2] != [b"ACK"]]:
                    assert dealer.poll(int(PATIENCE_S * 1000)), "a message was not answered"
                    version, kind, _message_id, reason = dealer.recv_multipart()
                    assert (version, kind, bool(reason)) == (b"ZATO1", b"NAK", True)
        return 0

    def is_empty(self, name: str) -> bool:
        # Peers keep what is not acknowledged, and `give` waits for that.
        return int(self.status(name).in_flight) == 0

    def broken_options(self, name: str) -> dict[str, Any]:
        # Of no machine: 192.0.2.0/24 is for documentation.
        return {"address": "tcp://192.0.2.1:5555"}

    def whole_options(self, name: str) -> dict[str, Any]:
        return {"address": self._addresses[name]}

    def outgoing(self, name: str, address: str, **options: Any) -> None:
        """Make an outgoing connection, and wait until the connector has it; its peer need not be there."""
        self.server.invoke("zato.outgoing-zmq.create", {"name": name, "address": address, **options})
        eventually(lambda: self.status(name), timeout_s=PATIENCE_S, what=f"{name} to be known")
