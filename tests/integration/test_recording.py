"""Recording a fact and forming what it owes: once, explained, and for ever as it was at that moment."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from chekhov.config.clock import now
from chekhov.config.database import fetch, is_postgresql
from chekhov.directory.models import Installation, OrganizationVatMode
from chekhov.directory.services import installation_uuid
from chekhov.errors import Conflict, Invalid, NotFound, Refusal
from chekhov.fiscal.codec import load
from chekhov.fiscal.document import Document
from chekhov.fiscal.money import Money
from chekhov.fiscal.vocabulary import (
    Channel,
    Means,
    PaymentKind,
    PaymentMethod,
    PaymentObject,
    RegisterVatRate,
    TaxSystem,
    VatCode,
)
from chekhov.receipts.contents import PaymentContent, TopupContent
from chekhov.receipts.models import Obligation, Receipt, ReceiptEvent, ReceiptState
from chekhov.receipts.recording import Recorded, fact_record, facts_record
from chekhov.registers.models import Register
from chekhov.registers.services import RegisterContent, register_archive, register_save
from chekhov.sales.models import Fact, Invoice
from tests import factories
from tests.factories import LineContent, customer, invoice, organization, pay, region, source, topup

pytestmark = pytest.mark.django_db

IN_2025 = datetime(2025, 12, 20, 12, 0, tzinfo=UTC)
IN_2026 = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)


@pytest.fixture
def shop() -> Register:
    """ООО «Автодеталь» sells in Moscow; the register is active on-line."""
    return factories.register(region("msk", organization()))


def document(recorded: Recorded) -> Document:
    (brief,) = recorded.answer.receipts
    return load(Receipt.objects.get(uuid=brief.id).document)


def refusal(call: Any, *arguments: Any, **values: Any) -> Refusal:
    counts = [model.objects.count() for model in (Fact, Obligation, Receipt, ReceiptState, ReceiptEvent)]
    paid = list(Invoice.objects.order_by("pk").values_list("paid_kopecks", flat=True))
    with pytest.raises(Refusal) as caught:
        call(*arguments, **values)
    assert [model.objects.count() for model in (Fact, Obligation, Receipt, ReceiptState, ReceiptEvent)] == counts
    assert list(Invoice.objects.order_by("pk").values_list("paid_kopecks", flat=True)) == paid
    assert caught.value.detail
    assert caught.value.next_step
    return caught.value


# --- the fact itself --------------------------------------------------------------------------------------------------


def test_a_paid_invoice_makes_one_queued_receipt(shop: Register) -> None:
    recorded = pay(invoice(customer(shop.region)))

    assert recorded.created
    assert [item.state for item in recorded.answer.receipts] == ["queued"]
    assert recorded.answer.missing is None
    assert Obligation.objects.get().amount_kopecks == 189200
    assert ReceiptState.objects.get().due_ms is not None


def test_the_nomenclature_of_the_order_goes_into_the_receipt_by_itself(shop: Register) -> None:
    made = document(pay(invoice(customer(shop.region))))

    assert [(line.name, str(line.price), str(line.quantity), str(line.sum)) for line in made.lines] == [
        ("Свеча зажигания", "385.50", "4", "1542.00"),
        ("Доставка курьером", "350.00", "1", "350.00"),
    ]
    assert {line.payment_method for line in made.lines} == {PaymentMethod.ADVANCE}
    assert {line.payment_object for line in made.lines} == {PaymentObject.PAYMENT}
    assert made.internet
    assert made.seller.place == "parts.example.ru"
    assert made.paid(PaymentKind.CASHLESS) == made.total == Money(189200)


def test_the_same_fact_again_is_the_same_receipt(shop: Register) -> None:
    bill, at = invoice(customer(shop.region)), now()
    first = pay(bill, id="P-1", paid_at=at)

    again = pay(bill, id="P-1", paid_at=at)

    assert (first.created, again.created) == (True, False)
    assert again.answer == first.answer
    assert Receipt.objects.count() == Fact.objects.count() == 1


def test_the_same_moment_in_another_time_zone_is_the_same_fact(shop: Register) -> None:
    bill, at = invoice(customer(shop.region)), datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
    pay(bill, id="P-1", paid_at=at)

    again = pay(bill, id="P-1", paid_at=datetime.fromisoformat("2026-11-20T12:00:00+03:00"))

    assert not again.created


@pytest.mark.parametrize(
    "change",
    [
        {"amount": "100.00"},
        {"means": Means.SBP},
        {"channel": Channel.REMOTE},
        {"buyer_acts_for_business": True},
        {"paid_at": datetime(2026, 11, 20, 9, 1, tzinfo=UTC)},
    ],
)
def test_the_same_id_with_another_content_is_a_conflict(shop: Register, change: dict[str, Any]) -> None:
    bill, at = invoice(customer(shop.region)), datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
    pay(bill, "50.00", id="P-1", paid_at=at)

    conflict = refusal(pay, bill, **{"amount": "50.00", "id": "P-1", "paid_at": at, **change})

    assert isinstance(conflict, Conflict)
    assert conflict.code == "conflict"


def test_a_repeat_is_recognised_though_the_invoice_is_paid_by_now(shop: Register) -> None:
    bill, at = invoice(customer(shop.region)), now()
    pay(bill, id="P-1", paid_at=at)

    assert not pay(bill, id="P-1", paid_at=at).created


def test_the_same_id_on_two_invoices_is_two_facts(shop: Register) -> None:
    buyer = customer(shop.region)

    assert all(pay(invoice(buyer), id="P-1").created for _ in range(2))
    assert len(set(Receipt.objects.values_list("uuid", flat=True))) == 2


def test_a_payment_and_a_topup_may_have_the_same_id(shop: Register) -> None:
    buyer = customer(shop.region)

    assert pay(invoice(buyer), id="1").created
    assert topup(buyer, id="1").created


def test_two_sites_may_both_have_an_order_17(shop: Register) -> None:
    bills = [invoice(customer(shop.region, by=source(code)), external_id="17") for code in ("site", "market")]

    assert all(pay(bill, id="1").created for bill in bills)
    assert len(set(Receipt.objects.values_list("uuid", flat=True))) == 2


# --- refusals change nothing ------------------------------------------------------------------------------------------


def test_more_than_is_owed_is_refused(shop: Register) -> None:
    bill = invoice(customer(shop.region))
    pay(bill, "1892.00")

    assert refusal(pay, bill, "0.01").code == "overpaid"


def test_parts_may_not_exceed_the_whole(shop: Register) -> None:
    bill = invoice(customer(shop.region))
    pay(bill, "1000.00")

    assert refusal(pay, bill, "892.01").code == "overpaid"
    assert pay(bill, "892.00").created


def test_balance_money_is_refused(shop: Register) -> None:
    assert refusal(pay, invoice(customer(shop.region)), means=Means.BALANCE).code == "means_unavailable"


@pytest.mark.parametrize("channel", [Channel.ONLINE, Channel.REMOTE])
def test_cash_is_only_taken_in_person(shop: Register, channel: Channel) -> None:
    assert refusal(pay, invoice(customer(shop.region)), means=Means.CASH, channel=channel).code == "means_channel"


def test_a_transfer_is_not_taken_at_the_counter(shop: Register) -> None:
    bill = invoice(customer(shop.region))

    assert refusal(pay, bill, means=Means.TRANSFER, channel=Channel.COUNTER).code == "means_channel"


def test_a_payment_of_tomorrow_is_refused(shop: Register) -> None:
    assert refusal(pay, invoice(customer(shop.region)), paid_at=now() + timedelta(minutes=6)).code == "paid_at"


def test_a_clock_that_is_a_little_fast_is_forgiven(shop: Register) -> None:
    assert pay(invoice(customer(shop.region)), paid_at=now() + timedelta(minutes=4)).created


@pytest.mark.parametrize("year", [1, 1970, 1999, 9999])
def test_a_payment_of_an_impossible_year_is_refused(shop: Register, year: int) -> None:
    at = datetime.fromisoformat(f"{year:04}-12-31T23:59:59-12:00" if year > 2000 else f"{year:04}-01-01T00:00:00+03:00")

    assert refusal(pay, invoice(customer(shop.region)), paid_at=at).code == "paid_at"


@pytest.mark.parametrize("amount", [0, -1, 4_294_967_296])
def test_an_amount_out_of_range_is_refused(shop: Register, amount: int) -> None:
    bill = invoice(customer(shop.region))
    content = PaymentContent(bill.external_id, "P", Money(amount), Means.CARD, Channel.ONLINE, now())

    assert refusal(fact_record, source=bill.source, content=content, actor="t").code == "amount"


def test_an_unknown_invoice_is_refused(shop: Register) -> None:
    content = PaymentContent("never", "P-1", Money(100), Means.CARD, Channel.ONLINE, now())

    assert isinstance(refusal(fact_record, source=source(), content=content, actor="t"), NotFound)


def test_an_invoice_of_another_source_is_unknown(shop: Register) -> None:
    bill = invoice(customer(shop.region))
    content = PaymentContent(bill.external_id, "P-1", Money(100), Means.CARD, Channel.ONLINE, now())

    assert refusal(fact_record, source=source("market"), content=content, actor="t").code == "invoice_not_found"


def test_an_unknown_customer_is_refused(shop: Register) -> None:
    buyer = customer(shop.region)
    buyer.external_id = "never"

    assert refusal(topup, buyer).code == "customer_not_found"


def test_a_topup_for_an_unknown_organization_is_refused(shop: Register) -> None:
    assert refusal(topup, customer(shop.region), organization="none").code == "unknown_organization"


@pytest.mark.parametrize("id", ["", "a b", "x" * 101, "a/b", "a\x1fb"])
def test_an_id_that_is_none_is_refused(shop: Register, id: str) -> None:
    bill = invoice(customer(shop.region))
    content = PaymentContent(bill.external_id, id, Money(100), Means.CARD, Channel.ONLINE, now())

    assert refusal(fact_record, source=bill.source, content=content, actor="t").code == "id"


# --- batches ----------------------------------------------------------------------------------------------------------


def content_for(bill: Invoice, amount: str, id: str = "P-1") -> PaymentContent:
    at = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
    return PaymentContent(bill.external_id, id, Money.parse(amount), Means.CARD, Channel.ONLINE, at)


def test_the_same_fact_twice_in_one_batch_is_one(shop: Register) -> None:
    bill = invoice(customer(shop.region))
    content = content_for(bill, "1892.00")

    first, second = facts_record(source=bill.source, contents=[content, content], actor="t")

    assert isinstance(first, Recorded)
    assert isinstance(second, Recorded)
    assert (first.created, second.created) == (True, False)
    assert first.answer == second.answer
    assert Receipt.objects.count() == 1


def test_one_bad_fact_holds_back_none_of_its_neighbours(shop: Register) -> None:
    buyer = customer(shop.region)
    good, other = invoice(buyer), invoice(buyer)
    contents = [content_for(good, "1892.00"), content_for(other, "9999.00"), content_for(other, "10.00", "P-2")]

    answers = facts_record(source=buyer.source, contents=contents, actor="t")

    assert [isinstance(answer, Recorded) for answer in answers] == [True, False, True]
    assert isinstance(answers[1], Invalid)
    assert Fact.objects.count() == Receipt.objects.count() == 2
    assert {bill.paid_kopecks for bill in Invoice.objects.all()} == {189200, 1000}


def test_parts_in_one_batch_are_measured_against_each_other(shop: Register) -> None:
    bill = invoice(customer(shop.region))
    contents = [content_for(bill, "1000.00", "1"), content_for(bill, "1000.00", "2"), content_for(bill, "892.00", "3")]

    answers = facts_record(source=bill.source, contents=contents, actor="t")

    assert [isinstance(answer, Recorded) for answer in answers] == [True, False, True]
    assert Invoice.objects.get().paid_kopecks == 189200


def test_a_conflict_within_one_batch_leaves_the_first_in_force(shop: Register) -> None:
    bill = invoice(customer(shop.region))

    first, second = facts_record(
        source=bill.source, contents=[content_for(bill, "1.00"), content_for(bill, "2.00")], actor="t"
    )

    assert isinstance(first, Recorded)
    assert isinstance(second, Conflict)
    assert Receipt.objects.get().total_kopecks == 100


def test_a_large_batch_gives_each_fact_its_own_receipt(shop: Register) -> None:
    buyer = customer(shop.region)
    bills = [invoice(buyer, LineContent(name="Болт", price=f"{n}.01", quantity="1")) for n in range(1, 101)]
    contents = [content_for(bill, f"{n}.01") for n, bill in enumerate(bills, start=1)]

    answers = facts_record(source=buyer.source, contents=contents, actor="t")

    assert all(isinstance(answer, Recorded) and answer.created for answer in answers)
    for receipt in Receipt.objects.select_related("obligation__fact", "status"):
        assert receipt.total_kopecks == receipt.obligation.amount_kopecks == receipt.obligation.fact.amount_kopecks
        assert receipt.invoice_id == receipt.obligation.fact.invoice_id
        assert load(receipt.document).total.kopecks == receipt.total_kopecks
        assert receipt.status.obligation_id == receipt.obligation_id


# --- what is owed, and why not ----------------------------------------------------------------------------------------


def test_a_transfer_between_organizations_owes_no_receipt(shop: Register) -> None:
    bill = invoice(customer(shop.region, inn="7736050003"))

    recorded = pay(bill, means=Means.TRANSFER, channel=Channel.REMOTE, buyer_acts_for_business=True)

    assert recorded.answer.not_required
    assert recorded.answer.receipts == ()
    assert recorded.answer.missing is None
    assert not Obligation.objects.exists()


def test_sbp_between_organizations_follows_the_organization_s_view(shop: Register) -> None:
    buyer = customer(shop.region, inn="7736050003")
    assert pay(invoice(buyer), means=Means.SBP, buyer_acts_for_business=True).answer.receipts

    shop.organization.b2b_sbp_receipts = False
    shop.organization.save()

    assert pay(invoice(buyer), means=Means.SBP, buyer_acts_for_business=True).answer.not_required


def test_money_at_the_counter_waits_for_a_person(shop: Register) -> None:
    recorded = pay(invoice(customer(shop.region)), means=Means.CASH, channel=Channel.COUNTER)

    assert recorded.answer.receipts == ()
    assert recorded.answer.missing is not None
    assert recorded.answer.missing.code == "awaits_person"
    obligation = Obligation.objects.get()
    assert (obligation.missing_code, obligation.due_at) == ("awaits_person", Fact.objects.get().occurred_at)


def test_a_transfer_from_afar_is_due_at_the_end_of_the_next_working_day(shop: Register) -> None:
    friday = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)

    pay(invoice(customer(shop.region)), means=Means.TRANSFER, channel=Channel.REMOTE, paid_at=friday)

    assert Obligation.objects.get().due_at == datetime.fromisoformat("2026-11-23T23:59:59+03:00")
    assert Receipt.objects.count() == 1, "and yet it is sent at once"


def test_without_a_contact_the_fallback_is_used_and_told(shop: Register) -> None:
    shop.organization.fallback_contact = "kassa@parts.example.ru"
    shop.organization.save()

    recorded = pay(invoice(customer(shop.region, email="")))

    assert document(recorded).buyer.email == "kassa@parts.example.ru"
    assert [notice["rule"] for notice in Receipt.objects.get().notices] == ["R27"]
    assert Receipt.objects.get().contact == "kassa@parts.example.ru"


def test_a_fallback_may_be_a_phone(shop: Register) -> None:
    shop.organization.fallback_contact = "+74951234567"
    shop.organization.save()

    assert document(pay(invoice(customer(shop.region, email="")))).buyer.phone == "+74951234567"


def test_without_any_contact_the_fact_stands_and_the_receipt_is_missing(shop: Register) -> None:
    recorded = pay(invoice(customer(shop.region, email="")))

    assert recorded.created
    assert recorded.answer.receipts == ()
    assert recorded.answer.missing is not None
    assert recorded.answer.missing.next_step
    assert Obligation.objects.get().missing_code == recorded.answer.missing.code != ""


def test_a_date_without_a_vat_mode_is_missing_not_guessed(shop: Register) -> None:
    OrganizationVatMode.objects.update(valid_from=date(2026, 1, 1))

    recorded = pay(invoice(customer(shop.region)), paid_at=IN_2025)

    assert recorded.answer.missing is not None
    assert recorded.answer.missing.code == "vat_mode_unknown"


def test_a_date_on_which_the_rate_has_no_code_is_missing(shop: Register) -> None:
    OrganizationVatMode.objects.update(vat_mode="usn_5")

    recorded = pay(invoice(customer(shop.region)), paid_at=datetime(2024, 5, 1, tzinfo=UTC))

    assert recorded.answer.missing is not None
    assert recorded.answer.missing.code == "VAT_DATE"


@pytest.mark.parametrize(
    ("prepared", "code"),
    [
        ({"active_online": False}, "register_inactive"),
        (None, "no_register"),
    ],
)
def test_no_register_is_missing_with_its_explanation(prepared: dict[str, Any] | None, code: str) -> None:
    seller = organization()
    spb = region("spb", seller)
    if prepared is not None:
        factories.register(spb, **prepared)

    recorded = pay(invoice(customer(spb)))

    assert recorded.answer.missing is not None
    assert recorded.answer.missing.code == code
    routing = Obligation.objects.get().routing
    assert routing["register"] is None
    assert routing["steps"]


def test_a_register_of_another_organization_never_serves(shop: Register) -> None:
    organization("other", inn=factories.OTHER_INN)
    bill = invoice(customer(shop.region), organization="other")

    recorded = pay(bill)

    assert recorded.answer.missing is not None
    assert recorded.answer.missing.code == "other_organization"


def test_an_archived_register_serves_nobody(shop: Register) -> None:
    register_archive(register=shop, actor=factories.user())

    recorded = pay(invoice(customer(shop.region)))

    assert recorded.answer.missing is not None
    assert recorded.answer.missing.code == "no_register"


# --- what the register's settings make of it --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("paid_at", "code"),
    [(IN_2025, VatCode.VAT_20_120), (IN_2026, VatCode.VAT_22_122)],
)
def test_a_register_left_at_20_percent_prints_the_rate_of_the_day(paid_at: datetime, code: VatCode) -> None:
    register = factories.register(region("msk", organization()), vat_rate=RegisterVatRate.R20)

    made = document(pay(invoice(customer(register.region)), paid_at=paid_at))

    assert {line.vat for line in made.lines} == {code}


def test_the_day_is_that_of_the_place(shop: Register) -> None:
    in_moscow_next_year = datetime(2025, 12, 31, 21, 30, tzinfo=UTC)

    made = document(pay(invoice(customer(shop.region)), paid_at=in_moscow_next_year))

    assert made.settled_on == date(2026, 1, 1)
    assert {line.vat for line in made.lines} == {VatCode.VAT_22_122}


def test_the_day_of_the_register_s_place_decides_where_it_is_not_the_region_s(shop: Register) -> None:
    far = region("kam", shop.organization)
    far.place.time_zone = 11
    far.place.save()
    shop.extra_regions.add(far)
    OrganizationVatMode.objects.update(valid_from=date(2026, 11, 20))

    recorded = pay(invoice(customer(far)), paid_at=datetime(2026, 11, 19, 15, 0, tzinfo=UTC))

    assert recorded.answer.missing is not None
    assert recorded.answer.missing.code == "vat_mode_unknown"
    assert Obligation.objects.get().policy["vat_mode"] is None


IN_NOVEMBER = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)


def test_the_organization_s_tax_system_wins_over_a_register_that_was_left_behind(shop: Register) -> None:
    shop.organization.tax_systems.update(valid_to=date(2026, 10, 31))
    shop.organization.tax_systems.create(tax_system=TaxSystem.USN_NET.value, valid_from=date(2026, 11, 1))

    made = document(pay(invoice(customer(shop.region)), paid_at=IN_NOVEMBER))

    assert made.seller.tax_system is TaxSystem.USN_NET


def test_of_several_tax_systems_none_is_guessed(shop: Register) -> None:
    shop.organization.tax_systems.update(valid_to=date(2026, 10, 31))
    for system in (TaxSystem.USN_NET, TaxSystem.ESHN):
        shop.organization.tax_systems.create(tax_system=system.value, valid_from=date(2026, 11, 1))

    recorded = pay(invoice(customer(shop.region)), paid_at=IN_NOVEMBER)

    assert recorded.answer.receipts == ()
    assert recorded.answer.missing is not None
    assert recorded.answer.missing.code == "tax_system"


def test_the_register_s_tax_system_is_printed_where_it_is_one_of_several(shop: Register) -> None:
    shop.organization.tax_systems.create(tax_system=TaxSystem.ESHN.value, valid_from=date(2019, 1, 1))

    assert document(pay(invoice(customer(shop.region)))).seller.tax_system is TaxSystem.OSN


def test_a_line_s_own_vat_class_beats_the_register_s(shop: Register) -> None:
    lines = (
        LineContent(name="Книга", price="100.00", quantity="1", vat="reduced"),
        LineContent(name="Свеча", price="100.00", quantity="1"),
    )

    made = document(pay(invoice(customer(shop.region), *lines)))

    assert [line.vat for line in made.lines] == [VatCode.VAT_10_110, VatCode.VAT_22_122]


def test_the_good_s_own_object_where_the_organization_wants_it(shop: Register) -> None:
    shop.organization.prepayment_object = "own"
    shop.organization.save()

    made = document(pay(invoice(customer(shop.region))))

    assert [line.payment_object for line in made.lines] == [PaymentObject.PRODUCT, PaymentObject.SERVICE]


def test_marked_goods_paid_on_line_are_a_prepayment_as_a_payment() -> None:
    seller = organization(prepayment_object="own")
    register = factories.register(region("msk", seller), online_method=PaymentMethod.FULL_PAYMENT)
    lines = (
        LineContent(name="Шина зимняя", price="7000.00", quantity="1", marking="tires"),
        LineContent(name="Монтаж", price="500.00", quantity="1", object="service"),
    )

    made = document(pay(invoice(customer(register.region), *lines)))

    assert {line.payment_method for line in made.lines} == {PaymentMethod.PREPAYMENT_FULL}
    assert made.lines[0].payment_object is PaymentObject.PAYMENT
    assert made.lines[0].mark is None


@pytest.mark.parametrize("printing", [True, False])
def test_an_online_receipt_is_printed_where_the_register_says_so(printing: bool) -> None:
    register = factories.register(region("msk", organization()), print_online=printing)

    assert document(pay(invoice(customer(register.region)))).print_paper is printing


def test_a_topup_takes_method_object_and_name_from_the_register() -> None:
    register = factories.register(
        region("msk", organization()),
        topup_method=PaymentMethod.PREPAYMENT_FULL,
        topup_object=PaymentObject.SERVICE,
        topup_name="Пополнение кошелька",
    )

    made = document(topup(customer(register.region), "500.00"))

    (line,) = made.lines
    assert (line.name, line.payment_method, line.payment_object, line.sum, line.vat) == (
        "Пополнение кошелька",
        PaymentMethod.PREPAYMENT_FULL,
        PaymentObject.SERVICE,
        Money(50000),
        VatCode.VAT_22_122,
    )


def test_an_ordinary_topup_is_an_advance(shop: Register) -> None:
    made = document(topup(customer(shop.region)))

    (line,) = made.lines
    assert (line.name, line.payment_method, line.payment_object) == (
        "Пополнение баланса",
        PaymentMethod.ADVANCE,
        PaymentObject.PAYMENT,
    )


def test_an_additional_region_is_served_too(shop: Register) -> None:
    spb = region("spb", shop.organization)
    shop.extra_regions.add(spb)

    recorded = pay(invoice(customer(spb)))

    assert recorded.answer.receipts
    assert Obligation.objects.get().routing["register"] == shop.pk


@pytest.mark.parametrize(
    ("method", "amount", "printed", "row"),
    [
        (PaymentMethod.ADVANCE, "", PaymentMethod.ADVANCE, "M1"),
        (PaymentMethod.PREPAYMENT_FULL, "", PaymentMethod.PREPAYMENT_FULL, "M2"),
        (PaymentMethod.PREPAYMENT_FULL, "1000.00", PaymentMethod.PREPAYMENT_PART, "M3"),
        (PaymentMethod.PREPAYMENT_PART, "", PaymentMethod.PREPAYMENT_PART, "M4"),
        (PaymentMethod.FULL_PAYMENT, "", PaymentMethod.FULL_PAYMENT, "M5"),
        (PaymentMethod.FULL_PAYMENT, "1000.00", PaymentMethod.PREPAYMENT_PART, "M7"),
        (PaymentMethod.PARTIAL_CREDIT, "", PaymentMethod.PARTIAL_CREDIT, "M8"),
        (PaymentMethod.CREDIT, "", PaymentMethod.CREDIT, "M8"),
        (PaymentMethod.CREDIT_PAYMENT, "", PaymentMethod.CREDIT_PAYMENT, "M10"),
    ],
)
def test_the_method_printed_is_that_of_table_m(
    method: PaymentMethod, amount: str, printed: PaymentMethod, row: str
) -> None:
    register = factories.register(region("msk", organization()), online_method=method, credit_confirmed=True)

    recorded = pay(invoice(customer(register.region)), amount)

    assert {line.payment_method for line in document(recorded).lines} == {printed}
    assert Obligation.objects.get().policy["row"] == row
    assert Obligation.objects.get().policy["method"] == printed


# --- the past stays as it was -----------------------------------------------------------------------------------------


def test_the_policy_of_the_moment_and_the_routing_are_kept(shop: Register) -> None:
    pay(invoice(customer(shop.region)))

    obligation = Obligation.objects.get()
    assert obligation.policy["register"] == shop.pk
    assert obligation.policy["vat_mode"] == "general"
    assert obligation.policy["row"] == "M1"
    assert obligation.policy["why"]
    assert obligation.routing["register"] == shop.pk
    assert any("выбрана" in step for step in obligation.routing["steps"])


def test_later_settings_change_nothing_of_what_was_owed_or_formed(shop: Register) -> None:
    bill, at = invoice(customer(shop.region)), now()
    first = pay(bill, id="P-1", paid_at=at)
    before = (Obligation.objects.values().get(), Receipt.objects.values().get())
    content = RegisterContent(
        provider="test", region_id=shop.region_id, name="Новая", shop_id="other", secret="s", queue=1,
        tax_system=TaxSystem.OSN, vat_rate=RegisterVatRate.R10, online_method=PaymentMethod.FULL_PAYMENT,
        active_online=False, print_online=True,
    )  # fmt: skip
    register_save(content=content, actor=None, register=shop)

    again = pay(bill, id="P-1", paid_at=at)

    assert (Obligation.objects.values().get(), Receipt.objects.values().get()) == before
    assert again.answer == first.answer


def test_later_changes_of_the_buyer_do_not_reach_the_receipt(shop: Register) -> None:
    buyer = customer(shop.region, external_id="C")
    pay(invoice(buyer))
    customer(shop.region, external_id="C", email="new@example.ru")

    assert load(Receipt.objects.get().document).buyer.email == "buyer@example.ru"


def test_the_keys_of_receipts_depend_on_the_installation_and_the_shop_s_ids_alone(shop: Register) -> None:
    Installation.objects.update_or_create(id=1, defaults={"uuid": UUID("c0ffee00-0000-4000-8000-000000000000")})
    installation_uuid.cache_clear()
    bill = invoice(customer(shop.region, external_id="C-1"), external_id="A-1")

    recorded = pay(bill, id="P-1")

    assert recorded.answer.receipts[0].id == _uuid5(
        UUID("c0ffee00-0000-4000-8000-000000000000"), "site", "payment", "A-1", "P-1"
    )


def _uuid5(installation: UUID, source_code: str, kind: str, parent: str, id: str) -> UUID:
    return uuid5(installation, "\x1f".join((source_code, kind, parent, id, "settlement", "0", "1")))


def test_an_invoice_with_a_fact_is_frozen(shop: Register) -> None:
    buyer = customer(shop.region)
    bill = invoice(buyer, external_id="A-1")
    pay(bill)

    with pytest.raises(Conflict):
        invoice(buyer, LineContent(name="Другое", price="1.00", quantity="1"), external_id="A-1")
    assert invoice(buyer, external_id="A-1").pk == bill.pk


@pytest.mark.skipif(is_postgresql(), reason="the plans are SQLite's")
def test_facts_that_come_together_are_looked_up_by_their_own_names(shop: Register) -> None:
    """Not by walking all invoices or customers of the source, of which there may be a million."""
    buyers = [customer(shop.region) for _ in range(2)]
    bills = [invoice(buyer) for buyer in buyers]
    amount = Money(bills[0].total_kopecks)
    payments = [PaymentContent(bill.external_id, "P", amount, Means.CARD, Channel.ONLINE, now()) for bill in bills]
    topups = [TopupContent(buyer.external_id, "T", amount, Means.SBP, Channel.ONLINE, now()) for buyer in buyers]

    with CaptureQueriesContext(connection) as asked:
        facts_record(source=source(), contents=[*payments, *topups], actor="test")

    looked_up = [query["sql"] for query in asked if ".source_id = " in query["sql"]]
    assert len(looked_up) == 4
    for sql in looked_up:
        steps = [row[3] for row in fetch(f"EXPLAIN QUERY PLAN {sql}")]
        assert any("(source_id=? AND external_id=?)" in step for step in steps), steps
