"""A document as one compact JSON text, and back, exactly.

The text is what is stored for years, so it holds the numbers of the format itself: kopecks, thousandths, the values
of the tags. Fields at their default are left out. This is on the hot path of taking payments: the code is spelt out
field by field because a generic walk over dataclasses takes several times as long.
"""

from __future__ import annotations

from datetime import date
from typing import Any

import orjson

from chekhov.fiscal.document import (
    Agent,
    Buyer,
    Cashier,
    Correction,
    Document,
    FiscalResult,
    Line,
    Mark,
    Payment,
    SectoralProp,
    Seller,
    Supplier,
)
from chekhov.fiscal.money import Money
from chekhov.fiscal.quantity import Quantity
from chekhov.fiscal.vocabulary import (
    AgentSign,
    CalculationSign,
    CorrectionType,
    MarkType,
    PaymentKind,
    PaymentMethod,
    PaymentObject,
    PlannedStatus,
    TaxSystem,
    Unit,
    VatCode,
)

Json = dict[str, Any]


class CodecError(ValueError):
    """The text is not a stored document. Stored text is never edited, so this is damage or a newer version's text."""


_SIGNS = {int(member): member for member in CalculationSign}
_OBJECTS = {int(member): member for member in PaymentObject}
_METHODS = {int(member): member for member in PaymentMethod}
_VATS = {int(member): member for member in VatCode}
_KINDS = {int(member): member for member in PaymentKind}
_UNITS = {int(member): member for member in Unit}
_TAX_SYSTEMS = {int(member): member for member in TaxSystem}

_LINE_KEYS = frozenset(
    {"name", "price", "quantity", "sum", "object", "method", "vat"}
    | {"unit", "id", "settled_on", "mark", "planned_status", "no_code_reason", "sectoral", "agent", "supplier"}
    | {"excise", "country", "declaration", "note"}
)
_DOCUMENT_KEYS = frozenset(
    {"sign", "lines", "payments", "total", "seller", "buyer", "settled_on"}
    | {"time_zone", "internet", "print", "cashier", "correction", "extra", "user_property"}
)
_RESULT_KEYS = frozenset({"fn", "fd", "fp", "at", "sign", "total", "rn", "shift", "number", "url"})


def dump(document: Document) -> str:
    """The document as compact JSON: money in kopecks, quantity in thousandths, enumerations by number, ISO dates."""
    seller, buyer = document.seller, document.buyer
    seller_json: Json = {
        "inn": seller.inn,
        "name": seller.name,
        "tax_system": seller.tax_system._value_,
        "place": seller.place,
    }
    if seller.address:
        seller_json["address"] = seller.address
    if seller.email:
        seller_json["email"] = seller.email
    buyer_json: Json = {}
    if buyer.email:
        buyer_json["email"] = buyer.email
    if buyer.phone:
        buyer_json["phone"] = buyer.phone
    if buyer.name:
        buyer_json["name"] = buyer.name
    if buyer.inn:
        buyer_json["inn"] = buyer.inn
    json: Json = {
        "sign": document.sign._value_,
        "settled_on": document.settled_on,
        "total": document.total.kopecks,
        "lines": [_dump_line(line) for line in document.lines],
        "payments": [(payment.kind._value_, payment.amount.kopecks) for payment in document.payments],
        "seller": seller_json,
        "buyer": buyer_json,
    }
    if document.time_zone != 2:
        json["time_zone"] = document.time_zone
    if document.internet:
        json["internet"] = True
    if document.print_paper:
        json["print"] = True
    cashier = document.cashier
    if cashier is not None:
        json["cashier"] = {"name": cashier.name, "inn": cashier.inn} if cashier.inn else {"name": cashier.name}
    correction = document.correction
    if correction is not None:
        correction_json: Json = {"type": correction.type._value_, "base_on": correction.base_on}
        if correction.base_number:
            correction_json["base_number"] = correction.base_number
        if correction.is_reverse:
            correction_json["reverse"] = True
        json["correction"] = correction_json
    if document.extra:
        json["extra"] = document.extra
    if document.user_property is not None:
        json["user_property"] = document.user_property
    return orjson.dumps(json).decode()


def _dump_line(line: Line) -> Json:
    json: Json = {
        "name": line.name,
        "price": line.price.kopecks,
        "quantity": line.quantity.thousandths,
        "sum": line.sum.kopecks,
        "object": line.payment_object._value_,
        "method": line.payment_method._value_,
        "vat": line.vat._value_,
    }
    if line.unit is not Unit.PIECE:
        json["unit"] = line.unit._value_
    if line.id:
        json["id"] = line.id
    if line.settled_on is not None:
        json["settled_on"] = line.settled_on
    mark = line.mark
    if mark is not None:
        mark_json: Json = {"type": mark.type._value_, "code": mark.code}
        if mark.part is not None:
            mark_json["part"] = mark.part
        if mark.wholesale:
            mark_json["wholesale"] = True
        json["mark"] = mark_json
    if line.planned_status is not None:
        json["planned_status"] = line.planned_status._value_
    if line.no_code_reason:
        json["no_code_reason"] = line.no_code_reason
    if line.sectoral:
        json["sectoral"] = [(prop.federal_id, prop.on, prop.number, prop.value) for prop in line.sectoral]
    if line.agent is not None:
        json["agent"] = _dump_agent(line.agent)
    supplier = line.supplier
    if supplier is not None:
        json["supplier"] = {"name": supplier.name, "phones": supplier.phones, "inn": supplier.inn}
    if line.excise is not None:
        json["excise"] = line.excise.kopecks
    if line.country:
        json["country"] = line.country
    if line.declaration:
        json["declaration"] = line.declaration
    if line.note:
        json["note"] = line.note
    return json


