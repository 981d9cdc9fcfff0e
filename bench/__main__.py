"""`python -m bench [--quick] [--only NAME] [--database …]`: measure, print the table, write the JSON."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import orjson

from bench.house import BenchError, House, free_port, postgresql_missing
from bench.measures import FULL, MEASURES, QUICK, Bench, Figure, Scale, opened

RESULTS = Path(__file__).resolve().parent / "results.json"
FULL_SECONDS = 480
QUICK_SECONDS = 90


def main(argv: Sequence[str] | None = None) -> int:
    """Run the measures; 0 when each could be taken. A missed bound is shown, it is no failure: machines differ."""
    parser = argparse.ArgumentParser(prog="bench", description="Chekhov's benchmarks: each figure beside its floor")
    parser.add_argument("--quick", action="store_true", help="one round of everything, smaller (under 90 s)")
    parser.add_argument("--only", choices=list(MEASURES), action="append", help="this measure only; may be repeated")
    parser.add_argument("--database", choices=["sqlite", "postgresql"], help="this database only")
    parser.add_argument("--memory-receipts", type=int, help="length of the queue of the memory measure")
    options = parser.parse_args(argv)
    scale = QUICK if options.quick else FULL
    if options.memory_receipts:
        scale = replace(scale, memory=options.memory_receipts)
    until = time.monotonic() + (QUICK_SECONDS if options.quick else FULL_SECONDS)
    load = os.getloadavg()[0]
    print(f"{os.cpu_count()} cores, load {load:.1f} before the run", file=sys.stderr)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # the houses are pulled down on the way out
    signal.signal(signal.SIGALRM, _time_is_up)
    figures: list[Figure] = []
    failed = False
    databases = [options.database] if options.database else ["sqlite", "postgresql"]
    for number, database in enumerate(databases):
        missing = postgresql_missing() if database == "postgresql" else ""
        if missing:
            print(f"{database}: skipped. {missing}", file=sys.stderr)
            failed = failed or options.database is not None
            continue
        share = time.monotonic() + (until - time.monotonic()) / (len(databases) - number)
        signal.alarm(max(10, round(share - time.monotonic())))
        failed = _measure(database, options.only or list(MEASURES), scale, share, figures) or failed
        signal.alarm(0)
    print(table(figures))
    if not options.only:
        RESULTS.write_bytes(orjson.dumps([_json(figure) for figure in figures], option=orjson.OPT_INDENT_2))
        print(f"written: {RESULTS}", file=sys.stderr)
    return 1 if failed else 0


def _measure(database: str, names: Sequence[str], scale: Scale, until: float, figures: list[Figure]) -> bool:
    """Take the measures on one database, adding to `figures`; True where one could not be taken."""
    failed = False
    try:
        with opened(House(database), free_port(), scale) as bench:
            for name in names:
                fitting = _fitting(bench, name, until)
                if fitting is None:
                    print(f"{database}: {name} left out, the time of the run is up", file=sys.stderr)
                    continue
                started = time.monotonic()
                try:
                    figures += MEASURES[name](fitting)
                except BenchError as error:
                    failed = True
                    print(f"{database}: {name} FAILED: {error}", file=sys.stderr)
                print(f"{database}: {name} took {time.monotonic() - started:.0f} s", file=sys.stderr)
    except BenchError as error:
        failed = True
        print(f"{database}: FAILED: {error}", file=sys.stderr)
    return failed


def _time_is_up(*_: object) -> None:
    raise BenchError("the time of the run is up")


def _fitting(bench: Bench, name: str, until: float) -> Bench | None:
    """The measure at a size that still fits into the time left; None where none does."""
    left = until - time.monotonic()
    if left < 5:
        return None
    if name == "memory" and left < bench.scale.memory / 700:
        smaller = max(2000, int(left * 700) // 1000 * 1000)
        return replace(bench, scale=replace(bench.scale, memory=min(smaller, bench.scale.memory)))
    return bench


def _json(figure: Figure) -> dict[str, object]:
    peers = figure.peers
    best = (min if figure.lower_is_better else max)(peers.values()) if peers else None
    return {
        "name": figure.name,
        "database": figure.database,
        "value": round(figure.value, 3),
        "unit": figure.unit,
        "floor": None if figure.floor is None else round(figure.floor, 3),
        "peers": peers,
        "ratio_to_floor": round(figure.value / figure.floor, 3) if figure.floor else None,
        "ratio_to_best_peer": round(figure.value / best, 3) if best else None,
        "must": figure.must,
        "rounds": [round(value, 3) for value in figure.rounds],
        "note": figure.note,
    }


def table(figures: Sequence[Figure]) -> str:
    """The figures as a Markdown table."""
    rows = ["| what | database | value | unit | floor | ÷ floor | must | note |", "|---|---|--:|---|--:|--:|--:|---|"]
    for item in figures:
        floor = "" if item.floor is None else _short(item.floor)
        ratio = f"{item.value / item.floor:.2f}" if item.floor else ""
        must = ""
        if item.must is not None:
            reached = item.value <= item.must if item.lower_is_better else item.value >= item.must
            must = f"{'≤' if item.lower_is_better else '≥'} {_short(item.must)} {'ok' if reached else 'MISSED'}"
        rows.append(
            f"| {item.name} | {item.database} | {_short(item.value)} | {item.unit} | {floor} | {ratio} | {must} "
            f"| {item.note} |"
        )
    return "\n".join(rows)


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


if __name__ == "__main__":
    sys.exit(main())
