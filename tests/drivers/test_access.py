"""The check of a connection tells its causes apart."""

from __future__ import annotations

import pytest

from chekhov.drivers.access import AccessState
from chekhov.drivers.contract import HttpReply
from chekhov.drivers.errors import Lost, NotSent, TransportError
from chekhov.drivers.flows import drive
from tests.drivers.samples import CONNECTION, DRIVER, Wire, answer

QUEUE = {"id": 777, "name": "Касса на складе", "state": "active"}
AUT00 = answer(403, {"title": "Ошибка авторизации", "code": "AUT00"})
EMPLOYEES = answer(200, {"account_employees": [], "meta": {"total": 0, "total_pages": 0}})


@pytest.mark.parametrize(
    ("answers", "state"),
    [
        ([answer(200, QUEUE)], AccessState.OK),
        ([answer(200, {"id": "777", "state": "active"})], AccessState.OK),
        ([answer(200, {**QUEUE, "state": "passive"})], AccessState.PASSIVE_QUEUE),
        ([answer(200, {**QUEUE, "state": "asleep"})], AccessState.UNCLEAR),
        ([answer(200, {**QUEUE, "state": None})], AccessState.UNCLEAR),
        ([answer(200, {**QUEUE, "id": 778})], AccessState.NOT_THE_SERVICE),
        ([answer(200, {"hello": "world"})], AccessState.NOT_THE_SERVICE),
        ([answer(200, b"<html>")], AccessState.NOT_THE_SERVICE),
        ([answer(404, b"<html>")], AccessState.NOT_THE_SERVICE),
        ([answer(301, b"")], AccessState.NOT_THE_SERVICE),
        ([answer(301, {})], AccessState.NOT_THE_SERVICE),
        ([answer(500, {"code": "SYS00"})], AccessState.SERVICE_FAILING),
        ([answer(502, b"<html>")], AccessState.SERVICE_FAILING),
        ([answer(429, b"")], AccessState.SERVICE_FAILING),
        ([answer(403, {"code": "SRV00"})], AccessState.NO_SERVICE),
        ([answer(422, {"code": "SRV00"})], AccessState.NO_SERVICE),
        ([answer(418, {"code": "TEA00"})], AccessState.UNCLEAR),
        ([NotSent("имя не найдено")], AccessState.UNREACHABLE),
        ([Lost("время вышло")], AccessState.NO_ANSWER),
        ([AUT00, EMPLOYEES], AccessState.FOREIGN_QUEUE),
        ([answer(404, {}), EMPLOYEES], AccessState.FOREIGN_QUEUE),
        ([AUT00, AUT00], AccessState.WRONG_CREDENTIALS),
        ([answer(401, {"title": "нет"}), answer(401, {})], AccessState.WRONG_CREDENTIALS),
        ([AUT00, answer(403, {"code": "SRV00"})], AccessState.NO_SERVICE),
        ([AUT00, answer(500, {"code": "SYS00"})], AccessState.REFUSED),
        ([AUT00, answer(200, b"<html>")], AccessState.REFUSED),
        ([AUT00, Lost("время вышло")], AccessState.REFUSED),
        ([AUT00, NotSent("нет сети")], AccessState.REFUSED),
    ],
)
def test_a_check_names_the_cause(answers: list[HttpReply | TransportError], state: AccessState) -> None:
    wire = Wire(*answers)

    report = drive(DRIVER.check_access(CONNECTION), wire)

    assert report.state is state
    assert report.sentence == state.sentence
    assert wire.answers == []
    assert {request.method for request in wire.requests} == {"GET"}
    assert wire.requests[0].url == "https://kassa.komtet.ru/api/shop/v2/queues/777"
    assert wire.requests[0].headers["X-HMAC-Signature"] == "624461a47ca2341e77c0913b2af12b7d"
    if len(answers) == 2:
        assert wire.requests[1].url == "https://kassa.komtet.ru/api/shop/v1/employees?start=0&limit=10"


def test_a_working_queue_is_called_by_its_name() -> None:
    assert drive(DRIVER.check_access(CONNECTION), Wire(answer(200, QUEUE))).queue_name == "Касса на складе"


def test_a_transport_failure_keeps_its_reason() -> None:
    assert drive(DRIVER.check_access(CONNECTION), Wire(NotSent("имя не найдено"))).reason == "имя не найдено"


@pytest.mark.parametrize("state", AccessState)
def test_every_state_speaks_and_every_trouble_has_a_next_step(state: AccessState) -> None:
    assert state.sentence.endswith(".")
    assert state.next_step or state is AccessState.OK
    assert state.usable is (state in (AccessState.OK, AccessState.PASSIVE_QUEUE))
