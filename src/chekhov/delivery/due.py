"""What is due on a lane: read in the order of its time, each state by its own place in the index."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from chekhov.config.database import fetch, fetch_together, for_update
from chekhov.delivery import lateness
from chekhov.delivery.lanes import QUESTIONS, LaneRow, lanes_ready
from chekhov.delivery.sightings import HELD_SQL, Held
from chekhov.receipts import writer
from chekhov.receipts.states import State

_PROBES = 10  # among so many questions the cheapest is chosen for a probe
_ASKED_BY_NUMBER = " AND provider_ref <> ''"  # the only question that can store nothing, whatever the provider is
_FOLLOWS = (
    " AND (r.after_id IS NULL OR EXISTS (SELECT 1 FROM receipts_receiptstate b "
    "WHERE b.receipt_id = r.after_id AND b.state = 'fiscalized'))"
)


@dataclass(frozen=True, slots=True)
class Due:
    """A receipt that is due, as a claim reads it."""

    head: writer.Head
    document: str = field(repr=False)
    due_ms: int
    is_late: bool  # a person has to choose before it may be sent
    held: Held  # its fact may have a document already: nothing may be sent that could make another


def is_work_due() -> bool:
    """A cheap look, without a lock, whether a claim is worth its transaction."""
    return any(lane.due for lane in lanes_ready()[1])


def due_on(lane: LaneRow, allowed: int, now_ms: int, *, aside: Sequence[int] = ()) -> list[Due]:
    """What is due on a lane, locked. Sending, which has a deadline by law, has three quarters of the permits, asking
    the rest, odd ones in turns; what one leaves over the other takes. So neither a backlog nor a crowd of open
    questions starves the other.

    Receipts of the registers in `aside` are not sent. Must run inside a transaction.
    """
    asked = allowed if not lane.is_probe else _PROBES
    follows = _FOLLOWS + _not_in("r.register_id", aside)
    by_number = _ASKED_BY_NUMBER if lane.is_stopped else ""
    states = [state for state in (*QUESTIONS, State.QUEUED) if state in lane.due]
    found = fetch_together(
        *(
            _statement(lane, state, allowed, now_ms, follows)
            if state is State.QUEUED
            else _statement(lane, state, asked, now_ms, by_number)
            for state in states
        )
    )
    sends = [_due(row) for row in found.pop()] if State.QUEUED in lane.due else []
    if any(item.is_late for item in sends):
        sends = _without_late(lane, allowed, now_ms, follows)
    questions = sorted((_due(row) for rows in found for row in rows), key=lambda item: item.due_ms)[:asked]
    if lane.is_probe and questions:  # a question is the cheapest probe: it cannot become an unknown outcome
        return sorted(questions, key=lambda item: not item.head.provider_ref)[:allowed]
    share = (3 * allowed + (lane.turn + 3) % 4) // 4
    sent = min(len(sends), max(share, allowed - len(questions)))
    return [*questions[: allowed - sent], *sends[:sent]]


def _without_late(lane: LaneRow, limit: int, now_ms: int, follows: str) -> list[Due]:
    """Queued receipts of a lane; what is late among them stops here for a person's choice."""
    crowd = [_due(row) for row in fetch(*_statement(lane, State.QUEUED, lateness.HOLD_AT_ONCE, now_ms, follows))]
    lateness.hold([item.head for item in crowd if item.is_late])
    return [item for item in crowd if not item.is_late][:limit]


def _statement(lane: LaneRow, state: State, limit: int, now_ms: int, which: str) -> tuple[str, list[Any]]:
    """Receipts of a lane in this state that are due, the longest due first."""
    document = "r.document" if state is State.QUEUED else "''"  # a question sends none, a repeat the bytes of before
    held = HELD_SQL if state in (State.QUEUED, State.UNKNOWN) else "0"
    return (
        f"SELECT {writer.HEAD_COLUMNS}, {document}, s.due_ms, o.due_at < %s AND s.late_choice <> 'send', {held} "
        "FROM receipts_receiptstate s JOIN receipts_receipt r ON r.id = s.receipt_id "
        "JOIN receipts_obligation o ON o.id = s.obligation_id "
        f"WHERE s.account_id = %s AND s.queue = %s AND s.state = %s AND s.due_ms <= %s{which} "
        f"ORDER BY s.due_ms LIMIT %s{for_update(of='s', skip_locked=True)}",
        [lateness.cutoff_parameter(), *lane.key, state.value, now_ms, limit],
    )


def _due(row: Sequence[Any]) -> Due:
    return Due(writer.head_of(row), row[12], row[13], bool(row[14]), Held(row[15]))


def _not_in(column: str, ids: Sequence[int]) -> str:
    return f" AND {column} NOT IN ({', '.join(str(int(item)) for item in ids)})" if ids else ""
