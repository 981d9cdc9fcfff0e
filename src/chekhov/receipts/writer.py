"""The single writer of receipt states: a compare-and-set UPDATE for a whole batch, and its events, in one transaction.

A change names the head that it was decided on (state, version, code of the last event). Where another process was
first, the version differs, the row is not touched and the change is not among those returned. Each event is chained to
the one before by HMAC, so an event that was altered, removed or slipped in breaks the chain (`chain_is_whole`).
"""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection

from chekhov.config.clock import now
from chekhov.config.database import (
    affected,
    as_uuid,
    clock_ms,
    execute,
    fetch,
    for_update,
    insert_rows,
    instant,
    is_postgresql,
    one_of,
    rows_as,
)
from chekhov.receipts.states import State, is_lawful

STATE_COLUMNS = [
    "receipt_id",
    "obligation_id",
    "account_id",
    "queue",
    "state",
    "version",
    "head",
    "key_number",
    "due_ms",
    "lease_owner",
    "lease_until_ms",
    "polls",
    "provider_ref",
    "wanted",
    "wanted_by",
    "error_code",
    "error_text",
    "changed_at",
]
_EVENT_COLUMNS = ["receipt_id", "number", "from_state", "to_state", "actor", "reason", "text", "at", "mac"]
_CHANGE_COLUMNS = {
    "id": "bigint",
    "version": "bigint",
    "before": "text",
    "after": "text",
    "head": "text",
    "due_in": "bigint",
    "owner": "text",
    "lease": "bigint",
    "key_number": "smallint",
    "ref": "text",
    "error_code": "text",
    "error_text": "text",
    "reason": "text",
    "words": "text",
}
_TOUCH_COLUMNS = {
    "id": "bigint",
    "version": "bigint",
    "due_in": "bigint",
    "polls": "integer",
    "ref": "text",
    "key_number": "smallint",
    "account": "bigint",
    "queue": "bigint",
    "error_code": "text",
    "error_text": "text",
}


@dataclass(frozen=True, slots=True)
class Head:
    """A receipt's state as it was read: what a change is compared with."""

    receipt_id: int
    uuid: UUID
    state: State
    version: int
    code: str
    key_number: int = 1
    provider_ref: str = ""
    lease_owner: str = ""
    polls: int = 0
    wanted: str = ""
    wanted_by: str = ""
    words: int = 0


@dataclass(frozen=True, slots=True)
class Birth:
    """A new receipt's first state."""

    receipt_id: int
    uuid: UUID
    obligation_id: int
    account_id: int
    queue: int
    due_ms: int  # by the database's clock


@dataclass(frozen=True, slots=True)
class Change:
    """One transition. Times are milliseconds from the database's clock at the moment of writing."""

    head: Head
    to: State
    reason: str  # stable code
    text: str = ""
    due_in_ms: int | None = None  # when to look at it again; None: never by itself
    lease_owner: str = ""
    lease_ms: int | None = None
    key_number: int | None = None  # None: unchanged
    provider_ref: str | None = None  # None: unchanged
    error_code: str = ""
    error_text: str = ""


def born(births: Sequence[Birth], *, actor: str, reason: str = "formed") -> None:
    """Write the first state, `queued` and due at once, of new receipts, with the first event of each chain."""
    if not births:
        return
    at = now()
    stamp = instant(at)
    states: list[tuple[Any, ...]] = []
    events: list[tuple[Any, ...]] = []
    for birth in births:
        code = _mac("", birth.uuid, 1, "", State.QUEUED.value, actor, reason, "", at)
        states.append(
            (birth.receipt_id, birth.obligation_id, birth.account_id, birth.queue, State.QUEUED.value, 1, code, 1,
             birth.due_ms, "", None, 0, "", "", "", "", "", stamp)
        )  # fmt: skip
        events.append((birth.receipt_id, 1, "", State.QUEUED.value, actor, reason, "", stamp, code))
    insert_rows("receipts_receiptstate", STATE_COLUMNS, states)
    insert_rows("receipts_receiptevent", _EVENT_COLUMNS, events)


