"""What others read of delivery: the lanes with all that holds them up, and what waits for a person."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from django.db.models import QuerySet

from chekhov.config.database import fetch, read_clock_ms
from chekhov.delivery.models import Breaker, Lane
from chekhov.receipts.lateness import CHOICE
from chekhov.receipts.models import ReceiptState
from chekhov.receipts.states import State

LATE = "late"
"""Error code of a queued receipt that is more than the threshold late: nothing is sent until a person has chosen."""
PERSON_DECIDES = "person_decides"
"""Error code of an unknown outcome that the provider's protocol cannot settle."""
HELD = "incident"
"""Error code of a queued receipt that waits for an incident of its fact, or for the answer about a cancelled one."""


NEXT_STEPS = {
    LATE: CHOICE,
    PERSON_DECIDES: "Найдите чек в кабинете сервиса: если он есть, впишите номер задачи, если нет — подтвердите это.",
    HELD: "Сервис переспрашивают о прежнем чеке этой оплаты. Если открыто происшествие, разберите его на «Сводке».",
    "standby_stays": "Чек уйдёт, когда основная касса заработает. Если ждать нельзя, отмените его и пробейте новый.",
    "task_unknown": "Найдите чек в кабинете сервиса и впишите номер задачи в карточке чека.",
}
"""What a person does about an error code that says more than the state."""


class Hold(StrEnum):
    """Why a lane does not send now, the strongest reason first."""

    STOPPED = "stopped"  # a person
    BREAKER = "breaker"  # the service does not answer
    PAUSED = "paused"  # the service asked for a rest, or the connection must be mended
    DIVERTED = "diverted"  # new receipts go to the stand-by register


@dataclass(frozen=True, slots=True)
class LaneState:
    """An account's queue as it is now. Spans are seconds by the database's clock; None where there is nothing."""

    account_id: int
    queue: int
    provider: str
    breaker: Breaker
    breaker_text: str
    broken_seconds: float | None  # how long the breaker has not been closed
    opens_in_seconds: float | None  # until the next probe
    pause_code: str  # empty: no pause
    pause_text: str
    pause_seconds: float | None  # what is left of it
    stopped_by: str  # empty: nobody has stopped it
    stopped_why: str
    stopped_seconds: float | None
    stops_polls: bool
    passive_seconds: float | None  # how long the queue has been without a working register, as far as it was asked
    diverted: bool
    in_flight_max: int
    rate_per_second: int  # of the whole account; 0: without a limit
    depth: dict[State, int] = field(default_factory=dict)  # receipts that are not final, by state
    oldest_due_seconds: float | None = None  # how long the oldest queued receipt has been due
    late: int = 0  # queued receipts that wait for a person's choice

    @property
    def hold(self) -> Hold | None:
        """The strongest reason why nothing is sent; None when the lane sends."""
        if self.stopped_by:
            return Hold.STOPPED
        if self.breaker is not Breaker.CLOSED:
            return Hold.BREAKER
        if self.pause_seconds is not None:
            return Hold.PAUSED
        return Hold.DIVERTED if self.diverted else None

    @property
    def waiting(self) -> int:
        """Receipts that have not been taken by the provider yet."""
        return self.depth.get(State.QUEUED, 0)


def hold_words(lane: LaneState) -> str:
    """What holds a lane up, as a sentence for people; empty when it sends."""
    if lane.hold is Hold.STOPPED:
        return f"Отправку приостановил {lane.stopped_by.removeprefix('user:')}: {lane.stopped_why}"
    if lane.hold is Hold.BREAKER:
        return f"Сервис кассы не отвечает, отправка ждёт: {lane.breaker_text}"
    if lane.hold is Hold.PAUSED:
        return f"Отправка приостановлена: {lane.pause_text or lane.pause_code}"
    return "Касса недоступна, новые чеки идут на резервную." if lane.hold is Hold.DIVERTED else ""


_DEPTH = (
    "SELECT account_id, queue, state, count(*), min(due_ms), "
    "sum(CASE WHEN error_code = 'late' AND state = 'queued' THEN 1 ELSE 0 END) FROM receipts_receiptstate "
    "WHERE state IN ('queued', 'sending', 'accepted', 'unknown', 'failed', 'refused') GROUP BY account_id, queue, state"
)


def lane_states(*, depth: bool = True) -> list[LaneState]:
    """All lanes, by account and queue. Without `depth` the receipts are not counted: two small reads."""
    clock = read_clock_ms()
    found: dict[tuple[int, int], list[tuple[State, int, int | None, int]]] = {}
    for account_id, queue, state, count, due_ms, late in fetch(_DEPTH) if depth else ():
        found.setdefault((account_id, queue), []).append((State(state), int(count), due_ms, int(late or 0)))
    rows = Lane.objects.select_related("account__pace").order_by("account_id", "queue")
    return [_state(row, clock, found.get((row.account_id, row.queue), ())) for row in rows]


def lane_state(account_id: int, queue: int) -> LaneState | None:
    """One lane with its depth; None before any worker or form has made it."""
    return next((item for item in lane_states() if (item.account_id, item.queue) == (account_id, queue)), None)


def waiting_for_person(code: str) -> QuerySet[ReceiptState]:
    """Receipts that wait for a person's choice, `LATE` or `PERSON_DECIDES`, the oldest first."""
    state = State.QUEUED if code == LATE else State.UNKNOWN
    rows = ReceiptState.objects.filter(error_code=code, state=state)
    # the condition of the partial index, word for word: SQLite takes the index for nothing less
    return rows.extra(where=["receipts_receiptstate.error_code IN ('late', 'person_decides')"]).order_by("receipt_id")


def _since(clock: int, instant_ms: int) -> float | None:
    return max(clock - instant_ms, 0) / 1000 if instant_ms else None


def _until(clock: int, instant_ms: int) -> float | None:
    return (instant_ms - clock) / 1000 if instant_ms > clock else None


def _state(row: Lane, clock: int, depth: Sequence[tuple[State, int, int | None, int]]) -> LaneState:
    pace = getattr(row.account, "pace", None)
    due = [due_ms for state, _, due_ms, _ in depth if state is State.QUEUED and due_ms is not None]
    is_broken = row.breaker != Breaker.CLOSED
    pause = _until(clock, row.paused_until_ms)
    return LaneState(
        account_id=row.account_id,
        queue=row.queue,
        provider=row.account.provider,
        breaker=Breaker(row.breaker),
        breaker_text=row.breaker_text if is_broken else "",
        broken_seconds=_since(clock, row.broken_since_ms) if is_broken else None,
        opens_in_seconds=_until(clock, row.open_until_ms) if is_broken else None,
        pause_code=row.pause_code if pause is not None else "",
        pause_text=row.pause_text if pause is not None else "",
        pause_seconds=pause,
        stopped_by=row.stopped_by if row.stopped_ms else "",
        stopped_why=row.stopped_why if row.stopped_ms else "",
        stopped_seconds=_since(clock, row.stopped_ms),
        stops_polls=bool(row.stopped_ms) and row.stops_polls,
        passive_seconds=_since(clock, row.passive_since_ms),
        diverted=row.diverted,
        in_flight_max=row.in_flight_max,
        rate_per_second=pace.rate_per_second if pace is not None else 0,
        depth={state: count for state, count, _, _ in depth},
        oldest_due_seconds=_since(clock, min(due)) if due else None,
        late=sum(late for state, _, _, late in depth if state is State.QUEUED),
    )
