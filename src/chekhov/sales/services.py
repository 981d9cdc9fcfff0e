"""Writing customers and invoices. Facts are written by the room `receipts`, with what they owe."""

from __future__ import annotations

from django.db import IntegrityError, transaction

from chekhov.config.database import writing
from chekhov.directory.models import Organization, Region
from chekhov.errors import Conflict, Fault, Invalid
from chekhov.people.models import Source
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


def customer_put(*, source: Source, external_id: str, content: CustomerContent) -> tuple[Customer, bool]:
    """Create or replace a customer; True when it is new.

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
        customer = Customer.objects.filter(source=source, external_id=external_id).first()
        if customer is None:
            try:
                with transaction.atomic():
                    return Customer.objects.create(source=source, external_id=external_id, **values), True
            except IntegrityError:  # another request was first
                customer = Customer.objects.get(source=source, external_id=external_id)
        if customer.content_hash != values["content_hash"]:
            for name, value in values.items():
                setattr(customer, name, value)
            customer.save(update_fields=list(values))
        return customer, False


def invoice_put(*, source: Source, external_id: str, content: InvoiceContent) -> tuple[Invoice, bool]:
    """Create an invoice, or replace one on which no fact hangs; True when it is new.

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
        invoice = Invoice.objects.select_for_update().filter(source=source, external_id=external_id).first()
        if invoice is None:
            try:
                with transaction.atomic():
                    return Invoice.objects.create(source=source, external_id=external_id, **values), True
            except IntegrityError:  # another request was first
                invoice = Invoice.objects.select_for_update().get(source=source, external_id=external_id)
        if invoice.content_hash == values["content_hash"]:
            return invoice, False
        if Fact.objects.filter(invoice=invoice).exists():
            raise Conflict(
                "conflict",
                "По этому счёту уже есть оплата, изменить его нельзя.",
                next_step="Оставьте счёт прежним; новые позиции передайте новым счётом.",
            )
        for name, value in values.items():
            setattr(invoice, name, value)
        invoice.save(update_fields=list(values))
        return invoice, False


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
