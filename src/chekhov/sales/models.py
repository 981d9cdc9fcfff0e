"""Customers, invoices and facts.

An invoice keeps its lines as one JSON document: it is replaced as a whole by the shop and never edited by halves
(docs/adr/0004). A fact is inserted by the room `receipts` only, in one transaction with what it owes.
"""

from __future__ import annotations

import uuid

from django.db import models

from chekhov.directory.models import Organization, Region
from chekhov.fiscal.vocabulary import CHANNEL_LABELS, MEANS_LABELS, Channel, Means
from chekhov.people.models import Source


class Customer(models.Model):
    """A buyer. `external_id` is the shop's own, unique within its source."""

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    source = models.ForeignKey(
        Source, models.PROTECT, verbose_name="источник", related_name="customers", db_index=False
    )
    external_id = models.CharField("id в магазине", max_length=100)
    name = models.CharField("имя", max_length=200)
    email = models.CharField("e-mail", max_length=64, blank=True)
    phone = models.CharField("телефон", max_length=19, blank=True)
    inn = models.CharField("ИНН", max_length=12, blank=True)
    region = models.ForeignKey(Region, models.PROTECT, verbose_name="регион", related_name="customers")
    search_name = models.CharField(max_length=200, editable=False, db_index=True)
    content_hash = models.CharField(max_length=64, editable=False)
    created_at = models.DateTimeField("создан", auto_now_add=True)

    class Meta:
        verbose_name = "клиент"
        verbose_name_plural = "клиенты"
        constraints = [models.UniqueConstraint(fields=["source", "external_id"], name="customer_once_in_a_source")]
        indexes = [
            models.Index(fields=["email"], name="customer_email"),
            models.Index(fields=["phone"], name="customer_phone"),
        ]

    def __str__(self) -> str:
        return self.name


class Invoice(models.Model):
    """A bill for known things. Replaced as a whole until the first fact hangs on it, frozen afterwards."""

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    source = models.ForeignKey(Source, models.PROTECT, verbose_name="источник", related_name="invoices", db_index=False)
    external_id = models.CharField("id в магазине", max_length=100)
    number = models.CharField("номер", max_length=60)
    customer = models.ForeignKey(Customer, models.PROTECT, verbose_name="клиент", related_name="invoices")
    region = models.ForeignKey(Region, models.PROTECT, verbose_name="регион", related_name="invoices")
    organization = models.ForeignKey(Organization, models.PROTECT, verbose_name="организация", related_name="invoices")
    lines = models.JSONField("позиции", help_text="как в API; деньги в копейках, количество в тысячных")
    discount_kopecks = models.BigIntegerField("скидка", default=0)
    total_kopecks = models.BigIntegerField("к оплате")
    paid_kopecks = models.BigIntegerField("оплачено", default=0)
    content_hash = models.CharField(max_length=64, editable=False)
    search_number = models.CharField(max_length=60, editable=False, db_index=True)
    created_at = models.DateTimeField("создан", auto_now_add=True)

    class Meta:
        verbose_name = "счёт"
        verbose_name_plural = "счета"
        constraints = [
            models.UniqueConstraint(fields=["source", "external_id"], name="invoice_once_in_a_source"),
            models.CheckConstraint(
                condition=models.Q(paid_kopecks__gte=0) & models.Q(paid_kopecks__lte=models.F("total_kopecks")),
                name="invoice_never_overpaid",
            ),
            models.CheckConstraint(condition=models.Q(total_kopecks__gt=0), name="invoice_costs_something"),
        ]

    def __str__(self) -> str:
        return f"Счёт {self.number}"


class FactKind(models.TextChoices):
    """What happened. Hand-overs, refunds, withdrawals and outside receipts have their place in this list to come."""

    PAYMENT = "payment", "Оплата счёта"
    TOPUP = "topup", "Пополнение баланса"


class Fact(models.Model):
    """Something that happened and cannot be unsaid. Unique by the shop's id within its parent and kind."""

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    kind = models.CharField("вид", max_length=20, choices=FactKind.choices)
    source = models.ForeignKey(Source, models.PROTECT, related_name="facts", db_index=False)
    external_id = models.CharField("id в магазине", max_length=100)
    invoice = models.ForeignKey(
        Invoice, models.PROTECT, verbose_name="счёт", null=True, related_name="facts", db_index=False
    )
    customer = models.ForeignKey(Customer, models.PROTECT, verbose_name="клиент", related_name="facts")
    organization = models.ForeignKey(Organization, models.PROTECT, related_name="facts", db_index=False)
    region = models.ForeignKey(Region, models.PROTECT, related_name="facts", db_index=False)
    amount_kopecks = models.BigIntegerField("сумма")
    means = models.CharField("чем", max_length=10, choices=[(item.value, MEANS_LABELS[item]) for item in Means])
    channel = models.CharField("где", max_length=10, choices=[(item.value, CHANNEL_LABELS[item]) for item in Channel])
    buyer_acts_for_business = models.BooleanField("покупатель — организация или ИП", default=False)
    occurred_at = models.DateTimeField("когда")
    recorded_at = models.DateTimeField("записан")
    actor = models.CharField("кто записал", max_length=100)
    content_hash = models.CharField(max_length=64)

    class Meta:
        verbose_name = "факт"
        verbose_name_plural = "факты"
        constraints = [
            models.UniqueConstraint(
                fields=["invoice", "kind", "external_id"],
                condition=models.Q(invoice__isnull=False),
                name="fact_once_on_an_invoice",
            ),
            models.UniqueConstraint(
                fields=["customer", "kind", "external_id"],
                condition=models.Q(invoice__isnull=True),
                name="fact_once_on_a_customer",
            ),
            models.CheckConstraint(condition=models.Q(amount_kopecks__gt=0), name="fact_amount_is_positive"),
            models.CheckConstraint(
                condition=~models.Q(kind="payment") | models.Q(invoice__isnull=False), name="payment_has_an_invoice"
            ),
        ]
