"""The use case «record a fact and form what it owes»: facts, obligations and receipts in one transaction.

Nothing else may insert a fact. Everything is decided in memory for the whole batch before the first row is written, so
a refused fact changes nothing and holds back none of its neighbours. A fact that was recorded before is answered as
it is now (same content) or refused as a conflict (other content); neither makes a second receipt.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from chekhov.config.clock import now
from chekhov.config.database import Reservation, Reserved, fetch_together, for_update, one_of, writing
from chekhov.directory.services import installation_uuid
from chekhov.errors import Conflict, Fault, Invalid, NotFound, Refusal
from chekhov.fiscal.money import MAX_KOPECKS, Money
from chekhov.fiscal.vocabulary import MEANS_LABELS, Channel, Means
from chekhov.people.models import Source, User
from chekhov.people.services import action_log
from chekhov.receipts import forming
from chekhov.receipts.answers import FactAnswer, fact_answers
from chekhov.receipts.contents import FactContent, PaymentContent, TopupContent
from chekhov.receipts.drafts import Draft, Parent, answer_of, form
from chekhov.receipts.rows import SETTLEMENT, TABLES, drafts_write
from chekhov.sales.content import checked_id, digest
from chekhov.sales.models import FactKind

_FUTURE = timedelta(minutes=5)
_EARLIEST = datetime(2017, 7, 1, tzinfo=UTC)  # registers on-line: before it no receipt of this kind existed
_LATEST = datetime(2200, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Recorded:
    """A fact that is recorded, now or earlier, with what became of it."""

    created: bool
    answer: FactAnswer


def facts_record(
    *, source: Source, contents: Sequence[FactContent], actor: str, person: User | None = None
) -> list[Recorded | Refusal]:
    """Record facts and form what they owe; one answer for each content, in the same order.

    What a `person` records also goes into the journal of actions.

    The refusals are values, not raised: Invalid (`id`, `amount`, `paid_at`, `means_channel`, `means_unavailable`,
    `overpaid`, `unknown_organization`), NotFound (`invoice_not_found`, `customer_not_found`), Conflict (`conflict`).
    """
    results: list[Recorded | Refusal | Draft | int] = []
    installation_uuid()  # where it is made first, it is not made in a transaction that may be rolled back
    with writing(together=True):
        parents, directory, reserved = _read(source, contents)
        drafts: list[Draft] = []
        for content in contents:
            try:
                outcome = _decide(content, parents, directory, source)
            except Refusal as refusal:
                results.append(refusal)
                continue
            if isinstance(outcome, Draft) and outcome not in drafts:
                drafts.append(outcome)
                results.append(outcome)
            elif isinstance(outcome, Draft):
                results.append(Recorded(False, answer_of(outcome)))  # the same fact twice in one batch
            else:
                results.append(outcome)
        drafts_write(drafts, source, actor, reserved)
        if person is not None:
            for draft in drafts:
                action_log(
                    actor=person,
                    kind=f"{draft.kind}_record",
                    subject=str(draft.uuid),
                    summary=f"{draft.content.amount.human} ₽, {MEANS_LABELS[draft.content.means].lower()}",
                )
    known = fact_answers([item for item in results if isinstance(item, int)])
    answers: list[Recorded | Refusal] = []
    for item in results:
        if isinstance(item, Draft):
            answers.append(Recorded(True, answer_of(item)))
        elif isinstance(item, int):
            answers.append(Recorded(False, known[item]))
        else:
            answers.append(item)
    return answers


def fact_record(*, source: Source, content: FactContent, actor: str, person: User | None = None) -> Recorded:
    """Record one fact. Raises what `facts_record` gives back as values."""
    answer = facts_record(source=source, contents=[content], actor=actor, person=person)[0]
    if isinstance(answer, Refusal):
        raise answer
    return answer


# --- reading ----------------------------------------------------------------------------------------------------------

_INVOICES = (
    "SELECT i.id, i.customer_id, i.external_id, i.organization_id, i.region_id, c.name, c.email, c.phone, c.inn, "
    "i.lines, i.discount_kopecks, i.total_kopecks, i.paid_kopecks, i.number FROM sales_invoice i "
    "JOIN sales_customer c ON c.id = i.customer_id WHERE i.source_id = %s AND "
)
_PAYMENTS = (
    "SELECT i.external_id, f.external_id, f.amount_kopecks, f.content_hash, f.id FROM sales_fact f "
    "JOIN sales_invoice i ON i.id = f.invoice_id WHERE f.kind = 'payment' AND i.source_id = %s AND "
)
_CUSTOMERS = (
    "SELECT c.id, c.external_id, g.organization_id, c.region_id, c.name, c.email, c.phone, c.inn FROM sales_customer c "
    "JOIN directory_region g ON g.id = c.region_id WHERE c.source_id = %s AND "
)
_TOPUPS = (
    "SELECT c.external_id, f.external_id, f.content_hash, f.id FROM sales_fact f "
    "JOIN sales_customer c ON c.id = f.customer_id WHERE f.kind = 'topup' AND c.source_id = %s AND "
)

Parents = dict[tuple[str, str], Parent]


def _read(source: Source, contents: Sequence[FactContent]) -> tuple[Parents, forming.Directory, Reserved]:
    """Invoices and customers of the batch, locked in one order, with the facts that already hang on them; the
    directories; ids for new rows. In this order and in one trip: what comes after the locks sees what they waited for.
    """
    reservation = Reservation(TABLES, len(contents))
    statements = [*_invoice_statements(source, contents), *_customer_statements(source, contents)]
    *answers, directory, ids = fetch_together(*statements, (forming.directory_statement(), ()), reservation.statement)
    found: Parents = {}
    if any(isinstance(item, PaymentContent) for item in contents):
        invoices, payments, *answers = answers
        for row in invoices:
            found[FactKind.PAYMENT, row[2]] = Parent(*row)
        for invoice, external_id, amount, content_hash, fact_id in payments:
            parent = found[FactKind.PAYMENT, invoice]
            parent.amounts.append(Money(amount))
            parent.known[external_id] = (fact_id, content_hash, None)
    if answers:
        customers, topups = answers
        for row in customers:
            found[FactKind.TOPUP, row[1]] = Parent(None, *row)
        for customer, external_id, content_hash, fact_id in topups:
            found[FactKind.TOPUP, customer].known[external_id] = (fact_id, content_hash, None)
    return found, forming.directory_of(directory), reservation.read(ids)


def _invoice_statements(source: Source, contents: Sequence[FactContent]) -> list[tuple[str, list[Any]]]:
    invoices = sorted({item.invoice for item in contents if isinstance(item, PaymentContent)})
    if not invoices:
        return []
    these, parameters = one_of("i.external_id", invoices)
    return [
        # «+»: or SQLite walks all invoices of the source, because they lie in this order
        (f"{_INVOICES}{these} ORDER BY +i.id{for_update(of='i')}", [source.pk, *parameters]),
        (f"{_PAYMENTS}{these} ORDER BY f.id", [source.pk, *parameters]),
    ]


def _customer_statements(source: Source, contents: Sequence[FactContent]) -> list[tuple[str, list[Any]]]:
    topups = [item for item in contents if isinstance(item, TopupContent)]
    if not topups:
        return []
    these, parameters = one_of("c.external_id", sorted({item.customer for item in topups}))
    named, more = one_of("f.external_id", sorted({item.id for item in topups}))
    return [
        (f"{_CUSTOMERS}{these} ORDER BY +c.id{for_update(of='c')}", [source.pk, *parameters]),
        (f"{_TOPUPS}{these} AND {named}", [source.pk, *parameters, *more]),
    ]


# --- deciding ---------------------------------------------------------------------------------------------------------


def _decide(
    content: FactContent,
    parents: Parents,
    directory: forming.Directory,
    source: Source,
) -> Draft | int:
    """The draft of a new fact, or the id (or the draft) of the one that says the same. Raises Refusal."""
    checked_id(content.id)
    _check_time(content)
    if isinstance(content, PaymentContent):
        kind, parent_key = FactKind.PAYMENT, content.invoice
        parent = parents.get((kind, parent_key))
        if parent is None:
            raise NotFound(
                "invoice_not_found",
                f"Счёта «{parent_key[:40]}» нет.",
                next_step="Сначала передайте счёт, потом оплату.",
            )
    else:
        kind, parent_key = FactKind.TOPUP, content.customer
        parent = parents.get((kind, parent_key))
        if parent is None:
            raise NotFound(
                "customer_not_found", f"Клиента «{parent_key[:40]}» нет.", next_step="Сначала передайте клиента."
            )
    content_hash = digest(_normal(content))
    if content.id in parent.known:
        fact_id, known_hash, draft = parent.known[content.id]
        if known_hash != content_hash:
            raise Conflict(
                "conflict",
                f"Факт «{content.id}» уже записан с другим содержанием; прежний остаётся в силе.",
                next_step="Новую оплату передайте под новым идентификатором.",
            )
        return draft if fact_id is None and draft is not None else fact_id or 0
    _check(content, parent)
    organization_id = _organization_id(content, parent, directory)
    draft = Draft(
        uuid=uuid4(),
        content=content,
        parent=parent,
        hash=content_hash,
        identity="\x1f".join((source.code, kind.value, parent.external_id, content.id, SETTLEMENT, "0")),
        organization_id=organization_id,
    )
    form(draft, directory)
    parent.known[content.id] = (None, content_hash, draft)
    if isinstance(content, PaymentContent):
        parent.amounts.append(content.amount)
        parent.paid_kopecks += content.amount.kopecks
    return draft


def _normal(content: FactContent) -> dict[str, Any]:
    """The request without its accidents: what two equal facts have in common.

    Only what was said, never what it was resolved to: a directory that changes later does not make a repeat differ.
    """
    normal: dict[str, Any] = {
        "amount": content.amount.kopecks,
        "means": content.means.value,
        "channel": content.channel.value,
        "at": content.paid_at.astimezone(UTC).isoformat(),
    }
    if isinstance(content, PaymentContent):
        normal["business"] = content.buyer_acts_for_business
    else:
        normal["organization"] = content.organization
    return normal


def _organization_id(content: FactContent, parent: Parent, directory: forming.Directory) -> int:
    if isinstance(content, PaymentContent) or not content.organization:
        return parent.organization_id
    for seller in directory.sellers.values():
        if seller.code == content.organization:
            return seller.id
    message = f"Организации с кодом «{content.organization[:40]}» нет."
    fault = Fault("organization", "unknown_organization", message)
    raise Invalid(
        "unknown_organization", message, next_step="Возьмите код из справочника «Организации».", faults=[fault]
    )


def _fault(code: str, path: str, message: str, next_step: str) -> Invalid:
    return Invalid(code, message, next_step=next_step, faults=[Fault(path, code, message)])


def _check_time(content: FactContent) -> None:
    if not _EARLIEST <= content.paid_at < _LATEST:
        raise _fault("paid_at", "paid_at", "Время оплаты: с июля 2017 года и не позже сегодняшнего.", "Проверьте дату.")


def _check(content: FactContent, parent: Parent) -> None:
    if not 0 < content.amount.kopecks <= MAX_KOPECKS:
        raise _fault("amount", "amount", "Сумма должна быть больше 0 и не больше 42949672.95.", "Проверьте сумму.")
    if content.paid_at > now() + _FUTURE:
        raise _fault("paid_at", "paid_at", "Время оплаты ещё не наступило.", "Проверьте часы и часовой пояс.")
    if content.means is Means.BALANCE:
        raise _fault(
            "means_unavailable",
            "means",
            "Оплата с баланса не принимается: баланс покупателя в этой версии только пополняется.",
            "Передайте оплату деньгами: card, sbp, cash или transfer.",
        )
    if content.means is Means.CASH and content.channel is not Channel.COUNTER:
        raise _fault(
            "means_channel", "means", "Наличные принимают только лично.", "Укажите channel: counter или другое means."
        )
    if content.means is Means.TRANSFER and content.channel is Channel.COUNTER:
        raise _fault(
            "means_channel", "means", "Перевод по реквизитам не принимают у прилавка.", "Укажите channel: remote."
        )
    if isinstance(content, PaymentContent):
        left = parent.total_kopecks - parent.paid_kopecks
        if content.amount.kopecks > left:
            raise _fault(
                "overpaid",
                "amount",
                f"По счёту осталось заплатить {Money(left).human} ₽, передано {content.amount.human} ₽.",
                "Проверьте сумму. Лишнее оформите пополнением баланса.",
            )
