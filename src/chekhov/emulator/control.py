"""Control of the emulator over HTTP, under ``/_emulator/``: what was posted, faults, switches, shops, clock, reset.

Meant for loopback: it asks for no credentials and never shows a secret.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qsl

import orjson
from aiohttp import web

from chekhov.emulator import tape
from chekhov.emulator.callbacks import Callbacks
from chekhov.emulator.config import ShopConfig
from chekhov.emulator.faults import Faults
from chekhov.emulator.press import Press
from chekhov.emulator.register import business_now
from chekhov.emulator.shelf import Shelf
from chekhov.emulator.store import Batch, Store
from chekhov.emulator.tasks import Tasks
from chekhov.emulator.wire import encode

PAGE_LIMIT = 5000


class Control:
    """Answers requests under ``/_emulator``."""

    def __init__(
        self,
        *,
        store: Store,
        tasks: Tasks,
        press: Press,
        faults: Faults,
        callbacks: Callbacks,
        shops: dict[str, ShopConfig],
        shelves: tuple[Shelf, ...],
    ) -> None:
        self._store = store
        self._tasks = tasks
        self._press = press
        self._faults = faults
        self._callbacks = callbacks
        self._shops = shops
        self._shelves = shelves
        self._routes: dict[tuple[str, str], Callable[[dict[str, str], Any], Awaitable[Any]]] = {
            ("GET", "health"): self._health,
            ("GET", "receipts"): self._receipts,
            ("GET", "callbacks"): self._list_callbacks,
            ("GET", "faults"): self._list_faults,
            ("POST", "faults"): self._add_faults,
            ("DELETE", "faults"): self._clear_faults,
            ("GET", "settings"): self._settings,
            ("POST", "settings"): self._change_settings,
            ("GET", "shops"): self._list_shops,
            ("POST", "shops"): self._add_shops,
            ("GET", "clock"): self._clock,
            ("POST", "clock"): self._set_clock,
            ("POST", "reset"): self._reset,
        }

    async def answer(self, request: web.BaseRequest) -> web.Response:
        """The answer; errors are ``{"error": "…"}`` with 400, 404 or 405."""
        path, _, query_text = request.raw_path.partition("?")
        name, _, tail = path.removeprefix("/_emulator").strip("/").partition("/")
        query = dict(parse_qsl(query_text))
        if request.method == "GET" and name in ("", "tape"):
            await self._store.flush()
            return tape.page(self._store, self._press, self._tasks.tally, query)
        route = self._routes.get((request.method, name))
        if route is None:
            known = any(known_name == name for _, known_name in self._routes)
            return _json({"error": "no such method" if known else "no such page"}, 405 if known else 404)
        if tail:
            query["id"] = tail
        try:
            body = json.loads(await request.read() or b"null") if request.method == "POST" else None
            return _json(await route(query, body))
        except ValueError as error:
            return _json({"error": str(error)}, 400)

    async def _health(self, query: dict[str, str], body: Any) -> Any:
        return {"status": "ok", "tasks": len(self._tasks), "states": +self._tasks.tally, "shops": len(self._shops)}

    async def _receipts(self, query: dict[str, str], body: Any) -> Any:
        """All tasks, oldest first; ``after`` a task's number, ``limit``, exact ``external_id``, ``state``, ``shop``."""
        await self._store.flush()
        where: list[str] = ["id > ?"]
        values: list[Any] = [_int(query, "after", 0)]
        for key in ("external_id", "state", "shop"):
            if key in query:
                where.append(f"{key} = ?")
                values.append(query[key])
        limit = min(_int(query, "limit", 1000), PAGE_LIMIT)
        rows = self._store.read(
            "SELECT id, uuid, external_id, shop, queue, version, intent, state, error, fiscal, created_at,"
            f" changed_at, body FROM tasks JOIN states ON task = id WHERE {' AND '.join(where)} ORDER BY id LIMIT ?",
            (*values, limit),
        )
        names = ("id", "uuid", "external_id", "shop", "queue", "version", "intent", "state", "error_description")
        return [
            dict(zip(names, row, strict=False))
            | {
                "fiscal_data": orjson.Fragment(row[9]) if row[9] else None,
                "created_at_ms": row[10],
                "changed_at_ms": row[11],
                "request": orjson.Fragment(row[12]),
            }
            for row in rows
        ]

    async def _list_callbacks(self, query: dict[str, str], body: Any) -> Any:
        """All callbacks, oldest first, with what became of them; of one ``task`` if the query names it."""
        await self._store.flush()
        where, values = ("WHERE task = ?", (_int(query, "task", 0),)) if "task" in query else ("", ())
        rows = self._store.read(
            f"SELECT id, task, url, attempt, state, answer, body FROM callbacks {where} ORDER BY id",
            values,
        )
        names = ("id", "task", "url", "attempt", "state", "answer")
        return [dict(zip(names, row, strict=False)) | {"body": orjson.Fragment(row[6])} for row in rows]

    async def _list_faults(self, query: dict[str, str], body: Any) -> Any:
        return self._faults.listed()

    async def _add_faults(self, query: dict[str, str], body: Any) -> Any:
        added = [self._faults.add(rule).as_dict() for rule in (body if isinstance(body, list) else [body])]
        self._press.wake()
        return added

    async def _clear_faults(self, query: dict[str, str], body: Any) -> Any:
        gone = self._faults.clear(_int(query, "id", 0) if "id" in query else None)
        self._press.print_late()
        self._press.wake()
        return {"deleted": gone}

    async def _settings(self, query: dict[str, str], body: Any) -> Any:
        return self._press.switches.as_dict() | {
            "pickup_delay_ms": self._press.pickup_delay_ms,
            "print_delay_ms": self._press.print_delay_ms,
        }

    async def _change_settings(self, query: dict[str, str], body: Any) -> Any:
        values = dict(_object(body))
        delays = {key: values.pop(key) for key in ("pickup_delay_ms", "print_delay_ms") if key in values}
        if not all(type(delay) is int and delay >= 0 for delay in delays.values()):
            raise ValueError("a delay is a number of milliseconds")
        switches = self._press.switches.changed(values)
        self._press.switches = switches
        self._press.pickup_delay_ms = delays.get("pickup_delay_ms", self._press.pickup_delay_ms)
        self._press.print_delay_ms = delays.get("print_delay_ms", self._press.print_delay_ms)
        self._callbacks.intervals_ms = switches.callback_intervals_ms
        self._tasks.rescope(switches.duplicate_scope)
        return await self._settings(query, body)

    async def _list_shops(self, query: dict[str, str], body: Any) -> Any:
        return [_shown(shop) for shop in self._shops.values()]

    async def _add_shops(self, query: dict[str, str], body: Any) -> Any:
        """Add shops or change them: ``{"shop", "secret", "queues": […], "success_url"?, "failure_url"?}``."""
        added = []
        for item in body if isinstance(body, list) else [body]:
            values = _object(item)
            try:
                shop = ShopConfig(**{**values, "queues": tuple(values["queues"])})
            except (TypeError, KeyError) as error:
                raise ValueError(f"a shop has shop, secret and queues: {error}") from None
            if not shop.shop or not shop.secret or not all(type(q) is int and q > 0 for q in shop.queues):
                raise ValueError("shop and secret are not empty, queues are positive numbers")
            added.append(shop)
        for shop in added:
            await save_shop(self._store, self._shops, shop)
        return [_shown(shop) for shop in added]

    async def _clock(self, query: dict[str, str], body: Any) -> Any:
        offset = self._press.clock_offset_seconds
        return {"offset_seconds": offset, "now": business_now(offset).isoformat(timespec="seconds")}

    async def _set_clock(self, query: dict[str, str], body: Any) -> Any:
        offset = _object(body).get("offset_seconds")
        if type(offset) is not int or abs(offset) > 10**10:
            raise ValueError("offset_seconds: a whole number of seconds is wanted")
        try:
            business_now(offset)
        except OverflowError:
            raise ValueError("offset_seconds: the date leaves the calendar") from None
        self._press.clock_offset_seconds = offset
        return await self._clock(query, body)

    async def _reset(self, query: dict[str, str], body: Any) -> Any:
        """Forget tasks, callbacks, orders, employees and faults; numbers that were issued stay issued."""
        self._faults.clear()
        self._press.clear()
        self._callbacks.clear()
        self._tasks.clear()
        for shelf in self._shelves:
            shelf.clear()
        await self._store.forget()
        return {"status": "ok"}


