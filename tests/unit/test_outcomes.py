"""What an answer does to a receipt: state × answer × what is known of the other attempts."""

from __future__ import annotations

import itertools
from dataclasses import replace
from uuid import UUID

import pytest

from chekhov.delivery.outcomes import (
    PROVES_ABSENCE,
    Decision,
    Outcome,
    after_poll,
    after_submission,
    contradicted,
    earlier_key,
    stored_outcome,
)
from chekhov.drivers.contract import (
    Accepted,
    Capabilities,
    Dedup,
    Done,
    ErrorKind,
    Failed,
    KeyRule,
    NotFound,
    Pending,
    PollOutcome,
    ProviderError,
    Refused,
    SubmitOutcome,
    TaskRef,
    Unsent,
    Unsure,
)
from chekhov.drivers.komtet.driver import CAPABILITIES
from chekhov.fiscal.document import FiscalResult
from chekhov.fiscal.money import Money
from chekhov.receipts.states import State, is_lawful
from chekhov.receipts.writer import Change, Head

S = State
RESULT = FiscalResult("9999078900012345", 7, "1", "20261124T1015", 1, Money(100))
REF = TaskRef("key", "501")


def error(kind: ErrorKind, **values: object) -> ProviderError:
    return ProviderError(kind, KeyRule.SAME, "CODE", "Слова сервиса", **values)  # type: ignore[arg-type]


SUBMISSIONS: dict[str, SubmitOutcome] = {
    "accepted": Accepted(REF),
    "known": Accepted(REF, was_known=True),
    "known, unnamed": Accepted(TaskRef("key"), was_known=True),
    "done": Done(REF, RESULT),
    "refused input": Refused(error(ErrorKind.INPUT)),
    "refused config": Refused(error(ErrorKind.CONFIG)),
    "refused temporary": Refused(error(ErrorKind.TEMPORARY)),
    "not sent": Unsent("Не соединились"),
    "unsure": Unsure("Оборвалось"),
}
POLLS: dict[str, PollOutcome] = {
    "pending": Pending("new"),
    "done": Done(REF, RESULT),
    "failed": Failed(REF, error(ErrorKind.DEVICE)),
    "not found": NotFound(definite=False),
    "not sent": Unsent("Не соединились"),
    "unsure": Unsure("Не прочли"),
    "unsure config": Unsure("403", error(ErrorKind.CONFIG)),
}


def head(state: State, **values: object) -> Head:
    fields: dict[str, object] = {"key_number": 1, "provider_ref": "501" if state in (S.ACCEPTED, S.FAILED) else ""}
    return Head(1, UUID(int=1), state, 3, "code", **{**fields, **values})  # type: ignore[arg-type]


def submitted(
    state: State, name: str, *, others_absent: bool, capabilities: Capabilities = CAPABILITIES, **values: object
) -> Decision:
    return after_submission(
        head(state, **values), SUBMISSIONS[name], capabilities, others_absent=others_absent, attempts=1
    )


def goes_to(decision: Decision) -> State | str:
    if decision.change is not None:
        assert is_lawful(decision.change.head.state, decision.change.to)
        return decision.change.to
    return "later" if decision.touch is not None else "nothing"


TABLE = [
    # state, answer, others provably absent → where it goes
    (S.SENDING, "accepted", True, S.ACCEPTED),
    (S.SENDING, "accepted", False, S.ACCEPTED),
    (S.SENDING, "known", True, S.ACCEPTED),
    (S.SENDING, "known, unnamed", True, S.ACCEPTED),
    (S.SENDING, "done", True, S.FISCALIZED),
    (S.SENDING, "done", False, S.FISCALIZED),
    (S.SENDING, "refused input", True, S.REFUSED),
    (S.SENDING, "refused input", False, S.UNKNOWN),
    (S.SENDING, "refused config", True, S.QUEUED),
    (S.SENDING, "refused config", False, S.UNKNOWN),
    (S.SENDING, "refused temporary", True, S.QUEUED),
    (S.SENDING, "refused temporary", False, S.UNKNOWN),
    (S.SENDING, "not sent", True, S.QUEUED),
    (S.SENDING, "not sent", False, S.UNKNOWN),
    (S.SENDING, "unsure", True, S.UNKNOWN),
    (S.SENDING, "unsure", False, S.UNKNOWN),
    (S.UNKNOWN, "accepted", False, S.ACCEPTED),
    (S.UNKNOWN, "known", False, S.ACCEPTED),
    (S.UNKNOWN, "known, unnamed", False, S.ACCEPTED),
    (S.UNKNOWN, "done", False, S.FISCALIZED),
    (S.UNKNOWN, "refused input", True, S.REFUSED),
    (S.UNKNOWN, "refused input", False, "later"),
    (S.UNKNOWN, "refused config", True, S.QUEUED),
    (S.UNKNOWN, "refused config", False, "later"),
    (S.UNKNOWN, "refused temporary", False, "later"),
    (S.UNKNOWN, "not sent", True, S.QUEUED),
    (S.UNKNOWN, "not sent", False, "later"),
    (S.UNKNOWN, "unsure", True, "later"),
    (S.UNKNOWN, "unsure", False, "later"),
    (S.QUEUED, "accepted", False, S.ACCEPTED),
    (S.QUEUED, "known, unnamed", False, S.ACCEPTED),
    (S.QUEUED, "done", False, S.FISCALIZED),
    (S.QUEUED, "refused input", True, "nothing"),
    (S.QUEUED, "unsure", True, "nothing"),
    (S.ACCEPTED, "accepted", True, "nothing"),
    (S.ACCEPTED, "refused input", True, "nothing"),
    (S.FAILED, "accepted", True, "nothing"),
    *[(state, name, True, "nothing") for state in (S.FISCALIZED, S.REFUSED) for name in SUBMISSIONS],
    *[
        (S.CANCELLED, name, True, {"accepted": "later", "known": "later", "done": S.FISCALIZED}.get(name, "nothing"))
        for name in SUBMISSIONS
    ],
]


