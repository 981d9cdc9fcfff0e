"""The words of the protocol with their numbers in the fiscal format and the labels that are printed on paper."""

from __future__ import annotations

INTENTS: dict[str, tuple[int, str]] = {
    "sell": (1, "ПРИХОД"),
    "sellReturn": (2, "ВОЗВРАТ ПРИХОДА"),
    "buy": (3, "РАСХОД"),
    "buyReturn": (4, "ВОЗВРАТ РАСХОДА"),
}
"""Settlement kind (tag 1054) of a receipt."""

CORRECTION_INTENTS: dict[str, tuple[int, str]] = {
    "sellCorrection": (1, "КОРРЕКЦИЯ ПРИХОДА"),
    "sellReturnCorrection": (2, "КОРРЕКЦИЯ ВОЗВРАТА ПРИХОДА"),
    "buyCorrection": (3, "КОРРЕКЦИЯ РАСХОДА"),
    "buyReturnCorrection": (4, "КОРРЕКЦИЯ ВОЗВРАТА РАСХОДА"),
}
"""Settlement kind (tag 1054) of a correction receipt."""

ALL_INTENTS = INTENTS | CORRECTION_INTENTS

TAX_SYSTEMS: dict[int, str] = {0: "ОСН", 1: "УСН доход", 2: "УСН доход − расход", 4: "ЕСХН", 5: "Патент"}
"""Tag 1055; 3 (ЕНВД) ended in 2021 and is refused."""

VAT_RATES: dict[str, str] = {
    "no": "Без НДС",
    "0": "НДС 0%",
    "5": "НДС 5%",
    "7": "НДС 7%",
    "10": "НДС 10%",
    "20": "НДС 20%",
    "22": "НДС 22%",
    "105": "НДС 5/105",
    "107": "НДС 7/107",
    "110": "НДС 10/110",
    "120": "НДС 20/120",
    "122": "НДС 22/122",
}
"""Tag 1199; 18 and 118 are gone."""

VAT_FRACTIONS: dict[str, tuple[int, int]] = {
    "5": (5, 105),
    "7": (7, 107),
    "10": (10, 110),
    "20": (20, 120),
    "22": (22, 122),
    "105": (5, 105),
    "107": (7, 107),
    "110": (10, 110),
    "120": (20, 120),
    "122": (22, 122),
}
"""The part of a line's total that is tax."""

PAYMENT_METHODS: dict[str, str] = {
    "pre_payment_full": "ПРЕДОПЛАТА 100%",
    "pre_payment_part": "ПРЕДОПЛАТА",
    "advance": "АВАНС",
    "full_payment": "ПОЛНЫЙ РАСЧЕТ",
    "credit_part": "ЧАСТИЧНЫЙ РАСЧЕТ И КРЕДИТ",
    "credit": "ПЕРЕДАЧА В КРЕДИТ",
    "credit_pay": "ОПЛАТА КРЕДИТА",
}
"""Tag 1214."""

PAYMENT_OBJECTS_V1: dict[str, str] = {
    "product": "ТОВАР",
    "product_practical": "ПОДАКЦИЗНЫЙ ТОВАР",
    "work": "РАБОТА",
    "service": "УСЛУГА",
    "gambling_bet": "СТАВКА АЗАРТНОЙ ИГРЫ",
    "gambling_win": "ВЫИГРЫШ АЗАРТНОЙ ИГРЫ",
    "lottery_bet": "ЛОТЕРЕЙНЫЙ БИЛЕТ",
    "lottery_win": "ВЫИГРЫШ ЛОТЕРЕИ",
    "rid": "ПРЕДОСТАВЛЕНИЕ РИД",
    "payment": "ПЛАТЕЖ",
    "commission": "АГЕНТСКОЕ ВОЗНАГРАЖДЕНИЕ",
    "composite": "СОСТАВНОЙ ПРЕДМЕТ РАСЧЕТА",
    "pay": "ВЫПЛАТА",
    "other": "ИНОЙ ПРЕДМЕТ РАСЧЕТА",
    "property_right": "ИМУЩЕСТВЕННОЕ ПРАВО",
    "non_operating": "ВНЕРЕАЛИЗАЦИОННЫЙ ДОХОД",
    "insurance": "СТРАХОВЫЕ ВЗНОСЫ",
    "sales_tax": "ТОРГОВЫЙ СБОР",
    "resort_fee": "КУРОРТНЫЙ СБОР",
}
"""Tag 1212 in version 1."""

PAYMENT_OBJECTS: dict[str, str] = PAYMENT_OBJECTS_V1 | {
    "deposit": "ЗАЛОГ",
    "consumption": "РАСХОД",
    "sole_proprietor_cpi_contributins": "ВЗНОСЫ НА ОПС ИП",
    "cpi_contributins": "ВЗНОСЫ НА ОПС",
    "sole_proprietor_cmi_contributins": "ВЗНОСЫ НА ОМС ИП",
    "cmi_contributins": "ВЗНОСЫ НА ОМС",
    "csi_contributins": "ВЗНОСЫ НА ОСС",
    "casino_payment": "ПЛАТЕЖ КАЗИНО",
    "payment_of_the_money": "ВЫДАЧА ДЕНЕЖНЫХ СРЕДСТВ",
    "atnm": "АТНМ",
    "atm": "АТМ",
    "tnm": "ТНМ",
    "tm": "ТМ",
}
"""Tag 1212 in version 2; the spelling ``contributins`` is the wire's own."""

PAYMENT_TYPES: dict[str, str] = {
    "cash": "НАЛИЧНЫМИ",
    "card": "БЕЗНАЛИЧНЫМИ",
    "prepayment": "ЗАЧЕТ ПРЕДОПЛАТЫ (АВАНСА)",
    "credit": "ПОСЛЕДУЮЩАЯ ОПЛАТА (КРЕДИТ)",
    "counter_provisioning": "ВСТРЕЧНОЕ ПРЕДОСТАВЛЕНИЕ",
}
"""Tags 1031, 1081, 1215, 1216, 1217."""

AGENT_TYPES = (
    "bank_payment_agent",
    "bank_payment_subagent",
    "payment_agent",
    "payment_subagent",
    "solicitor",
    "commissionaire",
    "agent",
)
"""Tag 1222."""

MEASURES: dict[int, str] = {
    0: "шт",
    10: "г",
    11: "кг",
    12: "т",
    20: "см",
    21: "дм",
    22: "м",
    30: "кв. см",
    31: "кв. дм",
    32: "кв. м",
    40: "мл",
    41: "л",
    42: "куб. м",
    50: "кВт ч",
    51: "Гкал",
    70: "сутки",
    71: "час",
    72: "мин",
    73: "с",
    80: "Кбайт",
    81: "Мбайт",
    82: "Гбайт",
    83: "Тбайт",
    255: "ед.",
}
"""Tag 2108."""

MARK_KINDS = ("unknown", "ean8", "ean13", "itf14", "gs10", "gs1m", "short", "fur", "egais20", "egais30")
"""Tags 1300–1309."""

PLANNED_STATUSES = (1, 2, 3, 4, 5, 6, 255)
"""Tag 2003."""

TIME_ZONES = range(1, 12)
"""Tag 1011: n means UTC+(n+1); 2 is Moscow."""
MOSCOW = 2

EMPLOYEE_TYPES = ("courier", "cashier", "driver")
