"""One shop with one register, a receipt in its queue, and a person."""

from __future__ import annotations

import pytest

from chekhov.people.models import User
from chekhov.receipts.models import Receipt
from chekhov.registers.models import Register
from tests import factories


@pytest.fixture
def register() -> Register:
    return factories.register(factories.region("msk", factories.organization()))


@pytest.fixture
def receipt(register: Register) -> Receipt:
    factories.pay(factories.invoice(factories.customer(register.region)))
    return Receipt.objects.get()


@pytest.fixture
def person() -> User:
    return factories.user()
