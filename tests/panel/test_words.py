"""Russian words for numbers and spans, and numbers as people type them."""

from __future__ import annotations

import pytest

from chekhov.panel.forms import plain_number
from chekhov.panel.paper import printed_words
from chekhov.panel.words import ago, counted


@pytest.mark.parametrize(
    ("number", "words"),
    [(0, "0 чеков"), (1, "1 чек"), (2, "2 чека"), (5, "5 чеков"), (11, "11 чеков"), (21, "21 чек"), (112, "112 чеков")],
)
def test_nouns_follow_their_number(number: int, words: str) -> None:
    assert counted(number, "чек", "чека", "чеков").replace("\u00a0", " ") == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(-5, "0 секунд"), (59, "59 секунд"), (60, "1 минуту"), (7200, "2 часа"), (180_000, "2 дня")],
)
def test_a_span_is_told_in_its_largest_unit(seconds: float, words: str) -> None:
    assert ago(seconds).replace("\u00a0", " ") == words


@pytest.mark.parametrize(
    ("typed", "plain"), [("1 250,50", "1250.50"), ("1\u00a0250", "1250"), ("5", "5"), ("-5", "-5"), ("", "")]
)
def test_numbers_are_read_as_people_type_them(typed: str, plain: str) -> None:
    assert plain_number(typed) == plain


@pytest.mark.parametrize(
    ("at", "words"), [("20261124T1015", "24.11.2026 10:15"), ("20261124T101559", "24.11.2026 10:15"), ("?", "?")]
)
def test_the_date_of_the_qr_code_is_readable(at: str, words: str) -> None:
    assert printed_words(at) == words
