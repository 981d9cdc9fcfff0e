"""Users, sources with their API keys, and the append-only journal of people's actions."""

from __future__ import annotations

import uuid

from django.contrib.auth.models import AbstractUser
from django.db import models


class User(AbstractUser):
    """A person who works in the panel. His position and surname stand in counter receipts (tag 1021)."""

    position = models.CharField(
        "должность", max_length=32, blank=True, help_text="Печатается в чеке: «Кассир Петрова А. А.»"
    )
    inn = models.CharField("ИНН", max_length=12, blank=True, help_text="ИНН кассира, 12 цифр; можно не указывать")

    class Meta:
        verbose_name = "пользователь"
        verbose_name_plural = "пользователи"

    @property
    def actor_name(self) -> str:
        """As the person stands in facts, receipts and events: ``user:petrova``, at most 100 characters."""
        return f"user:{self.get_username()}"[:100]

    @property
    def cashier_name(self) -> str:
        """Position and surname for tag 1021; empty where the person has no name."""
        initials = " ".join(f"{part[0]}." for part in self.first_name.split() if part)
        name = " ".join(part for part in (self.last_name, initials) if part)
        return f"{self.position} {name}".strip()[:64] if name else ""


class Source(models.Model):
    """A site or a CMS that sends orders. Two sources may both have an order 17."""

    code = models.SlugField("код", max_length=40, unique=True)
    name = models.CharField("название", max_length=100)
    created_at = models.DateTimeField("создан", auto_now_add=True)

    class Meta:
        verbose_name = "источник"
        verbose_name_plural = "источники"

    def __str__(self) -> str:
        return self.name


class ApiKey(models.Model):
    """A key of a source. Only its digest is kept; the key itself is shown once."""

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    source = models.ForeignKey(Source, models.PROTECT, verbose_name="источник", related_name="keys")
    name = models.CharField("название", max_length=100)
    prefix = models.CharField("начало ключа", max_length=12, editable=False)
    digest = models.CharField(max_length=64, unique=True, editable=False)
    created_at = models.DateTimeField("создан", auto_now_add=True)
    revoked_at = models.DateTimeField("отозван", null=True, blank=True, editable=False)
    last_used_on = models.DateField("последний раз использован", null=True, blank=True, editable=False)

    class Meta:
        verbose_name = "API-ключ"
        verbose_name_plural = "API-ключи"

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"


class Action(models.Model):
    """One action of a person, append-only."""

    at = models.DateTimeField("когда", db_index=True)
    actor = models.ForeignKey(User, models.PROTECT, verbose_name="кто", null=True, related_name="actions")
    kind = models.CharField("действие", max_length=60)
    subject = models.CharField("над чем", max_length=120, blank=True)
    summary = models.CharField("подробности", max_length=500, blank=True)
    details = models.JSONField(default=dict)

    class Meta:
        verbose_name = "действие"
        verbose_name_plural = "журнал действий"
