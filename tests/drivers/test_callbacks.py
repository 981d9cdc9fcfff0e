"""Notifications: nobody is believed before his signature fits."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chekhov.drivers.contract import CallbackVerdict, Verdict
from chekhov.drivers.komtet.signature import sign
from tests.drivers.samples import DONE, DRIVER, KEY, SECRET

URLS = ("https://shop.example/hooks/komtet/new?komtet-kassa=success", "https://shop.example/hooks/komtet/old")
JSON = "application/json; charset=utf-8"


def verdict_of(body: bytes, url: str = URLS[1], secret: str = SECRET, content_type: str = JSON) -> CallbackVerdict:
    headers = {"x-hmac-SIGNATURE": sign(secret, "POST", url, body), "content-TYPE": content_type}
    return DRIVER.verify_callback(SECRET, URLS, body, headers)


@pytest.mark.parametrize("url", URLS)
def test_a_notification_signed_for_any_accepted_address_is_verified(url: str) -> None:
    assert verdict_of(json.dumps(DONE).encode(), url) == CallbackVerdict(
        Verdict.VERIFIED, key=KEY, provider_id="90210", state="done", url=url
    )


def test_the_published_vector_is_verified() -> None:
    body = b'{"id":1001,"external_id":"A-1","state":"done","error_description":null}'

    verdict = DRIVER.verify_callback(
        SECRET,
        ["https://shop.example/komtet/ok?x=1"],
        body,
        {"X-HMAC-Signature": "8822c96d8e9eadb21ee1a21f0fb24054"},
    )

    assert (verdict.verdict, verdict.key, verdict.provider_id) == (Verdict.VERIFIED, "A-1", "1001")


@pytest.mark.parametrize(("sent", "key"), [("A-1", "A-1"), (5001, "5001"), ("5001", "5001"), (0, "0")])
def test_our_key_is_compared_as_text(sent: object, key: str) -> None:
    assert verdict_of(json.dumps({"external_id": sent, "state": "error"}).encode()).key == key


def test_form_variables_are_read_when_signed() -> None:
    verdict = verdict_of(b"id=90210&external_id=A-1&state=done", content_type="application/x-www-form-urlencoded")

    assert (verdict.verdict, verdict.key, verdict.provider_id) == (Verdict.VERIFIED, "A-1", "90210")


def test_a_forged_notification_is_not_read() -> None:
    body = json.dumps(DONE).encode()
    forged = [
        verdict_of(body, secret="другой"),
        verdict_of(body, url="https://evil.example/"),
        DRIVER.verify_callback(SECRET, URLS, body, {}),
        DRIVER.verify_callback(SECRET, URLS, body, {"X-HMAC-Signature": ""}),
        DRIVER.verify_callback(SECRET, URLS, body + b" ", {"X-HMAC-Signature": sign(SECRET, "POST", URLS[0], body)}),
        DRIVER.verify_callback(SECRET, (), body, {"X-HMAC-Signature": sign(SECRET, "POST", URLS[0], body)}),
        DRIVER.verify_callback(SECRET, URLS, b"external_id=A-1", {"Content-Type": "application/x-www-form-urlencoded"}),
    ]

    for verdict in forged:
        assert verdict.verdict is Verdict.FORGED
        assert (verdict.key, verdict.provider_id, verdict.state, verdict.url) == ("", "", "", "")
        assert verdict.reason


@pytest.mark.parametrize(
    "body",
    [
        b"", b"[]", b"<html>", b'{"id": 1', b"{}", b'{"external_id": null}', b'{"external_id": ""}',
        b'{"external_id": true}', b'{"external_id": [1]}', b'{"external_id": "a\\u0000"}', b"\xff\xfe",
        b'{"external_id": "' + b"x" * 65 + b'"}', b"[" * 200_000,
    ],
)  # fmt: skip
def test_a_signed_notification_that_names_no_receipt_is_malformed(body: bytes) -> None:
    verdict = verdict_of(body)

    assert verdict.verdict is Verdict.MALFORMED
    assert verdict.url == URLS[1]
    assert verdict.reason


@given(st.binary(max_size=200), st.sampled_from([JSON, "application/x-www-form-urlencoded", "", "\udcff;"]))
def test_no_signed_bytes_break_the_reader(body: bytes, content_type: str) -> None:
    verdict = verdict_of(body, content_type=content_type)

    assert verdict.verdict in (Verdict.VERIFIED, Verdict.MALFORMED)
    assert bool(verdict.key) is (verdict.verdict is Verdict.VERIFIED)


@given(st.binary(max_size=200), st.text(max_size=40))
def test_no_guessed_signature_is_believed(body: bytes, signature: str) -> None:
    verdict = DRIVER.verify_callback(SECRET, URLS, body, {"X-HMAC-Signature": signature})

    assert verdict.verdict is Verdict.FORGED
