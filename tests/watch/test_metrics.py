"""/metrics: true figures, for this machine or the holder of a key, whoever counts them and however often."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from prometheus_client.parser import text_string_to_metric_families

from chekhov.config.database import read_clock_ms
from chekhov.delivery.models import Attempt, Callback, Lane, WorkerBeat
from chekhov.fiscal.vocabulary import Channel, Means
from chekhov.people.services import apikey_create, apikey_revoke
from chekhov.receipts.models import Receipt
from chekhov.receipts.states import State
from chekhov.registers.models import Register
from chekhov.watch import folding, metrics
from chekhov.watch.folding import fold
from chekhov.watch.models import AccountSeen, Bare, Mark, Tally
from tests import factories
from tests.watch.conftest import move, receipt_of

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
    """A scrape by a process that has kept nothing."""
    fold(alone=True)
    metrics.exposition = metrics.Exposition()
    answer = client.get("/metrics")
    assert answer.status_code == 200
    return figures(answer.content.decode())


def one(found: Figures, metric: str, /, **labels: str) -> float:
    return found[metric, tuple(sorted(labels.items()))]


def attempt(receipt: Receipt, number: int, outcome: str = "", seconds: float = 0.15) -> Attempt:
    sent_at = datetime.now(UTC)
    return Attempt.objects.create(
        receipt=receipt, number=number, key_number=1, key=str(receipt.uuid), account=receipt.account,
        queue=receipt.queue, callback_url="", body=b"", owner="w", sent_at=sent_at, outcome=outcome,
        answered_at=sent_at + timedelta(seconds=seconds) if outcome else None,
    )  # fmt: skip


def callback(receipt: Receipt, *, verdict: str = "verified", after: float = 2.0) -> Callback:
    sent_at = receipt.attempts.first().sent_at
    return Callback.objects.create(
        provider="test", account=receipt.account, receipt=receipt if verdict == "verified" else None,
        key=str(receipt.uuid), headers={}, body=b"", digest=f"{verdict}{after}", verdict=verdict, effect="none",
        received_at=sent_at + timedelta(seconds=after),
    )  # fmt: skip


def test_an_empty_house(client: Client) -> None:
    found = read(client)
    for state in State:
        assert one(found, "chekhov_receipts", state=state.value) == 0
    assert one(found, "chekhov_obligations_without_receipt") == 0
    assert one(found, "chekhov_workers_alive") == 0


def test_the_figures(client: Client, register: Register) -> None:
    bill = factories.invoice(factories.customer(register.region))
    factories.pay(bill, "100.00")
    factories.pay(bill, "200.00")
    factories.pay(bill, "300.00", means=Means.CASH, channel=Channel.COUNTER)
    cancelled, queued = Receipt.objects.order_by("pk")
    move(cancelled, State.CANCELLED)
    for number, outcome in enumerate(("accepted", "unsure", ""), 1):
        attempt(queued, number, outcome)
    WorkerBeat.objects.create(name="w1", started_at=datetime.now(UTC), seen_ms=read_clock_ms() - 5000)
    WorkerBeat.objects.create(name="w2", started_at=datetime.now(UTC), seen_ms=read_clock_ms() - 50_000)
    found = read(client)
    labels = {"register": str(register.uuid), "state": "queued"}
    assert one(found, "chekhov_receipts", state="queued") == 1
    assert one(found, "chekhov_receipts", state="cancelled") == 1
    assert one(found, "chekhov_queue_receipts", **labels) == 1
    assert 0 <= one(found, "chekhov_queue_oldest_seconds", **labels) < 60
    assert 0 <= one(found, "chekhov_queue_oldest_due_seconds", **labels) < 60
    assert one(found, "chekhov_register_info", register=str(register.uuid), name=register.name, provider="test") == 1
    assert one(found, "chekhov_obligations_without_receipt") == 2
    assert 0 <= one(found, "chekhov_obligations_oldest_seconds") < 60
    assert one(found, "chekhov_attempts_total", provider="test", outcome="accepted") == 1
    assert one(found, "chekhov_attempts_total", provider="test", outcome="unsure") == 1
    assert ("chekhov_attempts_total", (("outcome", ""), ("provider", "test"))) not in found
    assert one(found, "chekhov_workers_alive") == 1
    assert 5 <= one(found, "chekhov_worker_beat_age_seconds") < 60
    assert one(found, "chekhov_receipt_transitions_total", before="queued", after="cancelled") == 1


def test_no_label_grows_without_bound(client: Client, register: Register) -> None:
    """Worker names, receipts, problems: what comes anew every day is no label."""
    for number in range(5):
        WorkerBeat.objects.create(name=f"w{number}", started_at=datetime.now(UTC), seen_ms=read_clock_ms())
    move(receipt_of(register), State.SENDING, State.FAILED)
    found = read(client)
    names = {name for _metric, labels in found for name, _value in labels}
    assert names <= {"state", "register", "name", "provider", "outcome", "verdict", "before", "after", "le", "rule",
                     "reason", "account"}  # fmt: skip
    assert not [labels for _metric, labels in found if any(value.startswith("w") for _name, value in labels)]


def test_a_histogram_of_submit_calls(client: Client, register: Register) -> None:
    receipt = receipt_of(register)
    for number, seconds in enumerate((0.01, 0.1, 0.15, 0.2, 700.0), 1):
        attempt(receipt, number, "accepted", seconds)
    attempt(receipt, 6, "not_sent", 5.0)  # nothing left: it says nothing of the service
    found = read(client)

    def below(bound: str) -> float:
        return one(found, "chekhov_submit_seconds_bucket", provider="test", le=bound)

    assert [below(bound) for bound in ("0.025", "0.05", "0.1", "0.2", "30.0", "+Inf")] == [1, 1, 2, 4, 4, 5]
    assert one(found, "chekhov_submit_seconds_count", provider="test") == 5
    assert one(found, "chekhov_submit_seconds_sum", provider="test") == pytest.approx(700.46, abs=0.01)


def test_the_time_from_recorded_to_fiscalized(client: Client, register: Register) -> None:
    receipt = receipt_of(register)
    move(receipt, State.SENDING, State.ACCEPTED, State.FISCALIZED)
    found = read(client)
    assert one(found, "chekhov_fiscalization_seconds_count", provider="test") == 1
    assert one(found, "chekhov_fiscalization_seconds_bucket", provider="test", le="10.0") == 1
    assert one(found, "chekhov_receipts", state="fiscalized") == 1


def test_callbacks_their_wait_and_their_age(client: Client, register: Register) -> None:
    receipt = receipt_of(register)
    attempt(receipt, 1, "accepted")
    callback(receipt, after=2.0)
    callback(receipt, verdict="forged", after=3.0)
    found = read(client)
    assert one(found, "chekhov_callbacks_total", provider="test", verdict="verified") == 1
    assert one(found, "chekhov_callbacks_total", provider="test", verdict="forged") == 1
    assert one(found, "chekhov_callback_wait_seconds_count", provider="test") == 1
    assert one(found, "chekhov_callback_wait_seconds_bucket", provider="test", le="1.0") == 0
    assert one(found, "chekhov_callback_wait_seconds_bucket", provider="test", le="2.0") == 1
    account = str(register.account.uuid)
    assert 0 <= one(found, "chekhov_callback_age_seconds", provider="test", account=account) < 60


def test_the_breaker_and_what_holds_a_lane(client: Client, register: Register) -> None:
    lane = Lane.objects.create(account=register.account, queue=register.queue, in_flight_max=1)
    label = {"register": str(register.uuid)}
    assert one(read(client), "chekhov_breaker_state", **label) == 0
    Lane.objects.update(breaker="open", open_until_ms=read_clock_ms() + 60_000, broken_since_ms=read_clock_ms())
    found = read(client)
    assert one(found, "chekhov_breaker_state", **label) == 2
    assert one(found, "chekhov_lane_held", reason="breaker", **label) == 1
    assert one(found, "chekhov_lane_held", reason="stopped", **label) == 0
    Lane.objects.update(breaker="half_open")
    assert one(read(client), "chekhov_breaker_state", **label) == 1
    assert lane.pk


# --- counted once -----------------------------------------------------------------------------------------------------


def totals() -> dict[tuple[str, str], int]:
    rows = Tally.objects.values_list("metric", "kind", "count", "bucket")
    return {(metric, kind): count for metric, kind, count, bucket in rows if bucket == -1}


def test_rows_are_counted_once_however_often_one_counts(register: Register, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folding, "CHUNK", 2)
    receipt = receipt_of(register)
    for number in range(1, 8):
        attempt(receipt, number, "accepted")
    fold(alone=True)
    fold(alone=True)
    assert totals()["attempt", "accepted"] == 7
    attempt(receipt, 8, "accepted")
    fold(alone=True)
    assert totals()["attempt", "accepted"] == 8
    assert Mark.objects.get(pk="attempt").border == Attempt.objects.order_by("-pk").values_list("pk", flat=True)[0]


def test_an_answer_that_comes_later_is_counted_when_it_is_there(register: Register) -> None:
    receipt = receipt_of(register)
    late, early = attempt(receipt, 1), attempt(receipt, 2, "accepted")
    fold(alone=True)
    assert totals() == {("transition", ">queued"): 1, ("attempt", "accepted"): 1}
    Attempt.objects.filter(pk=late.pk).update(outcome="unsure", answered_at=late.sent_at + timedelta(seconds=31))
    fold(alone=True)
    fold(alone=True)
    assert totals()["attempt", "unsure"] == 1
    assert Mark.objects.get(pk="attempt").waiting == []
    assert early.pk


def test_an_attempt_that_nobody_will_answer_is_given_up_after_a_day(register: Register) -> None:
    receipt = receipt_of(register)
    row = Attempt(
        receipt=receipt, number=1, key_number=1, key="k", account=receipt.account, queue=1, callback_url="", body=b"",
        owner="w", sent_at=datetime.now(UTC) - timedelta(days=2),
    )  # fmt: skip
    row.save()
    fold(alone=True)
    fold(alone=True)
    assert totals()["attempt", "unanswered"] == 1


def test_of_two_that_count_the_same_rows_one_writes(register: Register, monkeypatch: pytest.MonkeyPatch) -> None:
    receipt = receipt_of(register)
    attempt(receipt, 1, "accepted")
    real = folding._write
    nested: list[bool] = []

    def another_first(mark: Mark, border: int, found: folding.Found) -> bool:
        if not nested:
            nested.append(True)
            fold(alone=True)
        return real(mark, border, found)

    monkeypatch.setattr(folding, "_write", another_first)
    fold(alone=True)
    assert totals() == {("transition", ">queued"): 1, ("attempt", "accepted"): 1}


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite's writers queue: rows appear in order")
@pytest.mark.django_db(transaction=True)
def test_a_row_that_appears_late_is_not_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A transaction takes a lower number and commits after one with a higher number has been seen."""
    import psycopg

    monkeypatch.setattr(folding, "SETTLE_MS", 0)
    register = factories.register(factories.region("msk", factories.organization()))
    receipt = receipt_of(register)
    fold()
    fold()
    attempt(receipt, 1, "accepted")
    given = connection.settings_dict
    with psycopg.connect(
        host=given["HOST"], port=given["PORT"] or 5432, user=given["USER"], password=given["PASSWORD"],
        dbname=given["NAME"],
    ) as slow:  # fmt: skip
        columns = [field.column for field in Attempt._meta.fields if field.column not in ("id", "number")]
        names = ", ".join(columns)
        slow.execute(
            f"INSERT INTO delivery_attempt (number, {names}) SELECT 2, {names} FROM delivery_attempt WHERE number = 1"
        )
        attempt(receipt, 3, "accepted")
        for _ in range(3):
            fold()
        assert totals().get(("attempt", "accepted"), 0) < 2  # the third waits for the second
        slow.commit()
    until = time.monotonic() + 60  # transactions of other databases of the server are waited for as well
    while totals().get(("attempt", "accepted")) != 3 and time.monotonic() < until:
        fold()
    assert totals()["attempt", "accepted"] == 3


