"""Sightings: a task of a key or a receipt that was given up is said to have printed.

Such a word is kept until it is answered. Until then, and while an incident of the fact is open, nothing more is sent
for the fact. As soon as that task alone can be the receipt, because nothing else of the fact is alive, the provider is
asked about it, and its answer settles what the document is: so the figures of what was printed are not lost, and no
second one is made in its place. A person who has looked may answer instead. An answer to a question that was asked
before the word came answers nothing; and what was answered once may be sighted anew.
"""

from __future__ import annotations

from collections.abc import Collection
from enum import IntEnum
from typing import Any

from chekhov.config.clock import now
from chekhov.config.database import execute, fetch, instant, one_of
from chekhov.delivery.standby import bring_back
from chekhov.receipts import writer
from chekhov.receipts.states import State

HELD_TEXT = "Ждёт: по этой оплате, возможно, уже пробит чек. Разберите происшествие или дождитесь ответа сервиса."


class Held(IntEnum):
    """Whether the fact of a receipt may have its document already, so that none may be sent."""

    NO = 0
    ASKING = 1  # the provider is being asked
    DOUBTED = 2  # an incident is open, or a sighting is not answered


HELD_SQL = (
    f"CASE WHEN r.generation > 1 AND EXISTS (SELECT 1 FROM receipts_receiptstate c WHERE c.obligation_id = "
    f"s.obligation_id AND c.state = 'cancelled' AND c.due_ms IS NOT NULL) THEN {Held.ASKING:d} "
    "WHEN s.obligation_id IN (SELECT x.obligation_id FROM receipts_incident i JOIN receipts_receiptstate x "
    "ON x.receipt_id = i.receipt_id WHERE i.closed_at IS NULL AND i.code IN ('second_document', 'figures')) "
    "OR s.obligation_id IN (SELECT y.obligation_id FROM delivery_sighting g JOIN receipts_receiptstate y "
    f"ON y.receipt_id = g.receipt_id WHERE g.answered_at IS NULL) THEN {Held.DOUBTED:d} ELSE {Held.NO:d} END"
)
"""`Held` of a receipt `r` and its state `s`, in SQL."""


def sighted(*, receipt_id: int, key_number: int, provider_ref: str, is_own: bool = False) -> None:
    """Keep the word that a task has printed. Must run inside a transaction."""
    writer.word_heard(receipt_id)
    execute(
        "INSERT INTO delivery_sighting (receipt_id, key_number, provider_ref, seen_at, is_own, answer) "
        "VALUES (%s, %s, %s, %s, %s, '') ON CONFLICT DO NOTHING",
        [receipt_id, key_number, provider_ref[:64], instant(now()), is_own],
    )


def given_up(*, receipt_id: int, key_number: int, provider_ref: str) -> None:
    """A task is given up: the provider, asked once more, has said that it failed. Must run inside a transaction."""
    stamp = instant(now())
    execute(
        "INSERT INTO delivery_sighting (receipt_id, key_number, provider_ref, seen_at, is_own, answered_at, answer) "
        "VALUES (%s, %s, %s, %s, %s, %s, 'failed')",
        [receipt_id, key_number, provider_ref[:64], stamp, True, stamp],
    )


def is_known(receipt_id: int, provider_ref: str) -> bool:
    """Whether this task of a receipt was sighted or given up before: that it exists is nothing new."""
    sql = "SELECT 1 FROM delivery_sighting WHERE receipt_id = %s AND provider_ref = %s LIMIT 1"
    return bool(fetch(sql, [receipt_id, provider_ref]))


def ask(head: writer.Head, key_number: int, provider_ref: str, *, is_word: bool = True) -> bool:
    """Ask next about this task, as the one that the receipt is; False where something else of it may be alive. The head
    must be locked.
    """
    sent = _lane(head.receipt_id, key_number)
    if head.state is State.QUEUED and sent is not None:
        change = writer.Change(
            bring_back(head, *sent),
            State.ACCEPTED,
            "old_key_lives",
            "Прежняя задача, по сообщению сервиса, пробита: перепроверяем её, под новым ключом чек не уходит.",
            due_in_ms=0,
            key_number=key_number,
            provider_ref=provider_ref,
        )
        return bool(writer.apply([change], actor="delivery"))
    question = asking(head, key_number, provider_ref, is_word=is_word)
    writer.touch([question] if question is not None else [])
    return question is not None


