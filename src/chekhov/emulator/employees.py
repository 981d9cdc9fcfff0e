"""Employees of a shop (couriers, cashiers, drivers): the same in both versions of the protocol."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl

from chekhov.emulator.shelf import Shelf, page
from chekhov.emulator.wire import Document

_READ = ("name", "email", "phone", "type", "inn", "payment_address")
_SWITCHES = ("is_manager", "is_can_assign_order", "is_app_fast_basket")


def view(number: int, document: Document) -> dict[str, Any]:
    """An employee as it is read: never its login or password."""
    shown: dict[str, Any] = {"id": number}
    shown.update((key, document.get(key)) for key in _READ)
    shown.update((key, document.get(key, False)) for key in _SWITCHES)
    return shown


def listed(shelf: Shelf, shop: str, query: str) -> dict[str, Any]:
    """One page of the shop's employees, of one ``type`` if the query names it."""
    wanted = dict(parse_qsl(query)).get("type")
    found = [
        view(number, document)
        for number, document, _ in shelf.of_shop(shop)
        if wanted is None or document["type"] == wanted
    ]
    shown, meta = page(found, query)
    return {"account_employees": shown, "meta": meta}
