"""Memory on disk: what a restart keeps, in order or after SIGKILL."""

import dataclasses
import sqlite3
import threading
import time

import pytest

from chekhov.emulator.testing import EmulatorProcess


@pytest.fixture
def own(shop):
    """An emulator of one's own to kill, and a client for it."""
    with EmulatorProcess(shop=shop.shop, secret=shop.secret) as running:
        yield running, dataclasses.replace(shop, base_url=running.base_url)


def end(emulator, how):
    emulator.kill() if how == "kill" else emulator.terminate()
    emulator.start()


@pytest.mark.parametrize("how", ["kill", "terminate"])
def test_numbers_are_never_issued_twice(own, receipt_v2, how):
    emulator, shop = own
    tasks = [shop.final(shop.post(receipt_v2(f"a-{n}")).json["id"]) for n in range(5)]
    before = emulator.receipts()
    end(emulator, how)
    assert emulator.receipts() == before
    assert [shop.task(task["id"]).json for task in tasks] == tasks
    assert shop.post(receipt_v2("a-3")).json["task"]["id"] == tasks[3]["id"]
    after = [shop.final(shop.post(receipt_v2(f"b-{n}")).json["id"]) for n in range(5)]
    assert {task["id"] for task in tasks}.isdisjoint(task["id"] for task in after)
    assert max(int(task["fiscal_data"]["i"]) for task in tasks) < min(int(task["fiscal_data"]["i"]) for task in after)
    assert {task["fiscal_data"]["fn"] for task in after} == {tasks[0]["fiscal_data"]["fn"]}


def test_what_was_answered_before_sigkill_is_there_after_it(own, receipt_v2):
    emulator, shop = own
    answered, lock, stop = {}, threading.Lock(), threading.Event()

    def post(worker):
        number = 0
        while not stop.is_set():
            key = f"w{worker}-{number}"
            number += 1
            try:
                task = shop.post(receipt_v2(key)).json
                fiscal = shop.task(task["id"]).json["fiscal_data"]
            except OSError:
                return
            except Exception:
                return  # the answer was cut
            with lock:
                answered[key] = (task["id"], fiscal)

    threads = [threading.Thread(target=post, args=(worker,)) for worker in range(6)]
    for thread in threads:
        thread.start()
    time.sleep(0.5)
    emulator.kill()
    stop.set()
    for thread in threads:
        thread.join()
    emulator.start()
    stored = {receipt["external_id"]: receipt for receipt in emulator.receipts()}
    assert len(answered) > 50
    for key, (number, fiscal) in answered.items():
        assert stored[key]["id"] == number
        assert stored[key]["fiscal_data"] == fiscal
    documents = [receipt["fiscal_data"]["i"] for receipt in stored.values()]
    assert len(set(documents)) == len(documents)
    fresh = shop.final(shop.post(receipt_v2("fresh")).json["id"])
    assert int(fresh["fiscal_data"]["i"]) > max(map(int, documents))


@pytest.mark.parametrize("delay", ["pickup_delay_ms", "print_delay_ms"])
def test_tasks_under_way_go_on_after_sigkill(own, receipt_v2, delay):
    emulator, shop = own
    emulator.settings(**{delay: 600})
    numbers = [shop.post(receipt_v2(f"a-{n}")).json["id"] for n in range(3)]
    assert {shop.task(number).json["state"] for number in numbers} <= {"new", "processing"}
    emulator.kill()
    emulator.start()
    tasks = [shop.final(number) for number in numbers]
    assert [task["state"] for task in tasks] == ["done"] * 3
    assert len({task["fiscal_data"]["i"] for task in tasks}) == 3


def test_an_error_that_is_to_become_done_still_does_after_sigkill(own, receipt_v2):
    emulator, shop = own
    emulator.faults({"fault": "late_done", "delay_ms": 400})
    number = shop.post(receipt_v2()).json["id"]
    assert shop.task(number).json["state"] == "error"
    emulator.kill()
    emulator.start()
    assert shop.final(number, "done")["fiscal_data"]["s"] == "950.00"


def test_undelivered_callbacks_are_delivered_after_sigkill(own, listener, receipt_v2):
    emulator, shop = own
    emulator.settings(callback_intervals_ms=[0, 500, 500])
    listener.statuses = [503, 200]
    shop.post(receipt_v2(callback_url=listener.url))
    listener.wait(1)
    deadline = time.monotonic() + 5
    while emulator.callbacks()[0]["attempt"] == 0:
        assert time.monotonic() < deadline
    emulator.kill()
    emulator.start()
    first, second = listener.wait(2)
    assert (first.body, first.signature) == (second.body, second.signature)
    time.sleep(0.2)
    assert len(listener.received) == 2


def test_orders_employees_and_shops_survive(own):
    emulator, shop = own
    body = b'{"type":"courier","name":"X","login":"l","password":"p","pos_id":"1"}'
    first = shop.call("POST", "/api/shop/v2/employees", body).json["id"]
    second = shop.call("POST", "/api/shop/v2/employees", body).json["id"]
    assert shop.call("DELETE", f"/api/shop/v2/employees/{second}").status == 200
    emulator.call("POST", "shops", {"shop": "late", "secret": "x", "queues": [5]})
    emulator.kill()
    emulator.start()
    assert shop.call("GET", f"/api/shop/v2/employees/{first}").json["name"] == "X"
    assert shop.call("GET", f"/api/shop/v2/employees/{second}").status == 404
    assert shop.call("POST", "/api/shop/v2/employees", body).json["id"] == second + 1
    late = dataclasses.replace(shop, shop="late", secret="x")
    assert late.call("GET", "/api/shop/v2/queues/5").status == 200


def test_a_reset_forgets_receipts_but_not_the_numbers(own, receipt_v2):
    emulator, shop = own
    before = shop.final(shop.post(receipt_v2()).json["id"])
    emulator.reset()
    assert emulator.receipts() == []
    assert shop.task(before["id"]).status == 404
    after = shop.final(shop.post(receipt_v2()).json["id"])
    assert after["id"] > before["id"]
    assert int(after["fiscal_data"]["i"]) > int(before["fiscal_data"]["i"])
    emulator.kill()
    emulator.start()
    assert [receipt["id"] for receipt in emulator.receipts()] == [after["id"]]


def test_the_file_is_in_wal_mode(own):
    emulator, _ = own
    connection = sqlite3.connect(emulator.db)
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    connection.close()
