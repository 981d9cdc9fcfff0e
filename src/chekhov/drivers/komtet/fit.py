"""Does a document fit this provider? Lengths, required members and what its register agents are known to refuse.

The law's own rules stand in `chekhov.fiscal.rules`; here is only what KOMTET's protocol adds. The service publishes few
limits: the others are those of the fiscal data format.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator

from chekhov.drivers.contract import Problem
from chekhov.drivers.komtet.wire import ENVD_PROBLEM
from chekhov.fiscal.document import Agent, Buyer, Correction, Document, Line, Mark, SectoralProp, Supplier
from chekhov.fiscal.money import MAX_KOPECKS, Money
from chekhov.fiscal.quantity import MAX_THOUSANDTHS, line_sum
from chekhov.fiscal.vocabulary import CorrectionType, TaxSystem

MAX_LINES = 100
MAX_NAME = 128
MAX_CONTACT = 64
MAX_PHONE = 19
MAX_BUYER_NAME = 243
MAX_ADDRESS = 256
MAX_CASHIER = 64
MAX_NOTE = 64
MAX_EXTRA = 16
MAX_USER_PROPERTY = (64, 234)
MAX_NUMBER = 32
MAX_SECTORAL_VALUE = 256
MAX_OPERATION = 24
MAX_TRANSFER_NAME = 64
MAX_SUPPLIER = 239

_INN = re.compile(r"\d{10}(\d\d)?", re.ASCII)
_PERSON_INN = re.compile(r"\d{12}", re.ASCII)
_CODE3 = re.compile(r"\d{3}", re.ASCII)
_FIX = "Исправьте данные и сформируйте чек заново."


def problems(document: Document) -> Iterator[Problem]:
    """Every reason why the document does not fit, and the notices (`fatal=False`) with which it still goes."""
    yield from _header(document)
    yield from _buyer(document.buyer)
    yield from _sums(document)
    if document.correction is not None:
        yield from _correction(document.correction)
    for number, line in enumerate(document.lines):
        yield from _line(line, f"lines.{number}")


def _header(document: Document) -> Iterator[Problem]:
    seller, cashier = document.seller, document.cashier
    if seller.tax_system is TaxSystem.ENVD:
        yield ENVD_PROBLEM
    if not seller.place:
        yield Problem("seller.place", "absent", "Не указано место расчётов.", "Заполните его в карточке организации.")
    yield from _longer("seller.place", "Место расчётов", seller.place, MAX_ADDRESS)
    yield from _longer("seller.address", "Адрес расчётов", seller.address, MAX_ADDRESS)
    if seller.inn and _INN.fullmatch(seller.inn) is None:
        yield _malformed("seller.inn", "ИНН организации состоит из 10 или 12 цифр.")
    if cashier is not None:
        if not cashier.name:
            yield Problem(
                "cashier.name", "absent", "Кассир указан без имени.", "Заполните имя в карточке пользователя."
            )
        yield from _longer("cashier.name", "Имя кассира", cashier.name, MAX_CASHIER)
        if cashier.inn and _PERSON_INN.fullmatch(cashier.inn) is None:
            yield _malformed("cashier.inn", "ИНН кассира состоит из 12 цифр.")
    if not 1 <= document.time_zone <= 11:
        yield _malformed("time_zone", "Часовая зона бывает от 1 до 11.")
    yield from _longer("extra", "Дополнительный реквизит чека", document.extra, MAX_EXTRA)
    if document.user_property is not None:
        for part, most in zip(document.user_property, MAX_USER_PROPERTY, strict=True):
            if not part:
                yield Problem("user_property", "absent", "Реквизиту пользователя нужны и название, и значение.", _FIX)
            yield from _longer("user_property", "Реквизит пользователя", part, most)
    if not document.buyer.contact and not document.print_paper:
        yield Problem(
            "buyer",
            "no_copy",
            "У покупателя нет ни почты, ни телефона, а печать чека выключена: чек он не получит.",
            "Укажите почту или телефон либо включите печать.",
        )


def _buyer(buyer: Buyer) -> Iterator[Problem]:
    yield from _longer("buyer.email", "Почта покупателя", buyer.email, MAX_CONTACT)
    yield from _longer("buyer.phone", "Телефон покупателя", buyer.phone, MAX_PHONE)
    yield from _longer("buyer.name", "Имя покупателя", buyer.name, MAX_BUYER_NAME)
    if buyer.inn and _INN.fullmatch(buyer.inn) is None:
        yield _malformed("buyer.inn", "ИНН покупателя состоит из 10 или 12 цифр.")


def _sums(document: Document) -> Iterator[Problem]:
    if not 1 <= len(document.lines) <= MAX_LINES:
        yield Problem("lines", "lines", f"В чеке должно быть от 1 до {MAX_LINES} позиций.", "Разделите счёт на части.")
    if not document.payments:
        yield Problem("payments", "absent", "В чеке нет ни одной оплаты.", _FIX)
    lines = sum(line.sum.kopecks for line in document.lines)
    payments = sum(payment.amount.kopecks for payment in document.payments)
    if not lines == payments == document.total.kopecks:
        yield Problem("payments", "sums_differ", "Сумма позиций, сумма оплат и итог чека расходятся.", _FIX)
    for number, payment in enumerate(document.payments):
        yield from _amount(f"payments.{number}.amount", payment.amount)
    yield from _amount("total", document.total)


def _correction(correction: Correction) -> Iterator[Problem]:
    if correction.type is CorrectionType.ORDER and not correction.base_number:
        yield Problem(
            "correction.base_number",
            "absent",
            "Коррекции по предписанию нужен номер предписания.",
            "Впишите номер документа налогового органа.",
        )
    yield from _longer("correction.base_number", "Номер предписания", correction.base_number, MAX_NUMBER)


def _line(line: Line, path: str) -> Iterator[Problem]:
    if not line.name.strip():
        yield Problem(f"{path}.name", "absent", "У позиции нет названия.", _FIX)
    yield from _longer(f"{path}.name", "Название позиции", line.name, MAX_NAME)
    yield from _amount(f"{path}.price", line.price)
    yield from _amount(f"{path}.sum", line.sum)
    if line.excise is not None:
        yield from _amount(f"{path}.excise", line.excise)
    if not 0 < line.quantity.thousandths <= MAX_THOUSANDTHS:
        yield _malformed(f"{path}.quantity", "Количество должно быть больше нуля и не больше 99 999,999.")
    elif line.price.kopecks >= 0 and line_sum(line.price, line.quantity) != line.sum:
        # the agent would take the difference for a discount and might print the line as two
        yield Problem(f"{path}.sum", "line_sum", "Сумма позиции не равна цене, умноженной на количество.", _FIX)
    if line.country and _CODE3.fullmatch(line.country) is None:
        yield _malformed(f"{path}.country", "Код страны состоит из трёх цифр.")
    yield from _longer(f"{path}.declaration", "Номер таможенной декларации", line.declaration, MAX_NUMBER)
    yield from _longer(f"{path}.note", "Дополнительный реквизит позиции", line.note, MAX_NOTE)
    if line.mark is not None:
        yield from _mark(line.mark, f"{path}.mark")
    if line.agent is not None:
        yield from _agent(line.agent, line.supplier, path)
    if line.supplier is not None:
        yield from _supplier(line.supplier, f"{path}.supplier")
    for number, prop in enumerate(line.sectoral):
        yield from _sectoral(prop, f"{path}.sectoral.{number}")
    if len(line.sectoral) > 1:
        yield Problem(
            f"{path}.sectoral",
            "only_last",
            "Касса под Linux печатает только последний отраслевой реквизит позиции.",
            fatal=False,
        )


def _mark(mark: Mark, path: str) -> Iterator[Problem]:
    if not mark.code:
        yield Problem(f"{path}.code", "absent", "Код маркировки пуст.", "Отсканируйте код ещё раз.")
    elif _reads_as_base64(mark.code):
        yield Problem(
            f"{path}.code",
            "looks_encoded",
            "Код маркировки похож на запись base64: касса может прочитать его иначе.",
            "Проверьте, что код отсканирован целиком, с разделителями.",
            fatal=False,
        )
    if mark.part is not None and not 0 < mark.part[0] < mark.part[1]:
        yield _malformed(f"{path}.part", "Доля упаковки — правильная дробь больше нуля.")


def _reads_as_base64(code: str) -> bool:
    """The agent decodes a code that is valid base64 of valid UTF-8 before it looks at it."""
    try:
        base64.b64decode(code, validate=True).decode()
    except (binascii.Error, ValueError):
        return False
    return True


def _agent(agent: Agent, supplier: Supplier | None, path: str) -> Iterator[Problem]:
    """A block that is sent at all is sent whole: the vendor's Linux agent fails on a missing member."""
    if supplier is None:
        yield Problem(f"{path}.supplier", "absent", "Агенту нужны данные поставщика.", "Заполните данные поставщика.")
    if bool(agent.paying_phones) != bool(agent.operation):
        yield _partial(f"{path}.agent.operation", "Платёжному агенту нужны и операция, и телефоны.")
    yield from _longer(f"{path}.agent.operation", "Операция платёжного агента", agent.operation, MAX_OPERATION)
    transfer = (agent.transfer_name, agent.transfer_phones, agent.transfer_address, agent.transfer_inn)
    if any(transfer) and not all(transfer):
        yield _partial(f"{path}.agent.transfer", "Оператору перевода нужны название, телефоны, адрес и ИНН.")
    yield from _longer(f"{path}.agent.transfer_name", "Название оператора", agent.transfer_name, MAX_TRANSFER_NAME)
    yield from _longer(f"{path}.agent.transfer_address", "Адрес оператора", agent.transfer_address, MAX_ADDRESS)
    if agent.transfer_inn and _INN.fullmatch(agent.transfer_inn) is None:
        yield _malformed(f"{path}.agent.transfer_inn", "ИНН оператора состоит из 10 или 12 цифр.")
    for phone in (*agent.paying_phones, *agent.receiver_phones, *agent.transfer_phones):
        yield from _longer(f"{path}.agent", "Телефон агента", phone, MAX_PHONE)
    if sum(map(bool, (agent.paying_phones, agent.receiver_phones, any(transfer)))) > 1:
        yield Problem(
            f"{path}.agent",
            "only_last",
            "Касса под Linux печатает данные только одного из участников: агента, оператора приёма или перевода.",
            fatal=False,
        )


