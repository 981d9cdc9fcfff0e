"""Saving a cash-register record: every refusal by its code, what is told, and where the secret goes."""

from __future__ import annotations

import http.server
import threading
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connection

from chekhov.drivers.access import AccessState
from chekhov.emulator.testing import EmulatorProcess
from chekhov.errors import Invalid
from chekhov.fiscal.vocabulary import PaymentMethod, PaymentObject, RegisterVatRate, TaxSystem
from chekhov.people.models import Action
from chekhov.registers.models import Account, Register
from chekhov.registers.secrets import decrypt
from chekhov.registers.services import RegisterContent, connection_of, notification_link, register_check, register_save
from tests import factories
from tests.factories import organization, region

pytestmark = pytest.mark.django_db


@pytest.fixture
def content() -> RegisterContent:
    msk = region("msk", organization())
    return RegisterContent(
        provider="test", region_id=msk.pk, name="Касса на Ленина", shop_id="demo-shop", secret="s3cret-of-the-shop",
        queue=777, tax_system=TaxSystem.OSN, vat_rate=RegisterVatRate.R22, place_id=msk.place_id,
    )  # fmt: skip


def save(content: RegisterContent, register: Register | None = None) -> Register:
    return register_save(content=content, actor=None, register=register).register


def codes(content: RegisterContent, register: Register | None = None) -> set[str]:
    before = list(Register.objects.order_by("pk").values()), list(Account.objects.order_by("pk").values())
    with pytest.raises(Invalid) as caught:
        save(content, register)
    assert (list(Register.objects.order_by("pk").values()), list(Account.objects.order_by("pk").values())) == before
    assert all(fault.path and fault.message for fault in caught.value.faults)
    return {fault.code for fault in caught.value.faults}


def test_a_saved_record_has_its_account_and_its_link(content: RegisterContent) -> None:
    saved = register_save(content=content, actor=factories.user())

    assert saved.created
    assert notification_link(saved.register.account).startswith("http://127.0.0.1:8000/hooks/test/")
    assert saved.register.online_method == PaymentMethod.ADVANCE
    assert Action.objects.get().kind == "register_create"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"provider": "nobody"}, "unknown_provider"),
        ({"region_id": 0}, "required"),
        ({"organization_id": 0}, "required"),
        ({"name": "  "}, "required"),
        ({"name": "x" * 101}, "required"),
        ({"shop_id": ""}, "required"),
        ({"topup_name": ""}, "required"),
        ({"queue": 0}, "required"),
        ({"queue": 2**31}, "required"),
        ({"secret": ""}, "secret_required"),
        ({"service_url": "ftp://x"}, "service_url"),
        ({"service_url": "https://user@kassa.example"}, "service_url"),
        ({"service_url": "https://kassa.example?a=1"}, "service_url"),
        ({"provider": "komtet", "service_url": "http://kassa.example"}, "service_url"),
        ({"tax_system": TaxSystem.ENVD}, "tax_system_ended"),
        ({"tax_system": TaxSystem.USN_INCOME}, "tax_system_mismatch"),
        ({"vat_rate": RegisterVatRate.R5}, "vat_mismatch"),
        ({"vat_rate": RegisterVatRate.C7}, "vat_mismatch"),
        ({"online_method": PaymentMethod.CREDIT}, "credit_needs_confirmation"),
        ({"topup_method": PaymentMethod.CREDIT_PAYMENT}, "credit_needs_confirmation"),
        ({"online_method": PaymentMethod.PARTIAL_CREDIT}, "credit_needs_confirmation"),
        ({"topup_object": PaymentObject.DEPOSIT}, "topup_object"),
        ({"max_lines": 0}, "max_lines"),
    ],
)
def test_each_refusal_has_its_code_and_saves_nothing(
    content: RegisterContent, change: dict[str, Any], code: str
) -> None:
    assert code in codes(replace(content, **change))


def test_every_fault_is_told_at_once(content: RegisterContent) -> None:
    wrong = replace(content, name="", queue=0, tax_system=TaxSystem.ENVD, vat_rate=RegisterVatRate.R5)

    assert codes(wrong) >= {"required", "tax_system_ended", "vat_mismatch"}


