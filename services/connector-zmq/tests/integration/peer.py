"""A peer as somebody else would write one, a process of its own: pyzmq and the documented frames, nothing of ours."""

import os
import sys
import time

import zmq


def send(address: str, count: int) -> None:
    """Send so many messages, at most 1,000 at a time, each until it is acknowledged; print how many were sent twice."""
    dealer = zmq.Context().socket(zmq.DEALER)
    dealer.connect(address)
    waiting = {f"id-{number}".encode(): f"b-{number}".encode() for number in range(count)}
    again = -count
    while waiting:
        for message_id, body in list(waiting.items())[:1000]:
            dealer.send_multipart([b"ZATO1", b"MSG", message_id, body])
            again += 1
        until = time.monotonic() + 1
        while waiting and dealer.poll(max(0, int((until - time.monotonic()) * 1000))):
            _, kind, message_id, _ = dealer.recv_multipart()
            if kind == b"ACK":
                waiting.pop(message_id, None)
    print(again)


def take(address: str, path: str) -> None:
    """Write each message down, then acknowledge it. What is written twice has come twice."""
    router = zmq.Context().socket(zmq.ROUTER)
    router.router_handover = 1
    router.bind(address)
    with open(path, "a") as file:
        while True:
            identity, version, _, message_id, body = router.recv_multipart()
            file.write(body.decode() + "\n")
            file.flush()
            os.fsync(file.fileno())
            router.send_multipart([identity, version, b"ACK", message_id, b"taken"])


if __name__ == "__main__":
    if sys.argv[1] == "send":
        send(sys.argv[2], int(sys.argv[3]))
    else:
        take(sys.argv[2], sys.argv[3])
