"""What an answer does to a receipt. Pure: from what was known, to one transition or to a later look.

`refused` and `queued` again are said of the document, not of the last call: they need proof that every attempt under
every key stored nothing at the provider. While one attempt is without such proof the receipt is «исход неизвестен»,
whatever a repeat was told.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from zlib import crc32

from chekhov.delivery.reconcile import LOOKUPS_LEAST
from chekhov.delivery.selectors import PERSON_DECIDES
from chekhov.drivers.contract import (
    Accepted,
    Capabilities,
    Dedup,
    Done,
    ErrorKind,
    Failed,
    LookupOutcome,
    NotFound,
    Pending,
    PollOutcome,
    ProviderError,
    Refused,
    SubmitOutcome,
    Unsent,
    Unsure,
)
from chekhov.fiscal.document import FiscalResult
from chekhov.receipts.states import State
from chekhov.receipts.writer import Change, Head, Touch


class Outcome(StrEnum):
    """How an attempt ended, as it is stored with it."""

    ACCEPTED = "accepted"
    DONE = "done"
    REFUSED = "refused"
    NOT_SENT = "not_sent"
    UNSURE = "unsure"


OUTCOME_LABELS = {
    "": "ответа ещё нет",
    Outcome.ACCEPTED: "принят",
    Outcome.DONE: "пробит",
    Outcome.REFUSED: "отказ",
    Outcome.NOT_SENT: "не ушёл",
    Outcome.UNSURE: "неизвестно",
}
_ASK_AGAIN_POLLS = 5  # after so many answers about something else the task's number is doubted
LONGEST_WAIT_SECONDS = 3600
PROVES_ABSENCE = frozenset({Outcome.REFUSED, Outcome.NOT_SENT})
PROVES_PRESENCE = frozenset({Outcome.ACCEPTED, Outcome.DONE})
_CANCELLED_POLLS = 10  # after so many vague answers about a cancelled receipt a person has to look


@dataclass(frozen=True, slots=True)
class Pause:
    """An account's queue must rest: the connection is at fault, not the document."""

    seconds: int
    code: str
    text: str


@dataclass(frozen=True, slots=True)
class Decision:
    """What to write for one receipt: a transition, or a later look, or nothing; and what goes with it."""

    change: Change | None = None
    touch: Touch | None = None
    result: FiscalResult | None = None
    pause: Pause | None = None
    proves_absence: str = ""  # why every sending under the current key is known to have stored nothing
    incident: str = ""  # there may be a document that the journal has given up: a person has to look
    sighting: tuple[int, str] | None = None  # of which task, by the number of its key and its own


def stored_outcome(outcome: SubmitOutcome) -> tuple[Outcome, ProviderError | None, str]:
    """An attempt's outcome as stored, with the provider's error and a sentence."""
    if isinstance(outcome, Accepted):
        return Outcome.ACCEPTED, None, " ".join(outcome.warnings)
    if isinstance(outcome, Done):
        return Outcome.DONE, None, ""
    if isinstance(outcome, Refused):
        return Outcome.REFUSED, outcome.error, outcome.error.text
    if isinstance(outcome, Unsent):
        return Outcome.NOT_SENT, None, outcome.reason
    return Outcome.UNSURE, outcome.error, outcome.reason


