"""Faults on request: each does what its name says, to whom it was told, as often as it was told."""

import http.client
import json
import time

import pytest


def number_of_receipts(emulator):
    return len(emulator.receipts())


def post(shop, document):
    """The answer, or None when there was none."""
    try:
        return shop.post(document)
    except (http.client.HTTPException, OSError):
        return None


@pytest.mark.parametrize(("when", "stored"), [("before", 0), ("after", 1)])
def test_a_dropped_connection_stores_nothing_or_everything(shop, emulator, receipt_v2, when, stored):
    emulator.faults({"fault": "drop", "when": when, "count": 1})
    assert post(shop, receipt_v2()) is None
    assert number_of_receipts(emulator) == stored
    again = shop.post(receipt_v2())
    assert again.status == (422 if stored else 200)
    assert number_of_receipts(emulator) == 1


def test_half_an_answer_comes_after_the_receipt_was_stored(shop, emulator, receipt_v2):
    emulator.faults({"fault": "half_answer", "count": 1})
    with pytest.raises(http.client.IncompleteRead):
        shop.post(receipt_v2())
    assert number_of_receipts(emulator) == 1
    assert shop.post(receipt_v2()).code == "VLD11"


def test_an_internal_error_is_json(shop, emulator, receipt_v2):
    emulator.faults({"fault": "status", "status": 500, "count": 1})
    answer = shop.post(receipt_v2())
    assert (answer.status, answer.code) == (500, "SYS00")
    assert shop.post(receipt_v2()).status == 200


@pytest.mark.parametrize("status", [502, 503, 504])
@pytest.mark.parametrize(("when", "stored"), [("before", 0), ("after", 1)])
def test_a_front_end_failure_is_html(shop, emulator, receipt_v2, status, when, stored):
    emulator.faults({"fault": "status", "status": status, "when": when})
    answer = shop.post(receipt_v2())
    assert answer.status == status
    assert answer.headers["content-type"].startswith("text/html")
    assert "<html>" in answer.text
    assert number_of_receipts(emulator) == stored


def test_too_many_requests_says_when_to_come_back(shop, emulator, receipt_v2):
    emulator.faults({"fault": "status", "status": 429, "retry_after": 7})
    answer = shop.post(receipt_v2())
    assert (answer.status, answer.headers["retry-after"]) == (429, "7")
    assert number_of_receipts(emulator) == 0


@pytest.mark.parametrize("when", ["before", "after"])
def test_latency_delays_the_answer(shop, emulator, receipt_v2, when):
    emulator.faults({"fault": "latency", "ms": 200, "when": when})
    began = time.monotonic()
    assert shop.post(receipt_v2()).status == 200
    assert time.monotonic() - began >= 0.2


def test_credentials_or_the_service_fail_though_right(shop, emulator, receipt_v2):
    emulator.faults({"fault": "unauthorised", "count": 1})
    answer = shop.post(receipt_v2())
    assert (answer.status, answer.code) == (403, "AUT00")
    emulator.faults({"fault": "no_service", "count": 1})
    assert shop.post(receipt_v2()).code == "SRV00"
    assert shop.post(receipt_v2()).status == 200


def test_a_duplicate_without_its_task(shop, emulator, receipt_v2):
    shop.post(receipt_v2())
    emulator.faults({"fault": "duplicate_without_task", "count": 1})
    assert "task" not in shop.post(receipt_v2()).json
    assert "task" in shop.post(receipt_v2()).json


def test_a_fault_strikes_whom_it_matches_as_often_as_told(shop, emulator, receipt_v2):
    [rule] = emulator.faults(
        {"fault": "status", "match": {"external_id": "order-5*", "method": "POST"}, "skip": 1, "count": 2}
    )
    wanted = [("order-4-1", 200), ("order-5-1", 200), ("order-5-2", 500), ("order-4-2", 200), ("order-5-3", 500)]
    wanted += [("order-5-4", 200)]
    assert [(key, shop.post(receipt_v2(key)).status) for key, _ in wanted] == wanted
    [left] = emulator.fault_list()
    assert (left["id"], left["hits"], left["left"]) == (rule["id"], 2, 0)