def _dump_agent(agent: Agent) -> Json:
    json: Json = {"sign": agent.sign._value_}
    if agent.operation:
        json["operation"] = agent.operation
    if agent.paying_phones:
        json["paying_phones"] = agent.paying_phones
    if agent.receiver_phones:
        json["receiver_phones"] = agent.receiver_phones
    if agent.transfer_name:
        json["transfer_name"] = agent.transfer_name
    if agent.transfer_phones:
        json["transfer_phones"] = agent.transfer_phones
    if agent.transfer_address:
        json["transfer_address"] = agent.transfer_address
    if agent.transfer_inn:
        json["transfer_inn"] = agent.transfer_inn
    return json


def load(text: str) -> Document:
    """The document that `dump` wrote. Raises CodecError for anything else, an unknown field included."""
    try:
        json = orjson.loads(text)
        _no_others(json, _DOCUMENT_KEYS)
        seller, cashier, correction, user = (
            json["seller"],
            json.get("cashier"),
            json.get("correction"),
            json.get("user_property"),
        )
        buyer = json["buyer"]
        kinds = _KINDS
        return Document(
            _SIGNS[json["sign"]],
            tuple([_load_line(line) for line in json["lines"]]),
            tuple([Payment(kinds[kind], Money(kopecks)) for kind, kopecks in json["payments"]]),
            Money(json["total"]),
            Seller(
                seller["inn"],
                seller["name"],
                _TAX_SYSTEMS[seller["tax_system"]],
                seller["place"],
                seller.get("address", ""),
                seller.get("email", ""),
            ),
            Buyer(**buyer) if buyer else Buyer(),
            date.fromisoformat(json["settled_on"]),
            json.get("time_zone", 2),
            json.get("internet", False),
            json.get("print", False),
            None if cashier is None else Cashier(**cashier),
            None if correction is None else _load_correction(correction),
            json.get("extra", ""),
            None if user is None else (user[0], user[1]),
        )
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise CodecError(f"not a stored document: {error}") from error


def _no_others(json: Json, known: frozenset[str]) -> None:
    if not json.keys() <= known:
        raise CodecError(f"unknown fields: {sorted(json.keys() - known)}")


def _load_line(json: Json) -> Line:
    ordinary = (
        json["name"],
        Money(json["price"]),
        Quantity(json["quantity"]),
        Money(json["sum"]),
        _OBJECTS[json["object"]],
        _METHODS[json["method"]],
        _VATS[json["vat"]],
    )
    if len(json) == 7:
        return Line(*ordinary)
    _no_others(json, _LINE_KEYS)
    settled_on, mark, status = json.get("settled_on"), json.get("mark"), json.get("planned_status")
    agent, supplier, excise = json.get("agent"), json.get("supplier"), json.get("excise")
    return Line(
        *ordinary,
        _UNITS[json.get("unit", 0)],
        json.get("id", ""),
        None if settled_on is None else date.fromisoformat(settled_on),
        None if mark is None else _load_mark(mark),
        None if status is None else PlannedStatus(status),
        json.get("no_code_reason", ""),
        tuple(
            SectoralProp(federal_id, date.fromisoformat(on), number, value)
            for federal_id, on, number, value in json.get("sectoral", ())
        ),
        None if agent is None else _load_agent(agent),
        None if supplier is None else Supplier(supplier["name"], tuple(supplier["phones"]), supplier["inn"]),
        None if excise is None else Money(excise),
        json.get("country", ""),
        json.get("declaration", ""),
        json.get("note", ""),
    )


def _load_mark(json: Json) -> Mark:
    part = json.get("part")
    return Mark(
        MarkType(json["type"]),
        json["code"],
        None if part is None else (part[0], part[1]),
        json.get("wholesale", False),
    )


def _load_agent(json: Json) -> Agent:
    return Agent(
        AgentSign(json["sign"]),
        json.get("operation", ""),
        tuple(json.get("paying_phones", ())),
        tuple(json.get("receiver_phones", ())),
        json.get("transfer_name", ""),
        tuple(json.get("transfer_phones", ())),
        json.get("transfer_address", ""),
        json.get("transfer_inn", ""),
    )


def _load_correction(json: Json) -> Correction:
    return Correction(
        CorrectionType(json["type"]),
        date.fromisoformat(json["base_on"]),
        json.get("base_number", ""),
        json.get("reverse", False),
    )


def dump_result(result: FiscalResult) -> str:
    """A register's answer as compact JSON."""
    json: Json = {
        "fn": result.fn,
        "fd": result.fd,
        "fp": result.fp,
        "at": result.at,
        "sign": int(result.sign),
        "total": result.total.kopecks,
    }
    if result.rn:
        json["rn"] = result.rn
    if result.shift is not None:
        json["shift"] = result.shift
    if result.number is not None:
        json["number"] = result.number
    if result.url:
        json["url"] = result.url
    return orjson.dumps(json).decode()


def load_result(text: str) -> FiscalResult:
    """The answer that `dump_result` wrote. Raises CodecError for anything else."""
    try:
        json = orjson.loads(text)
        _no_others(json, _RESULT_KEYS)
        return FiscalResult(**{**json, "total": Money(json["total"])})
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise CodecError(f"not a stored answer: {error}") from error
