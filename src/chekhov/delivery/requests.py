"""What a person asks of a receipt that exists: try again, or cancel it.

Retry and cancellation of a failed receipt are wishes: the worker asks the provider once more about the old task, and
only if it is still without a receipt does the wish come true.
"""

from __future__ import annotations

from chekhov.config.database import clock_ms, execute, placeholders, writing
from chekhov.delivery.models import Attempt
from chekhov.delivery.outcomes import PROVES_ABSENCE
from chekhov.errors import Conflict, Invalid, NotFound
from chekhov.people.models import User
from chekhov.people.services import action_log
from chekhov.receipts import writer
from chekhov.receipts.models import Receipt
from chekhov.receipts.states import State

WISHES = {"retry": "Пробить ещё раз", "cancel": "Отменить"}


def receipt_retry(*, receipt: Receipt, actor: User) -> None:
    """Ask for another try of a failed receipt. Raises Conflict (`not_failed`)."""
    _wish(receipt, "retry", {State.FAILED}, actor)


def receipt_cancel(*, receipt: Receipt, actor: User, reason: str) -> None:
    """Cancel a receipt that provably does not exist: refused, failed, or queued and never taken by the provider.

    Raises Invalid (`reason`), Conflict (`not_cancellable`).
    """
    reason = " ".join(reason.split())
    if not 3 <= len(reason) <= 300:
        raise Invalid("reason", "Напишите причину отмены: от 3 до 300 символов.", next_step="Заполните причину.")
    with writing():
        head = writer.heads([receipt.pk], lock=True).get(receipt.pk)
        if head is None:
            raise NotFound("receipt_not_found", "Такого чека нет.")
        if head.state is State.FAILED:
            _wish(receipt, "cancel", {State.FAILED}, actor, summary=reason)
            return
        if head.state not in {State.REFUSED, State.QUEUED} or not _is_provably_absent(receipt.pk):
            raise Conflict(
                "not_cancellable",
                f"Чек в состоянии «{head.state.label}» отменить нельзя: возможно, он уже пробит или пробивается.",
                next_step="Дождитесь исхода. Пробитый чек исправляют возвратом или чеком коррекции.",
            )
        moved = writer.apply(
            [writer.Change(head, State.CANCELLED, "cancelled_by_person", reason)], actor=actor.actor_name
        )
        assert moved, "the state was locked"
        action_log(actor=actor, kind="receipt_cancel", subject=str(receipt.uuid), summary=reason)


def _wish(receipt: Receipt, wish: str, states: set[State], actor: User, *, summary: str = "") -> None:
    name = actor.actor_name
    with writing():
        touched = execute(
            f"UPDATE receipts_receiptstate SET wanted = %s, wanted_by = %s, due_ms = {clock_ms()} "
            f"WHERE receipt_id = %s AND state IN {placeholders(len(states))}",
            [wish, name, receipt.pk, *(state.value for state in states)],
        )
        if not touched:
            raise Conflict(
                "not_failed",
                "Этот чек уже не в состоянии «Ошибка кассы».",
                next_step="Обновите страницу и посмотрите, что с ним стало.",
            )
        action_log(actor=actor, kind=f"receipt_{wish}", subject=str(receipt.uuid), summary=summary or WISHES[wish])


def _is_provably_absent(receipt_id: int) -> bool:
    """Whether every attempt under every key is known to have stored nothing at the provider."""
    outcomes = Attempt.objects.filter(receipt_id=receipt_id).values_list("outcome", flat=True)
    return all(outcome in PROVES_ABSENCE for outcome in outcomes)
