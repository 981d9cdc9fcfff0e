"""Tasks: what was posted, under which number, and what became of it. The index in memory of what the store holds."""

from __future__ import annotations

import random
import time
import uuid
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import orjson

from chekhov.emulator.store import Batch, Store
from chekhov.emulator.wire import Receipt, check_receipt, parse

NEW, PROCESSING, DONE, ERROR = "new", "processing", "done", "error"


def now_ms() -> int:
    """The real clock, for delays and for the record; business time is ``register.business_now``."""
    return time.time_ns() // 1_000_000


def _uuid() -> str:
    """A random UUID without a system call."""
    return str(uuid.UUID(int=random.getrandbits(128), version=4))


@dataclass(slots=True)
class Task:
    """One receipt in a queue."""

    id: int
    uuid: str
    shop: str
    queue: int
    version: str
    external_id: str
    intent: str
    state: str = NEW
    error: str | None = None
    fiscal: str | None = None
    """``fiscal_data`` as JSON text; the bytes that orjson makes would keep four kilobytes each."""
    due_at: int | None = None
    """When the next step is due; an error with a due time becomes done later."""
    receipt: Receipt | None = field(default=None, repr=False)
    """Kept until the task is final."""
    counted: str = ""
    """The state that the tally counts it under."""
    saved: Batch | None = field(default=None, repr=False)
    """The batch that carries the last change. Nothing of a task is told to anyone before it is on disk."""

    def created(self) -> dict[str, Any]:
        """The answer to its creation."""
        return {
            "id": self.id,
            "uuid": self.uuid,
            "external_id": self.external_id,
            "print_queue_id": self.queue,
            "state": NEW,
        }

    def brief(self) -> dict[str, Any]:
        """The task within the answer about a duplicate."""
        return {**self.created(), "state": self.state}

    def view(self, public_url: str) -> dict[str, Any]:
        """The task as it is read, and the body of its callback."""
        view = self.brief()
        view["error_description"] = self.error
        view["fiscal_data"] = orjson.Fragment(self.fiscal) if self.fiscal else None
        if self.fiscal:
            view["receipt_url"] = f"{public_url}/_emulator/tape?task={self.id}"
        return view

    def subject(self) -> dict[str, str | list[str]]:
        """What the rules of faults match."""
        return {"shop": self.shop, "queue": str(self.queue), "external_id": self.external_id}


class Tasks:
    """All tasks by number and by the shop's own id."""

    def __init__(self, store: Store, scope: str) -> None:
        self._store = store
        self._by_id: dict[int, Task] = {}
        self._by_key: dict[tuple[Any, ...], Task] = {}
        self._scope = scope
        self._last_id = 1000
        self.tally: Counter[str] = Counter()
        """How many tasks are in each state."""

    def __len__(self) -> int:
        return len(self._by_id)

    def get(self, task_id: int) -> Task | None:
        """A task by its number."""
        return self._by_id.get(task_id)

    def find(self, shop: str, queue: int, receipt: Receipt) -> Task | None:
        """The task that has the receipt's ``external_id`` already, within the scope in force."""
        return self._by_key.get(self._key(shop, queue, receipt.external_id, receipt.intent))

    def key(self, shop: str, queue: int, receipt: Receipt) -> tuple[Any, ...]:
        """What must be unique."""
        return self._key(shop, queue, receipt.external_id, receipt.intent)

    def rescope(self, scope: str) -> None:
        """Make ``external_id`` unique in another scope from now on."""
        if scope != self._scope:
            self._scope = scope
            self._by_key.clear()
            for task in self._by_id.values():
                self._by_key.setdefault(self._key(task.shop, task.queue, task.external_id, task.intent), task)

    def create(self, shop: str, queue: int, version: str, receipt: Receipt, body: str) -> Task:
        """Give the receipt a number and put it on its way to disk."""
        self._last_id += 1
        task = Task(
            id=self._last_id,
            uuid=_uuid(),
            shop=shop,
            queue=queue,
            version=version,
            external_id=receipt.external_id,
            intent=receipt.intent,
            receipt=receipt,
        )
        self._by_id[task.id] = task
        self._by_key[self._key(shop, queue, task.external_id, task.intent)] = task
        self._store.put("counters", ("task", self._last_id))
        self._store.put(
            "tasks",
            (task.id, shop, queue, version, task.external_id, task.intent, task.uuid, now_ms(), body),
        )
        self.save(task)
        return task

    def save(self, task: Task) -> Batch:
        """Put the task's state on its way to disk."""
        self._count(task)
        task.saved = self._store.put("states", (task.id, task.state, task.error, task.fiscal, task.due_at, now_ms()))
        return task.saved

    def load(self) -> list[Task]:
        """Read everything back after a start; returns the tasks that are not finished."""
        for (value,) in self._store.read("SELECT value FROM counters WHERE name = 'task'"):
            self._last_id = value
        unfinished: list[Task] = []
        rows = self._store.read(
            "SELECT id, uuid, shop, queue, version, external_id, intent, state, error, fiscal, due_at"
            " FROM tasks JOIN states ON task = id ORDER BY id"
        )
        for row in rows:
            task = Task(*row)
            self._by_id[task.id] = task
            self._by_key.setdefault(self._key(task.shop, task.queue, task.external_id, task.intent), task)
            self._count(task)
            if task.state in (NEW, PROCESSING) or task.due_at is not None:
                unfinished.append(task)
        for task in unfinished:
            task.receipt = self._receipt(task)
        return unfinished

    def clear(self) -> None:
        """Forget all tasks; their numbers stay used."""
        self._by_id.clear()
        self._by_key.clear()
        self.tally.clear()

    def _count(self, task: Task) -> None:
        if task.state != task.counted and task.id in self._by_id:
            if task.counted:
                self.tally[task.counted] -= 1
            self.tally[task.state] += 1
            task.counted = task.state

    def _receipt(self, task: Task) -> Receipt:
        [(body,)] = self._store.read("SELECT body FROM tasks WHERE id = ?", (task.id,))
        return check_receipt(parse(body.encode(), 422), task.version, strict=False)

    def _key(self, shop: str, queue: int, external_id: str, intent: str) -> tuple[Any, ...]:
        if self._scope == "shop":
            return (shop, external_id)
        return (shop, external_id, intent if self._scope == "intent" else queue)


async def on_disk(task: Task) -> None:
    """Wait until the task's last change is on disk."""
    while task.saved is not None:
        batch = task.saved
        await batch
        if task.saved is batch:
            task.saved = None
