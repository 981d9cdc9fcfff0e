"""Writing the directories, and the questions about dates that they answer."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from uuid import UUID

from chekhov.config.database import writing
from chekhov.directory.models import (
    PREPAYMENT_OBJECTS,
    TIME_ZONES,
    Installation,
    Organization,
    OrganizationTaxSystem,
    OrganizationVatMode,
    Place,
    Region,
)
from chekhov.errors import Fault, Invalid
from chekhov.fiscal.contact import ContactError, normal_email, normal_phone, site_host
from chekhov.fiscal.inn import is_inn
from chekhov.fiscal.vocabulary import TaxSystem, VatMode
from chekhov.people.models import User
from chekhov.people.services import action_log


@lru_cache(maxsize=1)
def installation_uuid() -> UUID:
    """The identity of this installation, made on the first call. It never changes, so it is kept."""
    return Installation.objects.get_or_create(id=1)[0].uuid


# --- what people edit -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TaxPeriod:
    """A tax system in force from a date to a date, both included; no end: still in force."""

    tax_system: TaxSystem
    valid_from: date
    valid_to: date | None = None


@dataclass(frozen=True, slots=True)
class VatFrom:
    """How VAT is paid from a date on."""

    vat_mode: VatMode
    valid_from: date


@dataclass(frozen=True, slots=True)
class OrganizationContent:
    """An organization as filled in, with all its dated settings: saving replaces them as a whole."""

    code: str
    name: str
    inn: str
    site_host: str
    email: str = ""
    fallback_contact: str = ""
    time_zone: int = 2
    prepayment_object: str = "payment"
    b2b_sbp_receipts: bool = True
    tax_systems: Sequence[TaxPeriod] = ()
    vat_modes: Sequence[VatFrom] = ()


def organization_save(
    *, content: OrganizationContent, actor: User | None, organization: Organization | None = None
) -> Organization:
    """Create or change an organization with its tax systems and VAT modes, in one transaction.

    Raises Invalid with every fault found: `code`, `code_taken`, `required`, `inn`, `inn_taken`, `site_host`, `email`,
    `fallback_contact`, `tax_systems`, `vat_modes`.
    """
    faults: list[Fault] = []
    name = _named(content.name, 200, faults)
    inn = content.inn.strip()
    if not is_inn(inn):
        faults.append(
            Fault("inn", "inn", "ИНН записан с ошибкой: нужны 10 или 12 цифр, контрольная цифра должна сойтись.")
        )
    host = _contact(site_host, content.site_host, "site_host", faults)
    email = _contact(normal_email, content.email, "email", faults) if content.email.strip() else ""
    fallback = content.fallback_contact.strip()
    if fallback:
        fallback = _contact(normal_email if "@" in fallback else normal_phone, fallback, "fallback_contact", faults)
    _check_time_zone(content.time_zone, faults)
    if content.prepayment_object not in dict(PREPAYMENT_OBJECTS):
        faults.append(Fault("prepayment_object", "required", "Выберите значение из списка."))
    _check_tax_systems(content.tax_systems, faults)
    _check_vat_modes(content.vat_modes, content.tax_systems, faults)
    with writing():
        code = _code(content.code, Organization, organization, faults)
        others = Organization.objects.filter(inn=inn)
        if (others.exclude(pk=organization.pk) if organization else others).exists():
            faults.append(Fault("inn", "inn_taken", "Организация с этим ИНН уже есть."))
        _refuse(faults)
        row = organization or Organization()
        row.code, row.name, row.inn, row.site_host, row.email = code, name, inn, host, email
        row.fallback_contact, row.time_zone = fallback, content.time_zone
        row.prepayment_object, row.b2b_sbp_receipts = content.prepayment_object, content.b2b_sbp_receipts
        row.save()
        row.tax_systems.all().delete()
        row.vat_modes.all().delete()
        OrganizationTaxSystem.objects.bulk_create(
            OrganizationTaxSystem(
                organization=row,
                tax_system=period.tax_system.value,
                valid_from=period.valid_from,
                valid_to=period.valid_to,
            )
            for period in content.tax_systems
        )
        OrganizationVatMode.objects.bulk_create(
            OrganizationVatMode(organization=row, vat_mode=mode.vat_mode.value, valid_from=mode.valid_from)
            for mode in content.vat_modes
        )
        action_log(
            actor=actor,
            kind="organization_change" if organization else "organization_create",
            subject=str(row.uuid),
            summary=f"«{row.name}»",
            tax_systems=[
                [
                    period.tax_system.value,
                    period.valid_from.isoformat(),
                    period.valid_to and period.valid_to.isoformat(),
                ]
                for period in content.tax_systems
            ],
            vat_modes=[[mode.vat_mode.value, mode.valid_from.isoformat()] for mode in content.vat_modes],
        )
        return row


def place_save(
    *, organization_id: int, name: str, address: str, time_zone: int, actor: User | None, place: Place | None = None
) -> Place:
    """Create or change a place of settlement. Raises Invalid (`required`)."""
    faults: list[Fault] = []
    name, address = _named(name, 256, faults), _named(address, 256, faults, path="address")
    _check_time_zone(time_zone, faults)
    with writing():
        organization = Organization.objects.filter(pk=organization_id).first()
        if organization is None:
            faults.append(Fault("organization", "required", "Выберите организацию."))
        elif place is not None and place.organization_id != organization.pk and _is_used(place):
            message = "Место уже указано у регионов или касс прежней организации: заведите новое."
            faults.append(Fault("organization", "place_in_use", message))
        _refuse(faults)
        assert organization is not None
        row = place or Place()
        row.organization, row.name, row.address, row.time_zone = organization, name, address, time_zone
        row.save()
        kind = "place_change" if place else "place_create"
        action_log(actor=actor, kind=kind, subject=str(row.pk), summary=f"«{row.name}»")
        return row


def region_save(
    *,
    code: str,
    name: str,
    organization_id: int,
    place_id: int | None,
    actor: User | None,
    region: Region | None = None,
) -> Region:
    """Create or change a region. Raises Invalid (`code`, `code_taken`, `required`, `other_organization`)."""
    faults: list[Fault] = []
    name = _named(name, 100, faults)
    with writing():
        code = _code(code, Region, region, faults)
        organization = Organization.objects.filter(pk=organization_id).first()
        if organization is None:
            faults.append(Fault("organization", "required", "Выберите организацию."))
        place = Place.objects.filter(pk=place_id).first() if place_id is not None else None
        if place is not None and organization is not None and place.organization_id != organization.pk:
            faults.append(Fault("place", "other_organization", "Это место расчётов принадлежит другой организации."))
        _refuse(faults)
        assert organization is not None
        row = region or Region()
        row.code, row.name, row.organization, row.place = code, name, organization, place
        row.save()
        kind = "region_change" if region else "region_create"
        action_log(actor=actor, kind=kind, subject=row.code, summary=f"«{row.name}»")
        return row


def _refuse(faults: list[Fault]) -> None:
    if faults:
        raise Invalid(
            faults[0].code, faults[0].message, next_step="Исправьте отмеченные поля и сохраните ещё раз.", faults=faults
        )


def _named(text: str, limit: int, faults: list[Fault], *, path: str = "name") -> str:
    """A text that stands in receipts or lists: spaces collapsed, printable by a register."""
    text = " ".join(text.split())
    if not 1 <= len(text) <= limit:
        faults.append(Fault(path, "required", f"Заполните поле: от 1 до {limit} символов."))
    return text


def _code(
    text: str,
    model: type[Organization] | type[Region],
    row: Organization | Region | None,
    faults: list[Fault],
) -> str:
    code = text.strip()
    if not _CODE.fullmatch(code):
        faults.append(Fault("code", "code", "Код: от 1 до 40 латинских букв, цифр, дефисов и подчёркиваний."))
    else:
        others = model._default_manager.filter(code=code)
        if (others.exclude(pk=row.pk) if row else others).exists():
            faults.append(Fault("code", "code_taken", f"Код «{code}» уже занят."))
    return code


def _contact(normal: Callable[[str], str], text: str, path: str, faults: list[Fault]) -> str:
    try:
        return normal(text)
    except ContactError as error:
        faults.append(Fault(path, path, str(error)))
        return ""


def _check_time_zone(number: int, faults: list[Fault]) -> None:
    if number not in dict(TIME_ZONES):
        faults.append(Fault("time_zone", "required", "Выберите часовой пояс из списка."))


def _check_tax_systems(periods: Sequence[TaxPeriod], faults: list[Fault]) -> None:
    if not periods:
        faults.append(Fault("tax_systems", "tax_systems", "Укажите хотя бы одну систему налогообложения."))
    for index, period in enumerate(periods):
        if period.valid_to is not None and period.valid_to < period.valid_from:
            faults.append(Fault(f"tax_systems.{index}.valid_to", "tax_systems", "Конец раньше начала."))
        if period.tax_system is TaxSystem.ENVD and (period.valid_to is None or period.valid_to > _ENVD_LAST):
            message = "ЕНВД отменён с 1 января 2021 года: поставьте дату окончания не позже 31.12.2020."
            faults.append(Fault(f"tax_systems.{index}.valid_to", "tax_systems", message))
        for other in periods[:index]:
            if other.tax_system is period.tax_system and _overlap(other, period):
                message = f"«{period.tax_system.label}» уже записана на эти даты другой строкой."
                faults.append(Fault(f"tax_systems.{index}.valid_from", "tax_systems", message))


def _check_vat_modes(modes: Sequence[VatFrom], periods: Sequence[TaxPeriod], faults: list[Fault]) -> None:
    if not modes:
        faults.append(
            Fault("vat_modes", "vat_modes", "Укажите, как организация платит НДС: без этого чек не составить.")
        )
    seen: set[date] = set()
    for index, mode in enumerate(modes):
        if mode.valid_from in seen:
            message = "На эту дату режим НДС уже указан."
            faults.append(Fault(f"vat_modes.{index}.valid_from", "vat_modes", message))
        seen.add(mode.valid_from)
        on_day = {
            period.tax_system
            for period in periods
            if period.valid_from <= mode.valid_from and (period.valid_to is None or mode.valid_from <= period.valid_to)
        }
        simplified = {TaxSystem.USN_INCOME, TaxSystem.USN_NET}
        if mode.vat_mode in {VatMode.USN_5, VatMode.USN_7} and on_day and not on_day & simplified:
            message = "Ставки 5 % и 7 % бывают только на УСН, а на эту дату УСН не указана."
            faults.append(Fault(f"vat_modes.{index}.vat_mode", "vat_modes", message))


def _overlap(one: TaxPeriod, two: TaxPeriod) -> bool:
    return (two.valid_to is None or one.valid_from <= two.valid_to) and (
        one.valid_to is None or two.valid_from <= one.valid_to
    )


def _is_used(place: Place) -> bool:
    """Whether a region or a register names the place. Registers live in a higher room: asked through the relation."""
    return any(
        relation.related_model._default_manager.filter(**{relation.field.name: place}).exists()
        for relation in Place._meta.related_objects
    )


_CODE = re.compile(r"[A-Za-z0-9_-]{1,40}")
_ENVD_LAST = date(2020, 12, 31)
