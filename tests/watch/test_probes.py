"""The watch asks the service itself whether a queue has a working register: against the real emulator."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.utils import timezone

from chekhov.drivers.access import AccessState
from chekhov.emulator.testing import EmulatorProcess
from chekhov.registers.models import Account, Register
from chekhov.watch.models import Problem, RuleSetting
from chekhov.watch.probes import probe, probes_due
from tests import factories
from tests.watch.conftest import evaluate, only

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def emulator() -> Iterator[EmulatorProcess]:
    with EmulatorProcess() as process:
        yield process


@pytest.fixture
def register(emulator: EmulatorProcess) -> Register:
    emulator.clear_faults()
    seller = factories.organization()
    given = {
        "service_url": emulator.base_url, "shop_id": emulator.shop, "secret": emulator.secret, "queue": emulator.queue,
    }  # fmt: skip
    factories.register(factories.region("spb", seller, with_place=False), name="Та же касса", **given)
    return factories.register(factories.region("msk", seller, with_place=False), name="Касса", **given)


def due() -> list[str]:
    return [row.name for row in probes_due()]


def test_a_queue_that_falls_asleep_is_noticed_and_that_it_woke(emulator: EmulatorProcess, register: Register) -> None:
    only("passive_queue")
    emulator.faults({"fault": "passive"})
    for row in probes_due():
        probe(row)
    assert set(Register.objects.values_list("check_code", flat=True)) == {AccessState.PASSIVE_QUEUE.value}
    assert evaluate().opened == 1

    emulator.clear_faults()
    Register.objects.update(checked_at=timezone.now() - timedelta(hours=1))
    for row in probes_due():
        probe(row)
    assert set(Register.objects.values_list("check_code", flat=True)) == {AccessState.OK.value}


def test_one_question_a_queue_and_period(register: Register) -> None:
    assert due() == ["Та же касса"]
    for row in probes_due():
        probe(row)
    assert due() == []
    Register.objects.update(checked_at=timezone.now() - timedelta(minutes=16))
    assert due() == ["Та же касса"]
    Register.objects.filter(pk=register.pk).update(checked_at=timezone.now())  # a person has just checked the other
    assert due() == []


def test_nothing_is_asked_where_the_rule_is_off(register: Register) -> None:
    RuleSetting.objects.create(code="passive_queue", is_on=False, threshold=15, is_urgent=False)
    assert due() == []


def test_a_secret_that_cannot_be_read_is_a_finding_and_no_crash(register: Register) -> None:
    only("credentials_refused", "passive_queue")
    Account.objects.update(secret_encrypted="gAAAAA")
    for row in probes_due():
        probe(row)
    assert set(Register.objects.values_list("check_code", flat=True)) == {"secret"}
    assert due() == []
    assert evaluate().opened == 1
    assert "ключ шифрования сменился" in Problem.objects.get().text
