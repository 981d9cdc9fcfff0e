"""Correction receipts (чеки коррекции): R51-R53.

A correction mends a settlement that was not receipted, or, in FFD 1.1 and 1.2, a wrong receipt by a pair: its reverse,
then the right one. Source: recommendations of ФНС on correcting errors (end of 2024).
"""

from __future__ import annotations

from collections.abc import Sequence

from chekhov.fiscal.document import Document, Line
from chekhov.fiscal.rules.case import Case
from chekhov.fiscal.rules.rule import FINE, NOTICE, REFUSAL, Broken, document_rule
from chekhov.fiscal.text import is_cp866
from chekhov.fiscal.vocabulary import CalculationSign, CorrectionType, Ffd, PaymentKind

REVERSE_SIGN = {
    CalculationSign.SALE: CalculationSign.SALE_RETURN,
    CalculationSign.SALE_RETURN: CalculationSign.SALE,
    CalculationSign.PURCHASE: CalculationSign.PURCHASE_RETURN,
    CalculationSign.PURCHASE_RETURN: CalculationSign.PURCHASE,
}
"""The sign that takes a document back."""

REVERSE_RULES = frozenset({"R01", "R02", "R03", "R04", "R05", "R06", "R07", "R08", "R51", "R52", "R53", "R64"})
"""The rules that hold for the reverse half of a pair. It repeats a wrong receipt, so it may be wrong in all else."""


@document_rule(
    "R51",
    "CORRECTION_BASIS",
    REFUSAL,
    NOTICE,
    condition="У коррекции дата расчёта (1178) не позже сегодняшней и не раньше начала работы кассы; номер предписания "
    "(1179, до 32 знаков) есть только и всегда при типе «по предписанию» (1173 = 1).",
    next_step="Исправьте дату расчёта и основание коррекции.",
)
def correction_has_its_basis(case: Case) -> Sequence[Broken]:
    correction = case.document.correction
    if correction is None:
        return FINE
    broken = FINE
    on, now, since = correction.base_on, case.context.now, case.register.used_from
    if now is not None and on > now.date():
        broken += (
            Broken(
                "correction.base_on",
                f"Дата исправляемого расчёта {on:%d.%m.%Y} позже сегодняшней {now:%d.%m.%Y}",
                REFUSAL,
            ),
        )
    if since is not None and on < since:
        broken += (
            Broken(
                "correction.base_on",
                f"Дата исправляемого расчёта {on:%d.%m.%Y} раньше начала работы кассы {since:%d.%m.%Y}",
                NOTICE,
            ),
        )
    number = correction.base_number
    if correction.type is CorrectionType.ORDER:
        if not 0 < len(number) <= 32 or not number.strip() or not is_cp866(number):
            broken += (
                Broken("correction.base_number", "Коррекция по предписанию: нужен его номер до 32 знаков", REFUSAL),
            )
    elif number:
        broken += (
            Broken("correction.base_number", "Самостоятельная коррекция: номера предписания быть не должно", REFUSAL),
        )
    return broken


@document_rule(
    "R52",
    "CORRECTION_105",
    REFUSAL,
    condition="В ФФД 1.05 чек коррекции — только приход или расход и только за непробитый расчёт.",
    next_step="Ошибку в чеке ФФД 1.05 исправляют двумя обычными чеками: возвратом и верным чеком с ФПД ошибочного.",
)
def correction_fits_ffd_1_05(case: Case) -> Sequence[Broken]:
    correction = case.document.correction
    if correction is None or case.register.ffd is not Ffd.V1_05:
        return FINE
    sign = case.document.sign
    if sign not in (CalculationSign.SALE, CalculationSign.PURCHASE):
        return [Broken("sign", f"В ФФД 1.05 нет коррекции с признаком «{sign.label}»")]
    if correction.is_reverse or case.context.wrong is not None:
        return [Broken("correction", "В ФФД 1.05 чеком коррекции не исправляют ошибку в пробитом чеке")]
    return FINE


def _printed(line: Line) -> tuple[object, ...]:
    return (
        line.name,
        line.price,
        line.quantity,
        line.sum,
        line.payment_object,
        line.payment_method,
        line.vat,
        line.unit,
        line.mark,
        line.agent,
        line.supplier,
        line.excise,
        line.country,
        line.declaration,
    )


def _sums(document: Document) -> dict[PaymentKind, int]:
    return {payment.kind: payment.amount.kopecks for payment in document.payments if payment.amount}


@document_rule(
    "R53",
    "CORRECTION_12",
    REFUSAL,
    condition="В ФФД 1.1 и 1.2 коррекция содержит строки; обратная половина пары повторяет ошибочный чек "
    "с обратным признаком расчёта.",
    next_step="Обратный чек делается копией ошибочного: ничего в нём не исправляйте, верные данные — во втором чеке.",
)
def reverse_repeats_the_wrong_receipt(case: Case) -> Sequence[Broken]:
    document, wrong = case.document, case.context.wrong
    correction = document.correction
    if correction is None or case.register.ffd is Ffd.V1_05:
        return FINE
    if not document.lines:
        return [Broken("lines", "В чеке коррекции нет строк")]
    if not correction.is_reverse:
        return FINE
    if wrong is None:
        return [Broken("correction", "Обратная коррекция без ошибочного чека, который она отменяет")]
    broken = FINE
    if document.sign is not REVERSE_SIGN[wrong.sign]:
        broken += (Broken("sign", f"Чек «{wrong.sign.label}» отменяется признаком «{REVERSE_SIGN[wrong.sign].label}»"),)
    if document.total != wrong.total:
        broken += (Broken("total", f"Итог {document.total.human} руб., а в ошибочном чеке {wrong.total.human} руб."),)
    if [_printed(line) for line in document.lines] != [_printed(line) for line in wrong.lines]:
        broken += (Broken("lines", "Строки не повторяют ошибочный чек"),)
    if _sums(document) != _sums(wrong):
        broken += (Broken("payments", "Оплаты не повторяют ошибочный чек"),)
    if document.seller.tax_system is not wrong.seller.tax_system:
        broken += (Broken("seller.tax_system", "Система налогообложения не та, что в ошибочном чеке"),)
    return broken