def after_submission(
    head: Head,
    outcome: SubmitOutcome,
    capabilities: Capabilities,
    *,
    others_absent: bool,
    attempts: int,
    has_callback: bool = False,
    place_in_ms: int | None = None,
) -> Decision:
    """What the answer to a POST does.

    `others_absent` says that every other attempt under the current key provably stored nothing; an earlier key was
    given up only after the provider, asked once more, said that its task failed. `attempts` counts those of this key.
    `place_in_ms` is since when the receipt has been due (negative): what did not leave keeps its place in the order of
    time, the breaker of its lane does the waiting.
    """
    wait_ms = _jittered(retry_wait_seconds(capabilities, attempts) * 1000, head.receipt_id, attempts)
    if head.state not in (State.SENDING, State.UNKNOWN):
        return _late(head, outcome, capabilities)
    others_absent = others_absent and not head.provider_ref  # a notification has named a task: it may be there
    if isinstance(outcome, Accepted):
        first_ms = 0 if has_callback else capabilities.poll_schedule_seconds[0] * 1000
        reason = "adopted" if outcome.was_known else "accepted"
        return Decision(
            Change(
                head,
                State.ACCEPTED,
                reason,
                " ".join(outcome.warnings),
                due_in_ms=first_ms,
                provider_ref=outcome.ref.provider_id or None,
                error_code="" if outcome.ref.provider_id else "task_unknown",
                error_text="" if outcome.ref.provider_id else " ".join(outcome.warnings),
            )
        )
    if isinstance(outcome, Done):
        change = Change(head, State.FISCALIZED, "done", provider_ref=outcome.ref.provider_id or None)
        return Decision(change, result=outcome.result)
    if isinstance(outcome, Refused) and others_absent:
        return _absent_refused(head, outcome.error, wait_ms)
    if isinstance(outcome, Unsent) and others_absent:
        change = Change(
            head,
            State.QUEUED,
            "not_sent",
            outcome.reason,
            due_in_ms=wait_ms if place_in_ms is None else min(place_in_ms, 0),
            error_code="not_sent",
            error_text=outcome.reason,
        )
        return Decision(change)
    error = outcome.error if isinstance(outcome, Refused | Unsure) else None
    text = outcome.error.text if isinstance(outcome, Refused) else outcome.reason
    if isinstance(outcome, Refused):
        text = f"Повтор отклонён, но судьба прежней отправки неизвестна: {text}"
    code = error.code if error else "no_answer"
    pause = _pause(error) if isinstance(outcome, Refused) or (error is not None and error.status == 429) else None
    if head.state is State.SENDING:
        change = Change(head, State.UNKNOWN, "unsure", text, due_in_ms=wait_ms, error_code=code, error_text=text)
        return Decision(change, pause=pause)
    polls = head.polls + 1 if capabilities.lookup_by_key else None  # questions by key and repeats take turns
    return Decision(touch=_look(head, wait_ms, polls=polls, code=code, text=text), pause=pause)


def after_poll(head: Head, outcome: PollOutcome, capabilities: Capabilities, *, wanted: str = "") -> Decision:
    """What the answer to a question about the receipt's task does.

    `wanted` is the person's wish that stood when the question was asked: an answer fulfils only a wish that is older
    than the question. An answer that cannot be used puts off its own receipt only, never its neighbours.
    """
    if isinstance(outcome, Done):
        return _printed(head, outcome)
    if head.state not in (State.ACCEPTED, State.UNKNOWN, State.FAILED, State.CANCELLED):
        return Decision()
    polls = head.polls + 1
    wait_ms = _jittered(poll_wait_seconds(capabilities, polls) * 1000, head.receipt_id, polls)
    if head.state is State.CANCELLED:
        return _cancelled(head, outcome, polls, wait_ms)
    if isinstance(outcome, Failed):
        return _failed(head, outcome.error, wanted)
    if isinstance(outcome, Pending):
        if head.state is State.UNKNOWN:
            return Decision(Change(head, State.ACCEPTED, "found", due_in_ms=wait_ms))
        seconds = outcome.next_poll_seconds
        due = min(seconds, LONGEST_WAIT_SECONDS) * 1000 if seconds is not None else wait_ms
        return Decision(touch=Touch(head.receipt_id, head.version, due, polls, head.provider_ref))
    text = "Сервис не знает такой задачи." if isinstance(outcome, NotFound) else outcome.reason
    error = outcome.error if isinstance(outcome, Unsure) else None
    is_throttled = error is not None and error.status == 429
    is_foreign = isinstance(outcome, Unsure) and error is None
    if isinstance(outcome, NotFound) or (error is not None and error.status == 404):
        # a person may have mistyped it; a number that the service told is all there is where no key finds the task
        is_foreign = head.state is State.UNKNOWN or capabilities.lookup_by_key or capabilities.dedup is Dedup.STRONG
    is_doubted = is_foreign and head.state is not State.FAILED and polls % _ASK_AGAIN_POLLS == 0
    ref = "" if is_doubted else head.provider_ref  # the number may be wrong: ask for it by our key
    touch = _look(head, wait_ms, polls=polls, ref=ref, code=error.code if error else "unreadable", text=text)
    return Decision(touch=touch, pause=_pause(error) if is_throttled else None)


