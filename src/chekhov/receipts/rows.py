"""The rows of facts, obligations and receipts. Their ids are reserved beforehand, so that no statement waits for the
one before: on PostgreSQL all of them leave together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC
from typing import Any
from uuid import UUID, uuid5

import orjson

from chekhov.config.clock import now
from chekhov.config.database import Reserved, execute, insert_rows, instant, json_text, rows_as, uid
from chekhov.directory.services import installation_uuid
from chekhov.fiscal.codec import dump
from chekhov.fiscal.document import Document
from chekhov.people.models import Source
from chekhov.receipts import forming, writer
from chekhov.receipts.contents import PaymentContent
from chekhov.receipts.drafts import Draft
from chekhov.registers.routing import Route

SETTLEMENT = "settlement"
_FACT_COLUMNS = [
    "id",
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
    "id",
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
_RECEIPT_COLUMNS = [
    "id",
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


TABLES = ("sales_fact", "receipts_obligation", "receipts_receipt")


@dataclass(frozen=True, slots=True)
class NewReceipt:
    """A receipt about to be written, under an id that was reserved for it."""

    id: int
    uuid: UUID
    obligation_id: int
    generation: int
    document: Document
    register: forming.RegisterSettings
    organization_id: int
    customer_id: int
    invoice_id: int | None
    notices: Sequence[dict[str, Any]]


def drafts_write(drafts: Sequence[Draft], source: Source, actor: str, reserved: Reserved) -> None:
    """Insert facts with what they owe and the receipts that need no person; the invoices' paid sums follow."""
    if not drafts:
        return
    recorded_at = instant(now())
    fact_ids, obligation_ids, receipt_ids = (reserved.ids[table] for table in TABLES)
    insert_rows(
        "sales_fact",
        _FACT_COLUMNS,
        [
            _fact_row(fact_id, draft, source, actor, recorded_at)
            for fact_id, draft in zip(fact_ids, drafts, strict=False)
        ],
    )
    paid = {draft.parent.invoice_id: draft.parent.paid_kopecks for draft in drafts if draft.parent.invoice_id}
    if paid:
        listed, parameters = rows_as("v", {"id": "bigint", "paid": "bigint"}, list(paid.items()))
        execute(
            f"WITH {listed} UPDATE sales_invoice AS i SET paid_kopecks = v.paid FROM v WHERE i.id = v.id", parameters
        )
    owing = [
        (obligation_id, fact_id, draft)
        for obligation_id, fact_id, draft in zip(obligation_ids, fact_ids, drafts, strict=False)
        if not draft.not_required
    ]
    insert_rows("receipts_obligation", _OBLIGATION_COLUMNS, [_obligation_row(*item, recorded_at) for item in owing])
    receipts = [
        NewReceipt(
            receipt_id,
            draft.receipt_uuid,
            obligation_id,
            1,
            draft.document,
            draft.register,
            draft.organization_id,
            draft.parent.customer_id,
            draft.parent.invoice_id,
            draft.notices,
        )
        for receipt_id, (obligation_id, _, draft) in zip(receipt_ids, owing, strict=False)
        if draft.document is not None and draft.register is not None and draft.receipt_uuid is not None
    ]
    receipts_write(receipts, actor=actor, clock_ms=reserved.clock_ms)


def receipts_write(receipts: Sequence[NewReceipt], *, actor: str, clock_ms: int) -> None:
    """Insert receipts with their first state: queued, due at once by the database's clock."""
    created_at = instant(now())
    insert_rows("receipts_receipt", _RECEIPT_COLUMNS, [_receipt_row(item, created_at, actor) for item in receipts])
    writer.born(
        [
            writer.Birth(
                item.id, item.uuid, item.obligation_id, item.register.account_id, item.register.queue, due_ms=clock_ms
            )
            for item in receipts
        ],
        actor=actor,
    )


def _fact_row(fact_id: int, draft: Draft, source: Source, actor: str, recorded_at: Any) -> tuple[Any, ...]:
    content, parent = draft.content, draft.parent
    return (
        fact_id,
        uid(draft.uuid),
        draft.kind.value,
        source.pk,
        content.id,
        parent.invoice_id,
        parent.customer_id,
        draft.organization_id,
        parent.region_id,
        content.amount.kopecks,
        content.means.value,
        content.channel.value,
        isinstance(content, PaymentContent) and content.buyer_acts_for_business,
        instant(content.paid_at.astimezone(UTC)),
        recorded_at,
        actor,
        draft.hash,
    )


def _obligation_row(obligation_id: int, fact_id: int, draft: Draft, recorded_at: Any) -> tuple[Any, ...]:
    missing = draft.missing
    return (
        obligation_id,
        uid(uuid5(installation_uuid(), draft.identity)),
        fact_id,
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
        missing.code if missing else "",
        missing.detail[:500] if missing else "",
        missing.next_step[:300] if missing else "",
        recorded_at,
    )


def _receipt_row(item: NewReceipt, created_at: Any, actor: str) -> tuple[Any, ...]:
    document = item.document
    return (
        item.id,
        uid(item.uuid),
        item.obligation_id,
        item.generation,
        dump(document),
        "receipt" if document.correction is None else "correction",
        document.sign.value,
        document.total.kopecks,
        item.register.id,
        item.register.account_id,
        item.register.queue,
        item.organization_id,
        item.customer_id,
        item.invoice_id,
        document.buyer.contact,
        json_text(orjson.dumps(list(item.notices)).decode()),
        None,
        created_at,
        actor,
    )


def _routing_json(chosen: Route | None) -> str:
    assert chosen is not None
    return orjson.dumps({"register": chosen.register_id, "steps": list(chosen.steps), "code": chosen.code}).decode()
