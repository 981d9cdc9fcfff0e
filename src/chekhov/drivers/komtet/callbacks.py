"""Notifications of the service: who signed them, and which task they are about.

The signature is made with the shop's secret over `POST`, the address that the service was told to call and the raw
body. The addresses are the configured ones: one rebuilt from the request would be wrong behind a proxy. There is no
time stamp in it, so a notification may be replayed: it only wakes the poll.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import parse_qsl

from chekhov.drivers.contract import CallbackVerdict, Verdict
from chekhov.drivers.komtet.replies import JsonObject, external_id, header, identifier, json_object, words
from chekhov.drivers.komtet.signature import matching_url

SIGNATURE_HEADER = "X-HMAC-Signature"
MAX_FORM_FIELDS = 64


def verify(secret: str, urls: Sequence[str], raw_body: bytes, headers: Mapping[str, str]) -> CallbackVerdict:
    """Judge a notification. Nothing of the body is read unless the signature fits one of `urls`.

    JSON is the service's form; form variables, which some of the vendor's older plugins read, are taken too, but only
    signed. Fiscal data in the body is not used: the receipt is proven by asking for the task.
    """
    given = header(headers, SIGNATURE_HEADER)
    if not given:
        return CallbackVerdict(Verdict.FORGED, reason="В уведомлении нет подписи.")
    url = matching_url(secret, "POST", urls, raw_body, given)
    if url is None:
        return CallbackVerdict(Verdict.FORGED, reason="Подпись уведомления не подходит ни к одному адресу.")
    content = _form(raw_body) if _is_form(headers) else json_object(raw_body)
    if content is None:
        return CallbackVerdict(Verdict.MALFORMED, url=url, reason="Тело уведомления не читается.")
    key = external_id(content.get("external_id"))
    if not key:
        return CallbackVerdict(Verdict.MALFORMED, url=url, reason="В уведомлении нет номера чека.")
    return CallbackVerdict(
        Verdict.VERIFIED,
        key=key,
        provider_id=identifier(content.get("id")),
        state=words(content.get("state"))[:32],
        url=url,
    )


def _is_form(headers: Mapping[str, str]) -> bool:
    kind = header(headers, "Content-Type").split(";", 1)[0].strip().lower()
    return kind == "application/x-www-form-urlencoded"


def _form(raw_body: bytes) -> JsonObject | None:
    try:
        return dict(parse_qsl(raw_body.decode(), max_num_fields=MAX_FORM_FIELDS))
    except ValueError:
        return None
