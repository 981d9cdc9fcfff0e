"""The vocabularies of the fiscal data format (ФФД) with their tag numbers and Russian labels.

Values are the numbers of the format itself, so that a stored document is readable with the order of the tax service
(ФНС № ЕД-7-20/662@ of 2020-09-14 with its amendments) in hand. Wire names of providers live in the drivers.
"""

from __future__ import annotations

from enum import IntEnum, StrEnum


class Labelled(IntEnum):
    """A number of the format with the words that people see."""

    label: str

    def __new__(cls, value: int, label: str = "") -> Labelled:  # the default lets `PaymentMethod(4)` type-check
        member = int.__new__(cls, value)
        member._value_ = value
        member.label = label
        return member

    @classmethod
    def choices(cls) -> list[tuple[int, str]]:
        """Pairs for a form's select."""
        return [(member.value, member.label) for member in cls]


class CalculationSign(Labelled):
    """Признак расчёта, tag 1054."""

    SALE = 1, "Приход"
    SALE_RETURN = 2, "Возврат прихода"
    PURCHASE = 3, "Расход"
    PURCHASE_RETURN = 4, "Возврат расхода"


class TaxSystem(Labelled):
    """Система налогообложения, tag 1055: exactly one bit in a receipt. ЕНВД ended on 2021-01-01."""

    OSN = 1, "ОСН"
    USN_INCOME = 2, "УСН доход"
    USN_NET = 4, "УСН доход − расход"
    ENVD = 8, "ЕНВД (отменён с 2021 года)"
    ESHN = 16, "ЕСХН"
    PATENT = 32, "Патент"


class VatCode(Labelled):
    """Ставка НДС, tag 1199. The codes 11 and 12 are in force from 2026-01-05 (order № ЕД-7-20/1050@)."""

    VAT_20 = 1, "20 %"
    VAT_10 = 2, "10 %"
    VAT_20_120 = 3, "20/120"
    VAT_10_110 = 4, "10/110"
    VAT_0 = 5, "0 %"
    NO_VAT = 6, "Без НДС"
    VAT_5 = 7, "5 %"
    VAT_7 = 8, "7 %"
    VAT_5_105 = 9, "5/105"
    VAT_7_107 = 10, "7/107"
    VAT_22 = 11, "22 %"
    VAT_22_122 = 12, "22/122"


class VatClass(StrEnum):
    """What a thing is for the VAT, whatever the date and the seller. The code is derived from it."""

    STANDARD = "standard"
    REDUCED = "reduced"
    ZERO = "zero"
    EXEMPT = "exempt"


class VatMode(StrEnum):
    """How the seller pays VAT on a date."""

    GENERAL = "general"
    USN_5 = "usn_5"
    USN_7 = "usn_7"
    EXEMPT = "exempt"


VAT_CLASS_LABELS = {
    VatClass.STANDARD: "Основная ставка",
    VatClass.REDUCED: "Льготная 10 %",
    VatClass.ZERO: "0 %",
    VatClass.EXEMPT: "Без НДС",
}
VAT_MODE_LABELS = {
    VatMode.GENERAL: "Общие ставки (22 %, 10 %, 0 %)",
    VatMode.USN_5: "УСН со ставкой 5 %",
    VatMode.USN_7: "УСН со ставкой 7 %",
    VatMode.EXEMPT: "Не платит НДС",
}


class PaymentMethod(Labelled):
    """Признак способа расчёта, tag 1214, on every line."""

    PREPAYMENT_FULL = 1, "Предоплата 100 %"
    PREPAYMENT_PART = 2, "Предоплата частичная"
    ADVANCE = 3, "Аванс"
    FULL_PAYMENT = 4, "Полный расчёт"
    PARTIAL_CREDIT = 5, "Частичный расчёт и кредит"
    CREDIT = 6, "Передача в кредит"
    CREDIT_PAYMENT = 7, "Оплата кредита"

    @property
    def is_prepayment(self) -> bool:
        """Money before the hand-over: 1, 2 and 3 take the calculated VAT rate."""
        return self.value <= 3


