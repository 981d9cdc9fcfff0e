"""Attempts, the lanes that limit them, callbacks and the heartbeat of workers."""

from __future__ import annotations

import uuid

from django.db import models

from chekhov.receipts.models import Receipt
from chekhov.registers.models import Account


class Breaker(models.TextChoices):
    """The circuit breaker of a lane."""

    CLOSED = "closed", "работает"
    OPEN = "open", "ждёт восстановления связи"
    HALF_OPEN = "half_open", "пробует связь"


class Lane(models.Model):
    """An account's queue, that is, one physical register as the worker sees it: its limits and what holds it up.

    Everything that workers on several machines must agree on about a queue stands here. Columns in `_ms` are by the
    database's clock, 0 where there is nothing.
    """

    account = models.ForeignKey(Account, models.PROTECT, related_name="lanes")
    queue = models.PositiveIntegerField()
    in_flight_max = models.PositiveIntegerField("одновременно, не больше")
    turn = models.PositiveBigIntegerField(default=0)  # claims so far: sending and asking take turns
    served_ms = models.BigIntegerField(default=0)  # the lane that waited longest goes first
    # the service asked for a rest, or the connection must be mended: chekhov.delivery.outcomes.Pause
    paused_until_ms = models.BigIntegerField(default=0)
    pause_since_ms = models.BigIntegerField(db_default=0)  # the first of the pauses without a success between them
    pause_code = models.CharField(max_length=40, blank=True)
    pause_text = models.CharField(max_length=300, blank=True)
    # the circuit breaker: chekhov.delivery.breaker
    breaker = models.CharField(max_length=10, choices=Breaker.choices, db_default=Breaker.CLOSED.value)
    failures = models.PositiveIntegerField(db_default=0)  # in a row
    window_total = models.PositiveIntegerField(db_default=0)  # answers since the first failure of the window
    window_failed = models.PositiveIntegerField(db_default=0)
    openings = models.PositiveIntegerField(db_default=0)  # without a success between them: each is longer
    open_until_ms = models.BigIntegerField(db_default=0)
    probe_until_ms = models.BigIntegerField(db_default=0)  # the single probe is under way, at most until then
    broken_since_ms = models.BigIntegerField(db_default=0)
    breaker_text = models.CharField(max_length=300, blank=True, db_default="")
    # a person's stop: chekhov.delivery.limits
    stopped_ms = models.BigIntegerField(db_default=0)
    stopped_by = models.CharField(max_length=100, blank=True, db_default="")
    stopped_why = models.CharField(max_length=300, blank=True, db_default="")
    stops_polls = models.BooleanField(db_default=False)
    # the stand-by register: chekhov.delivery.standby
    checked_ms = models.BigIntegerField(db_default=0)
    passive_since_ms = models.BigIntegerField(db_default=0)
    diverted = models.BooleanField(db_default=False)  # new receipts go to the stand-by register

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account", "queue"], name="lane_once_for_a_queue"),
            models.CheckConstraint(condition=models.Q(breaker__in=Breaker.values), name="lane_breaker_is_known"),
        ]


class Pace(models.Model):
    """How often an account may be asked, all its queues together, polls included."""

    account = models.OneToOneField(Account, models.PROTECT, primary_key=True, related_name="pace")
    rate_per_second = models.PositiveIntegerField("запросов в секунду")  # 0: without a limit
    next_slot_ms = models.BigIntegerField(default=0)  # up to here the allowance is used up


class CallbackUrl(models.Model):
    """An address that a provider was told to call: callbacks signed for any of them are accepted, for ever."""

    account = models.ForeignKey(Account, models.PROTECT, related_name="callback_urls")
    url = models.CharField(max_length=300)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["account", "url"], name="callback_url_once")]


