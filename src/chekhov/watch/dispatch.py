"""Sending notices: claimed in the database, sent outside of any transaction, the outcome written down.

A channel is leased to one process at a time. What is due for it goes as one message. A failure lets the channel rest,
ever longer; a notice that could not be delivered for two days is given up, and the panel says so. A process that dies
between sending and writing leaves a lease that ends: the message goes again rather than not at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import uuid4

import structlog

from chekhov.config.database import read_clock_ms, writing
from chekhov.registers.secrets import SecretUnreadable, decrypt
from chekhov.watch.channels import SEND_SECONDS, SendFailed, Target, send
from chekhov.watch.messages import compose
from chekhov.watch.models import Channel, Dispatch, Notice
from chekhov.watch.problems import policy_read

log = structlog.get_logger(__name__)

HOUR_MS = 3_600_000
LEASE_MS = (SEND_SECONDS + 30) * 1000
GIVE_UP_MS = 48 * HOUR_MS
REST_SECONDS = (15, 60, 300, 900, 1800, 3600)  # after the first, second, … failure in a row; the last repeats
AT_ONCE = 200


@dataclass(frozen=True, slots=True)
class Claimed:
    """What one process has taken to send to one channel."""

    channel: Channel
    dispatches: tuple[Dispatch, ...]

    @property
    def notices(self) -> list[Notice]:
        return [row.notice for row in self.dispatches]


def channels_due(*, now_ms: int) -> list[int]:
    """Channels for which something is due and that do not rest."""
    rows = Channel.objects.filter(
        is_on=True,
        removed_at__isnull=True,
        next_try_ms__lte=now_ms,
        lease_until_ms__lt=now_ms,
        dispatches__state="waiting",
        dispatches__due_ms__lte=now_ms,
    )
    return list(rows.order_by("pk").distinct().values_list("pk", flat=True))


def deliver(channel_id: int, *, owner: str, now_ms: int) -> bool:
    """Send what is due for a channel as one message; whether a message went out. Must not run in a transaction."""
    claimed = claim(channel_id, owner=owner, now_ms=now_ms)
    if claimed is None:
        return False
    remark, failure = "", None
    try:
        message = compose(uuid4(), claimed.notices, time_zone=policy_read().time_zone, now_ms=now_ms)
        remark = send(target_of(claimed.channel), message)
    except SendFailed as error:
        failure = error
    except SecretUnreadable:
        failure = SendFailed("secret_unreadable", "Секрет канала не расшифровать: ключ шифрования сменился.")
    except Exception:  # ours: it must be loud, and the channel must not be lost by it
        log.exception("watch.send_failed", channel=channel_id)
        failure = SendFailed("internal", "Внутренняя ошибка: подробности в журнале сервера.")
    settle(claimed, owner=owner, remark=remark, failure=failure)
    return failure is None


def target_of(channel: Channel) -> Target:
    """Where the channel leads. Raises SecretUnreadable."""
    secret = decrypt(channel.secret_encrypted) if channel.secret_encrypted else ""
    return Target(channel.kind, channel.target, secret)


def claim(channel_id: int, *, owner: str, now_ms: int) -> Claimed | None:
    """Lease a channel and take what is due for it; None where another has it, it rests, or nothing is due."""
    with writing():
        taken = Channel.objects.filter(
            pk=channel_id,
            is_on=True,
            removed_at__isnull=True,
            next_try_ms__lte=now_ms,
            lease_until_ms__lt=now_ms,
        ).update(lease_owner=owner, lease_until_ms=now_ms + LEASE_MS)
        if not taken:
            return None
        channel = Channel.objects.get(pk=channel_id)
        own = Channel.objects.filter(pk=channel_id)
        Dispatch.objects.filter(channel=channel, state="waiting", notice__at_ms__lt=now_ms - GIVE_UP_MS).update(
            state="given_up", settled_ms=now_ms
        )
        rows = Dispatch.objects.filter(channel=channel, state="waiting", due_ms__lte=now_ms)
        due = list(rows.select_related("notice__problem").order_by("pk")[:AT_ONCE])
        recent = [at_ms for at_ms in channel.sent_ms if at_ms > now_ms - HOUR_MS]
        if due and len(recent) >= policy_read().messages_an_hour:
            own.update(lease_owner="", lease_until_ms=0, next_try_ms=min(recent) + HOUR_MS, sent_ms=recent)
            return None
        if not due:
            own.update(lease_owner="", lease_until_ms=0)
            return None
        for row in due:
            row.tries += 1
        Dispatch.objects.bulk_update(due, ["tries"])
        return Claimed(channel, tuple(due))


def settle(claimed: Claimed, *, owner: str, remark: str = "", failure: SendFailed | None = None) -> None:
    """Write down how a sending ended. Where the lease has gone to another, only the dispatches that went are marked."""
    now_ms = read_clock_ms()
    ids = [row.pk for row in claimed.dispatches]
    with writing():
        own = Channel.objects.filter(pk=claimed.channel.pk, lease_owner=owner)
        waiting = Dispatch.objects.filter(pk__in=ids, state="waiting")
        if failure is None:
            waiting.update(state="sent", settled_ms=now_ms, error_code="", error_text=remark[:300])
            own.update(
                lease_owner="",
                lease_until_ms=0,
                failures=0,
                next_try_ms=0,
                sent_ms=_recent(claimed.channel.sent_ms, now_ms),
                last_ok_ms=now_ms,
                error_code="",
                error_text=remark[:300],
            )
            return
        waiting.update(error_code=failure.code[:40], error_text=failure.text[:300])
        failures = claimed.channel.failures + 1
        rest = max(failure.retry_after_seconds, REST_SECONDS[min(failures, len(REST_SECONDS)) - 1])
        own.update(
            lease_owner="",
            lease_until_ms=0,
            failures=failures,
            next_try_ms=now_ms + rest * 1000,
            error_code=failure.code[:40],
            error_text=failure.text[:300],
            error_ms=now_ms,
        )
    log.warning("watch.channel_failed", channel=claimed.channel.pk, kind=claimed.channel.kind, code=failure.code)


def _recent(sent_ms: Sequence[int], now_ms: int) -> list[int]:
    return [*(at_ms for at_ms in sent_ms if at_ms > now_ms - HOUR_MS), now_ms]
