"""What the answer to a question about a task proves."""

from __future__ import annotations

from typing import Any

import pytest

from chekhov.drivers.contract import (
    Done,
    ErrorKind,
    Failed,
    HttpReply,
    KeyRule,
    Pending,
    PollOutcome,
    TaskRef,
    Unsure,
)
from chekhov.drivers.flows import drive
from chekhov.fiscal.document import FiscalResult
from chekhov.fiscal.money import Money
from tests.drivers.samples import CONNECTION, DONE, DRIVER, FISCAL_DATA, KEY, Wire, answer

REF = TaskRef(KEY, "90210")


def outcome_of(reply: HttpReply) -> PollOutcome:
    return drive(DRIVER.poll(CONNECTION, REF), Wire(reply))


def done(**fields: Any) -> HttpReply:
    return answer(200, {**DONE, "fiscal_data": {**FISCAL_DATA, **fields}})


RESULT = FiscalResult(
    fn="9999078902012345",
    fd=15204,
    fp="0906123456",
    at="20261003T1412",
    sign=1,
    total=Money(125_000),
    rn="0001234567012345",
    shift=87,
    number=12,
    url="https://ofd.example/rec/1",
)


def test_a_finished_task_gives_the_registers_figures() -> None:
    assert outcome_of(answer(200, DONE)) == Done(REF, RESULT)


@pytest.mark.parametrize(
    "fields",
    [
        {"i": 15204, "sh": 87, "shn": 12, "n": "1"},
        {"s": 1250},
        {"s": "1250"},
        {"fn": 9999078902012345, "rn": 1234567012345},
        {"rn": "0001234567012345    "},
    ],
)
def test_numbers_are_read_from_text_and_from_numbers(fields: dict[str, Any]) -> None:
    assert outcome_of(done(**fields)) == Done(REF, RESULT)


@pytest.mark.parametrize("total", [b"1250.00", b"1250.0", b"1250.000", b"1.25e3"])
def test_a_total_is_read_exactly_from_a_json_number(total: bytes) -> None:
    raw = answer(200, DONE).body.replace(b'"1250.00"', total)

    assert outcome_of(answer(200, raw)) == Done(REF, RESULT)


def test_seconds_and_absent_extras_are_tolerated() -> None:
    needed = {name: FISCAL_DATA[name] for name in ("i", "fn", "n", "fp", "s")}

    outcome = outcome_of(
        answer(200, {"external_id": KEY, "state": "done", "fiscal_data": {**needed, "t": "20261003T141259"}})
    )

    assert isinstance(outcome, Done)
    assert outcome.result.at == "20261003T141259"
    assert (outcome.result.rn, outcome.result.shift, outcome.result.number, outcome.result.url) == ("", None, None, "")


@pytest.mark.parametrize("fields", [{"sh": "смена"}, {"sh": -1}, {"shn": [1]}, {"rn": {"a": 1}}, {"rn": True}])
def test_an_unreadable_extra_does_not_spoil_the_proof(fields: dict[str, Any]) -> None:
    assert isinstance(outcome_of(done(**fields)), Done)


@pytest.mark.parametrize("name", ["i", "fn", "t", "n", "fp", "s"])
@pytest.mark.parametrize("value", [None, ""])
def test_done_without_a_figure_is_not_done(name: str, value: object) -> None:
    assert outcome_of(done(**{name: value})) == Pending("done")


@pytest.mark.parametrize("data", [None, [], "готово", 5, {}])
def test_done_without_figures_is_not_done(data: object) -> None:
    assert outcome_of(answer(200, {**DONE, "fiscal_data": data})) == Pending("done")


