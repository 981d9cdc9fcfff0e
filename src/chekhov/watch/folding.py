"""Running totals for the metrics: new rows of the append-only tables are counted once and added to totals kept in the
database, so that a scrape costs the same with a million receipts as with ten, and every process tells the same.

Whoever has time counts (the watching process, or a scrape where none runs). A chunk is read without a lock and written
by compare-and-set on the table's mark, totals and mark in one short transaction: of two that count the same rows one
finds the mark moved and writes nothing.

On PostgreSQL a row may become visible after one with a higher id. So the border is first noted, and rows up to it are
counted when every transaction that was under way at that time has ended.
"""

from __future__ import annotations

import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from chekhov.config import clock
from chekhov.config.database import execute, fetch, insert_rows, is_postgresql, placeholders, read_clock_ms, writing
from chekhov.registers.models import Account
from chekhov.watch.models import AccountSeen, Mark

CHUNK = 5_000
PASS_SECONDS = 2.0
SETTLE_MS = 3_000  # between taking a number and the first write of its transaction
STALE_MS = 30_000  # nobody has counted for so long: a scrape does it
WAITING_MOST = 5_000
LOST_MS = 86_400_000  # an attempt without an answer for a day will not get one

SUBMIT_BOUNDS = (0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 2.0, 5.0, 10.0, 30.0)  # seconds, upper bounds of buckets
WAIT_BOUNDS = (0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0, 3600.0, 14_400.0, 86_400.0)
HISTOGRAMS = {"submit": SUBMIT_BOUNDS, "fiscalized": WAIT_BOUNDS, "callback_wait": WAIT_BOUNDS}

_ADD = (
    "INSERT INTO watch_tally (metric, provider, kind, bucket, count, sum_ms) VALUES (%s, %s, %s, %s, %s, %s) "
    "ON CONFLICT (metric, provider, kind, bucket) DO UPDATE SET "
    "count = watch_tally.count + excluded.count, sum_ms = watch_tally.sum_ms + excluded.sum_ms"
)

Key = tuple[str, str, str, int]  # metric, provider, kind, bucket


@dataclass(slots=True)
class Found:
    """What a chunk of rows adds."""

    counts: Counter[Key] = field(default_factory=Counter)
    sums_ms: Counter[Key] = field(default_factory=Counter)
    waiting: list[int] | None = None  # None: this table's rows never wait
    fiscalized_ms: dict[int, int] = field(default_factory=dict)  # account: its earliest in the chunk
    called_ms: dict[int, int] = field(default_factory=dict)  # account: its latest verified callback
    bare: set[int] = field(default_factory=set)  # obligations that may have no live receipt

    def count(self, metric: str, provider: str, kind: str) -> None:
        self.counts[metric, provider, kind, -1] += 1

    def observe(self, metric: str, provider: str, milliseconds: int) -> None:
        """Put a span into its bucket; the last bucket is everything above the bounds."""
        span = max(0, milliseconds)
        key = (metric, provider, "", bisect_left(HISTOGRAMS[metric], span / 1000))
        self.counts[key] += 1
        self.sums_ms[key] += span


def fold(*, alone: bool = False) -> bool:
    """Count what is new, for two seconds at most; whether everything that may be counted is.

    `alone` says that nobody else writes: rows are counted at once (tests, and SQLite, whose writers queue).
    """
    until = time.monotonic() + PASS_SECONDS
    providers: dict[int, str] = dict(Account.objects.values_list("pk", "provider"))
    whole = True
    for name, table, reader in _TABLES:
        while True:
            mark = _mark(name)
            safe = _safe_border(mark, table, alone=alone)
            if safe <= mark.border and not mark.waiting:
                break
            top = min(safe, _first_after(table, mark.border, safe) + CHUNK - 1)
            found = reader(mark.border, top, providers)
            if name == "attempt":
                _answers(mark.waiting, found, providers)
            moved = _write(mark, max(top, mark.border), found)
            if not moved or top >= safe:
                break
            if time.monotonic() > until:
                whole = False
                break
    _prune_bare()
    return whole


def fold_if_stale() -> None:
    """Count where no watching process has done it for half a minute."""
    newest = Mark.objects.filter(pk="seen").values_list("next_ms", flat=True).first() or 0
    now_ms = read_clock_ms()
    if now_ms - newest > STALE_MS:
        fold()
        folded(now_ms)


def folded(now_ms: int) -> None:
    """Note that somebody counts."""
    with writing():
        Mark.objects.update_or_create(pk="seen", defaults={"next_ms": now_ms})


def _mark(name: str) -> Mark:
    found = Mark.objects.filter(pk=name).first()
    if found is not None:
        return found
    with writing():
        return Mark.objects.get_or_create(pk=name)[0]