def _printed(head: Head, outcome: Done) -> Decision:
    """The provider shows the figures. Whatever was taken for proven of this key before, they outweigh it."""
    if head.state is State.FISCALIZED:
        return Decision()
    ref = head.provider_ref or outcome.ref.provider_id
    if head.state is State.REFUSED:
        text = f"Сервис показал пробитый чек (задача {ref or 'без номера'}), а чек значится отклонённым."
        return Decision(incident=text, sighting=(head.key_number, ref) if ref else None)
    return Decision(Change(head, State.FISCALIZED, "done", provider_ref=ref), result=outcome.result)


def asked_once_more(head: Head, decision: Decision) -> Decision:
    """An answer to a question that was asked before the provider spoke by itself: it is the older one, and neither
    moves the receipt nor fulfils a wish.
    """
    return Decision(touch=Touch(head.receipt_id, head.version, 0, head.polls, head.provider_ref), pause=decision.pause)


def after_lookup(
    head: Head,
    outcome: LookupOutcome,
    capabilities: Capabilities,
    *,
    is_settled: bool,
    repeat_is_safe: bool,
    wanted: str = "",
) -> Decision:
    """What the answer to a question by our own key does to a receipt whose task has no number yet.

    `is_settled` says that no call of it can be under way any more: only then does a definite «there is none» prove that
    every sending under the key stored nothing. `repeat_is_safe`: the provider knows a repeat of a key for one.
    """
    if isinstance(outcome, Done):
        return _printed(head, outcome)
    polls = head.polls + 1
    wait_ms = _jittered(retry_wait_seconds(capabilities, polls) * 1000, head.receipt_id, polls)
    if head.state is State.FAILED and not isinstance(outcome, Accepted):
        if isinstance(outcome, Failed):
            return _failed(head, outcome.error, wanted)
        text = "Сервис не ответил, что стало с прежней задачей."
        return Decision(touch=_look(head, wait_ms if head.wanted else None, polls=polls, code="not_found", text=text))
    if head.state not in (State.UNKNOWN, State.ACCEPTED):
        return _late(head, outcome, capabilities) if isinstance(outcome, Accepted) else Decision()
    if isinstance(outcome, Accepted):
        return _found(head, outcome, capabilities, polls, wait_ms)
    if isinstance(outcome, Failed):
        ref, error = outcome.ref.provider_id or None, outcome.error
        change = Change(
            head,
            State.FAILED,
            "device_error",
            error.text,
            provider_ref=ref,
            error_code=error.code,
            error_text=error.text,
        )
        return Decision(change)
    if isinstance(outcome, NotFound):
        if head.state is State.UNKNOWN and outcome.definite and is_settled:
            text = "Сервис ответил, что под нашим ключом чека нет: он уходит снова под тем же ключом."
            return Decision(Change(head, State.QUEUED, "absent", text, due_in_ms=0), proves_absence=text)
        if head.state is State.UNKNOWN and not outcome.definite and not repeat_is_safe and polls >= LOOKUPS_LEAST:
            text = "Сервис не находит чек по нашему ключу, но и не ручается, что его нет: нужно решение человека."
            return Decision(touch=_look(head, None, polls=polls, code=PERSON_DECIDES, text=text))
        text = "Сервис пока не находит чек по нашему ключу."
        return Decision(touch=_look(head, wait_ms, polls=polls, code="not_found", text=text))
    doubt = outcome.error if isinstance(outcome, Unsure) else None
    touch = _look(head, wait_ms, polls=polls, code=doubt.code if doubt else "no_answer", text=outcome.reason)
    return Decision(touch=touch, pause=_pause(doubt) if doubt is not None and doubt.status == 429 else None)


def _found(head: Head, outcome: Accepted, capabilities: Capabilities, polls: int, wait_ms: int) -> Decision:
    """The provider has the task under our key."""
    if head.state is State.UNKNOWN:
        first_ms = capabilities.poll_schedule_seconds[0] * 1000
        ref = outcome.ref.provider_id or None
        return Decision(Change(head, State.ACCEPTED, "found", due_in_ms=first_ms, provider_ref=ref))
    if outcome.ref.provider_id:
        return Decision(touch=Touch(head.receipt_id, head.version, 0, 0, outcome.ref.provider_id))
    return Decision(touch=_look(head, wait_ms, polls=polls, code="task_unknown", text=" ".join(outcome.warnings)))


