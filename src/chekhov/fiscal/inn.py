"""ИНН: ten digits of an organization, twelve of a person, with check digits (order of ФНС № ЕД-7-14/559@)."""

from __future__ import annotations

FOREIGN_INN = "000000000000"
"""Stands in tags 1226 and 1228 for a foreigner who has no ИНН."""

_TEN = (2, 4, 10, 3, 5, 9, 4, 6, 8)
_ELEVENTH = (7, 2, 4, 10, 3, 5, 9, 4, 6, 8)
_TWELFTH = (3, 7, 2, 4, 10, 3, 5, 9, 4, 6, 8)


def _check_digit(digits: list[int], weights: tuple[int, ...]) -> int:
    return sum(digit * weight for digit, weight in zip(digits, weights, strict=False)) % 11 % 10


def is_inn(text: str) -> bool:
    """Whether the text is an ИНН of ten or twelve digits with right check digits. All zeros are not."""
    if not (text.isascii() and text.isdigit() and text.strip("0")):
        return False
    digits = [int(character) for character in text]
    if len(digits) == 10:
        return digits[9] == _check_digit(digits, _TEN)
    if len(digits) == 12:
        return digits[10] == _check_digit(digits, _ELEVENTH) and digits[11] == _check_digit(digits, _TWELFTH)
    return False


def is_person_inn(text: str) -> bool:
    """Whether the text is the ИНН of a person: twelve digits (a cashier's tag 1203)."""
    return len(text) == 12 and is_inn(text)


def is_inn_or_foreign(text: str) -> bool:
    """Whether the text can stand in tags 1226 and 1228: an ИНН, or twelve zeros for a foreigner without one."""
    return text == FOREIGN_INN or is_inn(text)