def _first_after(table: str, border: int, safe: int) -> int:
    """The first id above the border: what numbers were never used is passed over at once."""
    return int(fetch(f"SELECT min(id) FROM {table} WHERE id > %s", [border])[0][0] or safe)


def _safe_border(mark: Mark, table: str, *, alone: bool) -> int:
    """Up to which id nobody can add a row any more."""
    newest = int(fetch(f"SELECT max(id) FROM {table}")[0][0] or 0)
    if alone or not is_postgresql():
        return newest
    xmin, xmax = fetch(
        "SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint, "
        "pg_snapshot_xmax(pg_current_snapshot())::text::bigint"
    )[0]
    now_ms = read_clock_ms()
    safe = mark.border
    if mark.next_border > mark.border:
        if xmin < mark.next_xid or now_ms - mark.next_ms < SETTLE_MS:
            return safe  # somebody who may hold a lower number is still under way
        safe = mark.next_border
    if newest > safe:
        touched = Mark.objects.filter(pk=mark.pk, version=mark.version).update(
            next_border=newest, next_xid=xmax, next_ms=now_ms, version=mark.version + 1
        )
        mark.version += touched
    return safe


def _write(mark: Mark, border: int, found: Found) -> bool:
    """Totals and mark in one transaction; False where somebody else has counted these rows."""
    waiting = mark.waiting if found.waiting is None else found.waiting
    if border == mark.border and waiting == mark.waiting and not found.counts:
        return False
    with writing():
        touched = Mark.objects.filter(pk=mark.pk, version=mark.version, border=mark.border).update(
            border=border, waiting=waiting, version=mark.version + 1
        )
        if not touched:
            return False
        for (metric, provider, kind, bucket), count in sorted(found.counts.items()):
            sum_ms = found.sums_ms[metric, provider, kind, bucket]
            execute(_ADD, [metric, provider, kind, bucket, count, sum_ms])
        _seen(found)
        if found.bare:
            rows = _by_ids("SELECT obligation_id FROM watch_bare WHERE obligation_id IN", found.bare)
            fresh = found.bare - {row[0] for row in rows}
            insert_rows("watch_bare", ["obligation_id"], [(pk,) for pk in sorted(fresh)])
    return True


def _seen(found: Found) -> None:
    for account_id, at_ms in sorted(found.called_ms.items()):
        row, _made = AccountSeen.objects.get_or_create(account_id=account_id)
        row.callback_ms = max(row.callback_ms or 0, at_ms)
        if row.uncalled_ms is not None and row.uncalled_ms <= row.callback_ms:
            row.uncalled_ms = None
        row.save()
    recent_ms = read_clock_ms() - 3_600_000
    for account_id, at_ms in sorted(found.fiscalized_ms.items()):
        row, _made = AccountSeen.objects.get_or_create(account_id=account_id)
        if row.uncalled_ms is None and at_ms > (row.callback_ms or 0):
            # the past is counted receipts first, notifications later: what is old counts from when it was counted
            row.uncalled_ms = max(at_ms, recent_ms)
            row.save()


# --- the tables -------------------------------------------------------------------------------------------------------


def _events(after: int, upto: int, providers: dict[int, str]) -> Found:
    found = Found()
    rows = fetch(
        "SELECT e.from_state, e.to_state, e.at, r.created_at, s.account_id, s.obligation_id "  # where it really went
        "FROM receipts_receiptevent e JOIN receipts_receipt r ON r.id = e.receipt_id "
        "JOIN receipts_receiptstate s ON s.receipt_id = e.receipt_id WHERE e.id > %s AND e.id <= %s",
        [after, upto],
    )
    for before, state, at, created_at, account_id, obligation_id in rows:
        found.count("transition", "", f"{before}>{state}")
        if state == "fiscalized":
            at_ms = instant_ms(at)
            found.observe("fiscalized", providers[account_id], at_ms - instant_ms(created_at))
            earliest = found.fiscalized_ms.get(account_id, at_ms)
            found.fiscalized_ms[account_id] = min(earliest, at_ms - offset_ms())
        elif state == "cancelled":
            found.bare.add(obligation_id)
    return found


def _attempts(after: int, upto: int, providers: dict[int, str]) -> Found:
    found = Found(waiting=[])
    _settle(
        fetch(
            "SELECT id, account_id, outcome, sent_at, answered_at FROM delivery_attempt WHERE id > %s AND id <= %s",
            [after, upto],
        ),
        found,
        providers,
    )
    return found


