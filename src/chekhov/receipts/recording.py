"""The use case «record a fact and form what it owes»: facts, obligations and receipts in one transaction.

Nothing else may insert a fact. Everything is decided in memory for the whole batch before the first row is written, so
a refused fact changes nothing and holds back none of its neighbours. A fact that was recorded before is answered as
it is now (same content) or refused as a conflict (other content); neither makes a second receipt.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4, uuid5

import orjson

from chekhov.config.clock import local_date, now, zone
from chekhov.config.database import (
    clock_ms,
    execute,
    fetch,
    for_update,
    insert_rows,
    instant,
    json_text,
    one_of,
    rows_as,
    uid,
    writing,
)
from chekhov.directory.services import installation_uuid
from chekhov.errors import Conflict, Fault, Invalid, NotFound, Refusal
from chekhov.fiscal.codec import dump
from chekhov.fiscal.document import Document
from chekhov.fiscal.money import MAX_KOPECKS, Money
from chekhov.fiscal.rules import refusals
from chekhov.fiscal.settlement import (
    due_at,
    exclusion,
    payment_document,
    printed_method,
    shares_of_payments,
    topup_document,
)
from chekhov.fiscal.text import NameTextError
from chekhov.fiscal.vat import VatDateError
from chekhov.fiscal.vocabulary import MEANS_LABELS, Channel, Means
from chekhov.people.models import Source, User
from chekhov.people.services import action_log
from chekhov.receipts import forming, writer
from chekhov.receipts.answers import FactAnswer, Missing, ReceiptBrief, fact_answers
from chekhov.receipts.states import State
from chekhov.registers.routing import Route, route
from chekhov.sales.content import checked_id, digest, order_of
from chekhov.sales.models import FactKind

SETTLEMENT = "settlement"
AUTOMATIC = frozenset({Channel.ONLINE, Channel.REMOTE})
_FUTURE = timedelta(minutes=5)
_EARLIEST = datetime(2017, 7, 1, tzinfo=UTC)  # registers on-line: before it no receipt of this kind existed
_LATEST = datetime(2200, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class PaymentContent:
    """A payment of an invoice as given: `invoice` and `id` are the shop's own."""

    invoice: str
    id: str
    amount: Money
    means: Means
    channel: Channel
    paid_at: datetime
    buyer_acts_for_business: bool = False


@dataclass(frozen=True, slots=True)
class TopupContent:
    """A balance top-up as given. Empty `organization` means the region's."""

    customer: str
    id: str
    amount: Money
    means: Means
    channel: Channel
    paid_at: datetime
    organization: str = ""


FactContent = PaymentContent | TopupContent


@dataclass(frozen=True, slots=True)
class Recorded:
    """A fact that is recorded, now or earlier, with what became of it."""

    created: bool
    answer: FactAnswer


@dataclass(slots=True)
class _Parent:
    """An invoice or a customer with what is already known of it, growing as the batch is decided."""

    invoice_id: int | None
    customer_id: int
    external_id: str
    organization_id: int
    region_id: int
    name: str
    email: str
    phone: str
    inn: str
    lines: str = ""
    discount_kopecks: int = 0
    total_kopecks: int = 0
    paid_kopecks: int = 0
    number: str = ""
    known: dict[str, tuple[int | None, str, _Draft | None]] = field(default_factory=dict)
    amounts: list[Money] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class _Draft:
    """A fact decided on and not yet written, with its obligation and receipt."""

    uuid: UUID
    content: FactContent
    parent: _Parent
    hash: str
    identity: str
    organization_id: int
    not_required: str = ""
    due_at: datetime | None = None
    policy: dict[str, Any] = field(default_factory=dict)
    route: Route | None = None
    missing: Missing | None = None
    document: Document | None = None
    register: forming.RegisterSettings | None = None
    notices: list[dict[str, Any]] = field(default_factory=list)
    receipt_uuid: UUID | None = None

    @property
    def kind(self) -> FactKind:
        return FactKind.PAYMENT if isinstance(self.content, PaymentContent) else FactKind.TOPUP


