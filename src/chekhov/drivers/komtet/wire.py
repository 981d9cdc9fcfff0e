"""A document as the body of `POST /api/shop/v2/queues/{queue}/task`.

Protocol v2 of KOMTET: absent fields are left out and never null; money is a JSON number in roubles with exactly two
decimals and a quantity one with at most three, both written from whole numbers and never through a binary float;
`external_id` is a string. Field order is fixed, so one document gives one sequence of bytes.

Corrections carry `correction_info` with dates as `dd.mm.yyyy`, the only form that the register's agent reads.
"""

from __future__ import annotations

import re
from datetime import date
from typing import Any

import orjson

from chekhov.drivers.contract import Problem
from chekhov.drivers.errors import CannotEncode
from chekhov.drivers.komtet.names import (
    AGENT_SIGNS,
    CORRECTION_INTENTS,
    CORRECTION_TYPES,
    INTENTS,
    MARK_TYPES,
    PAYMENT_KINDS,
    PAYMENT_METHODS,
    PAYMENT_OBJECTS,
    TAX_SYSTEMS,
    VAT_CODES,
)
from chekhov.fiscal.document import Agent, Buyer, Document, Line, Mark, SectoralProp, Seller, Supplier
from chekhov.fiscal.quantity import Quantity
from chekhov.fiscal.vocabulary import TaxSystem

MAX_KEY = 64
"""Characters of `external_id` that are safe: the service states no limit."""

_PATH = re.compile(r"[/?#]")
_Json = dict[str, Any]
_Number = orjson.Fragment

ENVD_PROBLEM = Problem(
    path="seller.tax_system",
    code="envd",
    text="ЕНВД отменён с 2021 года, сервис такие чеки не принимает.",
    next_step="Выберите действующую систему. Коррекцию за период ЕНВД сделайте в кабинете «КОМТЕТ Касса».",
)


def encode(document: Document, key: str, callback_url: str | None) -> bytes:
    """The body of one task, UTF-8. Raises `CannotEncode` for ЕНВД, for sums that differ, for text that is not text.

    `key` is ours: an unfit one is a programmer's error and raises ValueError. What does not fit the provider's limits
    is told by `validate`; this function neither cuts nor repairs.
    """
    if not 0 < len(key) <= MAX_KEY or not key.isascii() or not key.isprintable():
        raise ValueError(f"a key is 1 to {MAX_KEY} printable ASCII characters")
    _refuse_unbalanced(document)
    correction = document.correction
    names = INTENTS if correction is None else CORRECTION_INTENTS
    body: _Json = {"external_id": key, "intent": names[document.sign]}
    if correction is None or document.print_paper:
        body["print"] = document.print_paper
    client = _client(document.buyer)
    if client or correction is None:
        body["client"] = client
    body["company"] = _company(document.seller, internet=document.internet)
    if document.cashier is not None:
        body["cashier"] = _present(name=document.cashier.name, inn=document.cashier.inn)
    body["positions"] = [_position(line) for line in document.lines]
    body["payments"] = [
        {"type": PAYMENT_KINDS[payment.kind], "sum": _roubles(payment.amount.kopecks)} for payment in document.payments
    ]
    if correction is not None:
        body["correction_info"] = _present(
            type=CORRECTION_TYPES[correction.type],
            base_date=_day(correction.base_on),
            base_number=correction.base_number,
        )
    body["internet"] = document.internet
    body["timezone"] = document.time_zone
    if document.extra:
        body["additional_check_props"] = document.extra
    if document.user_property is not None:
        name, value = document.user_property
        body["additional_user_props"] = {"name": name, "value": value}
    if callback_url:
        body["callback_url"] = callback_url
    try:
        return orjson.dumps(body)
    except TypeError as error:  # a lone surrogate: text that no encoding can carry
        raise CannotEncode(
            Problem(
                "", "text", "В тексте чека есть символ, который нельзя передать.", "Проверьте названия и реквизиты."
            )
        ) from error


def bare_host(place: str) -> str:
    """The place of an internet settlement (tag 1187) as the register prints it: the site without scheme and path."""
    return _PATH.split(place.split("://", 1)[-1], maxsplit=1)[0]


def _refuse_unbalanced(document: Document) -> None:
    lines = sum(line.sum.kopecks for line in document.lines)
    payments = sum(payment.amount.kopecks for payment in document.payments)
    if not lines == payments == document.total.kopecks:
        raise CannotEncode(
            Problem(
                "payments",
                "sums_differ",
                "Сумма позиций, сумма оплат и итог чека расходятся.",
                "Сформируйте чек заново.",
            )
        )


