"""What people set up about alerts: every refusal by its field, secrets encrypted, every change in the journal."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from cryptography.fernet import Fernet

from chekhov.errors import Invalid
from chekhov.people.models import Action
from chekhov.registers import secrets
from chekhov.registers.secrets import decrypt
from chekhov.watch.models import AlertPolicy, Channel, RuleSetting
from chekhov.watch.problems import policy_read
from chekhov.watch.services import (
    ChannelContent,
    PolicyContent,
    RuleContent,
    channel_remove,
    channel_save,
    channel_secrets_reencrypt,
    policy_save,
    rules_save,
)
from tests import factories
from tests.watch.conftest import SIGNING, TOKEN

pytestmark = pytest.mark.django_db

EMAIL = ChannelContent("email", "Почта", "admin@shop.example")
TELEGRAM = ChannelContent("telegram", "Дежурный", "-100200300", TOKEN)
WEBHOOK = ChannelContent("webhook", "Программа", "https://shop.example/alerts", SIGNING)
POLICY = PolicyContent(True, 1320, 480, 2, 6, 3, 12, True)


def codes(content: ChannelContent) -> set[str]:
    before = list(Channel.objects.values())
    with pytest.raises(Invalid) as caught:
        channel_save(content=content, actor=None)
    assert list(Channel.objects.values()) == before
    assert all(fault.message for fault in caught.value.faults)
    return {fault.path for fault in caught.value.faults}


@pytest.mark.parametrize(
    ("content", "path"),
    [
        (replace(EMAIL, kind="pigeon"), "kind"),
        (replace(EMAIL, name=" "), "name"),
        (replace(EMAIL, target=""), "target"),
        (replace(EMAIL, target="admin"), "target"),
        (replace(EMAIL, target="admin@shop.example\nBcc: x@y.example"), "target"),
        (replace(EMAIL, target=", ".join(f"a{number}@shop.example" for number in range(11))), "target"),
        (replace(TELEGRAM, target="Вася"), "target"),
        (replace(TELEGRAM, target="1 2"), "target"),
        (replace(TELEGRAM, secret=""), "secret"),
        (replace(TELEGRAM, secret="bot"), "secret"),
        (replace(TELEGRAM, secret=f"{TOKEN}/../x"), "secret"),
        (replace(WEBHOOK, target="shop.example"), "target"),
        (replace(WEBHOOK, target="ftp://shop.example/"), "target"),
        (replace(WEBHOOK, target="http://shop.example/"), "target"),
        (replace(WEBHOOK, target="https://user:password@shop.example/"), "target"),
        (replace(WEBHOOK, target="https://shop.example:x/"), "target"),
        (replace(WEBHOOK, target="https://магазин.рф/"), "target"),
        (replace(WEBHOOK, secret="short"), "secret"),
        (replace(WEBHOOK, secret=""), "secret"),
    ],
)
def test_what_is_wrong_is_refused_at_its_field(content: ChannelContent, path: str) -> None:
    assert codes(content) == {path}


@pytest.mark.parametrize(
    "url",
    ["https://shop.example/alerts?key=1", "http://127.0.0.1:9000/", "http://192.168.1.5/hook", "http://localhost/"],
)
def test_addresses_of_ones_own_network_may_be_plain(url: str) -> None:
    assert channel_save(content=replace(WEBHOOK, target=url), actor=None).target == url


def test_addresses_are_kept_in_one_form() -> None:
    row = channel_save(content=replace(EMAIL, target=" Admin@Shop.Example; b@shop.example "), actor=None)
    assert row.target == "Admin@shop.example, b@shop.example"


def test_secrets_are_encrypted_and_an_empty_field_keeps_them() -> None:
    row = channel_save(content=TELEGRAM, actor=None)
    assert TOKEN not in row.secret_encrypted
    assert decrypt(row.secret_encrypted) == TOKEN
    row = channel_save(content=replace(TELEGRAM, secret="", name="Другой"), actor=None, channel=row)
    assert decrypt(row.secret_encrypted) == TOKEN
    assert TOKEN not in repr(TELEGRAM)


def test_a_change_does_not_break_a_sending_that_is_under_way() -> None:
    row = channel_save(content=EMAIL, actor=None)
    Channel.objects.update(lease_owner="one", lease_until_ms=2**50)
    row = channel_save(content=replace(EMAIL, name="Иначе"), actor=None, channel=row)
    assert (row.lease_owner, row.lease_until_ms) == ("one", 2**50)


def test_channels_are_bounded() -> None:
    for number in range(20):
        channel_save(content=replace(EMAIL, name=f"Почта {number}"), actor=None)
    assert codes(EMAIL) == {"name"}


def test_secrets_are_encrypted_anew_with_the_first_key(settings: Any) -> None:
    row = channel_save(content=TELEGRAM, actor=None)
    old, new = settings.CHEKHOV_ENCRYPTION_KEYS[0], Fernet.generate_key().decode()
    try:
        settings.CHEKHOV_ENCRYPTION_KEYS = [new, old]
        secrets._box.cache_clear()
        assert channel_secrets_reencrypt() == 1
        settings.CHEKHOV_ENCRYPTION_KEYS = [new]
        secrets._box.cache_clear()
        row.refresh_from_db()
        assert decrypt(row.secret_encrypted) == TOKEN
    finally:
        secrets._box.cache_clear()


def test_rules_are_saved_where_they_changed() -> None:
    content = {"receipt_old": RuleContent(True, 45, False), "incident_open": RuleContent(False, 0, True)}
    rules_save(rules=content, actor=None)
    rules_save(rules=content, actor=None)
    assert RuleSetting.objects.get(pk="receipt_old").threshold == 45
    assert Action.objects.filter(kind="alert_rules_change").count() == 1
    with pytest.raises(Invalid) as caught:
        rules_save(rules={"receipt_old": RuleContent(True, 0, False)}, actor=None)
    assert caught.value.faults[0].path == "receipt_old.threshold"


@pytest.mark.parametrize(
    "wrong",
    [{"quiet_from": 1440}, {"quiet_to": -1}, {"time_zone": 12}, {"reminder_hours": 169}, {"messages_an_hour": 0},
     {"reminders_most": 51}],
)  # fmt: skip
def test_a_policy_out_of_bounds_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(Invalid) as caught:
        policy_save(content=replace(POLICY, **wrong), actor=None)
    assert {fault.path for fault in caught.value.faults} == set(wrong)
    assert not AlertPolicy.objects.exists()


def test_quiet_hours_begin_as_those_of_the_shops_own_time_zone() -> None:
    assert policy_read().time_zone == 2
    factories.organization(time_zone=8)
    assert policy_read().time_zone == 8
    policy_save(content=POLICY, actor=None)
    assert policy_read().time_zone == 2


def test_every_change_stands_in_the_journal_without_secrets() -> None:
    actor = factories.user()
    row = channel_save(content=WEBHOOK, actor=actor)
    channel_save(content=replace(WEBHOOK, is_on=False), actor=actor, channel=row)
    channel_remove(channel=row, actor=actor)
    channel_remove(channel=row, actor=actor)
    policy_save(content=POLICY, actor=actor)
    kinds = list(Action.objects.order_by("pk").values_list("kind", flat=True))
    assert kinds == ["alert_channel_create", "alert_channel_change", "alert_channel_remove", "alert_policy_change"]
    assert not [row for row in Action.objects.values() if SIGNING in str(row)]
