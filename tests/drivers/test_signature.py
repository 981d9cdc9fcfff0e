"""HMAC-MD5 over METHOD + URL + BODY."""

from __future__ import annotations

import pytest

from chekhov.drivers.komtet.signature import matching_url, sign
from tests.drivers.samples import SECRET

KASSA = "https://kassa.komtet.ru"
TASK_URL = f"{KASSA}/api/shop/v2/queues/777/task"
VECTORS = [
    ("GET", f"{KASSA}/api/shop/v2/queues/777", b"", "624461a47ca2341e77c0913b2af12b7d"),
    ("GET", f"{KASSA}/api/shop/v1/queues/777", b"", "d45909a8ea39a695ac2adaa3825967bd"),
    ("GET", f"{KASSA}/api/shop/v2/tasks/1001", b"", "2c0803a4670519a4fe0090ea1d60525a"),
    ("GET", f"{KASSA}/api/shop/v2/orders?start=0&limit=10", b"", "4a6e512ff3d1b91208370f4ce052013e"),
    ("DELETE", f"{KASSA}/api/shop/v2/orders/15", b"", "d17b5888d6d40ad0897d6d038dc86d7c"),
    ("POST", TASK_URL, b'{"external_id":"A-1","intent":"sell"}', "b943d20084b85fa573f639dbf7ef87bf"),
    ("POST", TASK_URL, '{"note":"Чек"}'.encode(), "a823f02a908e9c3c9c40d39d408435b1"),
    ("POST", TASK_URL, b'{"note":"\\u0427\\u0435\\u043a"}', "2de61c0f28ba5b457951b82084d67e6b"),
    ("PUT", f"{KASSA}/api/shop/v2/employees/9", b'{"name":"X"}', "9854fdff862e5f77ac2c6b28358dfb0b"),
    (
        "POST",
        "https://shop.example/komtet/ok?x=1",
        b'{"id":1001,"external_id":"A-1","state":"done","error_description":null}',
        "8822c96d8e9eadb21ee1a21f0fb24054",
    ),
    (
        "POST",
        "http://127.0.0.1:8080/api/shop/v2/queues/777/task",
        b'{"external_id":"A-1","intent":"sell"}',
        "91fc7b1100e7e4568783cef73484b2d3",
    ),
]


@pytest.mark.parametrize(("method", "url", "body", "signature"), VECTORS)
def test_a_known_request_has_its_known_signature(method: str, url: str, body: bytes, signature: str) -> None:
    assert sign(SECRET, method, url, body) == signature


@pytest.mark.parametrize(("method", "url", "body", "signature"), VECTORS)
def test_a_right_signature_names_its_address(method: str, url: str, body: bytes, signature: str) -> None:
    urls = ["https://other.example/", url, f"{url}/"]

    assert matching_url(SECRET, method, urls, body, signature) == url
    assert matching_url(SECRET, method, urls, body, f" {signature.upper()} ") == url
    assert matching_url(SECRET, method, urls, body + b" ", signature) is None
    assert matching_url(f"{SECRET}x", method, urls, body, signature) is None
    assert matching_url(SECRET, method, [], body, signature) is None


@pytest.mark.parametrize("signature", ["", "0", "подпись", "\udcff", "b943" * 8, "a" * 100_000])
def test_a_wrong_signature_fits_no_address(signature: str) -> None:
    assert matching_url(SECRET, "POST", [TASK_URL], b"{}", signature) is None
