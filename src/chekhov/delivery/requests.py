"""What a person asks of a receipt that exists: try again, or cancel it.

Retry and cancellation of a failed receipt are wishes: the worker asks the provider once more about the old task, and
only if it is still without a receipt does the wish come true.
"""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings

from chekhov.config.clock import now
from chekhov.config.database import clock_ms, execute, placeholders, writing
from chekhov.delivery.models import Attempt
from chekhov.delivery.outcomes import PROVES_ABSENCE, Outcome
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
    reason = _checked_reason(reason)
    with writing():
        head = writer.heads([receipt.pk], lock=True).get(receipt.pk)
        if head is None:
            raise NotFound("receipt_not_found", "Такого чека нет.")
        if head.state is State.FAILED:
            _wish(receipt, "cancel", {State.FAILED}, actor, summary=reason)
            return
        if head.state not in {State.REFUSED, State.QUEUED} or not _is_provably_absent(head):
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
        head = writer.heads([receipt.pk], lock=True).get(receipt.pk)
        if head is not None and head.wanted and head.wanted != wish:
            raise Conflict(
                "other_wish",
                f"По этому чеку уже попросили: «{WISHES[head.wanted]}» ({head.wanted_by}).",
                next_step="Дождитесь, пока касса ответит о прежней задаче.",
            )
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


def receipt_absent(*, receipt: Receipt, actor: User, reason: str) -> None:
    """«В кабинете чека нет»: a person who has looked settles an unknown outcome that the protocol cannot settle.

    Lawful only when the last answer under the current key was a refusal and every sending without an answer is older
    than its lease and time-outs together, so that none can be under way. The receipt becomes `refused`.
    Raises Invalid (`reason`), Conflict (`not_settleable`).
    """
    reason = _checked_reason(reason)
    with writing():
        head = writer.heads([receipt.pk], lock=True)[receipt.pk]
        if not is_settleable(receipt, head.key_number) or head.state is not State.UNKNOWN:
            raise Conflict(
                "not_settleable",
                "Исход этого чека ещё может выясниться сам: касса его не отклоняла или отправка ещё идёт.",
                next_step="Подождите ответа сервиса.",
            )
        change = writer.Change(
            head, State.REFUSED, "absence_confirmed", reason, error_code="absence_confirmed", error_text=reason
        )
        assert writer.apply([change], actor=actor.actor_name), "the state was locked"
        action_log(actor=actor, kind="receipt_absent", subject=str(receipt.uuid), summary=reason)


def is_settleable(receipt: Receipt, key_number: int) -> bool:
    """Whether a person may say that the provider has no receipt under this key: see `receipt_absent`."""
    attempts = list(Attempt.objects.filter(receipt=receipt, key_number=key_number).order_by("number"))
    if not attempts or attempts[-1].outcome != Outcome.REFUSED:
        return False
    longest = timedelta(
        seconds=settings.CHEKHOV_LEASE_SECONDS
        + settings.CHEKHOV_CONNECT_TIMEOUT_SECONDS
        + settings.CHEKHOV_READ_TIMEOUT_SECONDS
    )
    return all(attempt.sent_at < now() - longest for attempt in attempts if attempt.outcome not in PROVES_ABSENCE)


def _is_provably_absent(head: writer.Head) -> bool:
    """Whether every attempt under the current key is known to have stored nothing at the provider, or a person has
    settled it. Earlier keys were given up only after their tasks had failed.
    """
    if head.state is State.REFUSED:
        return True
    attempts = Attempt.objects.filter(receipt_id=head.receipt_id, key_number=head.key_number)
    return all(outcome in PROVES_ABSENCE for outcome in attempts.values_list("outcome", flat=True))


def _checked_reason(reason: str) -> str:
    reason = " ".join(reason.split())
    if not 3 <= len(reason) <= 300:
        raise Invalid("reason", "Напишите причину: от 3 до 300 символов.", next_step="Заполните причину.")
    return reason
