"""The demo shop: two organizations, four regions, several days of sales, all through the ordinary services.

Regions `msk` (a register active on-line), `spb` (a register not active on-line), `ekb` (no register) and `kzn` (the
second organization) are always there, so that each behaviour can be tried.
"""

from __future__ import annotations

import asyncio
import itertools
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from pathlib import Path

from django.conf import settings

from chekhov.config import clock
from chekhov.delivery.worker import Worker
from chekhov.demo.cloud import QUEUES, DemoCloud
from chekhov.demo.goods import DELIVERY, FITTING, PARTS, PEOPLE, TYRE
from chekhov.directory.models import Organization, OrganizationTaxSystem, OrganizationVatMode, Place, Region
from chekhov.fiscal.money import Money
from chekhov.fiscal.vocabulary import Channel, Means, PaymentMethod, RegisterVatRate, TaxSystem, VatMode
from chekhov.people.models import Source, User
from chekhov.people.services import admin_create, source_get
from chekhov.receipts import writer
from chekhov.receipts.composing import Choices, receipt_form, registers_for
from chekhov.receipts.contents import PaymentContent, TopupContent
from chekhov.receipts.models import Obligation, ReceiptState
from chekhov.receipts.recording import Recorded, fact_record
from chekhov.receipts.states import State
from chekhov.registers.models import Account
from chekhov.registers.services import RegisterContent, register_save
from chekhov.sales.content import CustomerContent, InvoiceContent, LineContent
from chekhov.sales.models import Customer, Invoice
from chekhov.sales.services import customer_put, invoice_put

DAYS = 4
LOGIN = "demo"


def password(folder: Path) -> str:
    """The demo login's password, made on the first start."""
    file = folder / "demo.password"
    if not file.exists():
        file.write_text(f"chekhov-{secrets.token_hex(4)}", encoding="ascii")
        file.chmod(0o600)
    return file.read_text("ascii")


def seed(cloud: DemoCloud) -> None:
    """Lay the demo shop, once. Later starts only tell «Тестовая касса» where the emulator is now."""
    if Organization.objects.exists():
        Account.objects.filter(provider="test", shop_id=cloud.shop).update(service_url=cloud.url)
        return
    shop = _Shop.laid(cloud)
    for days in range(DAYS, 0, -1):
        back = timedelta(days=days)
        cloud.call("POST", "clock", {"offset_seconds": round((clock.offset() - back).total_seconds())})
        with clock.moved(-back):
            shop.trade(days)
            shop.deliver()
    cloud.call("POST", "clock", {"offset_seconds": round(clock.offset().total_seconds())})
    shop.trade_today()
    shop.deliver()