def _supplier(supplier: Supplier, path: str) -> Iterator[Problem]:
    if not (supplier.name and supplier.phones and supplier.inn):
        yield _partial(path, "Поставщику нужны название, телефоны и ИНН.")
    if supplier.inn and _INN.fullmatch(supplier.inn) is None:
        yield _malformed(f"{path}.inn", "ИНН поставщика состоит из 10 или 12 цифр.")
    for phone in supplier.phones:
        yield from _longer(f"{path}.phones", "Телефон поставщика", phone, MAX_PHONE)
    together = supplier.name + "".join(supplier.phones)
    yield from _longer(path, "Название поставщика вместе с телефонами", together, MAX_SUPPLIER)


def _sectoral(prop: SectoralProp, path: str) -> Iterator[Problem]:
    if _CODE3.fullmatch(prop.federal_id) is None:
        yield _malformed(f"{path}.federal_id", "Идентификатор органа власти состоит из трёх цифр.")
    if not prop.number or not prop.value:
        yield _partial(path, "Отраслевому реквизиту нужны номер и значение.")
    yield from _longer(f"{path}.number", "Номер отраслевого реквизита", prop.number, MAX_NUMBER)
    yield from _longer(f"{path}.value", "Значение отраслевого реквизита", prop.value, MAX_SECTORAL_VALUE)


def _longer(path: str, what: str, text: str, most: int) -> Iterator[Problem]:
    if len(text) > most:
        yield Problem(path, "too_long", f"{what}: длиннее {most} символов.", "Сократите текст.")


def _amount(path: str, amount: Money) -> Iterator[Problem]:
    if not 0 <= amount.kopecks <= MAX_KOPECKS:
        yield Problem(path, "amount", "Сумма отрицательна или больше, чем принимает касса.", _FIX)


def _malformed(path: str, text: str) -> Problem:
    return Problem(path, "malformed", text, _FIX)


def _partial(path: str, text: str) -> Problem:
    return Problem(path, "partial", text, "Заполните недостающее.")
