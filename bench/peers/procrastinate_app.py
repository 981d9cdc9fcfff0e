"""procrastinate over PostgreSQL with aiohttp.

`main("defer", COUNT)` defers jobs in batches, as its documentation advises for many. `main("work", IN_FLIGHT)` is an
asynchronous worker with one shared HTTP session and the connection pool of the connector. The result is stored by the
task, in the same database.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import time
from typing import Any

import aiohttp
import orjson
from procrastinate import App, PsycopgConnector
from psycopg_pool import AsyncConnectionPool

from bench.peers import results, sale

BATCH = 100
app = App(connector=PsycopgConnector(conninfo=results.url(), min_size=4, max_size=10))
_held: dict[str, Any] = {}  # the HTTP session and the connections of a worker


def _signed(method: str, url: str, body: bytes = b"") -> dict[str, str]:
    code = hmac.new(b"bench", method.encode() + url.encode() + body, hashlib.md5).hexdigest()
    return {"Authorization": "bench", "Content-Type": "application/json", "X-HMAC-Signature": code}


@app.task(name="fiscalize", queue="receipts")
async def fiscalize(order: dict[str, Any]) -> None:
    """Send, ask, store."""
    began_ns = time.monotonic_ns()
    http = _held["http"]
    url = f"{sale.provider()}/api/shop/v2/queues/1/task"
    body = orjson.dumps(dict(sale.check(order)), default=dict)
    async with http.post(url, data=body, headers=_signed("POST", url, body)) as answer:
        told = orjson.loads(await answer.read())
    if sale.asks():
        url = f"{sale.provider()}/api/shop/v2/tasks/{told['id']}"
        async with http.get(url, headers=_signed("GET", url)) as answer:
            told = orjson.loads(await answer.read())
    async with _held["pool"].connection() as connection:
        await connection.execute(results.INSERT, results.row(order["number"], told, began_ns))


async def defer(count: int) -> None:
    """Write the intents."""
    async with app.open_async():
        started = time.perf_counter()
        for first in range(0, count, BATCH):
            numbers = range(first, min(first + BATCH, count))
            await fiscalize.batch_defer_async(*({"order": sale.order(number)} for number in numbers))
        print(orjson.dumps({"value": count / (time.perf_counter() - started)}).decode())


async def schema() -> None:
    """The tables of procrastinate."""
    async with app.open_async():
        await app.schema_manager.apply_schema_async()


async def work(in_flight: int) -> None:
    """Serve the queue until terminated."""
    connector = aiohttp.TCPConnector(limit=in_flight)
    pool = AsyncConnectionPool(results.url(), min_size=4, max_size=8, open=False)
    async with app.open_async(), pool, aiohttp.ClientSession(connector=connector) as http:
        _held.update(http=http, pool=pool)
        await app.run_worker_async(queues=["receipts"], concurrency=in_flight, name="bench")


def main(command: str, number: int = 0) -> None:
    """Run one command."""
    asyncio.run(schema() if command == "schema" else defer(number) if command == "defer" else work(number))
