"""A person makes a receipt: what is refused on the server whatever the page offered, and what the answer decides."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest

from chekhov.delivery.requests import receipt_cancel
from chekhov.errors import Conflict, Invalid, NotFound, Refusal
from chekhov.fiscal.codec import load
from chekhov.fiscal.document import Cashier, Document
from chekhov.fiscal.money import Money
from chekhov.fiscal.vocabulary import Channel, Means, PaymentKind, PaymentMethod, PaymentObject, TaxSystem, VatCode
from chekhov.people.models import Action, User
from chekhov.receipts.composing import Choices, receipt_form, receipt_preview, registers_for
from chekhov.receipts.models import Obligation, Receipt, ReceiptEvent
from chekhov.registers.models import Register
from chekhov.registers.services import register_archive
from tests import factories
from tests.factories import LineContent, customer, invoice, organization, pay, region, topup
from tests.integration import delivering

pytestmark = pytest.mark.django_db


@pytest.fixture
def till() -> Register:
    return factories.register(region("msk", organization()))


@pytest.fixture
def petrova() -> User:
    return factories.user()


def cash(register: Register, amount: str = "", *lines: LineContent, **values: Any) -> Obligation:
    """Money taken at the counter that waits for its receipt."""
    bill = invoice(customer(register.region, **values), *lines)
    pay(bill, amount, means=Means.CASH, channel=Channel.COUNTER)
    return Obligation.objects.latest("pk")


def press(obligation: Obligation, register: Register, by: User, **choices: Any) -> Receipt:
    return receipt_form(
        obligation_id=obligation.pk, choices=Choices(register.pk, **{"confirmed": True, **choices}), actor=by
    )


def made(receipt: Receipt) -> Document:
    return load(receipt.document)


def refused(obligation: Obligation, register: Register, by: User, **choices: Any) -> Refusal:
    before = (Receipt.objects.count(), ReceiptEvent.objects.count(), Action.objects.count())
    with pytest.raises(Refusal) as caught:
        press(obligation, register, by, **choices)
    assert (Receipt.objects.count(), ReceiptEvent.objects.count(), Action.objects.count()) == before
    assert caught.value.next_step
    return caught.value


def test_goods_handed_over_and_paid_whole_are_a_full_payment_at_the_direct_rate(till: Register, petrova: User) -> None:
    document = made(press(cash(till), till, petrova, goods_handed=True))

    assert {line.payment_method for line in document.lines} == {PaymentMethod.FULL_PAYMENT}
    assert {line.vat for line in document.lines} == {VatCode.VAT_22}
    assert [line.payment_object for line in document.lines] == [PaymentObject.PRODUCT, PaymentObject.SERVICE]
    assert document.paid(PaymentKind.CASH) == document.total == Money(189200)
    assert not document.internet
    assert document.seller.place == "Магазин msk"


def test_goods_not_handed_over_yet_are_a_prepayment(till: Register, petrova: User) -> None:
    document = made(press(cash(till), till, petrova))

    assert {line.payment_method for line in document.lines} == {PaymentMethod.PREPAYMENT_FULL}
    assert {line.vat for line in document.lines} == {VatCode.VAT_22_122}


def test_a_part_is_a_part_prepayment(till: Register, petrova: User) -> None:
    document = made(press(cash(till, "1000.00"), till, petrova))

    assert {line.payment_method for line in document.lines} == {PaymentMethod.PREPAYMENT_PART}
    assert document.total == Money(100000)


def test_parts_pressed_in_any_order_pay_the_lines_exactly(till: Register, petrova: User) -> None:
    bill = invoice(customer(till.region))
    for amount in ("333.33", "1000.00", "558.67"):
        pay(bill, amount, means=Means.CASH, channel=Channel.COUNTER)
    sums: dict[str, int] = {}

    for obligation in Obligation.objects.order_by("-pk"):
        for line in made(press(obligation, till, petrova)).lines:
            sums[line.id] = sums.get(line.id, 0) + line.sum.kopecks

    assert sums == {"1": 154200, "2": 35000}


def test_the_last_part_with_the_goods_is_not_a_full_payment(till: Register, petrova: User) -> None:
    assert refused(cash(till, "1000.00"), till, petrova, goods_handed=True).code == "goods_partly_paid"


def test_marked_goods_are_not_handed_over_without_their_codes(till: Register, petrova: User) -> None:
    tyre = LineContent(name="Шина", price="7000.00", quantity="1", marking="tires")

    obligation = cash(till, "", tyre)

    assert refused(obligation, till, petrova, goods_handed=True).code == "goods_marked"
    assert made(press(obligation, till, petrova)).lines[0].payment_method is PaymentMethod.PREPAYMENT_FULL


def test_a_register_of_another_region_is_refused_on_the_server(till: Register, petrova: User) -> None:
    spb = factories.register(region("spb", till.organization), queue=778, extra_region_ids=frozenset({till.region_id}))

    assert refused(cash(till), spb, petrova).code == "region_mismatch"


def test_a_register_of_another_organization_is_refused_on_the_server(till: Register, petrova: User) -> None:
    other = organization("other", inn=factories.OTHER_INN)
    foreign = factories.register(till.region, queue=778, organization_id=other.pk, place_id=None, name="Чужая")

    assert refused(cash(till), foreign, petrova).code == "other_organization"
    assert registers_for(Obligation.objects.get()) == [till]


def test_an_archived_register_is_not_found(till: Register, petrova: User) -> None:
    obligation = cash(till)
    register_archive(register=till, actor=petrova)

    assert isinstance(refused(obligation, till, petrova), NotFound)


def test_an_obligation_that_does_not_exist_is_not_found(till: Register, petrova: User) -> None:
    with pytest.raises(NotFound) as caught:
        receipt_form(obligation_id=0, choices=Choices(till.pk), actor=petrova)
    assert caught.value.code == "obligation_not_found"


def test_pressing_twice_makes_one(till: Register, petrova: User) -> None:
    obligation = cash(till)
    press(obligation, till, petrova)

    conflict = refused(obligation, till, petrova)

    assert isinstance(conflict, Conflict)
    assert conflict.code == "receipt_exists"


def test_a_payment_that_has_its_automatic_receipt_gets_no_second_one(till: Register, petrova: User) -> None:
    pay(invoice(customer(till.region)))

    assert refused(Obligation.objects.get(), till, petrova).code == "receipt_exists"


def test_notices_are_read_and_confirmed_first(till: Register, petrova: User) -> None:
    generic = LineContent(name="товар", price="10.00", quantity="1")
    obligation = cash(till, "", generic)

    assert refused(obligation, till, petrova, goods_handed=True, confirmed=False).code == "needs_confirmation"

    receipt = press(obligation, till, petrova, goods_handed=True)
    assert [notice["rule"] for notice in receipt.notices] == ["R26"]
    action = Action.objects.get(kind="receipt_form")
    assert action.actor == petrova
    assert action.subject == str(receipt.uuid)
    assert action.details["confirmed"] is True
    assert action.details["notices"] == [notice["code"] for notice in receipt.notices]


def test_a_buyer_without_a_contact_gets_paper(till: Register, petrova: User) -> None:
    obligation = cash(till, email="")

    assert refused(obligation, till, petrova, goods_handed=True, print_paper=False).code == "BUYER_COPY"

    assert made(press(obligation, till, petrova, goods_handed=True, print_paper=True)).print_paper


def test_the_tax_system_is_chosen_among_those_of_the_day(till: Register, petrova: User) -> None:
    till.organization.tax_systems.create(tax_system=TaxSystem.ESHN.value, valid_from=date(2019, 1, 1))
    obligation = cash(till)

    assert refused(obligation, till, petrova, tax_system=TaxSystem.USN_INCOME).code == "tax_system"

    assert made(press(obligation, till, petrova, tax_system=TaxSystem.ESHN)).seller.tax_system is TaxSystem.ESHN


def test_a_tax_system_that_has_ended_cannot_be_pressed(till: Register, petrova: User) -> None:
    obligation = cash(till)
    till.organization.tax_systems.update(valid_to=date(2025, 12, 31))

    assert refused(obligation, till, petrova).code == "tax_system"


def test_the_cashier_stands_in_a_counter_receipt_and_not_in_an_online_one(till: Register, petrova: User) -> None:
    assert made(press(cash(till), till, petrova)).cashier == Cashier("Кассир Петрова А.", "")

    till.active_online = False
    till.save()
    pay(invoice(customer(till.region)))
    online = made(press(Obligation.objects.latest("pk"), till, petrova))
    assert online.cashier is None
    assert online.internet


def test_a_person_without_a_name_leaves_the_cashier_to_the_device(till: Register) -> None:
    nameless = User.objects.create_user("admin", password="correct horse battery")

    assert made(press(cash(till), till, nameless)).cashier is None


def test_an_online_payment_sent_by_a_person_follows_table_m(petrova: User) -> None:
    register = factories.register(
        region("msk", organization()), active_online=False, online_method=PaymentMethod.FULL_PAYMENT
    )
    pay(invoice(customer(register.region)))

    document = made(press(Obligation.objects.get(), register, petrova, goods_handed=False))

    assert {line.payment_method for line in document.lines} == {PaymentMethod.FULL_PAYMENT}


def test_a_topup_at_the_counter_is_the_register_s_topup(till: Register, petrova: User) -> None:
    topup(customer(till.region), "500.00", means=Means.CASH, channel=Channel.COUNTER)

    (line,) = made(press(Obligation.objects.get(), till, petrova)).lines

    assert (line.name, line.payment_method) == ("Пополнение баланса", PaymentMethod.ADVANCE)


def test_after_a_cancellation_the_next_generation_has_a_key_of_its_own(till: Register, petrova: User) -> None:
    obligation = cash(till)
    first = press(obligation, till, petrova)
    receipt_cancel(receipt=first, actor=petrova, reason="Не та касса")

    second = press(obligation, till, petrova)

    assert (first.generation, second.generation) == (1, 2)
    assert first.uuid != second.uuid
    assert obligation.receipts.exclude(status__state="cancelled").get() == second


def test_a_refused_receipt_must_be_cancelled_before_another_is_made(till: Register, petrova: User) -> None:
    obligation = cash(till)
    press(obligation, till, petrova)
    delivering.answer(delivering.claim_one(), delivering.refused())

    assert refused(obligation, till, petrova).code == "receipt_exists"


def test_the_preview_stores_nothing_and_shows_what_will_be_sent(till: Register, petrova: User) -> None:
    obligation = cash(till)
    choices = Choices(till.pk, goods_handed=True, confirmed=True)

    preview = receipt_preview(obligation=obligation, choices=choices, actor=petrova)

    assert not Receipt.objects.exists()
    assert preview.why
    assert made(press(obligation, till, petrova, goods_handed=True)) == preview.document


def test_a_business_buyer_with_cash_needs_his_inn(till: Register, petrova: User) -> None:
    bill = invoice(customer(till.region))
    pay(bill, means=Means.CASH, channel=Channel.COUNTER, buyer_acts_for_business=True)

    assert refused(Obligation.objects.get(), till, petrova).code == "BUYER_INN"


def test_a_missed_date_is_formed_once_the_directory_is_put_right(till: Register, petrova: User) -> None:
    till.organization.vat_modes.update(valid_from=date(2026, 1, 1))
    pay(invoice(customer(till.region)), paid_at=datetime(2025, 12, 20, 12, 0, tzinfo=UTC))
    obligation = Obligation.objects.get()
    with pytest.raises(Invalid, match="режим НДС"):
        receipt_preview(obligation=obligation, choices=Choices(till.pk), actor=petrova)

    till.organization.vat_modes.update(valid_from=date(2019, 1, 1))

    document = made(press(obligation, till, petrova))
    assert {line.vat for line in document.lines} == {VatCode.VAT_20_120}
