"""What the API answers, put together as plain JSON values.

Built by hand and written by orjson: validating an answer that was made here a moment ago would cost more than making
it. `chekhov.api.shapes` describes the same answers for the schema, and the tests hold the two together.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from chekhov.fiscal.money import Money
from chekhov.fiscal.quantity import Quantity
from chekhov.receipts.answers import FactAnswer, fact_answers
from chekhov.sales.models import Customer, Fact, FactKind, Invoice

Json = dict[str, Any]


def instant(value: datetime) -> str:
    """An instant in UTC: ``2026-11-24T07:15:00Z``."""
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z")


def money(kopecks: int) -> str:
    return str(Money(kopecks))


def customer_json(customer: Customer) -> Json:
    """A customer with its region's code."""
    return {
        "id": customer.external_id,
        "name": customer.name,
        "email": customer.email or None,
        "phone": customer.phone or None,
        "inn": customer.inn or None,
        "region": customer.region.code,
    }


def invoice_json(invoice: Invoice, *, is_new: bool = False) -> Json:
    """An invoice as it is stored, with its payments. A new one has none, so they are not looked for."""
    payments: list[Json] = []
    if not is_new:
        ids = list(
            Fact.objects.filter(invoice=invoice, kind=FactKind.PAYMENT).order_by("pk").values_list("pk", flat=True)
        )
        known = fact_answers(ids)
        payments = [fact_json(known[fact_id]) for fact_id in ids]
    return {
        "id": invoice.external_id,
        "number": invoice.number,
        "customer": invoice.customer.external_id,
        "region": invoice.region.code,
        "organization": invoice.organization.code,
        "discount": money(invoice.discount_kopecks),
        "lines": [_line_json(line) for line in invoice.lines],
        "total": money(invoice.total_kopecks),
        "paid": money(invoice.paid_kopecks),
        "payments": payments,
    }


def _line_json(line: Mapping[str, Any]) -> Json:
    group = line.get("marking")
    return {
        "id": line["id"],
        "name": line["name"],
        "price": money(line["price"]),
        "quantity": str(Quantity(line["quantity"])),
        "vat": line.get("vat"),
        "object": line.get("object", "product"),
        "unit": line.get("unit", "шт"),
        "marking": {"group": group} if group else None,
        "discountable": not line.get("no_discount", False),
    }


def topup_organizations(facts: Iterable[FactAnswer]) -> dict[UUID, str]:
    """The organizations of the top-ups among the facts: one read, none where there are no top-ups."""
    uuids = [fact.uuid for fact in facts if fact.kind == FactKind.TOPUP.value]
    if not uuids:
        return {}
    return dict(Fact.objects.filter(uuid__in=uuids).values_list("uuid", "organization__code"))


def fact_json(fact: FactAnswer, organizations: Mapping[UUID, str] | None = None) -> Json:
    """A payment or a top-up with what became of it."""
    is_payment = fact.kind == "payment"
    body: Json = {
        "id": fact.id,
        "invoice" if is_payment else "customer": fact.parent,
        "amount": str(fact.amount),
        "means": fact.means.value,
        "channel": fact.channel.value,
        "paid_at": instant(fact.paid_at),
    }
    if is_payment:
        body["buyer_acts_for_business"] = fact.buyer_acts_for_business
    else:
        body["organization"] = (organizations or {}).get(fact.uuid)
    missing = fact.missing
    body["receipts"] = [
        {
            "id": str(receipt.id),
            "kind": receipt.kind,
            "state": receipt.state.value,
            "total": str(receipt.total),
            "register": str(receipt.register),
        }
        for receipt in fact.receipts
    ]
    body["missing"] = (
        {"code": missing.code, "detail": missing.detail, "next_step": missing.next_step} if missing else None
    )
    body["not_required"] = {"detail": fact.not_required} if fact.not_required else None
    return body
