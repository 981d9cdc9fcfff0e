"""What the answer to a POST of a task proves."""

from __future__ import annotations

import pytest

from chekhov.drivers.contract import (
    Accepted,
    ErrorKind,
    HttpReply,
    KeyRule,
    Refused,
    SubmitOutcome,
    TaskRef,
    Unsure,
)
from chekhov.drivers.flows import drive
from tests.drivers.samples import CONNECTION, DRIVER, KEY, SUBMISSION, TASK, Wire, answer

HTML = b"<html><body>502 Bad Gateway</body></html>"
REF = TaskRef(KEY, "90210", TASK["uuid"])  # type: ignore[arg-type]


def outcome_of(reply: HttpReply) -> SubmitOutcome:
    return drive(DRIVER.submit(CONNECTION, SUBMISSION), Wire(reply))


@pytest.mark.parametrize("state", ["new", "processing", "done", "error", "что-то новое"])
def test_a_task_of_ours_is_accepted_whatever_its_state(state: str) -> None:
    assert outcome_of(answer(200, {**TASK, "state": state})) == Accepted(REF, stage=state)


def test_a_number_may_come_as_digits_and_unknown_keys_do_no_harm() -> None:
    body = {"id": "90210", "external_id": KEY, "новый ключ": [1, {"a": None}]}

    assert outcome_of(answer(200, body)) == Accepted(TaskRef(KEY, "90210"))


def test_another_queue_is_told() -> None:
    outcome = outcome_of(answer(200, {**TASK, "print_queue_id": 778}))

    assert isinstance(outcome, Accepted)
    assert outcome.warnings == ("Сервис назвал другую очередь: 778.",)


@pytest.mark.parametrize(
    "body",
    [
        HTML,
        b"",
        b"[]",
        b"null",
        b'"' + KEY.encode() + b'"',
        b'{"id": 90210, "external_id": "' + KEY.encode(),  # cut off
        {"id": 90210},
        {**TASK, "external_id": "another"},
        {**TASK, "external_id": None},
        {**TASK, "id": None},
        {**TASK, "id": True},
        {**TASK, "id": 0},
        {**TASK, "id": -5},
        {**TASK, "id": "9/../1"},
        {"title": "Ошибка", "code": "VLD00"},
    ],
)
def test_success_that_does_not_name_our_receipt_proves_nothing(body: object) -> None:
    assert isinstance(outcome_of(answer(200, body)), Unsure)


def duplicate(**more: object) -> HttpReply:
    return answer(422, {"title": f"Чек с внешним идентификатором {KEY} существует", "code": "VLD11", **more})


def test_a_repeat_adopts_the_task_of_the_first_call() -> None:
    assert outcome_of(duplicate(task={**TASK, "state": "done"})) == Accepted(REF, was_known=True, stage="done")
    assert outcome_of(duplicate(task={"id": 5, "state": "new"})) == Accepted(
        TaskRef(KEY, "5"), was_known=True, stage="new"
    )


@pytest.mark.parametrize("more", [{}, {"task": None}, {"task": []}, {"task": {}}, {"task": {"id": "x"}}])
def test_a_repeat_without_a_task_is_accepted_for_reconciliation(more: dict[str, object]) -> None:
    outcome = outcome_of(duplicate(**more))

    assert isinstance(outcome, Accepted)
    assert outcome.was_known
    assert outcome.ref == TaskRef(KEY)
    assert outcome.warnings


def test_a_repeat_that_names_anothers_task_is_unsure() -> None:
    assert isinstance(outcome_of(duplicate(task={**TASK, "external_id": "another"})), Unsure)


@pytest.mark.parametrize(
    ("status", "code", "kind", "key_rule"),
    [
        (422, "VLD00", ErrorKind.INPUT, KeyRule.STOP),
        (422, "VLD12", ErrorKind.INPUT, KeyRule.STOP),
        (422, "VLD13", ErrorKind.INPUT, KeyRule.STOP),
        (422, "VLD99", ErrorKind.INPUT, KeyRule.STOP),
        (400, "VLD00", ErrorKind.INPUT, KeyRule.STOP),
        (401, "AUT00", ErrorKind.CONFIG, KeyRule.SAME),
        (403, "AUT00", ErrorKind.CONFIG, KeyRule.SAME),
        (404, "NOT00", ErrorKind.CONFIG, KeyRule.SAME),
        (422, "AUT00", ErrorKind.CONFIG, KeyRule.SAME),
        (403, "SRV00", ErrorKind.CONFIG, KeyRule.SAME),
        (422, "SRV00", ErrorKind.CONFIG, KeyRule.SAME),
        (500, "SRV00", ErrorKind.CONFIG, KeyRule.SAME),
        (200, "SRV00", ErrorKind.CONFIG, KeyRule.SAME),
        (429, "", ErrorKind.TEMPORARY, KeyRule.SAME),
    ],
)
def test_a_refusal_says_whose_move_it_is(status: int, code: str, kind: ErrorKind, key_rule: KeyRule) -> None:
    body = {"title": "Заголовок", "code": code, "description": "positions->0->price"}

    outcome = outcome_of(answer(status, body))

    assert isinstance(outcome, Refused)
    error = outcome.error
    assert (error.kind, error.key_rule, error.status) == (kind, key_rule, status)
    assert error.code == (code or str(status))
    assert error.text == "Заголовок. positions->0->price"
    assert error.next_step or kind is ErrorKind.TEMPORARY


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_refusal_of_access_needs_no_code(status: int) -> None:
    outcome = outcome_of(answer(status, {"title": "Ошибка авторизации"}))

    assert isinstance(outcome, Refused)
    assert outcome.error.kind is ErrorKind.CONFIG
    assert outcome.error.code == str(status)


@pytest.mark.parametrize(("header", "seconds"), [("30", 30), ("99999999", 86_400), ("Tue, 01 Jan", None), ("-1", None)])
def test_a_wait_that_is_asked_for_is_told(header: str, seconds: int | None) -> None:
    outcome = outcome_of(answer(429, b"slow down", rEtRy_aFtEr=header))

    assert isinstance(outcome, Refused)
    assert outcome.error.retry_after_seconds == seconds


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (500, {"title": "Ошибка", "code": "SYS00"}),
        (500, {"code": "VLD11", "task": TASK}),
        (502, HTML),
        (503, b""),
        (504, HTML),
        (201, TASK),
        (204, b""),
        (301, {}),
        (302, HTML),
        (401, HTML),
        (403, HTML),
        (404, HTML),
        (422, HTML),
        (429, HTML),
        (422, {"title": "без кода"}),
        (422, {"code": "VLD00", "task": TASK}),
        (409, {"title": "конфликт"}),
        (408, {}),
        (413, HTML),
        (418, {"code": "TEA00"}),
    ],
)
def test_an_answer_that_proves_nothing_leaves_us_unsure(status: int, body: object) -> None:
    outcome = outcome_of(answer(status, body))

    assert isinstance(outcome, Unsure)
    assert outcome.error is not None
    assert outcome.error.status == status


def test_the_providers_words_are_kept_clean_and_bounded() -> None:
    outcome = outcome_of(
        answer(422, {"code": "VLD00", "title": "а\x00б\ud800" + "я" * 5000, "description": "я" * 5000})
    )

    assert isinstance(outcome, Refused)
    assert outcome.error.text.startswith("а\ufffdб\ufffdяя")
    assert len(outcome.error.text) <= 1000
    assert outcome.error.text not in repr(outcome)
