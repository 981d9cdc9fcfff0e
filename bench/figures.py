"""A figure beside its floor, its peers and its bounds: how it is judged, shown and written down."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

LOWER_IS_BETTER = frozenset({"ms", "MB", "ms CPU"})


@dataclass(frozen=True, slots=True)
class Calm:
    """How quiet the machine was just before a measure: what others took of it, and how fast it was."""

    load: float  # load average of the last minute
    busy_percent: float  # of all cores, over half a second in which the bench did nothing
    loop_ms: float  # a fixed piece of work on one core: what this core is worth at the moment

    def as_json(self) -> dict[str, float]:
        return {"load": self.load, "busy_percent": self.busy_percent, "loop_ms": self.loop_ms}


@dataclass(frozen=True, slots=True)
class Figure:
    """One row of the table. `must` and `goal` are the bounds of the design, where there are any."""

    name: str
    database: str
    value: float
    unit: str
    floor: float | None = None
    must: float | None = None
    goal: float | None = None
    note: str = ""
    rounds: tuple[float, ...] = ()
    peers: dict[str, float] = field(default_factory=dict)
    calm: Calm | None = None

    @property
    def lower_is_better(self) -> bool:
        return self.unit in LOWER_IS_BETTER

    @property
    def mark(self) -> str:
        """`goal`, `must` or `MISSED`: the furthest bound reached; empty where there is none."""
        if self.goal is not None and self.reaches(self.goal):
            return "goal" if self.must is None or self.reaches(self.must) else "MISSED"
        if self.must is not None:
            return "must" if self.reaches(self.must) else "MISSED"
        return "" if self.goal is None else "short of goal"

    def reaches(self, bound: float) -> bool:
        """Whether the value is on the right side of a bound."""
        return self.value <= bound if self.lower_is_better else self.value >= bound

    def best_peer(self) -> float | None:
        """The best of the peers by the figure's own direction."""
        if not self.peers:
            return None
        return (min if self.lower_is_better else max)(self.peers.values())

    def as_json(self) -> dict[str, Any]:
        """One object of bench/results.json."""
        best = self.best_peer()
        return {
            "name": self.name,
            "database": self.database,
            "value": round(self.value, 3),
            "unit": self.unit,
            "floor": None if self.floor is None else round(self.floor, 3),
            "peers": {name: round(value, 3) for name, value in self.peers.items()},
            "ratio_to_floor": round(self.value / self.floor, 3) if self.floor else None,
            "ratio_to_best_peer": round(self.value / best, 3) if best else None,
            "must": self.must,
            "goal": None if self.goal is None else round(self.goal, 3),
            "reached": self.mark,
            "rounds": [round(value, 3) for value in self.rounds],
            "note": self.note,
            "calm": None if self.calm is None else self.calm.as_json(),
        }


def table(figures: Sequence[Figure]) -> str:
    """The figures as a Markdown table."""
    rows = [
        "| what | database | value | unit | floor | ÷ floor | must | goal | reached | note |",
        "|---|---|--:|---|--:|--:|--:|--:|---|---|",
    ]
    for item in figures:
        floor = "" if item.floor is None else short(item.floor)
        ratio = f"{item.value / item.floor:.2f}" if item.floor else ""
        peers = "; ".join(f"{name} {short(value)}" for name, value in item.peers.items())
        note = "; ".join(part for part in (item.note, peers) if part)
        rows.append(
            f"| {item.name} | {item.database} | {short(item.value)} | {item.unit} | {floor} | {ratio} "
            f"| {_bound(item, item.must)} | {_bound(item, item.goal)} | {item.mark} | {note} |"
        )
    return "\n".join(rows)


def _bound(figure: Figure, bound: float | None) -> str:
    return "" if bound is None else f"{'≤' if figure.lower_is_better else '≥'} {short(bound)}"


def short(value: float) -> str:
    """A number as a table shows it."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which this share of the values lies, by the nearest rank."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def merged(old: Iterable[dict[str, Any]], fresh: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows of an earlier run with those of this one in their places, new ones at the end."""
    rows = {(row["name"], row["database"]): row for row in old}
    rows.update({(row["name"], row["database"]): row for row in fresh})
    return list(rows.values())


def calm() -> Calm:
    """Look at the machine for a moment."""
    before = _processor_ticks()
    time.sleep(0.5)
    after = _processor_ticks()
    total = max(1, after[0] - before[0])
    busy = (after[1] - before[1]) / total * 100
    started = time.perf_counter()
    number = 0
    for step in range(1_000_000):
        number += step & 7
    return Calm(round(os.getloadavg()[0], 2), round(busy, 1), round((time.perf_counter() - started) * 1000, 1))


def _processor_ticks() -> tuple[int, int]:
    """All ticks and busy ticks of the machine so far; zeros where the system does not tell."""
    try:
        words = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]
    except OSError:
        return 0, 0
    ticks = [int(word) for word in words[:8]]
    return sum(ticks), sum(ticks) - ticks[3] - ticks[4]


def side_by_side(rows: Sequence[dict[str, Any]]) -> str:
    """The rows of bench/results.json as the table of docs/performance.md: both databases in one line."""
    by_name: dict[str, dict[str, dict[str, Any]]] = {}
    for row in rows:
        by_name.setdefault(row["name"], {})[row["database"]] = row
    lines = [
        "| what | unit | SQLite | ÷ floor | PostgreSQL | ÷ floor | must | goal | reached |",
        "|---|---|--:|--:|--:|--:|---|---|---|",
    ]
    for name, found in by_name.items():
        both = [found.get("sqlite"), found.get("postgresql")]
        any_row = next(row for row in both if row)
        cells = [name, any_row["unit"]]
        for row in both:
            cells.append(short(row["value"]) if row else "")
            cells.append(_share(row["ratio_to_floor"]) if row else "")
        sign = "≤" if any_row["unit"] in LOWER_IS_BETTER else "≥"
        for bound in ("must", "goal"):
            cells.append(
                _joined(["" if not row or row[bound] is None else f"{sign} {short(row[bound])}" for row in both])
            )
        cells.append(_joined([row["reached"] if row else "" for row in both]))
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _share(ratio: float | None) -> str:
    return "" if ratio is None else f"{ratio:.2f}" if ratio < 10 else f"{ratio:.0f}"


def _joined(words: Sequence[str]) -> str:
    """One word where both databases say the same."""
    first, second = words
    return first if first == second else f"{first or '–'} / {second or '–'}"
