"""The imitated service: ``/api/shop/v1`` and ``/api/shop/v2``, from the bytes of a request to the bytes of an answer.

Order of checks: shop, signature, service, queue, JSON, form, money, duplicate. Faults are applied around it, in
``answer``.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from chekhov.emulator import employees, orders, refusals
from chekhov.emulator.callbacks import Callbacks
from chekhov.emulator.config import ShopConfig
from chekhov.emulator.faults import ANSWER, KINDS, REQUEST, Faults
from chekhov.emulator.forms import forms
from chekhov.emulator.press import Press
from chekhov.emulator.shelf import Shelf
from chekhov.emulator.signature import is_signed
from chekhov.emulator.tasks import Task, Tasks, on_disk
from chekhov.emulator.wire import Receipt, check_form, check_items, check_receipt, encode, parse

JSON = {"Content-Type": "application/json"}
HTML = {"Content-Type": "text/html; charset=utf-8"}
Subject = Mapping[str, str | list[str]]

_TITLES = {502: "Bad Gateway", 503: "Service Temporarily Unavailable", 504: "Gateway Time-out"}
_AROUND = tuple(name for name, kind in KINDS.items() if kind.stage in (REQUEST, ANSWER))


class ShopApi:
    """Answers requests under ``/api/shop/``."""

    def __init__(
        self,
        *,
        shops: dict[str, ShopConfig],
        public_url: str,
        latency_ms: int,
        tasks: Tasks,
        press: Press,
        faults: Faults,
        callbacks: Callbacks,
        orders_shelf: Shelf,
        employees_shelf: Shelf,
    ) -> None:
        self._shops = shops
        self._public_url = public_url
        self.latency_ms = latency_ms
        self._tasks = tasks
        self._press = press
        self._faults = faults
        self._callbacks = callbacks
        self._orders = orders_shelf
        self._employees = employees_shelf

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        """The answer, bent by the faults in force."""
        body = await request.read() if request.method in ("POST", "PUT") else b""
        if self.latency_ms:
            await asyncio.sleep(self.latency_ms / 1000)
        if not self._faults or not self._faults.any_of(_AROUND):
            status, content = await self._respond(request, body, None)
            return web.Response(status=status, body=content, headers=JSON)
        subject = _subject(request, body)
        struck = await self._strike(request, subject, "before")
        if struck is not None:
            return struck
        status, content = await self._respond(request, body, subject)
        struck = await self._strike(request, subject, "after")
        if struck is not None:
            return struck
        if self._faults.strike("half_answer", subject) is not None:
            return await _half(request, status, content)
        return web.Response(status=status, body=content, headers=JSON)

    async def _strike(self, request: web.BaseRequest, subject: Subject, when: str) -> web.StreamResponse | None:
        rule = self._faults.strike("latency", subject, when=when)
        if rule is not None:
            await asyncio.sleep(rule["ms"] / 1000)
        if self._faults.strike("drop", subject, when=when) is not None:
            return _cut(request)
        rule = self._faults.strike("status", subject, when=when)
        if rule is None:
            return None
        status = rule["status"]
        if status == 500:
            return web.Response(status=500, body=encode(refusals.internal_error().body()), headers=JSON)
        if status in _TITLES:
            title = f"{status} {_TITLES[status]}"
            page = f"<html><head><title>{title}</title></head><body><center><h1>{title}</h1></center></body></html>"
            return web.Response(status=status, text=page, headers=HTML)
        headers = {"Retry-After": str(rule["retry_after"])} if status == 429 else {}
        return web.Response(status=status, headers=headers)

    async def _respond(self, request: web.BaseRequest, body: bytes, subject: Subject | None) -> tuple[int, bytes]:
        try:
            result = await self._route(request, body, subject)
        except refusals.Refusal as refusal:
            return refusal.status, encode(refusal.body())
        return 200, encode(result) if result is not None else b""

    async def _route(self, request: web.BaseRequest, body: bytes, subject: Subject | None) -> Any:
        target = request.raw_path
        path, _, query = target.partition("?")
        shop = self._authorised(request, target, body, subject)
        match path.split("/")[3:]:
            case [("v1" | "v2") as version, "queues", queue, *rest]:
                return await self._queue(request.method, version, shop, queue, rest, body, subject)
            case ["v1" | "v2", "tasks", number] if request.method == "GET":
                return await self._read_task(shop, number)
            case [("v1" | "v2") as version, "orders", *number]:
                return await self._order(request.method, version, shop, number, query, body)
            case [("v1" | "v2") as version, "employees", *number]:
                return await self._employee(request.method, version, shop, number, query, body)
        raise refusals.not_found(404, "Адрес")

    def _authorised(self, request: web.BaseRequest, target: str, body: bytes, subject: Subject | None) -> ShopConfig:
        headers = request.headers
        shop = self._shops.get(headers.get("Authorization", ""))
        signature = headers.get("X-HMAC-Signature", "")
        if shop is None or not signature:
            raise refusals.unauthorised()
        origins = (self._public_url, f"{request.scheme}://{headers.get('Host', '')}")
        if not is_signed(shop.secret, signature, request.method, origins, target, body):
            raise refusals.unauthorised()
        if subject is not None:
            if self._faults.strike("unauthorised", subject) is not None:
                raise refusals.unauthorised()
            if self._faults.strike("no_service", subject) is not None:
                raise refusals.no_service(self._press.switches.no_service_status)
        return shop

    async def _queue(
        self,
        method: str,
        version: str,
        shop: ShopConfig,
        number: str,
        rest: list[str],
        body: bytes,
        subject: Subject | None,
    ) -> Any:
        queue = _number(number)
        if queue not in shop.queues:
            status = self._press.switches.unknown_queue_status
            raise refusals.unauthorised() if status == 403 else refusals.not_found(404, "Очередь")
        match method, rest:
            case "GET", []:
                active = self._press.is_active(shop.shop, queue)
                return {"id": queue, "name": f"Тестовая касса {queue}", "state": "active" if active else "passive"}
            case "POST", ["task"]:
                return await self._create(version, shop, queue, body, subject)
            case "POST", ["multi-tasks"]:
                return await self._create_many(version, shop, queue, body, subject)
        raise refusals.not_found(404, "Адрес")

    async def _create(
        self, version: str, shop: ShopConfig, queue: int, body: bytes, subject: Subject | None
    ) -> dict[str, Any]:
        switches = self._press.switches
        document = parse(body, switches.malformed_status)
        receipt = check_receipt(document, version, strict=switches.strict)
        known = self._tasks.find(shop.shop, queue, receipt)
        if known is not None:
            raise await self._duplicate(known, subject)
        task = self._tasks.create(shop.shop, queue, version, receipt, body.decode())
        await self._begin([task])
        return task.created()

    async def _create_many(
        self, version: str, shop: ShopConfig, queue: int, body: bytes, subject: Subject | None
    ) -> dict[str, Any]:
        switches = self._press.switches
        documents = parse(body, switches.malformed_status)
        if type(documents) is not list or not documents:
            raise refusals.invalid("a non-empty array is wanted")
        receipts: dict[tuple[Any, ...], Receipt] = {}
        for index, document in enumerate(documents):
            receipt = check_receipt(document, version, strict=switches.strict, prefix=(index,))
            known = self._tasks.find(shop.shop, queue, receipt)
            if known is not None:
                raise await self._duplicate(known, subject)
            key = self._tasks.key(shop.shop, queue, receipt)
            if key in receipts:
                raise refusals.duplicate(receipt.external_id, None)
            receipts[key] = receipt
        tasks = [
            self._tasks.create(shop.shop, queue, version, receipt, encode(receipt.document).decode())
            for receipt in receipts.values()
        ]
        await self._begin(tasks)
        return {str(index): task.created() for index, task in enumerate(tasks)}

    async def _begin(self, tasks: list[Task]) -> None:
        """Start the life of new tasks and wait until they are on disk."""
        early = []
        for task in tasks:
            at_once = bool(self._faults) and self._faults.strike("callback_early", task.subject()) is not None
            early += self._press.accept(task, at_once=at_once)
        for task in tasks:
            await on_disk(task)
        if early:
            await self._callbacks.send_now(early)

    async def _duplicate(self, task: Task, subject: Subject | None) -> refusals.Refusal:
        await on_disk(task)
        shown = self._press.switches.duplicate_task
        if subject is not None and self._faults.strike("duplicate_without_task", subject) is not None:
            shown = False
        return refusals.duplicate(task.external_id, task.brief() if shown else None)

    async def _read_task(self, shop: ShopConfig, number: str) -> dict[str, Any]:
        task = self._tasks.get(_number(number))
        if task is None or task.shop != shop.shop:
            raise refusals.not_found(self._press.switches.unknown_task_status, "Чек")
        await on_disk(task)
        return task.view(self._public_url)

    async def _order(
        self, method: str, version: str, shop: ShopConfig, number: list[str], query: str, body: bytes
    ) -> Any:
        couriers = {n: document["name"] for n, document, _ in self._employees.of_shop(shop.shop)}
        match method, number:
            case "GET", []:
                return orders.listed(self._orders, shop.shop, query, couriers)
            case "GET", [one]:
                return orders.view(_number(one), self._orders.get(shop.shop, _number(one)), version, couriers)
            case "DELETE", [one]:
                await self._orders.delete(shop.shop, _number(one))
                return None
            case ("POST", []) | ("PUT", [_]):
                switches = self._press.switches
                document = parse(body, switches.malformed_status)
                check_form(document, forms(switches.strict).order[version])
                check_items(document["items"], strict=switches.strict)
                if number:
                    order = _number(number[0])
                    await self._orders.replace(shop.shop, version, order, document)
                else:
                    order = await self._orders.create(shop.shop, version, document)
                return orders.view(order, self._orders.get(shop.shop, order), version, couriers)
        raise refusals.not_found(404, "Адрес")

    async def _employee(
        self, method: str, version: str, shop: ShopConfig, number: list[str], query: str, body: bytes
    ) -> Any:
        match method, number:
            case "GET", []:
                return employees.listed(self._employees, shop.shop, query)
            case "GET", [one]:
                return employees.view(_number(one), self._employees.get(shop.shop, _number(one))[2])
            case "DELETE", [one]:
                await self._employees.delete(shop.shop, _number(one))
                return None
            case ("POST", []) | ("PUT", [_]):
                switches = self._press.switches
                document = parse(body, switches.malformed_status)
                check_form(document, forms(switches.strict).employee)
                if number:
                    employee = _number(number[0])
                    await self._employees.replace(shop.shop, version, employee, document)
                else:
                    employee = await self._employees.create(shop.shop, version, document)
                return employees.view(employee, document)
        raise refusals.not_found(404, "Адрес")


def _number(text: str) -> int:
    """A positive number of a path; 0, which nothing has, for anything else."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else 0


