"""What Prometheus reads. All figures come from the database, so every process tells the same.

Totals and histograms are kept in the database (`chekhov.watch.folding`); what waits is counted by indexed reads whose
cost goes with what waits. The text is kept for some seconds.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

from chekhov.config.database import read_clock_ms
from chekhov.delivery.models import Breaker
from chekhov.delivery.selectors import Hold, lane_states
from chekhov.receipts.states import State
from chekhov.registers.models import Account
from chekhov.watch.folding import HISTOGRAMS, bare_obligations, fold_if_stale
from chekhov.watch.health import beats_read
from chekhov.watch.models import AccountSeen, Channel, Dispatch, Problem, Tally
from chekhov.watch.queues import LIVE, lane_name, lane_names, waiting

KEPT_SECONDS = 10.0
ALIVE_SECONDS = 30.0
BREAKER = {Breaker.CLOSED: 0, Breaker.HALF_OPEN: 1, Breaker.OPEN: 2}

_HISTOGRAM_NAMES = {
    "submit": ("chekhov_submit_seconds", "From the claim of a sending to the writing of its answer"),
    "fiscalized": ("chekhov_fiscalization_seconds", "From the forming of a receipt to its fiscal figures"),
    "callback_wait": ("chekhov_callback_wait_seconds", "From a sending to the provider's notification about it"),
}


class DatabaseCollector:
    """The figures of the database as metric families."""

    def collect(self) -> Iterator[Metric]:
        now_ms = read_clock_ms()
        totals = list(Tally.objects.values_list("metric", "provider", "kind", "bucket", "count", "sum_ms"))
        yield from _queues(now_ms, totals)
        yield from _counters(totals)
        yield from _histograms(totals)
        yield from _lanes()
        yield from _callback_age(now_ms)
        yield from _workers()
        yield from _alerts()


Total = tuple[str, str, str, int, int, int]


def _queues(now_ms: int, totals: list[Total]) -> Iterator[Metric]:
    names, rows = lane_names(), waiting()
    count = dict.fromkeys(State, 0)
    labels = ["register", "state"]
    depth = GaugeMetricFamily(
        "chekhov_queue_receipts", "Receipts that are not final, by register and state", labels=labels
    )
    age = GaugeMetricFamily("chekhov_queue_oldest_seconds", "How long ago the oldest of them was formed", labels=labels)
    due = GaugeMetricFamily(
        "chekhov_queue_oldest_due_seconds",
        "How long the oldest of them has been due; 0 where nothing is overdue",
        labels=labels,
    )
    for row in rows:
        count[row.state] += row.count
        values = [lane_name(names, row.lane).label, row.state.value]
        depth.add_metric(values, row.count)
        age.add_metric(values, max(now_ms - row.oldest_ms, 0) / 1000)
        if row.due_ms is not None:
            due.add_metric(values, max(now_ms - row.due_ms, 0) / 1000)
    for metric, _provider, kind, _bucket, moved, _sum in totals:
        if metric == "transition":
            before, after = kind.split(">")
            if State(after) not in LIVE:
                count[State(after)] += moved
            if before and State(before) not in LIVE:
                count[State(before)] -= moved
    receipts = GaugeMetricFamily("chekhov_receipts", "Receipts by state", labels=["state"])
    for state in State:
        receipts.add_metric([state.value], count[state])
    yield from (receipts, depth, age, due)
    info = GaugeMetricFamily(
        "chekhov_register_info", "1 for each physical register", labels=["register", "name", "provider"]
    )
    for lane in names.values():
        info.add_metric([lane.label, lane.name, lane.provider], 1)
    yield info
    bare, oldest_ms = bare_obligations()
    yield GaugeMetricFamily("chekhov_obligations_without_receipt", "Settlements that wait for a receipt", value=bare)
    yield GaugeMetricFamily(
        "chekhov_obligations_oldest_seconds",
        "How long the oldest of them has waited",
        value=max(now_ms - oldest_ms, 0) / 1000 if bare else 0,
    )


def _counters(totals: list[Total]) -> Iterator[Metric]:
    attempts = CounterMetricFamily("chekhov_attempts", "Answered sendings by outcome", labels=["provider", "outcome"])
    callbacks = CounterMetricFamily(
        "chekhov_callbacks", "Providers' notifications by verdict", labels=["provider", "verdict"]
    )
    transitions = CounterMetricFamily(
        "chekhov_receipt_transitions", "Receipts that went from one state to another", labels=["before", "after"]
    )
    for metric, provider, kind, _bucket, count, _sum in sorted(totals):
        if metric == "attempt":
            attempts.add_metric([provider, kind], count)
        elif metric == "callback":
            callbacks.add_metric([provider, kind], count)
        elif metric == "transition":
            transitions.add_metric(kind.split(">"), count)
    yield from (attempts, callbacks, transitions)


def _histograms(totals: list[Total]) -> Iterator[Metric]:
    buckets: dict[tuple[str, str], dict[int, int]] = defaultdict(dict)
    sums: dict[tuple[str, str], int] = defaultdict(int)
    for metric, provider, _kind, bucket, count, sum_ms in totals:
        if metric in HISTOGRAMS:
            buckets[metric, provider][bucket] = count
            sums[metric, provider] += sum_ms
    for metric, bounds in HISTOGRAMS.items():
        family = HistogramMetricFamily(*_HISTOGRAM_NAMES[metric], labels=["provider"])
        for (name, provider), counts in sorted(buckets.items()):
            if name != metric:
                continue
            below, rows = 0, []
            for number, bound in enumerate([*map(str, bounds), "+Inf"]):
                below += counts.get(number, 0)
                rows.append((bound, float(below)))
            family.add_metric([provider], rows, sums[name, provider] / 1000)
        yield family


def _lanes() -> Iterator[Metric]:
    names = lane_names()
    breaker = GaugeMetricFamily(
        "chekhov_breaker_state", "0 closed, 1 trying again, 2 open: nothing is sent", labels=["register"]
    )
    held = GaugeMetricFamily(
        "chekhov_lane_held", "1 where this holds up the sending to a register", labels=["register", "reason"]
    )
    for lane in lane_states(depth=False):
        label = lane_name(names, (lane.account_id, lane.queue)).label
        breaker.add_metric([label], BREAKER[lane.breaker])
        for reason in Hold:
            held.add_metric([label, reason.value], int(lane.hold is reason))
    yield from (breaker, held)


def _callback_age(now_ms: int) -> Iterator[Metric]:
    """By account, called by its oldest register: a provider notifies an account, not a register."""
    age = GaugeMetricFamily(
        "chekhov_callback_age_seconds", "Since an account's last verified notification", labels=["provider", "account"]
    )
    known = {pk: (provider, str(uuid)) for pk, provider, uuid in Account.objects.values_list("pk", "provider", "uuid")}
    for row in AccountSeen.objects.filter(callback_ms__isnull=False).order_by("pk"):
        assert row.callback_ms is not None
        age.add_metric(list(known[row.account_id]), max(now_ms - row.callback_ms, 0) / 1000)
    yield age


def _workers() -> Iterator[Metric]:
    beats = beats_read()
    yield GaugeMetricFamily(
        "chekhov_workers_alive",
        "Delivery workers that said within half a minute that they live",
        value=sum(beat.seconds_ago <= ALIVE_SECONDS for beat in beats),
    )
    age = GaugeMetricFamily("chekhov_worker_beat_age_seconds", "Since the last sign of life of any worker")
    if beats:
        age.add_metric([], min(beat.seconds_ago for beat in beats))
    yield age


def _alerts() -> Iterator[Metric]:
    problems = GaugeMetricFamily("chekhov_problems_open", "What the alerts' rules find now, by rule", labels=["rule"])
    count: dict[str, int] = defaultdict(int)
    for rule in Problem.objects.filter(closed_ms__isnull=True).values_list("rule", flat=True):
        count[rule] += 1
    for rule, number in sorted(count.items()):
        problems.add_metric([rule], number)
    yield problems
    yield GaugeMetricFamily(
        "chekhov_alerts_waiting",
        "Notices that wait to be sent to a channel",
        value=Dispatch.objects.filter(state="waiting").count(),
    )
    yield GaugeMetricFamily(
        "chekhov_alert_channels_failing",
        "Alert channels whose last sending failed",
        value=Channel.objects.filter(is_on=True, removed_at__isnull=True, failures__gt=0).count(),
    )


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
                fold_if_stale()
                self._text = generate_latest(self._registry)
                self._fresh_until = time.monotonic() + KEPT_SECONDS
            return self._text


exposition = Exposition()
