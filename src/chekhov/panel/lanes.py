"""The queue of a register in words: what holds it up, what waits, since when."""

from __future__ import annotations

from dataclasses import dataclass

from chekhov.delivery.selectors import Hold, LaneState, hold_words, lane_state
from chekhov.panel.words import ago, counted
from chekhov.receipts.states import State
from chekhov.registers.models import Register


@dataclass(frozen=True, slots=True)
class LaneWords:
    """For the register's page."""

    hold: str  # empty: the queue sends
    since: str
    is_stopped: bool
    stops_polls: bool
    waiting: str
    under_way: str
    late: int
    passive: str
    limits: str


def lane_words(register: Register) -> LaneWords | None:
    """None before any worker or form has made the queue."""
    lane = lane_state(register.account_id, register.queue)
    if lane is None:
        return None
    waiting = counted(lane.waiting, "чек", "чека", "чеков")
    if lane.oldest_due_seconds is not None and lane.oldest_due_seconds >= 60:
        waiting += f", самый давний ждёт {ago(lane.oldest_due_seconds)}"
    under_way = sum(lane.depth.get(state, 0) for state in (State.SENDING, State.ACCEPTED, State.UNKNOWN))
    return LaneWords(
        hold=hold_words(lane),
        since=_since(lane),
        is_stopped=lane.hold is Hold.STOPPED,
        stops_polls=lane.stops_polls,
        waiting=waiting,
        under_way=counted(under_way, "чек", "чека", "чеков"),
        late=lane.late,
        passive=ago(lane.passive_seconds) if lane.passive_seconds is not None else "",
        limits=_limits(lane),
    )


def _limits(lane: LaneState) -> str:
    found = [] if lane.in_flight_max >= 1000 else [f"одновременно {lane.in_flight_max}"]
    if lane.rate_per_second:
        found.append(f"запросов в секунду {lane.rate_per_second}")
    return ", ".join(found) or "нет"


def _since(lane: LaneState) -> str:
    if lane.hold is Hold.STOPPED and lane.stopped_seconds is not None:
        return f"{ago(lane.stopped_seconds)} назад"
    if lane.hold is Hold.BREAKER and lane.broken_seconds is not None:
        again = "проба связи — при первом же чеке"
        if lane.opens_in_seconds is not None:
            again = f"следующая проба через {ago(lane.opens_in_seconds + 1)}"
        return f"уже {ago(lane.broken_seconds)}; {again}"
    if lane.hold is Hold.PAUSED and lane.pause_seconds is not None:
        return f"ещё {ago(lane.pause_seconds + 1)}"
    return ""