@pytest.mark.parametrize(("state", "answer", "others_absent", "expected"), TABLE)
def test_an_answer_to_a_sending(state: State, answer: str, others_absent: bool, expected: State | str) -> None:
    assert goes_to(submitted(state, answer, others_absent=others_absent)) == expected


@pytest.mark.parametrize(("state", "name", "absent"), list(itertools.product(State, SUBMISSIONS, [True, False])))
def test_no_answer_whatever_makes_an_unlawful_move(state: State, name: str, absent: bool) -> None:
    goes_to(submitted(state, name, others_absent=absent))


@pytest.mark.parametrize("name", SUBMISSIONS)
def test_nothing_is_refused_or_queued_while_another_attempt_is_in_doubt(name: str) -> None:
    for state in (S.SENDING, S.UNKNOWN):
        assert goes_to(submitted(state, name, others_absent=False)) not in (S.REFUSED, S.QUEUED, S.CANCELLED)


@pytest.mark.parametrize("state", [S.REFUSED, S.CANCELLED])
@pytest.mark.parametrize("name", SUBMISSIONS)
def test_a_given_up_receipt_that_was_taken_after_all_is_told(state: State, name: str) -> None:
    decision = submitted(state, name, others_absent=True, provider_ref="")

    is_there = name in ("accepted", "known", "known, unnamed", "done")
    assert bool(decision.incident or decision.touch or decision.result) == is_there


def test_vague_answers_about_a_cancelled_receipt_end_with_a_person() -> None:
    decision = after_poll(head(S.CANCELLED, polls=9), Unsure("Нет ответа."), CAPABILITIES)

    assert decision.incident
    assert decision.touch is not None
    assert decision.touch.due_in_ms is None


def test_an_accepted_task_without_its_number_is_asked_for_again() -> None:
    decision = submitted(S.ACCEPTED, "known, unnamed", others_absent=True, provider_ref="")
    assert decision.touch is not None
    assert decision.touch.due_in_ms

    decision = submitted(S.ACCEPTED, "known", others_absent=True, provider_ref="")
    assert decision.touch is not None
    assert decision.touch.provider_ref == "501"


@pytest.mark.parametrize(("name", "seconds"), [("refused config", 60), ("refused temporary", 10)])
def test_a_fault_of_the_connection_rests_the_lane(name: str, seconds: int) -> None:
    for absent in (True, False):
        pause = submitted(S.SENDING, name, others_absent=absent).pause
        assert pause is not None
        assert pause.seconds == seconds


def test_the_provider_s_own_wait_is_obeyed_within_reason() -> None:
    for told, kept in ((3, 3), (86_400, 600)):
        refusal = Refused(error(ErrorKind.TEMPORARY, retry_after_seconds=told))
        decision = after_submission(head(S.SENDING), refusal, CAPABILITIES, others_absent=True, attempts=1)
        assert decision.pause is not None
        assert decision.pause.seconds == kept


def test_a_notification_that_came_first_shortens_the_wait() -> None:
    decision = after_submission(
        head(S.SENDING), Accepted(REF), CAPABILITIES, others_absent=True, attempts=1, has_callback=True
    )

    assert decision.change is not None
    assert decision.change.due_in_ms == 0


def assert_longer_by_a_fifth_at_most(waits: list[int | None], schedule: list[int]) -> None:
    assert all(wait is not None and least <= wait < least * 1.2 for wait, least in zip(waits, schedule, strict=True))