@pytest.mark.parametrize(
    "fields",
    [
        {"i": "не число"}, {"i": 0}, {"i": -1}, {"i": True}, {"i": "1" * 11},
        {"fn": "123"}, {"fn": "99990789020123456"}, {"fn": []},
        {"t": "2026-10-03T14:12"}, {"t": "20261303T1412"}, {"t": "20261003T2512"}, {"t": 20261003},
        {"n": 0}, {"n": 5}, {"n": "10"}, {"n": False},
        {"fp": "abc"}, {"fp": "12345678901"}, {"fp": -1},
        {"s": "1250,00"}, {"s": "-1.00"}, {"s": "1.005"}, {"s": -5}, {"s": 10**12}, {"s": True}, {"s": "1e3"},
    ],
)  # fmt: skip
def test_figures_that_cannot_be_read_leave_us_unsure(fields: dict[str, Any]) -> None:
    assert isinstance(outcome_of(done(**fields)), Unsure)


@pytest.mark.parametrize("total", [b"1e999999999", b"1.005", b"-1.00", b"1e99999999999999999999", b"NaN", b"Infinity"])
def test_a_monstrous_total_leaves_us_unsure(total: bytes) -> None:
    raw = answer(200, DONE).body.replace(b'"1250.00"', total)

    assert isinstance(outcome_of(answer(200, raw)), Unsure)


@pytest.mark.parametrize("state", ["new", "processing", "paused", "DONE", ""])
def test_an_unfinished_or_unknown_state_is_pending(state: str) -> None:
    assert outcome_of(answer(200, {**DONE, "state": state})) == Pending(state)


@pytest.mark.parametrize("state", [None, 5, ["done"], {"done": 1}])
def test_a_state_that_is_no_text_is_pending(state: object) -> None:
    assert outcome_of(answer(200, {**DONE, "state": state})) == Pending("")


def test_an_error_of_the_register_is_kept_in_its_words() -> None:
    outcome = outcome_of(answer(200, {**DONE, "state": "error", "error_description": "Нет бумаги"}))

    assert isinstance(outcome, Failed)
    assert outcome.ref == REF
    assert (outcome.error.kind, outcome.error.key_rule) == (ErrorKind.DEVICE, KeyRule.NEW)
    assert outcome.error.text == "Нет бумаги"
    assert outcome.error.next_step


@pytest.mark.parametrize("description", [None, 5, "", ["Нет бумаги"]])
def test_an_error_without_words_gets_ours(description: object) -> None:
    outcome = outcome_of(answer(200, {**DONE, "state": "error", "error_description": description}))

    assert isinstance(outcome, Failed)
    assert outcome.error.text == "Касса не назвала причину"


@pytest.mark.parametrize(
    "change", [{"external_id": "another"}, {"external_id": None}, {"id": 5}, {"id": None}, {"id": "x"}]
)
@pytest.mark.parametrize("state", ["done", "error"])
def test_an_answer_about_another_task_proves_nothing(change: dict[str, Any], state: str) -> None:
    assert isinstance(outcome_of(answer(200, {**DONE, "state": state, **change})), Unsure)


def test_a_key_of_digits_may_come_back_as_a_number() -> None:
    outcome = drive(DRIVER.poll(CONNECTION, TaskRef("5001", "90210")), Wire(answer(200, {**DONE, "external_id": 5001})))

    assert isinstance(outcome, Done)


@pytest.mark.parametrize("status", [201, 301, 400, 401, 403, 404, 409, 410, 422, 429, 500, 502, 503])
@pytest.mark.parametrize("body", [b"<html>", {"code": "AUT00"}, DONE])
def test_any_other_status_proves_nothing_and_least_of_all_absence(status: int, body: object) -> None:
    outcome = outcome_of(answer(status, body))

    assert isinstance(outcome, Unsure)
    assert outcome.error is not None
    assert outcome.error.status == status


def test_the_cause_of_an_unread_state_is_told() -> None:
    refused = outcome_of(answer(403, {"code": "AUT00"}))
    busy = outcome_of(answer(429, b"", Retry_After="7"))

    assert isinstance(refused, Unsure)
    assert refused.error is not None
    assert refused.error.kind is ErrorKind.CONFIG
    assert isinstance(busy, Unsure)
    assert busy.error is not None
    assert (busy.error.kind, busy.error.retry_after_seconds) == (ErrorKind.TEMPORARY, 7)
