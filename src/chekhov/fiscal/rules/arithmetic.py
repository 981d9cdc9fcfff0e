"""Sums, quantities and limits of the format: R01-R10 and R66."""

from __future__ import annotations

from collections.abc import Sequence

from chekhov.fiscal.document import Document, Line
from chekhov.fiscal.money import MAX_KOPECKS, Money
from chekhov.fiscal.quantity import MAX_THOUSANDTHS, Quantity
from chekhov.fiscal.rules.case import Case, roubles
from chekhov.fiscal.rules.rule import FINE, NOTICE, REFUSAL, Broken, document_rule
from chekhov.fiscal.vocabulary import Unit

MAX_BYTES = 30 * 1024
"""A fiscal document holds 32 KB; two are left for what the register adds."""

_HEADER_BYTES = 900
_LINE_BYTES = 90


@document_rule(
    "R01",
    "TOTAL_NE_LINES",
    REFUSAL,
    condition="Итог чека (тег 1020) равен сумме его строк (тег 1043).",
    next_step="Пересчитайте строки: итог складывается только из них, скидка живёт в цене.",
)
def total_equals_lines(case: Case) -> Sequence[Broken]:
    if case.total == case.lines_sum:
        return FINE
    return [
        Broken("total", f"Итог чека {roubles(case.total)} не равен сумме строк {roubles(case.lines_sum)}"),
    ]


@document_rule(
    "R02",
    "LINE_SUM_NE_PRICE_QTY",
    REFUSAL,
    condition="Сумма строки (тег 1043) равна цене (1079), умноженной на количество (1023), до копейки.",
    next_step="Измените цену или разделите строку на две с ценами, отличающимися на копейку.",
)
def line_sum_is_price_times_quantity(case: Case) -> Sequence[Broken]:
    broken = FINE
    for index, line in enumerate(case.lines):
        price, thousandths, kopecks = line.price.kopecks, line.quantity.thousandths, line.sum.kopecks
        product = (price * thousandths + 500) // 1000
        if product != kopecks and price >= 0 and kopecks >= 0:
            broken += (
                Broken(
                    f"lines[{index}].sum",
                    f"«{line.name}»: {roubles(price)} × {line.quantity.human} = {roubles(product)}, "
                    f"а в строке {roubles(kopecks)}",
                ),
            )
    return broken


@document_rule(
    "R03",
    "PAYMENTS_NE_TOTAL",
    REFUSAL,
    condition="Сумма всех форм оплаты (теги 1031, 1081, 1215, 1216, 1217) равна итогу (1020).",
    next_step="Проверьте суммы оплат: наличными пишется оставленная сумма, без сдачи.",
)
def payments_equal_total(case: Case) -> Sequence[Broken]:
    if case.paid == case.total:
        return FINE
    return [Broken("payments", f"Оплаты {roubles(case.paid)} не равны итогу чека {roubles(case.total)}")]


@document_rule(
    "R04",
    "TOTAL_NOT_POSITIVE",
    REFUSAL,
    condition="Итог чека (тег 1020) больше нуля.",
    next_step="Чек на ноль не пробивается: проверьте, есть ли вообще расчёт.",
)
def total_is_positive(case: Case) -> Sequence[Broken]:
    if case.total > 0:
        return FINE
    return [Broken("total", f"Итог чека {roubles(case.total)}: он должен быть больше нуля")]


def _money(document: Document) -> list[tuple[str, Money]]:
    amounts = [("total", document.total)]
    for index, line in enumerate(document.lines):
        amounts += [(f"lines[{index}].price", line.price), (f"lines[{index}].sum", line.sum)]
        if line.excise is not None:
            amounts.append((f"lines[{index}].excise", line.excise))
    amounts += [(f"payments[{index}].amount", payment.amount) for index, payment in enumerate(document.payments)]
    return amounts


def _is_kopecks(amount: Money) -> bool:
    return type(amount.kopecks) is int and 0 <= amount.kopecks <= MAX_KOPECKS


def _all_kopecks(case: Case) -> bool:
    """Whether every amount is a whole number of kopecks within the range. The ordinary case, without building paths."""
    if not _is_kopecks(case.document.total):
        return False
    for line in case.lines:
        if not (_is_kopecks(line.price) and _is_kopecks(line.sum)):
            return False
        if line.excise is not None and not _is_kopecks(line.excise):
            return False
    return all(_is_kopecks(payment.amount) for payment in case.document.payments)


@document_rule(
    "R05",
    "MONEY_RANGE",
    REFUSAL,
    condition="Каждая сумма — целое число копеек, не больше 42 949 672,95 руб.",
    next_step="Разделите расчёт на несколько чеков или исправьте сумму.",
)
def money_is_in_range(case: Case) -> Sequence[Broken]:
    """Negative amounts are told by R08 alone."""
    if _all_kopecks(case):
        return FINE
    return [
        Broken(path, f"Сумма {amount.kopecks} коп. — не целое число или больше {roubles(MAX_KOPECKS)}")
        for path, amount in _money(case.document)
        if type(amount.kopecks) is not int or amount.kopecks > MAX_KOPECKS
    ]


