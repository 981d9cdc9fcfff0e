"""What a person asks of a receipt that exists: try again, or cancel it.

Retry and cancellation of a failed receipt are wishes: the worker asks the provider once more about the old task, and
only if it is still without a receipt does the wish come true.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from chekhov.config.clock import now
from chekhov.config.database import affected, clock_ms, placeholders, writing
from chekhov.delivery.absence import absence_write, is_absent, longest_call, open_attempts, present_anywhere
from chekhov.delivery.lanes import QUESTIONS
from chekhov.delivery.models import Attempt
from chekhov.delivery.outcomes import Outcome
from chekhov.delivery.selectors import LATE, PERSON_DECIDES, waiting_for_person
from chekhov.delivery.sightings import answered_by_person, ask_again, fact_lock
from chekhov.errors import Conflict, Invalid, NotFound
from chekhov.people.models import User
from chekhov.people.services import action_log
from chekhov.receipts import writer
from chekhov.receipts.answers import NEEDS_CORRECTION
from chekhov.receipts.incidents import FIGURES, incident_close, incidents_forbid
from chekhov.receipts.lateness import SEND, is_late
from chekhov.receipts.models import Incident, Receipt, ReceiptState
from chekhov.receipts.states import State

WISHES = {"retry": "Пробить ещё раз", "cancel": "Отменить"}


def receipt_retry(*, receipt: Receipt, actor: User) -> None:
    """Ask for another try of a failed receipt. Raises Conflict (`not_failed`, `incident_open`)."""
    incidents_forbid(obligation_id=receipt.obligation_id)
    _wish(receipt, "retry", {State.FAILED}, actor)


def receipt_cancel(*, receipt: Receipt, actor: User, reason: str) -> None:
    """Cancel a receipt that provably does not exist: refused, failed, or queued and never taken by the provider.

    Raises Invalid (`reason`), Conflict (`not_cancellable`).
    """
    reason = _checked_reason(reason)
    with writing():
        head = fact_lock(receipt.pk).get(receipt.pk)
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
        ask_again([receipt.pk])
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
        # whoever asks for another try of a receipt that is late chooses the ordinary one
        is_choice = wish == "retry" and is_late(receipt.obligation.due_at)
        touched = affected(
            f"UPDATE receipts_receiptstate SET wanted = %s, wanted_by = %s, due_ms = {clock_ms()}, "
            "late_choice = CASE WHEN %s = 1 THEN 'send' ELSE late_choice END "
            f"WHERE receipt_id = %s AND state IN {placeholders(len(states))}",
            [wish, name, int(is_choice), receipt.pk, *(state.value for state in states)],
        )
        if not touched:
            raise Conflict(
                "not_failed",
                "Этот чек уже не в состоянии «Ошибка кассы».",
                next_step="Обновите страницу и посмотрите, что с ним стало.",
            )
        action_log(
            actor=actor,
            kind=f"receipt_{wish}",
            subject=str(receipt.uuid),
            summary=(summary or WISHES[wish]) + (", хотя чек опоздал" if is_choice else ""),
        )


def receipt_absent(*, receipt: Receipt, actor: User, reason: str, send_again: bool = False) -> None:
    """«В кабинете чека нет»: a person who has looked settles an unknown outcome that the protocol cannot settle.

    Lawful only when the last answer under the current key was a refusal, or the provider can neither be asked by our
    key nor knows a repeat for one; and when every sending without an answer is older than its lease and time-outs
    together, so that none can be under way. The receipt becomes `refused`; with `send_again`, which a refused document
    cannot have, it goes back to the queue and is sent under the same key.
    Raises Invalid (`reason`), Conflict (`not_settleable`).
    """
    reason = _checked_reason(reason)
    with writing():
        head = writer.heads([receipt.pk], lock=True)[receipt.pk]
        last = _last_attempt(receipt, head.key_number)
        if (
            head.state is not State.UNKNOWN
            or not is_settleable(receipt, head.key_number)
            or (send_again and (last is None or last.outcome == Outcome.REFUSED))
        ):
            raise Conflict(
                "not_settleable",
                "Исход этого чека ещё может выясниться сам: касса его не отклоняла или отправка ещё идёт.",
                next_step="Подождите ответа сервиса.",
            )
        assert last is not None
        name = actor.actor_name
        text = f"Человек проверил кабинет сервиса: чека нет. {reason}"
        absence_write(
            receipt_id=receipt.pk, key_number=head.key_number, attempt_number=last.number, found_by=name, text=text
        )
        if send_again:
            change = writer.Change(head, State.QUEUED, "absent", text, due_in_ms=0)
        else:
            change = writer.Change(
                head, State.REFUSED, "absence_confirmed", reason, error_code="absence_confirmed", error_text=reason
            )
        assert writer.apply([change], actor=name), "the state was locked"
        action_log(actor=actor, kind="receipt_absent", subject=str(receipt.uuid), summary=reason, send_again=send_again)


def receipt_found(*, receipt: Receipt, actor: User, task: str) -> None:
    """«Чек в кабинете есть»: the number of its task, which the provider did not tell us. It is asked about at once.

    A mistake does no harm: an answer about another document is not believed. Raises Invalid (`task`), Conflict
    (`task_known`).
    """
    task = "".join(task.split())
    if not re.fullmatch(r"[0-9A-Za-z._:-]{1,64}", task):
        raise Invalid("task", "Номер задачи: до 64 цифр и латинских букв.", next_step="Скопируйте его из кабинета.")
    with writing():
        head = writer.heads([receipt.pk], lock=True)[receipt.pk]
        if head.state not in (State.UNKNOWN, State.ACCEPTED) or head.provider_ref:
            raise Conflict(
                "task_known",
                "Номер задачи этого чека уже известен, или исход уже выяснен.",
                next_step="Обновите страницу и посмотрите, что с ним стало.",
            )
        writer.touch([writer.Touch(receipt.pk, head.version, 0, 0, task)])
        action_log(actor=actor, kind="receipt_found", subject=str(receipt.uuid), summary=f"Номер задачи {task}")


def incident_settle(*, incident: Incident, actor: User, note: str, not_printed: bool = False) -> None:
    """«Разобрано»: close an incident, and ask the provider again about what it was about. Its answer makes the journal
    say what is so; should it contradict the journal again, the incident is opened again.

    What was sighted still holds the fact until the provider has answered; with `not_printed` the person answers in its
    place: the former task has printed nothing, the receipt may go on.
    Raises Invalid (`note`), Conflict (`incident_closed`).
    """
    with writing():
        heads = fact_lock(incident.receipt_id)
        finding = "прежний чек не пробит" if not_printed else ""
        incident_close(incident=incident, actor=actor, note=note, finding=finding)
        if not_printed:
            answered_by_person(incident.receipt_id)
            cancelled = [head for head in heads.values() if head.state is State.CANCELLED]
            writer.touch(
                [writer.Touch(head.receipt_id, head.version, None, 0, head.provider_ref) for head in cancelled]
            )
        asked = ask_again([incident.receipt_id])
        head = heads[incident.receipt_id]
        if incident.code == FIGURES and head.state in QUESTIONS and incident.receipt_id not in asked:
            writer.touch([writer.Touch(head.receipt_id, head.version, 0, 0, head.provider_ref)])
        waiting = ReceiptState.objects.filter(pk__in=heads, error_code=PERSON_DECIDES, state=State.UNKNOWN)
        for receipt_id in waiting.values_list("pk", flat=True):  # looked at anew: perhaps it need not wait any more
            writer.touch([writer.Touch(receipt_id, heads[receipt_id].version, 0, heads[receipt_id].polls)])


def is_settleable(receipt: Receipt, key_number: int) -> bool:
    """Whether a person may say that the provider has no receipt under this key: see `receipt_absent`. Not while the
    number of its task is known: the provider is asked about that.
    """
    last = _last_attempt(receipt, key_number)
    if last is None or ReceiptState.objects.filter(pk=receipt.pk).exclude(provider_ref="").exists():
        return False
    if last.outcome != Outcome.REFUSED:
        waits = ReceiptState.objects.filter(pk=receipt.pk, error_code=PERSON_DECIDES, state=State.UNKNOWN)
        if not waits.exists():
            return False
    numbers = open_attempts(receipt.pk, key_number)
    sent = Attempt.objects.filter(receipt=receipt, number__in=numbers).values_list("sent_at", flat=True)
    return all(sent_at < now() - longest_call() for sent_at in sent)


def _last_attempt(receipt: Receipt, key_number: int) -> Attempt | None:
    return Attempt.objects.filter(receipt=receipt, key_number=key_number).order_by("-number").first()


# --- late receipts ----------------------------------------------------------------------------------------------------


def receipts_send_late(*, receipt_ids: Sequence[int], actor: User, reason: str) -> int:
    """«Пробить чек всё равно»: late receipts go as ordinary ones; how many. At most 500 at once.

    Raises Invalid (`reason`), Conflict (`not_late`) where none of them waits for this choice any more.
    """
    reason = _checked_reason(reason)
    with writing():
        heads = _late_heads(receipt_ids[:500])
        sent = writer.amend(
            [
                writer.Amendment(head, "late_sent_anyway", reason, due_in_ms=0, late_choice=SEND)
                for head in heads.values()
            ],
            actor=actor.actor_name,
        )
        for receipt_id in sorted(sent):
            action_log(actor=actor, kind="receipt_send_late", subject=str(heads[receipt_id].uuid), summary=reason)
        return len(sent)


def receipt_leave_for_correction(*, receipt: Receipt, actor: User, reason: str) -> None:
    """«Оставить для коррекции»: the late ordinary receipt will not be sent. The settlement stays without a receipt, on
    the list, with the word that it needs a correction. Raises Invalid (`reason`), Conflict (`not_late`).
    """
    reason = _checked_reason(reason)
    with writing():
        fact_lock(receipt.pk)
        head = _late_heads([receipt.pk])[receipt.pk]
        if present_anywhere([receipt.pk]):
            raise Conflict(
                "not_cancellable",
                "Этот чек уже отправляли, и не про каждую отправку доказано, что чека нет.",
                next_step="Пробейте обычный чек: прежняя задача будет учтена.",
            )
        change = writer.Change(
            head, State.CANCELLED, "left_for_correction", reason, error_code=NEEDS_CORRECTION, error_text=reason
        )
        assert writer.apply([change], actor=actor.actor_name), "the state was locked"
        ask_again([receipt.pk])
        action_log(actor=actor, kind="receipt_correct", subject=str(receipt.uuid), summary=reason)


def _late_heads(receipt_ids: Sequence[int]) -> dict[int, writer.Head]:
    """Those of the receipts that are held as late, locked."""
    waiting = set(waiting_for_person(LATE).filter(pk__in=receipt_ids).values_list("pk", flat=True))
    heads = {key: head for key, head in writer.heads(sorted(waiting), lock=True).items() if head.state is State.QUEUED}
    if not heads:
        raise Conflict(
            "not_late",
            "Этот чек решения уже не ждёт: его выбрали раньше или он отменён.",
            next_step="Обновите страницу и посмотрите, что с ним стало.",
        )
    return heads


def _is_provably_absent(head: writer.Head) -> bool:
    """Whether every attempt under the current key is known to have stored nothing at the provider, or a person has
    settled it. Earlier keys were given up only after their tasks had failed.
    """
    return head.state is State.REFUSED or is_absent(head.receipt_id, head.key_number)


def _checked_reason(reason: str) -> str:
    reason = " ".join(reason.split())
    if not 3 <= len(reason) <= 300:
        raise Invalid("reason", "Напишите причину: от 3 до 300 символов.", next_step="Заполните причину.")
    return reason
