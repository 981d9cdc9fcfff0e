"""The settings of a connection to KOMTET: what the form asks, and how a connection is made of the answers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from chekhov.drivers.contract import Connection, Problem, SettingField, SettingKind
from chekhov.drivers.errors import InvalidSettings

SERVICE_URL = "https://kassa.komtet.ru"
"""The service's public address."""

MAX_QUEUE = 2_147_483_647

_PRINTABLE = re.compile(r"[!-~]{1,255}")
_QUEUE = re.compile(r"[0-9]{1,10}")


def fields(default_service_url: str | None) -> tuple[SettingField, ...]:
    """The fields of the form. The address may be left empty where the provider has one of its own."""
    return (
        SettingField(
            "shop_id",
            "ShopID",
            SettingKind.TEXT,
            "Идентификатор магазина из кабинета: «Фискализация → Магазины».",
        ),
        SettingField(
            "secret",
            "Secret",
            SettingKind.SECRET,
            "Секретный ключ того же магазина. Хранится зашифрованным, больше не показывается.",
        ),
        SettingField(
            "queue",
            "ID очереди",
            SettingKind.INTEGER,
            "Номер очереди из кабинета: «Фискализация → Кассы».",
            max_length=10,
        ),
        SettingField(
            "service_url",
            "Адрес сервиса",
            SettingKind.URL,
            f"Пусто: {default_service_url}." if default_service_url else "Адрес, по которому отвечает касса.",
            required=default_service_url is None,
        ),
    )


def connection(values: Mapping[str, str], default_service_url: str | None) -> Connection:
    """Make a connection of the form's values. Raises `InvalidSettings` with a problem for each field at fault.

    The ShopID and the Secret are opaque: neither length nor alphabet is assumed. The ShopID travels in a header, so it
    has to be printable ASCII. The address is signed as it stands, so it has to be ASCII (punycode for Cyrillic domains)
    without a query.
    """
    problems: list[Problem] = []
    shop_id = values.get("shop_id", "").strip()
    if _PRINTABLE.fullmatch(shop_id) is None:
        text = "ShopID не заполнен." if not shop_id else "В ShopID лишние символы: пробелы или кириллица."
        problems.append(Problem("shop_id", "shop_id", text, "Скопируйте ShopID из кабинета."))
    secret = values.get("secret", "").strip()
    if not secret or not secret.isprintable():
        problems.append(Problem("secret", "secret", "Secret не заполнен.", "Скопируйте Secret из кабинета."))
    queue = values.get("queue", "").strip()
    if _QUEUE.fullmatch(queue) is None or not 0 < int(queue) <= MAX_QUEUE:
        problems.append(
            Problem("queue", "queue", "ID очереди — целое положительное число.", "Скопируйте ID очереди из кабинета.")
        )
    service_url = (values.get("service_url", "").strip() or default_service_url or "").rstrip("/")
    if not _is_service_url(service_url):
        problems.append(
            Problem(
                "service_url",
                "service_url",
                "Адрес сервиса не похож на адрес.",
                f"Укажите адрес вида {default_service_url or SERVICE_URL}, без параметров.",
            )
        )
    if problems:
        raise InvalidSettings(tuple(problems))
    return Connection(service_url=service_url, shop_id=shop_id, secret=secret, queue=int(queue))


def _is_service_url(url: str) -> bool:
    if _PRINTABLE.fullmatch(url) is None:
        return False
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return False
    return (
        parts.scheme in ("http", "https")
        and bool(parts.hostname)
        and port != 0
        and "@" not in parts.netloc
        and "?" not in url
        and "#" not in url
    )
