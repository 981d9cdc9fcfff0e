"""Organizations, regions, places, people, keys, the journal and the set-up check."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from chekhov.config.clock import now
from chekhov.config.database import read_clock_ms
from chekhov.delivery.models import WorkerBeat
from chekhov.directory.models import Organization, OrganizationVatMode, Place, Region
from chekhov.people.models import Action, ApiKey, User
from chekhov.people.services import apikey_digest
from chekhov.registers.models import Register
from chekhov.watch.readiness import Level, checks, worker_check
from tests import factories
from tests.panel.conftest import PASSWORD, Shop, text_of

SELLER = {
    "name": "ИП Иванов И. И.",
    "inn": "7736050003",
    "code": "ivanov",
    "site_host": "https://Shop.Example.ru/cart",
    "email": "shop@example.ru",
    "fallback_contact": "",
    "time_zone": "2",
    "prepayment_object": "payment",
    "b2b_sbp_receipts": "on",
    "tax-0-tax_system": "2",
    "tax-0-valid_from": "01.01.2024",
    "tax-0-valid_to": "",
    "vat-0-vat_mode": "usn_5",
    "vat-0-valid_from": "01.01.2025",
}


def test_an_organization_is_saved_with_its_dated_settings(panel: Client, db: Any) -> None:
    content = {**SELLER, "tax-4-tax_system": "32", "tax-4-valid_from": "2025-06-01", "tax-4-valid_to": "31.12.2025"}

    response = panel.post(reverse("panel:organization_new"), content)

    assert response.status_code == 302
    row = Organization.objects.get(code="ivanov")
    assert row.site_host == "shop.example.ru"
    assert list(row.tax_systems.order_by("valid_from").values_list("tax_system", "valid_to")) == [
        (2, None),
        (32, date(2025, 12, 31)),
    ]
    assert row.vat_modes.get().vat_mode == "usn_5"


def test_changing_an_organization_replaces_its_dated_settings(panel: Client, db: Any) -> None:
    panel.post(reverse("panel:organization_new"), SELLER)
    row = Organization.objects.get()
    content = {**SELLER, "vat-1-vat_mode": "usn_7", "vat-1-valid_from": "01.01.2026", "name": "ИП Иванов"}

    panel.post(reverse("panel:organization", args=[row.uuid]), content)

    row.refresh_from_db()
    assert row.name == "ИП Иванов"
    assert list(row.vat_modes.order_by("valid_from").values_list("vat_mode", flat=True)) == ["usn_5", "usn_7"]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"inn": "7736050004"}, "ИНН записан с ошибкой"),
        ({"site_host": "не сайт"}, "не адрес сайта"),
        ({"email": "почта"}, "не адрес электронной почты"),
        ({"fallback_contact": "12"}, "не телефон"),
        ({"code": "код"}, "латинских букв"),
        ({"name": ""}, "Обязательное поле."),
        ({"tax-0-tax_system": "", "tax-0-valid_from": ""}, "хотя бы одну систему"),
        ({"tax-0-valid_to": "01.01.2020"}, "Конец раньше начала."),
        ({"tax-0-tax_system": "8"}, "ЕНВД отменён"),
        ({"tax-0-valid_from": "вчера"}, "Введите правильную дату"),
        ({"tax-1-tax_system": "2", "tax-1-valid_from": "01.06.2024"}, "уже записана на эти даты"),
        ({"vat-0-vat_mode": "", "vat-0-valid_from": ""}, "как организация платит НДС"),
        ({"vat-1-vat_mode": "usn_7", "vat-1-valid_from": "01.01.2025"}, "уже указан"),
        ({"tax-0-tax_system": "1"}, "бывают только на УСН"),
        ({"time_zone": "99"}, "Выберите корректный вариант"),
    ],
)
def test_a_wrong_organization_shows_why_and_changes_nothing(
    panel: Client, db: Any, values: dict[str, str], words: str
) -> None:
    response = panel.post(reverse("panel:organization_new"), {**SELLER, **values})

    assert response.status_code == 422
    assert words in text_of(response)
    assert not Organization.objects.exists()
    assert not Action.objects.exists()


def test_a_refused_change_keeps_the_dated_settings(panel: Client, shop: Shop) -> None:
    before = list(OrganizationVatMode.objects.values_list("pk", "vat_mode", "valid_from"))

    panel.post(reverse("panel:organization", args=[shop.organization.uuid]), {**SELLER, "inn": "1"})

    assert list(OrganizationVatMode.objects.values_list("pk", "vat_mode", "valid_from")) == before


def test_one_inn_is_one_organization(panel: Client, shop: Shop) -> None:
    response = panel.post(reverse("panel:organization_new"), {**SELLER, "inn": shop.organization.inn})

    assert "Организация с этим ИНН уже есть." in text_of(response)


def test_a_region_is_made_and_its_place_must_be_the_sellers(panel: Client, shop: Shop) -> None:
    other = factories.organization("other", inn=factories.OTHER_INN, name="Другая")
    foreign = Place.objects.create(organization=other, name="Чужой", address="Чужая улица, 1")
    content = {"name": "Тула", "code": "tula", "organization": shop.organization.pk, "place": foreign.pk}

    refused = panel.post(reverse("panel:region_new"), content)
    assert "принадлежит другой организации" in text_of(refused)
    taken = panel.post(reverse("panel:region_new"), {**content, "place": "", "code": "msk"})
    assert "Код «msk» уже занят." in text_of(taken)
    assert not Region.objects.filter(name="Тула").exists()

    assert panel.post(reverse("panel:region_new"), {**content, "place": ""}).status_code == 302
    row = Region.objects.get(code="tula")
    assert (
        panel.post(reverse("panel:region", args=[row.pk]), {**content, "place": "", "name": "Тула-2"}).status_code
        == 302
    )
    row.refresh_from_db()
    assert row.name == "Тула-2"


def test_a_place_is_made_and_cannot_leave_its_regions(panel: Client, shop: Shop) -> None:
    content = {"organization": shop.organization.pk, "name": "Склад", "address": "Тула, Мира, 1", "time_zone": "2"}
    assert panel.post(reverse("panel:place_new"), content).status_code == 302
    assert panel.post(reverse("panel:place_new"), {**content, "name": " "}).status_code == 422
    other = factories.organization("other", inn=factories.OTHER_INN)

    place = shop.msk.place
    assert place is not None
    response = panel.post(reverse("panel:place", args=[place.pk]), {**content, "organization": other.pk})

    assert "Место уже указано у регионов или касс" in text_of(response)
    place.refresh_from_db()
    assert place.organization == shop.organization


def test_a_person_is_made_with_a_password(panel: Client, client: Client, db: Any) -> None:
    content = {
        "username": "ivanova",
        "last_name": "Иванова",
        "first_name": "Ольга",
        "position": "Кассир",
        "is_active": "on",
    }

    weak = panel.post(reverse("panel:user_new"), {**content, "password": "12345"})
    assert weak.status_code == 422
    assert "слишком короткий" in text_of(weak)
    missing = panel.post(reverse("panel:user_new"), content)
    assert "Задайте пароль." in text_of(missing)
    assert not User.objects.filter(username="ivanova").exists()

    assert panel.post(reverse("panel:user_new"), {**content, "password": PASSWORD}).status_code == 302
    login = client.post("/admin/login/?next=/admin/", {"username": "ivanova", "password": PASSWORD})
    assert login["Location"] == "/admin/"


def test_a_person_cannot_lock_himself_out(panel: Client, cashier: User) -> None:
    content = {"username": "petrova", "last_name": "Петрова"}

    response = panel.post(reverse("panel:user", args=[cashier.pk]), content)

    assert "Себе вход закрыть нельзя" in text_of(response)
    cashier.refresh_from_db()
    assert cashier.is_active


def test_changing_the_own_password_keeps_the_session(panel: Client, cashier: User) -> None:
    content = {"username": "petrova", "password": "another long phrase", "is_active": "on"}

    panel.post(reverse("panel:user", args=[cashier.pk]), content)

    assert panel.get(reverse("panel:users")).status_code == 200


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"username": "иван иванов"}, "Имя для входа"),
        ({"username": "petrova"}, "уже занято"),
        ({"inn": "7707083893"}, "12 цифр"),
        ({"position": "я" * 40}, "не более 32"),
    ],
)
def test_a_wrong_person_is_refused(panel: Client, db: Any, values: dict[str, str], words: str) -> None:
    response = panel.post(
        reverse("panel:user_new"), {"username": "new", "password": PASSWORD, "is_active": "on", **values}
    )

    assert response.status_code == 422
    assert words in text_of(response)
    assert User.objects.count() == 1


def test_a_key_is_shown_once_and_can_be_revoked(panel: Client, db: Any) -> None:
    page = panel.post(reverse("panel:apikey_new"), {"name": "Боевой", "source": "site", "source_name": "Сайт"})

    row = ApiKey.objects.get()
    key = page.context["key"]
    assert apikey_digest(key) == row.digest
    assert key in page.content.decode()
    assert key not in panel.get(reverse("panel:apikeys")).content.decode()

    panel.post(reverse("panel:apikey_revoke", args=[row.uuid]))
    panel.post(reverse("panel:apikey_revoke", args=[row.uuid]))
    row.refresh_from_db()
    assert row.revoked_at is not None
    assert Action.objects.filter(kind="apikey_revoke").count() == 1


@pytest.mark.parametrize("values", [{"source": "сайт"}, {"source": "panel"}, {"name": ""}])
def test_a_wrong_key_is_refused(panel: Client, db: Any, values: dict[str, str]) -> None:
    response = panel.post(reverse("panel:apikey_new"), {"name": "Ключ", "source": "site", **values})

    assert response.status_code == 422
    assert not ApiKey.objects.exists()


def test_the_journal_tells_who_did_what(panel: Client, db: Any) -> None:
    panel.post(reverse("panel:organization_new"), SELLER)

    text = text_of(panel.get(reverse("panel:journal")))

    assert "Завёл организацию" in text
    assert "Анна Петрова" in text
    assert "Записей нет" in text_of(panel.get(reverse("panel:journal"), {"kind": "user_create"}))
    assert panel.get(reverse("panel:journal"), {"kind": "nonsense", "actor": "x", "before": "-1"}).status_code == 200


def found(code: str) -> list[str]:
    return [check.text for check in checks() if check.code == code]


def test_an_empty_installation_is_not_ready(panel: Client, db: Any) -> None:
    text = text_of(panel.get(reverse("panel:readiness")))

    assert "Нет ни одной организации." in text
    assert "Есть препятствия" in text


def test_the_check_finds_what_is_not_set_up(shop: Shop) -> None:
    assert found("region_without_register") == [
        "Без кассы остались регионы: EKB. Чеки по ним попадут в «Оплачено без чека»."
    ]
    assert "SPB" in found("region_by_hand")[0]
    assert len(found("register_unchecked")) == 2
    assert found("worker")
    assert not found("vat_mode")


def test_the_check_sees_registers_that_no_longer_agree(shop: Shop) -> None:
    shop.organization.vat_modes.all().delete()
    assert "не задан режим НДС" in found("vat_mode")[0]

    OrganizationVatMode.objects.create(organization=shop.organization, vat_mode="exempt", valid_from=date(2019, 1, 1))
    assert "Касса «Касса Москва» разошлась с организацией" in found("register_taxes")[0]


def test_the_check_warns_of_swapped_credit_methods(shop: Shop) -> None:
    Register.objects.filter(pk=shop.register.pk).update(online_method=6)
    shop.register.account.provider = "komtet"
    shop.register.account.save()

    assert "наоборот" in found("komtet_credit")[0]


def test_the_check_sees_missing_triggers(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chekhov.config.immutability.missing", lambda: ["frozen_sales_fact_update"])

    assert "нет 1 защитных триггеров" in found("triggers")[0]


def test_the_check_sees_unreadable_secrets(shop: Shop) -> None:
    shop.register.account.secret_encrypted = "nonsense"
    shop.register.account.save()

    assert "Не читаются секреты" in found("secrets")[0]


@pytest.mark.parametrize(
    ("age_seconds", "level"), [(5, Level.OK), (29, Level.OK), (120, Level.BAD), (10_000, Level.BAD)]
)
@pytest.mark.django_db
def test_a_worker_is_alive_for_half_a_minute(age_seconds: int, level: Level) -> None:
    WorkerBeat.objects.create(name="w", started_at=now(), seen_ms=read_clock_ms() - age_seconds * 1000)

    assert worker_check().level is level
