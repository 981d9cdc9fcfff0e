"""Numbered objects of a shop that are created, read, replaced and deleted: employees and delivery orders.

They are few, so each is kept whole in memory beside its row; a deleted one leaves its number used.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl

from chekhov.emulator.refusals import invalid, not_found
from chekhov.emulator.store import Store
from chekhov.emulator.wire import Document, encode, parse

Item = tuple[str, str, Document]
"""Shop, protocol version, document."""


class Shelf:
    """One table of such objects."""

    def __init__(self, store: Store, table: str, title: str) -> None:
        self._store = store
        self._table = table
        self._title = title
        self._items: dict[int, Item] = {}
        self._last_id = 0

    def load(self) -> None:
        """Read everything back after a start."""
        for (value,) in self._store.read("SELECT value FROM counters WHERE name = ?", (self._table,)):
            self._last_id = value
        for number, shop, version, deleted, body in self._store.read(
            f"SELECT id, shop, version, deleted, body FROM {self._table} ORDER BY id"
        ):
            if not deleted:
                self._items[number] = (shop, version, parse(body.encode(), 500))

    def clear(self) -> None:
        """Forget all; the numbers stay used."""
        self._items.clear()

    async def create(self, shop: str, version: str, document: Document) -> int:
        """Store a new object and return its number."""
        self._last_id += 1
        number = self._last_id
        self._items[number] = (shop, version, document)
        self._store.put("counters", (self._table, number))
        await self._save(number, deleted=False)
        return number

    async def replace(self, shop: str, version: str, number: int, document: Document) -> None:
        """Put another document under the number.

        :raises Refusal: 404 when the shop has no such object.
        """
        self.get(shop, number)
        self._items[number] = (shop, version, document)
        await self._save(number, deleted=False)

    async def delete(self, shop: str, number: int) -> None:
        """Take the object away.

        :raises Refusal: 404 when the shop has no such object.
        """
        self.get(shop, number)
        await self._save(number, deleted=True)
        self._items.pop(number, None)

    def get(self, shop: str, number: int) -> Item:
        """The object.

        :raises Refusal: 404 when the shop has no such object.
        """
        item = self._items.get(number)
        if item is None or item[0] != shop:
            raise not_found(404, self._title)
        return item

    def of_shop(self, shop: str) -> list[tuple[int, Document, str]]:
        """All objects of a shop as ``(number, document, version)``, oldest first."""
        return [(number, doc, version) for number, (owner, version, doc) in self._items.items() if owner == shop]

    async def _save(self, number: int, *, deleted: bool) -> None:
        shop, version, document = self._items[number]
        body = encode(document).decode()
        await self._store.put(self._table, (number, shop, version, int(deleted), body))


def page(found: list[Any], query: str) -> tuple[list[Any], dict[str, int]]:
    """One page of a list and its ``meta``.

    :raises Refusal: VLD00 when ``start`` or ``limit`` is not a number.
    """
    values = dict(parse_qsl(query))
    start, limit = values.get("start", "0"), values.get("limit", "10")
    if not (start.isdecimal() and limit.isdecimal() and int(limit)):
        raise invalid("start, limit: a number is wanted")
    first, size = int(start), int(limit)
    return found[first : first + size], {"total": len(found), "total_pages": -(-len(found) // size)}
