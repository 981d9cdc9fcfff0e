"""What a receipt is made of: the policy of the moment, the terms of a document, and the judgement of the rules."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import lru_cache
from typing import Any

import orjson

from chekhov.config.clock import local_date, now, zone
from chekhov.config.database import fetch, is_postgresql
from chekhov.drivers import registry
from chekhov.drivers.contract import Problem
from chekhov.fiscal.context import RegisterProfile, RuleContext
from chekhov.fiscal.document import Buyer, Cashier, Document, Seller
from chekhov.fiscal.rules import Finding, check
from chekhov.fiscal.settlement import Terms
from chekhov.fiscal.vocabulary import (
    Channel,
    Ffd,
    Means,
    PaymentMethod,
    PaymentObject,
    RegisterVatRate,
    TaxSystem,
    VatMode,
)
from chekhov.registers.routing import Candidate

CREDIT_METHODS = frozenset({PaymentMethod.PARTIAL_CREDIT, PaymentMethod.CREDIT, PaymentMethod.CREDIT_PAYMENT})


@dataclass(frozen=True, slots=True)
class SellerSettings:
    """An organization as forming needs it, with its VAT modes by date, newest first, and its tax systems by period."""

    id: int
    code: str
    name: str
    inn: str
    site_host: str
    email: str
    fallback_contact: str
    time_zone: int
    own_object: bool
    b2b_sbp_receipts: bool
    vat_modes: tuple[tuple[date, VatMode], ...] = ()
    tax_systems: tuple[tuple[TaxSystem, date, date | None], ...] = ()

    def tax_system_on(self, on: date, wanted: TaxSystem) -> TaxSystem | None:
        """The register's tax system where the organization applies it on the date. The organization is the master:
        where it applies one other, that one is printed; where it applies several others, a person has to choose.
        """
        applied = {
            system
            for system, valid_from, valid_to in self.tax_systems
            if valid_from <= on and (valid_to is None or on <= valid_to)
        }
        if wanted in applied:
            return wanted
        return next(iter(applied)) if len(applied) == 1 else None

    def vat_mode_on(self, on: date) -> VatMode | None:
        return next((mode for valid_from, mode in self.vat_modes if valid_from <= on), None)


@dataclass(frozen=True, slots=True)
class RegisterSettings:
    """A register record as forming needs it."""

    id: int
    uuid: str
    name: str
    region_id: int
    organization_id: int
    account_id: int
    provider: str
    queue: int
    tax_system: TaxSystem
    vat_rate: RegisterVatRate
    online_method: PaymentMethod
    topup_method: PaymentMethod
    topup_object: PaymentObject
    topup_name: str
    active_online: bool
    print_online: bool
    profile: RegisterProfile
    credit_confirmed: bool
    place_name: str = ""
    place_address: str = ""
    place_time_zone: int | None = None
    extra_region_ids: frozenset[int] = frozenset()

    @property
    def candidate(self) -> Candidate:
        return Candidate(
            self.id, self.name, self.region_id, self.organization_id, self.active_online, self.extra_region_ids
        )


@dataclass(frozen=True, slots=True)
class RegionSettings:
    """A region with its place of settlement."""

    id: int
    code: str
    organization_id: int
    place_id: int | None
    place_name: str
    place_time_zone: int | None


@dataclass(frozen=True, slots=True)
class Directory:
    """The directories as one transaction sees them."""

    sellers: dict[int, SellerSettings]
    registers: dict[int, RegisterSettings]
    regions: dict[int, RegionSettings]
    candidates: tuple[Candidate, ...] = field(default=())


@dataclass(frozen=True, slots=True)
class Settlement:
    """What a document is about, beside its lines."""

    means: Means
    channel: Channel
    occurred_at: datetime
    buyer: Buyer
    buyer_acts_for_business: bool = False
    is_topup: bool = False


_DIRECTORY = (
    ("organization_id, vat_mode, valid_from", "directory_organizationvatmode"),
    ("organization_id, tax_system, valid_from, valid_to", "directory_organizationtaxsystem"),
    (
        "id, code, name, inn, site_host, email, fallback_contact, time_zone, prepayment_object, b2b_sbp_receipts",
        "directory_organization",
    ),
    ("register_id, region_id", "registers_register_extra_regions"),
    (
        "r.id, r.uuid, r.name, r.region_id, r.organization_id, r.account_id, r.queue, r.tax_system, r.vat_rate, "
        "r.online_method, r.topup_method, r.topup_object, r.topup_name, r.active_online, r.print_online, r.ffd, "
        "r.internet_only, r.excise, r.max_lines, r.allow_zero_lines, r.credit_confirmed, r.place_id, p.name, "
        "p.address, p.time_zone, a.provider",
        "registers_register r JOIN registers_account a ON a.id = r.account_id "
        "LEFT JOIN directory_place p ON p.id = r.place_id WHERE r.archived_at IS NULL",
    ),
    (
        "g.id, g.code, g.organization_id, g.place_id, p.name, p.time_zone",
        "directory_region g LEFT JOIN directory_place p ON p.id = g.place_id",
    ),
)


def directory_read() -> Directory:
    """Sellers, registers and regions as they are now, in one read; made into objects anew only when they differ."""
    return directory_of(fetch(directory_statement()))


def directory_statement() -> str:
    """The read of the directories, for those who send it together with others."""
    rows, row = ("json_agg", "json_build_array") if is_postgresql() else ("json_group_array", "json_array")
    parts = [f"(SELECT CAST({rows}({row}({columns})) AS text) FROM {tables})" for columns, tables in _DIRECTORY]
    return f"SELECT {', '.join(parts)}"


def directory_of(rows: Sequence[Sequence[str | None]]) -> Directory:
    """The directories of what `directory_statement` gave."""
    return _directory(*rows[0])


@lru_cache(maxsize=4)
def _directory(*texts: str | None) -> Directory:
    """The directory of what the database says: a JSON list of rows for each part, None or [] where there are none."""
    parts = [orjson.loads(text or "[]") for text in texts]
    vat_modes, tax_systems, organizations, extra_regions, register_rows, region_rows = parts
    sellers: dict[int, SellerSettings] = {}
    modes: dict[int, list[tuple[date, VatMode]]] = {}
    for organization_id, mode, valid_from in sorted(vat_modes, key=lambda row: row[2], reverse=True):
        modes.setdefault(organization_id, []).append((date.fromisoformat(valid_from), VatMode(mode)))
    systems: dict[int, list[tuple[TaxSystem, date, date | None]]] = {}
    for organization_id, system, valid_from, valid_to in tax_systems:
        period = (date.fromisoformat(valid_from), date.fromisoformat(valid_to) if valid_to else None)
        systems.setdefault(organization_id, []).append((TaxSystem(system), *period))
    for row in organizations:
        sellers[row[0]] = SellerSettings(
            id=row[0],
            code=row[1],
            name=row[2],
            inn=row[3],
            site_host=row[4],
            email=row[5],
            fallback_contact=row[6],
            time_zone=row[7],
            own_object=row[8] == "own",
            b2b_sbp_receipts=bool(row[9]),
            vat_modes=tuple(modes.get(row[0], ())),
            tax_systems=tuple(systems.get(row[0], ())),
        )
    extra: dict[int, set[int]] = {}
    for register_id, region_id in extra_regions:
        extra.setdefault(register_id, set()).add(region_id)
    registers: dict[int, RegisterSettings] = {}
    for row in register_rows:
        registers[row[0]] = RegisterSettings(
            id=row[0],
            uuid=str(row[1]),
            name=row[2],
            region_id=row[3],
            organization_id=row[4],
            account_id=row[5],
            provider=row[25],
            queue=row[6],
            tax_system=TaxSystem(row[7]),
            vat_rate=RegisterVatRate(row[8]),
            online_method=PaymentMethod(row[9]),
            topup_method=PaymentMethod(row[10]),
            topup_object=PaymentObject(row[11]),
            topup_name=row[12],
            active_online=bool(row[13]),
            print_online=bool(row[14]),
            profile=RegisterProfile(
                ffd=Ffd(row[15]),
                internet_only=bool(row[16]),
                excise=None if row[17] is None else bool(row[17]),
                max_lines=row[18],
                allow_zero_lines=bool(row[19]),
                place=None if row[21] is None else str(row[21]),
            ),
            credit_confirmed=bool(row[20]),
            place_name=row[22] or "",
            place_address=row[23] or "",
            place_time_zone=row[24],
            extra_region_ids=frozenset(extra.get(row[0], ())),
        )
    regions = {
        row[0]: RegionSettings(
            id=row[0],
            code=row[1],
            organization_id=row[2],
            place_id=row[3],
            place_name=row[4] or "",
            place_time_zone=row[5],
        )
        for row in region_rows
    }
    return Directory(sellers, registers, regions, tuple(item.candidate for item in registers.values()))


def time_zone_of(seller: SellerSettings, register: RegisterSettings | None, region: RegionSettings) -> int:
    """The time zone (tag 1011) in which a settlement has its date: the register's place, the region's, the seller's."""
    of_register = register.place_time_zone if register is not None else None
    return of_register or region.place_time_zone or seller.time_zone


