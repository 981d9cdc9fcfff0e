"""The business clock: moved once for all processes, and only for dates."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from chekhov.config import clock


@pytest.fixture
def moved(settings: Any, tmp_path: Path) -> datetime:
    settings.CHEKHOV_DATA_DIR = tmp_path
    settings.CHEKHOV_CLOCK = datetime.fromisoformat("2025-12-20T10:00:00+03:00")
    clock.offset.cache_clear()
    return settings.CHEKHOV_CLOCK  # type: ignore[no-any-return]


def test_unmoved_it_is_the_machine_s(settings: Any) -> None:
    settings.CHEKHOV_CLOCK = None
    clock.offset.cache_clear()

    assert abs(clock.now() - datetime.now(UTC)) < timedelta(seconds=1)


def test_moved_it_starts_from_the_given_instant(moved: datetime) -> None:
    assert abs(clock.now() - moved) < timedelta(seconds=2)


def test_the_difference_is_fixed_once_and_shared(moved: datetime, tmp_path: Path) -> None:
    first = clock.offset()
    (file,) = tmp_path.iterdir()
    file.write_text(str(int(first.total_seconds()) - 3600))
    clock.offset.cache_clear()

    assert clock.offset() == first - timedelta(hours=1), "another process took what the first one had fixed"
    assert [path.name for path in tmp_path.iterdir()] == [file.name]


@pytest.mark.parametrize(("number", "hours"), [(1, 2), (2, 3), (4, 5), (11, 12)])
def test_a_time_zone_by_tag_1011(number: int, hours: int) -> None:
    assert clock.zone(number).utcoffset(None) == timedelta(hours=hours)


@pytest.mark.parametrize(("number", "on"), [(1, date(2025, 12, 31)), (2, date(2026, 1, 1)), (11, date(2026, 1, 1))])
def test_the_date_is_that_of_the_place(number: int, on: date) -> None:
    assert clock.local_date(datetime(2025, 12, 31, 21, 30, tzinfo=UTC), number) == on