def facts_record(
    *, source: Source, contents: Sequence[FactContent], actor: str, person: User | None = None
) -> list[Recorded | Refusal]:
    """Record facts and form what they owe; one answer for each content, in the same order.

    What a `person` records also goes into the journal of actions.

    The refusals are values, not raised: Invalid (`id`, `amount`, `paid_at`, `means_channel`, `means_unavailable`,
    `overpaid`, `unknown_organization`), NotFound (`invoice_not_found`, `customer_not_found`), Conflict (`conflict`).
    """
    results: list[Recorded | Refusal | _Draft | int] = []
    installation_uuid()  # where it is made first, it is not made in a transaction that may be rolled back
    with writing():
        parents = _parents(source, contents)
        directory = forming.directory_read()
        drafts: list[_Draft] = []
        for content in contents:
            try:
                outcome = _decide(content, parents, directory, source)
            except Refusal as refusal:
                results.append(refusal)
                continue
            if isinstance(outcome, _Draft) and outcome not in drafts:
                drafts.append(outcome)
                results.append(outcome)
            elif isinstance(outcome, _Draft):
                results.append(Recorded(False, _answer(outcome)))  # the same fact twice in one batch
            else:
                results.append(outcome)
        _write(drafts, source, actor)
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
        if isinstance(item, _Draft):
            answers.append(Recorded(True, _answer(item)))
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

_PARENT_OF_PAYMENT = (
    "SELECT i.id, i.customer_id, i.external_id, i.organization_id, i.region_id, c.name, c.email, c.phone, c.inn, "
    "i.lines, i.discount_kopecks, i.total_kopecks, i.paid_kopecks, i.number FROM sales_invoice i "
    "JOIN sales_customer c ON c.id = i.customer_id WHERE i.source_id = %s AND "
)
_PARENT_OF_TOPUP = (
    "SELECT c.id, c.external_id, g.organization_id, c.region_id, c.name, c.email, c.phone, c.inn FROM sales_customer c "
    "JOIN directory_region g ON g.id = c.region_id WHERE c.source_id = %s AND "
)


def _parents(source: Source, contents: Sequence[FactContent]) -> dict[tuple[str, str], _Parent]:
    """Invoices and customers of the batch, locked in one order, with the facts that already hang on them."""
    found: dict[tuple[str, str], _Parent] = {}
    invoices = sorted({item.invoice for item in contents if isinstance(item, PaymentContent)})
    customers = sorted({item.customer for item in contents if isinstance(item, TopupContent)})
    if invoices:
        these, parameters = one_of("i.external_id", invoices)
        sql = f"{_PARENT_OF_PAYMENT}{these} ORDER BY i.id{for_update(of='i')}"
        rows = fetch(sql, [source.pk, *parameters])
        by_id: dict[int, _Parent] = {}
        for row in rows:
            by_id[row[0]] = found[FactKind.PAYMENT, row[2]] = _Parent(*row)
        if by_id:
            these, parameters = one_of("invoice_id", by_id)
            for invoice_id, external_id, amount, content_hash, fact_id in fetch(
                "SELECT invoice_id, external_id, amount_kopecks, content_hash, id FROM sales_fact "
                f"WHERE kind = 'payment' AND {these} ORDER BY id",
                parameters,
            ):
                by_id[invoice_id].amounts.append(Money(amount))
                by_id[invoice_id].known[external_id] = (fact_id, content_hash, None)
    if customers:
        these, parameters = one_of("c.external_id", customers)
        sql = f"{_PARENT_OF_TOPUP}{these} ORDER BY c.id{for_update(of='c')}"
        by_id = {}
        for row in fetch(sql, [source.pk, *parameters]):
            by_id[row[0]] = found[FactKind.TOPUP, row[1]] = _Parent(None, *row)
        ids = sorted({item.id for item in contents if isinstance(item, TopupContent)})
        if by_id:
            these, parameters = one_of("customer_id", by_id)
            named, more = one_of("external_id", ids)
            for customer_id, external_id, content_hash, fact_id in fetch(
                "SELECT customer_id, external_id, content_hash, id FROM sales_fact WHERE kind = 'topup' "
                f"AND {these} AND {named}",
                [*parameters, *more],
            ):
                by_id[customer_id].known[external_id] = (fact_id, content_hash, None)
    return found


