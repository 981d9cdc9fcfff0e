"""What a source may read: its customers, invoices, facts and receipts, and the directories."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from chekhov.api import answers
from chekhov.api.documents import document_json, fiscal_json, word
from chekhov.delivery.models import Attempt
from chekhov.delivery.selectors import NEXT_STEPS, LaneState, hold_words, lane_states
from chekhov.delivery.standby import standby_of
from chekhov.directory.models import Region
from chekhov.errors import Fault, Invalid, NotFound
from chekhov.fiscal.codec import load
from chekhov.fiscal.vocabulary import CalculationSign, Ffd, PaymentMethod, TaxSystem
from chekhov.people.models import Source
from chekhov.receipts import writer
from chekhov.receipts.answers import fact_answers
from chekhov.receipts.forming import directory_read
from chekhov.receipts.models import FiscalRecord, Receipt, ReceiptEvent
from chekhov.receipts.states import State
from chekhov.registers.models import Register
from chekhov.registers.routing import route
from chekhov.sales.content import EXTERNAL_ID
from chekhov.sales.models import Customer, Fact, FactKind, Invoice

Json = dict[str, Any]
PAGE = 50
PAGE_MAX = 100

STATE_STEPS = {
    State.QUEUED: "Отправка повторится сама. Если причина не уходит, проверьте настройки кассы.",
    State.SENDING: "Дождитесь исхода.",
    State.ACCEPTED: "Дождитесь исхода: модуль спрашивает кассу сам.",
    State.FAILED: "Устраните причину у кассы и нажмите «Пробить ещё раз» в карточке чека.",
    State.REFUSED: "Исправьте причину, отмените чек и пробейте новый из «Оплачено без чека».",
    State.UNKNOWN: "Ничего не повторяйте: модуль сам узнаёт исход у кассы под тем же ключом.",
    State.CANCELLED: "Пробейте новый чек из «Оплачено без чека».",
    State.FISCALIZED: "",
}


def customer_read(source: Source, external_id: str) -> Json:
    """A customer of the source. Raises NotFound."""
    row = _known(external_id) and (
        Customer.objects.select_related("region").filter(source=source, external_id=external_id).first()
    )
    if not row:
        raise NotFound("customer_not_found", f"Клиента «{external_id[:40]}» нет.", next_step="Сначала передайте его.")
    return answers.customer_json(row)


def invoice_read(source: Source, external_id: str) -> Json:
    """An invoice of the source with its payments. Raises NotFound."""
    row = _known(external_id) and (
        Invoice.objects.select_related("customer", "region", "organization")
        .filter(source=source, external_id=external_id)
        .first()
    )
    if not row:
        raise NotFound("invoice_not_found", f"Счёта «{external_id[:40]}» нет.", next_step="Сначала передайте его.")
    return answers.invoice_json(row)


def payment_read(source: Source, invoice_id: str, external_id: str) -> Json:
    """A payment of an invoice of the source. Raises NotFound."""
    facts = Fact.objects.filter(source=source, kind=FactKind.PAYMENT, invoice__external_id=invoice_id)
    return _fact(facts, (invoice_id, external_id), "payment_not_found", "Оплаты")


def topup_read(source: Source, customer_id: str, external_id: str) -> Json:
    """A top-up of a customer of the source. Raises NotFound."""
    facts = Fact.objects.filter(source=source, kind=FactKind.TOPUP, customer__external_id=customer_id)
    return _fact(facts, (customer_id, external_id), "topup_not_found", "Пополнения")


def _fact(facts: QuerySet[Fact], ids: tuple[str, str], code: str, words: str) -> Json:
    fact_id = None
    if _known(*ids):
        fact_id = facts.filter(external_id=ids[1]).values_list("pk", flat=True).first()
    if fact_id is None:
        raise NotFound(code, f"{words} «{ids[1][:40]}» нет.", next_step="Проверьте оба идентификатора в адресе.")
    answer = fact_answers([fact_id])[fact_id]
    return answers.fact_json(answer, answers.topup_organizations([answer]))


def _known(*external_ids: str) -> bool:
    """Whether the ids could be anyone's at all: others (a NUL among them) never reach the database."""
    return all(EXTERNAL_ID.fullmatch(external_id) for external_id in external_ids)


