"""Does it stay as fast? The rates of the hot paths with many old receipts, beside those with none, in the same run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from bench.cache import reopened
from bench.figures import Figure
from bench.measures import Bench, accept_batch, accept_single, deliver, settled_in

GOAL_SHARE = 0.9
PATHS: dict[str, Callable[[Bench], list[Figure]]] = {
    "accept single": accept_single,
    "accept batch": accept_batch,
    "deliver": deliver,
}


def flat(bench: Bench) -> list[Figure]:
    """Each path in turns on both installations; the floor is the rate on the empty one."""
    scale = bench.scale
    short = replace(
        scale,
        rounds=max(1, scale.rounds - 1),
        single=scale.single // 2,
        batch=scale.batch // 3,
        deliver=scale.deliver // 2,
    )
    figures = []
    with settled_in(reopened(bench.house.database, scale.old), short) as old:
        for name, measure in PATHS.items():
            empty = _of(measure(replace(bench, scale=short)), name)
            full = _of(measure(old), name)
            figures.append(
                bench.figure(
                    f"{name} with {scale.old:,} old receipts",
                    list(full.rounds),
                    "per s",
                    floor=empty.value,
                    goal=GOAL_SHARE * empty.value,
                    note=f"{full.note}; the floor is the rate without old receipts",
                )
            )
    return figures


def _of(figures: list[Figure], name: str) -> Figure:
    return next(figure for figure in figures if figure.name == name)
