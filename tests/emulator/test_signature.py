"""Who may speak: signatures of requests, and the one answer to everybody else."""

import dataclasses
import http.client
import json

import pytest

from chekhov.emulator.signature import is_signed, sign
from chekhov.emulator.testing import EmulatorProcess

SECRET = "s3cr3t-demo"
SERVICE = "https://kassa.komtet.ru/api/shop"
TASK = f"{SERVICE}/v2/queues/777/task"


@pytest.mark.parametrize(
    ("method", "url", "body", "signature"),
    [
        ("GET", f"{SERVICE}/v2/queues/777", "", "624461a47ca2341e77c0913b2af12b7d"),
        ("GET", f"{SERVICE}/v1/queues/777", "", "d45909a8ea39a695ac2adaa3825967bd"),
        ("GET", f"{SERVICE}/v2/tasks/1001", "", "2c0803a4670519a4fe0090ea1d60525a"),
        ("GET", f"{SERVICE}/v2/orders?start=0&limit=10", "", "4a6e512ff3d1b91208370f4ce052013e"),
        ("DELETE", f"{SERVICE}/v2/orders/15", "", "d17b5888d6d40ad0897d6d038dc86d7c"),
        ("POST", TASK, '{"external_id":"A-1","intent":"sell"}', "b943d20084b85fa573f639dbf7ef87bf"),
        ("POST", TASK, '{"note":"Чек"}', "a823f02a908e9c3c9c40d39d408435b1"),
        ("POST", TASK, '{"note":"\\u0427\\u0435\\u043a"}', "2de61c0f28ba5b457951b82084d67e6b"),
        ("PUT", f"{SERVICE}/v2/employees/9", '{"name":"X"}', "9854fdff862e5f77ac2c6b28358dfb0b"),
        (
            "POST",
            "https://shop.example/komtet/ok?x=1",
            '{"id":1001,"external_id":"A-1","state":"done","error_description":null}',
            "8822c96d8e9eadb21ee1a21f0fb24054",
        ),
        (
            "POST",
            "http://127.0.0.1:8080/api/shop/v2/queues/777/task",
            '{"external_id":"A-1","intent":"sell"}',
            "91fc7b1100e7e4568783cef73484b2d3",
        ),
    ],
)
def test_known_signatures(method, url, body, signature):
    assert sign(SECRET, method, url, body.encode()) == signature


def test_a_signature_for_another_origin_target_or_body_does_not_fit():
    good = sign(SECRET, "POST", "http://a/x?q=%20", b"body")
    assert is_signed(SECRET, good, "POST", ("http://b", "http://a"), "/x?q=%20", b"body")
    assert not is_signed(SECRET, good, "POST", ("http://b",), "/x?q=%20", b"body")
    assert not is_signed(SECRET, good, "POST", ("http://a",), "/y?q=%20", b"body")
    assert not is_signed(SECRET, good, "POST", ("http://a",), "/x?q=%20", b"body ")
    assert not is_signed(SECRET, good, "PUT", ("http://a",), "/x?q=%20", b"body")
    assert not is_signed(SECRET, "é" * 32, "POST", ("http://a",), "/x", b"")


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": "another-shop"},
        {"Authorization": ""},
        {"X-HMAC-Signature": "0" * 32},
        {"X-HMAC-Signature": ""},
    ],
)
def test_a_wrong_shop_or_signature_is_403_and_stores_nothing(shop, emulator, receipt_v2, headers):
    path = "/api/shop/v2/queues/777/task"
    answer = shop.call("POST", path, json.dumps(receipt_v2()).encode(), headers=headers)
    assert (answer.status, answer.code) == (403, "AUT00")
    assert set(answer.json) == {"title", "code", "description"}
    assert emulator.receipts() == []


def test_the_signature_header_may_be_written_in_any_case(shop):
    path = "/api/shop/v2/queues/777"
    connection = http.client.HTTPConnection(shop.base_url.removeprefix("http://"), timeout=10)
    signature = sign(shop.secret, "GET", shop.base_url + path)
    connection.request("GET", path, headers={"authorization": shop.shop, "x-hmac-signature": signature})
    assert connection.getresponse().status == 200
    connection.close()


def test_a_query_may_be_signed_before_or_after_percent_encoding(shop):
    encoded = "/api/shop/v2/orders?start=0&limit=10&date_start=2026-10-01%2010:00"
    plain = encoded.replace("%20", " ")
    assert shop.call("GET", encoded).status == 200
    assert shop.call("GET", encoded, signed_url=shop.base_url + plain).status == 200
    assert shop.call("GET", encoded, signed_url=shop.base_url + "/api/shop/v2/orders").status == 403


def test_requests_may_be_signed_for_the_public_address_or_for_the_host_header(shop):
    with EmulatorProcess("--public-url", "https://kassa.example/", shop=shop.shop, secret=shop.secret) as running:
        shop = dataclasses.replace(shop, base_url=running.base_url)
        path = "/api/shop/v2/queues/777"
        assert shop.call("GET", path, signed_url=f"https://kassa.example{path}").status == 200
        assert shop.call("GET", path).status == 200
        assert shop.call("GET", path, signed_url=f"https://other.example{path}").status == 403


def test_a_foreign_queue_is_403_or_by_the_switch_404(shop, emulator, receipt_v2):
    assert shop.call("GET", "/api/shop/v2/queues/778").code == "AUT00"
    answer = shop.post(receipt_v2(), queue=778)
    assert (answer.status, answer.code) == (403, "AUT00")
    emulator.settings(unknown_queue_status=404)
    assert shop.post(receipt_v2(), queue=778).status == 404
    assert shop.call("GET", "/api/shop/v2/queues/abc").status == 404
    assert emulator.receipts() == []
