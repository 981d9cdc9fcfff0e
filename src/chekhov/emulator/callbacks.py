"""Callbacks: the service tells the shop what became of a task, signed like a request, until somebody says 2xx.

A callback is a row that is stored together with the task's final state, so that one which was not delivered before a
crash is delivered after it.
"""

from __future__ import annotations

import asyncio
import heapq
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp

from chekhov.emulator.faults import Faults
from chekhov.emulator.signature import sign
from chekhov.emulator.store import Row, Store
from chekhov.emulator.tasks import now_ms

log = logging.getLogger(__name__)

PENDING, DELIVERED, GIVEN_UP = "pending", "delivered", "given_up"

TIMEOUT = aiohttp.ClientTimeout(total=10, connect=5)
IN_FLIGHT = 64


@dataclass(slots=True)
class Callback:
    """One message to one URL."""

    id: int
    task: int
    url: str
    body: bytes
    signature: str
    """Empty: sent without the header."""
    attempt: int = 0
    """Attempts made."""
    state: str = PENDING
    due_at: int | None = None
    """None with PENDING: held until another callback has gone."""
    answer: str = ""
    """Status or error of the last attempt."""
    release_at: int = 0

    def row(self) -> Row:
        """For the table ``callbacks``."""
        due_at = self.due_at if self.due_at is not None else self.release_at
        return (
            self.id,
            self.task,
            self.url,
            self.body.decode(),
            self.signature,
            self.attempt,
            self.state,
            due_at,
            self.answer,
        )

    def as_dict(self) -> dict[str, Any]:
        """As the control API shows it."""
        return {
            "id": self.id,
            "task": self.task,
            "url": self.url,
            "attempt": self.attempt,
            "state": self.state,
            "answer": self.answer,
        }


