"""What a rule needs to know beside the document itself: the register, the settlement and the shop's own settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime

from chekhov.fiscal.document import Document
from chekhov.fiscal.vocabulary import Channel, Ffd, PaymentMethod, TaxSystem, VatMode


@dataclass(frozen=True, slots=True)
class RegisterProfile:
    """The register that would print the document."""

    ffd: Ffd = Ffd.V1_2
    tax_systems: frozenset[TaxSystem] | None = None  # tag 1062; None: not known
    internet_only: bool = False  # tag 1108
    excise: bool | None = None  # tag 1207; None: not known
    max_lines: int = 100
    allow_zero_lines: bool = False
    place: str | None = None  # the key of the place where the register stands; None: not known
    used_from: date | None = None


@dataclass(frozen=True, slots=True)
class RuleContext:
    """Facts around one document. Defaults describe an ordinary sale about which nothing special is known."""

    register: RegisterProfile = field(default_factory=RegisterProfile)
    channel: Channel = Channel.ONLINE
    person_present: bool = False  # the buyer stands at the till
    presented_card: bool = False  # a card was presented in person
    vat_mode: VatMode | None = None  # the seller's mode on the document's date; None: not checked
    now: datetime | None = None  # local time of the settlement's place
    receipt_at: datetime | None = None  # the local time that the receipt carries, where it is known
    settlement_place: str | None = None  # the key of the place of settlement; None: not known
    courier: bool = False  # delivery trade, where a remote register is lawful
    uses_fallback_contact: bool = False  # the contact in the document is the organization's fallback
    buyer_acts_for_business: bool = False
    buyer_details_reason: str = ""  # why 1227/1228/1256 are in the document
    confirmed_methods: frozenset[PaymentMethod] = frozenset()  # credit methods confirmed in the register's form
    is_topup: bool = False
    excluded_reason: str = ""  # why the settlement owes no receipt at all (section «Когда касса не нужна»)
    marking_groups: Mapping[str, str] = field(default_factory=dict)  # line id → mandatory marking group on the date
    permission_codes: Mapping[str, str] = field(default_factory=dict)  # code → allowed | denied | no_answer | stale
    sold_codes: frozenset[str] = frozenset()  # codes that this shop has already sold
    vat_modes: Mapping[date, VatMode] = field(default_factory=dict)
    """The seller's modes on other dates, for lines whose `settled_on` is not the document's; unknown: not checked."""
    groups_without_check: frozenset[str] = frozenset()
    """Mandatory marking groups that are not under the permission regime on the date; all others are."""
    wrong: Document | None = None  # the receipt that a reverse correction takes back
    closing_internet_sign: bool = False  # the organization's choice for closings, refunds and transfers
