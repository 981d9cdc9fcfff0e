"""What a person does to money, customers and invoices stands in the journal of actions; what a program does, not."""

import pytest

from chekhov.config.clock import now
from chekhov.errors import Invalid
from chekhov.fiscal.money import Money
from chekhov.fiscal.vocabulary import Channel, Means
from chekhov.people.models import Action, User
from chekhov.people.services import UserContent, user_save
from chekhov.receipts.contents import PaymentContent
from chekhov.receipts.recording import fact_record
from chekhov.sales.content import CustomerContent, InvoiceContent
from chekhov.sales.services import customer_put, invoice_put
from tests import factories

pytestmark = pytest.mark.django_db


def kinds() -> list[str]:
    return list(Action.objects.order_by("pk").values_list("kind", flat=True))


def test_a_person_leaves_a_line_for_each_change_and_none_for_a_repeat():
    region = factories.region("msk", factories.organization())
    source, person = factories.source(), factories.user()
    content = CustomerContent(name="Иван", region=region.code, email="i@example.ru")
    for name in ("Иван", "Иван", "Пётр"):
        changed = CustomerContent(name=name, region=content.region, email=content.email)
        customer_put(source=source, external_id="1", content=changed, person=person)
    bill = InvoiceContent(customer="1", lines=factories.default_lines())
    for _ in range(2):
        invoice_put(source=source, external_id="A", content=bill, person=person)

    assert kinds() == ["customer_create", "customer_change", "invoice_create"]


def test_a_payment_marked_twice_leaves_one_line():
    region = factories.region("msk", factories.organization())
    bill, person = factories.invoice(factories.customer(region)), factories.user()
    content = PaymentContent(bill.external_id, "1", Money(bill.total_kopecks), Means.CASH, Channel.COUNTER, now())

    for _ in range(2):
        fact_record(source=bill.source, content=content, actor=person.actor_name, person=person)

    assert kinds() == ["payment_record"]
    assert Action.objects.get().actor == person


def test_what_a_program_sends_is_no_persons_action():
    factories.pay(factories.invoice(factories.customer(factories.region("msk", factories.organization()))))

    assert kinds() == []


def test_an_ordinary_person_does_not_set_an_administrators_password():
    administrator = User.objects.create_superuser("admin", password="correct horse battery")
    content = UserContent(username="admin", password="another horse battery")

    with pytest.raises(Invalid) as refusal:
        user_save(content=content, actor=factories.user(), user=administrator)

    assert refusal.value.faults[0].code == "not_allowed"
    administrator.refresh_from_db()
    assert administrator.check_password("correct horse battery")
