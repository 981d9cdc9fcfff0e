"""Which register serves an automatic receipt, and why. Pure: the same candidates always give the same answer.

First the registers of the region itself, then those that name it among their additional regions; never one of another
organization. The answer carries its explanation, also when it is «none».
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

_NEXT_STEPS = {
    "register_inactive": "Откройте «Оплачено без чека» и пробейте чек на кассе региона.",
    "other_organization": "Подключите кассу этой организации для региона или исправьте организацию в счёте.",
    "no_register": "Подключите кассу для региона в «Онлайн-кассах для фискализации» и пробейте чек.",
}


@dataclass(frozen=True, slots=True)
class Candidate:
    """What routing needs to know of a record."""

    id: int
    name: str
    region_id: int
    organization_id: int
    active_online: bool
    extra_region_ids: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Route:
    """The decision: `register_id` is None when no register may serve; then `code` and `text` say why."""

    register_id: int | None
    steps: tuple[str, ...]
    code: str = ""
    text: str = ""

    @property
    def next_step(self) -> str:
        """What to do where no register may serve."""
        return _NEXT_STEPS.get(self.code, "")


def route(candidates: Sequence[Candidate], *, region_id: int, organization_id: int) -> Route:
    """Choose a register for an automatic receipt of an organization in a region."""
    steps: list[str] = []
    own = sorted((item for item in candidates if item.region_id == region_id), key=lambda item: item.id)
    extra = sorted((item for item in candidates if region_id in item.extra_region_ids), key=lambda item: item.id)
    passed_over: set[str] = set()
    for words, group in (("касса региона", own), ("дополнительный регион кассы", extra)):
        for candidate in group:
            if candidate.organization_id != organization_id:
                steps.append(f"«{candidate.name}»: {words}, но касса другой организации — не подходит.")
                passed_over.add("other_organization")
            elif not candidate.active_online:
                steps.append(f"«{candidate.name}»: {words}, но не активна при онлайн оплатах — чек пробивает менеджер.")
                passed_over.add("inactive")
            else:
                steps.append(f"«{candidate.name}»: {words}, активна — выбрана.")
                return Route(candidate.id, tuple(steps))
        if not group:
            steps.append(
                "Касс с этим регионом нет." if words == "касса региона" else "Касс с этим дополнительным регионом нет."
            )
    if "inactive" in passed_over:
        return Route(
            None,
            tuple(steps),
            "register_inactive",
            "Касса региона не активна при онлайн оплатах: чек пробивает менеджер.",
        )
    if "other_organization" in passed_over:
        return Route(None, tuple(steps), "other_organization", "В регионе есть касса только другой организации.")
    return Route(None, tuple(steps), "no_register", "Для региона не подключена ни одна касса.")