def _answers(waiting: list[int], found: Found, providers: dict[int, str]) -> None:
    """Attempts that were counted without an answer are looked at again until they have one."""
    rows = _by_ids("SELECT id, account_id, outcome, sent_at, answered_at FROM delivery_attempt WHERE id IN", waiting)
    _settle(rows, found, providers)
    assert found.waiting is not None
    found.waiting.sort()
    for _ in found.waiting[:-WAITING_MOST]:
        found.count("attempt", "", "unanswered")
    found.waiting = found.waiting[-WAITING_MOST:]


def _settle(rows: Iterable[tuple[Any, ...]], found: Found, providers: dict[int, str]) -> None:
    assert found.waiting is not None
    lost_ms = round(clock.now().timestamp() * 1000) - LOST_MS
    for pk, account_id, outcome, sent_at, answered_at in rows:
        provider, sent_ms = providers[account_id], instant_ms(sent_at)
        if outcome:
            found.count("attempt", provider, outcome)
            if answered_at is not None and outcome != "not_sent":
                found.observe("submit", provider, instant_ms(answered_at) - sent_ms)
        elif sent_ms < lost_ms:
            found.count("attempt", provider, "unanswered")
        else:
            found.waiting.append(pk)


def _callbacks(after: int, upto: int, providers: dict[int, str]) -> Found:
    found = Found()
    rows = fetch(
        "SELECT c.provider, c.verdict, c.account_id, c.received_at, "
        "(SELECT min(a.sent_at) FROM delivery_attempt a WHERE a.receipt_id = c.receipt_id AND a.key = c.key) "
        "FROM delivery_callback c WHERE c.id > %s AND c.id <= %s",
        [after, upto],
    )
    for provider, verdict, account_id, received_at, sent_at in rows:
        found.count("callback", provider, verdict)
        if verdict != "verified":
            continue
        received_ms = instant_ms(received_at)
        if account_id is not None:
            found.called_ms[account_id] = max(found.called_ms.get(account_id, 0), received_ms)
        if sent_at is not None:
            found.observe("callback_wait", provider, received_ms + offset_ms() - instant_ms(sent_at))
    return found


def _obligations(after: int, upto: int, _providers: dict[int, str]) -> Found:
    rows = fetch(
        "SELECT id FROM receipts_obligation o WHERE id > %s AND id <= %s AND missing_code > '' AND NOT EXISTS "
        "(SELECT 1 FROM receipts_receiptstate s WHERE s.obligation_id = o.id AND NOT (s.state = 'cancelled'))",
        [after, upto],
    )
    return Found(bare={row[0] for row in rows})


_TABLES: tuple[tuple[str, str, Callable[[int, int, dict[int, str]], Found]], ...] = (
    ("obligation", "receipts_obligation", _obligations),
    ("event", "receipts_receiptevent", _events),
    ("attempt", "delivery_attempt", _attempts),
    ("callback", "delivery_callback", _callbacks),
)


# --- obligations without a receipt ------------------------------------------------------------------------------------

_HAS_LIVE = (  # spelt like the condition of the index `obligation_has_one_live_receipt`, or SQLite walks the table
    "EXISTS (SELECT 1 FROM receipts_receiptstate s WHERE s.obligation_id = watch_bare.obligation_id "
    "AND NOT (s.state = 'cancelled'))"
)


def _prune_bare() -> None:
    """Forget obligations that have a live receipt by now. A later cancellation is an event and brings them back."""
    settled = [row[0] for row in fetch(f"SELECT obligation_id FROM watch_bare WHERE {_HAS_LIVE}")]
    for start in range(0, len(settled), 500):
        some = settled[start : start + 500]
        with writing():
            execute(f"DELETE FROM watch_bare WHERE obligation_id IN {placeholders(len(some))} AND {_HAS_LIVE}", some)


def bare_obligations() -> tuple[int, int]:
    """How many obligations wait for a receipt, and since when (ms) the oldest does; 0 where none waits."""
    count, oldest = fetch(
        "SELECT count(*), min(o.recorded_at) FROM watch_bare JOIN receipts_obligation o "
        f"ON o.id = watch_bare.obligation_id WHERE NOT {_HAS_LIVE}"
    )[0]
    return int(count), instant_ms(oldest) - offset_ms() if oldest else 0


def _by_ids(sql: str, ids: Iterable[int]) -> list[tuple[Any, ...]]:
    wanted, rows = sorted(ids), list[tuple[Any, ...]]()
    for start in range(0, len(wanted), 500):
        some = wanted[start : start + 500]
        rows += fetch(f"{sql} {placeholders(len(some))}", some)
    return rows


def instant_ms(value: Any) -> int:
    """An instant as hand-written SQL gives it, in milliseconds since 1970."""
    at = value if isinstance(value, datetime) else datetime.fromisoformat(value)
    return round((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1000)


def offset_ms() -> int:
    """What the business clock, by which receipts and attempts are dated, is ahead of the machine's."""
    return round(clock.offset().total_seconds() * 1000)
