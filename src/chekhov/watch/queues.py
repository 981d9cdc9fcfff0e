"""What waits, lane by lane: the receipts that are not final. Shared by the metrics and the rules of the alerts.

A lane is an account's queue, that is, one physical register. The cost goes with what waits, never with what is done.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from chekhov.config.database import fetch, placeholders
from chekhov.receipts.states import State
from chekhov.registers.models import Register
from chekhov.watch.folding import instant_ms, offset_ms

LIVE = (State.QUEUED, State.SENDING, State.ACCEPTED, State.UNKNOWN, State.FAILED, State.REFUSED)

LaneKey = tuple[int, int]  # account, queue


@dataclass(frozen=True, slots=True)
class LaneName:
    """How a lane is called: by the oldest record that is connected to it."""

    account_id: int
    queue: int
    label: str  # the record's UUID, as `/api/v1/registers` gives it; bounded by the number of registers
    name: str
    provider: str
    register_id: int | None = None


@dataclass(frozen=True, slots=True)
class Waiting:
    """The receipts of one lane in one state."""

    account_id: int
    queue: int
    state: State
    count: int
    oldest_ms: int  # when the oldest of them was formed
    changed_ms: int  # since when the first of them has been in this state
    due_ms: int | None  # when the first of them was or will be due

    @property
    def lane(self) -> LaneKey:
        return self.account_id, self.queue


def waiting() -> list[Waiting]:
    """What is not final, by lane and state."""
    states = [state.value for state in LIVE]
    rows = fetch(
        "SELECT account_id, queue, state, count(*), min(receipt_id), min(changed_at), min(due_ms) "
        f"FROM receipts_receiptstate WHERE state IN {placeholders(len(states))} GROUP BY account_id, queue, state",
        states,
    )
    formed = _formed([row[4] for row in rows])
    return [
        Waiting(
            account_id=row[0],
            queue=row[1],
            state=State(row[2]),
            count=int(row[3]),
            oldest_ms=formed[row[4]],
            changed_ms=instant_ms(row[5]) - offset_ms(),
            due_ms=row[6],
        )
        for row in rows
    ]


def _formed(receipt_ids: Sequence[int]) -> dict[int, int]:
    if not receipt_ids:
        return {}
    rows = fetch(
        f"SELECT id, created_at FROM receipts_receipt WHERE id IN {placeholders(len(receipt_ids))}", receipt_ids
    )
    return {row[0]: instant_ms(row[1]) - offset_ms() for row in rows}


def lane_names() -> dict[LaneKey, LaneName]:
    """Every lane that a record names, by account and queue; connected records go before disconnected ones."""
    found: dict[LaneKey, LaneName] = {}
    rows = Register.objects.select_related("account").order_by("pk")
    for row in sorted(rows, key=lambda row: row.archived_at is not None):
        key = (row.account_id, row.queue)
        if key not in found:
            found[key] = LaneName(*key, str(row.uuid), row.name, row.account.provider, row.pk)
    return found


def lane_name(names: dict[LaneKey, LaneName], key: LaneKey) -> LaneName:
    """The lane's name; one that no record names any more is called by its numbers."""
    return names.get(key) or LaneName(*key, f"{key[0]}/{key[1]}", f"очередь {key[1]}", "")
