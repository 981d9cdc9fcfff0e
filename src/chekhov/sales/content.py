"""What a shop or a person says about customers and invoices, checked and normalised.

Money and quantities arrive as text and leave as kopecks and thousandths; every fault is reported with its path.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from chekhov.errors import Fault, Invalid
from chekhov.fiscal.contact import ContactError, normal_email, normal_phone
from chekhov.fiscal.inn import is_inn_or_foreign
from chekhov.fiscal.money import MAX_KOPECKS, Money
from chekhov.fiscal.quantity import MAX_THOUSANDTHS, Quantity
from chekhov.fiscal.settlement import Order, OrderLine
from chekhov.fiscal.text import NameTextError, clean_name
from chekhov.fiscal.vocabulary import PaymentObject, Unit, VatClass

EXTERNAL_ID = re.compile(r"[\w.:@~=+-]{1,100}")
MAX_LINES = 100
OBJECTS = {
    "product": PaymentObject.PRODUCT,
    "excise": PaymentObject.EXCISE,
    "work": PaymentObject.WORK,
    "service": PaymentObject.SERVICE,
    "payment": PaymentObject.PAYMENT,
}
UNITS = {unit.label: unit for unit in Unit}
MARKING_GROUPS = {
    "tires": "Шины",
    "autofluids": "Масла и автожидкости",
    "carparts": "Автозапчасти",
    "other": "Другая группа",
}


@dataclass(frozen=True, slots=True)
class CustomerContent:
    """A customer as given. `region` is a region's code."""

    name: str
    region: str
    email: str = ""
    phone: str = ""
    inn: str = ""


@dataclass(frozen=True, slots=True)
class LineContent:
    """An invoice line as given: `price` in roubles and `quantity` as decimal text."""

    name: str
    price: str
    quantity: str
    id: str = ""
    vat: str = ""
    object: str = "product"
    unit: str = "шт"
    marking: str = ""  # marking group; empty: not marked
    discountable: bool = True


@dataclass(frozen=True, slots=True)
class InvoiceContent:
    """An invoice as given. Empty `region` and `organization` mean the customer's and the region's."""

    customer: str
    lines: Sequence[LineContent]
    region: str = ""
    organization: str = ""
    number: str = ""
    discount: str = "0"


def checked_id(external_id: str, path: str = "id") -> str:
    """The shop's own id, 1-100 letters, digits and ``. : @ ~ = + - _``. Raises Invalid."""
    if not EXTERNAL_ID.fullmatch(external_id) or external_id in {".", ".."}:
        fault = Fault(path, "id", "Идентификатор: от 1 до 100 букв, цифр и знаков . : @ ~ = + - _")
        raise Invalid("id", fault.message, next_step="Исправьте идентификатор и повторите.", faults=[fault])
    return external_id


def amount(text: str, path: str, faults: list[Fault], *, allow_zero: bool = False) -> Money:
    """Roubles as text. A wrong one is added to the faults."""
    try:
        money = Money.parse(text)
    except ValueError:
        message = (
            f"Сумма «{text[:40]}» не читается: нужны рубли с точкой и не больше двух знаков после неё, как 1250.00."
        )
        faults.append(Fault(path, "amount", message))
        return Money(0)
    if money.kopecks > MAX_KOPECKS or (not money and not allow_zero):
        bound = "не меньше 0" if allow_zero else "больше 0"
        faults.append(Fault(path, "amount", f"Сумма должна быть {bound} и не больше 42949672.95."))
    return money


def digest(content: Any) -> str:
    """SHA-256 of a normalised content: equal contents have equal digests."""
    return hashlib.sha256(orjson.dumps(content, option=orjson.OPT_SORT_KEYS)).hexdigest()


def search_key(text: str) -> str:
    """Text for search columns: SQLite's LIKE knows no Cyrillic case."""
    return " ".join(text.casefold().replace("ё", "е").split())


def customer_checked(content: CustomerContent) -> dict[str, str]:
    """Normalised fields of a customer. Raises Invalid with every fault found."""
    faults: list[Fault] = []
    name = " ".join(content.name.split())
    if not 1 <= len(name) <= 200:
        faults.append(Fault("name", "name", "Имя клиента: от 1 до 200 символов."))
    email = phone = ""
    if content.email.strip():
        try:
            email = normal_email(content.email)
        except ContactError:
            faults.append(Fault("email", "email", "Адрес почты записан с ошибкой."))
    if content.phone.strip():
        try:
            phone = normal_phone(content.phone)
        except ContactError:
            faults.append(Fault("phone", "phone", "Телефон записан с ошибкой: нужен вид +79001234567."))
    inn = content.inn.strip()
    if inn and not is_inn_or_foreign(inn):
        faults.append(Fault("inn", "inn", "ИНН записан с ошибкой: не сходится контрольная цифра."))
    if faults:
        raise Invalid("invalid", faults[0].message, next_step="Исправьте поля и повторите.", faults=faults)
    return {"name": name, "email": email, "phone": phone, "inn": inn}


