"""From bytes to a checked receipt: exact numbers, the tables of ``forms``, then the rules of money.

Numbers are read as Decimal, never as a binary float. A client that computed in floats sends noise such as
0.30000000000000004; the default mode rounds what is under 1e-9 away, strict mode refuses it.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import orjson

from chekhov.emulator import vocabulary as words
from chekhov.emulator.forms import forms
from chekhov.emulator.refusals import invalid
from chekhov.emulator.schema import Bad, Check

KOPECK = Decimal("0.01")
THOUSANDTH = Decimal("0.001")
NOISE = Decimal("1e-9")
ZERO = Decimal(0)

Document = dict[str, Any]

_has_surrogate = re.compile(rb"\\u[dD][89a-fA-F]").search


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


_decode = json.JSONDecoder(parse_float=Decimal, parse_constant=_refuse_constant).decode


@dataclass(slots=True, frozen=True)
class Receipt:
    """A document that the service accepts, with what the register needs of it."""

    external_id: str
    intent: str
    total: Decimal
    """Roubles, two decimals."""
    timezone: int
    """UTC+(n+1)."""
    callback_url: str
    document: Document


def parse(body: bytes, malformed_status: int) -> Any:
    """JSON with exact numbers.

    :raises Refusal: VLD00 with ``malformed_status`` when the bytes are not UTF-8 JSON.
    """
    try:
        value = _decode(body.decode())
        if _has_surrogate(body):
            json.dumps(value, ensure_ascii=False, default=str).encode()
    except (ValueError, RecursionError, ArithmeticError) as error:
        raise invalid(f"тело запроса не является JSON: {type(error).__name__}", status=malformed_status) from None
    return value


def encode(value: Any) -> bytes:
    """JSON as the service writes it; a Decimal goes out as a number with its own digits."""
    return orjson.dumps(value, default=_encode_decimal)


def _encode_decimal(value: Any) -> Any:
    if type(value) is Decimal:
        return orjson.Fragment(format(value, "f"))
    raise TypeError(type(value).__name__)


def check_form(value: Any, check: Check, prefix: tuple[str | int, ...] = ()) -> None:
    """Apply one of the tables.

    :raises Refusal: VLD00 whose description is ``path->0->key: reason``.
    """
    try:
        check(value)
    except Bad as bad:
        bad.path[:0] = prefix
        raise invalid(str(bad)) from None


def check_receipt(value: Any, version: str, *, strict: bool, prefix: tuple[str | int, ...] = ()) -> Receipt:
    """Check one receipt or correction of ``version``.

    :param prefix: where the document stands in a larger one (its index among several tasks).
    :raises Refusal: VLD00, VLD12 or VLD13.
    """
    table = forms(strict)
    intent = value.get("intent") if type(value) is dict else None
    correction = type(intent) is str and intent in words.CORRECTION_INTENTS
    check_form(value, table.correction[version] if correction else table.receipt[version], prefix)
    at = "->".join(map(str, prefix)) + "->" if prefix else ""
    if not correction and ("correction_info" in value or "correction" in value):
        raise invalid(f"{at}intent: {intent!r} does not go with a correction")
    _check_amounts(value["positions"], strict=strict, at=at)
    total = sum((line["total"] for line in value["positions"]), ZERO)
    paid = ZERO
    for index, payment in enumerate(value["payments"]):
        payment["sum"] = _rounded(payment["sum"], KOPECK, strict=strict)
        if payment["sum"] is None:
            raise invalid(f"{at}payments->{index}->sum: more than 2 decimals")
        paid += payment["sum"]
    if paid != total:
        raise invalid(f"{at}payments: сумма оплат {paid} не равна сумме позиций {total}")
    if strict:
        _check_strictly(value, version, correction=correction, at=at)
    return Receipt(
        external_id=str(value["external_id"]),
        intent=value["intent"],
        total=total.quantize(KOPECK),
        timezone=value.get("timezone", words.MOSCOW),
        callback_url=value.get("callback_url", ""),
        document=value,
    )


def check_items(items: list[Document], *, strict: bool) -> Decimal:
    """The rules of money for the items of a delivery order; returns their total.

    :raises Refusal: VLD00, VLD12 or VLD13.
    """
    _check_amounts(items, strict=strict, at="", key="items")
    return sum((item["total"] for item in items), ZERO)


def _check_amounts(lines: list[Document], *, strict: bool, at: str, key: str = "positions") -> None:
    """Replace the numbers of every line by exact ones and check price, quantity and total."""
    for index, line in enumerate(lines):
        price = _rounded(line["price"], KOPECK, strict=strict)
        if price is None:
            raise invalid(f"{at}{key}->{index}->price: {line['price']}", code="VLD12")
        quantity = _rounded(line["quantity"], THOUSANDTH, strict=strict)
        if quantity is None:
            if strict:
                raise invalid(f"{at}{key}->{index}->quantity: more than 3 decimals")
            quantity = line["quantity"]
        total = _rounded(line["total"], KOPECK, strict=strict)
        if total is None or total < 0 or total > (price * quantity).quantize(KOPECK, ROUND_HALF_UP) + KOPECK:
            raise invalid(
                f"{at}{key}->{index}->total: {line['total']} при цене {price} и количестве {quantity}", code="VLD13"
            )
        line["price"], line["quantity"], line["total"] = price, quantity, total
        if "excise" in line:
            line["excise"] = _rounded(line["excise"], KOPECK, strict=strict)
            if line["excise"] is None:
                raise invalid(f"{at}{key}->{index}->excise: more than 2 decimals")


def _rounded(value: Decimal | int, step: Decimal, *, strict: bool) -> Decimal | None:
    """``value`` to the step, or None when it has finer digits that are not binary noise."""
    if type(value) is int:
        return Decimal(value)
    exact: Decimal = value  # type: ignore[assignment]
    rounded = exact.quantize(step, ROUND_HALF_UP)
    if rounded == exact:
        return rounded
    if strict or abs(rounded - exact) >= NOISE:
        return None
    return rounded


def _check_strictly(value: Document, version: str, *, correction: bool, at: str) -> None:
    """What a careful service would refuse though the lenient default lets it pass."""
    client = as_object(value.get("client"))
    has_contact = bool(value.get("user") if version == "v1" else client.get("email") or client.get("phone"))
    if not correction and not has_contact and not value.get("print"):
        raise invalid(f"{at}client: email or phone is wanted unless the receipt is printed")
    if correction:
        by_order, number = (
            (value["correction_info"]["type"] == "instruction", value["correction_info"].get("base_number"))
            if version == "v2"
            else (value["correction"]["type"] == "forced", value["correction"].get("document"))
        )
        if by_order and not number:
            key = "correction_info->base_number" if version == "v2" else "correction->document"
            raise invalid(f"{at}{key}: is a required property for a correction by order")


def as_object(value: Any) -> Document:
    """An optional object of a checked document; ``[]``, which one client sends for an empty one, is empty."""
    return value if type(value) is dict else {}
