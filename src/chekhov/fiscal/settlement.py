"""From facts to documents: what an order's money owes, and which receipt says so. Pure functions.

An order is a list of lines with a discount; money comes in parts, in the order in which it was recorded. Each part is
spread over what is still unpaid of every line, so that the parts of a wholly paid order add up to its lines to the
kopeck. The payment method that is really printed follows table M (see `printed_method`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, timezone

from chekhov.fiscal.allocation import Piece, measured_name, split_line, spread
from chekhov.fiscal.document import Buyer, Cashier, Document, Line, Payment, Seller
from chekhov.fiscal.money import ZERO, Money
from chekhov.fiscal.printable import printable
from chekhov.fiscal.quantity import ONE, Quantity, line_sum
from chekhov.fiscal.vat import code_for
from chekhov.fiscal.vocabulary import (
    CalculationSign,
    Channel,
    Means,
    PaymentKind,
    PaymentMethod,
    PaymentObject,
    Unit,
    VatClass,
    VatMode,
)

MAX_LINES = 100
"""Lines in a receipt that every provider takes."""

PAYMENT_KINDS = {
    Means.CASH: PaymentKind.CASH,
    Means.CARD: PaymentKind.CASHLESS,
    Means.SBP: PaymentKind.CASHLESS,
    Means.TRANSFER: PaymentKind.CASHLESS,
}


@dataclass(frozen=True, slots=True)
class OrderLine:
    """A line of an order as the shop sent it."""

    id: str
    name: str
    price: Money  # before the order's discount
    quantity: Quantity
    object: PaymentObject = PaymentObject.PRODUCT
    vat_class: VatClass | None = None  # None: the register's
    unit: Unit = Unit.PIECE
    marking_group: str = ""  # not empty: the thing is sold by its code
    discountable: bool = True

    @property
    def gross(self) -> Money:
        return line_sum(self.price, self.quantity)


@dataclass(frozen=True, slots=True)
class Order:
    """The lines of an order and the discount on the whole."""

    lines: tuple[OrderLine, ...]
    discount: Money = ZERO

    @property
    def total(self) -> Money:
        return Money(sum(line.gross.kopecks for line in self.lines) - self.discount.kopecks)

    @property
    def is_marked(self) -> bool:
        return any(line.marking_group for line in self.lines)

    def net(self) -> tuple[Money, ...]:
        """What each line costs after the discount. Lines that must not be discounted keep their sum.

        Raises ValueError where the discount is larger than what may be discounted.
        """
        gross = [line.gross for line in self.lines]
        if not self.discount:
            return tuple(gross)
        weights = [amount if line.discountable else ZERO for line, amount in zip(self.lines, gross, strict=True)]
        if self.discount.kopecks > sum(weight.kopecks for weight in weights):
            raise ValueError("the discount is larger than the lines that may be discounted")
        shares = spread(self.discount, weights).shares
        return tuple(amount - share for amount, share in zip(gross, shares, strict=True))


@dataclass(frozen=True, slots=True)
class PrintedMethod:
    """The method of a receipt with the row of table M that gave it and a sentence for people."""

    method: PaymentMethod
    row: str
    why: str


def printed_method(chosen: PaymentMethod, *, whole: bool, marked: bool) -> PrintedMethod:
    """The method of an automatic receipt for money before the hand-over, by table M.

    `chosen` is the register's setting, `whole` says that this one payment covers all that the order costs, `marked`
    that the order has goods sold by their codes (which do not exist yet at payment).
    """
    one, two = PaymentMethod.PREPAYMENT_FULL, PaymentMethod.PREPAYMENT_PART
    if chosen is PaymentMethod.ADVANCE:
        return PrintedMethod(chosen, "M1", "Аванс: так выбрано в настройках кассы.")
    if chosen is one:
        if whole:
            return PrintedMethod(one, "M2", "Предоплата 100 %: оплачен весь счёт.")
        return PrintedMethod(two, "M3", "Предоплата частичная: оплачена часть счёта.")
    if chosen is two:
        return PrintedMethod(two, "M4", "Предоплата частичная: так выбрано в настройках кассы.")
    if chosen is PaymentMethod.FULL_PAYMENT:
        if not whole:
            return PrintedMethod(two, "M7", "Предоплата частичная: оплачена часть счёта, полного расчёта ещё нет.")
        if marked:
            return PrintedMethod(
                one, "M6", "Предоплата 100 %: в счёте маркированный товар, его код есть только при выдаче."
            )
        return PrintedMethod(PaymentMethod.FULL_PAYMENT, "M5", "Полный расчёт: оплачен весь счёт, второй чек не нужен.")
    if chosen is PaymentMethod.CREDIT_PAYMENT:
        return PrintedMethod(chosen, "M10", "Оплата кредита: так подтверждено в настройках кассы.")
    if marked:
        method = one if whole else two
        return PrintedMethod(
            method, "M9", f"{method.label}: в счёте маркированный товар, его код есть только при выдаче."
        )
    return PrintedMethod(chosen, "M8", f"{chosen.label}: так подтверждено в настройках кассы.")


def shares_of_payments(order: Order, amounts: Sequence[Money]) -> list[tuple[Money, ...]]:
    """How each payment, in the order of recording, is spread over the lines: one tuple of shares a payment.

    A later payment is spread over what the earlier ones left unpaid, so the last one covers exactly the rest.
    """
    left = list(order.net())
    shares: list[tuple[Money, ...]] = []
    for amount in amounts:
        is_last = amount.kopecks == sum(rest.kopecks for rest in left)
        part = tuple(left) if is_last else spread(amount, left).shares
        shares.append(part)
        left = [rest - share for rest, share in zip(left, part, strict=True)]
    return shares


@dataclass(frozen=True, slots=True)
class Terms:
    """Everything around the lines of a receipt: who sells, to whom, when, by which policy."""

    seller: Seller
    buyer: Buyer
    vat_mode: VatMode
    vat_class: VatClass  # of lines that have none of their own
    settled_on: date
    time_zone: int
    means: Means
    own_object: bool = False  # the organization's prepayment_object = own
    internet: bool = False
    print_paper: bool = False
    cashier: Cashier | None = None


def payment_document(
    order: Order, shares: Sequence[Money], method: PaymentMethod, terms: Terms, *, is_first: bool = True
) -> Document:
    """The receipt for one payment of an order: `shares` says how much of each line it pays.

    Names, quantities and prices are the order's; a line is divided only where the kopecks require it. A service that
    costs nothing is left out, and so is a line of which this payment pays nothing; goods that cost nothing (gifts)
    stand in the first receipt only (`is_first`). Where the divided lines would be more than a receipt holds, each goes
    as one piece with its measure in the name.
    Raises chekhov.fiscal.vat.VatDateError where the date has no code for a class, and
    chekhov.fiscal.text.NameTextError where a name cannot be printed.
    """
    lines = _payment_lines(order, shares, method, terms, is_first=is_first, whole=False)
    if len(lines) > MAX_LINES:
        lines = _payment_lines(order, shares, method, terms, is_first=is_first, whole=True)
    return _document(tuple(lines), terms)


def _payment_lines(
    order: Order, shares: Sequence[Money], method: PaymentMethod, terms: Terms, *, is_first: bool, whole: bool
) -> list[Line]:
    """The lines of a payment; `whole` keeps every share in one piece."""
    lines: list[Line] = []
    gifts = _gifts(order, shares) if is_first else frozenset()
    for number, (line, share) in enumerate(zip(order.lines, shares, strict=True)):
        if not share and number not in gifts:
            continue
        vat = code_for(line.vat_class or terms.vat_class, terms.vat_mode, method, terms.settled_on)
        payment_object = _object_of(line, method, own=terms.own_object)
        pieces = split_line(share, line.quantity)
        if whole and len(pieces) > 1:
            pieces = (Piece(share, ONE, share, as_one=True),)
        for piece in pieces:
            lines.append(
                Line(
                    name=measured_name(line.name, line.quantity, line.unit) if piece.as_one else line.name,
                    price=piece.price,
                    quantity=piece.quantity,
                    sum=piece.sum,
                    payment_object=payment_object,
                    payment_method=method,
                    vat=vat,
                    unit=Unit.PIECE if piece.as_one else line.unit,
                    id=line.id,
                )
            )
    return lines


def _gifts(order: Order, shares: Sequence[Money]) -> frozenset[int]:
    """Numbers of the goods that cost nothing after the discount."""
    if all(shares):
        return frozenset()
    return frozenset(
        number
        for number, (line, net) in enumerate(zip(order.lines, order.net(), strict=True))
        if not net and line.object is not PaymentObject.SERVICE
    )


def topup_document(
    amount: Money, name: str, payment_object: PaymentObject, method: PaymentMethod, terms: Terms
) -> Document:
    """The receipt for a balance top-up: one line named by the register, method and object as the register says."""
    vat = code_for(terms.vat_class, terms.vat_mode, method, terms.settled_on)
    line = Line(
        name=name,
        price=amount,
        quantity=ONE,
        sum=amount,
        payment_object=payment_object,
        payment_method=method,
        vat=vat,
    )
    return _document((line,), terms)


def due_at(channel: Channel, occurred_at: datetime, zone: timezone) -> datetime:
    """When the receipt is due. Money in person or on the site: at once. A transfer: the end of the next working day.

    Letter of the ФНС of 2025-11-28 № ЗГ-2-20/18259@. Saturday and Sunday are days off; a public holiday counts as a
    working day, so the answer is never later than the law's.
    """
    if channel is not Channel.REMOTE:
        return occurred_at
    day = occurred_at.astimezone(zone).date() + timedelta(days=1)
    while day.weekday() >= 5:
        day += timedelta(days=1)
    return datetime.combine(day, time(23, 59, 59), tzinfo=zone)


def exclusion(means: Means, *, buyer_acts_for_business: bool, b2b_sbp_receipts: bool) -> str:
    """Why a settlement owes no receipt at all; empty when it owes one.

    Between organizations a bank transfer without a presented card needs no register (54-ФЗ, art. 2 p. 9); a payment
    through СБП does by the view of the ФНС (letter of 2025-03-28 № ЗГ-2-20/5068@), which a shop may disagree with.
    """
    if not buyer_acts_for_business:
        return ""
    if means is Means.TRANSFER:
        return "Банковский перевод между организациями: касса не применяется (ст. 2 п. 9 54-ФЗ)."
    if means is Means.SBP and not b2b_sbp_receipts:
        return "Оплата через СБП между организациями: по настройке организации чек не нужен."
    return ""


def _object_of(line: OrderLine, method: PaymentMethod, *, own: bool) -> PaymentObject:
    if method is PaymentMethod.CREDIT_PAYMENT:
        return PaymentObject.PAYMENT
    if method.is_prepayment and (not own or line.marking_group):
        return PaymentObject.PAYMENT
    return line.object


def _document(lines: tuple[Line, ...], terms: Terms) -> Document:
    total = Money(sum(line.sum.kopecks for line in lines))
    document = Document(
        sign=CalculationSign.SALE,
        lines=lines,
        payments=(Payment(PAYMENT_KINDS[terms.means], total),),
        total=total,
        seller=terms.seller,
        buyer=terms.buyer,
        settled_on=terms.settled_on,
        time_zone=terms.time_zone,
        internet=terms.internet,
        print_paper=terms.print_paper,
        cashier=terms.cashier,
    )
    return printable(document)
