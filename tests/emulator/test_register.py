"""What the register does with a task: states, numbers, dates, and the reasons for an error."""

import re
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from chekhov.emulator.register import printed_lines


def test_a_done_task_has_the_whole_fiscal_data(shop, receipt_v2):
    created = shop.post(receipt_v2(17)).json
    assert set(created) == {"id", "uuid", "external_id", "print_queue_id", "state"}
    assert (created["external_id"], created["state"], created["print_queue_id"]) == ("17", "new", 777)
    task = shop.final(created["id"])
    assert (task["id"], task["uuid"], task["external_id"]) == (created["id"], created["uuid"], "17")
    fiscal = task["fiscal_data"]
    assert (fiscal["s"], fiscal["n"]) == ("950.00", 1)
    assert re.fullmatch(r"\d{16}", fiscal["fn"])
    assert re.fullmatch(r"\d{16}", fiscal["rn"])
    assert re.fullmatch(r"\d{10}", fiscal["fp"])
    assert re.fullmatch(r"\d{8}T\d{4}", fiscal["t"])
    assert all(re.fullmatch(r"\d+", fiscal[key]) for key in ("i", "sh", "shn"))


def test_a_task_may_be_read_through_the_other_version(shop, receipt_v1):
    number = shop.post(receipt_v1(), "v1").json["id"]
    assert shop.task(number, "v2").json == shop.task(number, "v1").json


def test_document_numbers_grow_by_one_under_concurrent_posts(shop, receipt_v2):
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda n: shop.post(receipt_v2(f"n-{n}")), range(100)))
    numbers = [answer.json["id"] for answer in answers]
    assert len(set(numbers)) == 100
    fiscal = [shop.task(number).json["fiscal_data"] for number in numbers]
    documents = sorted(int(one["i"]) for one in fiscal)
    assert documents == list(range(documents[0], documents[0] + 100))
    assert len({one["fp"] for one in fiscal}) == 100
    assert len({one["fn"] for one in fiscal}) == 1


def test_of_concurrent_posts_with_one_id_one_is_taken(shop, emulator, receipt_v2):
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: shop.post(receipt_v2("same")), range(32)))
    taken = [answer.json["id"] for answer in answers if answer.status == 200]
    assert len(taken) == 1
    assert {answer.json["task"]["id"] for answer in answers if answer.status == 422} == set(taken)
    assert len(emulator.receipts()) == 1


def test_the_date_is_that_of_the_receipts_time_zone_with_the_clocks_offset(shop, emulator, receipt_v2):
    emulator.call("POST", "clock", {"offset_seconds": -400 * 86400})
    for zone, hours in ((1, 2), (2, 3), (11, 12), (None, 3)):
        document = receipt_v2(f"z-{zone}")
        if zone is not None:
            document["timezone"] = zone
        printed = shop.final(shop.post(document).json["id"])["fiscal_data"]["t"]
        expected = datetime.now(UTC) - timedelta(days=400) + timedelta(hours=hours)
        moment = datetime.strptime(printed, "%Y%m%dT%H%M").replace(tzinfo=UTC)
        assert abs((expected - moment).total_seconds()) < 120, zone


def test_a_new_day_opens_a_new_shift(shop, emulator, receipt_v2):
    first = shop.final(shop.post(receipt_v2("1")).json["id"])["fiscal_data"]
    second = shop.final(shop.post(receipt_v2("2")).json["id"])["fiscal_data"]
    emulator.call("POST", "clock", {"offset_seconds": 86400})
    third = shop.final(shop.post(receipt_v2("3")).json["id"])["fiscal_data"]
    assert (second["sh"], int(second["shn"])) == (first["sh"], int(first["shn"]) + 1)
    assert (int(third["sh"]), third["shn"]) == (int(first["sh"]) + 1, "1")
    assert int(third["i"]) == int(second["i"]) + 3  # the old shift was closed, the new one opened


def test_with_delays_a_task_is_new_then_processing_then_done(shop, emulator, receipt_v2):
    emulator.settings(pickup_delay_ms=150, print_delay_ms=150)
    number = shop.post(receipt_v2()).json["id"]
    began = time.monotonic()
    states = []
    while not states or states[-1] != "done":
        task = shop.task(number).json
        if not states or states[-1] != task["state"]:
            states.append(task["state"])
        assert (task["fiscal_data"] is None) == (task["state"] != "done")
        assert time.monotonic() < began + 5
    assert states == ["new", "processing", "done"]
    assert time.monotonic() - began >= 0.25


@pytest.mark.parametrize(("fault", "reported"), [("passive", "passive"), ("offline", "active")])
def test_while_the_register_is_away_tasks_stay_new_and_then_go_on(shop, emulator, receipt_v2, fault, reported):
    emulator.faults({"fault": fault})
    assert shop.call("GET", "/api/shop/v2/queues/777").json["state"] == reported
    number = shop.post(receipt_v2()).json["id"]
    time.sleep(0.1)
    assert shop.task(number).json["state"] == "new"
    emulator.clear_faults()
    assert shop.final(number)["state"] == "done"


