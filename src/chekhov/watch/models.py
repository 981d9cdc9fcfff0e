"""What the watch remembers: running totals for the metrics, and alerts with everything that becomes of them.

Columns that end in `_ms` are milliseconds since 1970 by the database's clock. Nothing here is needed to deliver a
receipt, and nothing of it is evidence: rows may be changed and old ones are deleted.
"""

from __future__ import annotations

import uuid

from django.db import models

from chekhov.directory.models import TIME_ZONES
from chekhov.receipts.models import Obligation
from chekhov.registers.models import Account


class Turn(models.Model):
    """Whose turn a periodic duty is: of any number of watching processes one does it."""

    name = models.CharField(max_length=20, primary_key=True)
    owner = models.CharField(max_length=60)
    until_ms = models.BigIntegerField()
    done_ms = models.BigIntegerField(default=0)  # when the duty was last done


class Mark(models.Model):
    """Up to where the rows of an append-only table have been counted. Moved by compare-and-set."""

    name = models.CharField(max_length=20, primary_key=True)
    version = models.BigIntegerField(default=0)
    border = models.BigIntegerField(default=0)  # rows up to this id are in the totals
    next_border = models.BigIntegerField(default=0)  # rows up to this id will be, once nobody can still add one below
    next_xid = models.BigIntegerField(default=0)
    next_ms = models.BigIntegerField(default=0)
    waiting = models.JSONField(default=list)  # ids below the border that have no answer yet


class Tally(models.Model):
    """A running total: a counter, or one bucket of a histogram (not cumulative, with the sum of what fell into it)."""

    metric = models.CharField(max_length=24)
    provider = models.CharField(max_length=20, blank=True)
    kind = models.CharField(max_length=24, blank=True)
    bucket = models.SmallIntegerField(default=-1)  # -1: a counter
    count = models.BigIntegerField(default=0)
    sum_ms = models.BigIntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["metric", "provider", "kind", "bucket"], name="tally_once")]


class AccountSeen(models.Model):
    """When an account was last heard of: its last verified callback, and the first receipt fiscalized after it."""

    account = models.OneToOneField(Account, models.CASCADE, primary_key=True, related_name="+")
    callback_ms = models.BigIntegerField(null=True)
    uncalled_ms = models.BigIntegerField(null=True)


class Bare(models.Model):
    """An obligation that had no live receipt when it was looked at: the few rows in which one has to look again."""

    obligation = models.OneToOneField(Obligation, models.CASCADE, primary_key=True, related_name="+")


# --- alerts -----------------------------------------------------------------------------------------------------------

CHANNEL_KINDS = [("email", "Письмо"), ("telegram", "Telegram"), ("webhook", "Вебхук")]


class Channel(models.Model):
    """Where alerts go: e-mail addresses, a Telegram chat, or a program's address."""

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    kind = models.CharField("вид", max_length=10, choices=CHANNEL_KINDS)
    name = models.CharField("название", max_length=100)
    target = models.CharField(max_length=500)  # addresses, comma separated; chat id; URL
    secret_encrypted = models.TextField(blank=True, editable=False)  # the bot's token; the webhook's signing secret
    is_on = models.BooleanField("включён", default=True)
    created_at = models.DateTimeField(auto_now_add=True)
    removed_at = models.DateTimeField(null=True)
    lease_owner = models.CharField(max_length=60, blank=True)
    lease_until_ms = models.BigIntegerField(default=0)
    next_try_ms = models.BigIntegerField(default=0)  # rests until then: after failures, or by the cap of an hour
    failures = models.PositiveIntegerField(default=0)  # in a row
    sent_ms = models.JSONField(default=list)  # messages of the last hour
    last_ok_ms = models.BigIntegerField(null=True)
    error_code = models.CharField(max_length=40, blank=True)
    error_text = models.CharField(max_length=300, blank=True)
    error_ms = models.BigIntegerField(null=True)

    class Meta:
        verbose_name = "канал оповещений"
        verbose_name_plural = "каналы оповещений"

    def __str__(self) -> str:
        return self.name


class RuleSetting(models.Model):
    """A rule as the shop has set it; a rule without a row is as `chekhov.watch.rules` says."""

    code = models.CharField(max_length=30, primary_key=True)
    is_on = models.BooleanField()
    threshold = models.PositiveIntegerField()
    is_urgent = models.BooleanField()


