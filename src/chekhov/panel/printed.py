"""What a register would print with the settings of its form: the VAT in words, and a sample for credit methods."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from chekhov.config.clock import local_date, now
from chekhov.directory.models import Organization, Region
from chekhov.directory.selectors import vat_mode_on
from chekhov.fiscal.document import Buyer, Document, Seller
from chekhov.fiscal.money import Money
from chekhov.fiscal.quantity import ONE, Quantity
from chekhov.fiscal.settlement import Order, OrderLine, Terms, payment_document, printed_method, topup_document
from chekhov.fiscal.text import NameTextError
from chekhov.fiscal.vat import VatDateError, code_for
from chekhov.fiscal.vocabulary import (
    VAT_MODE_LABELS,
    Means,
    PaymentMethod,
    PaymentObject,
    RegisterVatRate,
    TaxSystem,
)
from chekhov.registers.services import CREDIT


@dataclass(frozen=True, slots=True)
class Printed:
    """A sentence about today's receipts; `is_bad` where they could not be made."""

    text: str
    is_bad: bool = False


def _number(text: Any) -> int | None:
    return int(text) if str(text or "").isascii() and str(text or "").isdigit() else None


def _organization(values: Mapping[str, Any]) -> Organization | None:
    chosen, region = _number(values.get("organization")), _number(values.get("region"))
    if chosen is not None:
        return Organization.objects.filter(pk=chosen).first()
    row = Region.objects.select_related("organization").filter(pk=region).first() if region is not None else None
    return row.organization if row else None


def _method(values: Mapping[str, Any], name: str) -> PaymentMethod | None:
    number = _number(values.get(name))
    return PaymentMethod(number) if number in set(PaymentMethod) else None


def method_words(values: Mapping[str, Any]) -> Printed:
    """What stands under «Ставка налога»: the VAT printed today for a whole payment with the chosen method."""
    organization, chosen = _organization(values), _method(values, "online_method")
    rate = values.get("vat_rate")
    if organization is None or chosen is None or rate not in set(RegisterVatRate):
        return Printed("Выберите регион, ставку и способ расчёта: здесь появится, что будет напечатано в чеке.")
    today = local_date(now(), organization.time_zone)
    mode, picked = vat_mode_on(organization, today), RegisterVatRate(rate)
    if mode is None:
        return Printed(f"У организации «{organization.name}» на сегодня не задан режим НДС.", is_bad=True)
    if mode not in picked.vat_modes:
        text = f"Ставка «{picked.label}» не сходится с организацией «{organization.name}»: {VAT_MODE_LABELS[mode]}."
        return Printed(text, is_bad=True)
    method = printed_method(chosen, whole=True, marked=False)
    try:
        code = code_for(picked.vat_class, mode, method.method, today)
    except VatDateError as error:
        return Printed(str(error), is_bad=True)
    return Printed(
        f"Сегодня, {today:%d.%m.%Y}, при полной онлайн оплате в чеке будет «{method.method.label}», НДС «{code.label}»."
    )


def sample_receipts(values: Mapping[str, Any]) -> list[tuple[str, Document]]:
    """Sample receipts for the credit methods chosen, each with its heading; empty when none is chosen."""
    organization, rate = _organization(values), values.get("vat_rate")
    online, topup = _method(values, "online_method"), _method(values, "topup_method")
    if not {online, topup} & CREDIT or organization is None or rate not in set(RegisterVatRate):
        return []
    today = local_date(now(), organization.time_zone)
    mode = vat_mode_on(organization, today)
    if mode is None:
        return []
    system = _number(values.get("tax_system"))
    tax_system = TaxSystem(system) if system in set(TaxSystem) else TaxSystem.OSN
    terms = Terms(
        seller=Seller(organization.inn, organization.name, tax_system, organization.site_host),
        buyer=Buyer(email="pokupatel@example.ru"),
        vat_mode=mode,
        vat_class=RegisterVatRate(rate).vat_class,
        settled_on=today,
        time_zone=organization.time_zone,
        means=Means.CARD,
        own_object=organization.prepayment_object == "own",
        internet=True,
    )
    order = Order(
        (
            OrderLine("1", "Свеча зажигания", Money(38_550), Quantity.pieces(4)),
            OrderLine("2", "Фильтр масляный", Money(62_000), ONE),
        )
    )
    found: list[tuple[str, Document]] = []
    try:
        if online in CREDIT and online is not None:
            found.append(("Онлайн оплата счёта целиком", payment_document(order, order.net(), online, terms)))
        if topup in CREDIT and topup is not None:
            thing = _number(values.get("topup_object"))
            item = PaymentObject(thing) if thing in set(PaymentObject) else PaymentObject.PAYMENT
            name = str(values.get("topup_name") or "Пополнение баланса")
            found.append(("Пополнение баланса", topup_document(Money(1_000_000), name, item, topup, terms)))
    except (VatDateError, NameTextError):
        return []
    return found
