"""Credentials at rest: the first key encrypts, every key decrypts, none of them leaks into a log."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from cryptography.fernet import Fernet

from chekhov.config.logging import MASK, mask, mask_text
from chekhov.registers import secrets

OLD, NEW = Fernet.generate_key().decode(), Fernet.generate_key().decode()


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    secrets._box.cache_clear()
    yield
    secrets._box.cache_clear()


def keys(settings: Any, *given: str) -> None:
    settings.CHEKHOV_ENCRYPTION_KEYS = list(given)
    secrets._box.cache_clear()


def test_what_was_encrypted_is_read(settings: Any) -> None:
    keys(settings, OLD)

    token = secrets.encrypt("s3cret")

    assert "s3cret" not in token
    assert secrets.decrypt(token) == "s3cret"


def test_a_new_first_key_still_reads_the_old_secrets(settings: Any) -> None:
    keys(settings, OLD)
    token = secrets.encrypt("s3cret")

    keys(settings, NEW, OLD)

    assert secrets.decrypt(token) == "s3cret"
    assert Fernet(NEW).decrypt(secrets.encrypt("other")) == b"other"


def test_without_its_key_a_secret_is_unreadable_and_says_so(settings: Any) -> None:
    keys(settings, OLD)
    token = secrets.encrypt("s3cret")
    keys(settings, NEW)

    with pytest.raises(secrets.SecretUnreadable) as caught:
        secrets.decrypt(token)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("чек ушёл на ivan.petrov+shop@mail.example.ru сразу", f"чек ушёл на {MASK} сразу"),
        ("звонил +7 (900) 123-45-67", f"звонил {MASK}"),
        ("8 900 123 45 67", MASK),
        ("+79001234567", MASK),
        ("счёт 89001234567890123", "счёт 89001234567890123"),
        ("ФН 9999078900012345, ФД 4711", "ФН 9999078900012345, ФД 4711"),
    ],
)
def test_contacts_are_masked_in_texts(text: str, masked: str) -> None:
    assert mask_text(text) == masked


@pytest.mark.parametrize(
    "key",
    ["secret", "CHEKHOV_SECRET_KEY", "password", "link_token", "Authorization", "X-HMAC-Signature", "api_key", "cookie",
     "email", "phone", "contact", "inn", "body", "headers", "name"],
)  # fmt: skip
def test_fields_that_carry_secrets_or_people_are_masked(key: str) -> None:
    assert mask(None, "info", {key: "value"}) == {key: MASK}


def test_masking_reaches_into_nested_values() -> None:
    event = {"event": "x", "data": {"list": ["a@b.example", {"secret": "s"}], "total": 189200}}

    assert mask(None, "info", event) == {
        "event": "x",
        "data": {"list": [MASK, {"secret": MASK}], "total": 189200},
    }
