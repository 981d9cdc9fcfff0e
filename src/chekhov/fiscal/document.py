"""The fiscal document: what a register prints, frozen. Everything that the law asks of one receipt is in here.

A document knows nothing of orders, databases or providers. `chekhov.fiscal.codec` writes it as JSON,
`chekhov.fiscal.rules` judges it, the drivers put it on the wire.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from chekhov.fiscal.money import Money
from chekhov.fiscal.quantity import Quantity
from chekhov.fiscal.vocabulary import (
    AgentSign,
    CalculationSign,
    CorrectionType,
    MarkType,
    PaymentKind,
    PaymentMethod,
    PaymentObject,
    PlannedStatus,
    TaxSystem,
    Unit,
    VatCode,
)


@dataclass(frozen=True, slots=True)
class SectoralProp:
    """Отраслевой реквизит, tags 1260/1261: the result of a permission check, for example."""

    federal_id: str  # tag 1262, three digits
    on: date  # tag 1263
    number: str  # tag 1264
    value: str  # tag 1265


@dataclass(frozen=True, slots=True)
class Mark:
    """Код товара, tag 1163: the scanned string unchanged, crypto tail and GS separators included."""

    type: MarkType
    code: str
    part: tuple[int, int] | None = None  # tag 1291: numerator, denominator of a marked package
    wholesale: bool = False  # объёмно-сортовой учёт


@dataclass(frozen=True, slots=True)
class Supplier:
    """Данные поставщика, tags 1224 and 1226."""

    name: str  # tag 1225
    phones: tuple[str, ...]  # tag 1171
    inn: str  # tag 1226; 000000000000 for a foreigner without one


@dataclass(frozen=True, slots=True)
class Agent:
    """Признак агента with his data, tags 1222 and 1223."""

    sign: AgentSign
    operation: str = ""  # tag 1044
    paying_phones: tuple[str, ...] = ()  # tag 1073
    receiver_phones: tuple[str, ...] = ()  # tag 1074
    transfer_name: str = ""  # tag 1026
    transfer_phones: tuple[str, ...] = ()  # tag 1075
    transfer_address: str = ""  # tag 1005
    transfer_inn: str = ""  # tag 1016


@dataclass(frozen=True, slots=True)
class Line:
    """Предмет расчёта, tag 1059. `sum` is price × quantity exactly; a discount lives in the price."""

    name: str  # tag 1030
    price: Money  # tag 1079, discount included
    quantity: Quantity  # tag 1023
    sum: Money  # tag 1043
    payment_object: PaymentObject  # tag 1212
    payment_method: PaymentMethod  # tag 1214
    vat: VatCode  # tag 1199
    unit: Unit = Unit.PIECE  # tag 2108
    id: str = ""  # the shop's own id of the order's line
    settled_on: date | None = None  # where the date that chooses the rate is not the document's
    mark: Mark | None = None  # tag 1163
    planned_status: PlannedStatus | None = None  # tag 2003
    no_code_reason: str = ""  # why a marked thing goes without its code (objects 30 and 32)
    sectoral: tuple[SectoralProp, ...] = ()  # tag 1260
    agent: Agent | None = None  # tags 1222, 1223
    supplier: Supplier | None = None  # tags 1224, 1226
    excise: Money | None = None  # tag 1229
    country: str = ""  # tag 1230, three digits of ОКСМ
    declaration: str = ""  # tag 1231
    note: str = ""  # tag 1191


@dataclass(frozen=True, slots=True)
class Payment:
    """One sum of the receipt by its kind."""

    kind: PaymentKind
    amount: Money


@dataclass(frozen=True, slots=True)
class Seller:
    """Who sells and where."""

    inn: str  # tag 1018
    name: str  # tag 1048
    tax_system: TaxSystem  # tag 1055
    place: str  # tag 1187: the site's bare host in an internet receipt
    address: str = ""  # tag 1009
    email: str = ""  # tag 1117


@dataclass(frozen=True, slots=True)
class Buyer:
    """Покупатель, tags 1008 and 1256. `email` wins over `phone` where a provider takes one contact."""

    email: str = ""  # tag 1008
    phone: str = ""  # tag 1008, + and digits
    name: str = ""  # tag 1227
    inn: str = ""  # tag 1228

    @property
    def contact(self) -> str:
        return self.email or self.phone


@dataclass(frozen=True, slots=True)
class Cashier:
    """Кассир, tags 1021 and 1203."""

    name: str  # position and surname
    inn: str = ""


@dataclass(frozen=True, slots=True)
class Correction:
    """Основание коррекции, tags 1173 and 1174. Its presence makes the document a чек коррекции."""

    type: CorrectionType  # tag 1173
    base_on: date  # tag 1178: date of the settlement that is corrected
    base_number: str = ""  # tag 1179, only and always by order of the tax office
    is_reverse: bool = False  # the first of a pair: takes the wrong receipt back


@dataclass(frozen=True, slots=True)
class Document:
    """A receipt (кассовый чек) or a correction receipt (чек коррекции)."""

    sign: CalculationSign  # tag 1054
    lines: tuple[Line, ...]
    payments: tuple[Payment, ...]
    total: Money  # tag 1020
    seller: Seller
    buyer: Buyer
    settled_on: date  # the date that chooses the VAT rate, in the time zone of the place
    time_zone: int = 2  # tag 1011: 1…11, UTC offset less one
    internet: bool = False  # tag 1125
    print_paper: bool = False
    cashier: Cashier | None = None
    correction: Correction | None = None
    extra: str = ""  # tag 1192
    user_property: tuple[str, str] | None = None  # tags 1085, 1086

    def paid(self, kind: PaymentKind) -> Money:
        """The sum of one payment kind, zero where there is none."""
        return Money(sum(payment.amount.kopecks for payment in self.payments if payment.kind == kind))

    def sum_of(self, *methods: PaymentMethod) -> Money:
        """S(m): the sum of the lines with one of the payment methods."""
        return Money(sum(line.sum.kopecks for line in self.lines if line.payment_method in methods))


@dataclass(frozen=True, slots=True)
class Figures:
    """The least of a document that its register's answer is judged against."""

    sign: CalculationSign
    total: Money
    lines: tuple[Line, ...] = ()  # for the VAT, where the answer names it


@dataclass(frozen=True, slots=True)
class FiscalResult:
    """What the register gave back, as it stands in the provider's answer."""

    fn: str  # tag 1041, 16 digits
    fd: int  # tag 1040
    fp: str  # tag 1077, 1-10 digits
    at: str  # tag 1012 as in the QR code: YYYYMMDDTHHMM, local time of the place
    sign: int  # tag 1054
    total: Money  # tag 1020
    rn: str = ""  # tag 1037
    shift: int | None = None  # tag 1038
    number: int | None = None  # tag 1042
    url: str = ""