# --- deciding ---------------------------------------------------------------------------------------------------------


def _decide(
    content: FactContent,
    parents: dict[tuple[str, str], _Parent],
    directory: forming.Directory,
    source: Source,
) -> _Draft | int:
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
    draft = _Draft(
        uuid=uuid4(),
        content=content,
        parent=parent,
        hash=content_hash,
        identity="\x1f".join((source.code, kind.value, parent.external_id, content.id, SETTLEMENT, "0")),
        organization_id=organization_id,
    )
    _form(draft, directory)
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


def _organization_id(content: FactContent, parent: _Parent, directory: forming.Directory) -> int:
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


def _check(content: FactContent, parent: _Parent) -> None:
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


# --- forming ----------------------------------------------------------------------------------------------------------


def _form(draft: _Draft, directory: forming.Directory) -> None:
    """Derive what the fact owes, and the receipt itself where no person is needed."""
    content, parent = draft.content, draft.parent
    seller = directory.sellers[draft.organization_id]
    region = directory.regions[parent.region_id]
    business = isinstance(content, PaymentContent) and content.buyer_acts_for_business
    draft.not_required = exclusion(
        content.means, buyer_acts_for_business=business, b2b_sbp_receipts=seller.b2b_sbp_receipts
    )
    if draft.not_required:
        return
    time_zone = forming.time_zone_of(seller, None, region)
    draft.due_at = due_at(content.channel, content.paid_at, zone(time_zone))
    mode = seller.vat_mode_on(local_date(content.paid_at, time_zone))
    draft.policy = {
        "vat_mode": mode.value if mode else None,
        "prepayment_object": "own" if seller.own_object else "payment",
        "channel": content.channel.value,
        "means": content.means.value,
    }
    if content.channel not in AUTOMATIC:
        draft.route = Route(None, ("Деньги приняты лично: чек пробивает менеджер на кассе региона клиента.",))
        draft.missing = Missing(
            "awaits_person",
            "Деньги приняты лично, чек ещё не пробит.",
            "Откройте «Оплачено без чека» и пробейте чек.",
        )
        return
    draft.route = route(directory.candidates, region_id=region.id, organization_id=seller.id)
    if draft.route.register_id is None:
        draft.missing = Missing(draft.route.code, draft.route.text, draft.route.next_step)
        return
    register = directory.registers[draft.route.register_id]
    time_zone = forming.time_zone_of(seller, register, region)  # the day of the place where the receipt is printed
    mode = seller.vat_mode_on(local_date(content.paid_at, time_zone))
    draft.policy |= {
        "vat_mode": mode.value if mode else None,
        "register": register.id,
        "tax_system": register.tax_system.value,
        "vat_rate": register.vat_rate.value,
    }
    if mode is None:
        draft.missing = Missing(
            "vat_mode_unknown",
            "Для даты оплаты не задан режим НДС организации.",
            "Задайте его в справочнике «Организации» и пробейте чек.",
        )
        return
    tax_system = seller.tax_system_on(local_date(content.paid_at, time_zone), register.tax_system)
    if tax_system is None:
        draft.missing = Missing(
            "tax_system",
            f"Система налогообложения кассы «{register.tax_system.label}» не действует у организации на дату оплаты.",
            "Исправьте систему налогообложения кассы или организации и пробейте чек.",
        )
        return
    buyer = forming.buyer_of(parent.name, parent.email, parent.phone, parent.inn, acts_for_business=business)
    settlement = forming.Settlement(
        content.means, content.channel, content.paid_at, buyer, business, isinstance(content, TopupContent)
    )
    terms = forming.terms_for(
        seller,
        register,
        region,
        settlement,
        tax_system=tax_system,
        print_paper=register.print_online,
    )
    try:
        if isinstance(content, PaymentContent):
            order = order_of(orjson.loads(parent.lines), parent.discount_kopecks)
            whole = content.amount.kopecks == parent.total_kopecks
            printed = printed_method(register.online_method, whole=whole, marked=order.is_marked)
            draft.policy |= {"method": printed.method.value, "row": printed.row, "why": printed.why}
            shares = shares_of_payments(order, [*parent.amounts, content.amount])[-1]
            document = payment_document(order, shares, printed.method, terms, is_first=not parent.amounts)
        else:
            draft.policy |= {"method": register.topup_method.value, "row": "fields 9-11"}
            document = topup_document(
                content.amount, register.topup_name, register.topup_object, register.topup_method, terms
            )
    except VatDateError:
        draft.missing = Missing(
            "VAT_DATE",
            "На дату оплаты у ставки НДС нет кода для чека.",
            "Обратитесь к бухгалтеру: нужен чек коррекции.",
        )
        return
    except NameTextError:
        draft.missing = Missing(
            "NAME_TEXT", "Название позиции нельзя напечатать в чеке.", "Исправьте название в настройках кассы."
        )
        return
    findings = forming.judge(document, seller, register, region, settlement)
    broken = refusals(findings)
    if broken:
        draft.missing = Missing(broken[0].code, broken[0].message, broken[0].next_step)
        return
    problem = forming.unfit(document, register)
    if problem is not None:
        draft.missing = Missing(problem.code, problem.text, problem.next_step)
        return
    draft.document, draft.register = document, register
    draft.notices = forming.notices_json(findings)
    draft.receipt_uuid = receipt_uuid(draft.identity, 1)