def test_a_scrape_counts_where_nobody_else_does(client: Client, register: Register) -> None:
    receipt_of(register)
    client.get("/metrics")
    assert Mark.objects.filter(pk="seen").exists()
    if connection.vendor == "sqlite":
        assert totals() == {("transition", ">queued"): 1}


# --- obligations without a receipt ------------------------------------------------------------------------------------


def test_an_obligation_is_bare_until_it_has_a_live_receipt_and_again_after_its_cancellation(register: Register) -> None:
    receipt = receipt_of(register)
    fold(alone=True)
    assert folding.bare_obligations()[0] == 0
    move(receipt, State.CANCELLED)
    fold(alone=True)
    assert folding.bare_obligations()[0] == 1
    from chekhov.receipts import writer

    Receipt.objects.bulk_create([_copy(receipt)])
    fresh = Receipt.objects.order_by("-pk")[0]
    writer.born(
        [writer.Birth(fresh.pk, fresh.uuid, fresh.obligation_id, fresh.account_id, fresh.queue, 0)], actor="test"
    )
    assert folding.bare_obligations()[0] == 0
    fold(alone=True)
    assert not Bare.objects.exists()
    move(fresh, State.CANCELLED)
    fold(alone=True)
    assert folding.bare_obligations()[0] == 1


