"""The life of a task: ``new`` → ``processing`` → ``done`` or ``error``, on the register of its queue.

``done`` and the document number go to disk in one commit and are told to nobody before it, so a crash never prints a
receipt twice under two numbers.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
from decimal import Decimal

from chekhov.emulator.callbacks import Callback, Callbacks
from chekhov.emulator.config import EmulatorConfig, ShopConfig, Switches
from chekhov.emulator.faults import Faults
from chekhov.emulator.register import PAPER_OUT, Register, business_now, device_error
from chekhov.emulator.store import Store
from chekhov.emulator.tasks import DONE, ERROR, NEW, PROCESSING, Task, Tasks, now_ms
from chekhov.emulator.wire import encode


class Press:
    """All registers and the clockwork that moves tasks through them."""

    def __init__(
        self,
        config: EmulatorConfig,
        store: Store,
        tasks: Tasks,
        faults: Faults,
        callbacks: Callbacks,
        shops: dict[str, ShopConfig],
        public_url: str,
    ) -> None:
        self._store = store
        self._tasks = tasks
        self._faults = faults
        self._callbacks = callbacks
        self._shops = shops
        self._public_url = public_url
        self._inn = config.inn
        self.switches: Switches = config.switches
        self.pickup_delay_ms = config.pickup_delay_ms
        self.print_delay_ms = config.print_delay_ms
        self.clock_offset_seconds = config.clock_offset_seconds
        self._registers: dict[int, Register] = {}
        self._heap: list[tuple[int, int, Task]] = []
        self._order = itertools.count()
        self._held: dict[int, Task] = {}
        self._late: dict[int, Task] = {}  # in error, and will print
        self._wake = asyncio.Event()

    def load(self, unfinished: list[Task]) -> None:
        """Take up the registers and the tasks that a former process left."""
        for row in self._store.read("SELECT queue, fn, rn, document, shift, shift_on, number FROM registers"):
            self._registers[row[0]] = Register(*row)
        for task in unfinished:
            if task.state == ERROR:
                self._late[task.id] = task
            self._schedule(task, task.due_at or 0)

    def register(self, queue: int) -> Register:
        """The register of a queue; a new one is taken into use when the queue has none."""
        register = self._registers.get(queue)
        if register is None:
            register = self._registers[queue] = Register.fresh(queue)
            self._store.put("registers", register.row())
        return register

    def clear(self) -> None:
        """Forget the tasks under way; the registers keep their numbers."""
        self._heap.clear()
        self._held.clear()
        self._late.clear()

    def is_active(self, shop: str, queue: int) -> bool:
        """What the queue reports of itself."""
        return not self._faults.holds("passive", {"shop": shop, "queue": str(queue)})

    def wake(self) -> None:
        """Conditions changed: look again at the tasks that wait for the register."""
        held, self._held = self._held, {}
        for task in held.values():
            self._schedule(task, 0)

    def print_late(self) -> None:
        """What is in error and would print later prints now."""
        late, self._late = self._late, {}
        for task in late.values():
            self._schedule(task, 0)

    def accept(self, task: Task, *, at_once: bool = False) -> list[Callback]:
        """Begin a new task's life; without delays it is over when this returns.

        :param at_once: skip the delays and return the callbacks instead of sending them after the commit.
        """
        if at_once:
            return self._print(task)
        if self.pickup_delay_ms:
            self._set_due(task, NEW, self.pickup_delay_ms)
        else:
            self._pick_up(task)
        return []

    async def run(self) -> None:
        """Move tasks as they fall due, until cancelled."""
        while True:
            self._wake.clear()
            now = now_ms()
            for _ in range(200):
                if not self._heap or self._heap[0][0] > now:
                    break
                self._advance(heapq.heappop(self._heap)[2])
            if self._heap and self._heap[0][0] <= now:
                await asyncio.sleep(0)
                continue
            try:
                async with asyncio.timeout((self._heap[0][0] - now) / 1000 if self._heap else None):
                    await self._wake.wait()
            except TimeoutError:
                continue

    def _schedule(self, task: Task, due_at: int) -> None:
        heapq.heappush(self._heap, (due_at, next(self._order), task))
        self._wake.set()

    def _set_due(self, task: Task, state: str, delay_ms: int) -> None:
        task.state = state
        task.due_at = now_ms() + delay_ms
        self._tasks.save(task)
        self._schedule(task, task.due_at)

    def _advance(self, task: Task) -> None:
        if self._tasks.get(task.id) is not task:
            return  # forgotten by a reset
        if task.state == NEW:
            self._pick_up(task)
        elif task.state == PROCESSING:
            self._finish(task)
        elif task.state == ERROR and task.due_at is not None:
            callback_url = task.receipt.callback_url if task.receipt else ""
            self._late.pop(task.id, None)
            self._fiscalise(task)
            self._release_after_commit(task, self._announce(task, callback_url))

    def _pick_up(self, task: Task) -> None:
        if self._faults:
            subject = task.subject()
            if self._faults.holds("passive", subject) or self._faults.holds("offline", subject):
                task.due_at = None
                self._held[task.id] = task
                return
        if self.print_delay_ms:
            self._set_due(task, PROCESSING, self.print_delay_ms)
        else:
            self._finish(task)

    def _finish(self, task: Task) -> None:
        self._release_after_commit(task, self._print(task))

    def _print(self, task: Task) -> list[Callback]:
        receipt = task.receipt
        assert receipt is not None, "an unfinished task has its receipt"
        subject = task.subject()
        if self._faults and self._faults.strike("stuck", subject) is not None:
            task.state, task.due_at = PROCESSING, None
            self._tasks.save(task)
            return []
        error = device_error(receipt, task.version, inn=self._inn, switches=self.switches)
        revive_ms: int | None = None
        if error is None and self._faults:
            if self._faults.holds("paper_out", subject):
                error = PAPER_OUT
            elif (rule := self._faults.strike("device_error", subject)) is not None:
                error = rule["description"]
            elif (rule := self._faults.strike("late_done", subject)) is not None:
                error, revive_ms = rule["description"], rule["delay_ms"]
        if error is None:
            self._fiscalise(task)
        else:
            task.state, task.error = ERROR, error
            task.due_at = None if revive_ms is None else now_ms() + revive_ms
            if task.due_at is None:
                task.receipt = None
            else:
                self._late[task.id] = task
                self._schedule(task, task.due_at)
            self._tasks.save(task)
        return self._announce(task, receipt.callback_url)

    def _fiscalise(self, task: Task) -> None:
        receipt = task.receipt
        assert receipt is not None, "an unfinished task has its receipt"
        register = self.register(task.queue)
        fiscal = register.issue(receipt, business_now(self.clock_offset_seconds))
        self._store.put("registers", register.row())
        if self._faults:
            subject = task.subject()
            if (rule := self._faults.strike("wrong_total", subject)) is not None:
                fiscal["s"] = f"{Decimal(rule['total']):.2f}"
            if self._faults.strike("no_fiscal_data", subject) is not None:
                fiscal = {}
        task.state, task.error, task.due_at = DONE, None, None
        task.fiscal = encode(fiscal).decode() if fiscal else None
        self._tasks.save(task)

    def _announce(self, task: Task, callback_url: str) -> list[Callback]:
        """The callbacks of the task's outcome, stored but not yet sent."""
        if task.state == DONE:
            task.receipt = None
        shop = self._shops[task.shop]
        url = callback_url or (shop.success_url if task.state == DONE else shop.failure_url)
        if not url:
            return []
        return self._callbacks.prepare(task.id, url, shop.secret, encode(task.view(self._public_url)), task.subject())

    def _release_after_commit(self, task: Task, callbacks: list[Callback]) -> None:
        if not callbacks or task.saved is None:
            return

        def committed(batch: asyncio.Future[None]) -> None:
            if not batch.cancelled() and batch.exception() is None:
                self._callbacks.release(callbacks)

        task.saved.add_done_callback(committed)
