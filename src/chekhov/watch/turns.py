"""Turns: of any number of watching processes one does a periodic duty. A row in the database says whose turn it is."""

from __future__ import annotations

from chekhov.config.database import affected, fetch, read_clock_ms, writing

SILENT_MS = 120_000  # a watch that has not evaluated for so long is silent


def turn_take(name: str, *, owner: str, every_ms: int) -> bool:
    """Whether this process does a periodic duty now: of all that ask within the period one is told so."""
    now_ms = read_clock_ms()
    with writing():
        return bool(
            affected(
                "INSERT INTO watch_turn (name, owner, until_ms, done_ms) VALUES (%s, %s, %s, %s) "
                "ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, until_ms = excluded.until_ms, "
                "done_ms = excluded.done_ms WHERE watch_turn.until_ms <= %s OR watch_turn.until_ms > %s",
                [name, owner, now_ms + every_ms, now_ms, now_ms, now_ms + 10 * every_ms],
            )
        )


def turn_is_free(name: str, *, every_ms: int) -> bool:
    """A look without a lock whether a turn is worth its transaction."""
    rows = fetch("SELECT until_ms FROM watch_turn WHERE name = %s", [name])
    now_ms = read_clock_ms()
    return not rows or rows[0][0] <= now_ms or rows[0][0] > now_ms + 10 * every_ms  # the clock was put back


def watched_seconds_ago() -> float | None:
    """How long ago the rules were last evaluated; None: never."""
    rows = fetch("SELECT done_ms FROM watch_turn WHERE name = 'evaluate'")
    return max(read_clock_ms() - rows[0][0], 0) / 1000 if rows else None
