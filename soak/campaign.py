"""One soak on one database: open a shop, trade and strike for so many minutes, let everything drain, compare."""

from __future__ import annotations

import contextlib
import json
import random
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from chekhov.supervision import free_port
from soak.chaos import Chaos
from soak.house import House
from soak.postgres import OwnPostgres
from soak.shop import Shop

CALM_SECONDS = 3.0  # people wait so long before they judge an error
SHOWN = 40


@dataclass(frozen=True, slots=True)
class Plan:
    """What to run. `given` is a PostgreSQL database to use where no server of our own can be started."""

    database: str
    seconds: float
    seed: int
    rate: float = 5.0  # facts a second, about
    webs: int = 1
    workers: int = 1
    pause: tuple[float, float] = (0.5, 4.0)  # seconds between two misfortunes
    drain_seconds: float = 180
    given: str = ""
    fsync: bool = True

    @classmethod
    def of(cls, database: str, seconds: float, seed: int, **more: Any) -> Plan:
        """SQLite has one web process and one worker, PostgreSQL two and three."""
        many = {"webs": 2, "workers": 3} if database == "postgresql" else {}
        return cls(database, seconds, seed, **{**many, **more})


def run(plan: Plan, *, say: bool = False) -> dict[str, Any]:
    """Carry it out; the row of `var/soak.json`, with the sentences about whatever is wrong under `bad`."""
    began = time.monotonic()
    with _server(plan) as (server, address), House(address, webs=plan.webs, workers=plan.workers) as house:
        shop = Shop(house.ports, house.key, rate=plan.rate, seed=plan.seed)
        chaos = Chaos(house, server, random.Random(plan.seed))
        try:
            people = _storm(plan, house, chaos, shop, say=say)
        finally:
            shop_done = False
            with contextlib.suppress(Exception):
                chaos.cease()
                shop_done = shop.close(plan.drain_seconds)
        drained = _drain(plan, house, say=say)
        found = _compare(house, shop)
        bad = [*shop.ledger.wrong, *found.pop("lost_list"), *found.pop("doubled_list"), *found.pop("false_list")]
        if not shop_done:
            bad.insert(0, "the shop did not get all its answers in time")
        if drained is None:
            bad.insert(0, f"not everything was settled within {plan.drain_seconds:.0f} s")
        return {
            "database": plan.database,
            "minutes": round(plan.seconds / 60, 2),
            "facts": found.pop("facts"),
            "documents": found.pop("documents"),
            "faults": sum(chaos.struck.values()),
            "lost": found.pop("lost"),
            "doubled": found.pop("doubled"),
            "false_states": found.pop("false_states"),
            "faults_by_kind": dict(sorted(chaos.struck.items())),
            "database_restarts": server.restarts if server is not None else 0,
            "web_processes": plan.webs,
            "workers": plan.workers,
            "repeats": shop.ledger.repeats,
            "conflicts": shop.ledger.conflicts,
            "calls_made_again": shop.ledger.unanswered,
            "people": people,
            **found,
            "drained_seconds": drained,
            "seconds": round(time.monotonic() - began, 1),
            "seed": plan.seed,
            "bad": bad[:SHOWN],
        }


@contextlib.contextmanager
def _server(plan: Plan) -> Iterator[tuple[OwnPostgres | None, str]]:
    """The database's address, and the server where it is ours to restart."""
    if plan.database == "sqlite":
        yield None, ""
    elif plan.given:
        yield None, plan.given
    else:
        with OwnPostgres(free_port(), fsync=plan.fsync) as server:
            yield server, server.create("chekhov")


def _storm(plan: Plan, house: House, chaos: Chaos, shop: Shop, *, say: bool) -> dict[str, int]:
    """Misfortunes at random until the time is over; meanwhile people tend what waits for them."""
    dice = random.Random(plan.seed + 1)
    people: dict[str, int] = {}
    ends = time.monotonic() + plan.seconds
    strike_at = tend_at = time.monotonic()
    restart_at = time.monotonic() + plan.seconds / 2  # whatever chance brings, the server dies once in mid-run
    say_at = 0.0
    while (moment := time.monotonic()) < ends:
        chaos.tick()
        if moment >= strike_at:
            chaos.strike()
            strike_at = time.monotonic() + dice.uniform(*plan.pause)
        if restart_at and moment >= restart_at:
            chaos.restart_the_database()
            restart_at = 0.0
        if moment >= tend_at:
            _tend(house, people)
            tend_at = time.monotonic() + 2
        if say and moment >= say_at:
            _say(plan, f"{ends - moment:.0f} s to go, {house.clerk('counts')}, {sum(chaos.struck.values())} faults")
            say_at = moment + 30
        time.sleep(0.1)
    return people


def _drain(plan: Plan, house: House, *, say: bool) -> float | None:
    """Wait, without any misfortune, until each obligation is fiscalized; how long it took, None if it did not end."""
    began = time.monotonic()
    say_at = began + 15
    while (moment := time.monotonic()) < began + plan.drain_seconds:
        for member in [*house.webs, *house.workers]:
            member.start()
        counts = house.clerk("counts")
        if not counts["open"]:
            return round(moment - began, 1)
        _tend(house, {})
        if say and moment > say_at:
            _say(plan, f"draining: {counts}")
            say_at = moment + 15
        time.sleep(0.5)
    return None


def _tend(house: House, people: dict[str, int]) -> None:
    house.clerk("hurry")
    for what, count in house.clerk("tend", calm_seconds=CALM_SECONDS, cancel_every=7).items():
        people[what] = people.get(what, 0) + count


def _compare(house: House, shop: Shop) -> dict[str, Any]:
    tasks, sent = house.folder / "tasks.json", house.folder / "sent.json"
    tasks.write_bytes(orjson.dumps(house.emulator.receipts()))
    sent.write_bytes(orjson.dumps([fact for fact, _ in shop.ledger.taken.values()]))
    found = house.clerk("books", tasks=str(tasks), sent=str(sent))
    for name, short in (("lost", "lost_list"), ("doubled", "doubled_list"), ("false_states", "false_list")):
        found[short] = [f"{name}: {text}" for text in found[name][:SHOWN]]
        found[name] = len(found[name])
    return found


def _say(plan: Plan, text: str) -> None:
    print(f"{plan.database}: {text}", file=sys.stderr, flush=True)


def failed(row: dict[str, Any]) -> bool:
    """Whether a row is anything but a proof."""
    return bool(row["lost"] or row["doubled"] or row["false_states"] or row["bad"] or not row["facts"])


def main(argv: list[str]) -> int:
    """`python -m soak.campaign PLAN.json ROW.json`: a campaign in a process of its own."""
    plan_file, row_file = map(Path, argv)
    given = json.loads(plan_file.read_text("utf-8"))
    plan = Plan(**{**given, "pause": tuple(given["pause"])})
    row_file.write_text(json.dumps(run(plan, say=True), ensure_ascii=False), encoding="utf-8")
    return 0


def plan_fields(plan: Plan) -> dict[str, Any]:
    """A plan as JSON can carry it."""
    return {name: getattr(plan, name) for name in plan.__slots__}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