def receipt_uuid(identity: str, generation: int) -> UUID:
    """The key of a receipt: the same fact in the same installation always makes the same one."""
    return uuid5(installation_uuid(), f"{identity}\x1f{generation}")


# --- writing ----------------------------------------------------------------------------------------------------------

_FACT_COLUMNS = [
    "uuid",
    "kind",
    "source_id",
    "external_id",
    "invoice_id",
    "customer_id",
    "organization_id",
    "region_id",
    "amount_kopecks",
    "means",
    "channel",
    "buyer_acts_for_business",
    "occurred_at",
    "recorded_at",
    "actor",
    "content_hash",
]
_OBLIGATION_COLUMNS = [
    "uuid",
    "fact_id",
    "slot",
    "part",
    "organization_id",
    "region_id",
    "customer_id",
    "invoice_id",
    "amount_kopecks",
    "policy",
    "routing",
    "due_at",
    "missing_code",
    "missing_text",
    "missing_step",
    "recorded_at",
]
RECEIPT_COLUMNS = [
    "uuid",
    "obligation_id",
    "generation",
    "document",
    "kind",
    "sign",
    "total_kopecks",
    "register_id",
    "account_id",
    "queue",
    "organization_id",
    "customer_id",
    "invoice_id",
    "contact",
    "notices",
    "after_id",
    "created_at",
    "actor",
]


def _write(drafts: Sequence[_Draft], source: Source, actor: str) -> None:
    if not drafts:
        return
    recorded_at = instant(now())
    returned = insert_rows(
        "sales_fact",
        _FACT_COLUMNS,
        [
            (
                uid(draft.uuid),
                draft.kind.value,
                source.pk,
                draft.content.id,
                draft.parent.invoice_id,
                draft.parent.customer_id,
                draft.organization_id,
                draft.parent.region_id,
                draft.content.amount.kopecks,
                draft.content.means.value,
                draft.content.channel.value,
                isinstance(draft.content, PaymentContent) and draft.content.buyer_acts_for_business,
                instant(draft.content.paid_at.astimezone(UTC)),
                recorded_at,
                actor,
                draft.hash,
            )
            for draft in drafts
        ],
        returning=("id", "uuid"),
    )
    fact_ids = {_hex(row[1]): int(row[0]) for row in returned}
    paid = {draft.parent.invoice_id: draft.parent.paid_kopecks for draft in drafts if draft.parent.invoice_id}
    if paid:
        listed, parameters = rows_as("v", {"id": "bigint", "paid": "bigint"}, list(paid.items()))
        execute(
            f"WITH {listed} UPDATE sales_invoice AS i SET paid_kopecks = v.paid FROM v WHERE i.id = v.id", parameters
        )
    owing = [draft for draft in drafts if not draft.not_required]
    if not owing:
        return
    returned = insert_rows(
        "receipts_obligation",
        _OBLIGATION_COLUMNS,
        [
            (
                uid(uuid5(installation_uuid(), draft.identity)),
                fact_ids[draft.uuid.hex],
                SETTLEMENT,
                0,
                draft.organization_id,
                draft.parent.region_id,
                draft.parent.customer_id,
                draft.parent.invoice_id,
                draft.content.amount.kopecks,
                json_text(orjson.dumps(draft.policy).decode()),
                json_text(_routing_json(draft.route)),
                instant(draft.due_at.astimezone(UTC)) if draft.due_at else None,
                draft.missing.code if draft.missing else "",
                draft.missing.detail[:500] if draft.missing else "",
                draft.missing.next_step[:300] if draft.missing else "",
                recorded_at,
            )
            for draft in owing
        ],
        returning=("id", "fact_id"),
    )
    obligation_ids = {int(row[1]): int(row[0]) for row in returned}
    formed = [draft for draft in owing if draft.document is not None]
    receipt_rows = []
    for draft in formed:
        assert draft.document is not None
        assert draft.register is not None
        assert draft.receipt_uuid is not None
        receipt_rows.append(
            receipt_row(
                draft.receipt_uuid,
                obligation_ids[fact_ids[draft.uuid.hex]],
                1,
                draft.document,
                draft.register,
                draft.organization_id,
                draft.parent.customer_id,
                draft.parent.invoice_id,
                draft.notices,
                recorded_at,
                actor,
            )
        )
    receipts_write(receipt_rows, actor=actor)