def printed_under_earlier_key(head: Head, outcome: Done, key_number: int) -> Decision:
    """The task of a key that was given up has printed, and the next key has not been taken: this is the receipt."""
    change = Change(
        head,
        State.FISCALIZED,
        "old_key_printed",
        "Чек пробит по прежней задаче: под новым ключом он не уходит.",
        key_number=key_number,
        provider_ref=outcome.ref.provider_id,
    )
    return Decision(change, result=outcome.result)


def contradicted(head: Head, change: Change, code: str, text: str) -> Decision:
    """The provider says «done», but its figures cannot be those of this receipt: a person has to look. What waits in
    the queue is not put off: it is held by what was sighted.
    """
    number = change.key_number or head.key_number
    ref = change.provider_ref or head.provider_ref
    is_own = number == head.key_number and head.provider_ref in ("", ref)
    sighting = (number, ref) if ref and (head.state is State.QUEUED or not is_own) else None
    if head.state is State.QUEUED:
        return Decision(sighting=sighting)
    return Decision(touch=_look(head, None, code=code, text=text, ref=ref if is_own else None), sighting=sighting)


def _absent_refused(head: Head, error: ProviderError, wait_ms: int) -> Decision:
    if error.kind in (ErrorKind.CONFIG, ErrorKind.TEMPORARY):
        pause = _pause(error)
        change = Change(
            head,
            State.QUEUED,
            "not_taken",
            error.text,
            due_in_ms=max(wait_ms, pause.seconds * 1000 if pause else 0),
            error_code=error.code,
            error_text=error.text,
        )
        return Decision(change, pause=pause)
    return Decision(Change(head, State.REFUSED, "refused", error.text, error_code=error.code, error_text=error.text))


def _failed(head: Head, error: ProviderError, wanted: str) -> Decision:
    if head.state is not State.FAILED:
        change = Change(head, State.FAILED, "device_error", error.text, error_code=error.code, error_text=error.text)
        return Decision(change)
    if head.wanted and head.wanted != wanted:  # wished after the question: ask once more
        return Decision(touch=_look(head, 0, polls=0, code=error.code, text=error.text))
    if head.wanted == "retry":
        text = f"Повтор под новым ключом; прежняя задача перепроверена. Попросил {head.wanted_by}."
        return Decision(
            Change(head, State.QUEUED, "retry", text, due_in_ms=0, key_number=head.key_number + 1, provider_ref="")
        )
    if head.wanted == "cancel":
        text = f"Прежняя задача перепроверена, чека нет. Попросил {head.wanted_by}."
        return Decision(Change(head, State.CANCELLED, "cancelled_by_person", text))
    return Decision(touch=_look(head, None, polls=0, code=error.code, text=error.text))


def _cancelled(head: Head, outcome: PollOutcome, polls: int, wait_ms: int) -> Decision:
    """A cancelled receipt is asked about because something said that its task lives. Only «failed» ends that."""
    if isinstance(outcome, Failed):
        return Decision(touch=Touch(head.receipt_id, head.version, None, 0, head.provider_ref))
    is_vague = not isinstance(outcome, Pending) and polls >= _CANCELLED_POLLS
    due = None if is_vague else wait_ms
    text = f"Задача {head.provider_ref} отменённого чека, возможно, пробита, а сервис о ней не отвечает."
    touch = Touch(head.receipt_id, head.version, due, 0 if is_vague else polls, head.provider_ref)
    return Decision(touch=touch, incident=text if is_vague else "")


def earlier_key(head: Head, outcome: SubmitOutcome, key_number: int) -> Decision:
    """An answer to a sending under a key that was given up as failed. While the next key has not been sent, a task
    that exists under the old one is asked about once more, under its own key; afterwards the answer is evidence only.
    """
    if head.state is not State.QUEUED or not key_number or not isinstance(outcome, Accepted | Done):
        return Decision()
    if not outcome.ref.provider_id:
        return Decision()
    change = Change(
        head,
        State.ACCEPTED,
        "old_key_lives",
        due_in_ms=0,
        key_number=key_number,
        provider_ref=outcome.ref.provider_id,
    )
    return Decision(change)


