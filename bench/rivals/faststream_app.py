"""FastStream: a handler that does nothing, acknowledged after it is done."""

import asyncio
import os

from faststream import AckPolicy, FastStream
from faststream.rabbit import Channel, QueueType, RabbitBroker, RabbitQueue

broker = RabbitBroker(os.environ["BENCH_BROKER"], default_channel=Channel(prefetch_count=50), logger=None)
app = FastStream(broker)
queue = RabbitQueue(os.environ["BENCH_QUEUE"], durable=True, queue_type=QueueType.QUORUM)


@broker.subscriber(queue, ack_policy=AckPolicy.NACK_ON_ERROR)
async def take(body: bytes) -> None:
    pass


if __name__ == "__main__":
    asyncio.run(app.run())
