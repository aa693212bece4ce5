"""FastStream: a handler that reads a JSON object, acknowledged after it is done; all beside that as it comes."""

import asyncio
import os
from typing import Any

from faststream import FastStream
from faststream.rabbit import Channel, QueueType, RabbitBroker, RabbitQueue

quiet = {"logger": None} if os.environ.get("BENCH_QUIET") else {}
broker = RabbitBroker(os.environ["BENCH_BROKER"], default_channel=Channel(prefetch_count=50), **quiet)
app = FastStream(broker, **quiet)
queue = RabbitQueue(os.environ["BENCH_QUEUE"], durable=True, queue_type=QueueType.QUORUM)


@broker.subscriber(queue)
async def take(order: dict[str, Any]) -> None:
    order["order_id"]


if __name__ == "__main__":
    asyncio.run(app.run())
