"""The measures: each takes a house and a scale and gives back its figures beside their floors."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from statistics import median
from typing import Any

from bench.figures import Figure
from bench.house import BenchError, House, cpu_seconds, free_port, peak_mb, told


@dataclass(frozen=True, slots=True)
class Scale:
    """How much of everything."""

    rounds: int
    single: int
    batch: int
    deliver: int
    slow_seconds: float
    idle: int
    memory: int
    busy: int
    job: int  # receipts of the whole job: enough that the wait before the first question is a small part
    job_slow: int
    peers: float  # the peers' jobs, as a share of the usual number
    old: int  # old receipts of the panel and of flatness
    pages: int  # requests of each kind


FULL = Scale(
    rounds=3, single=1500, batch=6000, deliver=4000, slow_seconds=5, idle=200, memory=100_000, busy=1500,
    job=24_000, job_slow=20_000, peers=1, old=1_000_000, pages=60,
)  # fmt: skip
SHORT = replace(
    FULL, rounds=2, memory=15_000, busy=800, job_slow=10_000, peers=0.7, old=30_000, pages=30,
)  # fmt: skip
QUICK = Scale(
    rounds=1, single=600, batch=2000, deliver=2000, slow_seconds=2.5, idle=60, memory=3000, busy=500,
    job=3000, job_slow=1500, peers=0.5, old=10_000, pages=10,
)  # fmt: skip

CONNECTIONS = 4
BATCH_CONNECTIONS = 2
IN_FLIGHT = 128
SLOW_IN_FLIGHT = 64
SLOW_MS = 200


@dataclass(frozen=True, slots=True)
class Bench:
    """What a measure works with: the house, the instant provider's port, the scale."""

    house: House
    port: int
    scale: Scale

    def figure(self, name: str, values: list[float], unit: str, **more: Any) -> Figure:
        """The median of the rounds."""
        return Figure(name, self.house.database, median(values), unit, rounds=tuple(values), **more)

    def pick(self, sqlite: float, postgresql: float) -> float:
        return sqlite if self.house.database == "sqlite" else postgresql

    def load(self, kind: str, made: dict[str, Any], connections: int) -> dict[str, Any]:
        """Run the load generator; every request must have made its receipt, in the answers and in the database."""
        before = self.house.keep("counts")["facts"]
        spec = {**made, "kind": kind, "key": self.house.key, "port": self.house.web_port, "connections": connections}
        seen = self.house.once("bench.load", spec)
        written = self.house.keep("counts")["facts"] - before
        if not seen["receipts"] == written == made["count"]:
            raise BenchError(
                f"{kind}: {made['count']} payments, {seen['receipts']} said 201, {written} facts written, "
                f"statuses {seen['statuses']}"
            )
        return seen

    def floor(self, kind: str, **spec: Any) -> dict[str, Any]:
        return self.house.once(
            "bench.floors",
            {"kind": kind, "url": self.house.url, "row": self.house.row, "body": self.house.body, **spec},
        )

    @contextmanager
    def running(self, process: subprocess.Popen[bytes]) -> Iterator[subprocess.Popen[bytes]]:
        try:
            yield process
        finally:
            self.house.end(process)

    @contextmanager
    def latency(self, milliseconds: int) -> Iterator[None]:
        """Let the instant provider take its time for a while."""
        told(self.port, f"/_latency/{milliseconds}")
        try:
            yield
        finally:
            with suppress(OSError):  # the provider may be gone when a run is broken off
                told(self.port, "/_latency/0")


def accept_single(bench: Bench) -> list[Figure]:
    """PUT payment, one a request, over keep-alive connections to one web process."""
    rates, p50s, p99s, cpus, floors = [], [], [], [], []
    bench.house.keep("pause")
    with bench.running(bench.house.web()) as web:
        bench.load("single", bench.house.keep("invoices", count=100), CONNECTIONS)  # warm
        for _ in range(bench.scale.rounds):
            floors.append(bench.floor("single", count=bench.scale.single)["value"])
            made = bench.house.keep("invoices", count=bench.scale.single)
            spent = cpu_seconds(web)
            seen = bench.load("single", made, CONNECTIONS)
            cpus.append((cpu_seconds(web) - spent) / made["count"] * 1000)
            rates.append(seen["per_second"])
            p50s.append(seen["p50_ms"])
            p99s.append(seen["p99_ms"])
    note = f"{CONNECTIONS} connections"
    return [
        bench.figure(
            "accept single",
            rates,
            "per s",
            floor=median(floors),
            must=bench.pick(500, 300),
            goal=bench.pick(900, 600),
            note=note,
        ),
        bench.figure("accept single, p50", p50s, "ms", floor=1000 / median(floors), note=note),
        bench.figure("accept single, p99", p99s, "ms", note=note),
        bench.figure("accept single, web CPU", cpus, "ms CPU", note="per payment"),
    ]


