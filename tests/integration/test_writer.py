"""The single writer: compare, set, chain. Every pair of states is walked."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
from django.db import DatabaseError, connection

from chekhov.config import immutability
from chekhov.config.database import writing
from chekhov.receipts import writer
from chekhov.receipts.models import Receipt, ReceiptEvent, ReceiptState
from chekhov.receipts.states import LABELS, TRANSITIONS, State, diagram, is_lawful
from chekhov.receipts.writer import Change, Touch
from tests import factories

pytestmark = pytest.mark.django_db

ROADS: dict[State, tuple[State, ...]] = {
    State.QUEUED: (),
    State.SENDING: (State.SENDING,),
    State.ACCEPTED: (State.SENDING, State.ACCEPTED),
    State.FISCALIZED: (State.SENDING, State.FISCALIZED),
    State.FAILED: (State.SENDING, State.ACCEPTED, State.FAILED),
    State.REFUSED: (State.SENDING, State.REFUSED),
    State.UNKNOWN: (State.SENDING, State.UNKNOWN),
    State.CANCELLED: (State.CANCELLED,),
}


def head(receipt: Receipt) -> writer.Head:
    return writer.heads([receipt.pk])[receipt.pk]


def move(receipt: Receipt, to: State, **values: object) -> set[int]:
    with writing():
        return writer.apply([Change(head(receipt), to, "test", **values)], actor="test")  # type: ignore[arg-type]


@pytest.mark.parametrize(("before", "after"), list(itertools.product(State, State)))
def test_every_pair_of_states(receipt: Receipt, before: State, after: State) -> None:
    for step in ROADS[before]:
        move(receipt, step)
    row, count = ReceiptState.objects.values().get(), ReceiptEvent.objects.count()

    if after in TRANSITIONS[before]:
        assert move(receipt, after) == {receipt.pk}
        assert ReceiptState.objects.get().state == after
        event = ReceiptEvent.objects.order_by("number").last()
        assert event is not None
        assert (event.from_state, event.to_state, event.number) == (before, after, count + 1)
    else:
        with pytest.raises(AssertionError, match="not a transition"):
            move(receipt, after)
        assert ReceiptState.objects.values().get() == row
        assert ReceiptEvent.objects.count() == count
    assert writer.chain_is_whole(receipt.pk)


def test_every_state_has_its_label_and_its_place_in_the_diagram() -> None:
    assert set(LABELS) == set(TRANSITIONS) == set(State)
    assert {state for state in State if not TRANSITIONS[state]} == {State.FISCALIZED}
    assert diagram().count("-->") == 1 + sum(len(afters) for afters in TRANSITIONS.values())
    assert not is_lawful(State.ACCEPTED, State.QUEUED)


def test_whoever_decided_on_an_older_state_moves_nothing(receipt: Receipt) -> None:
    stale = head(receipt)
    move(receipt, State.SENDING)
    row = ReceiptState.objects.values().get()

    with writing():
        moved = writer.apply([Change(stale, State.CANCELLED, "too late")], actor="test")

    assert moved == set()
    assert ReceiptState.objects.values().get() == row
    assert ReceiptEvent.objects.count() == 2
    assert writer.chain_is_whole(receipt.pk)


def test_of_a_batch_only_the_fresh_ones_move(receipt: Receipt) -> None:
    other = factories.pay(factories.invoice(receipt.customer)).answer.receipts[0].id
    second = Receipt.objects.get(uuid=other)
    stale, fresh = head(receipt), head(second)
    move(receipt, State.SENDING)

    with writing():
        moved = writer.apply([Change(one, State.CANCELLED, "test") for one in (stale, fresh)], actor="test")

    assert moved == {second.pk}
    assert ReceiptState.objects.get(pk=receipt.pk).state == "sending"


def test_of_receipts_that_are_locked_all_move(receipt: Receipt) -> None:
    other = factories.pay(factories.invoice(receipt.customer)).answer.receipts[0].id
    second = Receipt.objects.get(uuid=other)

    with writing():
        heads = writer.heads([receipt.pk, second.pk], lock=True).values()
        writer.apply_locked([Change(one, State.SENDING, "test", "слова") for one in heads], actor="test")

    assert {row.state for row in ReceiptState.objects.all()} == {"sending"}
    told = ReceiptEvent.objects.filter(number=2).values_list("from_state", "to_state", "actor", "reason", "text")
    assert list(told) == [("queued", "sending", "test", "test", "слова")] * 2
    assert writer.chain_is_whole(receipt.pk)
    assert writer.chain_is_whole(second.pk)


def test_if_one_of_them_had_moved_meanwhile_none_does(receipt: Receipt) -> None:
    other = factories.pay(factories.invoice(receipt.customer)).answer.receipts[0].id
    second = Receipt.objects.get(uuid=other)
    stale, fresh = head(receipt), head(second)
    move(receipt, State.SENDING)

    with pytest.raises((AssertionError, DatabaseError)), writing():
        writer.apply_locked([Change(one, State.CANCELLED, "test") for one in (stale, fresh)], actor="test")

    assert [row.state for row in ReceiptState.objects.order_by("pk")] == ["sending", "queued"]
    assert ReceiptEvent.objects.count() == 3


def test_a_head_of_the_right_version_and_the_wrong_state_moves_nothing(receipt: Receipt) -> None:
    wrong = replace(head(receipt), state=State.REFUSED)

    with writing():
        assert writer.apply([Change(wrong, State.CANCELLED, "test")], actor="test") == set()


def test_two_changes_of_one_receipt_in_one_batch_are_a_mistake(receipt: Receipt) -> None:
    one = head(receipt)
    with pytest.raises(AssertionError, match="one change"), writing():
        writer.apply([Change(one, State.SENDING, "a"), Change(one, State.CANCELLED, "b")], actor="test")


def test_a_stale_touch_is_left_alone(receipt: Receipt) -> None:
    stale = head(receipt)
    move(receipt, State.SENDING)
    row = ReceiptState.objects.values().get()

    writer.touch([Touch(receipt.pk, stale.version, 0, 9, "x")])

    assert ReceiptState.objects.values().get() == row


def test_hurrying_moves_only_what_is_worth_a_look(receipt: Receipt) -> None:
    assert writer.hurry([receipt.pk]) == 0
    move(receipt, State.SENDING)
    move(receipt, State.ACCEPTED)
    assert writer.hurry([receipt.pk]) == 1
    assert writer.hurry([]) == 0


# --- the chain --------------------------------------------------------------------------------------------------------


@pytest.fixture
def past_the_triggers(receipt: Receipt) -> Receipt:
    """Somebody with rights over the database, who has dropped the triggers."""
    move(receipt, State.SENDING, text="Ушло")
    move(receipt, State.ACCEPTED)
    if connection.vendor == "postgresql":
        connection.cursor().execute("SET CONSTRAINTS ALL IMMEDIATE")
    immutability.remove()
    assert writer.chain_is_whole(receipt.pk)
    return receipt


@pytest.mark.parametrize(
    "forgery",
    [
        "UPDATE receipts_receiptevent SET text = 'другое' WHERE number = 2",
        "UPDATE receipts_receiptevent SET actor = 'user:x' WHERE number = 1",
        "UPDATE receipts_receiptevent SET reason = 'x' WHERE number = 3",
        "UPDATE receipts_receiptevent SET to_state = 'refused' WHERE number = 3",
        "UPDATE receipts_receiptevent SET at = '2020-01-01 00:00:00+00:00' WHERE number = 2",
        "DELETE FROM receipts_receiptevent WHERE number = 2",
        "DELETE FROM receipts_receiptevent WHERE number = 3",
        "DELETE FROM receipts_receiptevent",
        "UPDATE receipts_receiptevent SET number = 9 WHERE number = 3",
        "INSERT INTO receipts_receiptevent (receipt_id, number, from_state, to_state, actor, reason, text, at, mac) "
        "SELECT receipt_id, 4, to_state, 'fiscalized', actor, reason, text, at, mac FROM receipts_receiptevent "
        "WHERE number = 3",
        "UPDATE receipts_receiptstate SET state = 'fiscalized'",
        "UPDATE receipts_receiptstate SET version = 2",
        "UPDATE receipts_receiptstate SET head = 'x'",
    ],
)
def test_every_alteration_of_the_past_breaks_the_chain(past_the_triggers: Receipt, forgery: str) -> None:
    connection.cursor().execute(forgery)

    assert not writer.chain_is_whole(past_the_triggers.pk)


def test_a_receipt_that_does_not_exist_has_no_chain() -> None:
    assert not writer.chain_is_whole(0)
