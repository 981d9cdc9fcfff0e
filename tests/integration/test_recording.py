import pytest

from tests import factories

pytestmark = pytest.mark.django_db


def test_a_paid_invoice_makes_one_queued_receipt():
    region = factories.region("msk", factories.organization())
    factories.register(region)
    recorded = factories.pay(factories.invoice(factories.customer(region)))
    assert recorded.created
    assert [item.state for item in recorded.answer.receipts] == ["queued"]
    assert recorded.answer.missing is None
