"""What every test may count on: triggers that a flush cannot take away, caches that do not leak between tests."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.test import TransactionTestCase

from chekhov.config import clock, immutability
from chekhov.directory.services import installation_uuid

_teardown = TransactionTestCase._fixture_teardown


def _flush_without_triggers(case: TransactionTestCase) -> None:
    """Emptying the tables between transactional tests is the one thing that may go past the triggers."""
    immutability.remove()
    try:
        _teardown(case)
    finally:
        immutability.reinstall()


TransactionTestCase._fixture_teardown = _flush_without_triggers  # type: ignore[method-assign]


@pytest.fixture(autouse=True)
def _forget_cached() -> Iterator[None]:
    """Values that a process keeps for ever live only as long as a test's database."""
    installation_uuid.cache_clear()
    clock.offset.cache_clear()
    yield
    installation_uuid.cache_clear()
    clock.offset.cache_clear()


@pytest.fixture
def rows_unchanged(db: Any) -> Iterator[None]:
    """Asserts that the test changed no row of the money tables."""
    from chekhov.receipts.models import Obligation, Receipt, ReceiptEvent, ReceiptState
    from chekhov.sales.models import Fact

    models = (Fact, Obligation, Receipt, ReceiptState, ReceiptEvent)
    before = [model.objects.count() for model in models]
    yield
    assert [model.objects.count() for model in models] == before
