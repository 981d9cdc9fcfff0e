"""Texts become what CP866 can hold, and the loss is counted."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chekhov.fiscal.document import Buyer, Cashier
from chekhov.fiscal.printable import printable
from chekhov.fiscal.rules import check
from chekhov.fiscal.text import NameTextError, clean, clean_name, is_cp866
from tests.fiscal.samples import COUNTER, SELLER, agent_line, line, receipt


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("«Масло» “5W” „30”", '"Масло" "5W" "30"'),
        ("О‘Хара’с", "О'Хара'с"),
        ("5W–30 — 4‑л", "5W-30 - 4-л"),
        ("и так далее…", "и так далее..."),
        ("5 ₽ или 1 €", "5 руб. или 1 EUR"),
        ("2×3 м² и м³ по ½", "2x3 м2 и м3 по 1/2"),
        ("Bosch™ Super®", "Bosch Super"),
        ("Фильтр\u00a0масляный\tновый\nкрасный", "Фильтр масляный новый красный"),
        ("Фи\u200bльтр\ufeff", "Фильтр"),
        ("  много    пробелов  ", "много пробелов"),
        ("№ 5 при 20° Ёлка ёлка", "№ 5 при 20° Ёлка ёлка"),
        ("и\u0306од", "йод"),
        ("масло 🛢", "масло ?"),
        ("日本", "??"),
        ("", ""),
    ],
)
def test_text_is_replaced_by_the_table(text: str, expected: str) -> None:
    assert clean(text, 128) == expected


@given(st.text(max_size=300), st.integers(1, 300))
def test_clean_text_is_printable_short_and_stable(text: str, limit: int) -> None:
    result = clean(text, limit)

    assert is_cp866(result)
    assert len(result) <= limit
    assert "  " not in result
    assert result == result.strip()
    assert clean(result, limit) == result
    result.encode("cp866")


@given(st.text(alphabet=st.characters(codec="cp866", exclude_categories=("Cc", "Zs")), max_size=100))
def test_text_of_cp866_is_left_alone(text: str) -> None:
    assert is_cp866(text)
    assert clean(text, 128) == text


@pytest.mark.parametrize("text", ["a\nb", "a\x7fb", "a\u00a0b", "«a»", "—", "🛢"])
def test_control_and_foreign_characters_are_not_printable(text: str) -> None:
    assert not is_cp866(text)


def test_name_is_cut_after_replacing() -> None:
    name = clean_name("…" * 50)

    assert name.text == "." * 128
    assert (name.lost, name.length, name.loss_percent) == (0, 150, 0)


def test_name_may_lose_a_fifth() -> None:
    assert clean_name("абвг日").loss_percent == 20


def test_name_that_loses_more_than_a_fifth_is_refused() -> None:
    with pytest.raises(NameTextError, match="1 из 4"):
        clean_name("абв日")


def test_question_marks_of_the_name_itself_are_no_loss() -> None:
    assert clean_name("???").loss_percent == 0


@pytest.mark.parametrize("text", ["", "   ", "\u200b", "™"])
def test_name_of_nothing_is_refused(text: str) -> None:
    with pytest.raises(NameTextError, match="пустое"):
        clean_name(text)


def test_document_of_fine_texts_is_left_alone() -> None:
    document = replace(receipt(), seller=replace(SELLER, name="ООО Ромашка"))

    assert printable(document) is document


def test_document_is_made_printable_and_then_breaks_no_rule() -> None:
    agent = agent_line(note="«хрупкое» 🛢")
    document = receipt(
        line("Масло «Лукойл» — 5W‑30 " + "ж" * 200),
        agent,
        seller=replace(SELLER, place="ТЦ «Мега»", address="Москва — " + "ж" * 300),
        buyer=Buyer(email="buyer@example.ru"),
        cashier=Cashier("Кассир «Иванова»"),
        user_property=("Номер № заказа…", "5107"),
    )

    clean_document = printable(document)

    assert check(clean_document, COUNTER) == ()
    assert clean_document.lines[0].name.startswith('Масло "Лукойл" - 5W-30 ж')
    assert clean_document.lines[1].supplier is not None
    assert clean_document.lines[1].supplier.name == 'ООО "Принципал"'
    assert clean_document.seller.place == 'ТЦ "Мега"'
    assert printable(clean_document) is clean_document