def test_a_crowd_that_failed_together_does_not_come_back_together() -> None:
    def wait(receipt_id: int) -> int | None:
        known = replace(head(S.SENDING), receipt_id=receipt_id)
        change = after_submission(known, Unsure("x"), CAPABILITIES, others_absent=True, attempts=4).change
        assert change is not None
        return change.due_in_ms

    waits = [wait(receipt_id) for receipt_id in range(1, 101)]

    assert len(set(waits)) > 50
    assert waits == [wait(receipt_id) for receipt_id in range(1, 101)], "the same receipt waits the same time"


def test_repeats_come_further_and_further_apart() -> None:
    waits = []
    for attempts in range(1, 8):
        decision = after_submission(head(S.SENDING), Unsent("x"), CAPABILITIES, others_absent=True, attempts=attempts)
        assert decision.change is not None
        waits.append(decision.change.due_in_ms)

    assert_longer_by_a_fifth_at_most(waits, [2000, 5000, 15000, 60000, 60000, 60000, 60000])


POLL_TABLE = [
    (S.ACCEPTED, "pending", "later"),
    (S.ACCEPTED, "done", S.FISCALIZED),
    (S.ACCEPTED, "failed", S.FAILED),
    (S.ACCEPTED, "not found", "later"),
    (S.ACCEPTED, "not sent", "later"),
    (S.ACCEPTED, "unsure", "later"),
    (S.UNKNOWN, "pending", S.ACCEPTED),
    (S.UNKNOWN, "done", S.FISCALIZED),
    (S.UNKNOWN, "failed", S.FAILED),
    (S.UNKNOWN, "not found", "later"),
    (S.FAILED, "pending", "later"),
    (S.FAILED, "done", S.FISCALIZED),
    (S.FAILED, "failed", "later"),
    *[(S.CANCELLED, name, S.FISCALIZED if name == "done" else "later") for name in POLLS],
    *[
        (state, name, S.FISCALIZED if name == "done" else "nothing")
        for state in (S.QUEUED, S.SENDING)
        for name in POLLS
    ],
    *[(state, name, "nothing") for state in (S.FISCALIZED, S.REFUSED) for name in POLLS],
]


@pytest.mark.parametrize(("state", "answer", "expected"), POLL_TABLE)
def test_an_answer_to_a_question(state: State, answer: str, expected: State | str) -> None:
    assert goes_to(after_poll(head(state), POLLS[answer], CAPABILITIES)) == expected


@pytest.mark.parametrize(("wish", "state"), [("retry", S.QUEUED), ("cancel", S.CANCELLED)])
def test_a_wish_comes_true_only_where_the_old_task_has_failed_again(wish: str, state: State) -> None:
    wanting = head(S.FAILED, wanted=wish, wanted_by="user:petrova")

    for name, outcome in POLLS.items():
        found = goes_to(after_poll(wanting, outcome, CAPABILITIES, wanted=wish))
        assert found == {"failed": state, "done": S.FISCALIZED}.get(name, "later")


@pytest.mark.parametrize("asked_for", ["", "cancel"])
def test_a_wish_that_is_younger_than_the_question_is_asked_for_once_more(asked_for: str) -> None:
    wanting = head(S.FAILED, wanted="retry", wanted_by="user:petrova")

    decision = after_poll(wanting, POLLS["failed"], CAPABILITIES, wanted=asked_for)

    assert decision.change is None
    assert decision.touch is not None
    assert decision.touch.due_in_ms == 0


def test_a_retry_takes_the_next_key_and_forgets_the_old_task() -> None:
    wanting = head(S.FAILED, wanted="retry", key_number=3)

    decision = after_poll(wanting, POLLS["failed"], CAPABILITIES, wanted="retry")

    assert decision.change is not None
    assert (decision.change.key_number, decision.change.provider_ref) == (4, "")


def test_a_cancelled_receipt_is_looked_at_once_and_then_left_alone() -> None:
    decision = after_poll(head(S.CANCELLED, provider_ref="501"), POLLS["failed"], CAPABILITIES)

    assert decision.touch is not None
    assert decision.touch.due_in_ms is None


def test_a_failed_receipt_that_nobody_wants_is_not_looked_at_by_itself() -> None:
    decision = after_poll(head(S.FAILED), POLLS["failed"], CAPABILITIES)

    assert decision.touch is not None
    assert decision.touch.due_in_ms is None


def test_an_unusable_answer_about_one_task_does_not_rest_the_lane_of_its_neighbours() -> None:
    assert after_poll(head(S.ACCEPTED), POLLS["unsure config"], CAPABILITIES).pause is None
    assert after_poll(head(S.ACCEPTED), POLLS["unsure"], CAPABILITIES).pause is None


