"""A fact decided on and not yet written: what it owes, and the receipt itself where no person is needed. No I/O."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID, uuid5

import orjson

from chekhov.config.clock import local_date, zone
from chekhov.directory.services import installation_uuid
from chekhov.fiscal.document import Document
from chekhov.fiscal.money import Money
from chekhov.fiscal.rules import refusals
from chekhov.fiscal.settlement import (
    due_at,
    exclusion,
    payment_document,
    printed_method,
    shares_of_payments,
    topup_document,
)
from chekhov.fiscal.text import NameTextError
from chekhov.fiscal.vat import VatDateError
from chekhov.fiscal.vocabulary import Channel
from chekhov.receipts import forming
from chekhov.receipts.answers import FactAnswer, Missing, ReceiptBrief
from chekhov.receipts.contents import FactContent, PaymentContent, TopupContent
from chekhov.receipts.states import State
from chekhov.registers.routing import Route, route
from chekhov.sales.content import order_of
from chekhov.sales.models import FactKind

AUTOMATIC = frozenset({Channel.ONLINE, Channel.REMOTE})


@dataclass(slots=True)
class Parent:
    """An invoice or a customer with what is already known of it, growing as the batch is decided."""

    invoice_id: int | None
    customer_id: int
    external_id: str
    organization_id: int
    region_id: int
    name: str
    email: str
    phone: str
    inn: str
    lines: str = ""
    discount_kopecks: int = 0
    total_kopecks: int = 0
    paid_kopecks: int = 0
    number: str = ""
    known: dict[str, tuple[int | None, str, Draft | None]] = field(default_factory=dict)
    amounts: list[Money] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Draft:
    """A fact decided on and not yet written, with its obligation and receipt."""

    uuid: UUID
    content: FactContent
    parent: Parent
    hash: str
    identity: str
    organization_id: int
    not_required: str = ""
    due_at: datetime | None = None
    policy: dict[str, Any] = field(default_factory=dict)
    route: Route | None = None
    missing: Missing | None = None
    document: Document | None = None
    register: forming.RegisterSettings | None = None
    notices: list[dict[str, Any]] = field(default_factory=list)
    receipt_uuid: UUID | None = None

    @property
    def kind(self) -> FactKind:
        return FactKind.PAYMENT if isinstance(self.content, PaymentContent) else FactKind.TOPUP


def form(draft: Draft, directory: forming.Directory) -> None:
    """Derive what the fact owes, and the receipt itself where no person is needed."""
    content, parent = draft.content, draft.parent
    seller = directory.sellers[draft.organization_id]
    region = directory.regions[parent.region_id]
    business = isinstance(content, PaymentContent) and content.buyer_acts_for_business
    draft.not_required = exclusion(
        content.means, buyer_acts_for_business=business, b2b_sbp_receipts=seller.b2b_sbp_receipts
    )
    if draft.not_required:
        return
    time_zone = forming.time_zone_of(seller, None, region)
    draft.due_at = due_at(content.channel, content.paid_at, zone(time_zone))
    mode = seller.vat_mode_on(local_date(content.paid_at, time_zone))
    draft.policy = {
        "vat_mode": mode.value if mode else None,
        "prepayment_object": "own" if seller.own_object else "payment",
        "channel": content.channel.value,
        "means": content.means.value,
    }
    if content.channel not in AUTOMATIC:
        draft.route = Route(None, ("Деньги приняты лично: чек пробивает менеджер на кассе региона клиента.",))
        draft.missing = Missing(
            "awaits_person",
            "Деньги приняты лично, чек ещё не пробит.",
            "Откройте «Оплачено без чека» и пробейте чек.",
        )
        return
    draft.route = route(directory.candidates, region_id=region.id, organization_id=seller.id)
    if draft.route.register_id is None:
        draft.missing = Missing(draft.route.code, draft.route.text, draft.route.next_step)
        return
    register = directory.registers[draft.route.register_id]
    time_zone = forming.time_zone_of(seller, register, region)  # the day of the place where the receipt is printed
    mode = seller.vat_mode_on(local_date(content.paid_at, time_zone))
    draft.policy |= {
        "vat_mode": mode.value if mode else None,
        "register": register.id,
        "tax_system": register.tax_system.value,
        "vat_rate": register.vat_rate.value,
    }
    if mode is None:
        draft.missing = Missing(
            "vat_mode_unknown",
            "Для даты оплаты не задан режим НДС организации.",
            "Задайте его в справочнике «Организации» и пробейте чек.",
        )
        return
    tax_system = seller.tax_system_on(local_date(content.paid_at, time_zone), register.tax_system)
    if tax_system is None:
        draft.missing = Missing(
            "tax_system",
            f"Система налогообложения кассы «{register.tax_system.label}» не действует у организации на дату оплаты.",
            "Исправьте систему налогообложения кассы или организации и пробейте чек.",
        )
        return
    buyer = forming.buyer_of(parent.name, parent.email, parent.phone, parent.inn, acts_for_business=business)
    settlement = forming.Settlement(
        content.means, content.channel, content.paid_at, buyer, business, isinstance(content, TopupContent)
    )
    terms = forming.terms_for(
        seller,
        register,
        region,
        settlement,
        tax_system=tax_system,
        print_paper=register.print_online,
    )
    try:
        if isinstance(content, PaymentContent):
            order = order_of(orjson.loads(parent.lines), parent.discount_kopecks)
            whole = content.amount.kopecks == parent.total_kopecks
            printed = printed_method(register.online_method, whole=whole, marked=order.is_marked)
            draft.policy |= {"method": printed.method.value, "row": printed.row, "why": printed.why}
            shares = shares_of_payments(order, [*parent.amounts, content.amount])[-1]
            document = payment_document(order, shares, printed.method, terms, is_first=not parent.amounts)
        else:
            draft.policy |= {"method": register.topup_method.value, "row": "fields 9-11"}
            document = topup_document(
                content.amount, register.topup_name, register.topup_object, register.topup_method, terms
            )
    except VatDateError:
        draft.missing = Missing(
            "VAT_DATE",
            "На дату оплаты у ставки НДС нет кода для чека.",
            "Обратитесь к бухгалтеру: нужен чек коррекции.",
        )
        return
    except NameTextError:
        draft.missing = Missing(
            "NAME_TEXT", "Название позиции нельзя напечатать в чеке.", "Исправьте название в настройках кассы."
        )
        return
    findings = forming.judge(document, seller, register, region, settlement)
    broken = refusals(findings)
    if broken:
        draft.missing = Missing(broken[0].code, broken[0].message, broken[0].next_step)
        return
    problem = forming.unfit(document, register)
    if problem is not None:
        draft.missing = Missing(problem.code, problem.text, problem.next_step)
        return
    draft.document, draft.register = document, register
    draft.notices = forming.notices_json(findings)
    draft.receipt_uuid = receipt_uuid(draft.identity, 1)


def receipt_uuid(identity: str, generation: int) -> UUID:
    """The key of a receipt: the same fact in the same installation always makes the same one."""
    return uuid5(installation_uuid(), f"{identity}\x1f{generation}")


def answer_of(draft: Draft) -> FactAnswer:
    """The answer for a fact that was just written, without reading it back."""
    content = draft.content
    receipts: tuple[ReceiptBrief, ...] = ()
    if draft.document is not None and draft.register is not None and draft.receipt_uuid is not None:
        receipts = (
            ReceiptBrief(
                id=draft.receipt_uuid,
                kind="receipt",
                state=State.QUEUED,
                total=draft.document.total,
                register=UUID(draft.register.uuid.replace("-", "")),
            ),
        )
    return FactAnswer(
        uuid=draft.uuid,
        kind=draft.kind.value,
        id=content.id,
        parent=draft.parent.external_id,
        amount=content.amount,
        means=content.means,
        channel=content.channel,
        paid_at=content.paid_at,
        buyer_acts_for_business=isinstance(content, PaymentContent) and content.buyer_acts_for_business,
        receipts=receipts,
        missing=draft.missing,
        not_required=draft.not_required,
    )