def asking(head: writer.Head, key_number: int, provider_ref: str, *, is_word: bool = True) -> writer.Touch | None:
    """How a receipt that was given up comes to be asked about under this key; None where it cannot. Must run inside a
    transaction.

    Its own task, which has failed, gives place: it is asked about afterwards, so that no wish comes true on an answer
    about another one. `is_word`: the provider has just spoken of the other, anew perhaps; otherwise the turn has come
    to it, and what has had its own turn has no other.
    """
    sent = _lane(head.receipt_id, key_number)
    if head.state not in (State.FAILED, State.CANCELLED) or sent is None:
        return None
    own = head.provider_ref
    if own not in ("", provider_ref) and (is_word or not is_known(head.receipt_id, own)):
        sighted(receipt_id=head.receipt_id, key_number=head.key_number, provider_ref=own, is_own=True)
    return writer.Touch(head.receipt_id, head.version, 0, 0, provider_ref, key_number=key_number, lane=sent)


def unanswered(receipt_ids: Collection[int]) -> set[int]:
    """Those of the receipts of which something was sighted that nobody has answered yet."""
    if not receipt_ids:
        return set()
    these, parameters = one_of("receipt_id", receipt_ids)
    return {
        int(row[0])
        for row in fetch(f"SELECT receipt_id FROM delivery_sighting WHERE answered_at IS NULL AND {these}", parameters)
    }


def answered(*, receipt_id: int, provider_ref: str, answer: str) -> None:
    """The provider has said what became of a task that was sighted. Must run inside a transaction."""
    execute(
        "UPDATE delivery_sighting SET answered_at = %s, answer = %s "
        "WHERE receipt_id = %s AND provider_ref = %s AND answered_at IS NULL",
        [instant(now()), answer, receipt_id, provider_ref],
    )


def answered_by_person(receipt_id: int) -> None:
    """A person has looked: nothing that was sighted of this receipt's fact has printed."""
    execute(
        "UPDATE delivery_sighting SET answered_at = %s, answer = 'person' "
        "WHERE answered_at IS NULL AND NOT is_own AND receipt_id IN "
        "(SELECT receipt_id FROM receipts_receiptstate WHERE obligation_id = "
        "(SELECT obligation_id FROM receipts_receiptstate WHERE receipt_id = %s))",
        [instant(now()), receipt_id],
    )


def fact_lock(receipt_id: int) -> dict[int, writer.Head]:
    """The heads of all receipts of a receipt's fact, locked in the one order."""
    rows = fetch(
        "SELECT receipt_id FROM receipts_receiptstate WHERE obligation_id = "
        "(SELECT obligation_id FROM receipts_receiptstate WHERE receipt_id = %s)",
        [receipt_id],
    )
    return writer.heads([int(row[0]) for row in rows], lock=True)


def _lane(receipt_id: int, key_number: int) -> tuple[int, int] | None:
    """Where a receipt was sent under a key."""
    rows = fetch(
        "SELECT account_id, queue FROM delivery_attempt WHERE receipt_id = %s AND key_number = %s LIMIT 1",
        [receipt_id, key_number],
    )
    return (int(rows[0][0]), int(rows[0][1])) if rows else None


def ask_sighted(head: writer.Head) -> bool:
    """`ask` about the newest sighting of this receipt that is not answered, if it has one."""
    found = fetch(
        "SELECT key_number, provider_ref FROM delivery_sighting WHERE receipt_id = %s AND answered_at IS NULL "
        "ORDER BY is_own, id DESC LIMIT 1",
        [head.receipt_id],
    )
    return bool(found) and ask(head, int(found[0][0]), str(found[0][1]), is_word=False)


def ask_again(receipt_ids: Collection[int]) -> set[int]:
    """These receipts were given up, or a person has looked into them: what was sighted of their facts is asked about,
    wherever no other receipt of the fact is alive; one that waits in the queue may give way. Must run inside a
    transaction. The receipts that are asked about now.
    """
    if not receipt_ids:
        return set()
    these, parameters = one_of("receipt_id", receipt_ids)
    rows: list[tuple[Any, ...]] = fetch(
        "SELECT s.receipt_id FROM receipts_receiptstate s WHERE "
        f"s.obligation_id IN (SELECT obligation_id FROM receipts_receiptstate WHERE {these}) "
        "AND EXISTS (SELECT 1 FROM delivery_sighting g WHERE g.receipt_id = s.receipt_id AND g.answered_at IS NULL) "
        "AND NOT EXISTS (SELECT 1 FROM receipts_receiptstate o WHERE o.obligation_id = s.obligation_id "
        "AND o.receipt_id <> s.receipt_id AND o.state NOT IN ('cancelled', 'queued'))",
        parameters,
    )
    found = writer.heads([int(row[0]) for row in rows], lock=True)
    return {key for key, head in found.items() if ask_sighted(head)}