def apply(changes: Sequence[Change], *, actor: str) -> set[int]:
    """Move receipts; the ids of those that moved. Must run inside a transaction.

    An unlawful transition is a programmer's error and raises AssertionError before anything is written.
    """
    if not changes:
        return set()
    at = now()
    rows = _change_rows(changes, actor, at)
    if is_postgresql():
        return {int(row[0]) for row in fetch(*_move_and_tell(rows, actor, at, "SELECT receipt_id FROM told"))}
    listed, parameters = rows_as("v", _CHANGE_COLUMNS, rows)
    moved = fetch(f"WITH {listed} {_move()}", [*parameters, instant(at)])
    ids = {int(row[0]) for row in moved}
    events = [_event_row(row, actor, at) for row in rows if row[0] in ids]
    insert_rows("receipts_receiptevent", _EVENT_COLUMNS, events)
    return ids


def apply_locked(changes: Sequence[Change], *, actor: str) -> None:
    """`apply` for receipts that the transaction has locked: either all of them move, or it fails as a whole.

    Within `writing(together=True)` it is not waited for.
    """
    if not is_postgresql():
        assert len(apply(changes, actor=actor)) == len(changes), "the states were locked"
    elif changes:
        at = now()
        all_moved = "SELECT 1 / (COUNT(*) = %s)::int FROM told"  # an error, where not
        sql, parameters = _move_and_tell(_change_rows(changes, actor, at), actor, at, all_moved)
        execute(sql, [*parameters, len(changes)])


def _change_rows(changes: Sequence[Change], actor: str, at: datetime) -> list[tuple[Any, ...]]:
    """A row of _CHANGE_COLUMNS for each change."""
    assert connection.in_atomic_block, "a state changes inside a transaction only"
    assert len({change.head.receipt_id for change in changes}) == len(changes), "one change a receipt"
    rows: list[tuple[Any, ...]] = []
    for change in changes:
        head = change.head
        assert is_lawful(head.state, change.to), f"{head.state} → {change.to} is not a transition"
        code = _mac(
            head.code,
            head.uuid,
            head.version + 1,
            head.state.value,
            change.to.value,
            actor,
            change.reason,
            change.text,
            at,
        )
        rows.append(
            (
                head.receipt_id,
                head.version,
                head.state.value,
                change.to.value,
                code,
                change.due_in_ms,
                change.lease_owner,
                change.lease_ms,
                change.key_number if change.key_number is not None else head.key_number,
                change.provider_ref if change.provider_ref is not None else head.provider_ref,
                change.error_code[:40],
                change.error_text[:500],
                change.reason,
                change.text[:500],
            )
        )
    return rows


@lru_cache(maxsize=1)
def _move() -> str:
    """The compare-and-set UPDATE from the rows `v`; one parameter, the instant."""
    clock = clock_ms()
    return (
        "UPDATE receipts_receiptstate AS s SET state = v.after, version = s.version + 1, head = v.head, "
        f"due_ms = CASE WHEN v.due_in IS NULL THEN NULL ELSE {clock} + v.due_in END, "
        f"lease_until_ms = CASE WHEN v.lease IS NULL THEN NULL ELSE {clock} + v.lease END, "
        "lease_owner = v.owner, key_number = v.key_number, provider_ref = v.ref, polls = 0, wanted = '', "
        "wanted_by = '', error_code = v.error_code, error_text = v.error_text, changed_at = %s "
        "FROM v WHERE s.receipt_id = v.id AND s.version = v.version AND s.state = v.before RETURNING receipt_id"
    )


def _event_row(row: Sequence[Any], actor: str, at: datetime) -> tuple[Any, ...]:
    """The row of _EVENT_COLUMNS that goes with a row of _CHANGE_COLUMNS."""
    receipt_id, version, before, after, code = row[:5]
    reason, words = row[-2:]
    return receipt_id, version + 1, before, after, actor, reason, words, instant(at), code


def _move_and_tell(rows: Sequence[Sequence[Any]], actor: str, at: datetime, answer: str) -> tuple[str, list[Any]]:
    """PostgreSQL's statement that moves states, writes the events of those that moved and ends in `answer`."""
    listed, parameters = rows_as("v", _CHANGE_COLUMNS, rows)
    columns = ", ".join(_EVENT_COLUMNS)
    return (
        f"WITH {listed}, moved AS ({_move()}), told AS (INSERT INTO receipts_receiptevent ({columns}) "
        "SELECT v.id, v.version + 1, v.before, v.after, %s, v.reason, v.words, %s, v.head "
        f"FROM v JOIN moved ON moved.receipt_id = v.id RETURNING receipt_id) {answer}",
        [*parameters, instant(at), actor, instant(at)],
    )


