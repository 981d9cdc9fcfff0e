"""ИНН, phones, addresses and sites."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chekhov.fiscal.contact import (
    ContactError,
    is_email,
    is_host,
    is_phone,
    normal_email,
    normal_phone,
    site_host,
)
from chekhov.fiscal.inn import FOREIGN_INN, is_inn, is_inn_or_foreign, is_person_inn


@pytest.mark.parametrize("text", ["7707083893", "7736050003", "500100732259"])
def test_inn_with_right_check_digits_is_one(text: str) -> None:
    assert is_inn(text)
    assert is_inn_or_foreign(text)


@pytest.mark.parametrize(
    "text",
    ["7707083894", "500100732258", "500100732269", "0000000000", FOREIGN_INN, "770708389", "77070838x3", "", "٧٧"],
)
def test_anything_else_is_not_an_inn(text: str) -> None:
    assert not is_inn(text)


def test_twelve_zeros_stand_for_a_foreigner_only() -> None:
    assert is_inn_or_foreign(FOREIGN_INN)
    assert not is_inn_or_foreign("0000000000")


def test_cashier_has_the_inn_of_a_person() -> None:
    assert is_person_inn("500100732259")
    assert not is_person_inn("7707083893")
    assert not is_person_inn(FOREIGN_INN)


@given(st.integers(0, 9), st.integers(0, 9))
def test_one_wrong_digit_of_an_inn_is_seen(place: int, digit: int) -> None:
    digits = list("7707083893")
    changed = [*digits[:place], str(digit), *digits[place + 1 :]]

    assert is_inn("".join(changed)) == (changed == digits)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("8 (916) 123-45-67", "+79161234567"),
        ("7 916 123 45 67", "+79161234567"),
        ("+7 916 123-45-67", "+79161234567"),
        ("+375 29 123-45-67", "+375291234567"),
    ],
)
def test_phone_gets_its_plus(text: str, expected: str) -> None:
    assert normal_phone(text) == expected
    assert is_phone(expected)


@pytest.mark.parametrize(
    "text", ["", "123", "9161234567", "+7916", "89161234567 доб. 5", "+1234567890123456", "+٧٩١٦١٢٣٤٥٦٧"]
)
def test_anything_else_is_not_a_phone(text: str) -> None:
    with pytest.raises(ContactError, match="не телефон"):
        normal_phone(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [(" Ivan@Example.RU ", "Ivan@example.ru"), ("иван@почта.рф", "иван@почта.рф")],
)
def test_email_is_normalised(text: str, expected: str) -> None:
    assert normal_email(text) == expected
    assert is_email(expected)


@pytest.mark.parametrize(
    "text", ["", "ivan", "ivan@", "ivan@mail", "a b@mail.ru", "i" * 60 + "@mail.ru", "日本@mail.ru", "a@b@mail.ru"]
)
def test_anything_else_is_not_an_email(text: str) -> None:
    with pytest.raises(ContactError):
        normal_email(text)
    assert not is_email(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://Shop.Example.ru/cart?x=1#top", "shop.example.ru"),
        ("shop.example.ru", "shop.example.ru"),
        ("http://user:secret@shop.example.ru:8080/", "shop.example.ru"),
        ("https://Магазин.РФ/корзина", "магазин.рф"),
        ("xn--80aa.xn--p1ai", "xn--80aa.xn--p1ai"),
        ("shop.example.ru.", "shop.example.ru"),
    ],
)
def test_site_becomes_its_bare_host(text: str, expected: str) -> None:
    assert site_host(text) == expected
    assert is_host(expected)
    assert site_host(expected) == expected


@pytest.mark.parametrize(
    "text", ["", "localhost", "192.168.0.1", "Магазин на Ленина", "-shop.ru", "https://", "日本.jp"]
)
def test_anything_else_is_not_a_site(text: str) -> None:
    with pytest.raises(ContactError, match="не адрес сайта"):
        site_host(text)


@pytest.mark.parametrize("text", ["https://shop.ru", "shop.ru/", "Shop.ru", "shop.ru:80"])
def test_host_is_bare_and_in_lower_case(text: str) -> None:
    assert not is_host(text)
