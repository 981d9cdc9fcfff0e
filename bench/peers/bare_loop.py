"""A plain loop over the vendor's SDK, which stores nothing: what most shops have. Prints one JSON object."""

from __future__ import annotations

import time

import orjson

from bench.peers import sale


def main(count: int) -> None:
    """Send and ask, one after another."""
    client = sale.client()
    started = time.perf_counter()
    for number in range(count):
        task = client.create_task(sale.check(sale.order(number)))
        if sale.asks() and client.get_task_info(task.id).state != "done":
            raise SystemExit("the provider did not print")
    print(orjson.dumps({"value": count / (time.perf_counter() - started)}).decode())
