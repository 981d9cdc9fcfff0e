"""The keys of receipts come from the installation's identity and the shop's ids, whatever was rolled back before."""

from __future__ import annotations

from typing import Any

import pytest

from chekhov.directory.models import Installation as Identity
from chekhov.directory.services import installation_uuid
from chekhov.receipts import recording
from chekhov.receipts.models import Receipt
from tests.faults.conftest import Installation


def test_a_first_fact_that_failed_does_not_leave_an_identity_that_nobody_else_knows(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = recording.drafts_write

    def faulty(*arguments: Any) -> None:
        real(*arguments)
        raise RuntimeError("the first fact of this installation fails after all")

    with monkeypatch.context() as broken:
        broken.setattr(recording, "drafts_write", faulty)
        with pytest.raises(RuntimeError):
            installation.sell()

    assert not Receipt.objects.exists()
    installation.sell()
    assert Identity.objects.get().uuid == installation_uuid()