def _roubles(kopecks: int) -> _Number:
    if kopecks < 0:
        raise CannotEncode(Problem("", "negative", "Сумма в чеке не бывает отрицательной.", "Сформируйте чек заново."))
    return _Number(b"%d.%02d" % divmod(kopecks, 100))


def _quantity(quantity: Quantity) -> _Number:
    if quantity.thousandths <= 0:
        raise CannotEncode(Problem("", "quantity", "Количество должно быть больше нуля.", "Сформируйте чек заново."))
    return _Number(str(quantity))


def _present(**members: Any) -> _Json:
    """The members that say something: an empty string or list means that the field is absent."""
    return {name: value for name, value in members.items() if value not in ("", ())}


def _day(day: date) -> str:
    return f"{day.day:02d}.{day.month:02d}.{day.year:04d}"


def _client(buyer: Buyer) -> _Json:
    client: _Json = {}
    if buyer.email:
        client["email"] = buyer.email
    if buyer.phone:
        client["phone"] = buyer.phone
    if buyer.name:
        client["name"] = buyer.name
    if buyer.inn:
        client["inn"] = buyer.inn
    return client


def _company(seller: Seller, *, internet: bool) -> _Json:
    if seller.tax_system is TaxSystem.ENVD:
        raise CannotEncode(ENVD_PROBLEM)
    company: _Json = {
        "payment_address": bare_host(seller.place) if internet else seller.place,
        "sno": TAX_SYSTEMS[seller.tax_system],
    }
    if seller.inn:
        company["inn"] = seller.inn
    if seller.address:
        company["place_address"] = seller.address
    return company


def _position(line: Line) -> _Json:
    position: _Json = {"id": line.id} if line.id else {}
    position["name"] = line.name
    position["price"] = _roubles(line.price.kopecks)
    position["quantity"] = _quantity(line.quantity)
    position["total"] = _roubles(line.sum.kopecks)
    position["vat"] = VAT_CODES[line.vat]
    position["measure"] = line.unit.value
    position["payment_method"] = PAYMENT_METHODS[line.payment_method]
    position["payment_object"] = PAYMENT_OBJECTS[line.payment_object]
    if line.excise is not None:
        position["excise"] = _roubles(line.excise.kopecks)
    if line.country:
        position["country_code"] = line.country
    if line.declaration:
        position["declaration_number"] = line.declaration
    if line.note:
        position["user_data"] = line.note
    if line.agent is not None:
        position["agent_info"] = _agent(line.agent)
    if line.supplier is not None:
        position["supplier_info"] = _supplier(line.supplier)
    if line.mark is not None:
        _mark(line.mark, position)
    if line.planned_status is not None:
        position["planned_status"] = line.planned_status.value
    if line.sectoral:
        position["sectoral_item_props"] = [_sectoral(prop) for prop in line.sectoral]
    return position


def _mark(mark: Mark, position: _Json) -> None:
    """The full scanned code, GS separators and crypto tail included: `mark_code` has exactly one key, its type."""
    position["mark_code"] = {MARK_TYPES[mark.type]: mark.code}
    if mark.part is not None:
        numerator, denominator = mark.part
        position["mark_quantity"] = {"numerator": numerator, "denominator": denominator}
    if mark.wholesale:
        position["wholesale"] = True


def _agent(agent: Agent) -> _Json:
    info: _Json = {"type": AGENT_SIGNS[agent.sign]}
    if agent.paying_phones or agent.operation:
        info["paying_agent"] = _present(phones=agent.paying_phones, operation=agent.operation)
    if agent.receiver_phones:
        info["receive_payments_operator"] = {"phones": agent.receiver_phones}
    transfer = _present(
        name=agent.transfer_name,
        phones=agent.transfer_phones,
        address=agent.transfer_address,
        inn=agent.transfer_inn,
    )
    if transfer:
        info["money_transfer_operator"] = transfer
    return info


def _supplier(supplier: Supplier) -> _Json:
    return _present(name=supplier.name, phones=supplier.phones, inn=supplier.inn)


def _sectoral(prop: SectoralProp) -> _Json:
    return {"federal_id": prop.federal_id, "date": _day(prop.on), "number": prop.number, "value": prop.value}
