"""`python -m bench [--quick | --full] [--only NAME] [--database …]`: measure, print the table, write the JSON."""

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

from bench import cache
from bench.catalogue import MEASURES
from bench.figures import Figure, calm, merged, side_by_side, table
from bench.house import BenchError, House, free_port, postgresql_missing
from bench.measures import FULL, QUICK, SHORT, Bench, Scale, opened

RESULTS = Path(__file__).resolve().parent / "results.json"
QUICK_SECONDS, SHORT_SECONDS, FULL_SECONDS = 150, 600, 3600
EACH_RECEIPT_OF_MEMORY = 1 / 500  # seconds


def main(argv: Sequence[str] | None = None) -> int:
    """Run the measures; 0 when each could be taken. A missed bound is shown, it is no failure: machines differ."""
    parser = argparse.ArgumentParser(prog="bench", description="Chekhov's benchmarks: figures beside floors and peers")
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--quick", action="store_true", help="one round of everything, small: 2.5 minutes at most")
    size.add_argument("--full", action="store_true", help="1,000,000 old receipts, a queue of 100,000: some 40 minutes")
    parser.add_argument("--only", choices=list(MEASURES), action="append", help="this measure only; may be repeated")
    parser.add_argument("--database", choices=["sqlite", "postgresql"], help="this database only")
    parser.add_argument("--old", type=int, metavar="N", help="old receipts of the measures panel and flat")
    parser.add_argument("--memory-receipts", type=int, metavar="N", help="length of the queue of the measure memory")
    parser.add_argument("--load", type=int, metavar="N", help="only make the installations with N old receipts")
    parser.add_argument("--show", action="store_true", help="only show bench/results.json as the table of the docs")
    parser.add_argument("--forget", action="store_true", help="only remove the kept installations with old receipts")
    options = parser.parse_args(argv)
    databases = [options.database] if options.database else ["sqlite", "postgresql"]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # the houses are pulled down on the way out
    if options.show:
        print(side_by_side(orjson.loads(RESULTS.read_bytes())))
        return 0
    if options.forget:
        cache.forget()
        return 0
    if options.load:
        for database in databases:
            if database == "sqlite" or not postgresql_missing():
                cache.prepared(database, options.load)
        return 0
    scale = QUICK if options.quick else FULL if options.full else SHORT
    scale = replace(scale, memory=options.memory_receipts or scale.memory, old=options.old or scale.old)
    seconds = QUICK_SECONDS if options.quick else FULL_SECONDS if options.full else SHORT_SECONDS
    return _run(databases, options.only, scale, seconds)


def _run(databases: Sequence[str], only: Sequence[str] | None, scale: Scale, seconds: float) -> int:
    until = time.monotonic() + seconds
    print(f"{os.cpu_count()} cores, {calm()} before the run", file=sys.stderr)
    signal.signal(signal.SIGALRM, _time_is_up)
    figures: list[Figure] = []
    failed = False
    for number, database in enumerate(databases):
        missing = postgresql_missing() if database == "postgresql" else ""
        if missing:
            print(f"{database}: skipped. {missing}", file=sys.stderr)
            failed = failed or len(databases) == 1
            continue
        share = time.monotonic() + (until - time.monotonic()) / (len(databases) - number)
        signal.alarm(max(10, round(share - time.monotonic())))
        failed = _measure(database, only or list(MEASURES), scale, share, figures) or failed
        signal.alarm(0)
    print(table(figures))
    rows = [figure.as_json() for figure in figures]
    if RESULTS.exists() and (only or len(databases) == 1):  # a run of a part brings its rows only
        rows = merged(orjson.loads(RESULTS.read_bytes()), rows)
    RESULTS.write_bytes(orjson.dumps(rows, option=orjson.OPT_INDENT_2))
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
                quiet, started = calm(), time.monotonic()
                try:
                    figures += [replace(figure, calm=quiet) for figure in MEASURES[name](fitting)]
                except BenchError as error:
                    failed = True
                    print(f"{database}: {name} FAILED: {error}", file=sys.stderr)
                print(f"{database}: {name} took {time.monotonic() - started:.0f} s, {quiet} before", file=sys.stderr)
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
    if name == "memory" and left < bench.scale.memory * EACH_RECEIPT_OF_MEMORY:
        smaller = max(2000, int(left / EACH_RECEIPT_OF_MEMORY) // 1000 * 1000)
        return replace(bench, scale=replace(bench.scale, memory=min(smaller, bench.scale.memory)))
    return bench


if __name__ == "__main__":
    sys.exit(main())
