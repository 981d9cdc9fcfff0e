"""The panel with many receipts: pages over HTTP from a real web process, beside the same pages with 10,000."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from bench.cache import reopened
from bench.figures import Figure, percentile
from bench.measures import Bench, settled_in

FEW = 10_000
MUST_MS = 150.0
GOAL_RATIO = 1.5
GROUPS = {
    "panel: receipt list": ("newest", "further page", "state", "period", "register"),
    "panel: search": ("contact", "invoice", "fiscal document", "uuid"),
    "panel: «Оплачено без чека»": ("without receipt",),
    "panel: dashboard": ("dashboard",),
    "panel: invoices and customers": ("invoices", "customers", "invoice search", "customer search"),
    "/metrics, first scrape": ("metrics",),
}
BOUND = frozenset(list(GROUPS)[:3])


def pages(samples: list[list[Any]], rounds: int) -> list[tuple[str, str, str]]:
    """What people look at, in turns: (kind, path, text that must be on the page)."""
    receipts = "/admin/receipts/"
    day = datetime.now(UTC) - timedelta(days=200)
    makers: dict[str, Callable[[list[Any]], tuple[str, str]]] = {
        "newest": lambda _: (receipts, "/admin/receipts/"),
        "further page": lambda one: (f"{receipts}?before={one[0] + 1}", one[2]),
        "state": lambda one: (f"{receipts}?state={'failed' if one[0] % 2 else 'fiscalized'}", "Чеки"),
        "period": lambda _: (f"{receipts}?from={day:%d.%m.%Y}&to={day + timedelta(days=1):%d.%m.%Y}", "Чеки"),
        "register": lambda _: (f"{receipts}?register=1", "Чеки"),
        "contact": lambda one: (f"{receipts}?q={one[2]}", one[2]),
        "invoice": lambda one: (f"{receipts}?q={one[3]}", one[3]),
        "fiscal document": lambda one: (f"{receipts}?q={one[4]}", f"ФД {one[4]}"),
        "uuid": lambda one: (f"{receipts}?q={one[1]}", one[1]),
        "without receipt": lambda _: ("/admin/unreceipted/", "Оплачено без чека"),
        "dashboard": lambda _: ("/admin/", "Сводка"),
        "invoices": lambda _: ("/admin/invoices/", "Счета"),
        "customers": lambda _: ("/admin/customers/", "Клиенты"),
        "invoice search": lambda one: (f"/admin/invoices/?q={one[3]}", one[3]),
        "customer search": lambda one: (f"/admin/customers/?q={one[2]}", one[2]),
    }
    found = []
    for turn in range(rounds):
        one = samples[turn % len(samples)]
        found += [(kind, *make(one)) for kind, make in makers.items()]
    # once: the text is kept for some seconds, and the first scrape of a process counts everything
    return [*found, ("metrics", "/metrics", "chekhov_receipts")]


def panel(bench: Bench) -> list[Figure]:
    """Both sizes; a row is the slowest kind of its group, so that no slow page hides behind quick ones."""
    few, _ = _seen(bench, FEW)
    many, count = _seen(bench, bench.scale.old)
    figures = []
    for name, kinds in GROUPS.items():
        spans = {kind: percentile(many[kind], 0.95) for kind in kinds if kind in many}
        if not spans:  # a page before these did not come
            continue
        worst = max(spans, key=lambda kind: spans[kind])
        base = percentile(few[worst], 0.95) if worst in few else None
        note = f"{count:,} receipts, {len(many[worst])} of each; " + ", ".join(
            f"{kind} {span:.0f}" for kind, span in spans.items()
        )
        bounds = {"must": MUST_MS, "goal": GOAL_RATIO * base} if name in BOUND and base else {}
        figures.append(
            bench.figure(
                name if name.startswith("/metrics") else f"{name}, p95",
                [spans[worst]],
                "ms",
                floor=base,
                note=note,
                **bounds,
            )
        )
    return figures


def _seen(bench: Bench, count: int) -> tuple[dict[str, list[float]], int]:
    with settled_in(reopened(bench.house.database, count), bench.scale) as old:
        asked = old.house.keep("samples", count=25)
        cookie = old.house.keep("session")["cookie"]
        with old.running(old.house.web()):
            spec = {"port": old.house.web_port, "cookie": cookie}
            old.house.once("bench.pages", {**spec, "kind": "warm", "pages": pages(asked["samples"], 2)[:-1]})
            made = pages(asked["samples"][::-1], old.scale.pages)
            return old.house.once("bench.pages", {**spec, "kind": "pages", "pages": made}), asked["count"]
