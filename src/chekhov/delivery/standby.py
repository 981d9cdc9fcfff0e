"""The stand-by register: where a queued receipt goes when its own register cannot take it for long.

It moves only when it is certain that the first has nothing of it: never sent, or every sending under every key proven
absent. Otherwise it waits, and says so. The document is not touched. The state's account and queue change through the
single writer, with an event; a receipt that was sent before goes on under its next key, because the bytes name another
account's link for notifications and a key never means two bodies. The first register cannot send it later: claims go
by the state's queue.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import structlog

from chekhov.config.database import fetch, for_update, read_clock_ms, writing
from chekhov.delivery.absence import present_anywhere
from chekhov.delivery.models import Breaker, Lane
from chekhov.drivers import registry
from chekhov.drivers.contract import Driver
from chekhov.fiscal.codec import load
from chekhov.receipts import writer
from chekhov.receipts.models import Receipt
from chekhov.receipts.states import State
from chekhov.registers.models import Register
from chekhov.registers.standby import standing_of, unfit

log = structlog.get_logger(__name__)

MOVED_AT_ONCE = 200
PAUSE_GAP_MS = 60_000  # between the end of a pause and the answer that makes the next
STAYS = "standby_stays"
"""Error code of a queued receipt that may not move: the first register may have had it, or the other cannot take it."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A register that cannot be reached, and the one that stands by for it."""

    first: Register
    standby: Register
    reason: str  # a sentence: why the first cannot be reached


def standby_of(receipt: Receipt) -> Register | None:
    """The stand-by register that a receipt was moved to; None where its own has it. Needs `status` and `register`."""
    status, own = receipt.status, receipt.register
    if (status.account_id, status.queue) == (own.account_id, own.queue) or own.standby is None:
        return None
    is_there = (own.standby.account_id, own.standby.queue) == (status.account_id, status.queue)
    return own.standby if is_there else None


def down_since(lane: Lane | None, clock: int) -> tuple[int, str]:
    """Since when a lane takes nothing, by the database's clock, and why; 0 where it does.

    A pause that is over and was not followed by another says nothing: nobody has tried since.
    """
    if lane is None:
        return 0, ""
    causes = [
        (lane.stopped_ms, f"остановлена: {lane.stopped_by}"),
        (lane.broken_since_ms if lane.breaker != Breaker.CLOSED else 0, "сервис кассы не отвечает"),
        (
            lane.pause_since_ms if lane.paused_until_ms > clock - PAUSE_GAP_MS else 0,
            f"отправка приостановлена: {lane.pause_text or lane.pause_code}",
        ),
        (lane.passive_since_ms, "касса не на связи с сервисом"),
    ]
    found = [cause for cause in causes if cause[0]]
    return min(found) if found else (0, "")


def pairs_active() -> list[Pair]:
    """Registers that have been down for longer than their records allow and whose stand-by register works."""
    rows = list(
        Register.objects.filter(standby__isnull=False)
        .select_related("account", "place", "standby__account", "standby__place")
        .order_by("pk")
    )
    if not rows:
        return []
    lanes = {(lane.account_id, lane.queue): lane for lane in Lane.objects.order_by("pk")}
    clock = read_clock_ms()
    found: list[Pair] = []
    for row in rows:
        standby = row.standby
        assert standby is not None
        since, reason = down_since(lanes.get((row.account_id, row.queue)), clock)
        if not since or clock - since < row.standby_after_minutes * 60_000:
            continue
        other = lanes.get((standby.account_id, standby.queue))
        if down_since(other, clock)[0] or unfit(standing_of(row), standing_of(standby)) is not None:
            continue
        found.append(Pair(row, standby, reason))
    return found


def diverted_registers(account_id: int, queue: int) -> list[int]:
    """The records of a diverted queue whose receipts go to their stand-by register now."""
    return [
        pair.first.pk for pair in pairs_active() if (pair.first.account_id, pair.first.queue) == (account_id, queue)
    ]


def standby_serve() -> int:
    """Divert what is down, take back what works again, and move what waits; how many receipts moved.

    Called by workers now and then: one small read where no register has a stand-by.
    """
    if not fetch("SELECT 1 FROM registers_register WHERE standby_id IS NOT NULL LIMIT 1") and not fetch(
        "SELECT 1 FROM delivery_lane WHERE diverted LIMIT 1"
    ):
        return 0
    pairs = pairs_active()
    _divert({(pair.first.account_id, pair.first.queue) for pair in pairs})
    return sum(_move(pair) for pair in pairs)