# --- receipts ---------------------------------------------------------------------------------------------------------


def _receipts(source: Source) -> QuerySet[Receipt]:
    return Receipt.objects.filter(customer__source=source).select_related(
        "status", "register__standby", "customer", "invoice", "obligation__fact"
    )


def receipt_page(
    source: Source,
    *,
    invoice: str | None = None,
    customer: str | None = None,
    state: State | None = None,
    register: UUID | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    cursor: str | None = None,
    limit: int = PAGE,
) -> Json:
    """A page of the source's receipts, newest first, without counting them. `until` itself is left out.

    Raises Invalid (`invalid`) for a cursor that is not one.
    """
    found = _receipts(source)
    if invoice is not None:
        row = _known(invoice) and Invoice.objects.filter(source=source, external_id=invoice).values_list("pk").first()
        found = found.filter(invoice_id=row[0]) if row else found.none()
    if customer is not None:
        row = (
            _known(customer) and Customer.objects.filter(source=source, external_id=customer).values_list("pk").first()
        )
        found = found.filter(customer_id=row[0]) if row else found.none()
    if state is not None:
        found = found.filter(status__state=state.value)
    if register is not None:
        found = found.filter(register__uuid=register)
    if since is not None:
        found = found.filter(created_at__gte=since)
    if until is not None:
        found = found.filter(created_at__lt=until)
    if cursor is not None:
        found = found.filter(pk__lt=_cursor_read(cursor))
    rows = list(found.defer("document", "notices").order_by("-pk")[: limit + 1])
    page = rows[:limit]
    return {
        "receipts": [_item_json(row) for row in page],
        "next_cursor": _cursor(page[-1].pk) if len(rows) > limit else None,
    }


def receipt_read(source: Source, uuid: UUID) -> Json:
    """A receipt of the source: document, figures of the register, attempts. Raises NotFound."""
    row = _receipt(source, uuid)
    document = load(row.document)
    record = FiscalRecord.objects.filter(receipt=row).first()
    return {
        **_item_json(row),
        "document": document_json(document),
        "fiscal": fiscal_json(record, document.time_zone) if record else None,
        "attempts": [
            _attempt_json(attempt)
            for attempt in Attempt.objects.filter(receipt=row).defer("body", "answer").order_by("number")
        ],
        "notices": row.notices,
    }


def receipt_events(source: Source, uuid: UUID) -> Json:
    """The history of a receipt of the source. Raises NotFound."""
    row = _receipt(source, uuid)
    return {
        "events": [
            {
                "number": event.number,
                "from": event.from_state or None,
                "to": event.to_state,
                "actor": event.actor,
                "reason": event.reason,
                "text": event.text,
                "at": answers.instant(event.at),
            }
            for event in ReceiptEvent.objects.filter(receipt=row).order_by("number")
        ],
        "chain_whole": writer.chain_is_whole(row.pk),
    }


def _receipt(source: Source, uuid: UUID) -> Receipt:
    row = _receipts(source).filter(uuid=uuid).first()
    if row is None:
        raise NotFound("receipt_not_found", "Такого чека нет.", next_step="Возьмите id чека из ответа на оплату.")
    return row