def _late(head: Head, outcome: SubmitOutcome, capabilities: Capabilities) -> Decision:
    """An answer that came after the state had moved on. It can only add what proves that the task lives."""
    if isinstance(outcome, Accepted | Done):
        ref = outcome.ref.provider_id
        task = (head.key_number, ref or head.provider_ref) if ref or head.provider_ref else None
        is_other = bool(ref) and head.provider_ref not in ("", ref)
        is_once = capabilities.dedup is Dedup.STRONG  # a key is never taken twice: the number that was known is wrong
        if is_other and is_once and head.state is State.ACCEPTED:
            return Decision(touch=Touch(head.receipt_id, head.version, 0, 0, ref))
        if is_other and not is_once and head.state in (State.ACCEPTED, State.FAILED, State.FISCALIZED):
            words = f"Сервис взял этот чек дважды под одним ключом: задачи {head.provider_ref} и {ref}."
            return Decision(incident=words, sighting=task if head.state is not State.FISCALIZED else None)
        if isinstance(outcome, Done):
            return _printed(head, outcome)
        if head.state in (State.ACCEPTED, State.FAILED) and ref and not head.provider_ref:
            return Decision(touch=Touch(head.receipt_id, head.version, 0, head.polls, ref))
        if head.state is State.QUEUED:  # its absence was taken for proven, and it is there
            return Decision(
                Change(
                    head,
                    State.ACCEPTED,
                    "old_key_lives",
                    due_in_ms=capabilities.poll_schedule_seconds[0] * 1000,
                    provider_ref=ref,
                    error_code="" if ref else "task_unknown",
                    error_text="" if ref else "Сервис принял чек, но не назвал номер задачи.",
                )
            )
        if head.state is State.CANCELLED and task is not None:
            return Decision(touch=Touch(head.receipt_id, head.version, 0, 0, task[1]), sighting=task)
        if head.state in (State.REFUSED, State.CANCELLED):
            name = f"задача {ref}" if ref else "номер задачи не назван"
            words = f"Чек значится как «{head.state.label}», а сервис ответил, что принял его: {name}."
            return Decision(incident=words, sighting=task)
    if head.state is State.ACCEPTED and not head.provider_ref:
        # asked again for the number of a task that the provider has: not told this time either
        wait_ms = max(60, poll_wait_seconds(capabilities, head.polls + 1)) * 1000
        text = "Сервис принял чек, но не назвал номер задачи: сверьте её в кабинете сервиса."
        return Decision(touch=_look(head, wait_ms, polls=head.polls + 1, code="task_unknown", text=text))
    return Decision()


def _look(
    head: Head, due_in_ms: int | None, *, code: str, text: str, polls: int | None = None, ref: str | None = None
) -> Touch:
    """A later look (None: never by itself), with what went wrong. Questions and number stay unless given."""
    return Touch(
        head.receipt_id,
        head.version,
        due_in_ms,
        head.polls if polls is None else polls,
        head.provider_ref if ref is None else ref,
        error_code=code,
        error_text=text,
    )


def _jittered(wait_ms: int, receipt_id: int, count: int) -> int:
    """A wait made up to a fifth longer, by the receipt and the count: a crowd that failed together does not come back
    together, and the same receipt waits the same time wherever it is looked at.
    """
    return wait_ms + wait_ms * (crc32(f"{receipt_id}:{count}".encode()) % 200) // 1000


def _pause(error: ProviderError | None) -> Pause | None:
    if error is None or error.kind not in (ErrorKind.CONFIG, ErrorKind.TEMPORARY):
        return None
    default = 60 if error.kind is ErrorKind.CONFIG else 10
    return Pause(min(error.retry_after_seconds or default, 600), error.code, error.next_step or error.text)


def retry_wait_seconds(capabilities: Capabilities, attempts: int) -> int:
    """How long after so many attempts under one key the next one waits: the driver's schedule, then ever longer."""
    return _later(attempts) or _step(capabilities.retry_schedule_seconds, attempts - 1)


def poll_wait_seconds(capabilities: Capabilities, polls: int) -> int:
    """How long after so many questions the next one waits: the driver's schedule, then ever longer."""
    return _later(polls) or _step(capabilities.poll_schedule_seconds, polls)


def _later(count: int) -> int:
    return 3600 if count > 150 else 900 if count > 60 else 300 if count > 20 else 0


def _step(schedule: tuple[int, ...], index: int) -> int:
    return schedule[min(max(index, 0), len(schedule) - 1)]