def test_a_fault_may_match_the_path_or_the_queue(shop, emulator, receipt_v2):
    emulator.faults({"fault": "status", "match": {"path": "/api/shop/v2/tasks/*"}})
    number = shop.post(receipt_v2()).json["id"]
    assert shop.task(number).status == 500
    assert shop.task(number, "v1").status == 200
    emulator.clear_faults()
    emulator.faults({"fault": "status", "match": {"queue": 778}})
    assert shop.post(receipt_v2("2")).status == 200


def test_a_fault_matches_any_of_many_tasks(shop, emulator, receipt_v2):
    emulator.faults({"fault": "status", "match": {"external_id": "2"}})
    assert shop.post_many([receipt_v2("1"), receipt_v2("3")]).status == 200
    assert shop.post_many([receipt_v2("2"), receipt_v2("4")]).status == 500


def test_chance_strikes_a_repeatable_part(shop, emulator, receipt_v2):
    def run():
        emulator.reset()
        emulator.faults({"fault": "status", "chance": 50, "seed": 7})
        return [shop.post(receipt_v2(f"c-{n}")).status for n in range(40)]

    first = run()
    assert 5 < first.count(500) < 35
    assert run() == first


def test_faults_are_listed_and_deleted_one_by_one_or_all(emulator):
    first, second = emulator.faults({"fault": "drop"}, {"fault": "stuck"})
    assert [rule["fault"] for rule in emulator.fault_list()] == ["drop", "stuck"]
    assert emulator.call("DELETE", f"faults/{first['id']}") == {"deleted": 1}
    assert [rule["id"] for rule in emulator.fault_list()] == [second["id"]]
    emulator.clear_faults()
    assert emulator.fault_list() == []


@pytest.mark.parametrize(
    "rule",
    [
        {"fault": "no such"},
        {},
        "drop",
        {"fault": "drop", "surprise": 1},
        {"fault": "drop", "when": "later"},
        {"fault": "drop", "count": 0},
        {"fault": "drop", "chance": 0},
        {"fault": "drop", "skip": -1},
        {"fault": "drop", "match": {"colour": "red"}},
        {"fault": "stuck", "match": {"path": "x"}},
        {"fault": "latency", "ms": "200"},
        {"fault": "passive", "count": 1},
    ],
)
def test_a_rule_that_makes_no_sense_is_refused(emulator, rule):
    with pytest.raises(ValueError, match="error"):
        emulator.faults(rule)
    assert emulator.fault_list() == []


def test_a_device_error_with_a_text_of_ones_own(shop, emulator, receipt_v2):
    emulator.faults({"fault": "device_error", "description": "Крышка открыта", "count": 1})
    assert shop.final(shop.post(receipt_v2("1")).json["id"])["error_description"] == "Крышка открыта"
    assert shop.final(shop.post(receipt_v2("2")).json["id"])["state"] == "done"


def test_an_error_that_later_becomes_done(shop, emulator, receipt_v2, listener):
    emulator.faults({"fault": "late_done", "delay_ms": 150})
    number = shop.post(receipt_v2(callback_url=listener.url)).json["id"]
    task = shop.task(number).json
    assert (task["state"], task["fiscal_data"]) == ("error", None)
    task = shop.final(number, "done")
    assert (task["error_description"], task["fiscal_data"]["s"]) == (None, "950.00")
    assert [one.json["state"] for one in listener.wait(2)] == ["error", "done"]


def test_a_stuck_task_stays_processing(shop, emulator, receipt_v2):
    emulator.faults({"fault": "stuck"})
    number = shop.post(receipt_v2()).json["id"]
    time.sleep(0.1)
    assert shop.task(number).json["state"] == "processing"


def test_fiscal_data_with_another_total_or_without_data(shop, emulator, receipt_v2):
    emulator.faults({"fault": "wrong_total", "total": "950.5", "count": 1})
    assert shop.final(shop.post(receipt_v2("1")).json["id"])["fiscal_data"]["s"] == "950.50"
    emulator.faults({"fault": "no_fiscal_data", "count": 1})
    task = shop.final(shop.post(receipt_v2("2")).json["id"])
    assert (task["state"], task["fiscal_data"]) == ("done", None)


def test_no_fault_bends_the_control_api(emulator):
    emulator.faults({"fault": "drop"}, {"fault": "status"})
    assert json.loads(json.dumps(emulator.receipts())) == []
