"""The policy that a receipt was derived under, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chekhov.fiscal.vocabulary import (
    CHANNEL_LABELS,
    MEANS_LABELS,
    VAT_MODE_LABELS,
    Channel,
    Means,
    PaymentMethod,
    RegisterVatRate,
    TaxSystem,
    VatMode,
)

_OBJECTS = {"payment": "«Платёж»", "own": "предмет самого товара"}


def policy_words(policy: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Pairs of a name and a value, only those that the snapshot has. Old snapshots may know fewer."""
    found: list[tuple[str, str]] = []

    def add(name: str, words: Any) -> None:
        found.append((name, str(words)))

    try:
        if policy.get("channel"):
            add("Где приняли деньги", CHANNEL_LABELS[Channel(policy["channel"])])
        if policy.get("means"):
            add("Чем заплатили", MEANS_LABELS[Means(policy["means"])])
        if policy.get("vat_mode"):
            add("Режим НДС организации", VAT_MODE_LABELS[VatMode(policy["vat_mode"])])
        if policy.get("vat_rate"):
            add("Ставка в настройках кассы", RegisterVatRate(policy["vat_rate"]).label)
        if policy.get("tax_system"):
            add("Система налогообложения", TaxSystem(policy["tax_system"]).label)
        if policy.get("method"):
            add("Способ расчёта", PaymentMethod(policy["method"]).label)
        if policy.get("why"):
            add("Почему такой способ", policy["why"])
        if policy.get("prepayment_object"):
            add("Предмет расчёта в авансах", _OBJECTS.get(policy["prepayment_object"], policy["prepayment_object"]))
    except (ValueError, KeyError):
        pass
    return found