@dataclass(frozen=True, slots=True)
class Touch:
    """A new look-at time and what is known, without a transition: the chain of events does not grow."""

    receipt_id: int
    version: int
    due_in_ms: int | None
    polls: int = 0
    provider_ref: str = ""
    error_code: str = ""
    error_text: str = ""
    key_number: int | None = None  # None: unchanged
    lane: tuple[int, int] | None = None  # the account and queue where it is asked about; None: unchanged


def touch(touches: Sequence[Touch]) -> None:
    """Write when to look again. A receipt that has moved since is left alone."""
    if not touches:
        return
    clock = clock_ms()
    listed, parameters = rows_as(
        "v",
        _TOUCH_COLUMNS,
        [
            (
                item.receipt_id,
                item.version,
                item.due_in_ms,
                item.polls,
                item.provider_ref,
                item.key_number,
                *(item.lane or (None, None)),
                item.error_code[:40],
                item.error_text[:500],
            )
            for item in touches
        ],
    )
    execute(
        f"WITH {listed} UPDATE receipts_receiptstate AS s SET polls = v.polls, provider_ref = v.ref, "
        "key_number = COALESCE(v.key_number, s.key_number), account_id = COALESCE(v.account, s.account_id), "
        "queue = COALESCE(v.queue, s.queue), error_code = v.error_code, error_text = v.error_text, "
        f"due_ms = CASE WHEN v.due_in IS NULL THEN NULL ELSE {clock} + v.due_in END "
        "FROM v WHERE s.receipt_id = v.id AND s.version = v.version",
        parameters,
    )


@dataclass(frozen=True, slots=True)
class Amendment:
    """Something that happened to a queued receipt and left it in the queue: an event of its chain."""

    head: Head
    reason: str  # stable code
    text: str = ""
    due_in_ms: int | None = None  # None: never by itself
    error_code: str = ""
    error_text: str = ""
    late_choice: str | None = None  # None: unchanged
    lane: tuple[int, int] | None = None  # another account and queue; None: the same
    key_number: int | None = None  # None: unchanged


def amend(amendments: Sequence[Amendment], *, actor: str) -> set[int]:
    """Write what happened to queued receipts; the ids of those that were still as they had been read.

    Must run inside a transaction. The state does not change, the version and the chain of events do.
    """
    assert connection.in_atomic_block, "a state changes inside a transaction only"
    at = now()
    stamp, clock = instant(at), clock_ms()
    amended: set[int] = set()
    events: list[tuple[Any, ...]] = []
    for item in amendments:
        head = item.head
        assert head.state is State.QUEUED, f"{head.state} is not amended"
        queued = State.QUEUED.value
        number = head.version + 1
        code = _mac(head.code, head.uuid, number, queued, queued, actor, item.reason, item.text, at)
        touched = fetch(
            "UPDATE receipts_receiptstate SET version = %s, head = %s, due_ms = "
            f"{'NULL' if item.due_in_ms is None else f'{clock} + {int(item.due_in_ms)}'}, "
            "key_number = %s, error_code = %s, error_text = %s, changed_at = %s"
            + (", late_choice = %s" if item.late_choice is not None else "")
            + (", account_id = %s, queue = %s, provider_ref = ''" if item.lane is not None else "")
            + " WHERE receipt_id = %s AND version = %s AND state = 'queued' RETURNING receipt_id",
            [
                number,
                code,
                item.key_number if item.key_number is not None else head.key_number,
                item.error_code[:40],
                item.error_text[:500],
                stamp,
                *([item.late_choice] if item.late_choice is not None else []),
                *(item.lane or ()),
                head.receipt_id,
                head.version,
            ],
        )
        if touched:
            amended.add(head.receipt_id)
            events.append((head.receipt_id, number, queued, queued, actor, item.reason, item.text[:500], stamp, code))
    insert_rows("receipts_receiptevent", _EVENT_COLUMNS, events)
    return amended