def receipt_row(
    receipt_id: UUID,
    obligation_id: int,
    generation: int,
    document: Document,
    register: forming.RegisterSettings,
    organization_id: int,
    customer_id: int,
    invoice_id: int | None,
    notices: Sequence[dict[str, Any]],
    created_at: Any,
    actor: str,
) -> tuple[Any, ...]:
    """The row of a new receipt, in the order of RECEIPT_COLUMNS."""
    return (
        uid(receipt_id),
        obligation_id,
        generation,
        dump(document),
        "receipt" if document.correction is None else "correction",
        document.sign.value,
        document.total.kopecks,
        register.id,
        register.account_id,
        register.queue,
        organization_id,
        customer_id,
        invoice_id,
        document.buyer.contact,
        json_text(orjson.dumps(list(notices)).decode()),
        None,
        created_at,
        actor,
    )


def receipts_write(rows: Sequence[tuple[Any, ...]], *, actor: str) -> dict[int, int]:
    """Insert receipts with their first state; the receipt's id by its obligation's."""
    if not rows:
        return {}
    returned = insert_rows(
        "receipts_receipt",
        RECEIPT_COLUMNS,
        rows,
        returning=("id", "uuid", "obligation_id", "account_id", "queue", clock_ms()),
    )
    writer.born(
        [
            writer.Birth(int(row[0]), UUID(_hex(row[1])), int(row[2]), int(row[3]), int(row[4]), due_ms=int(row[5]))
            for row in returned
        ],
        actor=actor,
    )
    return {int(row[2]): int(row[0]) for row in returned}


def _routing_json(chosen: Route | None) -> str:
    assert chosen is not None
    return orjson.dumps({"register": chosen.register_id, "steps": list(chosen.steps), "code": chosen.code}).decode()


def _hex(value: Any) -> str:
    return value.hex if isinstance(value, UUID) else str(value).replace("-", "")


def _answer(draft: _Draft) -> FactAnswer:
    """The answer for a fact that was just written, without reading it back."""
    content = draft.content
    receipts: tuple[ReceiptBrief, ...] = ()
    if draft.document is not None and draft.register is not None and draft.receipt_uuid is not None:
        receipts = (
            ReceiptBrief(
                id=draft.receipt_uuid,
                kind="receipt",
                state=State.QUEUED,
                total=draft.document.total,
                register=UUID(_hex(draft.register.uuid)),
            ),
        )
    return FactAnswer(
        uuid=draft.uuid,
        kind=draft.kind.value,
        id=content.id,
        parent=draft.parent.external_id,
        amount=content.amount,
        means=content.means,
        channel=content.channel,
        paid_at=content.paid_at,
        buyer_acts_for_business=isinstance(content, PaymentContent) and content.buyer_acts_for_business,
        receipts=receipts,
        missing=draft.missing,
        not_required=draft.not_required,
    )
