"""«Онлайн-кассы»: connect, change, check, disconnect; every refusal at its field, and nothing changed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from chekhov.emulator.testing import EmulatorProcess
from chekhov.fiscal.vocabulary import PaymentMethod
from chekhov.people.models import Action
from chekhov.registers.models import METHOD_CHOICES, Account, Register
from chekhov.registers.secrets import decrypt
from chekhov.registers.services import notification_link
from tests.panel.conftest import Shop, text_of


def filled(shop: Shop, **values: Any) -> dict[str, Any]:
    """The form of a register for the region without one."""
    return {
        "region": shop.ekb.pk,
        "name": "Касса Екатеринбург",
        "shop_id": "new-shop",
        "secret": "new-secret",
        "tax_system": "1",
        "vat_rate": "22",
        "queue": "900",
        "online_method": "3",
        "topup_method": "3",
        "topup_object": "10",
        "topup_name": "Пополнение баланса",
        "active_online": "on",
        "ffd": "4",
        "max_lines": "100",
        "service_url": "http://127.0.0.1:8090",
        **values,
    }


def test_the_list_shows_each_register_with_its_link(panel: Client, shop: Shop) -> None:
    response = panel.get(reverse("panel:registers"))
    text = text_of(response)

    for words in ("Касса Москва", "MSK", "Тестовая касса", "очередь 777", "Связь ещё не проверяли", "Скопировать"):
        assert words in text
    assert f'data-copy="{notification_link(shop.register.account)}"' in response.content.decode()


def test_the_choice_of_provider_names_both(panel: Client, shop: Shop) -> None:
    text = text_of(panel.get(reverse("panel:register_connect")))

    assert "Комтет Касса" in text
    assert "Тестовая касса" in text
    assert "Создать" in text


def test_the_form_has_the_fourteen_fields_in_their_order(panel: Client, shop: Shop) -> None:
    response = panel.get(reverse("panel:register_new", args=["komtet"]))

    labels = [field.label for field in response.context["main"]]
    assert labels == [
        "Регион",
        "Название",
        "ShopID",
        "Secret",
        "Система налогообложения при онлайн оплатах",
        "Ставка налога",
        "ID очереди",
        "Способ расчёта при онлайн оплатах",
        "Способ расчёта при пополнении баланса",
        "Предмет расчёта при пополнении баланса",
        "Название позиции при пополнении баланса",
        "Активен при онлайн оплатах",
        "Дополнительные регионы для онлайн оплат",
        "Печатать чек при онлайн оплате",
    ]
    form = response.context["form"]
    assert list(form.fields["online_method"].choices) == METHOD_CHOICES
    assert form["online_method"].value() == PaymentMethod.ADVANCE.value
    assert form["topup_name"].value() == "Пополнение баланса"
    assert form["active_online"].value() is True
    assert not form["print_online"].value()


def test_the_test_register_has_the_emulators_address(panel: Client, shop: Shop, settings: Any) -> None:
    settings.CHEKHOV_EMULATOR_URL = "http://127.0.0.1:9999"

    response = panel.get(reverse("panel:register_new", args=["test"]))

    assert response.context["form"]["service_url"].value() == "http://127.0.0.1:9999"


def test_saving_makes_the_record_and_shows_its_link_and_notices(panel: Client, shop: Shop) -> None:
    content = filled(shop, extra_regions=[shop.spb.pk])

    response = panel.post(reverse("panel:register_new", args=["test"]), content, follow=True)

    register = Register.objects.get(name="Касса Екатеринбург")
    assert response.redirect_chain == [(reverse("panel:register", args=[register.uuid]), 302)]
    assert notification_link(register.account) in text_of(response)
    assert list(register.extra_regions.all()) == [shop.spb]
    assert decrypt(register.account.secret_encrypted) == "new-secret"
    assert Action.objects.get(kind="register_create", subject=str(register.uuid)).actor is not None


def test_a_gap_is_told_after_saving(panel: Client, shop: Shop) -> None:
    response = panel.post(reverse("panel:register_new", args=["test"]), filled(shop), follow=True)

    assert "Без кассы для онлайн оплат остались регионы: SPB." in text_of(response)


def test_an_overlap_is_told_after_saving(panel: Client, shop: Shop) -> None:
    content = filled(shop, extra_regions=[shop.msk.pk])

    response = panel.post(reverse("panel:register_new", args=["test"]), content, follow=True)

    assert "Регионы «MSK» обслуживает и касса «Касса Москва»" in text_of(response)


@pytest.mark.parametrize(
    ("values", "field", "words"),
    [
        ({"region": ""}, "region", "Обязательное поле."),
        ({"name": ""}, "name", "Обязательное поле."),
        ({"shop_id": ""}, "shop_id", "Обязательное поле."),
        ({"secret": ""}, "secret", "Укажите Secret"),
        ({"queue": "очередь"}, "queue", "Введите целое число."),
        ({"queue": "0"}, "queue", "больше либо равно 1"),
        ({"queue": "99999999999"}, "queue", "меньше либо равно"),
        ({"tax_system": "8"}, "tax_system", "ЕНВД отменён с 1 января 2021 года"),
        ({"tax_system": "2"}, "tax_system", "у организации «ООО «Автодеталь»» сегодня: ОСН"),
        ({"tax_system": "77"}, "tax_system", "Выберите корректный вариант"),
        ({"vat_rate": "5"}, "vat_rate", "В кассе выбрано «5 %»"),
        ({"vat_rate": "nonsense"}, "vat_rate", "Выберите корректный вариант"),
        ({"service_url": "ftp://x"}, "service_url", "Адрес сервиса"),
        ({"max_lines": "0"}, "max_lines", "больше либо равно 1"),
        ({"region": "999999"}, "region", "Выберите корректный вариант"),
        ({"extra_regions": ["999999"]}, "extra_regions", "Выберите корректный вариант"),
    ],
)
def test_what_is_wrong_stands_at_its_field(
    panel: Client, shop: Shop, values: dict[str, Any], field: str, words: str
) -> None:
    before = (Register.objects.count(), Account.objects.count(), Action.objects.count())

    response = panel.post(reverse("panel:register_new", args=["test"]), filled(shop, **values))

    assert response.status_code == 422
    assert words in " ".join(response.context["form"].errors[field])
    assert (Register.objects.count(), Account.objects.count(), Action.objects.count()) == before


def test_a_refused_form_keeps_what_was_typed_but_never_the_secret(panel: Client, shop: Shop) -> None:
    content = filled(shop, vat_rate="5", secret="hush-hush")

    html = panel.post(reverse("panel:register_new", args=["test"]), content).content.decode()

    assert "Касса Екатеринбург" in html
    assert "hush-hush" not in html


def test_credit_methods_need_a_look_and_a_confirmation(panel: Client, shop: Shop) -> None:
    address, content = reverse("panel:register_new", args=["test"]), filled(shop, online_method="6")

    refused = panel.post(address, content)
    assert refused.status_code == 422
    assert "Каким будет чек с кредитным способом расчёта" in text_of(refused)
    assert "Передача в кредит" in text_of(refused)
    assert not Register.objects.filter(name="Касса Екатеринбург").exists()

    saved = panel.post(address, {**content, "credit_confirmed": "on"})
    assert saved.status_code == 302
    assert Register.objects.get(name="Касса Екатеринбург").credit_confirmed


def test_changing_keeps_the_secret_unless_a_new_one_is_typed(panel: Client, shop: Shop) -> None:
    address = reverse("panel:register_edit", args=[shop.register.uuid])
    page = panel.get(address)
    assert 'placeholder="задан"' in page.content.decode()
    assert "demo-secret" not in page.content.decode()
    content = filled(
        shop, region=shop.msk.pk, name="Новое имя", shop_id="demo-shop", queue="777", secret="", place=shop.msk.place_id
    )

    assert panel.post(address, content).status_code == 302
    shop.register.refresh_from_db()
    assert shop.register.name == "Новое имя"
    assert decrypt(Account.objects.get(shop_id="demo-shop").secret_encrypted) == "demo-secret"

    response = panel.post(address, {**content, "secret": "other"}, follow=True)
    assert decrypt(Account.objects.get(shop_id="demo-shop").secret_encrypted) == "other"
    assert "Secret заменён для всех касс с этим ShopID." in text_of(response)


def test_the_form_says_what_will_be_printed_today(panel: Client, shop: Shop) -> None:
    values = {"region": shop.msk.pk, "vat_rate": "20", "online_method": "3", "topup_method": "3"}

    text = text_of(panel.get(reverse("panel:register_printed"), values))
    assert "«Аванс», НДС «22/122»" in text

    text = text_of(panel.get(reverse("panel:register_printed"), {**values, "online_method": "4"}))
    assert "«Полный расчёт», НДС «22 %»" in text

    text = text_of(panel.get(reverse("panel:register_printed"), {**values, "vat_rate": "7"}))
    assert "не сходится с организацией" in text


@pytest.mark.parametrize(
    "values", [{}, {"region": "x"}, {"region": "1" * 30}, {"vat_rate": "'"}, {"online_method": "99"}]
)
def test_the_hint_survives_any_input(panel: Client, shop: Shop, values: dict[str, str]) -> None:
    base = {"region": str(shop.msk.pk), "vat_rate": "22", "online_method": "6", "topup_method": "7"}

    assert panel.get(reverse("panel:register_printed"), {**base, **values}).status_code == 200


def test_disconnecting_states_its_consequence_and_keeps_the_record(panel: Client, shop: Shop) -> None:
    address = reverse("panel:register", args=[shop.register.uuid])
    assert "Новые чеки на эту кассу больше не пойдут" in text_of(panel.get(address))

    response = panel.post(reverse("panel:register_archive", args=[shop.register.uuid]), follow=True)

    shop.register.refresh_from_db()
    assert shop.register.archived_at is not None
    assert "Отключённые: 1" in text_of(response)
    assert panel.get(reverse("panel:register_edit", args=[shop.register.uuid])).status_code == 404


@pytest.fixture
def emulator() -> Iterator[EmulatorProcess]:
    with EmulatorProcess() as process:
        yield process


def test_the_check_says_that_the_register_answers(panel: Client, shop: Shop, emulator: EmulatorProcess) -> None:
    content = filled(shop, shop_id=emulator.shop, secret=emulator.secret, queue=emulator.queue)
    panel.post(reverse("panel:register_new", args=["test"]), {**content, "service_url": emulator.base_url})
    register = Register.objects.get(name="Касса Екатеринбург")

    response = panel.post(reverse("panel:register_check", args=[register.uuid]), headers={"HX-Request": "true"})

    assert "Связь есть, касса на очереди работает." in text_of(response)
    register.refresh_from_db()
    assert register.check_code == "ok"


def test_the_check_says_what_to_do_about_a_wrong_secret(panel: Client, shop: Shop, emulator: EmulatorProcess) -> None:
    content = filled(shop, shop_id=emulator.shop, secret="wrong", queue=emulator.queue)
    panel.post(reverse("panel:register_new", args=["test"]), {**content, "service_url": emulator.base_url})
    register = Register.objects.get(name="Касса Екатеринбург")

    response = panel.post(reverse("panel:register_check", args=[register.uuid]), follow=True)

    assert "Сервис не принял ShopID или Secret. Скопируйте ShopID и Secret заново" in text_of(response)