def test_a_mismatch_shows_both_values(content: RegisterContent) -> None:
    with pytest.raises(Invalid) as caught:
        save(replace(content, tax_system=TaxSystem.USN_NET))

    assert "УСН доход − расход" in caught.value.detail
    assert "ОСН" in caught.value.detail


@pytest.mark.parametrize("rate", [RegisterVatRate.R18, RegisterVatRate.R20, RegisterVatRate.C20, RegisterVatRate.R10])
def test_every_rate_of_the_general_mode_may_be_chosen(content: RegisterContent, rate: RegisterVatRate) -> None:
    assert save(replace(content, vat_rate=rate)).vat_rate == rate


def test_a_credit_method_is_saved_once_confirmed(content: RegisterContent) -> None:
    assert save(replace(content, online_method=PaymentMethod.CREDIT, credit_confirmed=True)).credit_confirmed


def test_a_confirmation_without_a_credit_method_is_not_kept(content: RegisterContent) -> None:
    assert not save(replace(content, credit_confirmed=True)).credit_confirmed


def test_a_place_of_another_organization_is_refused(content: RegisterContent) -> None:
    other = region("spb", organization("other", inn=factories.OTHER_INN))

    assert "other_organization" in codes(replace(content, place_id=other.place_id))


def test_one_queue_under_another_inn_is_refused(content: RegisterContent) -> None:
    save(content)
    other = region("spb", organization("other", inn=factories.OTHER_INN))

    wrong = replace(content, region_id=other.pk, place_id=None)

    assert codes(wrong) == {"register_other_inn"}


def test_one_queue_at_another_address_is_refused(content: RegisterContent) -> None:
    first = save(content)
    spb = region("spb", first.organization)

    assert codes(replace(content, region_id=spb.pk, place_id=spb.place_id)) == {"register_other_address"}


def test_one_register_may_serve_two_regions_by_two_records(content: RegisterContent) -> None:
    first = save(content)
    spb = region("spb", first.organization)

    saved = register_save(content=replace(content, region_id=spb.pk, name="Та же"), actor=None)

    assert saved.register.account == first.account
    assert any("та же физическая касса" in notice for notice in saved.notices)


def test_a_record_is_not_compared_with_itself(content: RegisterContent) -> None:
    first = save(content)
    spb = region("spb", first.organization)

    assert save(replace(content, region_id=spb.pk, place_id=spb.place_id), first).region == spb


def test_overlaps_and_gaps_are_told(content: RegisterContent) -> None:
    first = save(content)
    seller = first.organization
    spb, region_without = region("spb", seller), region("ekb", seller)

    saved = register_save(
        content=replace(
            content, region_id=spb.pk, place_id=None, queue=778, extra_region_ids=frozenset({first.region_id})
        ),
        actor=None,
    )

    assert any("MSK" in notice and "Касса на Ленина" in notice for notice in saved.notices)
    assert any("Без кассы" in notice and region_without.name in notice for notice in saved.notices)


def test_the_region_itself_is_not_an_additional_one(content: RegisterContent) -> None:
    saved = save(replace(content, extra_region_ids=frozenset({content.region_id})))

    assert not saved.extra_regions.exists()


# --- the secret -------------------------------------------------------------------------------------------------------


def test_the_secret_is_encrypted_in_the_database_and_in_no_repr(content: RegisterContent) -> None:
    register = save(content)

    with connection.cursor() as cursor:
        cursor.execute("SELECT secret_encrypted FROM registers_account")
        stored = cursor.fetchone()[0]
    assert "s3cret-of-the-shop" not in stored
    assert decrypt(stored) == "s3cret-of-the-shop"
    shown = f"{content!r}{register!r}{register.account!r}{connection_of(register)!r}"
    assert "s3cret-of-the-shop" not in shown
    assert all("s3cret" not in f"{action.summary}{action.details}" for action in Action.objects.all())


