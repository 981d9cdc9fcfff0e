"""How a sending fails: a stable code, a plain sentence, and when it is worth another try."""

from __future__ import annotations

from chekhov.config.logging import mask_text


class SendFailed(Exception):
    """The message was not taken, or nobody said that it was. `text` is for people and carries no secret."""

    def __init__(self, code: str, text: str, *, retry_after_seconds: int = 0) -> None:
        super().__init__(text)
        self.code = code
        self.text = text
        self.retry_after_seconds = retry_after_seconds


def said(words: object, secret: str = "") -> str:
    """What the other side said, as evidence beside our own sentence: short, without addresses and secrets."""
    text = words.decode("utf-8", "replace") if isinstance(words, bytes) else str(words or "")
    text = " ".join(text.split())
    if secret:
        text = text.replace(secret, "…")
    return f" Ответ: {mask_text(text)[:120]}" if text else ""