class Attempt(models.Model):
    """One sending of one receipt under one key. Written before the call; its answer is written once."""

    receipt = models.ForeignKey(Receipt, models.PROTECT, related_name="attempts", db_index=False)
    number = models.PositiveIntegerField()
    key_number = models.PositiveSmallIntegerField()
    key = models.CharField(max_length=64)
    account = models.ForeignKey(Account, models.PROTECT, related_name="+", db_index=False)
    queue = models.PositiveIntegerField()
    callback_url = models.CharField(max_length=300)
    body = (
        models.BinaryField()
    )  # the bytes of the first attempt under the key; empty in its repeats, which send the same
    owner = models.CharField(max_length=40)
    sent_at = models.DateTimeField()
    answered_at = models.DateTimeField(null=True)
    outcome = models.CharField(max_length=12, blank=True)  # chekhov.delivery.outcomes.Outcome
    status = models.PositiveSmallIntegerField(null=True)
    answer = models.TextField(blank=True)
    error_code = models.CharField(max_length=40, blank=True)
    error_text = models.CharField(max_length=500, blank=True)

    class Meta:
        verbose_name = "попытка"
        verbose_name_plural = "попытки"
        constraints = [models.UniqueConstraint(fields=["receipt", "number"], name="attempt_once_in_a_receipt")]
        # a first key is its receipt's UUID, which has an index; one of all keys, at random, costs a page each sending
        indexes = [models.Index(fields=["key"], condition=models.Q(key_number__gt=1), name="attempt_later_key")]


class Absence(models.Model):
    """Proof that the sendings of a receipt under one key, up to a number, stored nothing at the provider.

    The provider said so when it was asked by our key, or a person who has looked. Append-only.
    """

    receipt = models.ForeignKey(Receipt, models.PROTECT, related_name="absences")
    key_number = models.PositiveSmallIntegerField()
    attempt_number = models.PositiveIntegerField()  # the last sending that it speaks of
    found_by = models.CharField(max_length=100)
    text = models.CharField(max_length=500)
    found_at = models.DateTimeField()

    class Meta:
        verbose_name = "доказательство отсутствия"
        verbose_name_plural = "доказательства отсутствия"


class Sighting(models.Model):
    """A task of a key or a receipt that was given up: a word that it has printed, or the answer that it has not.

    See `chekhov.delivery.sightings`.
    """

    receipt = models.ForeignKey(Receipt, models.PROTECT, related_name="sightings", db_index=False)
    key_number = models.PositiveSmallIntegerField()
    provider_ref = models.CharField(max_length=64)
    seen_at = models.DateTimeField()
    is_own = models.BooleanField(
        db_default=False
    )  # no word of it: another came before, and it is asked about afterwards
    answered_at = models.DateTimeField(null=True)
    answer = models.CharField(max_length=20, blank=True)  # printed, failed; or a person's word: person

    class Meta:
        verbose_name = "сведение о прежней задаче"
        verbose_name_plural = "сведения о прежних задачах"
        constraints = [
            models.UniqueConstraint(  # what was answered may be sighted anew
                fields=["receipt", "key_number", "provider_ref"],
                condition=models.Q(answered_at__isnull=True),
                name="sighting_open_once",
            )
        ]


class Callback(models.Model):
    """A provider's notification exactly as it came, with the verdict and what it led to."""

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    provider = models.CharField(max_length=20)
    account = models.ForeignKey(Account, models.PROTECT, null=True, related_name="callbacks")
    receipt = models.ForeignKey(Receipt, models.PROTECT, null=True, related_name="callbacks")
    key = models.CharField(max_length=64, blank=True)
    headers = models.JSONField()
    body = models.BinaryField()
    digest = models.CharField(max_length=64)  # SHA-256 of the body: a repeat is stored once
    verdict = models.CharField(max_length=12)
    effect = models.CharField(max_length=40)
    received_at = models.DateTimeField(db_index=True)

    class Meta:
        verbose_name = "уведомление кассы"
        verbose_name_plural = "уведомления кассы"
        constraints = [models.UniqueConstraint(fields=["account", "verdict", "digest"], name="callback_stored_once")]


class WorkerBeat(models.Model):
    """A worker says that it lives."""

    name = models.CharField(max_length=40, primary_key=True)
    started_at = models.DateTimeField()
    seen_ms = models.BigIntegerField()  # by the database's clock
    sent = models.BigIntegerField(default=0)

    class Meta:
        verbose_name = "работник доставки"
        verbose_name_plural = "работники доставки"
