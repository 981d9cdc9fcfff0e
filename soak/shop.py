"""The shop of a soak: threads that tell Chekhov facts through its API, repeat them, and take no silence for an answer.

Each fact is sent until it is taken (200 or 201). What was taken is repeated now and then, with the same content and
with another, by several threads at once.
"""

from __future__ import annotations

import http.client
import random
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import orjson

Sent = tuple[str, str, str, str]  # kind, parent, id, amount
LINES = [
    {"name": "Свеча зажигания NGK BKR6E-11", "price": "385.50", "quantity": "4"},
    {"name": "Доставка курьером", "price": "350.00", "quantity": "1", "object": "service"},
]
TOTAL, HALVES = "1892.00", ("1000.00", "892.00")
TIMEOUT_SECONDS = 30
REGIONS = ("msk", "spb")


@dataclass(slots=True)
class Ledger:
    """What the shop knows: facts that were taken, and answers that no shop should get."""

    taken: dict[str, tuple[Sent, Any]] = field(default_factory=dict)  # path → fact, body
    repeats: int = 0
    conflicts: int = 0
    unanswered: int = 0  # calls that had to be made again
    wrong: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)


class Shop:
    """So many threads that send about `rate` facts a second together, until `close`."""

    def __init__(self, ports: Sequence[int], key: str, *, rate: float, threads: int = 3, seed: int = 0) -> None:
        self.ledger = Ledger()
        self._ports, self._key = list(ports), key
        self._pause_seconds = threads / rate
        self._closing = threading.Event()
        self._giving_up = threading.Event()
        self._threads = [
            threading.Thread(target=self._trade, args=(number, random.Random(seed * 1000 + number)), daemon=True)
            for number in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    def close(self, seconds: float) -> bool:
        """Begin nothing new and wait until everything that was begun is taken; whether it was, within `seconds`."""
        self._closing.set()
        deadline = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        done = not any(thread.is_alive() for thread in self._threads)
        self._giving_up.set()
        return done

    def _trade(self, number: int, dice: random.Random) -> None:
        try:
            for turn in range(1_000_000):
                if self._closing.is_set():
                    return
                self._one(f"{number}-{turn}", dice)
                self._closing.wait(self._pause_seconds * dice.uniform(0.2, 1.8))
        except _GaveUp:
            return
        except Exception as error:
            self._note(f"the shop itself failed: {error!r}")
            raise

    def _one(self, mark: str, dice: random.Random) -> None:
        buyer = f"C-{mark.partition('-')[0]}-{dice.randrange(20)}"
        region = REGIONS[int(buyer.rpartition("-")[2]) % len(REGIONS)]
        self._put(dice, f"customers/{buyer}", {"name": "Иван Петров", "email": "i@example.ru", "region": region})
        kind = dice.random()
        bill = {"customer": buyer, "lines": LINES}
        if kind < 0.15:
            self._fact(dice, ("topup", buyer, f"T-{mark}", "5000.00"))
        elif kind < 0.25:
            self._batch(dice, buyer, [f"B-{mark}-{n}" for n in range(4)])
        else:
            self._put(dice, f"invoices/A-{mark}", bill)
            amounts = HALVES if kind < 0.4 else (TOTAL,)
            for n, amount in enumerate(amounts):
                self._fact(dice, ("payment", f"A-{mark}", f"P-{n}", amount))
        if dice.random() < 0.3:
            self._repeat(dice)

    def _fact(self, dice: random.Random, sent: Sent) -> None:
        path, body = _path(sent), _body(sent[3])
        self._put(dice, path, body)
        with self.ledger.lock:
            self.ledger.taken[path] = (sent, body)

    def _batch(self, dice: random.Random, buyer: str, marks: Sequence[str]) -> None:
        """Invoices and their payments in one request, again until each item is taken."""
        facts: list[Sent] = [("payment", mark, "P-0", TOTAL) for mark in marks]
        items = [{"path": f"invoices/{mark}", "body": {"customer": buyer, "lines": LINES}} for mark in marks]
        paid = {_path(fact): _body(fact[3]) for fact in facts}
        items += [{"path": path, "body": body} for path, body in paid.items()]
        while True:
            _status, answers = self._call(dice, "POST", "batch", items)
            statuses = {answer["status"] for answer in answers}
            for answer in answers:
                if answer["status"] not in (200, 201, 503):
                    self._note(f"batch: {answer}")
            if not statuses & {503}:
                break
            self._rest(dice)
        with self.ledger.lock:
            for fact in facts:
                self.ledger.taken[_path(fact)] = (fact, paid[_path(fact)])

    def _repeat(self, dice: random.Random) -> None:
        """An earlier fact again: the same content is the same fact, another is a conflict."""
        with self.ledger.lock:
            path = dice.choice([*self.ledger.taken][-200:]) if self.ledger.taken else ""
        if not path:
            return
        _sent, body = self.ledger.taken[path]
        if dice.random() < 0.1:
            status, answer = self._call(dice, "PUT", path, {**body, "means": "sbp"})
            if status != 409:
                self._note(f"{path} with other content: {status} {answer}")
            self.ledger.conflicts += 1
        else:
            status, answer = self._call(dice, "PUT", path, body)
            if status != 200 or len(answer["receipts"]) < 1:
                self._note(f"{path} repeated: {status} {answer}")
            self.ledger.repeats += 1

    def _put(self, dice: random.Random, path: str, body: Any) -> None:
        status, answer = self._call(dice, "PUT", path, body)
        if status not in (200, 201):
            self._note(f"{path}: {status} {answer}")

    def _call(self, dice: random.Random, method: str, path: str, body: Any) -> tuple[int, Any]:
        """One call, made again until there is an answer that is not «later»."""
        while True:
            try:
                status, answer = exchange("127.0.0.1", dice.choice(self._ports), self._key, method, path, body)
            except (OSError, http.client.HTTPException, ValueError):
                status, answer = 0, None
            if status and status != 503:
                return status, answer
            with self.ledger.lock:
                self.ledger.unanswered += 1
            self._rest(dice)

    def _rest(self, dice: random.Random) -> None:
        if self._giving_up.wait(dice.uniform(0.05, 0.5)):
            raise _GaveUp

    def _note(self, text: str) -> None:
        with self.ledger.lock:
            if len(self.ledger.wrong) < 50:
                self.ledger.wrong.append(text[:500])


class _GaveUp(Exception):
    """The soak is over and this call has no answer yet."""


def exchange(host: str, port: int, key: str, method: str, path: str, body: Any) -> tuple[int, Any]:
    """One call of the shop's API: status and answer. Raises OSError, HTTPException, ValueError."""
    connection = http.client.HTTPConnection(host, port, timeout=TIMEOUT_SECONDS)
    try:
        headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        connection.request(method, f"/api/v1/{path}", orjson.dumps(body), headers)
        answer = connection.getresponse()
        return answer.status, orjson.loads(answer.read())
    finally:
        connection.close()


def _path(sent: Sent) -> str:
    kind, parent, id, _amount = sent
    return f"invoices/{parent}/payments/{id}" if kind == "payment" else f"customers/{parent}/topups/{id}"


def _body(amount: str) -> dict[str, Any]:
    paid_at = datetime.now(UTC).isoformat(timespec="seconds")
    return {"amount": amount, "means": "card", "channel": "online", "paid_at": paid_at}


def post_raw(port: int, path: str, body: bytes, headers: dict[str, str], *, seconds: float = 5) -> int:
    """One POST as anybody on the net may send it; the status, 0 without an answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=seconds)
    try:
        connection.request("POST", path, body, headers)
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        connection.close()
