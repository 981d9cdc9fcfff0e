"""The lanes of a claim: which may be served now, and how many requests each may start.

A lane is an account's queue. What holds it up stands in its row, by the database's clock; a time that lies farther
ahead than we ever set one was written by a clock that has been put back since, and holds nobody up.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import structlog
from django.conf import settings

from chekhov.config.database import clock_ms, execute, fetch, for_update, read_clock_ms, writing
from chekhov.delivery.breaker import OPEN_MOST_MS
from chekhov.delivery.models import Breaker
from chekhov.drivers import registry
from chekhov.drivers.errors import UnknownProvider
from chekhov.receipts.states import State

log = structlog.get_logger(__name__)

UNLIMITED_IN_FLIGHT = 1000
LIVE_IN_FLIGHT = 16
PAUSE_MOST_SECONDS = 600
QUESTIONS = (State.UNKNOWN, State.ACCEPTED, State.FAILED, State.CANCELLED)
"""The states in which the provider is asked what became of a receipt."""
_STATES = (State.QUEUED, *QUESTIONS)
# the order says «by the index» to a planner that remembers a time when nearly all were in one state
_LOOKS = ", ".join(
    "(SELECT 1 FROM receipts_receiptstate s WHERE s.account_id = l.account_id AND s.queue = l.queue "
    f"AND s.state = '{state}' AND s.due_ms <= ms AND (l.stopped_ms = 0{or_by_number}) ORDER BY s.due_ms LIMIT 1)"
    for state, or_by_number in zip(_STATES, ["", *[" OR s.provider_ref <> ''"] * len(QUESTIONS)], strict=True)
)
ACCOUNT = "a.provider, a.service_url, a.shop_id, a.secret_encrypted, a.link_token"
"""What a channel is made of: columns of registers_account as `a`."""
_AHEAD_MS = 10_000
_SLACK_MS = 60_000


@dataclass(frozen=True, slots=True)
class LaneRow:
    """A lane that may be served now, and what of it."""

    account_id: int
    queue: int
    in_flight_max: int
    turn: int
    breaker: Breaker
    is_stopped: bool
    is_diverted: bool
    rate_per_second: int  # of the account; 0 is without a limit
    account: tuple[Any, ...] = field(repr=False)  # the columns of ACCOUNT
    due: frozenset[State]  # the states in which something is due

    @property
    def key(self) -> tuple[int, int]:
        return self.account_id, self.queue

    @property
    def is_probe(self) -> bool:
        """One request only: the breaker wants to know whether the service is back."""
        return self.breaker is not Breaker.CLOSED


def lanes_ready(*, lock: bool = False) -> tuple[int, list[LaneRow]]:
    """The database's clock now, and the lanes that may start requests, the one that was served longest ago first.

    Of a lane that was stopped only questions count that can store nothing, whatever the provider is: those by number.
    """
    probe_most = settings.CHEKHOV_LEASE_SECONDS * 1000 + _SLACK_MS
    rows = fetch(
        f"WITH clock AS MATERIALIZED (SELECT {clock_ms()} AS ms) "
        "SELECT ms, l.account_id, l.queue, in_flight_max, turn, breaker, stopped_ms, diverted, "
        f"COALESCE(p.rate_per_second, 0), {ACCOUNT}, {_LOOKS} FROM delivery_lane l CROSS JOIN clock "
        "JOIN registers_account a ON a.id = l.account_id LEFT JOIN delivery_pace p ON p.account_id = l.account_id "
        "WHERE (paused_until_ms <= ms OR paused_until_ms > ms + %s) AND (stopped_ms = 0 OR NOT stops_polls) "
        "AND (breaker = 'closed' OR (breaker = 'open' AND (open_until_ms <= ms OR open_until_ms > ms + %s)) "
        "OR (breaker = 'half_open' AND (probe_until_ms <= ms OR probe_until_ms > ms + %s))) "
        f"ORDER BY served_ms, l.account_id, l.queue{for_update(of='l', skip_locked=True) if lock else ''}",
        [PAUSE_MOST_SECONDS * 1000 + _SLACK_MS, OPEN_MOST_MS + _SLACK_MS, probe_most],
    )
    return (int(rows[0][0]) if rows else 0), [
        LaneRow(
            row[1],
            row[2],
            row[3],
            row[4],
            Breaker(row[5]),
            bool(row[6]),
            bool(row[7]),
            row[8],
            row[9:14],
            frozenset(state for state, look in zip(_STATES, row[14:], strict=True) if look),
        )
        for row in rows
    ]


def lanes_ensure() -> None:
    """Every account's queue that a record names, or that a receipt waits on, has its lane and its pace.

    A record may have been moved to another queue before any worker saw it: its receipts still go where they were
    formed for. Called by workers now and then. A provider whose package is no longer installed leaves its own without.
    """
    bare = fetch(
        "SELECT u.account_id, u.queue, a.provider FROM (SELECT account_id, queue FROM registers_register UNION "
        "SELECT account_id, queue FROM receipts_receiptstate WHERE due_ms IS NOT NULL) u "
        "JOIN registers_account a ON a.id = u.account_id WHERE NOT EXISTS "
        "(SELECT 1 FROM delivery_lane l WHERE l.account_id = u.account_id AND l.queue = u.queue)"
    )
    if not bare:
        return
    with writing():
        for account_id, queue, code in bare:
            try:
                lane_ensure(account_id, queue, code)
            except UnknownProvider:
                log.error("lanes.unknown_provider", account=account_id, queue=queue, provider=code)


def lane_ensure(account_id: int, queue: int, provider_code: str) -> None:
    """Make one lane and the account's pace with the limits of a beginning, unless they exist."""
    provider = registry.get(provider_code)
    rate = 0 if provider.is_emulator else provider.driver.capabilities.requests_per_second
    in_flight = UNLIMITED_IN_FLIGHT if provider.is_emulator else LIVE_IN_FLIGHT
    execute(
        "INSERT INTO delivery_pace (account_id, rate_per_second, next_slot_ms) VALUES (%s, %s, 0) "
        "ON CONFLICT DO NOTHING",
        [account_id, rate],
    )
    execute(
        "INSERT INTO delivery_lane (account_id, queue, in_flight_max, turn, served_ms, paused_until_ms, "
        "pause_code, pause_text) VALUES (%s, %s, %s, 0, 0, 0, '', '') ON CONFLICT DO NOTHING",
        [account_id, queue, in_flight],
    )


