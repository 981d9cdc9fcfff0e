"""The inbox of providers' notifications: store it as it came, judge it, let it shorten a wait. Never more than that.

A callback is a hint. What it says is believed only so far as to ask the provider sooner; the proof of a receipt is
always the provider's own answer to our question. So early, repeated, late, out-of-order and lost callbacks are
harmless, and a forged one changes nothing: it is kept, within a bound, so that people can see that somebody tries.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import timedelta

from django.utils import timezone

from chekhov.config.database import fetch, uid, writing
from chekhov.delivery.jobs import key_of, uuid_of_first_key
from chekhov.delivery.models import Callback, CallbackUrl
from chekhov.delivery.sightings import ask, sighted
from chekhov.drivers import registry
from chekhov.drivers.contract import CallbackVerdict, Verdict
from chekhov.receipts import writer
from chekhov.receipts.incidents import SECOND_DOCUMENT, incident_open
from chekhov.receipts.states import State
from chekhov.registers.models import Account
from chekhov.registers.secrets import decrypt
from chekhov.registers.services import notification_link

MAX_BODY_BYTES = 64 * 1024
KEPT_REJECTED_AN_HOUR = 100
_KEPT_HEADERS = ("content-type", "content-length", "user-agent", "x-hmac-signature", "x-forwarded-for")
_STATUS = {Verdict.VERIFIED: 200, Verdict.FORGED: 403, Verdict.MALFORMED: 422}


def callback_receive(*, provider: str, token: str, headers: Mapping[str, str], body: bytes) -> int:
    """Take one notification; the HTTP status to answer.

    200 taken, 403 forged, 404 unknown link, 413 too large, 422 signed but unreadable. Raises SecretUnreadable where the
    account's secret cannot be decrypted: nothing can be judged, nothing is stored, and the provider comes again.
    """
    account = Account.objects.filter(provider=provider, link_token=token).first()
    if account is None:
        return 404
    if len(body) > MAX_BODY_BYTES:
        return 413
    urls = [notification_link(account), *CallbackUrl.objects.filter(account=account).values_list("url", flat=True)]
    digest = hashlib.sha256(body).hexdigest()
    verdict = registry.get(provider).driver.verify_callback(
        decrypt(account.secret_encrypted), urls, body, {name.lower(): value for name, value in headers.items()}
    )
    if verdict.verdict is not Verdict.VERIFIED and _is_flood(account):
        return _STATUS[verdict.verdict]
    if Callback.objects.filter(account=account, verdict=verdict.verdict.value, digest=digest).exists():
        return _STATUS[verdict.verdict]  # the same again: stored once, and it has had its effect
    with writing():
        receipt_id = _receipt_of(account, verdict)
        effect = _effect(receipt_id, verdict)
        Callback.objects.bulk_create(
            [
                Callback(
                    provider=provider,
                    account=account,
                    receipt_id=receipt_id,
                    key=verdict.key[:64],
                    headers={name: value[:300] for name, value in headers.items() if name.lower() in _KEPT_HEADERS},
                    body=body,
                    digest=digest,
                    verdict=verdict.verdict.value,
                    effect=effect,
                    received_at=timezone.now(),
                )
            ],
            ignore_conflicts=True,  # the same one, at the same moment
        )
    return _STATUS[verdict.verdict]


def is_link(provider: str, token: str) -> bool:
    """Whether somebody was given this link: what comes to any other is not even read."""
    return Account.objects.filter(provider=provider, link_token=token).exists()


def _receipt_of(account: Account, verdict: CallbackVerdict) -> int | None:
    """The receipt by the key that we gave it, whichever record's link the notification came to."""
    if verdict.verdict is not Verdict.VERIFIED:
        return None
    first = uuid_of_first_key(verdict.key)
    rows = fetch(
        "SELECT receipt_id FROM delivery_attempt WHERE key = %s AND account_id = %s AND key_number > 1 UNION ALL "
        "SELECT receipt_id FROM delivery_attempt WHERE receipt_id = (SELECT id FROM receipts_receipt WHERE uuid = %s) "
        "AND key = %s AND account_id = %s LIMIT 1",
        [verdict.key, account.pk, uid(first) if first else None, verdict.key, account.pk],
    )
    return int(rows[0][0]) if rows else None


