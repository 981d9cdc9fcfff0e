"""What really happened at the register, against what the books say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from chekhov.config.database import clock_ms, execute, fetch, for_update, placeholders, writing
from chekhov.emulator.testing import EmulatorProcess
from chekhov.receipts import writer
from chekhov.receipts.models import Obligation, ReceiptState
from chekhov.receipts.states import State
from soak.books import compare

UNDER_WAY = (State.QUEUED, State.SENDING, State.ACCEPTED, State.UNKNOWN)


def hurry_all() -> None:
    """Whatever waits for its time is due now, and no lane rests. Leases are left alone."""
    with writing():
        execute("UPDATE delivery_lane SET paused_until_ms = 0 WHERE paused_until_ms > 0")
        execute("UPDATE delivery_lane SET open_until_ms = 0, probe_until_ms = 0 WHERE breaker <> 'closed'")
        waiting = fetch(
            "SELECT receipt_id, state FROM receipts_receiptstate WHERE due_ms IS NOT NULL ORDER BY receipt_id"
            + for_update(skip_locked=True)
        )
        writer.hurry([row[0] for row in waiting])
        queued = [row[0] for row in waiting if row[1] == State.QUEUED]
        if queued:
            execute(
                f"UPDATE receipts_receiptstate SET due_ms = {clock_ms()} WHERE receipt_id IN "
                f"{placeholders(len(queued))} AND due_ms > {clock_ms()}",
                queued,
            )


def end_leases() -> None:
    """Every lease has run out, as if its worker had been silent for long enough."""
    execute("UPDATE receipts_receiptstate SET lease_until_ms = 1 WHERE lease_until_ms IS NOT NULL")


def states() -> Counter[str]:
    return Counter(ReceiptState.objects.values_list("state", flat=True))


def all_in(*wanted: State) -> Callable[[], bool]:
    """Holds when every receipt is in one of these states."""

    def holds() -> bool:
        found = states()
        return bool(found) and set(found) <= {state.value for state in wanted}

    holds.__doc__ = f"every receipt is in {', '.join(wanted)}"
    return holds


def printed(emulator: EmulatorProcess) -> list[dict[str, Any]]:
    """The documents that exist: each has its number on the fiscal drive."""
    return [task for task in emulator.receipts() if task["state"] == "done"]


def assert_books_agree(
    emulator: EmulatorProcess, *, facts: int | None = None, settled: bool = True, absence: bool = True
) -> None:
    """Each obligation has at most one document, no state says more than is true, and no kopeck is lost or made.

    With `settled`, each obligation has exactly one document and is known to have it. See `soak.books.compare`.
    """
    found = compare(emulator.receipts(), settled=settled, absence=absence)
    assert found.agree(), found
    if facts is not None:
        assert Obligation.objects.count() == facts
