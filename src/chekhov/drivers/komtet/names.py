"""The wire words of KOMTET's protocol v2, each beside the number of the fiscal data format.

One table a vocabulary, and every member of the vocabulary is in it or is refused by name: a test sees to that.
The spelling `contributins` is the service's own.
"""

from __future__ import annotations

from types import MappingProxyType

from chekhov.fiscal.vocabulary import (
    AgentSign,
    CalculationSign,
    CorrectionType,
    MarkType,
    PaymentKind,
    PaymentMethod,
    PaymentObject,
    TaxSystem,
    VatCode,
)

INTENTS = MappingProxyType(
    {
        CalculationSign.SALE: "sell",
        CalculationSign.SALE_RETURN: "sellReturn",
        CalculationSign.PURCHASE: "buy",
        CalculationSign.PURCHASE_RETURN: "buyReturn",
    }
)
"""Field `intent`, tag 1054."""

CORRECTION_INTENTS = MappingProxyType({sign: f"{word}Correction" for sign, word in INTENTS.items()})
"""Field `intent` of a correction. It goes with `correction_info` and never without."""

CORRECTION_TYPES = MappingProxyType({CorrectionType.SELF: "self", CorrectionType.ORDER: "instruction"})
"""Field `correction_info.type`, tag 1173. Version 1 of the protocol said `forced`."""

TAX_SYSTEMS = MappingProxyType(
    {
        TaxSystem.OSN: 0,
        TaxSystem.USN_INCOME: 1,
        TaxSystem.USN_NET: 2,
        TaxSystem.ESHN: 4,
        TaxSystem.PATENT: 5,
    }
)
"""Field `company.sno`, tag 1055: the service's numbers, not the format's bits. 3 was ЕНВД and was removed in 2025."""

VAT_CODES = MappingProxyType(
    {
        VatCode.NO_VAT: "no",
        VatCode.VAT_0: "0",
        VatCode.VAT_5: "5",
        VatCode.VAT_7: "7",
        VatCode.VAT_10: "10",
        VatCode.VAT_20: "20",
        VatCode.VAT_22: "22",
        VatCode.VAT_5_105: "105",
        VatCode.VAT_7_107: "107",
        VatCode.VAT_10_110: "110",
        VatCode.VAT_20_120: "120",
        VatCode.VAT_22_122: "122",
    }
)
"""Field `vat`, tag 1199: always a string. 18 and 118 are refused by the service since November 2025."""

PAYMENT_METHODS = MappingProxyType(
    {
        PaymentMethod.PREPAYMENT_FULL: "pre_payment_full",
        PaymentMethod.PREPAYMENT_PART: "pre_payment_part",
        PaymentMethod.ADVANCE: "advance",
        PaymentMethod.FULL_PAYMENT: "full_payment",
        PaymentMethod.PARTIAL_CREDIT: "credit_part",
        PaymentMethod.CREDIT: "credit",
        PaymentMethod.CREDIT_PAYMENT: "credit_pay",
    }
)
"""Field `payment_method`, tag 1214, by meaning. The vendor's Linux agent prints the last two with 6 and 7 swapped."""

PAYMENT_OBJECTS = MappingProxyType(
    {
        PaymentObject.PRODUCT: "product",
        PaymentObject.EXCISE: "product_practical",
        PaymentObject.WORK: "work",
        PaymentObject.SERVICE: "service",
        PaymentObject.GAMBLING_BET: "gambling_bet",
        PaymentObject.GAMBLING_WIN: "gambling_win",
        PaymentObject.LOTTERY_TICKET: "lottery_bet",
        PaymentObject.LOTTERY_WIN: "lottery_win",
        PaymentObject.INTELLECTUAL: "rid",
        PaymentObject.PAYMENT: "payment",
        PaymentObject.COMMISSION: "commission",
        PaymentObject.PAYOUT: "pay",
        PaymentObject.OTHER: "other",
        PaymentObject.PROPERTY_RIGHT: "property_right",
        PaymentObject.NON_OPERATING: "non_operating",
        PaymentObject.INSURANCE: "insurance",
        PaymentObject.SALES_TAX: "sales_tax",
        PaymentObject.RESORT_FEE: "resort_fee",
        PaymentObject.DEPOSIT: "deposit",
        PaymentObject.EXPENSE: "consumption",
        PaymentObject.PENSION_IP: "sole_proprietor_cpi_contributins",
        PaymentObject.PENSION: "cpi_contributins",
        PaymentObject.MEDICAL_IP: "sole_proprietor_cmi_contributins",
        PaymentObject.MEDICAL: "cmi_contributins",
        PaymentObject.SOCIAL: "csi_contributins",
        PaymentObject.CASINO: "casino_payment",
        PaymentObject.CASH_OUT: "payment_of_the_money",
        PaymentObject.EXCISE_NO_CODE: "atnm",
        PaymentObject.EXCISE_WITH_CODE: "atm",
        PaymentObject.MARKED_NO_CODE: "tnm",
        PaymentObject.MARKED_WITH_CODE: "tm",
    }
)
"""Field `payment_object`, tag 1212."""

PAYMENT_KINDS = MappingProxyType(
    {
        PaymentKind.CASH: "cash",
        PaymentKind.CASHLESS: "card",
        PaymentKind.PREPAID: "prepayment",
        PaymentKind.CREDIT: "credit",
        PaymentKind.COUNTER_PROVISION: "counter_provisioning",
    }
)
"""Field `payments[].type`: `card` is any electronic money, `prepayment` the offset of an advance."""

AGENT_SIGNS = MappingProxyType(
    {
        AgentSign.BANK_AGENT: "bank_payment_agent",
        AgentSign.BANK_SUBAGENT: "bank_payment_subagent",
        AgentSign.PAYMENT_AGENT: "payment_agent",
        AgentSign.PAYMENT_SUBAGENT: "payment_subagent",
        AgentSign.ATTORNEY: "solicitor",
        AgentSign.COMMISSIONER: "commissionaire",
        AgentSign.OTHER: "agent",
    }
)
"""Field `agent_info.type`, tag 1222."""

MARK_TYPES = MappingProxyType(
    {
        MarkType.UNKNOWN: "unknown",
        MarkType.EAN8: "ean8",
        MarkType.EAN13: "ean13",
        MarkType.ITF14: "itf14",
        MarkType.GS10: "gs10",
        MarkType.GS1M: "gs1m",
        MarkType.SHORT: "short",
        MarkType.FUR: "fur",
        MarkType.EGAIS20: "egais20",
        MarkType.EGAIS30: "egais30",
    }
)
"""The single key of `mark_code`, tags 1300-1309."""
