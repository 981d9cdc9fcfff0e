"""Any order, paid in any parts, by any method: each line is paid to the kopeck and every receipt is a lawful one."""

from __future__ import annotations

from datetime import date
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from chekhov.fiscal.codec import dump, load
from chekhov.fiscal.context import RegisterProfile, RuleContext
from chekhov.fiscal.document import Buyer, Document, Seller
from chekhov.fiscal.money import MAX_KOPECKS, Money
from chekhov.fiscal.quantity import Quantity
from chekhov.fiscal.rules import check
from chekhov.fiscal.settlement import Order, OrderLine, Terms, payment_document, printed_method, shares_of_payments
from chekhov.fiscal.vocabulary import (
    Means,
    PaymentMethod,
    PaymentObject,
    TaxSystem,
    Unit,
    VatClass,
    VatMode,
)

SELLER = Seller("7707083893", "ООО «Автодеталь»", TaxSystem.OSN, "parts.example.ru")
ARITHMETIC = {f"R0{number}" for number in range(1, 9)}
CONTEXT = RuleContext(register=RegisterProfile(max_lines=400, allow_zero_lines=True))


@st.composite
def orders(draw: st.DrawFn) -> Order:
    lines = tuple(
        OrderLine(
            id=str(number),
            name=draw(st.sampled_from(["Свеча зажигания", "Шланг топливный", "Доставка курьером"])),
            price=Money(draw(st.one_of(st.integers(0, 200), st.integers(0, 5_000_000)))),
            quantity=Quantity(draw(st.one_of(st.integers(1, 20).map(lambda n: n * 1000), st.integers(1, 99_999)))),
            object=draw(st.sampled_from([PaymentObject.PRODUCT, PaymentObject.SERVICE])),
            vat_class=draw(st.sampled_from([None, VatClass.REDUCED, VatClass.EXEMPT])),
            unit=draw(st.sampled_from([Unit.PIECE, Unit.METRE])),
            marking_group=draw(st.sampled_from(["", "", "tires"])),
            discountable=draw(st.booleans()),
        )
        for number in range(draw(st.integers(1, 8)))
    )
    may_be_discounted = sum(line.gross.kopecks for line in lines if line.discountable)
    discount = draw(st.one_of(st.just(0), st.integers(0, may_be_discounted)))
    return Order(lines, Money(discount))


@st.composite
def paid_orders(draw: st.DrawFn) -> tuple[Order, list[Money]]:
    """An order and the parts in which all of it is paid."""
    order = draw(orders().filter(lambda one: 0 < one.total.kopecks <= MAX_KOPECKS))
    total = order.total.kopecks
    cuts = sorted(draw(st.sets(st.integers(1, max(1, total - 1)), max_size=5))) if total > 1 else []
    bounds = [0, *cuts, total]
    return order, [Money(high - low) for low, high in pairwise(bounds)]


def documents(order: Order, parts: list[Money], chosen: PaymentMethod) -> list[Document]:
    terms = Terms(
        seller=SELLER,
        buyer=Buyer(email="buyer@example.ru"),
        vat_mode=VatMode.GENERAL,
        vat_class=VatClass.STANDARD,
        settled_on=date(2026, 11, 24),
        time_zone=2,
        means=Means.CARD,
        internet=True,
    )
    made = []
    for part, shares in zip(parts, shares_of_payments(order, parts), strict=True):
        printed = printed_method(chosen, whole=part == order.total, marked=order.is_marked)
        made.append(payment_document(order, shares, printed.method, terms))
    return made


@given(paid_orders(), st.sampled_from(list(PaymentMethod)))
def test_all_payments_together_pay_each_line_exactly(paid: tuple[Order, list[Money]], chosen: PaymentMethod) -> None:
    order, parts = paid
    sums = dict.fromkeys((line.id for line in order.lines), 0)

    for document in documents(order, parts, chosen):
        for line in document.lines:
            sums[line.id] += line.sum.kopecks

    assert list(sums.values()) == [amount.kopecks for amount in order.net()]


@given(paid_orders(), st.sampled_from(list(PaymentMethod)))
def test_each_document_is_about_its_own_payment(paid: tuple[Order, list[Money]], chosen: PaymentMethod) -> None:
    order, parts = paid

    assert [document.total for document in documents(order, parts, chosen)] == parts


@given(paid_orders(), st.sampled_from(list(PaymentMethod)))
def test_every_document_keeps_the_arithmetic_of_the_format(
    paid: tuple[Order, list[Money]], chosen: PaymentMethod
) -> None:
    order, parts = paid

    for document in documents(order, parts, chosen):
        assert [finding for finding in check(document, CONTEXT) if finding.rule in ARITHMETIC] == []


@given(paid_orders())
def test_an_automatic_receipt_of_an_uncredited_register_is_never_refused(paid: tuple[Order, list[Money]]) -> None:
    order, parts = paid

    for chosen in (PaymentMethod.ADVANCE, PaymentMethod.PREPAYMENT_FULL, PaymentMethod.PREPAYMENT_PART):
        for document in documents(order, parts, chosen):
            assert [finding for finding in check(document, CONTEXT) if finding.severity == "E"] == []


@given(paid_orders())
def test_a_stored_document_comes_back_the_same(paid: tuple[Order, list[Money]]) -> None:
    for document in documents(*paid, PaymentMethod.ADVANCE):
        assert load(dump(document)) == document


@given(paid_orders(), st.integers(0, 5))
def test_the_past_parts_do_not_depend_on_the_coming_ones(paid: tuple[Order, list[Money]], known: int) -> None:
    order, parts = paid

    assert shares_of_payments(order, parts[:known]) == shares_of_payments(order, parts)[:known]