def test_without_paper_receipts_end_in_an_error(shop, emulator, receipt_v2):
    emulator.faults({"fault": "paper_out"})
    task = shop.final(shop.post(receipt_v2("1")).json["id"])
    assert task["state"] == "error"
    assert "бумага" in task["error_description"]
    assert task["fiscal_data"] is None
    emulator.clear_faults()
    assert shop.final(shop.post(receipt_v2("2")).json["id"])["state"] == "done"


def test_a_marker_in_the_id_or_in_a_name_is_a_device_error_and_uses_no_number(shop, receipt_v2):
    before = int(shop.final(shop.post(receipt_v2("0")).json["id"])["fiscal_data"]["i"])
    named = receipt_v2("2")
    named["positions"][0]["name"] = "Товар #kkt-marking"
    for document in (receipt_v2("1#kkt-error"), named):
        task = shop.final(shop.post(document).json["id"])
        assert (task["state"], task["fiscal_data"]) == ("error", None)
        assert task["error_description"]
    assert int(shop.final(shop.post(receipt_v2("3")).json["id"])["fiscal_data"]["i"]) == before + 1


def test_another_inn_than_the_registers_is_an_error(shop, receipt_v2):
    right = {"payment_address": "shop.example", "sno": 1, "inn": "583500000000"}
    assert shop.final(shop.post(receipt_v2("1", company=right)).json["id"])["state"] == "done"
    wrong = {**right, "inn": "5836000001"}
    task = shop.final(shop.post(receipt_v2("2", company=wrong)).json["id"])
    assert task["state"] == "error"
    assert "ИНН" in task["error_description"]


def test_an_internet_only_register_wants_a_contact(shop, emulator, receipt_v2):
    emulator.settings(internet_only=True)
    assert shop.final(shop.post(receipt_v2("1", client={})).json["id"])["state"] == "error"
    assert shop.final(shop.post(receipt_v2("2", client={"phone": "+79001112233"})).json["id"])["state"] == "done"
    emulator.settings(internet_only=False)
    assert shop.final(shop.post(receipt_v2("3", client={})).json["id"])["state"] == "done"


def test_a_wrong_date_form_in_a_correction_is_a_device_error(shop, receipt_v1, receipt_v2):
    for number, (date, state) in enumerate(
        {"01.10.2026": "done", "2026-10-01": "error", "01-10-2026": "error"}.items()
    ):
        info = {"type": "self", "base_date": date}
        task = shop.post(receipt_v2(f"v2-{number}", intent="sellCorrection", correction_info=info)).json
        assert shop.final(task["id"])["state"] == state, date
    for number, (date, state) in enumerate({"2026-10-01": "done", "01.10.2026": "error"}.items()):
        info = {"type": "self", "date": date}
        task = shop.post(receipt_v1(f"v1-{number}", intent="buyCorrection", correction=info), "v1").json
        assert shop.final(task["id"])["state"] == state, date


def test_the_old_format_knows_no_correction_of_a_refund(shop, emulator, receipt_v2):
    info = {"type": "self", "base_date": "01.10.2026"}
    emulator.settings(ffd="1.05")
    refund = shop.post(receipt_v2("1", intent="sellReturnCorrection", correction_info=info)).json
    assert shop.final(refund["id"])["state"] == "error"
    sale = shop.post(receipt_v2("2", intent="sellCorrection", correction_info=info)).json
    assert shop.final(sale["id"])["state"] == "done"


def test_in_strict_mode_the_register_names_the_missing_member_of_an_agent(shop, emulator, receipt_v2):
    document = receipt_v2()
    document["positions"][0]["agent_info"] = {"type": "agent", "paying_agent": {"phones": ["+79001112233"]}}
    emulator.settings(strict=True)
    assert shop.final(shop.post(document).json["id"])["error_description"] == "'operation'"


@pytest.mark.parametrize(
    ("price", "quantity", "total", "lines"),
    [
        ("500", "2", "950", [("475", "2", "950")]),
        ("500", "2", "1000", [("500", "2", "1000")]),
        ("33.33", "3", "89.99", [("30.00", "2", "60.00"), ("29.99", "1", "29.99")]),
        ("10", "1", "9.99", [("9.99", "1", "9.99")]),
        ("10", "0.5", "4.99", [("9.98", "0.5", "4.99")]),
    ],
)
def test_a_discount_is_printed_in_the_price_and_its_rest_in_one_unit(price, quantity, total, lines):
    printed = printed_lines(Decimal(price), Decimal(quantity), Decimal(total))
    assert printed == [tuple(map(Decimal, line)) for line in lines]
    assert sum(line[2] for line in printed) == Decimal(total)
