"""Texts that people read in a receipt: R25, R26, R64, R67."""

from __future__ import annotations

import re
from collections.abc import Sequence

from chekhov.fiscal.document import Line
from chekhov.fiscal.rules.case import Case
from chekhov.fiscal.rules.rule import FINE, NOTICE, REFUSAL, Broken, document_rule
from chekhov.fiscal.text import MAX_LOSS_PERCENT, NAME_LIMIT, is_cp866
from chekhov.fiscal.vocabulary import PaymentMethod

GENERIC_NAMES = frozenset(
    {"товар", "товары", "оплата", "услуга", "услуги", "работа", "работы", "заказ", "покупка", "позиция", "прочее"}
)
"""Names that tell the buyer nothing: the law asks for the name of the goods, works or services (art. 4.7)."""

_NAMELESS = frozenset({PaymentMethod.ADVANCE, PaymentMethod.CREDIT_PAYMENT})
_SUSPECT = re.compile(r"@|\+\s?7|\d(?:[ -]?\d){15}", re.ASCII)
_EMAIL = re.compile(r"[^\s@]+@[^\s@]+\.[^\s@.]{2,}")
_PHONE = re.compile(r"\+\s?7(?:[\s()-]*\d){10}(?!\d)", re.ASCII)
_CARD = re.compile(r"(?<!\d)(?<!\d[ -])\d(?:[ -]?\d){15}(?!\d)(?![ -]\d)", re.ASCII)


@document_rule(
    "R25",
    "NAME_TEXT",
    REFUSAL,
    condition="Название строки (тег 1030): от 1 до 128 знаков CP866 без управляющих; "
    "при замене потеряно не больше 20 % знаков.",
    next_step="Напишите название обычными буквами: без эмодзи и букв других алфавитов, не длиннее 128 знаков.",
)
def names_can_be_printed(case: Case) -> Sequence[Broken]:
    broken = FINE
    for index, line in enumerate(case.lines):
        name = line.name
        if 0 < len(name) <= NAME_LIMIT and is_cp866(name) and "?" not in name and not name.isspace():
            continue
        path = f"lines[{index}].name"
        if not name.strip():
            broken += (Broken(path, f"У строки {index + 1} нет названия"),)
        elif len(name) > NAME_LIMIT:
            broken += (Broken(path, f"«{name[:40]}…»: в названии {len(name)} знаков, а помещается {NAME_LIMIT}"),)
        elif not is_cp866(name):
            broken += (Broken(path, f"«{name}»: в названии есть знаки, которых касса не напечатает"),)
        elif name.count("?") * 100 > MAX_LOSS_PERCENT * len(name):
            broken += (Broken(path, f"«{name}»: больше {MAX_LOSS_PERCENT} % названия потеряно при замене знаков"),)
    return broken


@document_rule(
    "R26",
    "NAME_GENERIC",
    NOTICE,
    condition="Название — не просто «товар», «оплата» или «услуга», если это не аванс и не оплата кредита.",
    next_step="Назовите то, что покупает клиент: общее слово налоговая считает чеком без наименования.",
)
def names_are_not_generic(case: Case) -> Sequence[Broken]:
    broken = FINE
    for index, line in enumerate(case.lines):
        if len(line.name) < 16 and line.payment_method not in _NAMELESS:
            word = line.name.strip(" .,:;!\"'-()").casefold()
            if word in GENERIC_NAMES:
                broken += (Broken(f"lines[{index}].name", f"«{line.name}» ничего не говорит о покупке"),)
    return broken


def _too_long(case: Case) -> list[tuple[str, str, int, str]]:
    document = case.document
    texts = [
        ("extra", document.extra, 16, "Дополнительный реквизит чека (тег 1192)"),
        ("seller.email", document.seller.email, 64, "Почта отправителя (тег 1117)"),
        ("buyer.name", document.buyer.name, 256, "Имя покупателя (тег 1227)"),
    ]
    if document.user_property is not None:
        key, value = document.user_property
        texts.append(("user_property[0]", key, 64, "Название реквизита пользователя (тег 1085)"))
        texts.append(("user_property[1]", value, 256, "Значение реквизита пользователя (тег 1086)"))
    for index, line in enumerate(case.lines):
        if line.note:
            texts.append((f"lines[{index}].note", line.note, 64, "Дополнительный реквизит строки (тег 1191)"))
        if line.declaration:
            texts.append((f"lines[{index}].declaration", line.declaration, 32, "Номер декларации (тег 1231)"))
    return texts


@document_rule(
    "R64",
    "TEXT_LIMITS",
    REFUSAL,
    condition="Тексты помещаются и печатаются в CP866: 1191 ≤ 64, 1192 ≤ 16, 1085 ≤ 64, 1086 ≤ 256, 1117 ≤ 64, "
    "1227 ≤ 256, 1231 ≤ 32 знаков; код страны (1230) — три цифры.",
    next_step="Сократите текст и уберите знаки, которых касса не печатает.",
)
def texts_fit(case: Case) -> Sequence[Broken]:
    broken = FINE
    for path, text, limit, title in _too_long(case):
        if not text:
            continue
        if len(text) > limit:
            broken += (Broken(path, f"{title}: {len(text)} знаков, а помещается {limit}"),)
        # providers replace signs in a buyer's name: «Ромашка» there is no reason to refuse
        elif path != "buyer.name" and not is_cp866(text):
            broken += (Broken(path, f"{title}: есть знаки, которых касса не напечатает"),)
    for index, line in enumerate(case.lines):
        country = line.country
        if country and not (len(country) == 3 and country.isascii() and country.isdigit()):
            broken += (Broken(f"lines[{index}].country", f"Код страны «{country}» — не три цифры ОКСМ"),)
    return broken


def _passes_luhn(digits: str) -> bool:
    doubled = [int(digit) * 2 for digit in digits[-2::-2]]
    return (sum(value - 9 if value > 9 else value for value in doubled) + sum(map(int, digits[-1::-2]))) % 10 == 0


def _personal(text: str) -> str:
    if not text or not _SUSPECT.search(text):
        return ""
    if _EMAIL.search(text):
        return "адрес электронной почты"
    if _PHONE.search(text):
        return "номер телефона"
    for match in _CARD.finditer(text):
        if _passes_luhn(re.sub(r"\D", "", match[0])):
            return "номер банковской карты"
    return ""


@document_rule(
    "R67",
    "PII_IN_NAME",
    NOTICE,
    condition="В названии и примечании строки (теги 1030, 1191) нет почты, телефона и номера карты.",
    next_step="Уберите личные данные из названия: чек хранится годами и виден посторонним.",
)
def names_hold_no_personal_data(case: Case) -> Sequence[Broken]:
    broken = FINE
    for index, line in enumerate(case.lines):
        for field, text in _texts(line):
            what = _personal(text)
            if what:
                broken += (Broken(f"lines[{index}].{field}", f"«{text}»: похоже на {what}"),)
    return broken


def _texts(line: Line) -> tuple[tuple[str, str], ...]:
    return (("name", line.name), ("note", line.note)) if line.note else (("name", line.name),)