def accept_busy(bench: Bench) -> list[Figure]:
    """The same beside a worker that drains a long queue to the instant provider."""
    rates, p99s = [], []
    for _ in range(max(1, bench.scale.rounds - 1)):
        bench.house.keep("pause")
        bench.house.keep("queue", count=bench.scale.busy * 16)
        made = bench.house.keep("invoices", count=bench.scale.busy)
        with bench.running(bench.house.web()), bench.running(bench.house.worker(IN_FLIGHT)):
            bench.load("single", bench.house.keep("invoices", count=50), CONNECTIONS)
            bench.house.keep("resume")
            seen = bench.load("single", made, CONNECTIONS)
            states = bench.house.keep("counts")["states"]
            left = states.get("queued", 0) + states.get("accepted", 0)
            rates.append(seen["per_second"])
            p99s.append(seen["p99_ms"])
            note = f"{CONNECTIONS} connections; worker busy " + ("throughout" if left > 100 else "for a part only")
            bench.house.keep("pause")
        drain(bench)
    return [
        bench.figure("accept single beside a busy worker", rates, "per s", note=note),
        bench.figure("accept single beside a busy worker, p99", p99s, "ms", must=bench.pick(50, 100), note=note),
    ]


def accept_batch(bench: Bench) -> list[Figure]:
    """POST /api/v1/batch with 100 payments each."""
    rates, cpus, floors = [], [], []
    bench.house.keep("pause")
    with bench.running(bench.house.web()) as web:
        bench.load("batch", bench.house.keep("invoices", count=400), BATCH_CONNECTIONS)
        for _ in range(bench.scale.rounds):
            floors.append(bench.floor("batch", count=bench.scale.batch * 2)["value"])
            made = bench.house.keep("invoices", count=bench.scale.batch)
            spent = cpu_seconds(web)
            rates.append(bench.load("batch", made, BATCH_CONNECTIONS)["per_second"])
            cpus.append((cpu_seconds(web) - spent) / made["count"] * 1000)
    note = f"100 payments a request, {BATCH_CONNECTIONS} connections"
    return [
        bench.figure(
            "accept batch",
            rates,
            "per s",
            floor=median(floors),
            must=bench.pick(2500, 1200),
            goal=bench.pick(5000, 2800),
            note=note,
        ),
        bench.figure("accept batch, web CPU", cpus, "ms CPU", note="per payment"),
    ]


def deliver(bench: Bench) -> list[Figure]:
    """One worker, an instant provider: from «may claim» until every receipt is accepted and committed."""
    rates, cpus, floors = [], [], []
    count = bench.scale.deliver
    drain(bench)
    others = _other_than_delivered(bench.house.keep("counts")["states"])
    for _ in range(bench.scale.rounds):
        floors.append(bench.floor("deliver", count=count, port=bench.port, in_flight=IN_FLIGHT)["value"])
        bench.house.keep("pause")
        bench.house.keep("queue", count=count)
        before = told(bench.port, "/_stats")["posts"]
        with bench.running(bench.house.worker(IN_FLIGHT)) as worker:
            spent = cpu_seconds(worker)
            started = bench.house.keep("resume")["at"]
            ended = bench.house.keep("drained", timeout=60.0)["at"]
            if ended is None:
                raise BenchError("deliver: not drained in 60 s")
            cpus.append((cpu_seconds(worker) - spent) / count * 1000)
        sent = told(bench.port, "/_stats")["posts"] - before
        if sent != count:
            raise BenchError(f"deliver: {count} receipts, {sent} requests")
        rates.append(count / (ended - started))
    states = bench.house.keep("counts")["states"]
    if _other_than_delivered(states) != others:
        raise BenchError(f"deliver: states afterwards {states}")
    note = f"{count} receipts, {IN_FLIGHT} in flight"
    return [
        bench.figure(
            "deliver",
            rates,
            "per s",
            floor=median(floors),
            must=bench.pick(2000, 1500),
            goal=bench.pick(3000, 2200),
            note=note,
        ),
        bench.figure("deliver, worker CPU", cpus, "ms CPU", note="per receipt"),
    ]


def _other_than_delivered(states: dict[str, int]) -> dict[str, int]:
    return {state: count for state, count in states.items() if state not in {"accepted", "fiscalized"}}


