"""People change a register's settings while receipts and notifications are on their way."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from chekhov.delivery.models import Attempt, Callback
from chekhov.fiscal.vocabulary import RegisterVatRate, TaxSystem
from chekhov.receipts.models import Receipt
from chekhov.receipts.states import State
from chekhov.registers.models import Register
from chekhov.registers.services import RegisterContent, register_save
from tests import factories
from tests.faults.conftest import Hooks, Installation
from tests.faults.truth import all_in, assert_books_agree, states

FISCALIZED = all_in(State.FISCALIZED)
LOST = {"fault": "drop", "when": "after", "count": 1, "match": {"method": "POST"}}


def change(installation: Installation, **values: Any) -> Register:
    """Save the register's form with other values."""
    row = installation.register
    fields: dict[str, Any] = {
        "provider": "test",
        "region_id": row.region_id,
        "name": row.name,
        "shop_id": "demo-shop",
        "secret": "",
        "queue": 777,
        "tax_system": TaxSystem.OSN,
        "vat_rate": RegisterVatRate.R22,
        "place_id": row.place_id,
        "service_url": installation.emulator.base_url,
        **values,
    }
    return register_save(content=RegisterContent(**fields), actor=None, register=row).register


@pytest.fixture
def shop_restored(installation: Installation) -> Iterator[None]:
    """The emulator's shop is again what the other tests know."""
    yield
    tell_secret(installation, installation.emulator.secret)


def tell_secret(installation: Installation, secret: str, *queues: int) -> None:
    """The provider's cabinet: the shop's secret is another one from now on."""
    shop = {"shop": installation.emulator.shop, "secret": secret, "queues": [777, *queues]}
    installation.emulator.call("POST", "shops", shop)


def lose_the_answer(installation: Installation, **fault: Any) -> Receipt:
    """One receipt that exists and is of unknown outcome."""
    installation.emulator.faults({**LOST, **fault})
    installation.sell()
    installation.deliver(all_in(State.UNKNOWN), patient=True)
    return Receipt.objects.get()


def test_the_queue_is_changed_between_two_attempts(installation: Installation, shop_restored: None) -> None:
    """Elsewhere the key protects nothing: the repeat goes where the first attempt went."""
    tell_secret(installation, installation.emulator.secret, 779)
    installation.emulator.settings(duplicate_scope="queue")
    lose_the_answer(installation)

    change(installation, queue=779)
    installation.deliver(FISCALIZED)

    assert set(Attempt.objects.values_list("queue", flat=True)) == {777}
    assert_books_agree(installation.emulator, facts=1)
    installation.sell()
    installation.deliver(lambda: states()["fiscalized"] == 2)
    assert Attempt.objects.order_by("-id")[0].queue == 779
    assert_books_agree(installation.emulator, facts=2)


def test_the_secret_is_replaced_between_two_attempts(installation: Installation, shop_restored: None) -> None:
    lose_the_answer(installation)
    tell_secret(installation, "fresh-secret")

    installation.deliver(lambda: Attempt.objects.filter(outcome="refused").exists())
    assert states() == {"unknown": 1}, "refused credentials prove nothing about the document"
    change(installation, secret="fresh-secret")
    installation.deliver(FISCALIZED)

    assert_books_agree(installation.emulator, facts=1)


def test_the_shop_is_changed_between_two_attempts(installation: Installation, shop_restored: None) -> None:
    """Another ShopID is another account: what was sent under the former one is asked for there."""
    receipt = lose_the_answer(installation)
    shop = {"shop": "other-shop", "secret": "other-secret", "queues": [777]}
    installation.emulator.call("POST", "shops", shop)

    changed = change(installation, shop_id="other-shop", secret="other-secret")
    installation.deliver(FISCALIZED)

    assert changed.account != receipt.account
    assert set(Attempt.objects.values_list("account", flat=True)) == {receipt.account_id}
    assert_books_agree(installation.emulator, facts=1)


def test_the_secret_is_replaced_while_notifications_are_on_their_way(
    installation: Installation, hooks: Hooks, shop_restored: None
) -> None:
    """Those that are signed with the former secret are not believed, and nobody has to: the task is asked about."""
    installation.emulator.faults({"fault": "callback_late", "delay_ms": 900})
    installation.sell(2)
    installation.deliver(lambda: states()["accepted"] == 2, patient=True)

    tell_secret(installation, "fresh-secret")
    change(installation, secret="fresh-secret")
    installation.deliver(lambda: hooks.statuses.count(403) >= 2, patient=True)
    installation.deliver(FISCALIZED)

    assert set(Callback.objects.values_list("verdict", "effect")) == {("forged", "none")}
    assert_books_agree(installation.emulator, facts=2)


def test_the_address_of_the_installation_is_changed_while_notifications_are_on_their_way(
    installation: Installation, hooks: Hooks, settings: Any
) -> None:
    """They are signed for the link that was told to the provider: each such link is remembered."""
    installation.emulator.faults({"fault": "callback_late", "delay_ms": 700})
    installation.sell()
    installation.deliver(lambda: states()["accepted"] == 1, patient=True)

    settings.CHEKHOV_BASE_URL = "https://kassa.example.ru"
    installation.deliver(lambda: Callback.objects.exists(), patient=True)
    installation.deliver(FISCALIZED)

    assert Callback.objects.get().verdict == "verified"
    assert_books_agree(installation.emulator, facts=1)


def test_a_notification_at_the_link_of_another_record_of_the_shop_finds_its_receipt(
    installation: Installation, hooks: Hooks, shop_restored: None
) -> None:
    tell_secret(installation, installation.emulator.secret, 778)
    spb = factories.region("spb", installation.register.organization)
    second = factories.register(spb, queue=778, service_url=installation.emulator.base_url)
    assert second.account == installation.register.account, "one shop, one link, whichever record it was copied from"
    installation.sell()
    factories.pay(factories.invoice(factories.customer(spb)))

    installation.deliver(FISCALIZED, seconds=5, patient=True)

    noted = dict(Callback.objects.values_list("receipt__queue", "verdict"))
    assert noted == {777: "verified", 778: "verified"}
    assert_books_agree(installation.emulator, facts=2)
