"""The whole job beside the peers: an intended receipt is sent, its fate is asked for, the answer is stored."""

from __future__ import annotations

from collections import defaultdict
from statistics import median

from bench.figures import Figure
from bench.house import BenchError
from bench.measures import IN_FLIGHT, SLOW_MS, Bench, drain
from bench.peers.running import BARE_LOOP, CELERY, PROCRASTINATE, STORE, Peers

SLOW_IN_FLIGHT = 512  # enough that it is the sender which limits, not in-flight ÷ latency
CELERY_PROCESSES = 4  # the quickest of 2, 4, 8 processes and 16, 64, 128 threads at an instant provider
_measured: dict[int, dict[str, list[float]]] = {}  # by latency: the peers know neither of Chekhov's databases
_told: list[str] = []


def job(bench: Bench) -> list[Figure]:
    """Chekhov and the peers in turns, at an instant provider and at a slow one."""
    drain(bench)
    figures = []
    for latency_ms, in_flight in ((0, IN_FLIGHT), (SLOW_MS, SLOW_IN_FLIGHT)):
        count = bench.scale.job_slow if latency_ms else bench.scale.job
        rates = []
        with Peers(bench.port) as peers:
            wanted = [] if latency_ms in _measured else peers.present
            seen: dict[str, list[float]] = defaultdict(list)
            for _ in range(max(1, bench.scale.rounds - 1)):
                rates.append(_chekhov(bench, count, in_flight, latency_ms))
                for name in wanted:
                    seen[name].append(_peer(bench, peers, name, in_flight, latency_ms))
            if latency_ms not in _measured:
                _measured[latency_ms] = dict(seen)
                _told[:] = [f"{name} skipped: {why}" for name, why in peers.skipped.items()]
        figures += _figures(bench, rates, latency_ms, f"{count} receipts, {in_flight} in flight")
    return figures


def _figures(bench: Bench, rates: list[float], latency_ms: int, note: str) -> list[Figure]:
    peers = {name: median(values) for name, values in _measured[latency_ms].items()}
    name = f"whole job at {latency_ms} ms latency" if latency_ms else "whole job"
    found = [bench.figure(name, rates, "per s", peers=peers, note="; ".join([note, *_told]))]
    stored = [peers[peer] for peer in STORE if peer in peers]
    if stored:
        ratios = [rate / max(stored) for rate in rates]
        bounds = {"goal": 2.0} if latency_ms else {"must": 3.0, "goal": 5.0}
        found.append(bench.figure(f"{name} ÷ best peer that stores", ratios, "×", **bounds))
    if BARE_LOOP in peers:
        ratios = [rate / peers[BARE_LOOP] for rate in rates]
        found.append(bench.figure(f"{name} ÷ bare loop", ratios, "×", goal=3.0))
    return found


def _chekhov(bench: Bench, count: int, in_flight: int, latency_ms: int) -> float:
    """Receipts a second from «may claim» until the last one's fiscal data is committed."""
    bench.house.keep("pause")
    bench.house.keep("queue", count=count)
    with bench.running(bench.house.worker(in_flight)), bench.latency(latency_ms):
        started = bench.house.keep("resume")["at"]
        ended = bench.house.keep("settled", timeout=90.0)["at"]
    if ended is None:
        raise BenchError(f"whole job: not settled in 90 s, {bench.house.keep('counts')['states']}")
    return float(count / (ended - started))


def _peer(bench: Bench, peers: Peers, name: str, in_flight: int, latency_ms: int) -> float:
    scale = bench.scale.peers
    if latency_ms:
        count = 8 if name == BARE_LOOP else round(1500 * scale)
    else:
        count = round({BARE_LOOP: 500, CELERY: 1200, PROCRASTINATE: 1800}[name] * scale)
        in_flight = CELERY_PROCESSES if name == CELERY else in_flight
    with bench.latency(latency_ms):
        return peers.run(name, count, in_flight).per_second