def terms_for(
    seller: SellerSettings,
    register: RegisterSettings,
    region: RegionSettings,
    settlement: Settlement,
    *,
    tax_system: TaxSystem,
    print_paper: bool,
    cashier: Cashier | None = None,
) -> Terms:
    """The terms of a document on a register. The vat mode must be known (see `unformable`)."""
    time_zone = time_zone_of(seller, register, region)
    settled_on = local_date(settlement.occurred_at, time_zone)
    internet = settlement.channel is Channel.ONLINE
    buyer = settlement.buyer
    if not buyer.contact and seller.fallback_contact and settlement.channel is not Channel.COUNTER:
        is_email = "@" in seller.fallback_contact
        buyer = Buyer(
            email=seller.fallback_contact if is_email else "",
            phone="" if is_email else seller.fallback_contact,
            name=buyer.name,
            inn=buyer.inn,
        )
    mode = seller.vat_mode_on(settled_on)
    assert mode is not None, "the caller has looked at the mode of this very date"
    place = seller.site_host if internet else register.place_name or region.place_name or seller.site_host
    return Terms(
        seller=Seller(
            inn=seller.inn,
            name=seller.name,
            tax_system=tax_system,
            place=place,
            address=register.place_address,
            email=seller.email,
        ),
        buyer=buyer,
        vat_mode=mode,
        vat_class=register.vat_rate.vat_class,
        settled_on=settled_on,
        time_zone=time_zone,
        means=settlement.means,
        own_object=seller.own_object,
        internet=internet,
        print_paper=print_paper,
        cashier=cashier,
    )