def _copy(receipt: Receipt) -> Receipt:
    from uuid import uuid4

    values = {field.attname: getattr(receipt, field.attname) for field in Receipt._meta.fields if field.attname != "id"}
    return Receipt(**{**values, "uuid": uuid4(), "generation": 2})


def test_an_account_is_uncalled_from_its_first_receipt_to_the_next_callback(register: Register) -> None:
    receipt = receipt_of(register)
    attempt(receipt, 1, "accepted")
    move(receipt, State.SENDING, State.ACCEPTED, State.FISCALIZED)
    fold(alone=True)
    seen = AccountSeen.objects.get()
    assert seen.callback_ms is None
    assert seen.uncalled_ms is not None
    assert read_clock_ms() - seen.uncalled_ms < 60_000
    callback(receipt, after=60.0)
    fold(alone=True)
    seen.refresh_from_db()
    assert seen.uncalled_ms is None
    assert seen.callback_ms is not None


def test_the_past_that_is_counted_late_is_no_silence_yet(register: Register) -> None:
    """An upgrade counts years of receipts before their notifications."""
    found = folding.Found(fiscalized_ms={register.account_id: read_clock_ms() - 365 * 86_400_000})
    folding._seen(found)
    uncalled_ms = AccountSeen.objects.get().uncalled_ms
    assert uncalled_ms is not None
    assert read_clock_ms() - uncalled_ms <= 3_600_000 + 1000


