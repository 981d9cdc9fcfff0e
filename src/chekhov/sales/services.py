"""Writing customers and invoices. Facts are written by the room `receipts`, with what they owe."""

from __future__ import annotations

from typing import Any

from django.db import IntegrityError, transaction

from chekhov.config.database import writing
from chekhov.directory.models import Organization, Region
from chekhov.errors import Conflict, Fault, Invalid
from chekhov.people.models import Source, User
from chekhov.people.services import action_log
from chekhov.sales.content import (
    CustomerContent,
    InvoiceContent,
    checked_id,
    customer_checked,
    digest,
    invoice_lines_checked,
    search_key,
)
from chekhov.sales.models import Customer, Fact, Invoice


def _region(code: str) -> Region:
    region = Region.objects.select_related("organization").filter(code=code).first()
    if region is None:
        message = f"Региона с кодом «{code[:40]}» нет."
        raise Invalid(
            "unknown_region",
            message,
            next_step="Возьмите код из справочника «Регионы» или заведите регион.",
            faults=[Fault("region", "unknown_region", message)],
        )
    return region


def customer_put(
    *, source: Source, external_id: str, content: CustomerContent, person: User | None = None
) -> tuple[Customer, bool]:
    """Create or replace a customer; True when it is new. What a `person` does goes into the journal of actions.

    Raises Invalid (`id`, `invalid`, `unknown_region`).
    """
    checked_id(external_id)
    fields = customer_checked(content)
    with writing():
        region = _region(content.region)
        values = {
            **fields,
            "region": region,
            "search_name": search_key(fields["name"])[:200],
            "content_hash": digest({**fields, "region": region.code}),
        }
        customer, created, changed = _customer_write(source, external_id, values)
        if person is not None and changed:
            kind = "customer_create" if created else "customer_change"
            action_log(actor=person, kind=kind, subject=str(customer.uuid), summary=f"«{customer.name}»")
        return customer, created


def _customer_write(source: Source, external_id: str, values: dict[str, Any]) -> tuple[Customer, bool, bool]:
    """The customer, whether it is new, and whether anything was written."""
    customer = Customer.objects.filter(source=source, external_id=external_id).first()
    if customer is None:
        try:
            with transaction.atomic():
                return Customer.objects.create(source=source, external_id=external_id, **values), True, True
        except IntegrityError:  # another request was first
            customer = Customer.objects.get(source=source, external_id=external_id)
    if customer.content_hash == values["content_hash"]:
        return customer, False, False
    for name, value in values.items():
        setattr(customer, name, value)
    customer.save(update_fields=list(values))
    return customer, False, True


def invoice_put(
    *, source: Source, external_id: str, content: InvoiceContent, person: User | None = None
) -> tuple[Invoice, bool]:
    """Create an invoice, or replace one on which no fact hangs; True when it is new. What a `person` does goes into
    the journal of actions.

    Raises Invalid (`id`, `invalid`, `total`, `unknown_customer`, `unknown_region`, `unknown_organization`), Conflict
    (`conflict`) when a fact hangs on the invoice and the content differs.
    """
    checked_id(external_id)
    lines, order = invoice_lines_checked(content.lines, content.discount)
    number = " ".join(content.number.split()) or external_id
    if len(number) > 60:
        fault = Fault("number", "number", "Номер счёта не длиннее 60 символов.")
        raise Invalid("invalid", fault.message, next_step="Сократите номер.", faults=[fault])
    with writing():
        customer = (
            Customer.objects.select_related("region__organization")
            .filter(source=source, external_id=content.customer)
            .first()
        )
        if customer is None:
            message = f"Клиента «{content.customer[:40]}» нет."
            raise Invalid(
                "unknown_customer",
                message,
                next_step="Сначала передайте клиента.",
                faults=[Fault("customer", "unknown_customer", message)],
            )
        region = _region(content.region) if content.region else customer.region
        organization = _organization(content.organization) if content.organization else region.organization
        values = {
            "number": number,
            "search_number": search_key(number)[:60],
            "customer": customer,
            "region": region,
            "organization": organization,
            "lines": lines,
            "discount_kopecks": order.discount.kopecks,
            "total_kopecks": order.total.kopecks,
            "content_hash": digest(
                {
                    "number": number,
                    "customer": customer.external_id,
                    "region": region.code,
                    "organization": organization.code,
                    "lines": lines,
                    "discount": order.discount.kopecks,
                }
            ),
        }
        invoice, created, changed = _invoice_write(source, external_id, values)
        if person is not None and changed:
            kind = "invoice_create" if created else "invoice_change"
            action_log(actor=person, kind=kind, subject=str(invoice.uuid), summary=f"№ {invoice.number}")
        return invoice, created


def _invoice_write(source: Source, external_id: str, values: dict[str, Any]) -> tuple[Invoice, bool, bool]:
    """The invoice, whether it is new, and whether anything was written. Raises Conflict."""
    invoice = Invoice.objects.select_for_update().filter(source=source, external_id=external_id).first()
    if invoice is None:
        try:
            with transaction.atomic():
                return Invoice.objects.create(source=source, external_id=external_id, **values), True, True
        except IntegrityError:  # another request was first
            invoice = Invoice.objects.select_for_update().get(source=source, external_id=external_id)
    if invoice.content_hash == values["content_hash"]:
        return invoice, False, False
    if Fact.objects.filter(invoice=invoice).exists():
        raise Conflict(
            "conflict",
            "По этому счёту уже есть оплата, изменить его нельзя.",
            next_step="Оставьте счёт прежним; новые позиции передайте новым счётом.",
        )
    for name, value in values.items():
        setattr(invoice, name, value)
    invoice.save(update_fields=list(values))
    return invoice, False, True


def _organization(code: str) -> Organization:
    organization = Organization.objects.filter(code=code).first()
    if organization is None:
        message = f"Организации с кодом «{code[:40]}» нет."
        raise Invalid(
            "unknown_organization",
            message,
            next_step="Возьмите код из справочника «Организации».",
            faults=[Fault("organization", "unknown_organization", message)],
        )
    return organization