class PaymentObject(Labelled):
    """Признак предмета расчёта, tag 1212, on every line."""

    PRODUCT = 1, "Товар"
    EXCISE = 2, "Подакцизный товар"
    WORK = 3, "Работа"
    SERVICE = 4, "Услуга"
    GAMBLING_BET = 5, "Ставка азартной игры"
    GAMBLING_WIN = 6, "Выигрыш азартной игры"
    LOTTERY_TICKET = 7, "Лотерейный билет"
    LOTTERY_WIN = 8, "Выигрыш лотереи"
    INTELLECTUAL = 9, "Предоставление РИД"
    PAYMENT = 10, "Платёж"
    COMMISSION = 11, "Агентское вознаграждение"
    PAYOUT = 12, "Выплата"
    OTHER = 13, "Иной предмет расчёта"
    PROPERTY_RIGHT = 14, "Имущественное право"
    NON_OPERATING = 15, "Внереализационный доход"
    INSURANCE = 16, "Иные платежи и взносы"
    SALES_TAX = 17, "Торговый сбор"
    RESORT_FEE = 18, "Курортный сбор"
    DEPOSIT = 19, "Залог"
    EXPENSE = 20, "Расход"
    PENSION_IP = 21, "Взносы на ОПС ИП"
    PENSION = 22, "Взносы на ОПС"
    MEDICAL_IP = 23, "Взносы на ОМС ИП"
    MEDICAL = 24, "Взносы на ОМС"
    SOCIAL = 25, "Взносы на ОСС"
    CASINO = 26, "Платёж казино"
    CASH_OUT = 27, "Выдача денежных средств"
    EXCISE_NO_CODE = 30, "АТНМ: подакцизный, маркируемый, без кода"
    EXCISE_WITH_CODE = 31, "АТМ: подакцизный, маркируемый, с кодом"
    MARKED_NO_CODE = 32, "ТНМ: маркируемый, без кода"
    MARKED_WITH_CODE = 33, "ТМ: маркируемый, с кодом"


class PaymentKind(Labelled):
    """Форма оплаты: the tag of the sum it goes to."""

    CASH = 1031, "Наличными"
    CASHLESS = 1081, "Безналичными"
    PREPAID = 1215, "Предоплатой (зачёт аванса)"
    CREDIT = 1216, "Постоплатой (в кредит)"
    COUNTER_PROVISION = 1217, "Встречным предоставлением"


class Unit(Labelled):
    """Мера количества, tag 2108 (FFD 1.2); its name goes to tag 1197 in the older formats."""

    PIECE = 0, "шт"
    GRAM = 10, "г"
    KILOGRAM = 11, "кг"
    TONNE = 12, "т"
    CENTIMETRE = 20, "см"
    DECIMETRE = 21, "дм"
    METRE = 22, "м"
    SQUARE_CENTIMETRE = 30, "кв. см"
    SQUARE_DECIMETRE = 31, "кв. дм"
    SQUARE_METRE = 32, "кв. м"
    MILLILITRE = 40, "мл"
    LITRE = 41, "л"
    CUBIC_METRE = 42, "куб. м"
    KILOWATT_HOUR = 50, "кВт·ч"
    GIGACALORIE = 51, "Гкал"
    DAY = 70, "сутки"
    HOUR = 71, "час"
    MINUTE = 72, "мин"
    SECOND = 73, "с"
    KILOBYTE = 80, "Кбайт"
    MEGABYTE = 81, "Мбайт"
    GIGABYTE = 82, "Гбайт"
    TERABYTE = 83, "Тбайт"
    OTHER = 255, "иная мера"


class AgentSign(Labelled):
    """Признак агента, tag 1222 (tag 1057 per receipt in the older formats)."""

    BANK_AGENT = 1, "Банковский платёжный агент"
    BANK_SUBAGENT = 2, "Банковский платёжный субагент"
    PAYMENT_AGENT = 4, "Платёжный агент"
    PAYMENT_SUBAGENT = 8, "Платёжный субагент"
    ATTORNEY = 16, "Поверенный"
    COMMISSIONER = 32, "Комиссионер"
    OTHER = 64, "Иной агент"