def judge(
    document: Document,
    seller: SellerSettings,
    register: RegisterSettings,
    region: RegionSettings,
    settlement: Settlement,
) -> tuple[Finding, ...]:
    """All findings of the rules about a document on a register."""
    in_person = settlement.channel is Channel.COUNTER
    local_now = now().astimezone(zone(document.time_zone))
    context = RuleContext(
        register=register.profile,
        channel=settlement.channel,
        person_present=in_person,
        presented_card=in_person and settlement.means is Means.CARD,
        vat_mode=seller.vat_mode_on(document.settled_on),
        now=local_now,
        settlement_place=None if region.place_id is None else str(region.place_id),
        uses_fallback_contact=not settlement.buyer.contact and bool(document.buyer.contact),
        buyer_acts_for_business=settlement.buyer_acts_for_business,
        buyer_details_reason="b2b" if settlement.buyer_acts_for_business else "",
        confirmed_methods=CREDIT_METHODS if register.credit_confirmed else frozenset(),
        is_topup=settlement.is_topup,
    )
    return check(document, context)


def unfit(document: Document, register: RegisterSettings) -> Problem | None:
    """Why the register's provider cannot take the document, as far as its protocol is known; None when it can."""
    problems = registry.get(register.provider).driver.validate(document)
    return next((problem for problem in problems if problem.fatal), None)


def notices_json(findings: Sequence[Finding]) -> list[dict[str, Any]]:
    """Findings as they are stored with a receipt."""
    return [
        {"rule": item.rule, "code": item.code, "path": item.path, "message": item.message, "next_step": item.next_step}
        for item in findings
    ]


def buyer_of(name: str, email: str, phone: str, inn: str, *, acts_for_business: bool) -> Buyer:
    """The buyer of a document: contacts always, name and ИНН only where the law asks for them (1227, 1228)."""
    if acts_for_business:
        return Buyer(email=email, phone=phone, name=name, inn=inn)
    return Buyer(email=email, phone=phone)