def hurry(receipt_ids: Sequence[int], *, told: bool = False) -> int:
    """Let the worker look at these receipts at once; the number of those that are worth a look.

    What a verified callback does, which is `told`: it shortens the wait and proves nothing by itself, but an answer to
    a question that was asked before it is the older one.
    """
    if not receipt_ids:
        return 0
    these, parameters = one_of("receipt_id", receipt_ids)
    return affected(
        f"UPDATE receipts_receiptstate SET due_ms = {clock_ms()}{', words = words + 1' if told else ''} WHERE {these} "
        "AND (state IN ('accepted', 'unknown', 'failed') OR (state = 'cancelled' AND provider_ref <> ''))",
        parameters,
    )


def word_heard(receipt_id: int) -> None:
    """The provider has said something of this receipt unasked: what was asked before is older."""
    execute("UPDATE receipts_receiptstate SET words = words + 1 WHERE receipt_id = %s", [receipt_id])


def heads(receipt_ids: Sequence[int], *, lock: bool = False) -> dict[int, Head]:
    """The heads of receipts as they are now; with `lock`, held until the transaction ends."""
    if not receipt_ids:
        return {}
    return heads_of(fetch(*heads_statement(receipt_ids, lock=lock)))


def heads_statement(receipt_ids: Sequence[int], *, lock: bool = False) -> tuple[str, list[Any]]:
    """What `heads` reads, for reading it together with something else."""
    these, parameters = one_of("s.receipt_id", receipt_ids)
    return (
        f"SELECT {HEAD_COLUMNS} FROM receipts_receiptstate s JOIN receipts_receipt r ON r.id = s.receipt_id "
        f"WHERE {these} ORDER BY s.receipt_id" + (for_update(of="s") if lock else ""),
        parameters,
    )


def heads_of(rows: Sequence[Sequence[Any]]) -> dict[int, Head]:
    """The heads in the rows of `heads_statement`."""
    return {int(row[0]): head_of(row) for row in rows}


HEAD_COLUMNS = (
    "s.receipt_id, r.uuid, s.state, s.version, s.head, s.key_number, s.provider_ref, s.lease_owner, s.polls, s.wanted, "
    "s.wanted_by, s.words"
)


def head_of(row: Sequence[Any]) -> Head:
    """A head from a row of HEAD_COLUMNS."""
    return Head(row[0], as_uuid(row[1]), State(row[2]), *row[3:12])


def chain_is_whole(receipt_id: int) -> bool:
    """Whether the events of a receipt are exactly those that the writer wrote, up to the head of its state."""
    row = fetch(
        "SELECT r.uuid, s.head, s.version, s.state FROM receipts_receipt r "
        "JOIN receipts_receiptstate s ON s.receipt_id = r.id WHERE r.id = %s",
        [receipt_id],
    )
    if not row:
        return False
    receipt_uuid, head, version, state = as_uuid(row[0][0]), row[0][1], int(row[0][2]), row[0][3]
    from chekhov.receipts.models import ReceiptEvent

    code, last, count = "", "", 0
    for event in ReceiptEvent.objects.filter(receipt_id=receipt_id).order_by("number"):
        count += 1
        code = _mac(
            code, receipt_uuid, count, event.from_state, event.to_state, event.actor, event.reason, event.text, event.at
        )
        if event.number != count or event.from_state != last or not hmac.compare_digest(code, event.mac):
            return False
        last = event.to_state
    return count == version and hmac.compare_digest(code, head) and last == state


@lru_cache(maxsize=1)
def _chain_key() -> bytes:
    return hmac.digest(settings.SECRET_KEY.encode(), b"chekhov receipt events", "sha256")


@lru_cache(maxsize=1)
def _chain() -> hmac.HMAC:
    """The code of nothing yet, to be copied: the key is worked in once."""
    return hmac.new(_chain_key(), digestmod="sha256")


def _mac(
    before: str,
    receipt: UUID,
    number: int,
    from_state: str,
    to_state: str,
    actor: str,
    reason: str,
    text: str,
    at: datetime,
) -> str:
    words = (before, receipt.hex, str(number), from_state, to_state, actor, reason, text[:500], f"{at.timestamp():.6f}")
    code = _chain().copy()
    code.update("\x1f".join(words).encode())
    return code.hexdigest()
