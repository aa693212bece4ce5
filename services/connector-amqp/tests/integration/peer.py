"""A peer as somebody else would write one, a process of its own: sends each line that it is given, and says what came of it."""

import logging
import sys
from typing import Any

import pika
import pika.exceptions


def send(port: int, queue: str) -> None:
    channel: Any = None
    for line in sys.stdin:
        body = line.rstrip("\n")
        try:
            if channel is None:
                channel = pika.BlockingConnection(pika.ConnectionParameters("127.0.0.1", port)).channel()
                channel.confirm_delivery()
            properties = pika.BasicProperties(delivery_mode=2, message_id=body)
            channel.basic_publish("", queue, body.encode(), properties, mandatory=True)
        except (pika.exceptions.AMQPError, OSError) as exc:
            channel = None
            print(f"not confirmed: {exc!r}".replace("\n", " "), flush=True)
        else:
            print("confirmed", flush=True)


if __name__ == "__main__":
    # What it cannot do it says itself.
    logging.disable()
    send(int(sys.argv[1]), sys.argv[2])