@dataclass(slots=True)
class _Shop:
    cloud: DemoCloud
    source: Source
    cashier: User
    customers: dict[str, list[Customer]]
    numbers: itertools.count[int]
    goods: itertools.cycle[LineContent]

    @classmethod
    def laid(cls, cloud: DemoCloud) -> _Shop:
        """Organizations, places, regions, registers, the cashier and the customers."""
        cashier = admin_create(username=LOGIN, password=password(settings.CHEKHOV_DATA_DIR))
        cashier.first_name, cashier.last_name, cashier.position = "Анна Андреевна", "Петрова", "Кассир"
        cashier.save(update_fields=["first_name", "last_name", "position"])
        parts = _organization(
            "autodetal", "ООО «Автодеталь»", "7707083893", "autodetal.example.ru", TaxSystem.OSN, VatMode.GENERAL
        )
        wheels = _organization(
            "sokolov", "ИП Соколов Игорь Львович", "500100732259", "shiny-kazan.example.ru", TaxSystem.USN_INCOME,
            VatMode.USN_5,
        )  # fmt: skip
        _region("msk", "Москва", parts, "Магазин на Варшавском шоссе", "г. Москва, Варшавское ш., д. 132", 2)
        _region("spb", "Санкт-Петербург", parts, "Магазин на Салова", "г. Санкт-Петербург, ул. Салова, д. 57", 2)
        _region("ekb", "Екатеринбург", parts, "Пункт выдачи на Малышева", "г. Екатеринбург, ул. Малышева, д. 51", 4)
        _region("kzn", "Казань", wheels, "Шинный центр", "г. Казань, пр-т Победы, д. 92", 2)
        for code, name, active, system, rate in (
            ("msk", "Касса Москва, АТОЛ 27Ф", True, TaxSystem.OSN, RegisterVatRate.R22),
            ("spb", "Касса Петербург, Штрих-М", False, TaxSystem.OSN, RegisterVatRate.R22),
            ("kzn", "Касса Казань, Эвотор", True, TaxSystem.USN_INCOME, RegisterVatRate.R5),
        ):
            region = Region.objects.get(code=code)
            register_save(
                content=RegisterContent(
                    provider="test",
                    region_id=region.pk,
                    name=name,
                    shop_id=cloud.shop,
                    secret=cloud.secret,
                    service_url=cloud.url,
                    queue=QUEUES[code],
                    tax_system=system,
                    vat_rate=rate,
                    active_online=active,
                    place_id=region.place_id,
                    online_method=PaymentMethod.FULL_PAYMENT if code == "kzn" else PaymentMethod.ADVANCE,
                ),
                actor=cashier,
            )
        source = source_get("site", name="Сайт autodetal.example.ru")
        customers: dict[str, list[Customer]] = {"msk": [], "spb": [], "ekb": [], "kzn": []}
        for number, (name, email, phone) in enumerate(PEOPLE, start=1):
            code = ("msk", "msk", "spb", "msk", "kzn", "msk", "spb", "ekb", "ekb", "kzn")[number - 1]
            content = CustomerContent(name=name, region=code, email=email, phone=phone)
            customers[code].append(customer_put(source=source, external_id=f"K-{number:04d}", content=content)[0])
        return cls(cloud, source, cashier, customers, itertools.count(1041), itertools.cycle(PARTS))

    def trade(self, day: int) -> None:
        """A past day: orders on the site, sales at the counter, a top-up now and then."""
        for hour in (10, 13, 17):
            self.online("msk", hour, 1 + hour % 3)
        bill = self.bill("kzn", [replace(TYRE, quantity="2")] if day % 2 else self.some(2))
        self.pay(bill, hour=12)
        self.counter("spb", 15, handed=True)
        if day == DAYS:
            parts = self.bill("msk", self.some(3), discount="150.00")
            half = parts.total_kopecks // 2
            self.pay(parts, amount=Money(half), hour=11)
            self.pay(parts, amount=Money(parts.total_kopecks - half), hour=18)
        if day in (1, 3):
            self.topup("msk", "10000.00" if day == 1 else "5000.00", hour=16)
        if day == 2:
            self.cloud.call("POST", "faults", {"fault": "device_error", "count": 1, "description": _NO_PAPER})
            self.online("msk", 19, 2)

    def trade_today(self) -> None:
        """Today: a paid order of a region without a register, and one of a register that is not active on-line."""
        self.online("msk", None, 2)
        self.pay(self.bill("ekb", self.some(2)))
        self.pay(self.bill("spb", [*self.some(1), FITTING]))
        self.bill("msk", [PARTS[9], DELIVERY])

    def some(self, count: int) -> list[LineContent]:
        return [next(self.goods) for _ in range(count)]

    def bill(self, code: str, lines: Sequence[LineContent], *, discount: str = "0") -> Invoice:
        buyers = self.customers[code]
        number = next(self.numbers)
        content = InvoiceContent(
            customer=buyers[number % len(buyers)].external_id, lines=lines, number=f"АД-{number}", discount=discount
        )
        return invoice_put(source=self.source, external_id=f"A-{number}", content=content)[0]

    def pay(
        self,
        bill: Invoice,
        *,
        amount: Money | None = None,
        means: Means = Means.CARD,
        channel: Channel = Channel.ONLINE,
        hour: int | None = None,
    ) -> Recorded:
        content = PaymentContent(
            invoice=bill.external_id,
            id=f"P-{bill.external_id}-{next(self.numbers)}" if amount else f"P-{bill.external_id}",
            amount=amount or Money(bill.total_kopecks),
            means=means,
            channel=channel,
            paid_at=_at(hour),
        )
        return fact_record(source=self.source, content=content, actor="api:demo")

    def online(self, code: str, hour: int | None, count: int) -> None:
        self.pay(
            self.bill(code, [*self.some(count), DELIVERY]), hour=hour, means=Means.SBP if count == 1 else Means.CARD
        )

    def counter(self, code: str, hour: int, *, handed: bool) -> None:
        """A manager takes cash and sends the receipt."""
        bill = self.bill(code, self.some(2))
        recorded = self.pay(bill, means=Means.CASH, channel=Channel.COUNTER, hour=hour)
        obligation = Obligation.objects.get(fact__uuid=recorded.answer.uuid)
        register = registers_for(obligation)[0]
        receipt_form(
            obligation_id=obligation.pk,
            choices=Choices(register.pk, goods_handed=handed, confirmed=True),
            actor=self.cashier,
        )

    def topup(self, code: str, amount: str, *, hour: int) -> None:
        buyer = self.customers[code][0]
        content = TopupContent(
            customer=buyer.external_id,
            id=f"T-{next(self.numbers)}",
            amount=Money.parse(amount),
            means=Means.SBP,
            channel=Channel.ONLINE,
            paid_at=_at(hour),
        )
        fact_record(source=self.source, content=content, actor="api:demo")

    def deliver(self) -> None:
        """Let an ordinary worker deliver what is queued, without waiting between its questions."""
        asyncio.run(_deliver())


async def _deliver() -> None:
    worker = Worker(name="seed")
    running = asyncio.create_task(worker.run())
    try:
        for _ in range(300):
            await asyncio.sleep(0.2)
            if running.done() or not await asyncio.to_thread(_hurry_open):
                break
    finally:
        worker.stop()
        await running


def _hurry_open() -> int:
    """Ask sooner about what is accepted; how many receipts are still on their way."""
    from django.db import connection

    try:
        open_states = (State.QUEUED, State.SENDING, State.ACCEPTED, State.UNKNOWN)
        ids = list(ReceiptState.objects.filter(state__in=open_states).values_list("pk", flat=True))
        writer.hurry(ids)
        return len(ids)
    finally:
        connection.close()


_NO_PAPER = "Ошибка ККТ: закончилась бумага"


def _organization(code: str, name: str, inn: str, site: str, system: TaxSystem, mode: VatMode) -> Organization:
    since = date(2025, 1, 1)
    row = Organization.objects.create(code=code, name=name, inn=inn, site_host=site, email=f"kassa@{site}")
    OrganizationTaxSystem.objects.create(organization=row, tax_system=system.value, valid_from=since)
    OrganizationVatMode.objects.create(organization=row, vat_mode=mode.value, valid_from=since)
    return row


def _region(code: str, name: str, seller: Organization, place: str, address: str, time_zone: int) -> None:
    where = Place.objects.create(organization=seller, name=place, address=address, time_zone=time_zone)
    Region.objects.create(code=code, name=name, organization=seller, place=where)


def _at(hour: int | None) -> datetime:
    """An hour of the business day in Moscow, never in the future."""
    now = clock.now()
    if hour is None:
        return now
    return min(now, now.astimezone(clock.zone(2)).replace(hour=hour, minute=hour * 7 % 60, second=0, microsecond=0))
