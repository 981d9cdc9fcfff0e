"""A shop with three regions, a cashier who has logged in, and receipts in any state."""

from __future__ import annotations

from dataclasses import dataclass
from html.parser import HTMLParser
from typing import Any

import pytest
from django.db import transaction
from django.test import Client

from chekhov.directory.models import Organization, Region
from chekhov.fiscal.vocabulary import Channel, Means
from chekhov.panel import decisions, unreceipted
from chekhov.people.models import User
from chekhov.receipts import writer
from chekhov.receipts.models import FiscalRecord, Obligation, Receipt
from chekhov.receipts.states import State
from chekhov.registers.models import Register
from tests import factories

PASSWORD = "correct horse battery"


@dataclass
class Shop:
    """`msk` has a register that is active on-line, `spb` one that is not, `ekb` none."""

    organization: Organization
    msk: Region
    spb: Region
    ekb: Region
    register: Register
    quiet: Register

    def receipt(self, **values: Any) -> Receipt:
        """A queued receipt of a paid invoice in `msk`."""
        bill = factories.invoice(factories.customer(self.msk, **values))
        factories.pay(bill)
        return Receipt.objects.select_related("status").get(invoice=bill)

    def obligation(self, region: Region | None = None, **values: Any) -> Obligation:
        """An invoice paid at the counter, its receipt not made yet."""
        bill = factories.invoice(factories.customer(region or self.msk, **values))
        factories.pay(bill, channel=Channel.COUNTER, means=Means.CASH)
        return Obligation.objects.get(invoice=bill)


@pytest.fixture(autouse=True)
def _fresh_badge() -> None:
    """The menu's figure lives for seconds; a test's database does not."""
    unreceipted._badge.cache_clear()
    decisions._badge.cache_clear()


@pytest.fixture(autouse=True)
def _quick_passwords(settings: Any) -> None:
    """Passwords are hashed hundreds of times here; how slowly is not what these tests ask."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def cashier(db: Any) -> User:
    user = factories.user("petrova")
    user.is_staff = True
    user.save()
    return user


@pytest.fixture
def panel(cashier: User) -> Client:
    """A browser in which the cashier has logged in."""
    client = Client()
    client.force_login(cashier, backend="django.contrib.auth.backends.ModelBackend")
    return client


@pytest.fixture
def shop(db: Any) -> Shop:
    organization = factories.organization()
    msk, spb, ekb = (factories.region(code, organization) for code in ("msk", "spb", "ekb"))
    register = factories.register(msk, name="Касса Москва")
    quiet = factories.register(spb, name="Касса Питер", queue=778, active_online=False)
    return Shop(organization, msk, spb, ekb, register, quiet)


def move(receipt: Receipt, *states: State, text: str = "") -> Receipt:
    """Move a receipt through states, as the worker would."""
    for state in states:
        with transaction.atomic():
            head = writer.heads([receipt.pk], lock=True)[receipt.pk]
            change = writer.Change(head, state, "test", error_code="test" if text else "", error_text=text)
            assert writer.apply([change], actor="worker:test")
    receipt.status.refresh_from_db()
    return receipt


def fiscalize(receipt: Receipt, *, fd: int = 4711) -> Receipt:
    """Move a receipt to its end with the register's figures."""
    move(receipt, State.SENDING, State.ACCEPTED, State.FISCALIZED)
    FiscalRecord.objects.create(
        receipt=receipt,
        fn="9999078900012345",
        fd=fd,
        fp="2397484188",
        printed_at="20261124T1015",
        sign=1,
        total_kopecks=receipt.total_kopecks,
        rn="0000000400054952",
        shift=12,
        number=3,
        recorded_at=receipt.created_at,
    )
    return receipt


class _Reader(HTMLParser):
    """Collects what a person sees or hears: text, and the attributes that browsers show."""

    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if self._hidden or tag in ("script", "style", "template") or "material-symbols" in (given.get("class") or ""):
            self._hidden += tag not in ("input", "meta", "link", "br", "hr", "img", "path")
            return
        self.words += [given[name] or "" for name in ("title", "placeholder", "aria-label", "alt") if name in given]

    def handle_endtag(self, tag: str) -> None:
        self._hidden = max(0, self._hidden - 1)

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.words.append(data)


def text_of(response: Any) -> str:
    """What a person reads on a page, with single spaces."""
    reader = _Reader()
    reader.feed(response.content.decode())
    return " ".join(" ".join(reader.words).replace("\u00a0", " ").split())
