"""Spans of time and local times as the watch says them."""

from __future__ import annotations

from datetime import UTC, datetime

from chekhov.config.clock import zone


def span(seconds: float) -> str:
    """A span in its largest sensible unit: ``47 мин``."""
    whole = max(0, int(seconds))
    if whole < 120:
        return f"{whole} с"
    if whole < 7200:
        return f"{whole // 60} мин"
    if whole < 172_800:
        return f"{whole // 3600} ч"
    return f"{whole // 86_400} дн"


def local_time(at_ms: int, time_zone: int) -> str:
    """``24.11 14:05`` in a time zone by tag 1011."""
    return f"{datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(zone(time_zone)):%d.%m %H:%M}"


def instant_of(at_ms: int) -> datetime:
    """Milliseconds since 1970 as an instant."""
    return datetime.fromtimestamp(at_ms / 1000, UTC)