@document_rule(
    "R06",
    "QTY_RANGE",
    REFUSAL,
    condition="Количество (тег 1023) больше нуля, не больше 99 999,999 и не точнее трёх знаков.",
    next_step="Исправьте количество; слишком большое разделите на строки.",
)
def quantity_is_in_range(case: Case) -> Sequence[Broken]:
    broken = FINE
    for index, line in enumerate(case.lines):
        thousandths = line.quantity.thousandths
        if type(thousandths) is not int or not 0 < thousandths <= MAX_THOUSANDTHS:
            broken += (
                Broken(
                    f"lines[{index}].quantity",
                    f"«{line.name}»: количество {thousandths} тысячных — не от 0,001 до "
                    f"{Quantity(MAX_THOUSANDTHS).human}",
                ),
            )
    return broken


def _line_bytes(line: Line) -> int:
    size = _LINE_BYTES + len(line.name) + len(line.note) + len(line.declaration)
    if line.mark is not None:
        size += 60 + 2 * len(line.mark.code)
    if line.sectoral:
        size += sum([40 + len(prop.number) + len(prop.value) for prop in line.sectoral])
    supplier, agent = line.supplier, line.agent
    if supplier is not None:
        size += 30 + len(supplier.name) + sum([4 + len(phone) for phone in supplier.phones])
    if agent is not None:
        size += 60 + len(agent.operation) + len(agent.transfer_name) + len(agent.transfer_address)
        phones = (*agent.paying_phones, *agent.receiver_phones, *agent.transfer_phones)
        size += sum([4 + len(phone) for phone in phones])
    return size


def estimated_bytes(document: Document) -> int:
    """The size of the document on the fiscal drive, estimated from above: CP866 has one byte a character."""
    size = _HEADER_BYTES + len(document.extra) + len(document.seller.address) + len(document.buyer.name)
    if document.user_property is not None:
        size += sum([len(text) for text in document.user_property])
    return size + sum([_line_bytes(line) for line in document.lines])


@document_rule(
    "R07",
    "LINES_COUNT",
    REFUSAL,
    condition="В чеке от одной строки до предела кассы (обычно 100), и весь документ не больше 30 КБ.",
    next_step="Разделите расчёт на несколько чеков или сократите названия.",
)
def lines_fit(case: Case) -> Sequence[Broken]:
    count, limit = len(case.lines), case.register.max_lines
    if count == 0:
        return [Broken("lines", "В чеке нет ни одной строки")]
    if count > limit:
        return [Broken("lines", f"В чеке {count} строк, а касса принимает не больше {limit}")]
    size = estimated_bytes(case.document)
    if size > MAX_BYTES:
        return [Broken("lines", f"Чек занял бы около {size // 1024} КБ, а касса принимает не больше 30 КБ")]
    return FINE


@document_rule(
    "R08",
    "NEGATIVE_VALUE",
    REFUSAL,
    condition="Цены, суммы и оплаты не отрицательны.",
    next_step="Скидка — это меньшая цена, возврат — отдельный чек «возврат прихода».",
)
def nothing_is_negative(case: Case) -> Sequence[Broken]:
    if _all_kopecks(case):
        return FINE
    return [
        Broken(path, f"Сумма {roubles(amount.kopecks)} отрицательна")
        for path, amount in _money(case.document)
        if type(amount.kopecks) is int and amount.kopecks < 0
    ]


@document_rule(
    "R09",
    "ZERO_LINE",
    NOTICE,
    condition="Строки с нулевой ценой есть, только если касса их принимает.",
    next_step="Уберите бесплатную услугу; подарок продайте с товаром одной строкой или проверьте, примет ли её касса.",
)
def zero_lines_are_told(case: Case) -> Sequence[Broken]:
    """A free service is left out before the document is formed; goods at 0.00 stay and are told."""
    if case.register.allow_zero_lines:
        return FINE
    broken = FINE
    for index, line in enumerate(case.lines):
        if line.price.kopecks == 0:
            broken += (Broken(f"lines[{index}].price", f"«{line.name}»: цена 0,00, не всякая касса её примет"),)
    return broken


@document_rule(
    "R10",
    "PAYMENT_KIND",
    REFUSAL,
    condition="Каждая форма оплаты встречается в чеке не больше одного раза.",
    next_step="Сложите суммы одной формы оплаты в одну.",
)
def payment_kinds_are_single(case: Case) -> Sequence[Broken]:
    payments = case.document.payments
    if len(payments) < 2:
        return FINE
    seen = set()
    broken = FINE
    for index, payment in enumerate(payments):
        if payment.kind in seen:
            broken += (Broken(f"payments[{index}].kind", f"Форма оплаты «{payment.kind.label}» встречается дважды"),)
        seen.add(payment.kind)
    return broken


@document_rule(
    "R66",
    "PIECE_FRACTION",
    NOTICE,
    condition="Штучный товар (мера 0, тег 2108) продаётся целым числом.",
    next_step="Укажите меру (метры, литры) или исправьте количество.",
)
def pieces_are_whole(case: Case) -> Sequence[Broken]:
    broken = FINE
    for index, line in enumerate(case.lines):
        if line.quantity.thousandths % 1000 and line.unit is Unit.PIECE:
            broken += (Broken(f"lines[{index}].quantity", f"«{line.name}»: {line.quantity.human} шт — не целое число"),)
    return broken
