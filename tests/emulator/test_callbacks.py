"""Callbacks: where they go, how they are signed, how often they are tried, and how they can go wrong."""

import hmac
import threading
import time


def signature(secret, url, body):
    return hmac.new(secret.encode(), b"POST" + url.encode() + body, "md5").hexdigest()


def test_the_outcome_goes_signed_to_the_receipts_own_url(shop, listener, receipt_v2):
    url = f"{listener.url}/komtet/ok?x=1"
    number = shop.post(receipt_v2(callback_url=url)).json["id"]
    [got] = listener.wait(1)
    assert got.path == "/komtet/ok?x=1"
    assert got.json == shop.task(number).json
    assert got.json["state"] == "done"
    assert got.signature == signature(shop.secret, url, got.body)
    time.sleep(0.1)
    assert len(listener.received) == 1


def test_an_error_goes_to_the_same_url(shop, listener, receipt_v2):
    shop.post(receipt_v2("A#kkt-error", callback_url=listener.url))
    [got] = listener.wait(1)
    assert (got.json["state"], got.json["fiscal_data"]) == ("error", None)
    assert got.json["error_description"]


def test_without_an_own_url_the_cabinets_urls_are_used(shop, emulator, listener, receipt_v2):
    emulator.call(
        "POST",
        "shops",
        {
            "shop": shop.shop,
            "secret": shop.secret,
            "queues": [777],
            "success_url": f"{listener.url}/success",
            "failure_url": f"{listener.url}/failure",
        },
    )
    shop.post(receipt_v2("1"))
    shop.post(receipt_v2("2#kkt-error"))
    shop.post(receipt_v2("3", callback_url=f"{listener.url}/own"))
    paths = {got.json["external_id"]: got.path for got in listener.wait(3)}
    assert paths == {"1": "/success", "2#kkt-error": "/failure", "3": "/own"}


def test_it_is_tried_again_until_somebody_says_2xx(shop, emulator, listener, receipt_v2):
    emulator.settings(callback_intervals_ms=[0, 100, 100, 100])
    listener.statuses = [500, 302, 204]
    number = shop.post(receipt_v2(callback_url=listener.url)).json["id"]
    received = listener.wait(3)
    assert received[1].at - received[0].at >= 0.09
    time.sleep(0.25)
    assert len(listener.received) == 3
    assert len({got.body for got in listener.received}) == 1
    [callback] = emulator.callbacks(number)
    assert (callback["state"], callback["attempt"], callback["answer"]) == ("delivered", 3, "204")


def test_it_is_given_up_after_the_last_attempt(shop, emulator, listener, receipt_v2):
    emulator.settings(callback_intervals_ms=[0, 20])
    listener.statuses = [500]
    number = shop.post(receipt_v2(callback_url=listener.url)).json["id"]
    listener.wait(2)
    deadline = time.monotonic() + 5
    while emulator.callbacks(number)[0]["state"] == "pending":
        assert time.monotonic() < deadline
    time.sleep(0.1)
    assert len(listener.received) == 2
    assert emulator.callbacks(number)[0]["state"] == "given_up"


def test_an_address_that_nobody_listens_to_is_an_attempt(shop, emulator, receipt_v2):
    emulator.settings(callback_intervals_ms=[0])
    number = shop.post(receipt_v2(callback_url="http://127.0.0.1:1/")).json["id"]
    deadline = time.monotonic() + 5
    while emulator.callbacks(number)[0]["state"] == "pending":
        assert time.monotonic() < deadline
    assert "Error" in emulator.callbacks(number)[0]["answer"]


def test_no_intervals_means_no_callbacks(shop, emulator, listener, receipt_v2):
    emulator.settings(callback_intervals_ms=[])
    shop.post(receipt_v2(callback_url=listener.url))
    time.sleep(0.1)
    assert listener.received == []


def test_early_comes_before_the_answer_to_the_post(shop, emulator, listener, receipt_v2):
    emulator.settings(print_delay_ms=60_000)
    emulator.faults({"fault": "callback_early", "count": 1})
    answered = threading.Event()
    early = []
    listener.on_call = lambda: (time.sleep(0.1), early.append(not answered.is_set()))
    number = shop.post(receipt_v2(callback_url=listener.url)).json["id"]
    answered.set()
    assert early == [True]
    assert listener.received[0].json["id"] == number
    assert shop.task(number).json["state"] == "done"


def test_duplicate_late_and_missing(shop, emulator, listener, receipt_v2):
    emulator.faults(
        {"fault": "callback_duplicate", "times": 3, "match": {"external_id": "twice"}},
        {"fault": "callback_late", "delay_ms": 400, "match": {"external_id": "late"}},
        {"fault": "callback_missing", "match": {"external_id": "never"}},
    )
    began = time.monotonic()
    for key in ("late", "never", "twice"):
        shop.post(receipt_v2(key, callback_url=listener.url))
    received = listener.wait(4)
    assert [got.json["external_id"] for got in received] == ["twice", "twice", "twice", "late"]
    assert received[3].at - began >= 0.39
    assert len({got.body for got in received}) == 2


def test_forged_unsigned_and_signed_for_another_url(shop, emulator, listener, receipt_v2):
    url = f"{listener.url}/x"
    for fault in ("callback_forged", "callback_unsigned", "callback_wrong_url"):
        emulator.faults({"fault": fault, "count": 1})
        shop.post(receipt_v2(fault, callback_url=url))
    for got in listener.wait(3):
        good = signature(shop.secret, url, got.body)
        if got.json["external_id"] == "callback_unsigned":
            assert got.signature is None
        else:
            assert len(got.signature) == 32
            assert got.signature != good


def test_a_callback_to_another_url_is_signed_for_the_right_one(shop, emulator, listener, receipt_v2):
    emulator.faults({"fault": "callback_wrong_url", "url": f"{listener.url}/elsewhere"})
    shop.post(receipt_v2(callback_url=f"{listener.url}/right"))
    [got] = listener.wait(1)
    assert got.path == "/elsewhere"
    assert got.signature == signature(shop.secret, f"{listener.url}/right", got.body)


def test_out_of_order_waits_for_a_later_one(shop, emulator, listener, receipt_v2):
    emulator.faults({"fault": "callback_out_of_order", "delay_ms": 5000, "match": {"external_id": "first"}})
    shop.post(receipt_v2("first", callback_url=listener.url))
    time.sleep(0.1)
    assert listener.received == []
    shop.post(receipt_v2("second", callback_url=listener.url))
    assert [got.json["external_id"] for got in listener.wait(2, seconds=3)] == ["second", "first"]


def test_out_of_order_does_not_wait_for_ever(shop, emulator, listener, receipt_v2):
    emulator.faults({"fault": "callback_out_of_order", "delay_ms": 100})
    shop.post(receipt_v2(callback_url=listener.url))
    assert len(listener.wait(1)) == 1