def deliver_slow(bench: Bench) -> list[Figure]:
    """The same with 200 ms latency: how much of in-flight ÷ latency is reached, by requests of both kinds."""
    ideal = SLOW_IN_FLIGHT / (SLOW_MS / 1000)
    count = round(ideal * bench.scale.slow_seconds)
    shares = []
    drain(bench)
    for _ in range(max(1, bench.scale.rounds - 1)):
        bench.house.keep("pause")
        bench.house.keep("queue", count=count)
        with bench.running(bench.house.worker(SLOW_IN_FLIGHT)), bench.latency(SLOW_MS):
            before = told(bench.port, "/_stats")
            started = bench.house.keep("resume")["at"]
            ended = bench.house.keep("drained", timeout=60.0)["at"]
            if ended is None:
                raise BenchError("deliver at 200 ms: not drained in 60 s")
            after = told(bench.port, "/_stats")
        answered = sum(after[kind] - before[kind] for kind in ("posts", "gets"))
        shares.append(answered / (ended - started) / ideal * 100)
    note = f"{SLOW_IN_FLIGHT} in flight, ideal {ideal:.0f} requests/s"
    return [bench.figure(f"deliver at {SLOW_MS} ms latency", shares, "%", floor=100.0, must=80, goal=90, note=note)]


def idle_latency(bench: Bench) -> list[Figure]:
    """PUT payment sent → the provider has the receipt, one at a time with pauses."""
    drain(bench)
    base = bench.floor("idle", count=bench.scale.idle, port=bench.port)
    with bench.running(bench.house.web()), bench.running(bench.house.worker(IN_FLIGHT)):
        bench.house.keep("resume")
        bench.load("single", bench.house.keep("invoices", count=50), 1)
        time.sleep(1)
        seen = bench.load("spaced", bench.house.keep("invoices", count=bench.scale.idle), 1)
        if bench.house.keep("drained", timeout=20.0)["at"] is None:
            raise BenchError("idle latency: not drained in 20 s")
        arrivals = told(bench.port, "/_arrivals")
    waits = sorted((arrivals[key] - sent) / 1e6 for key, sent in seen["sent"])
    p50, p99 = waits[len(waits) // 2], waits[int(len(waits) * 0.99)]
    note = f"{len(waits)} payments, 50 ms apart"
    return [
        bench.figure("payment → provider has it, p50", [p50], "ms", floor=base["p50"], must=50, goal=20, note=note),
        bench.figure("payment → provider has it, p99", [p99], "ms", floor=base["p99"], must=300, note=note),
    ]


def memory(bench: Bench) -> list[Figure]:
    """Peak resident memory of a worker while it drains a long queue, polls and fiscal data included."""
    drain(bench)
    bench.house.keep("pause")
    bench.house.keep("queue", count=bench.scale.memory)
    with bench.running(bench.house.worker(IN_FLIGHT)) as worker:
        empty = peak_mb(worker)
        started = bench.house.keep("resume")["at"]
        ended = bench.house.keep("drained", timeout=170.0, every=0.5)["at"]
        peak = peak_mb(worker)
        left = bench.house.keep("counts")["states"].get("queued", 0)
    done = bench.scale.memory - left
    seconds = (ended or time.monotonic()) - started
    note = f"draining {done} of {bench.scale.memory}, {done / seconds:.0f} per s with polls and fiscal data"
    return [bench.figure("worker memory", [peak], "MB", floor=empty, must=200, goal=120, note=note)]


def drain(bench: Bench) -> None:
    """Bring the installation to rest: nothing queued, nothing to be asked about."""
    if not bench.house.keep("counts")["states"].get("queued"):
        bench.house.keep("retire")
        return
    with bench.running(bench.house.worker(IN_FLIGHT)):
        bench.house.keep("resume")
        if bench.house.keep("drained", timeout=120.0, every=0.1)["at"] is None:
            raise BenchError("the queue does not drain")
    bench.house.keep("retire")


@contextmanager
def opened(house: House, port: int, scale: Scale) -> Iterator[Bench]:
    """A house with its shop laid, the instant provider running and the weight of a row known."""
    with house:
        house.cloud(port)
        house.key = house.keep("shop", service_url=f"http://127.0.0.1:{port}")["key"]
        bench = Bench(house, port, scale)
        house.keep("queue", count=100)
        drain(bench)
        weights = house.keep("size")
        house.row, house.body = weights["row"], weights["body"]
        print(f"{house.database}: a payment writes about {house.row} bytes", file=sys.stderr)
        yield bench


@contextmanager
def settled_in(house: House, scale: Scale) -> Iterator[Bench]:
    """A copy of an older installation, its register speaking to a provider of its own."""
    with house:
        port = free_port()
        house.cloud(port)
        house.key = house.keep("reopen", service_url=f"http://127.0.0.1:{port}")["key"]
        weights = house.keep("size")
        house.row, house.body = weights["row"], weights["body"]
        yield Bench(house, port, scale)