def test_an_empty_secret_keeps_the_one_that_is_set(content: RegisterContent) -> None:
    register = save(content)

    save(replace(content, secret="", name="Переименована"), register)

    register.account.refresh_from_db()
    assert decrypt(register.account.secret_encrypted) == "s3cret-of-the-shop"
    assert register.name == "Переименована"


def test_a_new_secret_reaches_every_record_of_the_shop_and_is_told(content: RegisterContent) -> None:
    first = save(content)
    spb = region("spb", first.organization)
    save(replace(content, region_id=spb.pk, place_id=None, queue=778))

    saved = register_save(content=replace(content, secret="another"), actor=None, register=first)

    assert decrypt(Account.objects.get().secret_encrypted) == "another"
    assert any("Secret заменён для всех" in notice for notice in saved.notices)
    assert "Secret заменён" in Action.objects.latest("pk").summary


def test_a_secret_whose_key_is_lost_can_be_entered_anew(content: RegisterContent) -> None:
    register = save(content)
    Account.objects.update(secret_encrypted="gAAAAnonsense")

    save(replace(content, secret="another"), register)

    assert decrypt(Account.objects.get().secret_encrypted) == "another"


def test_a_real_register_is_not_connected_while_the_clock_is_moved(content: RegisterContent, settings: Any) -> None:
    settings.CHEKHOV_CLOCK = datetime(2026, 11, 1, tzinfo=UTC)

    assert "clock_moved" in codes(replace(content, provider="komtet"))
    assert save(content)


# --- «Проверить связь» ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def emulator() -> Any:
    with EmulatorProcess() as running:
        yield running


@pytest.fixture
def connected(content: RegisterContent, emulator: EmulatorProcess) -> RegisterContent:
    emulator.start()
    emulator.clear_faults()
    return replace(content, service_url=emulator.base_url, secret=emulator.secret)


def checked(content: RegisterContent) -> AccessState:
    register = save(content)
    report = register_check(register=register)
    register.refresh_from_db()
    assert register.check_code == report.state
    assert register.check_text == report.sentence
    assert register.checked_at is not None
    return report.state


def test_a_working_register_is_ok(connected: RegisterContent) -> None:
    assert checked(connected) is AccessState.OK


def test_a_wrong_secret_is_told_from_a_foreign_queue(connected: RegisterContent) -> None:
    assert checked(replace(connected, secret="wrong")) is AccessState.WRONG_CREDENTIALS
    assert checked(replace(connected, queue=4242)) is AccessState.FOREIGN_QUEUE


@pytest.mark.parametrize(
    ("fault", "state"),
    [
        ({"fault": "passive"}, AccessState.PASSIVE_QUEUE),
        ({"fault": "no_service"}, AccessState.NO_SERVICE),
        ({"fault": "status", "status": 500}, AccessState.SERVICE_FAILING),
        ({"fault": "status", "status": 502}, AccessState.SERVICE_FAILING),
        ({"fault": "drop"}, AccessState.NO_ANSWER),
    ],
)
def test_each_trouble_has_its_own_words(
    connected: RegisterContent, emulator: EmulatorProcess, fault: dict[str, Any], state: AccessState
) -> None:
    emulator.faults(fault)

    assert checked(connected) is state


def test_nobody_at_the_address_is_unreachable(content: RegisterContent) -> None:
    assert checked(replace(content, service_url="http://127.0.0.1:9")) is AccessState.UNREACHABLE


class _AnotherSite(http.server.BaseHTTPRequestHandler):
    """A page of HTML with status 200, whatever is asked."""

    def do_GET(self) -> None:
        page = "<html><body>Добро пожаловать</body></html>".encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(page)))
        self.end_headers()
        self.wfile.write(page)

    def log_message(self, *args: Any) -> None:
        pass


def test_another_site_at_the_address_is_not_the_service(content: RegisterContent) -> None:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _AnotherSite) as site:
        thread = threading.Thread(target=site.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            found = checked(replace(content, service_url=f"http://127.0.0.1:{site.server_port}"))
        finally:
            site.shutdown()
            thread.join()

    assert found is AccessState.NOT_THE_SERVICE