def save_shop(store: Store, shops: dict[str, ShopConfig], shop: ShopConfig) -> Batch:
    """Make a shop known and put it on its way to disk; returns the batch."""
    shops[shop.shop] = shop
    queues = json.dumps(shop.queues)
    return store.put("shops", (shop.shop, shop.secret, queues, shop.success_url, shop.failure_url))


def load_shops(store: Store) -> dict[str, ShopConfig]:
    """The shops that a former process knew."""
    rows = store.read("SELECT shop, secret, queues, success_url, failure_url FROM shops")
    return {row[0]: ShopConfig(row[0], row[1], tuple(json.loads(row[2])), row[3], row[4]) for row in rows}


def _shown(shop: ShopConfig) -> dict[str, Any]:
    shown = dataclasses.asdict(shop)
    del shown["secret"]
    return shown


def _json(value: Any, status: int = 200) -> web.Response:
    return web.Response(status=status, body=encode(value), content_type="application/json")


def _object(body: Any) -> dict[str, Any]:
    if not isinstance(body, dict):
        raise ValueError("an object is wanted")
    return body


def _int(query: dict[str, str], key: str, default: int) -> int:
    value = query.get(key, "")
    if value and not (value.isascii() and value.isdecimal() and len(value) < 19):
        raise ValueError(f"{key}: a number is wanted")
    return int(value or default)
