"""`chekhov watch`: counts for the metrics, evaluates the rules, asks after queues, sends alerts.

A process of its own, so that a dead worker is noticed and no alert slows a delivery. Any number may run: the duties
that one should do go by turns in the database, channels are leased, and a process that dies is replaced by the next.
"""

from __future__ import annotations

import os
import secrets
import signal
import socket
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial

import structlog
from django.db import DatabaseError, connection

from chekhov.config.database import read_clock_ms, writing
from chekhov.watch.dispatch import channels_due, deliver
from chekhov.watch.folding import fold, folded
from chekhov.watch.models import Dispatch, Notice, Problem
from chekhov.watch.probes import probe, probes_due
from chekhov.watch.problems import evaluate
from chekhov.watch.turns import turn_is_free, turn_take

log = structlog.get_logger(__name__)

TICK_SECONDS = 2.0
FOLD_MS = 10_000
EVALUATE_MS = 15_000
PROBE_MS = 60_000
CLEAN_MS = 3_600_000
KEPT_MS = 90 * 86_400_000
SENDERS = 4


class Watch:
    """Watches until it is stopped."""

    def __init__(self, *, name: str = "") -> None:
        self.name = (name or f"{socket.gethostname()[:20]}:{os.getpid()}:{secrets.token_hex(3)}")[:40]
        self._stopping = threading.Event()
        self._senders = ThreadPoolExecutor(SENDERS, thread_name_prefix="alert")
        self._prober = ThreadPoolExecutor(1, thread_name_prefix="probe")
        self._sending: dict[int, Future[None]] = {}
        self._probing: Future[None] | None = None

    def stop(self) -> None:
        self._stopping.set()

    def run(self) -> None:
        """Watch until `stop`. Database faults are waited out."""
        log.info("watch.started", watch=self.name)
        try:
            while not self._stopping.is_set():
                self.tick()
                self._stopping.wait(TICK_SECONDS)
        finally:
            self._prober.shutdown(wait=False, cancel_futures=True)
            self._senders.shutdown(wait=True, cancel_futures=True)
            connection.close()
            log.info("watch.stopped", watch=self.name)

    def tick(self) -> None:
        """Do what is due now."""
        duties: tuple[tuple[str, int, Callable[[], None]], ...] = (
            ("fold", FOLD_MS, self._fold),
            ("evaluate", EVALUATE_MS, self._evaluate),
            ("probe", PROBE_MS, self._probe),
            ("clean", CLEAN_MS, self._clean),
        )
        try:
            for name, every_ms, duty in duties:
                if turn_is_free(name, every_ms=every_ms) and turn_take(name, owner=self.name, every_ms=every_ms):
                    duty()
            self._send()
        except DatabaseError as error:
            log.warning("watch.database_fault", error=str(error)[:200])
            connection.close()
        except Exception:  # ours: it must be loud and must not end the watch
            log.exception("watch.failed")
            connection.close()

    def _fold(self) -> None:
        fold()
        folded(read_clock_ms())

    def _evaluate(self) -> None:
        changes = evaluate(now_ms=read_clock_ms())
        if changes.opened or changes.closed or changes.reminded:
            log.info("watch.problems", opened=changes.opened, closed=changes.closed, reminded=changes.reminded)

    def _probe(self) -> None:
        if self._probing is None or self._probing.done():
            self._probing = self._prober.submit(_in_own_connection, self._probe_all)

    def _probe_all(self) -> None:
        for register in probes_due():
            if self._stopping.is_set():
                return
            probe(register)

    def _clean(self) -> None:
        """Forget what is old: a bounded number of rows at a time."""
        border = read_clock_ms() - KEPT_MS
        for model, filters in (
            (Dispatch, {"notice__at_ms__lt": border}),
            (Notice, {"at_ms__lt": border, "dispatches__isnull": True}),
            (Problem, {"closed_ms__lt": border, "notices__isnull": True}),
        ):
            ids = list(model.objects.filter(**filters).order_by("pk").values_list("pk", flat=True)[:1000])
            if ids:
                with writing():
                    model.objects.filter(pk__in=ids).delete()

    def _send(self) -> None:
        for pk in [pk for pk, future in self._sending.items() if future.done()]:
            del self._sending[pk]
        for pk in channels_due(now_ms=read_clock_ms()):
            if pk not in self._sending:
                self._sending[pk] = self._senders.submit(_in_own_connection, partial(self._deliver, pk))

    def _deliver(self, channel_id: int) -> None:
        deliver(channel_id, owner=self.name, now_ms=read_clock_ms())


def _in_own_connection(work: Callable[[], None]) -> None:
    """Run in a thread of a pool; its connection to the database does not outlive the work."""
    try:
        work()
    except DatabaseError as error:
        log.warning("watch.database_fault", error=str(error)[:200])
    except Exception:
        log.exception("watch.failed")
    finally:
        connection.close()


def watch() -> None:
    """Watch until SIGTERM or SIGINT."""
    watching = Watch()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: watching.stop())
    watching.run()
