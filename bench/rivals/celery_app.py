"""Celery: a task that reads a JSON object, acknowledged after it is done, in the usual pool of processes, of one."""

import os
from typing import Any

from celery import Celery
from kombu import Queue

app = Celery("bench", broker=os.environ["BENCH_BROKER"])
app.conf.update(
    task_acks_late=True,
    task_ignore_result=True,
    worker_prefetch_multiplier=50,
    worker_concurrency=1,
    task_default_queue=os.environ["BENCH_QUEUE"],
    task_queues=[Queue(os.environ["BENCH_QUEUE"], queue_arguments={"x-queue-type": "quorum"})],
    broker_connection_retry_on_startup=True,
)


@app.task(name="bench.take")
def take(order: dict[str, Any]) -> None:
    order["order_id"]
