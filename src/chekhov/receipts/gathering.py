"""Group commit: facts that arrive while a transaction is under way share the next one.

Each request still waits for the commit of its own fact. But requests that come at the same time need not each pay for
a transaction: the first that finds nobody at work records for all who wait, and hands over to the next when it is done.
A request that comes alone goes at once; nobody waits for company.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Protocol

from django.db import OperationalError

from chekhov.errors import Refusal
from chekhov.people.models import Source
from chekhov.receipts.contents import FactContent
from chekhov.receipts.recording import Recorded, facts_record

MOST_CONTENTS = 200  # in one transaction: the lock on SQLite is held no longer than two full batches need

Answers = list[Recorded | Refusal]


class Record(Protocol):
    """`facts_record`, as the gathering calls it."""

    def __call__(self, *, source: Source, contents: Sequence[FactContent], actor: str) -> Answers: ...


class _Ticket:
    """One caller's contents, and what came of them."""

    __slots__ = ("actor", "answers", "contents", "error", "source", "turn")

    def __init__(self, source: Source, contents: Sequence[FactContent], actor: str) -> None:
        self.source = source
        self.contents = contents
        self.actor = actor
        self.answers: Answers | None = None
        self.error: BaseException | None = None
        self.turn = threading.Lock()  # released when the caller may go on: with its answers, or to lead
        self.turn.acquire()

    @property
    def is_done(self) -> bool:
        return self.answers is not None or self.error is not None

    def goes_with(self, other: _Ticket) -> bool:
        return self.source.pk == other.source.pk and self.actor == other.actor


class Gathering:
    """Calls of many threads, recorded in as few transactions as they leave time for."""

    def __init__(self, record: Record = facts_record) -> None:
        self._record = record
        self._lock = threading.Lock()
        self._waiting: list[_Ticket] = []
        self._is_led = False

    def record(self, *, source: Source, contents: Sequence[FactContent], actor: str) -> Answers:
        """What `facts_record` gives for these contents, committed when this returns. Raises what it raises."""
        ticket = _Ticket(source, contents, actor)
        with self._lock:
            self._waiting.append(ticket)
            leads = not self._is_led
            self._is_led = True
        if not leads:
            ticket.turn.acquire()
        if not ticket.is_done:
            self._lead(ticket)
        if ticket.error is not None:
            raise ticket.error
        assert ticket.answers is not None
        return ticket.answers

    def _lead(self, leader: _Ticket) -> None:
        group: list[_Ticket] = []
        try:
            with self._lock:
                group = self._company(leader)
                self._waiting = [ticket for ticket in self._waiting if ticket not in group]
            self._record_all(group)
        finally:
            with self._lock:
                heir = self._waiting[0] if self._waiting else None
                self._is_led = heir is not None
            if heir is not None:
                heir.turn.release()
            for ticket in group:
                if ticket is not leader:
                    ticket.turn.release()

    def _company(self, leader: _Ticket) -> list[_Ticket]:
        """The leader and those who wait and fit into its transaction, in the order in which they came."""
        group, count = [leader], len(leader.contents)
        for ticket in self._waiting:
            if ticket is leader or not ticket.goes_with(leader):
                continue
            if count + len(ticket.contents) > MOST_CONTENTS:
                break
            group.append(ticket)
            count += len(ticket.contents)
        return group

    def _record_all(self, group: list[_Ticket]) -> None:
        """One transaction for the group. Where it fails by what is in it, each goes alone: none pays for another."""
        if len(group) > 1 and _tried(group, lambda: self._record_together(group)):
            return
        for ticket in group:
            if not ticket.is_done:
                _tried([ticket], lambda ticket=ticket: self._record_together([ticket]))  # type: ignore[misc]

    def _record_together(self, group: list[_Ticket]) -> None:
        first = group[0]
        contents = [content for ticket in group for content in ticket.contents]
        answers = self._record(source=first.source, contents=contents, actor=first.actor)
        start = 0
        for ticket in group:
            ticket.answers = answers[start : start + len(ticket.contents)]
            start += len(ticket.contents)


def _tried(group: list[_Ticket], work: Callable[[], None]) -> bool:
    """Whether these tickets are settled: by answers, or by an error that would meet each of them just as well."""
    try:
        work()
    except Exception as error:
        if len(group) > 1 and not isinstance(error, OperationalError):
            return False
        for ticket in group:
            ticket.error = error
    except BaseException as error:  # the process ends: nobody may be left waiting
        for ticket in group:
            ticket.error = error
        raise
    return True


gathering = Gathering()
