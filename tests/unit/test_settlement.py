"""From facts to documents: table M row by row, kopecks, gifts, discounts, dates."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest

from chekhov.fiscal.document import Buyer, Document, Seller
from chekhov.fiscal.money import Money
from chekhov.fiscal.quantity import Quantity
from chekhov.fiscal.settlement import (
    Order,
    OrderLine,
    Terms,
    due_at,
    exclusion,
    payment_document,
    printed_method,
    shares_of_payments,
    topup_document,
)
from chekhov.fiscal.vat import VatDateError
from chekhov.fiscal.vocabulary import (
    Channel,
    Means,
    PaymentKind,
    PaymentMethod,
    PaymentObject,
    TaxSystem,
    Unit,
    VatClass,
    VatCode,
    VatMode,
)

M = PaymentMethod
MOSCOW = timezone(timedelta(hours=3))


def line(price: str = "100.00", quantity: str = "1", **values: Any) -> OrderLine:
    values.setdefault("id", "1")
    values.setdefault("name", "Свеча зажигания")
    return OrderLine(price=Money.parse(price), quantity=Quantity.parse(quantity), **values)


def order(*lines: OrderLine, discount: str = "0") -> Order:
    return Order(lines, Money.parse(discount))


def terms(**values: Any) -> Terms:
    fields: dict[str, Any] = {
        "seller": Seller("7707083893", "ООО «Автодеталь»", TaxSystem.OSN, "parts.example.ru"),
        "buyer": Buyer(email="buyer@example.ru"),
        "vat_mode": VatMode.GENERAL,
        "vat_class": VatClass.STANDARD,
        "settled_on": date(2026, 11, 24),
        "time_zone": 2,
        "means": Means.CARD,
        **values,
    }
    return Terms(**fields)


def paid(what: Order, *amounts: str, method: PaymentMethod = M.ADVANCE, **values: Any) -> list[Document]:
    """The documents of payments in this order."""
    shares = shares_of_payments(what, [Money.parse(amount) for amount in amounts])
    return [payment_document(what, share, method, terms(**values)) for share in shares]


# --- table M ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("chosen", "whole", "marked", "printed", "row"),
    [
        (M.ADVANCE, True, False, M.ADVANCE, "M1"),
        (M.ADVANCE, False, False, M.ADVANCE, "M1"),
        (M.ADVANCE, True, True, M.ADVANCE, "M1"),
        (M.ADVANCE, False, True, M.ADVANCE, "M1"),
        (M.PREPAYMENT_FULL, True, False, M.PREPAYMENT_FULL, "M2"),
        (M.PREPAYMENT_FULL, True, True, M.PREPAYMENT_FULL, "M2"),
        (M.PREPAYMENT_FULL, False, False, M.PREPAYMENT_PART, "M3"),
        (M.PREPAYMENT_FULL, False, True, M.PREPAYMENT_PART, "M3"),
        (M.PREPAYMENT_PART, True, False, M.PREPAYMENT_PART, "M4"),
        (M.PREPAYMENT_PART, False, True, M.PREPAYMENT_PART, "M4"),
        (M.FULL_PAYMENT, True, False, M.FULL_PAYMENT, "M5"),
        (M.FULL_PAYMENT, True, True, M.PREPAYMENT_FULL, "M6"),
        (M.FULL_PAYMENT, False, False, M.PREPAYMENT_PART, "M7"),
        (M.FULL_PAYMENT, False, True, M.PREPAYMENT_PART, "M7"),
        (M.PARTIAL_CREDIT, True, False, M.PARTIAL_CREDIT, "M8"),
        (M.PARTIAL_CREDIT, False, False, M.PARTIAL_CREDIT, "M8"),
        (M.CREDIT, True, False, M.CREDIT, "M8"),
        (M.CREDIT, False, False, M.CREDIT, "M8"),
        (M.PARTIAL_CREDIT, True, True, M.PREPAYMENT_FULL, "M9"),
        (M.PARTIAL_CREDIT, False, True, M.PREPAYMENT_PART, "M9"),
        (M.CREDIT, True, True, M.PREPAYMENT_FULL, "M9"),
        (M.CREDIT, False, True, M.PREPAYMENT_PART, "M9"),
        (M.CREDIT_PAYMENT, True, False, M.CREDIT_PAYMENT, "M10"),
        (M.CREDIT_PAYMENT, False, True, M.CREDIT_PAYMENT, "M10"),
    ],
)
def test_a_row_of_table_m(chosen: PaymentMethod, whole: bool, marked: bool, printed: PaymentMethod, row: str) -> None:
    found = printed_method(chosen, whole=whole, marked=marked)

    assert (found.method, found.row) == (printed, row)
    assert found.why.endswith(".")


@pytest.mark.parametrize("method", list(PaymentMethod))
@pytest.mark.parametrize("amount", ["1892.00", "1000.00"])
def test_whatever_is_printed_the_money_stands_in_its_own_kind(method: PaymentMethod, amount: str) -> None:
    what = order(line("385.50", "4"), line("350.00", id="2", object=PaymentObject.SERVICE))

    (document,) = paid(what, amount, method=method)

    assert document.total == document.paid(PaymentKind.CASHLESS) == Money.parse(amount)
    assert sum(one.sum.kopecks for one in document.lines) == document.total.kopecks
    calculated = {VatCode.VAT_22_122} if method.is_prepayment else {VatCode.VAT_22}
    assert {one.vat for one in document.lines} == calculated


@pytest.mark.parametrize(
    ("means", "kind"),
    [
        (Means.CASH, PaymentKind.CASH),
        (Means.CARD, PaymentKind.CASHLESS),
        (Means.SBP, PaymentKind.CASHLESS),
        (Means.TRANSFER, PaymentKind.CASHLESS),
    ],
)
def test_each_means_has_its_kind(means: Means, kind: PaymentKind) -> None:
    (document,) = paid(order(line()), "100.00", means=means)

    assert document.payments[0].kind is kind


@pytest.mark.parametrize(
    ("method", "own", "marked", "printed"),
    [
        (M.ADVANCE, False, "", PaymentObject.PAYMENT),
        (M.ADVANCE, True, "", PaymentObject.EXCISE),
        (M.PREPAYMENT_PART, True, "tires", PaymentObject.PAYMENT),
        (M.FULL_PAYMENT, False, "", PaymentObject.EXCISE),
        (M.CREDIT_PAYMENT, True, "", PaymentObject.PAYMENT),
        (M.CREDIT, False, "", PaymentObject.EXCISE),
    ],
)
def test_the_object_follows_the_method(method: PaymentMethod, own: bool, marked: str, printed: PaymentObject) -> None:
    what = order(line(object=PaymentObject.EXCISE, marking_group=marked))

    (document,) = paid(what, "100.00", method=method, own_object=own)

    assert document.lines[0].payment_object is printed


# --- parts, discounts, gifts ------------------------------------------------------------------------------------------


def test_part_payments_add_up_on_each_line_to_the_kopeck() -> None:
    what = order(line("33.33", "3"), line("0.07", "7", id="2"), line("999.99", id="3"), discount="10.01")

    sums = [0, 0, 0]
    for document in paid(what, "0.01", "333.33", "700.00", str(Money(what.total.kopecks - 103334))):
        for one in document.lines:
            sums[int(one.id) - 1] += one.sum.kopecks

    assert sums == [amount.kopecks for amount in what.net()]


def test_a_line_of_which_a_payment_pays_nothing_is_not_in_its_receipt() -> None:
    (document, _) = paid(order(line("1000.00"), line("1.00", id="2")), "0.01", "1000.99")

    assert [one.id for one in document.lines] == ["1"]


def test_a_discount_lowers_prices_and_leaves_alone_what_must_not_be_discounted() -> None:
    what = order(
        line("100.00", "3"), line("350.00", id="2", object=PaymentObject.SERVICE, discountable=False), discount="10.00"
    )

    (document,) = paid(what, "640.00")

    assert [(str(one.price), str(one.quantity)) for one in document.lines] == [
        ("96.67", "2"),
        ("96.66", "1"),
        ("350.00", "1"),
    ]


def test_a_discount_larger_than_what_may_be_discounted_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="discount"):
        order(line("100.00"), line("350.00", id="2", discountable=False), discount="100.01").net()


def test_a_gift_stays_at_nothing_and_free_delivery_is_left_out() -> None:
    what = order(
        line("100.00"),
        line("0", id="2", name="Брелок"),
        line("0", id="3", name="Доставка", object=PaymentObject.SERVICE),
    )

    (document,) = paid(what, "100.00")

    assert [(one.id, str(one.sum)) for one in document.lines] == [("1", "100.00"), ("2", "0.00")]


def test_a_fraction_that_no_price_expresses_goes_as_one_with_its_measure() -> None:
    what = order(line("99.99", "1.357", unit=Unit.METRE, name="Шланг топливный"))

    documents = paid(what, "50.00", str(Money(what.total.kopecks - 5000)))

    assert sum(one.sum.kopecks for document in documents for one in document.lines) == what.total.kopecks
    as_one = [one for document in documents for one in document.lines if str(one.quantity) == "1"]
    assert all(one.name == "Шланг топливный, 1.357 м" and one.unit is Unit.PIECE for one in as_one)


def test_a_share_below_a_kopeck_a_unit_goes_as_one() -> None:
    (document, _) = paid(order(line("1.00", "100")), "0.50", "99.50")

    assert [(one.name, str(one.quantity), str(one.sum)) for one in document.lines] == [
        ("Свеча зажигания, 100 шт", "1", "0.50")
    ]


def test_the_order_of_payments_decides_which_pays_the_rest() -> None:
    what = order(line("0.05", "1"), line("0.05", "1", id="2"))

    one, two = shares_of_payments(what, [Money(3), Money(7)])

    assert [share.kopecks for share in one] == [2, 1]
    assert [share.kopecks for share in two] == [3, 4]


def test_a_line_s_own_class_beats_the_register_s() -> None:
    what = order(line(vat_class=VatClass.REDUCED), line(id="2"), line(id="3", vat_class=VatClass.EXEMPT))

    (document,) = paid(what, "300.00")

    assert [one.vat for one in document.lines] == [VatCode.VAT_10_110, VatCode.VAT_22_122, VatCode.NO_VAT]


@pytest.mark.parametrize(
    ("on", "code"), [(date(2025, 12, 31), VatCode.VAT_20_120), (date(2026, 1, 1), VatCode.VAT_22_122)]
)
def test_the_rate_is_that_of_the_day(on: date, code: VatCode) -> None:
    (document,) = paid(order(line()), "100.00", settled_on=on)

    assert document.lines[0].vat is code


def test_a_day_without_a_code_is_not_guessed() -> None:
    with pytest.raises(VatDateError):
        paid(order(line()), "100.00", settled_on=date(2018, 12, 31))


def test_a_topup_is_one_line_as_the_register_says() -> None:
    document = topup_document(
        Money(50000), "Пополнение баланса", PaymentObject.SERVICE, M.FULL_PAYMENT, terms(means=Means.SBP)
    )

    (one,) = document.lines
    assert (one.name, one.sum, one.payment_object, one.payment_method, one.vat) == (
        "Пополнение баланса",
        Money(50000),
        PaymentObject.SERVICE,
        M.FULL_PAYMENT,
        VatCode.VAT_22,
    )


# --- when it is due, and when not at all ------------------------------------------------------------------------------


@pytest.mark.parametrize("channel", [Channel.ONLINE, Channel.COUNTER])
def test_money_in_person_or_on_the_site_is_due_at_once(channel: Channel) -> None:
    at = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)

    assert due_at(channel, at, MOSCOW) == at


@pytest.mark.parametrize(
    ("paid_at", "due"),
    [
        ("2026-11-16T10:00:00+03:00", "2026-11-17T23:59:59+03:00"),  # Monday
        ("2026-11-19T23:59:59+03:00", "2026-11-20T23:59:59+03:00"),  # Thursday
        ("2026-11-20T00:00:00+03:00", "2026-11-23T23:59:59+03:00"),  # Friday
        ("2026-11-21T10:00:00+03:00", "2026-11-23T23:59:59+03:00"),  # Saturday
        ("2026-11-22T23:59:59+03:00", "2026-11-23T23:59:59+03:00"),  # Sunday
        ("2026-11-20T22:30:00+00:00", "2026-11-23T23:59:59+03:00"),  # Friday in London, Saturday in Moscow
        ("2026-11-22T21:30:00+00:00", "2026-11-24T23:59:59+03:00"),  # Sunday in London, Monday in Moscow
        ("2026-12-31T10:00:00+03:00", "2027-01-01T23:59:59+03:00"),  # a holiday counts: never later than the law's
    ],
)
def test_a_transfer_is_due_at_the_end_of_the_next_working_day(paid_at: str, due: str) -> None:
    assert due_at(Channel.REMOTE, datetime.fromisoformat(paid_at), MOSCOW) == datetime.fromisoformat(due)


@pytest.mark.parametrize(
    ("means", "business", "b2b_sbp", "owes"),
    [
        (Means.TRANSFER, False, True, True),
        (Means.TRANSFER, True, True, False),
        (Means.SBP, True, True, True),
        (Means.SBP, True, False, False),
        (Means.SBP, False, False, True),
        (Means.CARD, True, False, True),
        (Means.CASH, True, False, True),
    ],
)
def test_which_settlements_owe_no_receipt(means: Means, business: bool, b2b_sbp: bool, owes: bool) -> None:
    why = exclusion(means, buyer_acts_for_business=business, b2b_sbp_receipts=b2b_sbp)

    assert (not why) is owes
