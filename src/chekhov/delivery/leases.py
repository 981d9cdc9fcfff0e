"""The ends of waiting: leases that ran out, and times that a clock which was put back since has left far ahead."""

from __future__ import annotations

from django.conf import settings

from chekhov.config.database import affected, fetch, for_update, read_clock_ms, writing
from chekhov.receipts import writer
from chekhov.receipts.states import State

WAIT_MOST_MS = 75 * 60_000  # no schedule waits longer: an hour and its jitter
_SLACK_MS = 60_000
_LOOKED_AT = (State.QUEUED, State.UNKNOWN, State.ACCEPTED, State.FAILED, State.CANCELLED)


def leases_expire() -> int:
    """Sendings whose lease has run out are of unknown outcome: due at once, to be asked for by the same key.

    A lease that ends later than any lease can was given by a clock that has been put back since: it has run out too.
    Its worker may still be at it; the question goes under the same key, so that makes no second receipt.
    """
    now_ms = read_clock_ms()  # as a parameter: an expression of the clock cannot be looked up in an index
    ahead_ms = now_ms + 2 * settings.CHEKHOV_LEASE_SECONDS * 1000 + _SLACK_MS
    over = "(s.lease_until_ms < %s OR s.lease_until_ms > %s)"
    if not fetch(f"SELECT 1 FROM receipts_receiptstate s WHERE {over} LIMIT 1", [now_ms, ahead_ms]):
        return 0
    with writing():
        rows = fetch(
            f"SELECT {writer.HEAD_COLUMNS} FROM receipts_receiptstate s JOIN receipts_receipt r ON r.id = s.receipt_id "
            f"WHERE {over} AND s.state = 'sending' ORDER BY s.receipt_id LIMIT 500"
            + for_update(of="s", skip_locked=True),
            [now_ms, ahead_ms],
        )
        text = "Отправка прервалась: ответа нет, судьба чека неизвестна."
        changes = [
            writer.Change(
                writer.head_of(row),
                State.UNKNOWN,
                "lease_expired",
                text,
                due_in_ms=0,
                error_code="lease_expired",
                error_text=text,
            )
            for row in rows
        ]
        return len(writer.apply(changes, actor="delivery"))


def waits_bound() -> int:
    """Receipts that wait for a time farther ahead than any schedule sets: they are due now. How many there were.

    The database's clock was put back. One look into the index for each lane and state; nothing is sent twice by it,
    since what may exist is asked for under its own key.
    """
    far_ms = read_clock_ms() + WAIT_MOST_MS
    lanes = fetch("SELECT account_id, queue FROM delivery_lane ORDER BY account_id, queue")
    found = 0
    for account_id, queue in lanes:
        for state in _LOOKED_AT:
            where = "account_id = %s AND queue = %s AND state = %s AND due_ms > %s"
            parameters = [account_id, queue, state.value, far_ms]
            if fetch(f"SELECT 1 FROM receipts_receiptstate WHERE {where} LIMIT 1", parameters):
                with writing():
                    found += affected(
                        f"UPDATE receipts_receiptstate SET due_ms = %s WHERE {where}", [read_clock_ms(), *parameters]
                    )
    return found
