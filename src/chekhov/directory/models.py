"""Organizations with dated tax settings, places of settlement, regions, and the installation's identity."""

from __future__ import annotations

import uuid

from django.db import models

from chekhov.fiscal.vocabulary import VAT_MODE_LABELS, TaxSystem, VatMode

TIME_ZONES = [
    (1, "UTC+2 (Калининград)"),
    (2, "UTC+3 (Москва)"),
    (3, "UTC+4 (Самара)"),
    (4, "UTC+5 (Екатеринбург)"),
    (5, "UTC+6 (Омск)"),
    (6, "UTC+7 (Красноярск)"),
    (7, "UTC+8 (Иркутск)"),
    (8, "UTC+9 (Якутск)"),
    (9, "UTC+10 (Владивосток)"),
    (10, "UTC+11 (Магадан)"),
    (11, "UTC+12 (Камчатка)"),
]
PREPAYMENT_OBJECTS = [("payment", "Платёж"), ("own", "Предмет самого товара")]


class Installation(models.Model):
    """One row: the identity that all receipt keys are derived from. A restored backup keeps it."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    uuid = models.UUIDField(default=uuid.uuid4)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(id=1), name="installation_is_one")]


class Organization(models.Model):
    """A seller (юридическое лицо или ИП)."""

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    code = models.SlugField("код", max_length=40, unique=True, help_text="Для API: латинские буквы, цифры, дефис")
    name = models.CharField("название", max_length=200)
    inn = models.CharField("ИНН", max_length=12, unique=True)
    site_host = models.CharField("сайт", max_length=256, help_text="Место расчётов в чеке за покупку на сайте")
    email = models.CharField("e-mail отправителя", max_length=64, blank=True)
    fallback_contact = models.CharField(
        "запасной контакт",
        max_length=64,
        blank=True,
        help_text="Куда уйдёт электронный чек, если покупатель не оставил ни почты, ни телефона",
    )
    time_zone = models.PositiveSmallIntegerField("часовой пояс", choices=TIME_ZONES, default=2)
    prepayment_object = models.CharField(
        "предмет расчёта в авансах и предоплатах",
        max_length=10,
        choices=PREPAYMENT_OBJECTS,
        default="payment",
    )
    b2b_sbp_receipts = models.BooleanField(
        "чек за оплату через СБП между организациями",
        default=True,
        help_text="ФНС считает, что чек нужен (письмо от 28.03.2025 № ЗГ-2-20/5068@)",
    )

    class Meta:
        verbose_name = "организация"
        verbose_name_plural = "организации"

    def __str__(self) -> str:
        return self.name


class OrganizationTaxSystem(models.Model):
    """A tax system that the organization applies in a period. Several may be in force at once (УСН + Патент)."""

    organization = models.ForeignKey(Organization, models.CASCADE, related_name="tax_systems")
    tax_system = models.PositiveSmallIntegerField("система налогообложения", choices=TaxSystem.choices())
    valid_from = models.DateField("действует с")
    valid_to = models.DateField("по", null=True, blank=True)

    class Meta:
        verbose_name = "система налогообложения"
        verbose_name_plural = "системы налогообложения"
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "tax_system", "valid_from"], name="tax_system_once_from_a_date"
            ),
            models.CheckConstraint(
                condition=models.Q(valid_to__isnull=True) | models.Q(valid_to__gte=models.F("valid_from")),
                name="tax_system_period_is_a_period",
            ),
        ]

    def __str__(self) -> str:
        return TaxSystem(self.tax_system).label


class OrganizationVatMode(models.Model):
    """How the organization pays VAT from a date on, until the next row."""

    organization = models.ForeignKey(Organization, models.CASCADE, related_name="vat_modes")
    vat_mode = models.CharField("НДС", max_length=10, choices=[(mode.value, VAT_MODE_LABELS[mode]) for mode in VatMode])
    valid_from = models.DateField("действует с")

    class Meta:
        verbose_name = "режим НДС"
        verbose_name_plural = "режимы НДС"
        constraints = [models.UniqueConstraint(fields=["organization", "valid_from"], name="vat_mode_once_from_a_date")]

    def __str__(self) -> str:
        return VAT_MODE_LABELS[VatMode(self.vat_mode)]


class Place(models.Model):
    """A place of settlement: a shop, a pick-up point, a warehouse with a till."""

    organization = models.ForeignKey(Organization, models.PROTECT, verbose_name="организация", related_name="places")
    name = models.CharField("название", max_length=256, help_text="Место расчётов в чеке: «Магазин на Ленина, 5»")
    address = models.CharField("адрес", max_length=256)
    time_zone = models.PositiveSmallIntegerField("часовой пояс", choices=TIME_ZONES, default=2)

    class Meta:
        verbose_name = "место расчётов"
        verbose_name_plural = "места расчётов"

    def __str__(self) -> str:
        return self.name


class Region(models.Model):
    """A region of sales. A client and the register that serves him must be in one region."""

    code = models.SlugField("код", max_length=40, unique=True, help_text="Для API: латинские буквы, цифры, дефис")
    name = models.CharField("название", max_length=100)
    organization = models.ForeignKey(
        Organization,
        models.PROTECT,
        verbose_name="организация",
        related_name="regions",
        help_text="Кто продаёт в этом регионе, если в счёте не указано иное",
    )
    place = models.ForeignKey(
        Place,
        models.PROTECT,
        verbose_name="место расчётов",
        null=True,
        blank=True,
        related_name="regions",
        help_text="Где в этом регионе принимают деньги лично",
    )

    class Meta:
        verbose_name = "регион"
        verbose_name_plural = "регионы"

    def __str__(self) -> str:
        return self.name
