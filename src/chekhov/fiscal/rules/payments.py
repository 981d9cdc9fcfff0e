"""How the payment methods of the lines (tag 1214) and the payment kinds bind each other: R11-R17.

With S(m) the sum of the lines of method m and P the payments: what is prepaid must be money; a credit line is covered
by tag 1216 and by nothing else. The bounds follow from the meaning of tag 1214 in the formats' order
(№ ЕД-7-20/662@); where the register's form confirms a credit method for payments in advance, R14 and R15 only tell.
"""

from __future__ import annotations

from collections.abc import Sequence

from chekhov.fiscal.rules.case import Case, roubles
from chekhov.fiscal.rules.rule import FINE, NOTICE, REFUSAL, Broken, Severity, document_rule
from chekhov.fiscal.vocabulary import PaymentMethod, PaymentObject

_FULL = PaymentMethod.FULL_PAYMENT
_PARTIAL = PaymentMethod.PARTIAL_CREDIT
_CREDIT = PaymentMethod.CREDIT
_LATER = PaymentMethod.CREDIT_PAYMENT
_PREPAYMENTS = frozenset({PaymentMethod.PREPAYMENT_FULL, PaymentMethod.PREPAYMENT_PART, PaymentMethod.ADVANCE})


@document_rule(
    "R11",
    "MIXED_METHODS",
    NOTICE,
    condition="У всех строк один признак способа расчёта (тег 1214).",
    next_step="Так можно, но понятнее два чека: отдельно за каждый способ расчёта.",
)
def methods_are_one(case: Case) -> Sequence[Broken]:
    if len(case.methods) < 2:
        return FINE
    names = ", ".join(f"«{method.label}»" for method in sorted(case.methods))
    return [Broken("lines", f"В чеке разные способы расчёта: {names}")]


@document_rule(
    "R12",
    "PREPAY_KINDS",
    REFUSAL,
    condition="Предоплата и аванс оплачены деньгами (1031, 1081) или встречным предоставлением (1217); "
    "в чеке из одних предоплат нет зачёта (1215) и кредита (1216).",
    next_step="Аванс нельзя внести из аванса: оставьте в чеке только полученные деньги.",
)
def prepayments_are_money(case: Case) -> Sequence[Broken]:
    methods = case.methods
    if methods.isdisjoint(_PREPAYMENTS):
        return FINE
    prepaid = sum(case.sums.get(method, 0) for method in _PREPAYMENTS)
    money = case.cash + case.cashless + case.counter
    if methods <= _PREPAYMENTS and (case.prepaid or case.credit):
        return [
            Broken(
                "payments",
                f"Чек предоплаты содержит зачёт {roubles(case.prepaid)} и кредит {roubles(case.credit)}, "
                "а должен быть оплачен деньгами",
            )
        ]
    if money < prepaid:
        return [
            Broken("payments", f"Строки предоплаты на {roubles(prepaid)}, а денег получено только {roubles(money)}")
        ]
    return FINE


@document_rule(
    "R13",
    "FULL_WITH_CREDIT",
    REFUSAL,
    condition="В чеке полного расчёта без кредитных строк нет оплаты кредитом (1216).",
    next_step="Если товар отдан в долг, выберите «Передача в кредит» или «Частичный расчёт и кредит».",
)
def full_payment_has_no_credit(case: Case) -> Sequence[Broken]:
    methods = case.methods
    if not case.credit or _FULL not in methods or _PARTIAL in methods or _CREDIT in methods:
        return FINE
    return [Broken("payments", f"Полный расчёт, а в кредит записано {roubles(case.credit)}")]


def _confirmed(case: Case, method: PaymentMethod) -> Severity:
    return NOTICE if method in case.context.confirmed_methods else REFUSAL


@document_rule(
    "R14",
    "PARTIAL_CREDIT_SPLIT",
    REFUSAL,
    NOTICE,
    condition="При частичном расчёте кредит (1216) больше суммы строк «Передача в кредит» и меньше её вместе "
    "со строками «Частичный расчёт и кредит»; в возврате может быть и равен этим границам.",
    next_step="Проверьте, сколько оплачено и сколько осталось в долг; до выдачи нужен аванс или предоплата.",
)
def partial_credit_is_partial(case: Case) -> Sequence[Broken]:
    if _PARTIAL not in case.methods:
        return FINE
    low = case.sums.get(_CREDIT, 0)
    high = low + case.sums[_PARTIAL]
    if low < case.credit < high or (case.is_return and low <= case.credit <= high):
        return FINE
    return [
        Broken(
            "payments",
            f"При частичном расчёте в кредит должно быть больше {roubles(low)} и меньше {roubles(high)}, "
            f"а записано {roubles(case.credit)}",
            _confirmed(case, _PARTIAL),
        )
    ]


@document_rule(
    "R15",
    "CREDIT_SPLIT",
    REFUSAL,
    NOTICE,
    condition="Кредит (1216) равен сумме строк «Передача в кредит», если строк «Частичный расчёт и кредит» нет.",
    next_step="Если часть оплачена, выберите «Частичный расчёт и кредит»; при оплате до выдачи нужен аванс.",
)
def credit_covers_credit_lines(case: Case) -> Sequence[Broken]:
    if _CREDIT not in case.methods or _PARTIAL in case.methods:
        return FINE
    handed = case.sums[_CREDIT]
    if case.credit == handed:
        return FINE
    return [
        Broken(
            "payments",
            f"Передано в кредит на {roubles(handed)}, а в кредит записано {roubles(case.credit)}",
            _confirmed(case, _CREDIT),
        )
    ]


@document_rule(
    "R16",
    "CREDIT_PAYMENT_KINDS",
    REFUSAL,
    condition="Оплата кредита без строк 4, 5, 6 не оплачивается новым кредитом (1216).",
    next_step="Долг погашают деньгами или с баланса: уберите оплату кредитом.",
)
def credit_is_not_paid_by_credit(case: Case) -> Sequence[Broken]:
    methods = case.methods
    if not case.credit or _LATER not in methods or not methods.isdisjoint((_FULL, _PARTIAL, _CREDIT)):
        return FINE
    return [Broken("payments", f"Оплата кредита, а в кредит записано {roubles(case.credit)}")]


@document_rule(
    "R17",
    "ADVANCE_LINE",
    REFUSAL,
    NOTICE,
    condition="У аванса (1214 = 3) нет кода товара, а предмет расчёта — «Платёж» (1212 = 10).",
    next_step="Код маркировки передаётся только при выдаче; для аванса выберите предмет «Платёж».",
)
def advances_are_payments(case: Case) -> Sequence[Broken]:
    """A known good paid ahead is a предоплата, an unknown one an аванс: letter of Минфин № 03-01-15/26352."""
    if PaymentMethod.ADVANCE not in case.methods:
        return FINE
    broken = FINE
    for index, line in enumerate(case.lines):
        if line.payment_method is not PaymentMethod.ADVANCE:
            continue
        if line.mark is not None:
            broken += (Broken(f"lines[{index}].mark", f"«{line.name}»: в авансе стоит код товара", REFUSAL),)
        if line.payment_object is not PaymentObject.PAYMENT:
            broken += (
                Broken(
                    f"lines[{index}].payment_object",
                    f"«{line.name}»: предмет расчёта аванса — «{line.payment_object.label}», а не «Платёж»",
                    NOTICE,
                ),
            )
    return broken
