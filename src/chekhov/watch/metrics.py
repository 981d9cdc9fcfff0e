"""What Prometheus reads. All figures come from the database, so every process tells the same.

A scrape costs a few reads of indexed columns and is kept for some seconds. Attempts and callbacks are counted once:
only the newest rows are counted again, because an attempt is answered after it was written.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from chekhov.config.database import as_uuid, fetch, read_clock_ms
from chekhov.receipts.states import State
from chekhov.watch.health import beats_read

KEPT_SECONDS = 10.0
UNSETTLED_ROWS = 5_000

_OBLIGATIONS_WITHOUT_RECEIPT = (
    "SELECT count(*) FROM receipts_obligation o WHERE o.missing_code > '' "
    "AND NOT EXISTS (SELECT 1 FROM receipts_receiptstate s WHERE s.obligation_id = o.id AND s.state <> 'cancelled')",
    "SELECT count(DISTINCT c.obligation_id) FROM receipts_receiptstate c "
    "JOIN receipts_obligation o ON o.id = c.obligation_id WHERE c.state = 'cancelled' AND o.missing_code = '' "
    "AND NOT EXISTS (SELECT 1 FROM receipts_receiptstate s WHERE s.obligation_id = c.obligation_id "
    "AND s.state <> 'cancelled')",
)
_LIVE = (
    "SELECT g.uuid, s.state, count(*), min(s.due_ms) FROM receipts_receiptstate s "
    "JOIN receipts_receipt r ON r.id = s.receipt_id JOIN registers_register g ON g.id = r.register_id "
    "WHERE s.state IN ('queued', 'sending', 'accepted', 'unknown', 'failed', 'refused') GROUP BY g.uuid, s.state"
)


@dataclass(slots=True)
class Tally:
    """Rows of an append-only table by the value of one column; rows older than the newest few are counted once."""

    table: str
    column: str
    settled: dict[str, int] = field(default_factory=dict)
    settled_to: int = 0

    def read(self) -> dict[str, int]:
        newest = fetch(f"SELECT max(id) FROM {self.table}")[0][0] or 0
        if newest < self.settled_to:
            self.settled, self.settled_to = {}, 0  # another database
        border = newest - UNSETTLED_ROWS
        if border > self.settled_to:
            self._add(self.settled, "id > %s AND id <= %s", [self.settled_to, border])
            self.settled_to = border
        found = dict(self.settled)
        self._add(found, "id > %s", [self.settled_to])
        return found

    def _add(self, counts: dict[str, int], where: str, parameters: list[int]) -> None:
        sql = f"SELECT {self.column}, count(*) FROM {self.table} WHERE {where} GROUP BY {self.column}"
        for value, count in fetch(sql, parameters):
            counts[value] = counts.get(value, 0) + count


class DatabaseCollector:
    """The figures of the database as metric families."""

    def __init__(self) -> None:
        self.attempts = Tally("delivery_attempt", "outcome")
        self.callbacks = Tally("delivery_callback", "verdict")

    def collect(self) -> Iterator[Metric]:
        receipts = GaugeMetricFamily("chekhov_receipts", "Receipts by state", labels=["state"])
        counts = dict(fetch("SELECT state, count(*) FROM receipts_receiptstate GROUP BY state"))
        for state in State:
            receipts.add_metric([state.value], counts.get(state.value, 0))
        yield receipts

        clock = read_clock_ms()
        depth = GaugeMetricFamily(
            "chekhov_queue_receipts", "Receipts that are not final, by register and state", labels=["register", "state"]
        )
        age = GaugeMetricFamily(
            "chekhov_queue_oldest_due_seconds",
            "How long the oldest of them has been due; 0 where nothing is overdue",
            labels=["register", "state"],
        )
        for register, state, count, due_ms in fetch(_LIVE):
            labels = [str(as_uuid(register)), state]
            depth.add_metric(labels, count)
            if due_ms is not None:
                age.add_metric(labels, max(clock - due_ms, 0) / 1000)
        yield depth
        yield age

        bare = sum(int(fetch(sql)[0][0]) for sql in _OBLIGATIONS_WITHOUT_RECEIPT)
        yield GaugeMetricFamily(
            "chekhov_obligations_without_receipt", "Settlements that wait for a receipt", value=bare
        )

        attempts = CounterMetricFamily("chekhov_attempts", "Sendings by outcome", labels=["outcome"])
        for outcome, count in sorted(self.attempts.read().items()):
            attempts.add_metric([outcome or "unanswered"], count)
        yield attempts

        callbacks = CounterMetricFamily("chekhov_callbacks", "Providers' notifications by verdict", labels=["verdict"])
        for verdict, count in sorted(self.callbacks.read().items()):
            callbacks.add_metric([verdict], count)
        yield callbacks

        beat = GaugeMetricFamily(
            "chekhov_worker_beat_age_seconds", "How long ago a worker said that it lives", labels=["worker"]
        )
        for item in beats_read():
            beat.add_metric([item.worker], item.seconds_ago)
        yield beat


class Exposition:
    """The metrics as Prometheus text, at most some seconds old."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(DatabaseCollector())
        self._lock = threading.Lock()
        self._text = b""
        self._fresh_until = 0.0

    def text(self) -> bytes:
        with self._lock:
            if time.monotonic() >= self._fresh_until:
                self._text = generate_latest(self._registry)
                self._fresh_until = time.monotonic() + KEPT_SECONDS
            return self._text


exposition = Exposition()