def test_a_service_that_asks_to_slow_down_rests_the_lane() -> None:
    throttled = Unsure("429", error(ErrorKind.TEMPORARY, status=429, retry_after_seconds=7))

    pause = after_poll(head(S.ACCEPTED), throttled, CAPABILITIES).pause

    assert pause is not None
    assert pause.seconds == 7


def test_a_task_number_that_always_answers_about_something_else_is_doubted() -> None:
    refs = []
    for polls in range(5):
        touch = after_poll(head(S.ACCEPTED, polls=polls), POLLS["unsure"], CAPABILITIES).touch
        assert touch is not None
        refs.append(touch.provider_ref)

    assert refs == ["501", "501", "501", "501", ""]


def test_questions_back_off() -> None:
    waits = []
    for polls in range(7):
        touch = after_poll(head(S.ACCEPTED, polls=polls), POLLS["pending"], CAPABILITIES).touch
        assert touch is not None
        assert touch.polls == polls + 1
        waits.append(touch.due_in_ms)

    assert_longer_by_a_fifth_at_most(waits, [5000, 10000, 20000, 30000, 60000, 60000, 60000])


def test_contradicting_figures_wait_for_a_person() -> None:
    accepted = head(S.ACCEPTED)

    decision = contradicted(accepted, Change(accepted, S.FISCALIZED, "done"), "FISCAL_MISMATCH", "Не тот итог")

    assert decision.touch is not None
    assert decision.touch.due_in_ms is None
    assert decision.result is None
    assert decision.sighting is None, "its own task is asked about again when the incident is closed"


def test_contradicting_figures_of_an_old_task_do_not_put_off_what_waits_in_the_queue() -> None:
    queued = head(S.QUEUED, key_number=2, provider_ref="")

    change = Change(queued, S.FISCALIZED, "old_key_printed", key_number=1, provider_ref="501")
    decision = contradicted(queued, change, "FISCAL_MISMATCH", "Не тот итог")

    assert decision.touch is None
    assert decision.sighting == (1, "501"), "it is held by that"


def test_figures_of_a_receipt_that_was_refused_are_an_incident() -> None:
    decision = after_poll(head(S.REFUSED), POLLS["done"], CAPABILITIES)

    assert decision.incident
    assert decision.sighting == (1, "501")


@pytest.mark.parametrize(("state", "is_sighted"), [(S.ACCEPTED, True), (S.FAILED, True), (S.FISCALIZED, False)])
def test_a_service_that_takes_one_key_twice_is_an_incident(state: State, is_sighted: bool) -> None:
    weak = replace(CAPABILITIES, dedup=Dedup.NONE)

    decision = submitted(state, "accepted", others_absent=True, provider_ref="400", capabilities=weak)

    assert decision.incident
    assert bool(decision.sighting) == is_sighted


def test_where_a_key_is_never_taken_twice_the_number_that_was_known_was_wrong() -> None:
    decision = submitted(S.ACCEPTED, "accepted", others_absent=True, provider_ref="400")

    assert decision.touch is not None
    assert (decision.touch.provider_ref, decision.touch.due_in_ms) == ("501", 0)
    assert not decision.incident


@pytest.mark.parametrize("state", [S.FAILED, S.FISCALIZED])
def test_a_number_that_has_answered_is_kept_there(state: State) -> None:
    assert submitted(state, "accepted", others_absent=True, provider_ref="400") == Decision()


@pytest.mark.parametrize("name", SUBMISSIONS)
@pytest.mark.parametrize("state", list(State))
def test_an_earlier_key_only_holds_back_what_was_not_sent_yet(state: State, name: str) -> None:
    found = goes_to(earlier_key(head(state, key_number=2), SUBMISSIONS[name], 1))

    alive = name in ("accepted", "known", "done")
    assert found == (S.ACCEPTED if state is S.QUEUED and alive else "nothing")


def test_an_attempt_keeps_how_it_ended() -> None:
    kept = {name: stored_outcome(outcome)[0] for name, outcome in SUBMISSIONS.items()}

    assert kept == {
        "accepted": Outcome.ACCEPTED,
        "known": Outcome.ACCEPTED,
        "known, unnamed": Outcome.ACCEPTED,
        "done": Outcome.DONE,
        "refused input": Outcome.REFUSED,
        "refused config": Outcome.REFUSED,
        "refused temporary": Outcome.REFUSED,
        "not sent": Outcome.NOT_SENT,
        "unsure": Outcome.UNSURE,
    }
    assert {Outcome.REFUSED, Outcome.NOT_SENT} == PROVES_ABSENCE
