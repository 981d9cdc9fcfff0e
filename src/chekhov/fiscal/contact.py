"""Contacts of a receipt: the buyer's phone or e-mail (tag 1008) and the site where he paid (tag 1187)."""

from __future__ import annotations

import re

from email_validator import EmailNotValidError, validate_email

from chekhov.fiscal.text import is_cp866

CONTACT_LIMIT = 64
"""Characters of tags 1008 and 1117."""

HOST_LIMIT = 253

_PHONE = re.compile(r"\+\d{10,15}", re.ASCII)
_PHONE_NOISE = re.compile(r"[\s()\-‐‑–—.\u00a0]+")
_EMAIL = re.compile(r"[^\s@,;<>\"]+@[^\s@,;<>\"]+\.[^\s@,;<>\".]{2,}")
_LABEL = r"[0-9a-zа-яё](?:[0-9a-zа-яё-]{0,61}[0-9a-zа-яё])?"
_HOST = re.compile(rf"(?:{_LABEL}\.)+(?!\d+$)(?:xn--[0-9a-z-]{{1,59}}|[a-zа-яё]{{2,63}})")
_SCHEME = re.compile(r"[a-z][a-z0-9+.\-]*://", re.IGNORECASE)


class ContactError(ValueError):
    """A phone, an e-mail or a site that cannot stand in a receipt. The message is Russian, for people."""


def is_phone(text: str) -> bool:
    """Whether the text has the form of tag 1008: a plus and 10-15 digits."""
    return _PHONE.fullmatch(text) is not None


def is_email(text: str) -> bool:
    """Whether the text looks like an address and fits into tag 1008. Quick; `normal_email` checks in full."""
    return len(text) <= CONTACT_LIMIT and _EMAIL.fullmatch(text) is not None and is_cp866(text)


def is_host(text: str) -> bool:
    """Whether the text is a bare host name in lower case, Latin or Cyrillic, without scheme, port and path."""
    return len(text) <= HOST_LIMIT and _HOST.fullmatch(text) is not None


def normal_phone(text: str) -> str:
    """``8 (916) 123-45-67`` → ``+79161234567``: separators are cut, a Russian 8 or 7 becomes +7.

    Raises ContactError for anything that is not a plus and 10-15 digits then.
    """
    digits = _PHONE_NOISE.sub("", text)
    if len(digits) == 11 and digits[0] in "78":
        digits = f"+7{digits[1:]}"
    if not is_phone(digits):
        raise ContactError(f"«{text}» — не телефон: нужны + и от 10 до 15 цифр, например +79161234567.")
    return digits


def normal_email(text: str) -> str:
    """The address in its normal form. No query is sent to the network.

    Raises ContactError for a wrong address, one above 64 characters, and one that CP866 cannot hold.
    """
    try:
        address = validate_email(text.strip(), check_deliverability=False).normalized
    except EmailNotValidError as error:
        raise ContactError(f"«{text}» — не адрес электронной почты: проверьте, как он написан.") from error
    if len(address) > CONTACT_LIMIT:
        raise ContactError(f"Адрес почты длиннее {CONTACT_LIMIT} знаков, в чек он не поместится: укажите телефон.")
    if not is_cp866(address):
        raise ContactError(f"Адрес «{address}» касса напечатать не может: укажите другой адрес или телефон.")
    return address


def site_host(text: str) -> str:
    """The bare host of a site: ``https://Shop.Example.ru/cart`` → ``shop.example.ru``; Cyrillic domains stay Cyrillic.

    Raises ContactError where no host name is found. Source: order of ФНС № ЕД-7-20/236@ (tag 1187 of an internet
    receipt is the address of the site).
    """
    rest = _SCHEME.sub("", text.strip(), count=1)
    host = re.split(r"[/?#\\]", rest, maxsplit=1)[0].rpartition("@")[2]
    host = re.sub(r":\d*$", "", host).rstrip(".").lower()
    if not is_host(host):
        raise ContactError(f"«{text}» — не адрес сайта: нужен домен, например shop.example.ru или магазин.рф.")
    return host
