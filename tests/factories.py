"""A small shop for tests: organizations, regions, registers, customers and invoices, made through the services."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from chekhov.config.clock import now
from chekhov.directory.models import Organization, OrganizationTaxSystem, OrganizationVatMode, Place, Region
from chekhov.fiscal.money import Money
from chekhov.fiscal.vocabulary import Channel, Means, RegisterVatRate, TaxSystem
from chekhov.people.models import Source, User
from chekhov.people.services import source_get
from chekhov.receipts.contents import PaymentContent, TopupContent
from chekhov.receipts.recording import Recorded, fact_record
from chekhov.registers.models import Register
from chekhov.registers.services import RegisterContent, register_save
from chekhov.sales.content import CustomerContent, InvoiceContent, LineContent
from chekhov.sales.models import Customer, Invoice
from chekhov.sales.services import customer_put, invoice_put

INN = "7707083893"
OTHER_INN = "7736050003"
_numbers = itertools.count(1)


def organization(code: str = "parts", **values: Any) -> Organization:
    """ООО on ОСН with the general VAT mode since 2019."""
    tax_system = values.pop("tax_system", TaxSystem.OSN)
    vat_mode = values.pop("vat_mode", "general")
    fields = {"name": "ООО «Автодеталь»", "inn": INN, "site_host": "parts.example.ru", **values}
    row = Organization.objects.create(code=code, **fields)
    OrganizationTaxSystem.objects.create(organization=row, tax_system=tax_system.value, valid_from=date(2019, 1, 1))
    OrganizationVatMode.objects.create(organization=row, vat_mode=vat_mode, valid_from=date(2019, 1, 1))
    return row


def region(code: str, seller: Organization, *, with_place: bool = True) -> Region:
    """A region of a seller, with its shop."""
    place = None
    if with_place:
        place = Place.objects.create(organization=seller, name=f"Магазин {code}", address=f"г. {code}, ул. Ленина, 5")
    return Region.objects.create(code=code, name=code.upper(), organization=seller, place=place)


def register(of: Region, *, queue: int = 777, **values: Any) -> Register:
    """A register record of a region on the test provider, active on-line unless told otherwise."""
    fields: dict[str, Any] = {
        "provider": "test",
        "region_id": of.pk,
        "name": f"Касса {of.code}",
        "shop_id": "demo-shop",
        "secret": "demo-secret",
        "queue": queue,
        "tax_system": TaxSystem.OSN,
        "vat_rate": RegisterVatRate.R22,
        "place_id": of.place_id,
        **values,
    }
    return register_save(content=RegisterContent(**fields), actor=None).register


def user(name: str = "petrova") -> User:
    """A cashier."""
    return User.objects.create_user(
        name, password="correct horse battery", first_name="Анна", last_name="Петрова", position="Кассир"
    )


def source(code: str = "site") -> Source:
    return source_get(code, name=code)


def customer(of: Region, *, external_id: str = "", by: Source | None = None, **values: Any) -> Customer:
    """A buyer with an e-mail."""
    fields = {"name": "Иван Петров", "email": "buyer@example.ru", **values}
    content = CustomerContent(region=of.code, **fields)
    return customer_put(source=by or source(), external_id=external_id or f"C-{next(_numbers)}", content=content)[0]


def invoice(buyer: Customer, *lines: LineContent, external_id: str = "", discount: str = "0", **values: Any) -> Invoice:
    """An invoice; without lines, four spark plugs and the delivery: 1892.00."""
    content = InvoiceContent(customer=buyer.external_id, lines=lines or default_lines(), discount=discount, **values)
    return invoice_put(source=buyer.source, external_id=external_id or f"A-{next(_numbers)}", content=content)[0]


def default_lines() -> Sequence[LineContent]:
    return (
        LineContent(name="Свеча зажигания", price="385.50", quantity="4"),
        LineContent(name="Доставка курьером", price="350.00", quantity="1", object="service"),
    )


def pay(
    bill: Invoice,
    amount: str = "",
    *,
    id: str = "",
    means: Means = Means.CARD,
    channel: Channel = Channel.ONLINE,
    paid_at: datetime | None = None,
    **values: Any,
) -> Recorded:
    """A payment of the whole invoice unless an amount is given."""
    content = PaymentContent(
        invoice=bill.external_id,
        id=id or f"P-{next(_numbers)}",
        amount=Money.parse(amount) if amount else Money(bill.total_kopecks),
        means=means,
        channel=channel,
        paid_at=paid_at or now(),
        **values,
    )
    return fact_record(source=bill.source, content=content, actor="test")


def topup(buyer: Customer, amount: str = "10000.00", *, id: str = "", **values: Any) -> Recorded:
    """A balance top-up on the site through СБП."""
    content = TopupContent(
        customer=buyer.external_id,
        id=id or f"T-{next(_numbers)}",
        amount=Money.parse(amount),
        means=values.pop("means", Means.SBP),
        channel=values.pop("channel", Channel.ONLINE),
        paid_at=values.pop("paid_at", None) or now(),
        **values,
    )
    return fact_record(source=buyer.source, content=content, actor="test")
