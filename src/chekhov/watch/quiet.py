"""Quiet hours. Pure: from an instant and the shop's hours to the instant at which a notice may go."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from chekhov.config.clock import zone


def release_ms(at_ms: int, *, quiet_from: int, quiet_to: int, time_zone: int) -> int:
    """When a notice that waits for the end of the quiet hours may go; `at_ms` itself outside of them.

    `quiet_from` and `quiet_to` are minutes of the local day, the hours may pass midnight; equal ones mean none.
    `time_zone` is the number of tag 1011.
    """
    local = datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(zone(time_zone))
    minute = local.hour * 60 + local.minute
    if quiet_from == quiet_to:
        return at_ms
    is_over_midnight = quiet_from > quiet_to
    is_quiet = minute >= quiet_from or minute < quiet_to if is_over_midnight else quiet_from <= minute < quiet_to
    if not is_quiet:
        return at_ms
    end = local.replace(hour=quiet_to // 60, minute=quiet_to % 60, second=0, microsecond=0)
    if end <= local:
        end += timedelta(days=1)
    return round(end.timestamp() * 1000)
