"""The whole job beside the peers: an intended receipt is sent, its fate is asked for, the answer is stored."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from statistics import median

from bench.figures import Figure
from bench.house import BenchError
from bench.measures import IN_FLIGHT, SLOW_MS, Bench, drain
from bench.peers.running import BARE_LOOP, CELERY, PROCRASTINATE, STORE, Peers

SLOW_IN_FLIGHT = 512  # enough that it is the sender which limits, not in-flight ÷ latency
CELERY_PROCESSES = 4  # the quickest of 2, 4, 8 processes and 16, 64, 128 threads at an instant provider


@dataclass(frozen=True, slots=True)
class Kind:
    """One comparison: what the job is and how slow the provider is."""

    name: str
    asks: bool
    latency_ms: int
    in_flight: int
    must: float | None
    goal: float


KINDS = (
    Kind("send only", asks=False, latency_ms=0, in_flight=IN_FLIGHT, must=3.0, goal=5.0),
    Kind("whole job", asks=True, latency_ms=0, in_flight=IN_FLIGHT, must=3.0, goal=5.0),
    Kind(f"whole job at {SLOW_MS} ms", asks=True, latency_ms=SLOW_MS, in_flight=SLOW_IN_FLIGHT, must=None, goal=2.0),
)
LOOP_GOAL = 3.0
_measured: dict[str, dict[str, list[float]]] = {}  # by the kind's name: the peers know neither of Chekhov's databases
_told: list[str] = []


def job(bench: Bench) -> list[Figure]:
    """Chekhov and the peers in turns."""
    drain(bench)
    figures = []
    for kind in KINDS:
        scale = bench.scale
        count = scale.job_slow if kind.latency_ms else scale.job if kind.asks else scale.deliver
        rates = []
        with Peers(bench.port, asks=kind.asks) as peers:
            wanted = [] if kind.name in _measured else peers.present
            seen: dict[str, list[float]] = defaultdict(list)
            for _ in range(max(1, bench.scale.rounds - 1)):
                rates.append(_chekhov(bench, count, kind))
                for name in wanted:
                    seen[name].append(_peer(bench, peers, name, kind))
            if kind.name not in _measured:
                _measured[kind.name] = dict(seen)
                _told[:] = [f"{name} skipped: {why}" for name, why in peers.skipped.items()]
        figures += _figures(bench, rates, kind, f"{count} receipts, {kind.in_flight} in flight")
    return figures


def _figures(bench: Bench, rates: list[float], kind: Kind, note: str) -> list[Figure]:
    peers = {name: median(values) for name, values in _measured[kind.name].items()}
    found = [bench.figure(kind.name, rates, "per s", peers=peers, note="; ".join([note, *_told]))]
    stored = [peers[peer] for peer in STORE if peer in peers]
    if stored:
        ratios = [rate / max(stored) for rate in rates]
        found.append(bench.figure(f"{kind.name} ÷ best peer that stores", ratios, "×", must=kind.must, goal=kind.goal))
    if BARE_LOOP in peers:
        ratios = [rate / peers[BARE_LOOP] for rate in rates]
        found.append(bench.figure(f"{kind.name} ÷ bare loop", ratios, "×", goal=LOOP_GOAL))
    return found


def _chekhov(bench: Bench, count: int, kind: Kind) -> float:
    """Receipts a second from «may claim» until the last one's answer, or its fiscal data, is committed."""
    bench.house.keep("pause")
    bench.house.keep("queue", count=count)
    with bench.running(bench.house.worker(kind.in_flight)), bench.latency(kind.latency_ms):
        started = bench.house.keep("resume")["at"]
        ended = bench.house.keep("settled" if kind.asks else "drained", timeout=90.0)["at"]
    if ended is None:
        raise BenchError(f"{kind.name}: not done in 90 s, {bench.house.keep('counts')['states']}")
    if not kind.asks:
        bench.house.keep("retire")
    return float(count / (ended - started))


def _peer(bench: Bench, peers: Peers, name: str, kind: Kind) -> float:
    scale, in_flight = bench.scale.peers, kind.in_flight
    if kind.latency_ms:
        count = 8 if name == BARE_LOOP else round(1500 * scale)
    else:
        count = round({BARE_LOOP: 500, CELERY: 1200, PROCRASTINATE: 1800}[name] * scale)
        in_flight = CELERY_PROCESSES if name == CELERY else in_flight
    with bench.latency(kind.latency_ms):
        return peers.run(name, count, in_flight).per_second
