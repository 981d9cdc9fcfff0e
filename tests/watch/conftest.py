"""A shop with one register, channels of every kind, and receipts in any state."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import transaction

from chekhov.config.database import execute, read_clock_ms
from chekhov.receipts import writer
from chekhov.receipts.models import Receipt
from chekhov.receipts.states import State
from chekhov.registers.models import Register
from chekhov.watch import problems
from chekhov.watch.dispatch import channels_due, deliver
from chekhov.watch.models import Channel
from chekhov.watch.services import ChannelContent, channel_save
from tests import factories
from tests.watch.servers import Inbox, Mail, http_inbox, mail_server

MINUTE_MS, HOUR_MS = 60_000, 3_600_000
TOKEN = "123456789:AAbbCCddEEffGGhhIIjjKKllMMnnOOpp"
SIGNING = "a secret of the shop's program"


@pytest.fixture
def register(db: Any) -> Register:
    return factories.register(factories.region("msk", factories.organization()), name="Касса на Ленина")


@pytest.fixture
def receipt(register: Register) -> Receipt:
    """A queued receipt."""
    return receipt_of(register)


def receipt_of(register: Register) -> Receipt:
    bill = factories.invoice(factories.customer(register.region))
    factories.pay(bill)
    return Receipt.objects.get(invoice=bill)


def move(receipt: Receipt, *states: State) -> None:
    """Move a receipt through states, as the worker would."""
    for state in states:
        with transaction.atomic():
            head = writer.heads([receipt.pk], lock=True)[receipt.pk]
            assert writer.apply([writer.Change(head, state, "test")], actor="worker:test")


@pytest.fixture
def mail(settings: Any) -> Iterator[Mail]:
    """A mail server, and the settings that lead to it."""
    with mail_server() as server:
        settings.CHEKHOV_SMTP_HOST, settings.CHEKHOV_SMTP_PORT = "127.0.0.1", server.port
        settings.CHEKHOV_SMTP_SECURITY, settings.CHEKHOV_SMTP_USER = "none", ""
        settings.CHEKHOV_SMTP_PASSWORD, settings.CHEKHOV_MAIL_FROM = "", "kassa@shop.example"
        yield server


@pytest.fixture
def telegram(settings: Any) -> Iterator[Inbox]:
    with http_inbox() as server:
        settings.CHEKHOV_TELEGRAM_URL = server.url
        yield server


@pytest.fixture
def webhook() -> Iterator[Inbox]:
    with http_inbox() as server:
        yield server


def mail_channel(target: str = "admin@shop.example") -> Channel:
    return channel_save(content=ChannelContent("email", "Почта", target), actor=None)


def telegram_channel() -> Channel:
    return channel_save(content=ChannelContent("telegram", "Дежурный", "-100200300", TOKEN), actor=None)


def webhook_channel(inbox: Inbox) -> Channel:
    return channel_save(content=ChannelContent("webhook", "Программа", f"{inbox.url}/alerts?x=1", SIGNING), actor=None)


def evaluate(now_ms: int | None = None) -> problems.Changes:
    return problems.evaluate(now_ms=read_clock_ms() if now_ms is None else now_ms)


def send_all(now_ms: int | None = None, *, owner: str = "test") -> int:
    """Deliver what is due on every channel; how many messages went out."""
    at_ms = read_clock_ms() + 1 if now_ms is None else now_ms
    return sum(deliver(pk, owner=owner, now_ms=at_ms) for pk in channels_due(now_ms=at_ms))


def only(*codes: str, **thresholds: int) -> None:
    """Switch off every rule but these."""
    from chekhov.watch.models import RuleSetting
    from chekhov.watch.rules import RULES

    RuleSetting.objects.all().delete()
    for code, rule in RULES.items():
        default = rule.threshold.default if rule.threshold else 0
        RuleSetting.objects.create(
            code=code, is_on=code in codes, threshold=thresholds.get(code, default), is_urgent=rule.is_urgent
        )


def age_receipt(receipt: Receipt, milliseconds: int) -> None:
    """Let time pass for one receipt: its row is immutable, so the triggers step aside."""
    from datetime import timedelta

    from chekhov.config import immutability
    from chekhov.config.database import instant

    immutability.remove()
    try:
        execute(
            "UPDATE receipts_receipt SET created_at = %s WHERE id = %s",
            [instant(receipt.created_at - timedelta(milliseconds=milliseconds)), receipt.pk],
        )
    finally:
        immutability.reinstall()