def _subject(request: web.BaseRequest, body: bytes) -> dict[str, str | list[str]]:
    """What the rules of faults may match in a request, read leniently from whatever was sent."""
    path = request.raw_path.partition("?")[0]
    subject: dict[str, str | list[str]] = {
        "method": request.method,
        "path": path,
        "shop": request.headers.get("Authorization", ""),
    }
    parts = path.split("/")
    if len(parts) > 5 and parts[4] == "queues":
        subject["queue"] = parts[5]
    if body:
        try:
            document = json.loads(body)
        except (ValueError, RecursionError):
            return subject
        documents = document if isinstance(document, list) else [document]
        subject["external_id"] = [
            str(d["external_id"]) for d in documents if isinstance(d, dict) and "external_id" in d
        ]
    return subject


def _cut(request: web.BaseRequest) -> web.Response:
    """Cut the connection; the response that the server wants back goes nowhere."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


async def _half(request: web.BaseRequest, status: int, content: bytes) -> web.StreamResponse:
    """Send the head and half of the body, then cut the connection."""
    response = web.StreamResponse(status=status, headers={**JSON, "Content-Length": str(len(content))})
    await response.prepare(request)
    await response.write(content[: len(content) // 2])
    if request.transport is not None:
        request.transport.close()
    return response