class AlertPolicy(models.Model):
    """One row: quiet hours, reminders, and how much is too much."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    quiet_on = models.BooleanField(default=True)
    quiet_from = models.PositiveSmallIntegerField(default=22 * 60)  # minutes of the day
    quiet_to = models.PositiveSmallIntegerField(default=8 * 60)
    time_zone = models.PositiveSmallIntegerField(choices=TIME_ZONES, default=2)
    reminder_hours = models.PositiveSmallIntegerField(default=6)  # 0: no reminders
    reminders_most = models.PositiveSmallIntegerField(default=3)
    messages_an_hour = models.PositiveSmallIntegerField(default=12)  # to one channel
    tell_recovery = models.BooleanField(default=True)

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(id=1), name="alert_policy_is_one")]


class Problem(models.Model):
    """Something that a rule has found, from its opening to its end."""

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    rule = models.CharField(max_length=30)
    subject = models.CharField(max_length=80, blank=True)  # which register, account or incident
    text = models.CharField(max_length=500)
    next_step = models.CharField(max_length=300, blank=True)
    link = models.CharField(max_length=200, blank=True)  # a path below the base URL
    is_urgent = models.BooleanField()
    opened_ms = models.BigIntegerField()
    told_ms = models.BigIntegerField()  # the last notice about it
    reminders = models.PositiveSmallIntegerField(default=0)
    absent_ms = models.BigIntegerField(null=True)  # since when the rule finds it no more
    closed_ms = models.BigIntegerField(null=True)

    class Meta:
        verbose_name = "неполадка"
        verbose_name_plural = "неполадки"
        constraints = [
            models.UniqueConstraint(
                fields=["rule", "subject"], condition=models.Q(closed_ms__isnull=True), name="problem_open_once"
            )
        ]
        indexes = [models.Index(fields=["closed_ms"], name="problem_closed")]


NOTICE_KINDS = [
    ("opened", "Неполадка"),
    ("reminder", "Напоминание"),
    ("recovered", "Восстановлено"),
    ("test", "Проверочное"),
]


class Notice(models.Model):
    """One thing to tell, as it was when it happened."""

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    kind = models.CharField(max_length=10, choices=NOTICE_KINDS)
    problem = models.ForeignKey(Problem, models.CASCADE, null=True, related_name="notices")
    rule = models.CharField(max_length=30, blank=True)
    subject = models.CharField(max_length=80, blank=True)
    text = models.CharField(max_length=500)
    next_step = models.CharField(max_length=300, blank=True)
    link = models.CharField(max_length=200, blank=True)
    is_urgent = models.BooleanField(default=False)
    opened_ms = models.BigIntegerField(null=True)
    at_ms = models.BigIntegerField()

    class Meta:
        verbose_name = "оповещение"
        verbose_name_plural = "оповещения"
        indexes = [models.Index(fields=["at_ms"], name="notice_at")]


DISPATCH_STATES = [("waiting", "Ждёт"), ("sent", "Отправлено"), ("given_up", "Не доставлено")]


class Dispatch(models.Model):
    """A notice on its way to one channel. Waits as a row, never as a stack frame."""

    notice = models.ForeignKey(Notice, models.CASCADE, related_name="dispatches")
    channel = models.ForeignKey(Channel, models.CASCADE, related_name="dispatches", db_index=False)
    state = models.CharField(max_length=10, choices=DISPATCH_STATES, default="waiting")
    due_ms = models.BigIntegerField()  # later than now: quiet hours
    tries = models.PositiveIntegerField(default=0)
    settled_ms = models.BigIntegerField(null=True)
    error_code = models.CharField(max_length=40, blank=True)
    error_text = models.CharField(max_length=300, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["notice", "channel"], name="dispatch_once_to_a_channel"),
            models.CheckConstraint(
                condition=models.Q(state__in=[state for state, _label in DISPATCH_STATES]), name="dispatch_state_known"
            ),
        ]
        indexes = [
            models.Index(fields=["channel", "due_ms"], condition=models.Q(state="waiting"), name="dispatch_waiting")
        ]
