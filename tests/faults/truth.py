"""What really happened at the register, against what the books say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from chekhov.config.database import clock_ms, execute, fetch, for_update, placeholders, writing
from chekhov.delivery.claims import key_of
from chekhov.emulator.testing import EmulatorProcess
from chekhov.receipts import writer
from chekhov.receipts.models import FiscalRecord, Obligation, Receipt, ReceiptState
from chekhov.receipts.states import State

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


def assert_books_agree(emulator: EmulatorProcess, *, facts: int | None = None, settled: bool = True) -> None:
    """Each obligation has at most one document, no state says more than is true, and no kopeck is lost or made.

    With `settled`, each obligation has exactly one document and is known to have it.
    """
    tasks = {task["external_id"]: task for task in emulator.receipts()}
    done = {key: task for key, task in tasks.items() if task["state"] == "done"}
    assert len(done) == len(printed(emulator)), "one key, one document"
    documents = {(task["fiscal_data"] or {}).get("i") or key for key, task in done.items()}
    assert len(documents) == len(done), "no document number twice"
    if facts is not None:
        assert Obligation.objects.count() == facts
    explained: set[str] = set()
    for obligation in Obligation.objects.all():
        of_obligation: list[str] = []
        for receipt in Receipt.objects.filter(obligation=obligation).select_related("status"):
            status = receipt.status
            keys = [key_of(receipt.uuid, number) for number in range(1, status.key_number + 1)]
            own = [key for key in keys if key in done]
            of_obligation += own
            assert writer.chain_is_whole(receipt.pk)
            record = FiscalRecord.objects.filter(receipt=receipt).first()
            assert (record is not None) == (status.state == State.FISCALIZED)
            if status.state == State.FISCALIZED:
                assert len(own) == 1, "a fiscalized receipt exists at the register, once"
                told = done[own[0]]["fiscal_data"]
                assert record is not None
                assert (record.fn, record.fd, record.fp) == (told["fn"], int(told["i"]), told["fp"])
                assert record.total_kopecks == receipt.total_kopecks == obligation.amount_kopecks
            if status.state in (State.REFUSED, State.CANCELLED):
                assert not own, "what is refused or cancelled does not exist at the register"
            if status.state == State.FAILED:
                assert not own, "what has failed does not exist at the register"
        assert len(of_obligation) <= 1, "never two documents for one settlement"
        if settled:
            assert len(of_obligation) == 1, "exactly one document for each settlement"
            assert obligation.receipts.filter(status__state=State.FISCALIZED).count() == 1
        explained |= set(of_obligation)
    assert explained == set(done), "the register printed nothing that the books do not know"
    if settled:
        owed = sum(Obligation.objects.values_list("amount_kopecks", flat=True))
        assert sum(kopecks(task) for task in done.values()) == owed


def kopecks(task: dict[str, Any]) -> int:
    """The total of a task's request, from its payments."""
    return sum(round(payment["sum"] * 100) for payment in task["request"]["payments"])
