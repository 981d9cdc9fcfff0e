"""The floors: the least work with which the same thing could be done on the same database. Prints one JSON object.

`single` and `batch` insert bare rows of the weight of one payment and commit; `deliver` claims 100 rows, posts each to
the same provider and commits 100 outcomes with one UPDATE; `idle` commits one row and posts it. Durability settings
are those of the application. Nothing is checked, chained, signed or written down before the call.
"""

from __future__ import annotations

import asyncio
import sqlite3
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import aiohttp
import orjson
import psycopg

GROUP = 100


class Base:
    """One connection, hand-written SQL."""

    def __init__(self, url: str) -> None:
        self.is_sqlite = url.startswith("sqlite:///")
        if self.is_sqlite:
            self._sqlite = sqlite3.connect(
                url.removeprefix("sqlite:///"), isolation_level=None, timeout=20, check_same_thread=False
            )
            self._sqlite.execute("PRAGMA journal_mode=WAL")
            self._sqlite.execute("PRAGMA synchronous=FULL")
        else:
            self._psycopg = psycopg.connect(url, autocommit=True)

    def run(self, sql: str, values: Sequence[Any] = ()) -> list[Any]:
        """One statement."""
        if self.is_sqlite:
            return self._sqlite.execute(sql.replace("%s", "?"), values).fetchall()
        cursor = self._psycopg.execute(sql, values)
        return cursor.fetchall() if cursor.description else []

    def many(self, sql: str, rows: Sequence[Sequence[Any]]) -> None:
        """One statement with many rows."""
        if self.is_sqlite:
            self._sqlite.executemany(sql.replace("%s", "?"), rows)
        else:
            with self._psycopg.cursor() as cursor:
                cursor.executemany(sql, rows)

    def begin(self) -> None:
        self.run("BEGIN IMMEDIATE" if self.is_sqlite else "BEGIN")

    def commit(self) -> None:
        self.run("COMMIT")


def inserts(base: Base, count: int, row: int, group: int) -> float:
    """Rows a second, `group` rows a transaction."""
    payload = "x" * row
    base.run("DELETE FROM bench_floor")
    started = time.perf_counter()
    for start in range(0, count, group):
        base.begin()
        if group == 1:
            base.run("INSERT INTO bench_floor (id, payload) VALUES (%s, %s)", [start, payload])
        else:
            base.many(
                "INSERT INTO bench_floor (id, payload) VALUES (%s, %s)",
                [(number, payload) for number in range(start, min(start + group, count))],
            )
        base.commit()
    return count / (time.perf_counter() - started)


async def deliver(base: Base, count: int, body: int, port: int, in_flight: int) -> float:
    """Jobs a second: claim 100, post them, commit 100 outcomes; two groups overlap, as in a worker."""
    base.run("DELETE FROM bench_job")
    base.begin()
    base.many(
        "INSERT INTO bench_job (id, state, body) VALUES (%s, %s, %s)",
        [(number, "queued", f'{{"external_id":"floor-{number}"}}'.ljust(body)) for number in range(count)],
    )
    base.commit()
    thread = ThreadPoolExecutor(1)
    loop = asyncio.get_running_loop()
    url = f"http://127.0.0.1:{port}/api/shop/v2/queues/1/task"

    def claim() -> list[Any]:
        base.begin()
        lock = "" if base.is_sqlite else " FOR UPDATE SKIP LOCKED"
        rows = base.run(
            "UPDATE bench_job SET state = 'sending' WHERE id IN (SELECT id FROM bench_job WHERE state = 'queued' "
            f"ORDER BY id LIMIT {GROUP}{lock}) RETURNING id, body"
        )
        base.commit()
        return rows

    def done(ids: Sequence[int]) -> None:
        base.begin()
        base.run(f"UPDATE bench_job SET state = 'accepted' WHERE id IN ({', '.join(['%s'] * len(ids))})", ids)
        base.commit()

    async def post(client: aiohttp.ClientSession, body_text: str) -> None:
        async with client.post(url, data=body_text.encode(), headers={"Content-Type": "application/json"}) as answer:
            orjson.loads(await answer.read())

    async def lane(client: aiohttp.ClientSession) -> None:
        while rows := await loop.run_in_executor(thread, claim):
            await asyncio.gather(*(post(client, row[1]) for row in rows))
            await loop.run_in_executor(thread, done, [row[0] for row in rows])

    connector = aiohttp.TCPConnector(limit=in_flight, limit_per_host=in_flight)
    async with aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar()) as client:
        started = time.perf_counter()
        await asyncio.gather(lane(client), lane(client))
        return count / (time.perf_counter() - started)


async def idle(base: Base, count: int, row: int, port: int) -> dict[str, float]:
    """Milliseconds of one commit and one post, spaced."""
    base.run("DELETE FROM bench_floor")
    seen: list[float] = []
    async with aiohttp.ClientSession() as client:
        for number in range(count):
            await asyncio.sleep(0.02)
            started = time.perf_counter()
            base.begin()
            base.run("INSERT INTO bench_floor (id, payload) VALUES (%s, %s)", [number, "x" * row])
            base.commit()
            url = f"http://127.0.0.1:{port}/api/shop/v2/queues/1/task"
            async with client.post(url, data=b'{"external_id":"floor"}') as answer:
                await answer.read()
            seen.append((time.perf_counter() - started) * 1000)
    seen.sort()
    return {"p50": seen[len(seen) // 2], "p99": seen[int(len(seen) * 0.99)]}


def main(spec: dict[str, Any]) -> dict[str, Any]:
    """Run one floor."""
    base = Base(spec["url"])
    if spec["kind"] in ("single", "batch"):
        return {"value": inserts(base, spec["count"], spec["row"], 1 if spec["kind"] == "single" else GROUP)}
    if spec["kind"] == "deliver":
        return {"value": asyncio.run(deliver(base, spec["count"], spec["body"], spec["port"], spec["in_flight"]))}
    return asyncio.run(idle(base, spec["count"], spec["row"], spec["port"]))


if __name__ == "__main__":
    print(orjson.dumps(main(orjson.loads(sys.argv[1]))).decode())