def lane_pause(account_id: int, queue: int | None, *, seconds: int, code: str, text: str) -> None:
    """Let a queue rest, or all queues of the account. The first pause without a success between is remembered."""
    now_ms = read_clock_ms()
    execute(
        "UPDATE delivery_lane SET paused_until_ms = %s, pause_code = %s, pause_text = %s, "
        "pause_since_ms = CASE WHEN pause_since_ms = 0 THEN %s ELSE pause_since_ms END "
        f"WHERE account_id = %s{'' if queue is None else ' AND queue = %s'}",
        [
            now_ms + min(seconds, PAUSE_MOST_SECONDS) * 1000,
            code[:40],
            text[:300],
            now_ms,
            account_id,
            *([] if queue is None else [queue]),
        ],
    )


def permits(lane: LaneRow, most: int, now_ms: int) -> int:
    """How many requests a lane may start now: its in-flight limit and the account's rate, whichever is less."""
    if lane.is_probe:
        most = min(most, 1)
    elif lane.in_flight_max < UNLIMITED_IN_FLIGHT:
        held = fetch(
            "SELECT COUNT(*) FROM receipts_receiptstate WHERE account_id = %s AND queue = %s AND state = 'sending'",
            list(lane.key),
        )[0][0]
        most = min(most, lane.in_flight_max - held)
    if not lane.rate_per_second:
        return most
    pace = fetch(
        f"SELECT rate_per_second, next_slot_ms FROM delivery_pace WHERE account_id = %s{for_update(skip_locked=True)}",
        [lane.account_id],
    )
    if not pace:  # another worker spends it: waiting here, with lanes locked, could end in a deadlock
        return 0
    if not pace[0][0]:
        return most
    rate, next_slot_ms = pace[0]
    return min(most, int(max(0, (now_ms - max(_plausible(next_slot_ms, now_ms), now_ms - 1000)) * rate // 1000)))


def rate_spend(account_id: int, count: int, now_ms: int) -> None:
    """So many requests of the account's allowance are used."""
    floor = now_ms - 1000
    execute(
        "UPDATE delivery_pace SET next_slot_ms = (CASE WHEN next_slot_ms BETWEEN %s AND %s THEN next_slot_ms "
        "ELSE %s END) + %s * 1000 / rate_per_second WHERE account_id = %s AND rate_per_second > 0",
        [floor, now_ms + _AHEAD_MS, floor, count, account_id],
    )


def lane_served(lane: LaneRow, now_ms: int) -> None:
    """A lane has taken work: others go first next time. A probe is the only request until its answer or its end."""
    if lane.is_probe:
        execute(
            "UPDATE delivery_lane SET turn = turn + 1, served_ms = %s, breaker = 'half_open', probe_until_ms = %s "
            "WHERE account_id = %s AND queue = %s",
            [now_ms, now_ms + settings.CHEKHOV_LEASE_SECONDS * 1000, *lane.key],
        )
    else:
        execute(
            "UPDATE delivery_lane SET turn = turn + 1, served_ms = %s WHERE account_id = %s AND queue = %s",
            [now_ms, *lane.key],
        )


def _plausible(slot_ms: int, now_ms: int) -> int:
    return slot_ms if slot_ms <= now_ms + _AHEAD_MS else 0
