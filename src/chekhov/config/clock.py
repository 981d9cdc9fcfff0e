"""The business clock: dates of receipts and settlements. Leases and time-outs never use it.

`CHEKHOV_CLOCK=2025-12-20T10:00:00+03:00` (training and tests) moves it. The difference to that instant is fixed once,
kept in the data folder and shared by all processes, the emulator included.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta, timezone
from functools import lru_cache
from pathlib import Path

from django.conf import settings

_moved = timedelta()


@lru_cache(maxsize=1)
def offset() -> timedelta:
    """The fixed difference between the business clock and the machine's, zero unless CHEKHOV_CLOCK is set."""
    wanted: datetime | None = settings.CHEKHOV_CLOCK
    if wanted is None:
        return timedelta()
    path = Path(settings.CHEKHOV_DATA_DIR) / f"clock-{wanted:%Y%m%dT%H%M%S%z}"
    path.parent.mkdir(parents=True, exist_ok=True)
    seconds = round((wanted - datetime.now(UTC)).total_seconds())
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    fresh.write_text(str(seconds), encoding="ascii")
    try:
        os.link(fresh, path)  # never overwrites: the first process fixes the difference for all
    except FileExistsError:
        pass
    finally:
        fresh.unlink()
    return timedelta(seconds=int(path.read_text(encoding="ascii")))


def now() -> datetime:
    """The business instant, UTC."""
    return datetime.now(UTC) + offset() + _moved


@contextmanager
def moved(by: timedelta) -> Iterator[None]:
    """Let the business clock of this process stand elsewhere for a while: for laying a demo's past days."""
    global _moved  # noqa: PLW0603 -- a clock is process-wide by nature
    _moved = by
    try:
        yield
    finally:
        _moved = timedelta()


@lru_cache(maxsize=16)
def zone(number: int) -> timezone:
    """The fixed offset of a time zone by tag 1011: 1 is UTC+2, 2 is UTC+3 (Москва), … 11 is UTC+12."""
    return timezone(timedelta(hours=number + 1))


def local_date(instant: datetime, number: int) -> date:
    """The calendar date of an instant in a time zone by tag 1011."""
    return instant.astimezone(zone(number)).date()
