"""The wire's words: each member of a vocabulary has one word of its own, and the words are the service's."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum

import pytest

from chekhov.drivers.komtet import names
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

# number of the format → word of the service, from its published vocabularies
INTENTS = {1: "sell", 2: "sellReturn", 3: "buy", 4: "buyReturn"}
CORRECTION_INTENTS = {1: "sellCorrection", 2: "sellReturnCorrection", 3: "buyCorrection", 4: "buyReturnCorrection"}
TAX_SYSTEMS = {1: 0, 2: 1, 4: 2, 16: 4, 32: 5}
VAT_CODES = {
    1: "20", 2: "10", 3: "120", 4: "110", 5: "0", 6: "no", 7: "5", 8: "7", 9: "105", 10: "107", 11: "22", 12: "122",
}  # fmt: skip
PAYMENT_METHODS = {
    1: "pre_payment_full", 2: "pre_payment_part", 3: "advance", 4: "full_payment", 5: "credit_part", 6: "credit",
    7: "credit_pay",
}  # fmt: skip
PAYMENT_OBJECTS = {
    1: "product", 2: "product_practical", 3: "work", 4: "service", 5: "gambling_bet", 6: "gambling_win",
    7: "lottery_bet", 8: "lottery_win", 9: "rid", 10: "payment", 11: "commission", 12: "pay", 13: "other",
    14: "property_right", 15: "non_operating", 16: "insurance", 17: "sales_tax", 18: "resort_fee", 19: "deposit",
    20: "consumption", 21: "sole_proprietor_cpi_contributins", 22: "cpi_contributins",
    23: "sole_proprietor_cmi_contributins", 24: "cmi_contributins", 25: "csi_contributins", 26: "casino_payment",
    27: "payment_of_the_money", 30: "atnm", 31: "atm", 32: "tnm", 33: "tm",
}  # fmt: skip
PAYMENT_KINDS = {1031: "cash", 1081: "card", 1215: "prepayment", 1216: "credit", 1217: "counter_provisioning"}
AGENT_SIGNS = {
    1: "bank_payment_agent", 2: "bank_payment_subagent", 4: "payment_agent", 8: "payment_subagent", 16: "solicitor",
    32: "commissionaire", 64: "agent",
}  # fmt: skip
MARK_TYPES = {
    1300: "unknown", 1301: "ean8", 1302: "ean13", 1303: "itf14", 1304: "gs10", 1305: "gs1m", 1306: "short",
    1307: "fur", 1308: "egais20", 1309: "egais30",
}  # fmt: skip
CORRECTION_TYPES = {0: "self", 1: "instruction"}

TABLES = [
    (CalculationSign, names.INTENTS, INTENTS, set()),
    (CalculationSign, names.CORRECTION_INTENTS, CORRECTION_INTENTS, set()),
    (TaxSystem, names.TAX_SYSTEMS, TAX_SYSTEMS, {TaxSystem.ENVD}),
    (VatCode, names.VAT_CODES, VAT_CODES, set()),
    (PaymentMethod, names.PAYMENT_METHODS, PAYMENT_METHODS, set()),
    (PaymentObject, names.PAYMENT_OBJECTS, PAYMENT_OBJECTS, set()),
    (PaymentKind, names.PAYMENT_KINDS, PAYMENT_KINDS, set()),
    (AgentSign, names.AGENT_SIGNS, AGENT_SIGNS, set()),
    (MarkType, names.MARK_TYPES, MARK_TYPES, set()),
    (CorrectionType, names.CORRECTION_TYPES, CORRECTION_TYPES, set()),
]


@pytest.mark.parametrize(("vocabulary", "table", "expected", "refused"), TABLES)
def test_every_member_has_the_services_word(
    vocabulary: type[IntEnum], table: Mapping[IntEnum, str | int], expected: dict[int, str], refused: set[IntEnum]
) -> None:
    assert set(vocabulary) - set(table) == refused
    assert {member.value: word for member, word in table.items()} == expected
    assert all(isinstance(member, vocabulary) for member in table)


@pytest.mark.parametrize(("vocabulary", "table", "expected", "refused"), TABLES)
def test_every_word_leads_back_to_one_member(
    vocabulary: type[IntEnum], table: Mapping[IntEnum, str | int], expected: dict[int, str], refused: set[IntEnum]
) -> None:
    back = {word: member for member, word in table.items()}

    assert len(back) == len(table)
    assert all(back[table[member]] is member for member in vocabulary if member not in refused)


def test_the_rates_that_ended_in_2018_have_no_word() -> None:
    assert not {"18", "118"} & set(names.VAT_CODES.values())
