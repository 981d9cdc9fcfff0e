"""The inbox of notifications: kept as they came, believed only so far as to ask sooner."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chekhov.delivery.callbacks import KEPT_REJECTED_AN_HOUR, MAX_BODY_BYTES, callback_receive, rejected_today
from chekhov.delivery.models import Callback
from chekhov.delivery.requests import receipt_retry
from chekhov.drivers.komtet.signature import sign
from chekhov.receipts import writer
from chekhov.receipts.models import Receipt, ReceiptEvent, ReceiptState
from chekhov.registers.models import Account, Register
from chekhov.registers.secrets import SecretUnreadable
from chekhov.registers.services import notification_link, register_save
from tests import factories
from tests.integration import delivering

pytestmark = pytest.mark.django_db


def notify(account: Account, *, secret: str = "demo-secret", url: str = "", raw: bytes = b"", **content: Any) -> int:
    body = raw or json.dumps({"id": 501, "state": "done", **content}).encode()
    signature = sign(secret, "POST", url or notification_link(account), body)
    headers = {"Content-Type": "application/json", "X-HMAC-Signature": signature, "Cookie": "session=1"}
    return callback_receive(provider=account.provider, token=account.link_token, headers=headers, body=body)


def state(receipt: Receipt) -> ReceiptState:
    return ReceiptState.objects.get(pk=receipt.pk)


def test_a_forged_one_is_answered_403_kept_and_changes_nothing(receipt: Receipt) -> None:
    delivering.through_to_accepted()
    before = ReceiptState.objects.filter(pk=receipt.pk).values().get()

    status = notify(receipt.account, secret="guessed", external_id=str(receipt.uuid))

    kept = Callback.objects.get()
    assert status == 403
    assert (kept.verdict, kept.effect, kept.receipt_id, kept.key) == ("forged", "none", None, "")
    assert ReceiptState.objects.filter(pk=receipt.pk).values().get() == before


def test_one_without_a_signature_is_forged(receipt: Receipt) -> None:
    account = receipt.account

    status = callback_receive(provider="test", token=account.link_token, headers={}, body=b"{}")

    assert status == 403


def test_a_flood_of_forged_ones_is_kept_only_so_far(receipt: Receipt) -> None:
    for number in range(KEPT_REJECTED_AN_HOUR + 20):
        assert notify(receipt.account, secret="guessed", external_id=f"x{number}") == 403

    assert Callback.objects.count() == KEPT_REJECTED_AN_HOUR
    assert notify(receipt.account, external_id=str(receipt.uuid)) == 200, "a true one is still taken"
    assert Callback.objects.filter(verdict="verified").count() == 1


def test_the_same_one_twice_is_stored_once(receipt: Receipt) -> None:
    delivering.through_to_accepted()

    statuses = [notify(receipt.account, external_id=str(receipt.uuid)) for _ in range(3)]

    assert statuses == [200, 200, 200]
    assert Callback.objects.count() == 1


def test_a_verified_one_wakes_the_question_and_proves_nothing(receipt: Receipt) -> None:
    delivering.through_to_accepted()

    notify(receipt.account, external_id=str(receipt.uuid))

    kept = Callback.objects.get()
    assert (kept.verdict, kept.effect, kept.receipt_id) == ("verified", "hurried", receipt.pk)
    assert state(receipt).state == "accepted"


def test_an_early_one_shortens_the_wait_after_the_answer(receipt: Receipt) -> None:
    job = delivering.claim_one()
    notify(receipt.account, external_id=job.key)

    delivering.answer(job, delivering.accepted(job))

    assert Callback.objects.get().effect == "early"
    (asked,) = delivering.Claimer("w").claim(10)
    assert asked.provider_ref == "501", "due at once, not after three seconds"


def test_a_late_one_changes_nothing(receipt: Receipt) -> None:
    delivering.through_to_fiscalized()

    assert notify(receipt.account, external_id=str(receipt.uuid)) == 200

    assert Callback.objects.get().effect == "nothing_new"
    assert state(receipt).state == "fiscalized"


def test_one_for_a_receipt_of_another_record_with_the_same_shop_is_found(register: Register) -> None:
    other = factories.register(factories.region("spb", register.organization), queue=778)
    assert other.account == register.account
    factories.pay(factories.invoice(factories.customer(other.region)))
    receipt = Receipt.objects.get()
    delivering.through_to_accepted()

    notify(register.account, external_id=str(receipt.uuid))

    assert Callback.objects.get().receipt == receipt


def test_one_about_a_stranger_s_receipt_is_kept_without_effect(register: Register) -> None:
    assert notify(register.account, external_id="order-of-another-till") == 200

    assert (Callback.objects.get().effect, Callback.objects.get().receipt_id) == ("no_receipt", None)


def test_an_unknown_link_is_404_and_nothing_is_kept(register: Register) -> None:
    assert callback_receive(provider="test", token="guess", headers={}, body=b"{}") == 404
    assert callback_receive(provider="none", token=register.account.link_token, headers={}, body=b"{}") == 404

    assert not Callback.objects.exists()


def test_a_large_body_is_refused_unread(register: Register) -> None:
    assert notify(register.account, raw=b"x" * (MAX_BODY_BYTES + 1)) == 413
    assert not Callback.objects.exists()


@pytest.mark.parametrize("raw", [b"{", b"[]", b'{"state": "done"}', b"\xff\xfe"])
def test_a_signed_one_that_cannot_be_read_is_422_and_kept(register: Register, raw: bytes) -> None:
    assert notify(register.account, raw=raw) == 422
    assert Callback.objects.get().verdict == "malformed"


def test_one_signed_for_an_earlier_address_is_taken(receipt: Receipt, settings: Any) -> None:
    delivering.through_to_accepted()
    earlier = notification_link(receipt.account)
    settings.CHEKHOV_BASE_URL = "https://kassa.shop.example"

    assert notify(receipt.account, url=earlier, external_id=str(receipt.uuid)) == 200
    assert notify(receipt.account, url="https://never.example/hooks", external_id=str(receipt.uuid)) == 403


def test_the_task_is_learned_when_the_answer_to_the_post_was_lost(receipt: Receipt) -> None:
    job = delivering.claim_one()
    assert delivering.answer(job, delivering.LOST) == "unknown"

    notify(receipt.account, external_id=job.key, id=777)

    assert Callback.objects.get().effect == "task_learned"
    asked = delivering.claim_one()
    assert (asked.kind, asked.provider_ref) == ("poll", "777")
    assert delivering.answer(asked, delivering.done(asked)) == "fiscalized"


def test_secrets_of_the_request_are_not_kept(receipt: Receipt) -> None:
    notify(receipt.account, external_id=str(receipt.uuid))

    assert set(Callback.objects.get().headers) == {"Content-Type", "X-HMAC-Signature"}


# --- an earlier key that was given up as failed -----------------------------------------------------------------------


def retried(receipt: Receipt) -> str:
    """The first key failed, a person asked for another try, and the second key waits in the queue."""
    job = delivering.through_to_failed()
    receipt_retry(receipt=receipt, actor=factories.user())
    asked = delivering.claim_one()
    assert delivering.answer(asked, delivering.failed(asked)) == "queued"
    return job.key


def test_an_old_key_that_printed_after_all_keeps_the_next_one_from_being_sent(receipt: Receipt) -> None:
    old_key = retried(receipt)

    notify(receipt.account, external_id=old_key, id=501, state="done")

    asked = delivering.claim_one()
    assert (asked.kind, asked.key, asked.provider_ref) == ("poll", old_key, "501")
    assert delivering.answer(asked, delivering.done(asked)) == "fiscalized"
    reasons = list(ReceiptEvent.objects.order_by("number").values_list("reason", flat=True))
    assert reasons[-2:] == ["old_key_lives", "done"]


def test_an_old_key_that_failed_again_does_not_hold_back_the_next_one(receipt: Receipt) -> None:
    old_key = retried(receipt)

    notify(receipt.account, external_id=old_key, id=501, state="error")

    assert state(receipt).state == "queued"
    assert delivering.claim_one().key != old_key


def test_an_old_key_that_printed_after_the_next_one_was_sent_is_an_incident(receipt: Receipt) -> None:
    old_key = retried(receipt)
    job = delivering.claim_one()
    assert job.key != old_key

    notify(receipt.account, external_id=old_key, id=501, state="done")

    assert Callback.objects.get().effect == "incident"
    assert delivering.answer(job, delivering.accepted(job, "502")) == "accepted"


def test_the_task_of_an_old_key_is_not_taken_for_the_next_one_s(receipt: Receipt) -> None:
    old_key = retried(receipt)
    job = delivering.claim_one()
    assert delivering.answer(job, delivering.LOST) == "unknown"

    notify(receipt.account, external_id=old_key, id=501, state="done")

    assert state(receipt).provider_ref == ""
    assert delivering.claim() == [], "a repeat under the next key could make a second document"


def test_one_signed_with_the_former_secret_is_not_believed_and_nothing_is_lost(
    receipt: Receipt, register: Register
) -> None:
    """A secret was replaced while notifications were on their way."""
    from tests.integration.test_lanes import content

    delivering.through_to_accepted()
    register_save(content=content(register, secret="new-secret"), actor=None, register=register)
    before = ReceiptState.objects.filter(pk=receipt.pk).values().get()

    assert notify(receipt.account, external_id=str(receipt.uuid)) == 403

    assert ReceiptState.objects.filter(pk=receipt.pk).values().get() == before
    assert rejected_today(receipt.account_id) == 1, "and somebody can see it"
    asked = delivering.claim_one()
    assert delivering.answer(asked, delivering.done(asked)) == "fiscalized"
    assert notify(Account.objects.get(), secret="new-secret", external_id=str(receipt.uuid)) == 200


def test_a_secret_that_cannot_be_read_judges_nothing(receipt: Receipt) -> None:
    delivering.through_to_accepted()
    Account.objects.update(secret_encrypted="broken")

    with pytest.raises(SecretUnreadable):
        notify(receipt.account, external_id=str(receipt.uuid))

    assert not Callback.objects.exists()


def test_the_old_key_of_a_moved_receipt_brings_it_back_to_its_first_register(receipt: Receipt) -> None:
    """The first register printed it against its own word, and the other has not been asked yet."""
    job = delivering.claim_one()
    assert delivering.answer(job, delivering.NOT_SENT) == "queued"
    other = factories.register(factories.region("spb", receipt.organization), shop_id="other", queue=778)
    head = writer.heads([receipt.pk])[receipt.pk]
    moved = writer.Amendment(head, "moved_to_standby", due_in_ms=0, lane=(other.account_id, 778), key_number=2)
    writer.amend([moved], actor="delivery")

    assert notify(receipt.account, external_id=str(receipt.uuid)) == 200

    found = state(receipt)
    assert (found.state, found.queue, found.key_number, found.provider_ref) == ("accepted", 777, 1, "501")
    assert writer.chain_is_whole(receipt.pk)
