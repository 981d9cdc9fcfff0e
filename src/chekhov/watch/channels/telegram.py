"""A Telegram chat through the Bot API's `sendMessage`. The text goes as it is, without markup."""

from __future__ import annotations

import json

from django.conf import settings

from chekhov.watch.channels.failure import SendFailed, said
from chekhov.watch.channels.http import post
from chekhov.watch.messages import Message

LONGEST = 4_000  # the Bot API takes 4096 characters
_WHOM = "Telegram"


def send(chat: str, token: str, message: Message) -> str:
    """Raises SendFailed. The token stands in the URL: neither is ever logged or shown."""
    text = message.text if len(message.text) <= LONGEST else message.text[: LONGEST - 1] + "…"
    body = json.dumps({"chat_id": chat, "text": text, "link_preview_options": {"is_disabled": True}}).encode()
    url = f"{settings.CHEKHOV_TELEGRAM_URL}/bot{token}/sendMessage"
    reply = post(url, body, {"Content-Type": "application/json"}, whom=_WHOM)
    try:
        answer = json.loads(reply.body)
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        raise SendFailed("not_telegram", f"По адресу Telegram ответил кто-то другой (код {reply.status}).")
    if reply.status == 200 and answer.get("ok") is True:
        return ""
    described = said(answer.get("description"), token)
    if reply.status in (401, 404):
        raise SendFailed("bad_token", f"Telegram не принял токен бота. Возьмите его у @BotFather заново.{described}")
    if reply.status == 403:
        raise SendFailed("bot_blocked", f"Бота заблокировали или убрали из чата. Верните его.{described}")
    if reply.status == 400:
        raise SendFailed(
            "bad_chat", f"Telegram не нашёл такой чат. Напишите боту первым или добавьте его в группу.{described}"
        )
    if reply.status == 429:
        parameters = answer.get("parameters")
        wait = parameters.get("retry_after") if isinstance(parameters, dict) else None
        seconds = wait if isinstance(wait, int) and not isinstance(wait, bool) else 30
        raise SendFailed("too_many", "Telegram просит подождать.", retry_after_seconds=max(1, min(seconds, 3600)))
    raise SendFailed("failing", f"Telegram ответил кодом {reply.status}.{described}")