class Callbacks:
    """The sender. ``prepare`` stores, ``run`` delivers."""

    def __init__(self, store: Store, faults: Faults, intervals_ms: tuple[int, ...]) -> None:
        self._store = store
        self._faults = faults
        self.intervals_ms = intervals_ms
        self._heap: list[tuple[int, int, Callback]] = []
        self._held: list[Callback] = []
        self._wake = asyncio.Event()
        self._slots = asyncio.Semaphore(IN_FLIGHT)
        self._sending: set[asyncio.Task[None]] = set()
        self._session: aiohttp.ClientSession | None = None
        self._last_id = 0
        self._epoch = 0

    def load(self) -> None:
        """Take up what was not delivered before the last end of the process."""
        for (value,) in self._store.read("SELECT max(id) FROM callbacks"):
            self._last_id = value or 0
        rows = self._store.read(
            "SELECT id, task, url, body, signature, attempt, state, due_at, answer FROM callbacks WHERE state = ?",
            (PENDING,),
        )
        for number, task, url, body, *rest in rows:
            self._push(Callback(number, task, url, body.encode(), *rest))

    def clear(self) -> None:
        """Forget what is waiting."""
        self._heap.clear()
        self._held.clear()
        self._epoch += 1

    def prepare(
        self, task: int, url: str, secret: str, body: bytes, subject: Mapping[str, str | list[str]]
    ) -> list[Callback]:
        """Make the callbacks of one outcome, as the faults in force twist them, and put them on their way to disk.

        They are sent when the caller passes them to ``release``, which must be after the commit.
        """
        if not self.intervals_ms:
            return []
        strike = self._faults.strike
        if self._faults and strike("callback_missing", subject) is not None:
            return []
        signature = sign(secret, "POST", url, body)
        due_at: int | None = now_ms() + self.intervals_ms[0]
        times, held_ms = 1, 0
        if self._faults:
            if (rule := strike("callback_wrong_url", subject)) is not None:
                if rule["url"]:
                    url = rule["url"]
                else:
                    signature = sign(secret, "POST", url + "?", body)
            if strike("callback_forged", subject) is not None:
                signature = sign(secret + "#", "POST", url, body)
            if strike("callback_unsigned", subject) is not None:
                signature = ""
            if (rule := strike("callback_duplicate", subject)) is not None:
                times = rule["times"]
            if (rule := strike("callback_late", subject)) is not None:
                due_at = now_ms() + rule["delay_ms"]
            elif (rule := strike("callback_out_of_order", subject)) is not None:
                due_at, held_ms = None, rule["delay_ms"]
        made = []
        for _ in range(times):
            self._last_id += 1
            callback = Callback(self._last_id, task, url, body, signature, due_at=due_at)
            callback.release_at = now_ms() + held_ms
            self._store.put("callbacks", callback.row())
            made.append(callback)
        return made

    def release(self, callbacks: list[Callback]) -> None:
        """Send them when they are due."""
        for callback in callbacks:
            if callback.due_at is None:
                self._held.append(callback)
                self._wake.set()
            else:
                self._push(callback)

    async def send_now(self, callbacks: list[Callback]) -> None:
        """Make the first attempt at once and wait for it."""
        for callback in callbacks:
            await self._attempt(callback)

    async def run(self) -> None:
        """Deliver until cancelled."""
        try:
            while True:
                self._wake.clear()
                now = now_ms()
                overdue = [c for c in self._held if c.release_at <= now]
                self._let_go(overdue)
                if self._heap and self._heap[0][0] <= now:
                    await self._slots.acquire()
                    if self._heap:
                        self._start(heapq.heappop(self._heap)[2])
                    else:
                        self._slots.release()
                    continue
                waits = [self._heap[0][0]] if self._heap else []
                waits += [c.release_at for c in self._held]
                await _sleep_until(self._wake, min(waits) if waits else None)
        finally:
            for sending in self._sending:
                sending.cancel()
            if self._session is not None:
                await self._session.close()

    def _push(self, callback: Callback) -> None:
        heapq.heappush(self._heap, (callback.due_at or 0, callback.id, callback))
        self._wake.set()

    def _let_go(self, callbacks: list[Callback]) -> None:
        for callback in callbacks:
            self._held.remove(callback)
            callback.due_at = now_ms()
            self._push(callback)

    def _start(self, callback: Callback) -> None:
        sending = asyncio.get_running_loop().create_task(self._attempt(callback))
        self._sending.add(sending)
        sending.add_done_callback(self._ended)

    def _ended(self, sending: asyncio.Task[None]) -> None:
        self._sending.discard(sending)
        self._slots.release()

    async def _attempt(self, callback: Callback) -> None:
        epoch = self._epoch
        callback.attempt += 1
        callback.answer, accepted = await self._post(callback)
        if epoch != self._epoch:
            return  # reset in the meantime
        if accepted:
            callback.state = DELIVERED
        elif callback.attempt < len(self.intervals_ms):
            callback.due_at = now_ms() + self.intervals_ms[callback.attempt]
            self._push(callback)
        else:
            callback.state = GIVEN_UP
            log.info("callback of task %s given up after %s attempts", callback.task, callback.attempt)
        self._store.put("callbacks", callback.row())
        self._let_go(list(self._held))

    async def _post(self, callback: Callback) -> tuple[str, bool]:
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=TIMEOUT, trust_env=False)
        headers = {"Content-Type": "application/json"}
        if callback.signature:
            headers["X-HMAC-Signature"] = callback.signature
        try:
            async with self._session.post(
                callback.url, data=callback.body, headers=headers, allow_redirects=False
            ) as answer:
                await answer.content.read(4096)
                return str(answer.status), 200 <= answer.status < 300
        except (aiohttp.ClientError, OSError, ValueError) as error:  # TimeoutError is an OSError
            return type(error).__name__, False


async def _sleep_until(wake: asyncio.Event, due_at: int | None) -> None:
    """Wait for the event, at most until ``due_at``."""
    if due_at is None:
        await wake.wait()
        return
    try:
        async with asyncio.timeout(max(0, due_at - now_ms()) / 1000):
            await wake.wait()
    except TimeoutError:
        return
