"""A program's address: a JSON POST, signed.

`X-Chekhov-Signature: sha256=HEX` is HMAC-SHA256, keyed with the channel's secret, of the value of
`X-Chekhov-Timestamp` (seconds since 1970), a full stop, and the raw body. The receiver compares in constant time and
refuses what is older than some minutes. Any 2xx is «taken».
"""

from __future__ import annotations

import hmac
import time

from chekhov.watch.channels.failure import SendFailed, said
from chekhov.watch.channels.http import post
from chekhov.watch.messages import Message

_WHOM = "Адрес вебхука"


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """The value of `X-Chekhov-Signature`."""
    return "sha256=" + hmac.digest(secret.encode(), timestamp.encode() + b"." + body, "sha256").hex()


def send(url: str, secret: str, message: Message) -> str:
    """Raises SendFailed."""
    timestamp = str(int(time.time()))
    headers = {
        "Content-Type": "application/json; charset=utf-8",
        "X-Chekhov-Message": str(message.id),
        "X-Chekhov-Timestamp": timestamp,
        "X-Chekhov-Signature": signature(secret, timestamp, message.body),
    }
    reply = post(url, message.body, headers, whom=_WHOM)
    if 200 <= reply.status < 300:
        return ""
    if 300 <= reply.status < 400:
        raise SendFailed("redirect", f"{_WHOM} отвечает перенаправлением. Впишите конечный адрес.")
    if reply.status in (401, 403):
        raise SendFailed("refused", f"{_WHOM} отказал (код {reply.status}). Проверьте секрет подписи.")
    if reply.status in (404, 410):
        raise SendFailed("not_found", f"{_WHOM} не найден (код {reply.status}). Проверьте адрес.")
    raise SendFailed("failing", f"{_WHOM} ответил кодом {reply.status}.{said(reply.body[:200], secret)}")
