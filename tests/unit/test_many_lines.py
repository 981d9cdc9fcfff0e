"""An order as large as orders may be still fits into one receipt, however the kopecks divide."""

from datetime import date

from chekhov.fiscal.document import Buyer, Seller
from chekhov.fiscal.money import Money
from chekhov.fiscal.quantity import Quantity
from chekhov.fiscal.settlement import MAX_LINES, Order, OrderLine, Terms, payment_document, shares_of_payments
from chekhov.fiscal.vocabulary import Means, PaymentMethod, PaymentObject, TaxSystem, VatClass, VatMode

TERMS = Terms(
    seller=Seller("7707083893", "ООО", TaxSystem.OSN, "parts.example.ru"),
    buyer=Buyer(email="b@example.ru"),
    vat_mode=VatMode.GENERAL,
    vat_class=VatClass.STANDARD,
    settled_on=date(2026, 11, 24),
    time_zone=2,
    means=Means.CARD,
)


def test_a_part_of_a_hundred_lines_is_one_receipt_of_a_hundred_lines():
    lines = tuple(OrderLine(str(n), f"Болт М{n}", Money(1001 + n), Quantity.pieces(3)) for n in range(100))
    order = Order(lines)
    shares = shares_of_payments(order, [Money(order.total.kopecks // 2)])[0]

    document = payment_document(order, shares, PaymentMethod.ADVANCE, TERMS)

    assert len(document.lines) == MAX_LINES
    assert document.total == Money(order.total.kopecks // 2)
    assert [line.sum for line in document.lines] == list(shares)
    assert any(line.name.endswith(", 3 шт") for line in document.lines)


def test_a_gift_stands_in_the_first_receipt_of_its_order_only():
    gift = OrderLine("2", "Брелок", Money(0), Quantity.pieces(1))
    delivery = OrderLine("3", "Доставка", Money(0), Quantity.pieces(1), object=PaymentObject.SERVICE)
    order = Order((OrderLine("1", "Фильтр", Money(50000), Quantity.pieces(1)), gift, delivery))
    first, second = shares_of_payments(order, [Money(20000), Money(30000)])

    names = [
        [line.name for line in payment_document(order, shares, PaymentMethod.ADVANCE, TERMS, is_first=is_first).lines]
        for shares, is_first in ((first, True), (second, False))
    ]

    assert names == [["Фильтр", "Брелок"], ["Фильтр"]]