def _item_json(row: Receipt) -> Json:
    status, fact = row.status, row.obligation.fact
    state, standby = State(status.state), standby_of(row)
    return {
        "id": str(row.uuid),
        "kind": row.kind,
        "sign": word(1054, CalculationSign(row.sign)),
        "state": state.value,
        "state_label": state.label,
        "total": answers.money(row.total_kopecks),
        "register": str(row.register.uuid),
        "customer": row.customer.external_id,
        "invoice": row.invoice.external_id if row.invoice else None,
        "fact": {"kind": fact.kind, "id": fact.external_id},
        "created_at": answers.instant(row.created_at),
        "changed_at": answers.instant(status.changed_at),
        "standby": str(standby.uuid) if standby is not None else None,
        "error": {
            "code": status.error_code,
            "text": status.error_text,
            "next_step": NEXT_STEPS.get(status.error_code, STATE_STEPS[state]),
        }
        if status.error_code
        else None,
    }


def _attempt_json(attempt: Attempt) -> Json:
    return {
        "number": attempt.number,
        "sent_at": answers.instant(attempt.sent_at),
        "answered_at": answers.instant(attempt.answered_at) if attempt.answered_at else None,
        "outcome": attempt.outcome or None,
        "status": attempt.status,
        "error": {"code": attempt.error_code, "text": attempt.error_text, "next_step": ""}
        if attempt.error_code
        else None,
    }


def _cursor(receipt_id: int) -> str:
    return urlsafe_b64encode(str(receipt_id).encode()).decode().rstrip("=")


def _cursor_read(cursor: str) -> int:
    try:
        text = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode("ascii")
        if text.isdigit() and len(text) <= 18:
            return int(text)
    except ValueError:
        pass
    message = "Курсор не от этого списка: возьмите next_cursor из прошлого ответа."
    raise Invalid(
        "invalid", message, next_step="Начните с первой страницы.", faults=[Fault("cursor", "cursor", message)]
    )


# --- directories ------------------------------------------------------------------------------------------------------


def _hold_json(lane: LaneState | None) -> Json | None:
    """Why a register's queue sends nothing now."""
    if lane is None or lane.hold is None:
        return None
    return {"code": lane.hold.value, "text": hold_words(lane)}


def registers_read() -> Json:
    """The cash-register records in use. The directories are common to all sources."""
    rows = (
        Register.objects.filter(archived_at__isnull=True)
        .select_related("account", "organization", "region", "standby")
        .prefetch_related("extra_regions")
        .order_by("pk")
    )
    lanes = {(lane.account_id, lane.queue): lane for lane in lane_states(depth=False)}
    return {
        "registers": [
            {
                "id": str(row.uuid),
                "name": row.name,
                "provider": row.account.provider,
                "organization": row.organization.code,
                "region": row.region.code,
                "extra_regions": sorted(region.code for region in row.extra_regions.all()),
                "active_online": row.active_online,
                "print_online": row.print_online,
                "tax_system": word(1055, TaxSystem(row.tax_system)),
                "vat_rate": row.vat_rate,
                "online_method": word(1214, PaymentMethod(row.online_method)),
                "topup_method": word(1214, PaymentMethod(row.topup_method)),
                "ffd": word(1209, Ffd(row.ffd)),
                "standby": str(row.standby.uuid) if row.standby is not None else None,
                "hold": _hold_json(lanes.get((row.account_id, row.queue))),
            }
            for row in rows
        ]
    }


def regions_read() -> Json:
    """The regions, each with the register that serves its automatic receipts, or why none does."""
    directory = directory_read()
    found: list[Json] = []
    for region in Region.objects.select_related("organization").order_by("code"):
        chosen = route(directory.candidates, region_id=region.pk, organization_id=region.organization_id)
        register = directory.registers[chosen.register_id] if chosen.register_id is not None else None
        found.append(
            {
                "code": region.code,
                "name": region.name,
                "organization": region.organization.code,
                "register": {"id": str(UUID(register.uuid)), "name": register.name} if register else None,
                "reason": None
                if register
                else {"code": chosen.code, "detail": chosen.text, "next_step": chosen.next_step},
                "steps": list(chosen.steps),
            }
        )
    return {"regions": found}
