"""The circuit breaker of a lane: a service that does not answer is left alone, asked by one probe, and taken back.

It counts what says that nobody is there: time-outs, connections that fail or break, 5xx, redirects, pages of HTML. An
answer that the service itself gave, a refusal too, says that it is there. So the breaker judges the way to the service,
never a document.

Five failures in a row open it, or a half of at least twenty answers. It stays open for 5 seconds, then 10, 20, and so
on to 5 minutes; after that one single request of all workers goes through. Its success closes the breaker, its failure
opens it for longer. All of it stands in the lane's row: any number of workers on any number of machines obey it.

A healthy lane is never written: the row counts only while a failure is remembered.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from chekhov.config.database import execute, fetch, for_update, read_clock_ms
from chekhov.delivery.models import Breaker
from chekhov.drivers.contract import (
    Accepted,
    Done,
    Failed,
    LookupOutcome,
    NotFound,
    Pending,
    PollOutcome,
    Refused,
    SubmitOutcome,
    Unsent,
    Unsure,
)

IN_A_ROW = 5
WINDOW = 50  # answers that a remembered failure is weighed against
WINDOW_LEAST = 20
OPEN_FIRST_MS = 5_000
OPEN_MOST_MS = 300_000

LaneKey = tuple[int, int]
AnyOutcome = SubmitOutcome | PollOutcome | LookupOutcome


@dataclass(frozen=True, slots=True)
class Heard:
    """What one answer says of the way to its service."""

    answered: bool
    works: bool = False  # the connection did what it is for: no pause is called for
    text: str = ""


News = tuple[LaneKey, Heard]


@dataclass(frozen=True, slots=True)
class Circuit:
    """The breaker of one lane as its row has it."""

    state: Breaker = Breaker.CLOSED
    failures: int = 0  # in a row
    total: int = 0
    failed: int = 0
    openings: int = 0
    open_until_ms: int = 0
    probe_until_ms: int = 0
    broken_since_ms: int = 0
    text: str = ""


def heard(outcome: AnyOutcome, status: int | None, *, is_html: bool) -> Heard:
    """Read an outcome as news of the service. `status` is the HTTP status, None where no answer came."""
    if isinstance(outcome, Unsent):
        return Heard(False, text=outcome.reason)
    if isinstance(outcome, Refused):
        return Heard(True)
    if isinstance(outcome, Accepted | Done | Failed | Pending | NotFound):
        return Heard(True, works=True)
    assert isinstance(outcome, Unsure)
    if status is None or status >= 500 or 300 <= status < 400 or is_html:
        return Heard(False, text=outcome.reason)
    return Heard(True)


def after(circuit: Circuit, answers: Iterable[Heard], now_ms: int) -> Circuit:
    """The breaker after these answers, in the order in which they came. Pure."""
    for answer in answers:
        circuit = _answered(circuit) if answer.answered else _failed(circuit, answer.text, now_ms)
    return circuit


def _answered(circuit: Circuit) -> Circuit:
    if circuit.state is not Breaker.CLOSED:
        return Circuit()
    if not circuit.total:
        return circuit
    if circuit.total + 1 >= WINDOW:
        return Circuit()
    return replace(circuit, failures=0, total=circuit.total + 1)


def _failed(circuit: Circuit, text: str, now_ms: int) -> Circuit:
    if circuit.state is Breaker.OPEN:  # under way when it opened: no news
        return circuit
    counted = replace(
        circuit, failures=circuit.failures + 1, total=circuit.total + 1, failed=circuit.failed + 1, text=text[:300]
    )
    is_half = counted.total >= WINDOW_LEAST and counted.failed * 2 >= counted.total
    if circuit.state is Breaker.CLOSED and counted.failures < IN_A_ROW and not is_half:
        return replace(counted, total=1, failed=1) if counted.total >= WINDOW else counted
    openings = circuit.openings + 1
    return replace(
        counted,
        state=Breaker.OPEN,
        total=0,
        failed=0,
        openings=openings,
        open_until_ms=now_ms + open_ms(openings),
        probe_until_ms=0,
        broken_since_ms=circuit.broken_since_ms or now_ms,
    )


def open_ms(openings: int) -> int:
    """How long the breaker stays open when it opens for the so-manieth time without a success."""
    return min(OPEN_FIRST_MS << min(openings - 1, 16), OPEN_MOST_MS)


def hear(news: Sequence[News]) -> None:
    """Write what a group of answers says of its lanes: one read where all is well, and one write for each lane that is
    not. Must run inside the transaction of the outcomes.
    """
    hear_with(news, fetch(*hear_statement(news)))


def hear_statement(news: Sequence[News]) -> tuple[str, list[Any]]:
    """What `hear` reads, for reading it together with something else: every lane that the answers may make rest, locked
    in one order, so that two workers never wait for each other.
    """
    doubtful = sorted({lane for lane, answer in news if not answer.works})
    return (
        "SELECT account_id, queue, pause_since_ms, breaker, failures, window_total, window_failed, openings, "
        "open_until_ms, probe_until_ms, broken_since_ms, breaker_text FROM delivery_lane "
        "WHERE breaker <> 'closed' OR window_total > 0 OR pause_since_ms > 0"
        + "".join([" OR (account_id = %s AND queue = %s)"] * len(doubtful))
        + " ORDER BY account_id, queue"
        + for_update(),
        [value for lane in doubtful for value in lane],
    )


def hear_with(news: Sequence[News], rows: Sequence[Sequence[Any]]) -> None:
    """`hear`, with the rows of `hear_statement`."""
    if not rows:
        return
    by_lane: dict[LaneKey, list[Heard]] = {}
    for lane, answer in news:
        by_lane.setdefault(lane, []).append(answer)
    now_ms = read_clock_ms()
    for account_id, queue, pause_since_ms, state, *figures in rows:
        answers = by_lane.get((account_id, queue), [])
        before = Circuit(Breaker(state), *figures)
        circuit = after(before, answers, now_ms)
        since_ms = 0 if any(answer.works for answer in answers) else pause_since_ms
        if circuit == before and since_ms == pause_since_ms:
            continue
        execute(
            "UPDATE delivery_lane SET breaker = %s, failures = %s, window_total = %s, window_failed = %s, "
            "openings = %s, open_until_ms = %s, probe_until_ms = %s, broken_since_ms = %s, breaker_text = %s, "
            "pause_since_ms = %s WHERE account_id = %s AND queue = %s",
            [
                circuit.state.value,
                circuit.failures,
                circuit.total,
                circuit.failed,
                circuit.openings,
                circuit.open_until_ms,
                circuit.probe_until_ms,
                circuit.broken_since_ms,
                circuit.text,
                since_ms,
                account_id,
                queue,
            ],
        )
