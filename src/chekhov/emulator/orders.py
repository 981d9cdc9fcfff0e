"""Delivery orders: kept as posted, read back flat (version 1, every list) or nested (version 2)."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl

from chekhov.emulator.shelf import Shelf, page
from chekhov.emulator.wire import Document, as_object

_COMMON = ("date_start", "date_end", "description", "prepayment", "payment_type", "callback_url")


def _amount(document: Document) -> Decimal:
    return sum((item["total"] for item in document["items"]), Decimal(0))


def _courier(document: Document, couriers: dict[int, str]) -> dict[str, Any] | None:
    number = document.get("courier_id")
    return {"id": number, "name": couriers.get(number)} if number is not None else None


def _head(number: int, document: Document, couriers: dict[int, str]) -> dict[str, Any]:
    head: dict[str, Any] = {"id": number, "task_id": None, "state": document.get("state", "new")}
    head.update((key, document.get(key)) for key in _COMMON)
    head["amount"] = _amount(document)
    head["courier"] = _courier(document, couriers)
    return head


def flat(number: int, document: Document, version: str, couriers: dict[int, str]) -> dict[str, Any]:
    """The flat object, whichever version the order was posted in."""
    shown = _head(number, document, couriers)
    if version == "v1":
        shown["external_id"] = str(document["order_id"])
        shown["is_paid"] = document.get("is_paid", False)
        shown["is_pay_to_courier"] = not shown["is_paid"]
        shown["sno"] = document["sno"]
        for key in ("client_name", "client_address", "client_phone", "client_email", "client_coordinate"):
            shown[key] = document.get(key)
        return shown
    shown["external_id"] = str(document["external_id"])
    shown["is_pay_to_courier"] = document.get("is_pay_to_courier", True)
    shown["is_paid"] = not shown["is_pay_to_courier"]
    shown["sno"] = document["company"]["sno"]
    client = as_object(document["client"])
    for key in ("name", "address", "phone", "email", "coordinate"):
        shown[f"client_{key}"] = client.get(key)
    return shown


def nested(number: int, document: Document, version: str, couriers: dict[int, str]) -> dict[str, Any]:
    """The object with ``client`` and ``company``, whichever version the order was posted in."""
    shown = _head(number, document, couriers)
    if version == "v2":
        shown["external_id"] = str(document["external_id"])
        shown["is_pay_to_courier"] = document.get("is_pay_to_courier", True)
        shown["client"], shown["company"] = document["client"], document["company"]
        return shown
    shown["external_id"] = str(document["order_id"])
    shown["is_pay_to_courier"] = not document.get("is_paid", False)
    names = ("name", "address", "phone", "email", "coordinate")
    shown["client"] = {key: document[f"client_{key}"] for key in names if f"client_{key}" in document}
    shown["company"] = {"sno": document["sno"]}
    return shown


def view(number: int, item: tuple[str, str, Document], version: str, couriers: dict[int, str]) -> dict[str, Any]:
    """One order as ``version`` reads it, with its items."""
    _, posted_in, document = item
    shape = nested if version == "v2" else flat
    return shape(number, document, posted_in, couriers) | {"items": document["items"]}


def listed(shelf: Shelf, shop: str, query: str, couriers: dict[int, str]) -> dict[str, Any]:
    """One page of the shop's orders, of one courier or from one time of delivery on if the query says so."""
    wanted = dict(parse_qsl(query))
    found = []
    for number, document, version in shelf.of_shop(shop):
        if "courier_id" in wanted and str(document.get("courier_id")) != wanted["courier_id"]:
            continue
        if "date_start" in wanted and _sortable(document.get("date_start")) < _sortable(wanted["date_start"]):
            continue
        found.append(flat(number, document, version, couriers))
    shown, meta = page(found, query)
    return {"orders": shown, "meta": meta}


_russian = re.compile(r"(\d\d)\.(\d\d)\.(\d{4})(.*)").fullmatch


def _sortable(moment: str | None) -> str:
    """``dd.mm.yyyy HH:MM`` and ``yyyy-mm-dd HH:MM`` in one order."""
    found = _russian(moment or "")
    return f"{found[3]}-{found[2]}-{found[1]}{found[4]}" if found else moment or ""
