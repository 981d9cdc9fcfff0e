"""Group commit: calls that meet share a transaction, and none of them pays for another."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import pytest
from django.db import DatabaseError, OperationalError

from chekhov.people.models import Source
from chekhov.receipts.gathering import MOST_CONTENTS, Gathering

SHOP = Source(id=1, code="shop", name="Магазин")
OTHER = Source(id=2, code="other", name="Другой")


class Ledger:
    """Stands in for `facts_record`: the first call waits until it is let go, so that others gather behind it."""

    def __init__(self) -> None:
        self.calls: list[tuple[int, str, list[Any]]] = []
        self.first_began = threading.Event()
        self.let_go = threading.Event()
        self.poison: dict[str, Exception] = {}

    def record(self, *, source: Source, contents: Sequence[Any], actor: str) -> list[Any]:
        self.calls.append((source.pk, actor, list(contents)))
        if len(self.calls) == 1:
            self.first_began.set()
            assert self.let_go.wait(10)
        for content in contents:
            if content in self.poison:
                raise self.poison[content]
        return [f"{content} recorded" for content in contents]


class Callers:
    """Threads that call the gathering, with what each of them got."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.gathering = Gathering(ledger.record)
        self.got: dict[str, Any] = {}
        self.threads: list[threading.Thread] = []

    def call(self, name: str, contents: Sequence[str], source: Source = SHOP, actor: str = "api:k") -> None:
        def run() -> None:
            try:
                self.got[name] = self.gathering.record(source=source, contents=contents, actor=actor)  # type: ignore[arg-type]
            except Exception as error:
                self.got[name] = error

        thread = threading.Thread(target=run, name=name)
        thread.start()
        self.threads.append(thread)
        if len(self.threads) == 1:
            assert self.ledger.first_began.wait(10)
        else:
            until_waiting(self.gathering, len(self.threads) - 1)

    def finish(self) -> None:
        self.ledger.let_go.set()
        for thread in self.threads:
            thread.join(10)
            assert not thread.is_alive(), "a caller was left waiting"


def until_waiting(gathering: Gathering, count: int) -> None:
    deadline = threading.Event()
    for _ in range(1000):
        if len(gathering._waiting) >= count:
            return
        deadline.wait(0.005)
    raise AssertionError("the caller does not wait")


def test_those_who_wait_share_one_transaction_and_each_has_its_own_answers() -> None:
    ledger = Ledger()
    callers = Callers(ledger)
    callers.call("first", ["a"])
    callers.call("second", ["b", "c"])
    callers.call("third", ["d"])
    callers.finish()
    assert [contents for _, _, contents in ledger.calls] == [["a"], ["b", "c", "d"]]
    assert callers.got == {
        "first": ["a recorded"],
        "second": ["b recorded", "c recorded"],
        "third": ["d recorded"],
    }


def test_callers_of_other_sources_or_names_have_transactions_of_their_own() -> None:
    ledger = Ledger()
    callers = Callers(ledger)
    callers.call("first", ["a"])
    callers.call("second", ["b"])
    callers.call("other", ["c"], source=OTHER)
    callers.call("third", ["d"])
    callers.call("named", ["e"], actor="api:z")
    callers.finish()
    assert ledger.calls == [
        (1, "api:k", ["a"]),
        (1, "api:k", ["b", "d"]),
        (2, "api:k", ["c"]),
        (1, "api:z", ["e"]),
    ]
    assert callers.got["other"] == ["c recorded"]


def test_a_transaction_takes_no_more_than_its_most() -> None:
    ledger = Ledger()
    callers = Callers(ledger)
    callers.call("first", ["a"])
    half = [f"x{number}" for number in range(MOST_CONTENTS // 2)]
    callers.call("second", half)
    callers.call("third", half)
    callers.call("fourth", ["one too many"])
    callers.finish()
    assert [len(contents) for _, _, contents in ledger.calls] == [1, MOST_CONTENTS, 1]


def test_a_call_that_breaks_its_group_fails_alone() -> None:
    ledger = Ledger()
    ledger.poison["bad"] = DatabaseError("a constraint")
    callers = Callers(ledger)
    callers.call("first", ["a"])
    callers.call("second", ["bad"])
    callers.call("third", ["c"])
    callers.finish()
    assert callers.got["first"] == ["a recorded"]
    assert isinstance(callers.got["second"], DatabaseError)
    assert callers.got["third"] == ["c recorded"]


def test_where_the_database_is_away_all_hear_it_at_once() -> None:
    ledger = Ledger()
    ledger.poison["b"] = OperationalError("gone")
    callers = Callers(ledger)
    callers.call("first", ["a"])
    callers.call("second", ["b"])
    callers.call("third", ["c"])
    callers.finish()
    assert isinstance(callers.got["second"], OperationalError)
    assert isinstance(callers.got["third"], OperationalError)
    assert len(ledger.calls) == 2


def test_after_a_failure_the_next_caller_is_served() -> None:
    ledger = Ledger()
    ledger.let_go.set()
    ledger.poison["bad"] = ValueError("ours")
    gathering = Gathering(ledger.record)
    with pytest.raises(ValueError, match="ours"):
        gathering.record(source=SHOP, contents=["bad"], actor="api:k")  # type: ignore[list-item]
    assert gathering.record(source=SHOP, contents=["good"], actor="api:k") == ["good recorded"]  # type: ignore[list-item]
