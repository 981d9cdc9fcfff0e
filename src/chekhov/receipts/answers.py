"""What became of a fact: its receipts, or why there is none yet. Shared by the API and the panel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from chekhov.fiscal.money import Money
from chekhov.fiscal.settlement import exclusion
from chekhov.fiscal.vocabulary import Channel, Means
from chekhov.receipts.models import Obligation, Receipt
from chekhov.receipts.states import State
from chekhov.sales.models import Fact

NEEDS_CORRECTION = "needs_correction"
"""Error code of a cancelled receipt, and the reason of its settlement, where a person chose a correction instead."""
CORRECTION_STEP = "Оформите чек коррекции в кабинете сервиса кассы: здесь чеков коррекции ещё нет."
CANCELLED_STEP = "Откройте «Оплачено без чека» и пробейте чек заново."


@dataclass(frozen=True, slots=True)
class Missing:
    """Why a receipt that is owed does not exist, and what to do."""

    code: str
    detail: str
    next_step: str


@dataclass(frozen=True, slots=True)
class ReceiptBrief:
    """A receipt in a fact's answer."""

    id: UUID
    kind: str
    state: State
    total: Money
    register: UUID
    error_code: str = ""


@dataclass(frozen=True, slots=True)
class FactAnswer:
    """A fact as it is now."""

    uuid: UUID
    kind: str
    id: str
    parent: str  # the shop's id of the invoice or the customer
    amount: Money
    means: Means
    channel: Channel
    paid_at: datetime
    buyer_acts_for_business: bool
    receipts: tuple[ReceiptBrief, ...]
    missing: Missing | None
    not_required: str


def fact_answers(fact_ids: Sequence[int]) -> dict[int, FactAnswer]:
    """The answers for facts by their ids: four reads, however many facts."""
    if not fact_ids:
        return {}
    receipts: dict[int, list[ReceiptBrief]] = {}
    rows = (
        Receipt.objects.filter(obligation__fact_id__in=fact_ids)
        .select_related("status", "register", "obligation")
        .order_by("pk")
    )
    for row in rows:
        receipts.setdefault(row.obligation.fact_id, []).append(
            ReceiptBrief(
                row.uuid,
                row.kind,
                State(row.status.state),
                Money(row.total_kopecks),
                row.register.uuid,
                row.status.error_code,
            )
        )
    owed = {row.fact_id: row for row in Obligation.objects.filter(fact_id__in=fact_ids)}
    answers: dict[int, FactAnswer] = {}
    for fact in Fact.objects.filter(pk__in=fact_ids).select_related("invoice", "customer"):
        obligation, own = owed.get(fact.pk), receipts.get(fact.pk, [])
        answers[fact.pk] = FactAnswer(
            uuid=fact.uuid,
            kind=fact.kind,
            id=fact.external_id,
            parent=fact.invoice.external_id if fact.invoice else fact.customer.external_id,
            amount=Money(fact.amount_kopecks),
            means=Means(fact.means),
            channel=Channel(fact.channel),
            paid_at=fact.occurred_at,
            buyer_acts_for_business=fact.buyer_acts_for_business,
            receipts=tuple(own),
            missing=missing_of(obligation, own) if obligation else None,
            not_required="" if obligation else _why_not_required(fact),
        )
    return answers


def missing_of(obligation: Obligation, receipts: Sequence[ReceiptBrief]) -> Missing | None:
    """Why the obligation has no live receipt; None when it has one."""
    if any(item.state is not State.CANCELLED for item in receipts):
        return None
    if receipts and receipts[-1].error_code == NEEDS_CORRECTION:
        return Missing(
            NEEDS_CORRECTION, "Чек опоздал, человек решил: вместо него нужен чек коррекции.", CORRECTION_STEP
        )
    if receipts:
        return Missing("cancelled", "Прежний чек отменён, новый ещё не пробит.", CANCELLED_STEP)
    return Missing(obligation.missing_code, obligation.missing_text, obligation.missing_step)


def _why_not_required(fact: Fact) -> str:
    """Why a fact without an obligation owes no receipt: it was excluded when it was recorded."""
    return exclusion(Means(fact.means), buyer_acts_for_business=fact.buyer_acts_for_business, b2b_sbp_receipts=False)
