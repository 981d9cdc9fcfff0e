"""All measures by their names, in the order in which they are taken."""

from __future__ import annotations

from collections.abc import Callable

from bench.figures import Figure
from bench.flat import flat
from bench.job import job
from bench.measures import (
    Bench,
    accept_batch,
    accept_busy,
    accept_single,
    deliver,
    deliver_slow,
    idle_latency,
    memory,
)
from bench.panel import panel

MEASURES: dict[str, Callable[[Bench], list[Figure]]] = {
    "accept_single": accept_single,
    "accept_batch": accept_batch,
    "deliver": deliver,
    "deliver_slow": deliver_slow,
    "idle": idle_latency,
    "accept_busy": accept_busy,
    "job": job,
    "panel": panel,
    "flat": flat,
    "memory": memory,
}
