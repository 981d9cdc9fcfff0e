"""Obligations, receipts, their states, events and fiscal results.

Everything here is append-only but `ReceiptState`, the narrow row that the single writer moves
(`chekhov.receipts.writer`). Scheduling columns are integers of milliseconds since 1970 by the database's clock.
"""

from __future__ import annotations

import uuid

from django.db import models

from chekhov.directory.models import Organization, Region
from chekhov.receipts.states import State
from chekhov.registers.models import Account, Register
from chekhov.sales.models import Customer, Fact, Invoice


class Obligation(models.Model):
    """A receipt that the law wants for a fact: with the policy it was derived under, the routing and the due date."""

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    fact = models.ForeignKey(Fact, models.PROTECT, verbose_name="факт", related_name="obligations", db_index=False)
    slot = models.CharField(max_length=20)  # which receipt of the fact: settlement, and closings to come
    part = models.PositiveSmallIntegerField(default=0)
    organization = models.ForeignKey(Organization, models.PROTECT, verbose_name="организация", db_index=False)
    region = models.ForeignKey(Region, models.PROTECT, verbose_name="регион", db_index=False)
    customer = models.ForeignKey(Customer, models.PROTECT, verbose_name="клиент", db_index=False)
    invoice = models.ForeignKey(Invoice, models.PROTECT, verbose_name="счёт", null=True, db_index=False)
    amount_kopecks = models.BigIntegerField("сумма")
    policy = models.JSONField()
    routing = models.JSONField()
    due_at = models.DateTimeField("срок чека")
    missing_code = models.CharField("почему нет чека", max_length=40, blank=True)
    missing_text = models.CharField(max_length=500, blank=True)
    missing_step = models.CharField(max_length=300, blank=True)
    recorded_at = models.DateTimeField("записано")

    class Meta:
        verbose_name = "обязанность выдать чек"
        verbose_name_plural = "обязанности выдать чек"
        constraints = [
            models.UniqueConstraint(fields=["fact", "slot", "part"], name="obligation_once_for_a_fact"),
            models.CheckConstraint(condition=models.Q(amount_kopecks__gt=0), name="obligation_amount_is_positive"),
        ]
        indexes = [
            models.Index(fields=["due_at"], condition=models.Q(missing_code__gt=""), name="obligation_missing"),
        ]


class Receipt(models.Model):
    """A fiscal document as it was sent, wholly immutable. A mistake is answered by another document."""

    uuid = models.UUIDField(unique=True, editable=False)
    obligation = models.ForeignKey(Obligation, models.PROTECT, related_name="receipts", db_index=False)
    generation = models.PositiveSmallIntegerField()
    document = models.TextField()  # chekhov.fiscal.codec
    kind = models.CharField("вид", max_length=20)
    sign = models.PositiveSmallIntegerField("признак расчёта")
    total_kopecks = models.BigIntegerField("сумма")
    register = models.ForeignKey(
        Register, models.PROTECT, verbose_name="касса", related_name="receipts", db_index=False
    )
    account = models.ForeignKey(Account, models.PROTECT, related_name="receipts", db_index=False)
    queue = models.PositiveIntegerField()
    organization = models.ForeignKey(Organization, models.PROTECT, verbose_name="организация", db_index=False)
    customer = models.ForeignKey(Customer, models.PROTECT, verbose_name="клиент", related_name="receipts")
    invoice = models.ForeignKey(Invoice, models.PROTECT, verbose_name="счёт", null=True, related_name="receipts")
    contact = models.CharField("контакт покупателя", max_length=64, blank=True)
    notices = models.JSONField(default=list)  # findings of severity W, as stored with the receipt
    after = models.ForeignKey("self", models.PROTECT, null=True, related_name="followers", db_index=False)
    created_at = models.DateTimeField("создан")
    actor = models.CharField("кто создал", max_length=100)

    class Meta:
        verbose_name = "чек"
        verbose_name_plural = "чеки"
        constraints = [
            models.UniqueConstraint(fields=["obligation", "generation"], name="receipt_once_in_a_generation"),
            models.CheckConstraint(condition=models.Q(total_kopecks__gt=0), name="receipt_total_is_positive"),
        ]
        indexes = [
            models.Index(fields=["contact"], name="receipt_contact"),
            models.Index(fields=["created_at"], name="receipt_created"),
            models.Index(fields=["register", "id"], name="receipt_of_register"),
        ]


