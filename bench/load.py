"""A load generator: prepared requests over keep-alive connections, one under way on each. Prints one JSON object.

`single` puts payments one a request, `batch` posts 100 a request, `spaced` puts one at a time with pauses and tells
when each was sent, so that its arrival at the provider can be timed.
"""

from __future__ import annotations

import asyncio
import gc
import random
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import orjson

BATCH = 100


@dataclass
class Seen:
    """What the answers said."""

    latencies: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    receipts: int = 0
    sent: list[tuple[str, int]] = field(default_factory=list)


def _request(method: str, path: str, key: str, body: bytes) -> bytes:
    head = (
        f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {key}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def requests(spec: dict[str, Any]) -> list[bytes]:
    """All requests, made before the clock starts."""
    payment = {"amount": spec["amount"], "means": "card", "channel": "online", "paid_at": spec["paid_at"]}
    numbers = range(spec["first"], spec["first"] + spec["count"])
    key = spec["key"]
    if spec["kind"] != "batch":
        body = orjson.dumps(payment)
        return [_request("PUT", f"/api/v1/invoices/A-{number}/payments/P-{number}", key, body) for number in numbers]
    items = [{"path": f"invoices/A-{number}/payments/P-{number}", "body": payment} for number in numbers]
    chunks = [items[start : start + BATCH] for start in range(0, len(items), BATCH)]
    return [_request("POST", "/api/v1/batch", key, orjson.dumps(chunk)) for chunk in chunks]


async def _talk(port: int, queue: list[bytes], seen: Seen, kind: str) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 20)
    while queue:
        request = queue.pop()
        if kind == "spaced":
            await asyncio.sleep(random.uniform(0.03, 0.07))
        sent_ns = time.monotonic_ns()
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        lower = head.lower()
        body = await reader.readexactly(int(lower.split(b"content-length:", 1)[1].split(b"\r\n", 1)[0]))
        seen.latencies.append((time.monotonic_ns() - sent_ns) / 1e6)
        seen.statuses[int(head[9:12])] += 1
        if kind == "batch":
            seen.receipts += body.count(b'"status":201')
        else:
            seen.receipts += head[9:12] == b"201"
        if kind == "spaced":
            seen.sent.append((orjson.loads(body)["receipts"][0]["id"], sent_ns))
    writer.close()


async def _run(spec: dict[str, Any]) -> dict[str, Any]:
    queue = requests(spec)[::-1]
    seen = Seen()
    gc.disable()
    started = time.perf_counter()
    await asyncio.gather(*(_talk(spec["port"], queue, seen, spec["kind"]) for _ in range(spec["connections"])))
    seconds = time.perf_counter() - started
    latencies = sorted(seen.latencies)
    return {
        "seconds": seconds,
        "receipts": seen.receipts,
        "per_second": seen.receipts / seconds,
        "p50_ms": latencies[len(latencies) // 2],
        "p99_ms": latencies[min(len(latencies) - 1, int(len(latencies) * 0.99))],
        "statuses": {str(status): count for status, count in seen.statuses.items()},
        "sent": seen.sent,
    }


if __name__ == "__main__":
    print(orjson.dumps(asyncio.run(_run(orjson.loads(sys.argv[1])))).decode())