class PlannedStatus(Labelled):
    """Планируемый статус маркированного товара, tag 2003."""

    PIECE_SOLD = 1, "Штучный товар реализован"
    MEASURED_BEING_SOLD = 2, "Мерный товар в стадии реализации"
    PIECE_RETURNED = 3, "Штучный товар возвращён"
    PART_RETURNED = 4, "Часть товара возвращена"
    PIECE_BEING_SOLD = 5, "Штучный товар в стадии реализации"
    MEASURED_SOLD = 6, "Мерный товар реализован"
    UNCHANGED = 255, "Статус не изменился"


class MarkType(Labelled):
    """Код товара, the tags inside 1163 (FFD 1.2). The types 1305-1309 stand for marked goods."""

    UNKNOWN = 1300, "Нераспознанный код"
    EAN8 = 1301, "EAN-8"
    EAN13 = 1302, "EAN-13"
    ITF14 = 1303, "ITF-14"
    GS10 = 1304, "GS1, не подлежит маркировке"
    GS1M = 1305, "GS1, маркированный товар"
    SHORT = 1306, "Короткий код маркировки"
    FUR = 1307, "Меховое изделие"
    EGAIS20 = 1308, "ЕГАИС 2.0"
    EGAIS30 = 1309, "ЕГАИС 3.0"


class Ffd(Labelled):
    """Версия ФФД, tag 1209."""

    V1_05 = 2, "1.05"
    V1_1 = 3, "1.1"
    V1_2 = 4, "1.2"


class CorrectionType(Labelled):
    """Тип коррекции, tag 1173."""

    SELF = 0, "Самостоятельно"
    ORDER = 1, "По предписанию"


class Channel(StrEnum):
    """How the settlement happened. It decides tag 1125, the deadline and who sends the receipt."""

    ONLINE = "online"
    COUNTER = "counter"
    REMOTE = "remote"


class Means(StrEnum):
    """What the buyer paid with, as the shop says it."""

    CARD = "card"
    SBP = "sbp"
    CASH = "cash"
    TRANSFER = "transfer"
    BALANCE = "balance"


CHANNEL_LABELS = {Channel.ONLINE: "На сайте", Channel.COUNTER: "В магазине", Channel.REMOTE: "Переводом вне сайта"}
MEANS_LABELS = {
    Means.CARD: "Картой",
    Means.SBP: "Через СБП",
    Means.CASH: "Наличными",
    Means.TRANSFER: "Банковским переводом",
    Means.BALANCE: "С баланса",
}


class RegisterVatRate(StrEnum):
    """«Ставка налога» of a register's form. The choice gives the VAT class; the code printed is derived."""

    NONE = "none"
    R0 = "0"
    R5 = "5"
    R7 = "7"
    R10 = "10"
    R18 = "18"
    R20 = "20"
    R22 = "22"
    C5 = "5/105"
    C7 = "7/107"
    C10 = "10/110"
    C18 = "18/118"
    C20 = "20/120"
    C22 = "22/122"

    @property
    def label(self) -> str:
        if self is RegisterVatRate.NONE:
            return "Без НДС"
        return self.value if "/" in self.value else f"{self.value} %"

    @property
    def vat_class(self) -> VatClass:
        """5 %, 7 %, 18 %, 20 % and 22 % are the seller's standard rate of their time."""
        if self is RegisterVatRate.NONE:
            return VatClass.EXEMPT
        if self is RegisterVatRate.R0:
            return VatClass.ZERO
        if self in (RegisterVatRate.R10, RegisterVatRate.C10):
            return VatClass.REDUCED
        return VatClass.STANDARD

    @property
    def vat_modes(self) -> frozenset[VatMode]:
        """The seller's modes with which this choice agrees."""
        if self is RegisterVatRate.NONE:
            return frozenset(VatMode)
        if self is RegisterVatRate.R0:
            return frozenset({VatMode.GENERAL, VatMode.USN_5, VatMode.USN_7})
        if self in (RegisterVatRate.R5, RegisterVatRate.C5):
            return frozenset({VatMode.USN_5})
        if self in (RegisterVatRate.R7, RegisterVatRate.C7):
            return frozenset({VatMode.USN_7})
        return frozenset({VatMode.GENERAL})
