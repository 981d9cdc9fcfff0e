"""Which register may stand by for another: the document of the one must be right on the other as it is.

A receipt is formed once and never edited. It carries the seller's ИНН, tax system, address, place of settlement and
time zone; the registers must agree in all of them.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from chekhov.registers.models import Register


@dataclass(frozen=True, slots=True)
class Standing:
    """What a register is, as far as a document depends on it."""

    id: int | None
    account_id: int | None
    queue: int
    organization_id: int
    region_ids: AbstractSet[int]
    tax_system: int
    place: tuple[str, str, int | None]  # name, address, time zone
    ffd: int
    internet_only: bool
    excise: bool | None
    max_lines: int
    allow_zero_lines: bool
    is_archived: bool = False


def standing_of(register: Register) -> Standing:
    """A saved record, as it is now."""
    place = register.place
    return Standing(
        id=register.pk,
        account_id=register.account_id,
        queue=register.queue,
        organization_id=register.organization_id,
        region_ids={register.region_id, *register.extra_regions.values_list("pk", flat=True)},
        tax_system=register.tax_system,
        place=(place.name, place.address, place.time_zone) if place is not None else ("", "", None),
        ffd=register.ffd,
        internet_only=register.internet_only,
        excise=register.excise,
        max_lines=register.max_lines,
        allow_zero_lines=register.allow_zero_lines,
        is_archived=register.archived_at is not None,
    )


def unfit(first: Standing, standby: Standing) -> tuple[str, str] | None:
    """Why a register cannot stand by for the first: code and sentence; None when it can."""
    if standby.is_archived:
        return "standby_archived", "Резервная касса отключена."
    if (first.account_id, first.queue) == (standby.account_id, standby.queue):
        return "standby_same_device", "Это та же физическая касса: ShopID и очередь совпадают."
    if first.organization_id != standby.organization_id:
        return "standby_other_organization", "Резервная касса принадлежит другой организации."
    if set(first.region_ids) != set(standby.region_ids):
        return "standby_other_regions", "У резервной кассы другие регионы: основной и дополнительные должны совпадать."
    if first.tax_system != standby.tax_system:
        return "standby_other_tax_system", "У резервной кассы другая система налогообложения."
    if first.place != standby.place:
        return (
            "standby_other_place",
            "Резервная касса стоит в другом месте: адрес и место расчётов напечатаны в чеке и должны совпадать.",
        )
    if first.ffd != standby.ffd:
        return "standby_other_ffd", "У резервной кассы другая версия ФФД."
    if standby.internet_only and not first.internet_only:
        return "standby_internet_only", "Резервная касса — только для интернета: чеки за наличные ей не передать."
    if first.excise and not standby.excise:
        return "standby_excise", "Резервная касса не зарегистрирована для подакцизных товаров."
    if standby.max_lines < first.max_lines or (first.allow_zero_lines and not standby.allow_zero_lines):
        return "standby_narrower", "Резервная касса принимает не всё, что принимает основная: позиции или нулевые цены."
    return None
