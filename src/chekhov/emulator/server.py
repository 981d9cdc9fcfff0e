"""The process: puts the parts together, listens, and ends in order on SIGTERM.

A plain ``aiohttp.web.Server`` with a hand-made choice of the two rooms; the framework's router and middleware would
cost more than the rest of a request.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import signal
import tempfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from aiohttp import web

from chekhov.emulator.callbacks import Callbacks
from chekhov.emulator.config import EmulatorConfig, ShopConfig, Switches
from chekhov.emulator.control import Control, load_shops, save_shop
from chekhov.emulator.faults import Faults
from chekhov.emulator.press import Press
from chekhov.emulator.shelf import Shelf
from chekhov.emulator.shop_api import ShopApi
from chekhov.emulator.store import Store
from chekhov.emulator.tasks import Tasks

__all__ = ["EmulatorConfig", "ShopConfig", "Switches", "run", "serve"]

log = logging.getLogger(__name__)


@contextlib.asynccontextmanager
async def serve(config: EmulatorConfig) -> AsyncIterator[str]:
    """Run an emulator within the current event loop; yields its address, ``http://host:port``.

    :raises OSError: when the address is taken.
    """
    with contextlib.ExitStack() as leftovers:
        path = config.db
        if path is None:
            path = (
                Path(leftovers.enter_context(tempfile.TemporaryDirectory(prefix="chekhov-emulator-"))) / "emulator.db"
            )
        rooms = _Rooms()
        server = web.Server(rooms.answer, access_log=None)
        runner = web.ServerRunner(server, shutdown_timeout=2)
        await runner.setup()
        store: Store | None = None
        clockwork: list[asyncio.Task[None]] = []
        try:
            site = web.TCPSite(runner, config.host, config.port, backlog=1024)
            await site.start()
            host = f"[{config.host}]" if ":" in config.host else config.host
            address = f"http://{host}:{runner.addresses[0][1]}"
            store = Store(path)
            clockwork = rooms.furnish(config, store, (config.public_url or address).rstrip("/"))
            await store.flush()
            yield address
        finally:
            await runner.cleanup()
            for task in clockwork:
                task.cancel()
            await asyncio.gather(*clockwork, return_exceptions=True)
            if store is not None:
                await store.close()


def run(config: EmulatorConfig, *, on_ready: Callable[[str], None] | None = None) -> None:
    """Run an emulator until SIGTERM or SIGINT. ``on_ready`` gets its address once it answers."""
    asyncio.run(_run(config, on_ready))


async def _run(config: EmulatorConfig, on_ready: Callable[[str], None] | None) -> None:
    gc.set_threshold(50_000, 20, 100)  # the index only grows: looking through it often is wasted
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with serve(config) as address:
        if on_ready is not None:
            on_ready(address)
        await stop.wait()


class _Rooms:
    """The two halves of the server; until they are furnished every request waits."""

    def __init__(self) -> None:
        self._ready = asyncio.Event()
        self._shop_api: ShopApi
        self._control: Control

    def furnish(self, config: EmulatorConfig, store: Store, public_url: str) -> list[asyncio.Task[None]]:
        """Build everything, take up what a former process left, and start the clockwork."""
        shops = load_shops(store)
        for shop in config.shops:
            save_shop(store, shops, shop)
        faults = Faults()
        tasks = Tasks(store, config.switches.duplicate_scope)
        callbacks = Callbacks(store, faults, config.switches.callback_intervals_ms)
        press = Press(config, store, tasks, faults, callbacks, shops, public_url)
        orders, employees = Shelf(store, "orders", "Заказ"), Shelf(store, "employees", "Сотрудник")
        press.load(tasks.load())
        callbacks.load()
        orders.load()
        employees.load()
        self._shop_api = ShopApi(
            shops=shops,
            public_url=public_url,
            latency_ms=config.latency_ms,
            tasks=tasks,
            press=press,
            faults=faults,
            callbacks=callbacks,
            orders_shelf=orders,
            employees_shelf=employees,
        )
        self._control = Control(
            store=store,
            tasks=tasks,
            press=press,
            faults=faults,
            callbacks=callbacks,
            shops=shops,
            shelves=(orders, employees),
        )
        self._ready.set()
        loop = asyncio.get_running_loop()
        return [loop.create_task(press.run()), loop.create_task(callbacks.run())]

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        """Whatever comes."""
        if not self._ready.is_set():
            await self._ready.wait()
        path = request.raw_path
        if path.startswith("/api/shop/"):
            return await self._shop_api.answer(request)
        if path.startswith("/_emulator"):
            return await self._control.answer(request)
        return web.Response(status=404, body=b'{"title": "Not found", "code": "", "description": ""}')
