"""VAT codes and the tax system: R19-R23. R19, R21 and R22 judge sales only: a return copies its codes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from chekhov.fiscal.document import Line
from chekhov.fiscal.rules.case import Case
from chekhov.fiscal.rules.rule import FINE, REFUSAL, Broken, document_rule
from chekhov.fiscal.vat import HANDOVER_CODES, PREPAYMENT_CODES, allowed_codes, is_in_force
from chekhov.fiscal.vocabulary import VAT_MODE_LABELS, PaymentMethod, TaxSystem, VatCode, VatMode

_METHOD_CODES = {method: PREPAYMENT_CODES if method.is_prepayment else HANDOVER_CODES for method in PaymentMethod}
_FIVE = frozenset({VatCode.VAT_5, VatCode.VAT_5_105})
_SEVEN = frozenset({VatCode.VAT_7, VatCode.VAT_7_107})
_GENERAL = frozenset(VatCode) - _FIVE - _SEVEN - {VatCode.VAT_0, VatCode.NO_VAT}
_DATED = frozenset(VatCode) - {VatCode.VAT_10, VatCode.VAT_10_110, VatCode.VAT_0, VatCode.NO_VAT}


@document_rule(
    "R19",
    "VAT_FORM_MISMATCH",
    REFUSAL,
    condition="В приходе при выдаче и оплате кредита (1214 = 4-7) ставка НДС прямая, "
    "при предоплате и авансе (1-3) — расчётная.",
    next_step="Замените ставку: 22 % при выдаче, 22/122 при предоплате (так же 10, 7 и 5 %).",
)
def vat_form_fits_method(case: Case) -> Sequence[Broken]:
    """Letter of ФНС № АБ-4-20/11248@ of 2025-12-15."""
    if not case.is_sale:
        return FINE
    broken = FINE
    for index, line in enumerate(case.lines):
        if line.vat not in _METHOD_CODES[line.payment_method]:
            broken += (
                Broken(
                    f"lines[{index}].vat",
                    f"«{line.name}»: ставка «{line.vat.label}» не подходит способу расчёта "
                    f"«{line.payment_method.label}»",
                ),
            )
    return broken


@document_rule(
    "R20",
    "VAT_DATE",
    REFUSAL,
    condition="Ставка НДС (тег 1199) действовала в день расчёта: оплаты или выдачи, у возврата и оплаты кредита — "
    "в день исходного расчёта, у коррекции — в день из тега 1178.",
    next_step="Поставьте ставку, действовавшую в день расчёта, или исправьте его дату.",
)
def vat_code_is_in_force(case: Case) -> Sequence[Broken]:
    if case.vats.isdisjoint(_DATED):
        return FINE
    broken = FINE
    for index, line in enumerate(case.lines):
        on = line.settled_on or case.settled_on
        if not is_in_force(line.vat, on):
            broken += (
                Broken(
                    f"lines[{index}].vat",
                    f"«{line.name}»: ставка «{line.vat.label}» на {on:%d.%m.%Y} не действует",
                ),
            )
    return broken


def _mode_on(case: Case, on: date) -> VatMode | None:
    if case.document.seller.tax_system is TaxSystem.PATENT:
        return VatMode.EXEMPT
    if on == case.settled_on:
        return case.context.vat_mode
    return case.context.vat_modes.get(on)


@document_rule(
    "R21",
    "VAT_TAX_SYSTEM",
    REFUSAL,
    condition="В приходе ставка НДС — из набора продавца на день расчёта; на патенте и АУСН только «Без НДС». "
    "Строки агента идут по ставке принципала.",
    next_step="Исправьте ставку строки или режим НДС организации на эту дату.",
)
def vat_code_is_sellers(case: Case) -> Sequence[Broken]:
    if not case.is_sale:
        return FINE
    mode = _mode_on(case, case.settled_on)
    if mode is not None and case.vats <= allowed_codes(mode) and not case.context.vat_modes:
        return FINE
    broken = FINE
    for index, line in enumerate(case.lines):
        if line.agent is not None:
            continue
        mode = _mode_on(case, case.settled(line))
        if mode is not None and line.vat not in allowed_codes(mode):
            why = (
                "продавец на патенте"
                if case.document.seller.tax_system is TaxSystem.PATENT
                else f"режим продавца — «{VAT_MODE_LABELS[mode]}»"
            )
            broken += (Broken(f"lines[{index}].vat", f"«{line.name}»: ставка «{line.vat.label}», а {why}"),)
    return broken


def _own_codes(lines: tuple[Line, ...]) -> set[VatCode]:
    return {line.vat for line in lines if line.agent is None}


@document_rule(
    "R22",
    "VAT_MIXED_REGIMES",
    REFUSAL,
    condition="В одном приходе не смешиваются ставки 5 % и 7 % между собой и с общими (10, 20, 22 %).",
    next_step="Ставки 5 и 7 % несовместимы с общими: исправьте ставки строк или разделите расчёты на чеки.",
)
def vat_regimes_are_one(case: Case) -> Sequence[Broken]:
    if not case.is_sale or len(case.vats) < 2:
        return FINE
    codes = _own_codes(case.lines)
    regimes = [regime & codes for regime in (_GENERAL, _FIVE, _SEVEN) if regime & codes]
    if len(regimes) < 2:
        return FINE
    names = ", ".join(f"«{code.label}»" for code in sorted(frozenset().union(*regimes)))
    return [Broken("lines", f"В одном чеке ставки разных режимов НДС: {names}")]


@document_rule(
    "R23",
    "TAX_SYSTEM",
    REFUSAL,
    condition="Система налогообложения (тег 1055) одна, зарегистрирована в кассе (1062) и не ЕНВД.",
    next_step="Выберите систему, с которой зарегистрирована касса, или другую кассу; ЕНВД отменён с 2021 года.",
)
def tax_system_is_registered(case: Case) -> Sequence[Broken]:
    system = case.document.seller.tax_system
    if system is TaxSystem.ENVD:
        return [Broken("seller.tax_system", "ЕНВД отменён с 01.01.2021: новый чек с ним пробить нельзя")]
    registered = case.register.tax_systems
    if registered is None or system in registered:
        return FINE
    names = ", ".join(f"«{one.label}»" for one in sorted(registered))
    return [Broken("seller.tax_system", f"Касса зарегистрирована с системами {names}, а в чеке «{system.label}»")]
