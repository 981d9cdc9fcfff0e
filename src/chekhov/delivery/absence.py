"""Proof that the provider has nothing: attempt by attempt, by its answer, or later by a question or by a person.

An attempt's answer is written once. Where it was lost, what proves absence later stands beside it: an `Absence` speaks
of all sendings under one key up to a number. It says nothing against an answer that the task is there.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from django.conf import settings

from chekhov.config.clock import now
from chekhov.config.database import execute, fetch, instant, placeholders
from chekhov.delivery.outcomes import PROVES_ABSENCE, PROVES_PRESENCE

CLOCKS_APART = timedelta(minutes=1)
"""How far the clocks of two workers' machines may differ: sendings and questions are dated by the machine's own."""
_PROVEN = tuple(outcome.value for outcome in PROVES_ABSENCE)
_PRESENT = tuple(outcome.value for outcome in PROVES_PRESENCE)


def absence_write(*, receipt_id: int, key_number: int, attempt_number: int, found_by: str, text: str) -> None:
    """Note that all sendings under a key, up to this number, stored nothing. Must run inside a transaction."""
    execute(
        "INSERT INTO delivery_absence (receipt_id, key_number, attempt_number, found_by, text, found_at) "
        "VALUES (%s, %s, %s, %s, %s, %s)",
        [receipt_id, key_number, attempt_number, found_by[:100], text[:500], instant(now())],
    )


def proven_to(receipt_id: int, key_number: int) -> int:
    """Up to which sending under a key absence was proven later; 0 where it was not."""
    rows = fetch(
        "SELECT MAX(attempt_number) FROM delivery_absence WHERE receipt_id = %s AND key_number = %s",
        [receipt_id, key_number],
    )
    return int(rows[0][0] or 0)


def is_absent(receipt_id: int, key_number: int) -> bool:
    """Whether every sending under a key is known to have stored nothing at the provider. True where none was made."""
    return not open_attempts(receipt_id, key_number)


def open_attempts(receipt_id: int, key_number: int) -> list[int]:
    """The numbers of the sendings under a key whose fate is not proven."""
    rows = fetch(
        "SELECT number, outcome FROM delivery_attempt WHERE receipt_id = %s AND key_number = %s AND outcome NOT IN "
        f"{placeholders(len(_PROVEN))}",
        [receipt_id, key_number, *_PROVEN],
    )
    if not rows:
        return []
    border = proven_to(receipt_id, key_number)
    return [int(row[0]) for row in rows if row[0] > border or row[1] in _PRESENT]


def present_anywhere(receipt_ids: Sequence[int]) -> set[int]:
    """Those of the receipts of which some sending, under whichever key, is not proven absent."""
    if not receipt_ids:
        return set()
    rows = fetch(
        "SELECT DISTINCT a.receipt_id FROM delivery_attempt a WHERE a.receipt_id IN "
        f"{placeholders(len(receipt_ids))} AND a.outcome NOT IN {placeholders(len(_PROVEN))} "
        f"AND (a.outcome IN {placeholders(len(_PRESENT))} OR NOT EXISTS "
        "(SELECT 1 FROM delivery_absence p WHERE p.receipt_id = a.receipt_id AND p.key_number = a.key_number "
        "AND p.attempt_number >= a.number))",
        [*receipt_ids, *_PROVEN, *_PRESENT],
    )
    return {int(row[0]) for row in rows}


def longest_call() -> timedelta:
    """After so long no call can be under way any more: the lease and both time-outs together."""
    return timedelta(
        seconds=settings.CHEKHOV_LEASE_SECONDS
        + settings.CHEKHOV_CONNECT_TIMEOUT_SECONDS
        + settings.CHEKHOV_READ_TIMEOUT_SECONDS
    )
