"""/metrics: true figures, for this machine or the holder of a key."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import transaction
from django.test import Client
from prometheus_client.parser import text_string_to_metric_families

from chekhov.config.database import read_clock_ms
from chekhov.delivery.models import Attempt, WorkerBeat
from chekhov.fiscal.vocabulary import Channel, Means
from chekhov.people.services import apikey_create, apikey_revoke
from chekhov.receipts import writer
from chekhov.receipts.models import Receipt
from chekhov.receipts.states import State
from chekhov.watch import metrics
from tests import factories

pytestmark = pytest.mark.django_db
Figures = dict[tuple[str, tuple[tuple[str, str], ...]], float]


@pytest.fixture(autouse=True)
def _counted_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "exposition", metrics.Exposition())


def figures(text: str) -> Figures:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def read(client: Client) -> Figures:
    answer = client.get("/metrics")
    assert answer.status_code == 200
    return figures(answer.content.decode())


def one(found: Figures, name: str, **labels: str) -> float:
    return found[name, tuple(sorted(labels.items()))]


@pytest.fixture
def register() -> Any:
    return factories.register(factories.region("msk", factories.organization()))


def move(receipt: Receipt, *states: State) -> None:
    for state in states:
        with transaction.atomic():
            writer.apply([writer.Change(writer.heads([receipt.pk])[receipt.pk], state, "test")], actor="worker")


def test_an_empty_house(client: Client) -> None:
    found = read(client)
    assert one(found, "chekhov_receipts", state="queued") == 0
    assert one(found, "chekhov_obligations_without_receipt") == 0


def test_the_figures(client: Client, register: Any) -> None:
    bill = factories.invoice(factories.customer(register.region))
    factories.pay(bill, "100.00")
    factories.pay(bill, "200.00")
    factories.pay(bill, "300.00", means=Means.CASH, channel=Channel.COUNTER)
    cancelled, queued = Receipt.objects.order_by("pk")
    move(cancelled, State.CANCELLED)
    for number, outcome in enumerate(("accepted", "unsure", ""), 1):
        Attempt.objects.create(
            receipt=queued,
            number=number,
            key_number=1,
            key="key",
            account=queued.account,
            queue=queued.queue,
            callback_url="",
            body=b"",
            owner="w",
            sent_at=datetime.now(UTC),
            outcome=outcome,
        )
    WorkerBeat.objects.create(name="w1", started_at=datetime.now(UTC), seen_ms=read_clock_ms() - 5000)
    found = read(client)
    labels = {"register": str(register.uuid), "state": "queued"}
    assert one(found, "chekhov_receipts", state="queued") == 1
    assert one(found, "chekhov_receipts", state="cancelled") == 1
    assert one(found, "chekhov_queue_receipts", **labels) == 1
    assert 0 <= one(found, "chekhov_queue_oldest_due_seconds", **labels) < 60
    assert one(found, "chekhov_obligations_without_receipt") == 2
    assert one(found, "chekhov_attempts_total", outcome="accepted") == 1
    assert one(found, "chekhov_attempts_total", outcome="unanswered") == 1
    assert 5 <= one(found, "chekhov_worker_beat_age_seconds", worker="w1") < 60


def test_old_rows_are_counted_once(client: Client, register: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "UNSETTLED_ROWS", 2)
    factories.pay(factories.invoice(factories.customer(register.region)))
    receipt = Receipt.objects.get()

    def attempts(*numbers: int) -> None:
        for number in numbers:
            Attempt.objects.create(
                receipt=receipt, number=number, key_number=1, key="k", account=receipt.account, queue=1,
                callback_url="", body=b"", owner="w", sent_at=datetime.now(UTC), outcome="accepted",
            )  # fmt: skip

    tally = metrics.Tally("delivery_attempt", "outcome")
    attempts(1, 2, 3, 4, 5)
    assert tally.read() == {"accepted": 5}
    assert tally.settled == {"accepted": 3}
    attempts(6)
    assert tally.read() == {"accepted": 6}
    assert tally.settled == {"accepted": 4}


def test_the_text_is_kept_for_some_seconds(client: Client, django_assert_num_queries: Any) -> None:
    client.get("/metrics")
    with django_assert_num_queries(0):
        client.get("/metrics")


@pytest.mark.parametrize(
    "passed_on", [{"REMOTE_ADDR": "203.0.113.7"}, {"HTTP_X_FORWARDED_FOR": "203.0.113.7"}, {"REMOTE_ADDR": ""}]
)
def test_strangers_need_a_key(client: Client, passed_on: dict[str, str]) -> None:
    assert client.get("/metrics", **passed_on).status_code == 401
    row, key = apikey_create(source=factories.source(), name="prometheus")
    assert client.get("/metrics", headers={"Authorization": "Bearer wrong"}, **passed_on).status_code == 401
    assert client.get("/metrics", headers={"Authorization": f"Bearer {key}"}, **passed_on).status_code == 200
    apikey_revoke(key=row)
    assert client.get("/metrics", headers={"Authorization": f"Bearer {key}"}, **passed_on).status_code == 401
