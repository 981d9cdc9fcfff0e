"""Celery over RabbitMQ with the vendor's SDK. `main(COUNT)` publishes so many jobs.

Settings for work that must not be lost: durable queue and persistent messages (Celery's defaults), publisher confirms,
`acks_late` with `reject_on_worker_lost`, and with it a prefetch of one message a slot. The result is stored by the task
itself, in PostgreSQL, so Celery's own result backend is off, as its documentation advises.
"""

from __future__ import annotations

import os
import time
from typing import Any

import orjson
from celery import Celery
from celery.signals import worker_process_init
from psycopg_pool import ConnectionPool

from bench.peers import results, sale

app = Celery("bench", broker=os.environ["BENCH_AMQP_URL"])
app.conf.update(
    task_default_queue=os.environ["BENCH_CELERY_QUEUE"],
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    task_ignore_result=True,
    worker_prefetch_multiplier=1,
    worker_send_task_events=False,
    broker_transport_options={"confirm_publish": True},
    broker_connection_retry_on_startup=True,
)
_pools: dict[int, ConnectionPool] = {}


def pool() -> ConnectionPool:
    """Connections of this process; as many as a database of 2 cores can use, threads take turns."""
    if os.getpid() not in _pools:
        _pools[os.getpid()] = ConnectionPool(results.url(), min_size=1, max_size=8, open=True)
    return _pools[os.getpid()]


@worker_process_init.connect
def _ready(**_: Any) -> None:
    pool()


@app.task
def fiscalize(order: dict[str, Any]) -> None:
    """Send, ask, store."""
    began_ns = time.monotonic_ns()
    client = sale.client()
    told = client.create_task(sale.check(order))._asdict()
    if sale.asks():
        told = client.get_task_info(told["id"])._asdict()
    with pool().connection() as connection:
        connection.execute(results.INSERT, results.row(order["number"], told, began_ns))


def main(count: int) -> None:
    """Publish jobs over one connection, each confirmed by the broker."""
    started = time.perf_counter()
    with app.producer_or_acquire() as producer:
        for number in range(count):
            fiscalize.apply_async((sale.order(number),), producer=producer)
    print(orjson.dumps({"value": count / (time.perf_counter() - started)}).decode())
