"""A lost outcome is found out by what the provider can do: a question by our key, a repeat that it knows for one, or
a person. Each settlement still gets exactly one document."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from chekhov.config.database import execute
from chekhov.delivery import absence
from chekhov.delivery.claims import Claimer
from chekhov.delivery.jobs import JobKind, Result
from chekhov.delivery.lanes import lanes_ensure
from chekhov.delivery.models import Absence, Attempt
from chekhov.delivery.requests import receipt_absent, receipt_cancel, receipt_found
from chekhov.delivery.results import results_commit
from chekhov.delivery.selectors import PERSON_DECIDES, waiting_for_person
from chekhov.drivers.contract import Dedup, NotFound, Unsure
from chekhov.errors import Conflict, Invalid
from chekhov.people.models import Action
from chekhov.receipts.models import Receipt, ReceiptEvent, ReceiptState
from chekhov.receipts.states import State
from tests import factories
from tests.faults.conftest import Installation
from tests.faults.plain import Cabinet, PlainDriver, provided, serving
from tests.faults.truth import all_in, hurry_all, states

FISCALIZED = all_in(State.FISCALIZED)
Connect = Callable[..., None]


@pytest.fixture
def cabinet() -> Iterator[Cabinet]:
    with serving(Cabinet()) as running:
        yield running


@pytest.fixture
def connect(installation: Installation, cabinet: Cabinet, monkeypatch: pytest.MonkeyPatch, settings: Any) -> Connect:
    """Connect a register of a provider with these capabilities; the shop sells there from now on."""
    settings.CHEKHOV_LEASE_SECONDS = 3
    monkeypatch.setattr("chekhov.delivery.results.CLOCKS_APART", timedelta())  # one machine

    def connect(**capabilities: Any) -> None:
        code = provided(monkeypatch, PlainDriver(**capabilities), cabinet.url)
        region = factories.region("spb", installation.register.organization)
        factories.register(region, provider=code, service_url=cabinet.url, queue=5)
        installation.region = region

    return connect


def receipt() -> Receipt:
    return Receipt.objects.get()


def events() -> list[str]:
    return list(ReceiptEvent.objects.order_by("receipt_id", "number").values_list("reason", flat=True))


def outcomes() -> list[str]:
    return list(Attempt.objects.order_by("receipt_id", "number").values_list("outcome", flat=True))


def one_document_each(cabinet: Cabinet, count: int = 1) -> None:
    """Each receipt is fiscalized, each key has one document and never had two bodies, nothing else was printed."""
    assert states() == {"fiscalized": count}
    assert len(cabinet.documents) == count
    assert len({key for key, _ in cabinet.documents}) == count
    assert all(len(bodies) == 1 for bodies in cabinet.bodies.values()), "one key, one body"


def test_a_question_by_key_finds_what_was_stored(
    installation: Installation, cabinet: Cabinet, connect: Connect
) -> None:
    connect(lookup=True, dedup=Dedup.NONE)
    cabinet.cut_after = 3
    installation.sell(3)

    installation.deliver(FISCALIZED)

    one_document_each(cabinet, 3)
    assert outcomes() == ["unsure"] * 3, "nothing was sent twice"
    assert sum(cabinet.lookups.values()) >= 3


def test_a_definite_no_sends_the_same_bytes_again_under_the_same_key(
    installation: Installation, cabinet: Cabinet, connect: Connect
) -> None:
    connect(lookup=True, dedup=Dedup.NONE)
    cabinet.cut_before = 1
    installation.sell()

    installation.deliver(FISCALIZED, seconds=20)

    one_document_each(cabinet)
    assert outcomes() == ["unsure", "accepted"]
    assert len(set(Attempt.objects.values_list("key", flat=True))) == 1
    assert "absent" in events()
    assert Absence.objects.get().attempt_number == 1
    first, second = Attempt.objects.order_by("number")
    assert second.sent_at - first.sent_at > absence.longest_call(), "not while the first call may be under way"


def test_a_refusal_after_a_proven_absence_is_believed(
    installation: Installation, cabinet: Cabinet, connect: Connect
) -> None:
    connect(lookup=True, dedup=Dedup.NONE)
    cabinet.cut_before = 1
    cabinet.refuse = 1
    installation.sell()

    installation.deliver(all_in(State.REFUSED), seconds=20)

    assert outcomes() == ["unsure", "refused"]
    assert not cabinet.documents
    receipt_cancel(receipt=receipt(), actor=factories.user(), reason="не принят")
    assert states() == {"cancelled": 1}


def test_a_task_that_failed_is_found_as_failed(installation: Installation, cabinet: Cabinet, connect: Connect) -> None:
    connect(lookup=True, dedup=Dedup.NONE)
    cabinet.cut_after, cabinet.lookup_fails = 1, True
    installation.sell()

    installation.deliver(all_in(State.FAILED))

    assert ReceiptState.objects.get().provider_ref == "1"
    assert sum(cabinet.posts.values()) == 1


def test_where_repeats_are_known_the_same_bytes_go_again(
    installation: Installation, cabinet: Cabinet, connect: Connect
) -> None:
    connect(lookup=False, dedup=Dedup.STRONG)
    cabinet.knows_repeats, cabinet.cut_after, cabinet.cut_before = True, 2, 1
    installation.sell(3)

    installation.deliver(FISCALIZED)

    one_document_each(cabinet, 3)
    assert not cabinet.lookups


def test_an_indefinite_no_is_no_proof_but_a_known_repeat_helps(
    installation: Installation, cabinet: Cabinet, connect: Connect
) -> None:
    connect(lookup=True, dedup=Dedup.STRONG, definite=False)
    cabinet.knows_repeats, cabinet.cut_before = True, 1
    installation.sell()

    installation.deliver(FISCALIZED)

    one_document_each(cabinet)
    assert not Absence.objects.exists()
    assert sum(cabinet.lookups.values()) == 1


def test_a_repeat_within_the_window_is_safe_and_after_it_a_person_decides(
    installation: Installation, cabinet: Cabinet, connect: Connect
) -> None:
    connect(lookup=False, dedup=Dedup.WINDOW, window_seconds=3600)
    cabinet.knows_repeats, cabinet.cut_after = True, 1
    installation.sell()
    installation.deliver(FISCALIZED)
    one_document_each(cabinet)

    window = int(absence.longest_call().total_seconds())  # over before the first repeat could be made
    connect_again(installation, cabinet, window)
    cabinet.cut_after = 1
    installation.sell()
    installation.deliver(lambda: waiting_for_person(PERSON_DECIDES).exists())

    assert states() == {"fiscalized": 1, "unknown": 1}
    assert sum(cabinet.posts.values()) == 3


def connect_again(installation: Installation, cabinet: Cabinet, window: int) -> None:
    from chekhov.drivers import registry
    from chekhov.drivers.contract import Provider

    driver = PlainDriver(lookup=False, dedup=Dedup.WINDOW, window_seconds=window)
    registry._providers()["plain"] = Provider("plain", "Простой сервис", driver, cabinet.url)
    assert installation.region.code == "spb"


@pytest.mark.parametrize(
    "capabilities",
    [
        pytest.param({"lookup": False, "dedup": Dedup.UNPROVEN}, id="unproven"),
        pytest.param({"lookup": False, "dedup": Dedup.NONE}, id="none"),
        pytest.param({"lookup": True, "dedup": Dedup.UNPROVEN, "definite": False}, id="found by chance only"),
    ],
)
def test_neither_question_nor_repeat_leaves_it_to_a_person(
    installation: Installation, cabinet: Cabinet, connect: Connect, capabilities: dict[str, Any]
) -> None:
    connect(**capabilities)
    cabinet.cut_after, cabinet.finds_by_key = 1, False
    installation.sell()

    installation.deliver(lambda: waiting_for_person(PERSON_DECIDES).exists())

    assert sum(cabinet.posts.values()) == 1, "nothing is sent again by itself"
    assert ReceiptState.objects.get().due_ms is None
    receipt_found(receipt=receipt(), actor=factories.user(), task="1")
    installation.deliver(FISCALIZED)
    one_document_each(cabinet)
    assert Action.objects.filter(kind="receipt_found").exists()


def test_a_wrong_number_is_not_believed_and_comes_back_to_the_person(
    installation: Installation, cabinet: Cabinet, connect: Connect
) -> None:
    connect(lookup=False, dedup=Dedup.NONE)
    installation.sell()
    installation.deliver(FISCALIZED)
    cabinet.cut_after = 1
    installation.sell()
    installation.deliver(lambda: waiting_for_person(PERSON_DECIDES).exists())
    stuck = waiting_for_person(PERSON_DECIDES).get().receipt

    receipt_found(receipt=stuck, actor=factories.user(), task="1")  # that of the other receipt
    installation.deliver(lambda: waiting_for_person(PERSON_DECIDES).exists())

    assert states() == {"fiscalized": 1, "unknown": 1}
    receipt_found(receipt=stuck, actor=factories.user("ivanova"), task="2")
    installation.deliver(FISCALIZED)
    one_document_each(cabinet, 2)


def test_a_person_who_found_nothing_lets_it_go_again(
    installation: Installation, cabinet: Cabinet, connect: Connect
) -> None:
    connect(lookup=False, dedup=Dedup.NONE)
    cabinet.cut_before = 1
    installation.sell()
    installation.deliver(lambda: waiting_for_person(PERSON_DECIDES).exists())
    cashier = factories.user()
    with pytest.raises(Conflict) as refusal:
        receipt_absent(receipt=receipt(), actor=cashier, reason="нет в кабинете", send_again=True)
    assert refusal.value.code == "not_settleable", "the call may still be under way"
    installation.deliver(lambda: _is_old(), patient=True)

    receipt_absent(receipt=receipt(), actor=cashier, reason="нет в кабинете", send_again=True)
    installation.deliver(FISCALIZED)

    one_document_each(cabinet)
    assert Absence.objects.get().found_by == "user:petrova"
    assert outcomes() == ["unsure", "accepted"]


def test_a_person_who_found_nothing_may_give_it_up(
    installation: Installation, cabinet: Cabinet, connect: Connect
) -> None:
    connect(lookup=False, dedup=Dedup.NONE)
    cabinet.cut_before = 1
    installation.sell()
    installation.deliver(lambda: waiting_for_person(PERSON_DECIDES).exists() and _is_old())

    receipt_absent(receipt=receipt(), actor=factories.user(), reason="нет в кабинете")

    assert states() == {"refused": 1}


def test_a_number_that_is_no_number_is_refused(installation: Installation, cabinet: Cabinet, connect: Connect) -> None:
    connect(lookup=False, dedup=Dedup.NONE)
    cabinet.cut_after = 1
    installation.sell()
    installation.deliver(lambda: waiting_for_person(PERSON_DECIDES).exists())

    with pytest.raises(Invalid):
        receipt_found(receipt=receipt(), actor=factories.user(), task="задача 1")

    assert waiting_for_person(PERSON_DECIDES).exists()


def _is_old() -> bool:
    """No call of the only sending can be under way."""
    from chekhov.config.clock import now

    return Attempt.objects.get().sent_at < now() - absence.longest_call()


def test_an_old_no_says_nothing_of_what_was_sent_after_it(
    installation: Installation, cabinet: Cabinet, connect: Connect, settings: Any
) -> None:
    """A worker asked by key, heard «there is none» and stalled; meanwhile another has sent the same bytes again."""
    settings.CHEKHOV_LEASE_SECONDS, settings.CHEKHOV_CONNECT_TIMEOUT_SECONDS = 0, 0
    settings.CHEKHOV_READ_TIMEOUT_SECONDS = 0  # no call can be under way
    connect(lookup=True, dedup=Dedup.STRONG)
    lanes_ensure()
    installation.sell()
    claimer = Claimer("worker-1")
    (sent,) = claimer.claim(1)
    results_commit([Result(sent, Unsure("оборвалось"))], "worker-1")
    hurry_all()
    (asked,) = claimer.claim(1)
    assert (asked.kind, asked.attempt_number) == (JobKind.LOOKUP, 1)
    execute("UPDATE receipts_receiptstate SET polls = 1")  # the repeat's turn
    hurry_all()
    (repeated,) = Claimer("worker-2").claim(1)
    assert repeated.kind is JobKind.ASK
    results_commit([Result(repeated, Unsure("оборвалось"))], "worker-2")

    results_commit([Result(asked, NotFound(True), 404)], "worker-1")

    assert states() == {"unknown": 1}
    assert not Absence.objects.exists()