class ReceiptState(models.Model):
    """The one row of a receipt that changes. Only `chekhov.receipts.writer` touches it."""

    receipt = models.OneToOneField(Receipt, models.PROTECT, primary_key=True, related_name="status")
    obligation = models.ForeignKey(Obligation, models.PROTECT, related_name="+", db_index=False)
    account = models.ForeignKey(Account, models.PROTECT, related_name="+", db_index=False)
    queue = models.PositiveIntegerField()
    state = models.CharField("состояние", max_length=12, choices=[(state.value, state.label) for state in State])
    version = models.PositiveIntegerField()  # events so far; the compare-and-set column
    head = models.CharField(max_length=64)  # code of the last event of the chain
    key_number = models.PositiveSmallIntegerField(default=1)
    due_ms = models.BigIntegerField(null=True)  # when the worker should look at it again; null: never by itself
    lease_owner = models.CharField(max_length=40, blank=True)
    lease_until_ms = models.BigIntegerField(null=True)
    polls = models.PositiveIntegerField(default=0)
    words = models.PositiveIntegerField(db_default=0)  # of the provider's, unasked: an answer asked for before is older
    provider_ref = models.CharField(max_length=64, blank=True)  # the provider's own id of the task
    wanted = models.CharField(max_length=10, blank=True)  # what a person asked for: retry, cancel
    wanted_by = models.CharField(max_length=100, blank=True)
    error_code = models.CharField(max_length=40, blank=True)
    error_text = models.CharField(max_length=500, blank=True)
    late_choice = models.CharField(
        max_length=10, blank=True, db_default=""
    )  # "send": a person chose the ordinary receipt
    changed_at = models.DateTimeField("изменён")

    class Meta:
        verbose_name = "состояние чека"
        verbose_name_plural = "состояния чеков"
        constraints = [
            models.UniqueConstraint(
                fields=["obligation"],
                condition=~models.Q(state=State.CANCELLED.value),
                name="obligation_has_one_live_receipt",
            ),
            models.CheckConstraint(
                condition=models.Q(state__in=[state.value for state in State]), name="receipt_state_is_known"
            ),
        ]
        indexes = [
            models.Index(
                fields=["account", "queue", "state", "due_ms"],
                condition=models.Q(due_ms__isnull=False),
                name="state_due",
            ),
            models.Index(
                fields=["lease_until_ms"], condition=models.Q(lease_until_ms__isnull=False), name="state_leased"
            ),
            models.Index(fields=["state", "receipt"], name="state_list"),
            models.Index(fields=["obligation"], condition=models.Q(state="cancelled"), name="state_cancelled"),
            models.Index(
                fields=["receipt"],
                condition=models.Q(error_code__in=["late", "person_decides"]),
                name="state_waits_for_person",
            ),
        ]


class ReceiptEvent(models.Model):
    """One transition of a receipt, chained by HMAC to the one before. Append-only."""

    receipt = models.ForeignKey(Receipt, models.PROTECT, related_name="events", db_index=False)
    number = models.PositiveIntegerField()
    from_state = models.CharField(max_length=12, blank=True)
    to_state = models.CharField(max_length=12)
    actor = models.CharField(max_length=100)
    reason = models.CharField(max_length=40)
    text = models.CharField(max_length=500, blank=True)
    at = models.DateTimeField()
    mac = models.CharField(max_length=64)

    class Meta:
        verbose_name = "событие чека"
        verbose_name_plural = "события чека"
        constraints = [models.UniqueConstraint(fields=["receipt", "number"], name="event_once_in_a_chain")]


class Incident(models.Model):
    """Something that only a person can settle: it stays on the screen until somebody closes it with a word."""

    receipt = models.ForeignKey(Receipt, models.PROTECT, related_name="incidents")
    code = models.CharField(max_length=40)
    text = models.CharField(max_length=500)
    happened_at = models.DateTimeField("когда")
    closed_at = models.DateTimeField(null=True)
    closed_by = models.CharField(max_length=100, blank=True)
    note = models.CharField(max_length=300, blank=True)

    class Meta:
        verbose_name = "происшествие"
        verbose_name_plural = "происшествия"
        constraints = [
            models.UniqueConstraint(
                fields=["receipt", "code"], condition=models.Q(closed_at__isnull=True), name="incident_open_once"
            )
        ]
        indexes = [models.Index(fields=["receipt"], condition=models.Q(closed_at__isnull=True), name="incident_open")]


class FiscalRecord(models.Model):
    """What the register gave back: the proof that the receipt exists. Inserted once."""

    receipt = models.OneToOneField(Receipt, models.PROTECT, primary_key=True, related_name="fiscal")
    fn = models.CharField("ФН", max_length=16)
    fd = models.BigIntegerField("ФД")
    fp = models.CharField("ФП", max_length=10)
    printed_at = models.CharField("дата и время в чеке", max_length=20)  # tag 1012, local time, as in the QR code
    sign = models.PositiveSmallIntegerField()
    total_kopecks = models.BigIntegerField()
    rn = models.CharField("РН ККТ", max_length=16, blank=True)
    shift = models.PositiveIntegerField(null=True)
    number = models.PositiveIntegerField(null=True)
    url = models.CharField(max_length=500, blank=True)
    recorded_at = models.DateTimeField()

    class Meta:
        verbose_name = "фискальные данные"
        verbose_name_plural = "фискальные данные"
        constraints = [models.UniqueConstraint(fields=["fd", "fn"], name="fiscal_document_once")]
