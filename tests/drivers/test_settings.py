"""The form of a connection."""

from __future__ import annotations

import pytest

from chekhov.drivers.contract import Connection, SettingKind
from chekhov.drivers.errors import InvalidSettings
from chekhov.drivers.komtet.driver import KomtetDriver
from tests.drivers.samples import DRIVER

GOOD = {"shop_id": " demoShop ", "secret": "s3cr3t", "queue": "777", "service_url": ""}


def test_a_connection_is_made_of_the_forms_values() -> None:
    assert DRIVER.connection(GOOD) == Connection("https://kassa.komtet.ru", "demoShop", "s3cr3t", 777)
    assert DRIVER.connection({**GOOD, "service_url": "http://127.0.0.1:8090/"}).service_url == "http://127.0.0.1:8090"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("shop_id", value) for value in ("", "два слова", "магазин", "a\nb")),
        *(("secret", value) for value in ("", "a\x00b")),
        *(("queue", value) for value in ("", "0", "-1", "7.5", "٧", "99999999999", "1e3", "2147483648")),
        *(
            ("service_url", value)
            for value in (
                "kassa.komtet.ru",
                "ftp://kassa.komtet.ru",
                "https://",
                "https://user:password@kassa.komtet.ru",
                "https://kassa.komtet.ru/?a=1",
                "https://kassa.komtet.ru/#a",
                "https://касса.рф",
                "https://kassa.komtet.ru:99999",
                "https://[kassa",
                "https://a b",
            )
        ),
    ],
)
def test_a_wrong_value_is_named(name: str, value: str) -> None:
    with pytest.raises(InvalidSettings) as caught:
        DRIVER.connection({**GOOD, name: value})

    assert [problem.path for problem in caught.value.problems] == [name]
    assert all(problem.text and problem.next_step for problem in caught.value.problems)
    assert not value or value not in str(caught.value)


def test_every_wrong_value_is_named_at_once() -> None:
    with pytest.raises(InvalidSettings) as caught:
        KomtetDriver().connection({})

    assert [problem.path for problem in caught.value.problems] == ["shop_id", "secret", "queue", "service_url"]


def test_the_form_hides_the_secret_and_asks_for_an_address_only_where_there_is_none() -> None:
    of_komtet = {field.name: field for field in DRIVER.settings}
    of_test = {field.name: field for field in KomtetDriver().settings}

    assert of_komtet["secret"].kind is SettingKind.SECRET
    assert of_komtet["queue"].kind is SettingKind.INTEGER
    assert not of_komtet["service_url"].required
    assert of_test["service_url"].required
