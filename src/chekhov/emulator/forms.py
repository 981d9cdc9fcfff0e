"""The fields of receipts, corrections, orders and employees in both versions of the protocol, as tables.

``Forms`` builds the tables once for the default mode and once for the strict one; lengths and text forms that only the
fiscal format limits are checked in strict mode alone, because the service's own limits are unknown.
"""

from __future__ import annotations

from functools import cache

from chekhov.emulator import vocabulary as words
from chekhov.emulator.schema import Check, array, boolean, identifier, integer, nullable, number, record, text

Fields = dict[str, Check]

RUSSIAN_DATE = r"\d\d\.\d\d\.\d{4}"
INN = r"\d{10}(\d\d)?"


class Forms:
    """Checks of whole documents: ``receipt`` and ``correction`` by version, ``order`` by version, ``employee``."""

    def __init__(self, *, strict: bool) -> None:
        self.strict = strict
        shared = self._shared()
        self.receipt: dict[str, Check] = {}
        self.correction: dict[str, Check] = {}
        self._v1(shared)
        self._v2(shared)
        self.order = {"v1": self._order_v1(), "v2": self._order_v2()}
        self.employee = self._employee()

    def text(self, limit: int | None = None, pattern: str | None = None, *, filled: bool = False) -> Check:
        """A string whose length and form matter in strict mode only."""
        if not self.strict:
            return text(filled=filled)
        return text(limit=limit, pattern=pattern, filled=filled)

    def record(self, fields: Fields, required: tuple[str, ...] = (), size: int | None = None, least: int = 0) -> Check:
        """An object that is closed in strict mode and may be ``[]`` otherwise."""
        return record(
            fields, required, closed=self.strict, empty_list=not self.strict and not least, size=size, least_size=least
        )

    def _shared(self) -> Fields:
        phones = array(self.text(19), filled=self.strict)
        self.agent_info = self.record(
            {
                "type": text(among=words.AGENT_TYPES),
                "paying_agent": self.record({"phones": phones, "operation": text(limit=24)}, ("phones",)),
                "receive_payments_operator": self.record({"phones": phones}, ("phones",)),
                "money_transfer_operator": self.record(
                    {"name": self.text(64), "phones": phones, "address": self.text(256), "inn": self.text(pattern=INN)}
                ),
            },
            ("type",),
        )
        self.supplier_info = self.record({"name": self.text(239), "phones": phones, "inn": self.text(pattern=INN)})
        self.sectoral = array(
            self.record(
                {
                    "federal_id": self.text(pattern=r"\d{3}"),
                    "date": self.text(pattern=RUSSIAN_DATE),
                    "number": self.text(32),
                    "value": self.text(256),
                },
                ("federal_id", "date", "number", "value"),
            )
        )
        self.operating = self.record(
            {
                "name": self.text(),
                "value": self.text(64),
                "timestamp": self.text(pattern=RUSSIAN_DATE + r" \d\d:\d\d:\d\d"),
            },
            ("name", "value", "timestamp"),
        )
        self.user_props = self.record({"name": self.text(64), "value": self.text(234)}, ("name", "value"))
        self.person = self.record({"name": self.text(64, filled=True), "inn": self.text(pattern=r"\d{12}")}, ("name",))
        self.cashless = array(
            self.record(
                {"sum": number(least=0), "method": integer(), "id": self.text(), "additional_info": self.text()},
                ("sum", "method", "id"),
            )
        )
        self.url = text(pattern=r"https?://[^\s/?#]+\S*")
        return {
            "external_id": identifier(64 if self.strict else None),
            "print": boolean,
            "internet": boolean,
            "payments": array(
                self.record({"type": text(among=words.PAYMENT_TYPES), "sum": number(least=0)}, ("type", "sum")),
                filled=True,
            ),
            "cashier": self.person,
            "additional_check_props": self.text(16),
            "additional_user_props": self.user_props,
            "callback_url": self.url,
        }

    def _line(self) -> Fields:
        return {
            "id": identifier(),
            "name": self.text(128, filled=True),
            "price": number(least=0),
            "quantity": number(above=0),
            "total": number(),
            "vat": text(among=words.VAT_RATES),
            "excise": number(least=0),
            "country_code": self.text(pattern=r"\d{3}"),
            "declaration_number": self.text(32),
            "user_data": self.text(64),
            "agent_info": self.agent_info,
            "supplier_info": self.supplier_info,
        }

    def _v1(self, shared: Fields) -> None:
        line = self._line() | {
            "measure_name": self.text(16),
            "calculation_method": text(among=words.PAYMENT_METHODS),
            "calculation_subject": text(among=words.PAYMENT_OBJECTS_V1),
            "nomenclature_code": self.record({"code": self.text(), "hex_code": self.text()}, least=1),
        }
        positions = array(self.record(line, ("name", "price", "quantity", "total", "vat")), filled=True)
        common: Fields = shared | {
            "sno": integer(among=words.TAX_SYSTEMS),
            "positions": positions,
            "user": self.text(64, filled=True),
            "client": self.record({"name": self.text(256), "inn": self.text(pattern=INN)}),
            "payment_address": self.text(256),
            "place_address": self.text(256),
        }
        base = ("external_id", "intent", "sno", "payments", "positions")
        self.receipt["v1"] = self.record(
            common
            | {
                "intent": text(among=words.INTENTS),
                "cashless_payments": self.cashless,
                "agent_info": self.agent_info,
                "supplier_info": self.supplier_info,
            },
            (*base, "user"),
        )
        self.correction["v1"] = self.record(
            common
            | {
                "intent": text(among=words.CORRECTION_INTENTS),
                "authorised_person": self.person,
                "correction": self.record(
                    {
                        "type": text(among=("self", "forced")),
                        "date": self.text(pattern=r"\d{4}-\d\d-\d\d"),
                        "document": self.text(32),
                        "description": self.text(),
                    },
                    ("type", "date"),
                ),
            },
            (*base, "correction"),
        )

    def _v2(self, shared: Fields) -> None:
        line = self._line() | {
            "measure": integer(among=words.MEASURES),
            "payment_method": text(among=words.PAYMENT_METHODS),
            "payment_object": text(among=words.PAYMENT_OBJECTS),
            "mark_code": self._mark_code(),
            "mark_quantity": self._mark_quantity(),
            "planned_status": integer(among=words.PLANNED_STATUSES),
            "wholesale": boolean,
            "sectoral_item_props": self.sectoral,
        }
        required = ("name", "price", "quantity", "total", "vat", "measure", "payment_method", "payment_object")
        common: Fields = shared | {
            "client": self.record(
                {
                    "email": self.text(64),
                    "phone": self.text(19),
                    "name": self.text(256),
                    "inn": self.text(pattern=INN),
                    "birthdate": self.text(pattern=RUSSIAN_DATE),
                    "citizenship": self.text(pattern=r"\d{3}"),
                    "document_code": self.text(pattern=r"\d\d"),
                    "document_data": self.text(64),
                    "address": self.text(256),
                }
            ),
            "company": self._company(),
            "positions": array(self.record(line, required), filled=True),
            "timezone": integer(among=words.TIME_ZONES),
            "sectoral_check_props": self.sectoral,
            "operating_check_props": self.operating,
        }
        base = ("external_id", "intent", "company", "payments", "positions")
        self.receipt["v2"] = self.record(
            common | {"intent": text(among=words.INTENTS), "cashless_payments": self.cashless}, (*base, "client")
        )
        self.correction["v2"] = self.record(
            common
            | {
                "intent": text(among=words.CORRECTION_INTENTS),
                "authorised_person": self.person,
                "correction_info": self.record(
                    {
                        "type": text(among=("self", "instruction")),
                        "base_date": self.text(pattern=RUSSIAN_DATE),
                        "base_number": self.text(32),
                    },
                    ("type", "base_date"),
                ),
            },
            (*base, "correction_info"),
        )

    def _company(self) -> Check:
        return self.record(
            {
                "payment_address": self.text(256, filled=True),
                "sno": integer(among=words.TAX_SYSTEMS),
                "inn": self.text(pattern=INN),
                "place_address": self.text(256),
            },
            ("payment_address", "sno"),
        )

    def _mark_code(self) -> Check:
        return record(dict.fromkeys(words.MARK_KINDS, text(filled=True)), closed=True, size=1)

    def _mark_quantity(self) -> Check:
        return self.record(
            {"numerator": integer(least=1), "denominator": integer(least=1)}, ("numerator", "denominator")
        )

    def _order_item(self) -> Fields:
        """The vendor's clients disagree about some keys of an item, so orders are open in both modes."""
        return self._line() | {
            "order_item_id": identifier(),
            "external_id": identifier(),
            "product_id": identifier(),
            "type": text(among=words.PAYMENT_OBJECTS),
            "is_need_nomenclature_code": boolean,
            "is_need_mark_code": boolean,
        }

    def _order(self, fields: Fields, item: Fields, required: tuple[str, ...]) -> Check:
        common: Fields = {
            "state": text(filled=True),
            "description": text(),
            "prepayment": number(least=0),
            "payment_type": text(among=words.PAYMENT_TYPES),
            "courier_id": integer(least=1),
            "callback_url": self.url,
            "date_start": nullable(text()),
            "date_end": nullable(text()),
            "items": array(record(item, ("name", "price", "quantity", "total", "vat"), closed=False)),
        }
        return record(common | fields, (*required, "items"), closed=False)

    def _order_v1(self) -> Check:
        item = self._order_item() | {"measure_name": self.text(16), "nomenclature_code": text()}
        fields: Fields = {
            "order_id": identifier(),
            "sno": integer(among=words.TAX_SYSTEMS),
            "is_paid": boolean,
            "client_name": text(),
            "client_address": text(),
            "client_phone": text(),
            "client_email": text(),
        }
        return self._order(fields, item, ("order_id", "sno", "client_address", "client_phone"))

    def _order_v2(self) -> Check:
        item = self._order_item() | {
            "measure": integer(among=words.MEASURES),
            "mark_code": self._mark_code(),
            "mark_quantity": self._mark_quantity(),
            "sectoral_item_props": self.sectoral,
        }
        fields: Fields = {
            "external_id": identifier(),
            "company": self._company(),
            "is_pay_to_courier": boolean,
            "client": record(
                {"address": text(), "phone": text(), "email": text(), "name": text()},
                ("address", "phone"),
                closed=False,
            ),
            "additional_user_props": self.user_props,
            "additional_check_props": self.text(16),
            "sectoral_check_props": self.sectoral,
            "operating_check_props": self.operating,
        }
        return self._order(fields, item, ("external_id", "company", "client"))

    def _employee(self) -> Check:
        return self.record(
            {
                "type": text(among=words.EMPLOYEE_TYPES),
                "name": text(filled=True),
                "login": text(filled=True),
                "password": text(filled=True),
                "pos_id": text(filled=True),
                "inn": self.text(pattern=INN),
                "phone": self.text(19),
                "email": self.text(64),
                "payment_address": text(),
                "is_manager": boolean,
                "is_can_assign_order": boolean,
                "is_app_fast_basket": boolean,
            },
            ("type", "name", "login", "password", "pos_id"),
        )


@cache
def forms(strict: bool) -> Forms:
    """The tables of one mode, built once."""
    return Forms(strict=strict)