# --- who may read -----------------------------------------------------------------------------------------------------


def test_the_text_is_kept_for_some_seconds(client: Client, django_assert_num_queries: Any) -> None:
    client.get("/metrics")
    with django_assert_num_queries(0):
        client.get("/metrics")


def test_a_scrape_walks_no_history(client: Client, register: Register) -> None:
    """What a scrape reads is found by an index: no plan walks receipts, events, attempts or callbacks."""
    if connection.vendor != "sqlite":
        pytest.skip("PostgreSQL walks small tables whatever the index")
    receipt = receipt_of(register)
    move(receipt, State.SENDING, State.FAILED)
    fold(alone=True)
    from django.test.utils import CaptureQueriesContext

    with CaptureQueriesContext(connection) as asked:
        client.get("/metrics")
    walked = []
    with connection.cursor() as cursor:
        for query in asked.captured_queries:
            if query["sql"].startswith("SELECT"):
                cursor.execute(f"EXPLAIN QUERY PLAN {query['sql']}")
                walked += [(row[3], query["sql"]) for row in cursor.fetchall() if row[3].startswith("SCAN")]
    large = ("receipts_", "delivery_attempt", "delivery_callback", "sales_")
    assert len(asked) > 10
    assert not [item for item in walked if item[0].split()[1].startswith(large) or item[0].split()[1] in "sreoac"]


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
