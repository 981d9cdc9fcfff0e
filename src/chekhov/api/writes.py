"""From a body to one service call and its answer. The single routes and the batch both go through here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from chekhov.api import answers
from chekhov.api.auth import Caller
from chekhov.api.bodies import CustomerBody, InvoiceBody, PaymentBody, TopupBody
from chekhov.errors import Fault, Invalid, Refusal
from chekhov.fiscal.money import Money
from chekhov.fiscal.vocabulary import Channel, Means
from chekhov.receipts.contents import FactContent, PaymentContent, TopupContent
from chekhov.receipts.gathering import gathering
from chekhov.sales.content import CustomerContent, InvoiceContent, LineContent, amount, checked_id
from chekhov.sales.services import customer_put, invoice_put

Json = dict[str, Any]


class Written(NamedTuple):
    """The status and the body of an answer; a refusal in place of the body."""

    status: int
    body: Json | Refusal


def customer_write(caller: Caller, external_id: str, body: CustomerBody) -> Written:
    """Create or replace a customer. Raises Refusal."""
    content = CustomerContent(
        name=body.name,
        region=body.region,
        email=body.email or "",
        phone=body.phone or "",
        inn=body.inn or "",
    )
    customer, created = customer_put(source=caller.source, external_id=external_id, content=content)
    return Written(201 if created else 200, answers.customer_json(customer))


def invoice_write(caller: Caller, external_id: str, body: InvoiceBody) -> Written:
    """Create an invoice, or replace one without facts. Raises Refusal."""
    content = InvoiceContent(
        customer=body.customer,
        lines=[
            LineContent(
                name=line.name,
                price=line.price,
                quantity=line.quantity,
                id=line.id or "",
                vat=line.vat or "",
                object=line.object or "product",
                unit=line.unit or "шт",
                marking=line.marking.group if line.marking else "",
                discountable=line.discountable is not False,
            )
            for line in body.lines
        ],
        region=body.region or "",
        organization=body.organization or "",
        number=body.number or "",
        discount=body.discount or "0",
    )
    invoice, created = invoice_put(source=caller.source, external_id=external_id, content=content)
    return Written(201 if created else 200, answers.invoice_json(invoice, is_new=created))


def payment_content(invoice_id: str, payment_id: str, body: PaymentBody) -> PaymentContent:
    """A payment as the rooms below take it. Raises Invalid (`id`, `amount`)."""
    return PaymentContent(
        checked_id(invoice_id, "invoice"),
        payment_id,
        _amount(body.amount),
        Means(body.means),
        Channel(body.channel),
        body.paid_at,
        body.buyer_acts_for_business is True,
    )


def topup_content(customer_id: str, topup_id: str, body: TopupBody) -> TopupContent:
    """A top-up as the rooms below take it. Raises Invalid (`id`, `amount`)."""
    return TopupContent(
        checked_id(customer_id, "customer"),
        topup_id,
        _amount(body.amount),
        Means(body.means),
        Channel(body.channel),
        body.paid_at,
        body.organization or "",
    )


def facts_write(caller: Caller, contents: Sequence[FactContent]) -> list[Written]:
    """Record facts in one service call; the answers in the same order, refusals among them."""
    recorded = gathering.record(source=caller.source, contents=contents, actor=caller.actor)
    organizations = answers.topup_organizations([item.answer for item in recorded if not isinstance(item, Refusal)])
    return [
        Written(item.status, item)
        if isinstance(item, Refusal)
        else Written(201 if item.created else 200, answers.fact_json(item.answer, organizations))
        for item in recorded
    ]


def fact_write(caller: Caller, content: FactContent) -> Written:
    """Record one fact. Raises Refusal."""
    written = facts_write(caller, [content])[0]
    if isinstance(written.body, Refusal):
        raise written.body
    return written


def _amount(text: str) -> Money:
    faults: list[Fault] = []
    money = amount(text, "amount", faults)
    if faults:
        raise Invalid("amount", faults[0].message, next_step="Проверьте сумму.", faults=faults)
    return money
