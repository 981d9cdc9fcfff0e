"""Whether this process may take payments. The worker's heartbeat is told and never judged: a dead worker must not stop
the taking of payments, they wait in the queue."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

import structlog
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor

from chekhov.config.database import read_clock_ms
from chekhov.config.immutability import missing
from chekhov.delivery.models import WorkerBeat

log = structlog.get_logger(__name__)
SCHEMA_FRESH_SECONDS = 30  # a schema that was found whole is not looked at again for so long


class _Memory:
    """Until when the schema is believed to be whole."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.whole_until = 0.0


_memory = _Memory()


@dataclass(frozen=True, slots=True)
class Beat:
    """When a worker last said that it lives, by the database's clock."""

    worker: str
    seconds_ago: float


@dataclass(frozen=True, slots=True)
class Readiness:
    """The answer of /readyz. `reasons` are empty when payments may be taken."""

    reasons: tuple[str, ...]
    beats: tuple[Beat, ...] = ()

    @property
    def is_ready(self) -> bool:
        return not self.reasons


def readiness() -> Readiness:
    """Look at the database: reachable, migrated, with the triggers that keep what must not change."""
    try:
        reasons = _schema_reasons()
        beats = beats_read()
    except DatabaseError as error:
        log.error("readiness_database", exc_info=error)
        return Readiness(("database_unreachable",))
    return Readiness(reasons, beats)


def beats_read() -> tuple[Beat, ...]:
    """The heartbeats of all workers, the youngest first."""
    rows = WorkerBeat.objects.order_by("-seen_ms").values_list("name", "seen_ms")[:20]
    clock = read_clock_ms()
    return tuple(Beat(name, max(clock - seen_ms, 0) / 1000) for name, seen_ms in rows)


def _schema_reasons() -> tuple[str, ...]:
    if time.monotonic() < _memory.whole_until:
        return ()
    with _memory.lock:
        executor = MigrationExecutor(connection)
        reasons = []
        if executor.migration_plan(executor.loader.graph.leaf_nodes()):
            reasons.append("migrations_unapplied")
        if missing():
            reasons.append("triggers_missing")
        if not reasons:
            _memory.whole_until = time.monotonic() + SCHEMA_FRESH_SECONDS
        return tuple(reasons)


def forget() -> None:
    """Look at the schema anew at the next question: for tests."""
    _memory.whole_until = 0.0