def _divert(wanted: set[tuple[int, int]]) -> None:
    for lane in Lane.objects.order_by("pk"):
        if lane.diverted != ((lane.account_id, lane.queue) in wanted):
            with writing():
                Lane.objects.filter(pk=lane.pk).update(diverted=not lane.diverted)


def _move(pair: Pair) -> int:
    """Move what waits for the first register, the oldest first, a few hundred at a time."""
    with writing():
        rows = fetch(
            f"SELECT {writer.HEAD_COLUMNS}, r.document, s.due_ms, "
            "(SELECT MAX(a.key_number) FROM delivery_attempt a WHERE a.receipt_id = s.receipt_id) "
            "FROM receipts_receiptstate s JOIN receipts_receipt r ON r.id = s.receipt_id "
            "WHERE s.account_id = %s AND s.queue = %s AND s.state = 'queued' AND s.due_ms IS NOT NULL "
            "AND r.register_id = %s AND s.error_code <> %s "
            f"ORDER BY s.due_ms LIMIT %s{for_update(of='s', skip_locked=True)}",
            [pair.first.account_id, pair.first.queue, pair.first.pk, STAYS, MOVED_AT_ONCE],
        )
        if not rows:
            return 0
        present = present_anywhere([row[0] for row in rows])
        clock = read_clock_ms()
        amendments = list(_amendments(pair, rows, present, clock))
        amended = writer.amend(amendments, actor="delivery")
        return sum(1 for item in amendments if item.lane is not None and item.head.receipt_id in amended)


def _amendments(
    pair: Pair, rows: list[tuple[object, ...]], present: set[int], clock: int
) -> Iterator[writer.Amendment]:
    driver = registry.get(pair.standby.account.provider).driver
    names = f"«{pair.first.name}» → «{pair.standby.name}»"
    for row in rows:
        head, document, due_ms, sent_key = writer.head_of(row), str(row[12]), int(str(row[13])), row[14]
        place_ms = due_ms - clock  # it keeps its place in the order of time
        if head.receipt_id in present:
            why = "Основная касса могла взять этот чек раньше: на резервную он не переводится и ждёт её."
            yield writer.Amendment(head, STAYS, why, due_in_ms=place_ms, error_code=STAYS, error_text=why)
            continue
        refusal = _refusal(driver, head, document)
        if refusal:
            why = f"Резервная касса не примет этот чек: {refusal} Он ждёт основную."
            yield writer.Amendment(head, STAYS, why, due_in_ms=place_ms, error_code=STAYS, error_text=why)
            continue
        proof = "не отправлялся" if sent_key is None else "ни одна отправка не принята"
        yield writer.Amendment(
            head,
            "moved_to_standby",
            f"Переведён на резервную кассу: {names}. Основная недоступна ({pair.reason}), чека у неё нет: {proof}.",
            due_in_ms=place_ms,
            lane=(pair.standby.account_id, pair.standby.queue),
            key_number=head.key_number if sent_key is None else max(head.key_number, int(str(sent_key))) + 1,
        )


def _refusal(driver: Driver, head: writer.Head, document: str) -> str:
    """Why the other register cannot take a document; empty when it can. One that cannot be read holds back no other."""
    try:
        problem = next((item for item in driver.validate(load(document)) if item.fatal), None)
    except Exception:
        log.exception("standby.unreadable_document", receipt=head.receipt_id)
        return "документ не читается, это ошибка программы."
    return problem.text if problem is not None else ""


def is_elsewhere(head: writer.Head, account_id: int, queue: int) -> bool:
    """Whether a receipt is on another queue than this one now."""
    lane = fetch("SELECT account_id, queue FROM receipts_receiptstate WHERE receipt_id = %s", [head.receipt_id])[0]
    return (lane[0], lane[1]) != (account_id, queue)


def bring_back(head: writer.Head, account_id: int, queue: int) -> writer.Head:
    """A queued receipt of which another register says, against its own word, that it has it: it belongs there again.

    The head as it is afterwards; the same where the receipt is on that queue anyway. Must run inside a transaction.
    """
    if head.state is not State.QUEUED or not is_elsewhere(head, account_id, queue):
        return head
    text = "Прежняя касса сообщила о своей задаче: чек возвращён к ней, на резервную он не уходит."
    amendment = writer.Amendment(head, "brought_back", text, due_in_ms=0, lane=(account_id, queue))
    writer.amend([amendment], actor="delivery")
    return writer.heads([head.receipt_id])[head.receipt_id]