def _effect(receipt_id: int | None, verdict: CallbackVerdict) -> str:
    if verdict.verdict is not Verdict.VERIFIED:
        return "none"
    if receipt_id is None:
        return "no_receipt"
    head = writer.heads([receipt_id], lock=True)[receipt_id]
    if verdict.key != key_of(head.uuid, head.key_number):
        return _earlier_key(head, verdict)
    if head.state in (State.ACCEPTED, State.UNKNOWN) and not head.provider_ref and verdict.provider_id:
        writer.touch([writer.Touch(receipt_id, head.version, 0, head.polls, verdict.provider_id)])
        return "task_learned"
    if head.state is State.QUEUED and verdict.provider_id:  # its absence was taken for proven, and it is there
        found = writer.Change(head, State.ACCEPTED, "found", due_in_ms=0, provider_ref=verdict.provider_id)
        writer.apply([found], actor="delivery")
        return "task_learned"
    if head.state in (State.REFUSED, State.CANCELLED):
        return _printed_after_all(head, verdict)
    if writer.hurry([receipt_id], told=True):
        return "hurried"
    if head.state is State.SENDING and verdict.provider_id and not head.provider_ref:
        # it waits for the answer of its POST; should that be lost, or a refusal, the task is known all the same
        writer.touch([writer.Touch(receipt_id, head.version, None, head.polls, verdict.provider_id)])
    if head.state in (State.QUEUED, State.SENDING):
        return "early"
    return "nothing_new"


def _printed_after_all(head: writer.Head, verdict: CallbackVerdict) -> str:
    """A receipt whose absence was taken for proven, perhaps on a person's word. If the provider says that it printed,
    a cancelled one is asked about, and one that may still be cancelled and formed anew is an incident until somebody
    has looked.
    """
    ref = verdict.provider_id or head.provider_ref
    if verdict.state != "done":
        return "nothing_new"
    if ref:
        sighted(receipt_id=head.receipt_id, key_number=head.key_number, provider_ref=ref)
    if ref and ask(head, head.key_number, ref):
        return "task_learned"
    name = f"задача {ref}" if ref else "задача без номера"
    text = f"Сервис сообщил, что пробита {name}, а чек значится как «{head.state.label}»."
    incident_open(receipt_id=head.receipt_id, code=SECOND_DOCUMENT, text=text)
    return "incident"


def _earlier_key(head: writer.Head, verdict: CallbackVerdict) -> str:
    """A key that was given up as failed. If its task printed after all, the next key must not be sent any more, and the
    provider is asked about that task; where the next one may have printed too, one fact may have two documents and a
    person has to see it.
    """
    if verdict.state != "done":
        return "nothing_new"
    numbers = fetch(
        "SELECT key_number FROM delivery_attempt WHERE receipt_id = %s AND key = %s LIMIT 1",
        [head.receipt_id, verdict.key],
    )
    is_asked = False
    if numbers and verdict.provider_id:
        sighted(receipt_id=head.receipt_id, key_number=numbers[0][0], provider_ref=verdict.provider_id)
        is_asked = ask(head, numbers[0][0], verdict.provider_id)
    if is_asked and head.state in (State.QUEUED, State.CANCELLED):
        return "old_key_adopted"
    text = f"Сервис сообщил, что прежняя задача {verdict.provider_id} пробита."
    incident_open(receipt_id=head.receipt_id, code=SECOND_DOCUMENT, text=text)
    return "incident"


def rejected_today(account_id: int) -> int:
    """How many of an account's notifications were rejected in the last 24 hours and kept, to the cap of an hour.

    After a secret was replaced those signed with the former one are among them: they are not believed. Nothing is lost
    by it, every receipt is asked about anyway.
    """
    since = timezone.now() - timedelta(hours=24)
    kept = Callback.objects.filter(account_id=account_id, received_at__gte=since)
    return kept.exclude(verdict=Verdict.VERIFIED.value).values("pk")[:KEPT_REJECTED_AN_HOUR].count()


def _is_flood(account: Account) -> bool:
    """Whether enough rejected notifications of this account were kept in the last hour."""
    since = timezone.now() - timedelta(hours=1)
    kept = Callback.objects.filter(account=account, received_at__gte=since).exclude(verdict=Verdict.VERIFIED.value)
    return len(kept.values_list("pk", flat=True)[:KEPT_REJECTED_AN_HOUR]) >= KEPT_REJECTED_AN_HOUR
