"""Provider accounts and cash-register records («Онлайн-кассы для фискализации»)."""

from __future__ import annotations

import uuid

from django.db import models

from chekhov.directory.models import Organization, Place, Region
from chekhov.fiscal.vocabulary import Ffd, PaymentMethod, PaymentObject, RegisterVatRate, TaxSystem

METHOD_ORDER = [
    PaymentMethod.ADVANCE,
    PaymentMethod.FULL_PAYMENT,
    PaymentMethod.PREPAYMENT_FULL,
    PaymentMethod.PREPAYMENT_PART,
    PaymentMethod.PARTIAL_CREDIT,
    PaymentMethod.CREDIT_PAYMENT,
    PaymentMethod.CREDIT,
]
METHOD_CHOICES = [(method.value, method.label) for method in METHOD_ORDER]
TOPUP_OBJECT_CHOICES = [
    (item.value, item.label)
    for item in (
        PaymentObject.PAYMENT,
        PaymentObject.PRODUCT,
        PaymentObject.EXCISE,
        PaymentObject.WORK,
        PaymentObject.SERVICE,
    )
]
VAT_RATE_CHOICES = [(rate.value, rate.label) for rate in RegisterVatRate]


class Account(models.Model):
    """An account (shop) at a provider: what records with the same ShopID share. Never deleted while referenced."""

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    provider = models.CharField("провайдер", max_length=20)
    service_url = models.CharField("адрес сервиса", max_length=200)
    shop_id = models.CharField("ShopID", max_length=100)
    secret_encrypted = models.TextField(editable=False)
    link_token = models.CharField(max_length=64, unique=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = "учётная запись"
        verbose_name_plural = "учётные записи"
        constraints = [
            models.UniqueConstraint(fields=["provider", "service_url", "shop_id"], name="account_once_at_a_provider")
        ]

    def __str__(self) -> str:
        return f"{self.provider}: {self.shop_id}"


class Register(models.Model):
    """A cash-register record. Several may stand for one physical register (same account and queue)."""

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    region = models.ForeignKey(Region, models.PROTECT, verbose_name="регион", related_name="registers")
    name = models.CharField("название", max_length=100)
    account = models.ForeignKey(Account, models.PROTECT, related_name="registers")
    queue = models.PositiveIntegerField("ID очереди")
    tax_system = models.PositiveSmallIntegerField(
        "система налогообложения при онлайн оплатах", choices=TaxSystem.choices()
    )
    vat_rate = models.CharField("ставка налога", max_length=8, choices=VAT_RATE_CHOICES)
    online_method = models.PositiveSmallIntegerField(
        "способ расчёта при онлайн оплатах", choices=METHOD_CHOICES, default=PaymentMethod.ADVANCE.value
    )
    topup_method = models.PositiveSmallIntegerField(
        "способ расчёта при пополнении баланса", choices=METHOD_CHOICES, default=PaymentMethod.ADVANCE.value
    )
    topup_object = models.PositiveSmallIntegerField(
        "предмет расчёта при пополнении баланса", choices=TOPUP_OBJECT_CHOICES, default=PaymentObject.PAYMENT.value
    )
    topup_name = models.CharField(
        "название позиции при пополнении баланса", max_length=128, default="Пополнение баланса"
    )
    active_online = models.BooleanField("активен при онлайн оплатах", default=True)
    extra_regions = models.ManyToManyField(
        Region, verbose_name="дополнительные регионы для онлайн оплат", blank=True, related_name="extra_registers"
    )
    print_online = models.BooleanField("печатать чек при онлайн оплате", default=False)
    organization = models.ForeignKey(Organization, models.PROTECT, verbose_name="организация", related_name="registers")
    place = models.ForeignKey(
        Place, models.PROTECT, verbose_name="место, где стоит касса", null=True, blank=True, related_name="registers"
    )
    ffd = models.PositiveSmallIntegerField("версия ФФД", choices=Ffd.choices(), default=Ffd.V1_2.value)
    internet_only = models.BooleanField(
        "только для расчётов в интернете", default=False, help_text="Признак 1108: наличные не принимает"
    )
    excise = models.BooleanField("зарегистрирована для подакцизных товаров", null=True, blank=True)
    max_lines = models.PositiveSmallIntegerField("позиций в чеке, не больше", default=100)
    allow_zero_lines = models.BooleanField("принимает позиции по нулевой цене", default=False)
    standby = models.ForeignKey(
        "self", models.PROTECT, verbose_name="резервная касса", null=True, blank=True, related_name="stands_by_for"
    )
    standby_after_minutes = models.PositiveSmallIntegerField("переводить на резервную через, минут", default=15)
    credit_confirmed = models.BooleanField(default=False, editable=False)
    checked_at = models.DateTimeField(null=True, editable=False)
    check_code = models.CharField(max_length=30, blank=True, editable=False)
    check_text = models.CharField(max_length=300, blank=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    archived_at = models.DateTimeField("отключена", null=True, editable=False)

    class Meta:
        verbose_name = "онлайн-касса"
        verbose_name_plural = "онлайн-кассы для фискализации"
        indexes = [models.Index(fields=["region"], name="register_region")]

    def __str__(self) -> str:
        return self.name
