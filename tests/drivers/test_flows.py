"""Running a flow: the runner decides nothing, the flow maps each failure to the outcome that it proves."""

from __future__ import annotations

import asyncio

import pytest

from chekhov.drivers.contract import Accepted, HttpReply, HttpRequest, Submission, TaskRef, Unsent, Unsure
from chekhov.drivers.errors import Lost, NotSent, TransportError
from chekhov.drivers.flows import drive, drive_async
from tests.drivers.samples import CONNECTION, DRIVER, KEY, SUBMISSION, TASK, Wire, answer

REF = TaskRef(KEY, "90210")


def test_a_request_that_provably_never_left_is_unsent() -> None:
    assert drive(DRIVER.submit(CONNECTION, SUBMISSION), Wire(NotSent("нет сети"))) == Unsent("нет сети")
    assert drive(DRIVER.poll(CONNECTION, REF), Wire(NotSent("нет сети"))) == Unsent("нет сети")


def test_a_lost_answer_is_unsure() -> None:
    assert drive(DRIVER.submit(CONNECTION, SUBMISSION), Wire(Lost("обрыв"))) == Unsure("обрыв")
    assert drive(DRIVER.poll(CONNECTION, REF), Wire(Lost("обрыв"))) == Unsure("обрыв")


@pytest.mark.parametrize("given", [answer(200, TASK), NotSent("нет сети"), Lost("обрыв"), answer(502, b"<html>")])
def test_an_event_loop_runs_a_flow_to_the_same_outcome(given: HttpReply | TransportError) -> None:
    async def send(request: HttpRequest) -> HttpReply:
        await asyncio.sleep(0)
        if isinstance(given, TransportError):
            raise given
        return given

    outcome = asyncio.run(drive_async(DRIVER.submit(CONNECTION, SUBMISSION), send))

    assert outcome == drive(DRIVER.submit(CONNECTION, SUBMISSION), Wire(given))


def test_a_failure_that_is_not_of_the_network_passes_through() -> None:
    def send(request: HttpRequest) -> HttpReply:
        raise MemoryError

    with pytest.raises(MemoryError):
        drive(DRIVER.submit(CONNECTION, SUBMISSION), send)


def test_the_stored_bytes_go_out_signed_and_unchanged() -> None:
    body = '{"note":"Чек"}'.encode()
    wire = Wire(answer(200, {**TASK, "external_id": "A-1"}))

    outcome = drive(DRIVER.submit(CONNECTION, Submission("A-1", body)), wire)

    assert isinstance(outcome, Accepted)
    (request,) = wire.requests
    assert request.method == "POST"
    assert request.url == "https://kassa.komtet.ru/api/shop/v2/queues/777/task"
    assert request.body is body
    assert request.headers == {
        "Authorization": "demoShop",
        "X-HMAC-Signature": "a823f02a908e9c3c9c40d39d408435b1",
        "Accept": "application/json",
        "Content-Type": "application/json",
    }


def test_a_poll_asks_for_the_task() -> None:
    wire = Wire(answer(404, {}))

    drive(DRIVER.poll(CONNECTION, TaskRef("A-1", "1001")), wire)

    (request,) = wire.requests
    assert (request.method, request.url) == ("GET", "https://kassa.komtet.ru/api/shop/v2/tasks/1001")
    assert request.headers["X-HMAC-Signature"] == "2c0803a4670519a4fe0090ea1d60525a"
    assert request.body == b""
    assert "Content-Type" not in request.headers


def test_a_task_without_a_number_is_not_asked_for() -> None:
    wire = Wire()

    outcome = drive(DRIVER.poll(CONNECTION, TaskRef(KEY)), wire)

    assert isinstance(outcome, Unsure)
    assert wire.requests == []


def test_nothing_shows_a_secret_or_a_contact() -> None:
    body = b'{"client":{"email":"buyer@example.ru"}}'
    wire = Wire(answer(200, body))
    submission = Submission(KEY, body)

    drive(DRIVER.submit(CONNECTION, submission), wire)

    shown = repr((CONNECTION, submission, wire.requests, answer(200, body)))
    assert CONNECTION.secret not in shown
    assert "buyer@example.ru" not in shown
    assert wire.requests[0].headers["X-HMAC-Signature"] not in shown