def invoice_lines_checked(lines: Sequence[LineContent], discount: str) -> tuple[list[dict[str, Any]], Order]:
    """Lines as they are stored, and the order they make. Raises Invalid with every fault found."""
    faults: list[Fault] = []
    if not 1 <= len(lines) <= MAX_LINES:
        faults.append(Fault("lines", "lines_count", f"В счёте должно быть от 1 до {MAX_LINES} позиций."))
    stored: list[dict[str, Any]] = []
    ids: set[str] = set()
    for index, line in enumerate(lines[:MAX_LINES]):
        path = f"lines.{index}"
        line_id = line.id or str(index + 1)
        if line_id in ids or len(line_id) > 64:
            faults.append(Fault(f"{path}.id", "line_id", "Идентификаторы позиций должны быть разными и не длиннее 64."))
        ids.add(line_id)
        name = line.name
        try:
            name = clean_name(line.name).text
        except NameTextError:
            message = (
                "Название нельзя напечатать в чеке: оно пустое или почти целиком из знаков, которых касса не знает."
            )
            faults.append(Fault(f"{path}.name", "name_text", message))
        price = amount(line.price, f"{path}.price", faults, allow_zero=True)
        quantity = Quantity(1000)
        try:
            quantity = Quantity.parse(line.quantity)
            if not 0 < quantity.thousandths <= MAX_THOUSANDTHS:
                raise ValueError("out of range")
        except ValueError:
            message = (
                f"Количество «{line.quantity[:40]}»: больше 0, не больше 99999.999, не больше трёх знаков после точки."
            )
            faults.append(Fault(f"{path}.quantity", "quantity", message))
        if line.vat and line.vat not in set(VatClass):
            faults.append(Fault(f"{path}.vat", "vat", "Класс НДС: standard, reduced, zero или exempt."))
        if line.object not in OBJECTS:
            faults.append(Fault(f"{path}.object", "object", f"Предмет расчёта: {', '.join(OBJECTS)}."))
        if line.unit not in UNITS:
            faults.append(Fault(f"{path}.unit", "unit", f"Единица: {', '.join(UNITS)}."))
        if line.marking and line.marking not in MARKING_GROUPS:
            faults.append(Fault(f"{path}.marking", "marking", f"Группа маркировки: {', '.join(MARKING_GROUPS)}."))
        row: dict[str, Any] = {
            "id": line_id,
            "name": name,
            "price": price.kopecks,
            "quantity": quantity.thousandths,
        }
        if line.vat:
            row["vat"] = line.vat
        if line.object != "product":
            row["object"] = line.object
        if line.unit != "шт":
            row["unit"] = line.unit
        if line.marking:
            row["marking"] = line.marking
        if not line.discountable:
            row["no_discount"] = True
        stored.append(row)
    off = amount(discount or "0", "discount", faults, allow_zero=True)
    if faults:
        raise Invalid("invalid", faults[0].message, next_step="Исправьте поля и повторите.", faults=faults)
    order = order_of(stored, off.kopecks)
    try:
        order.net()
        total = order.total.kopecks
    except ValueError:
        total = -1
    if not 0 < total <= MAX_KOPECKS:
        message = "Сумма счёта после скидки должна быть больше 0 и не больше 42949672.95."
        fault = Fault("discount" if off else "lines", "total", message)
        raise Invalid("total", message, next_step="Проверьте цены, количество и скидку.", faults=[fault])
    return stored, order


def order_of(lines: Sequence[dict[str, Any]], discount_kopecks: int) -> Order:
    """The order that stored lines make."""
    return Order(
        tuple(
            OrderLine(
                id=line["id"],
                name=line["name"],
                price=Money(line["price"]),
                quantity=Quantity(line["quantity"]),
                object=OBJECTS[line.get("object", "product")],
                vat_class=VatClass(line["vat"]) if "vat" in line else None,
                unit=UNITS[line.get("unit", "шт")],
                marking_group=line.get("marking", ""),
                discountable=not line.get("no_discount", False),
            )
            for line in lines
        ),
        Money(discount_kopecks),
    )
