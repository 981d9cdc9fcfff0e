"""The ways out: one module a kind of channel. Each sends one message within bounded time, or says in words why not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from chekhov.watch.channels import mail, telegram, webhook
from chekhov.watch.channels.failure import SendFailed
from chekhov.watch.messages import Message

SEND_SECONDS = 90  # no sending takes longer

__all__ = ["SEND_SECONDS", "SendFailed", "Target", "send"]


@dataclass(frozen=True, slots=True)
class Target:
    """Where a message goes."""

    kind: str
    address: str
    secret: str = field(default="", repr=False)


def send(target: Target, message: Message) -> str:
    """Send one message; a remark, where it went but not to all. Raises SendFailed. Must not run in a transaction."""
    ways: dict[str, Callable[[str, str, Message], str]] = {
        "email": mail.send,
        "telegram": telegram.send,
        "webhook": webhook.send,
    }
    return ways[target.kind](target.address, target.secret, message)
