"""A person makes a receipt: what the composer shows, and the same thing again, checked, when it is sent.

The preview is derived and stores nothing; sending derives it anew from the same choices under lock, so what was seen
is what is sent, or a refusal says what has changed.
"""

from __future__ import annotations

from dataclasses import dataclass

from chekhov.config.clock import local_date
from chekhov.config.database import Reservation, fetch, for_update, writing
from chekhov.directory.selectors import tax_systems_on
from chekhov.errors import Conflict, Invalid, NotFound
from chekhov.fiscal.document import Cashier, Document
from chekhov.fiscal.money import Money
from chekhov.fiscal.rules import Finding, notices, refusals
from chekhov.fiscal.settlement import Terms, payment_document, printed_method, shares_of_payments, topup_document
from chekhov.fiscal.text import NameTextError
from chekhov.fiscal.vat import VatDateError
from chekhov.fiscal.vocabulary import Channel, Means, PaymentMethod, TaxSystem
from chekhov.people.models import User
from chekhov.people.services import action_log
from chekhov.receipts import forming, lateness
from chekhov.receipts.drafts import receipt_uuid
from chekhov.receipts.incidents import incidents_forbid
from chekhov.receipts.models import Obligation, Receipt, ReceiptState
from chekhov.receipts.rows import SETTLEMENT, NewReceipt, receipts_write
from chekhov.receipts.states import State
from chekhov.registers.models import Register
from chekhov.sales.content import order_of
from chekhov.sales.models import Fact, FactKind


@dataclass(frozen=True, slots=True)
class Choices:
    """What the person chose in the composer."""

    register_id: int
    goods_handed: bool = False  # «товар выдан?»: the whole order is in the buyer's hands
    tax_system: TaxSystem | None = None  # None: the register's own, if the organization still applies it
    print_paper: bool = True
    confirmed: bool = False  # the notices were read


@dataclass(frozen=True, slots=True)
class Preview:
    """The receipt to come, with everything that the rules say about it."""

    obligation: Obligation
    register: Register
    document: Document
    why: str  # where the payment method comes from
    refusals: tuple[Finding, ...]
    notices: tuple[Finding, ...]
    tax_systems: tuple[TaxSystem, ...]


def registers_for(obligation: Obligation) -> list[Register]:
    """The registers on which a person may send the receipt: of the client's region and of the same organization."""
    return list(
        Register.objects.filter(
            region_id=obligation.region_id, organization_id=obligation.organization_id, archived_at__isnull=True
        )
        .select_related("place", "account")
        .order_by("pk")
    )


def receipt_preview(*, obligation: Obligation, choices: Choices, actor: User | None) -> Preview:
    """The receipt that these choices would make. Stores nothing.

    Raises NotFound (`register_not_found`), Invalid (`region_mismatch`, `other_organization`, `tax_system`,
    `vat_mode_unknown`, `VAT_DATE`, `NAME_TEXT`, `goods_partly_paid`, `goods_marked`).
    """
    fact = obligation.fact
    register = Register.objects.filter(pk=choices.register_id, archived_at__isnull=True).first()
    if register is None:
        raise NotFound("register_not_found", "Такой кассы нет.", next_step="Выберите кассу из списка.")
    if register.region_id != obligation.region_id:
        raise Invalid(
            "region_mismatch",
            f"Касса «{register.name}» из региона «{register.region.name}», а клиент — из «{obligation.region.name}».",
            next_step="Выберите кассу региона клиента.",
        )
    if register.organization_id != obligation.organization_id:
        raise Invalid(
            "other_organization",
            f"Касса «{register.name}» принадлежит другой организации.",
            next_step="Выберите кассу той организации, которая продаёт по счёту.",
        )
    directory = forming.directory_read()
    seller = directory.sellers[obligation.organization_id]
    region = directory.regions[obligation.region_id]
    settings = directory.registers[register.pk]
    customer = fact.customer
    settlement = forming.Settlement(
        Means(fact.means),
        Channel(fact.channel),
        fact.occurred_at,
        forming.buyer_of(
            customer.name, customer.email, customer.phone, customer.inn, acts_for_business=fact.buyer_acts_for_business
        ),
        fact.buyer_acts_for_business,
        fact.kind == FactKind.TOPUP,
    )
    settled_on = local_date(fact.occurred_at, forming.time_zone_of(seller, settings, region))
    if seller.vat_mode_on(settled_on) is None:
        raise Invalid(
            "vat_mode_unknown",
            "Для даты оплаты не задан режим НДС организации.",
            next_step="Задайте его в справочнике «Организации».",
        )
    systems = tuple(tax_systems_on(obligation.organization, settled_on))
    tax_system = choices.tax_system or settings.tax_system
    if tax_system not in systems:
        raise Invalid(
            "tax_system",
            f"Система налогообложения «{tax_system.label}» не действует у организации на дату оплаты.",
            next_step="Выберите одну из действующих: " + ", ".join(item.label for item in systems) + ".",
        )
    cashier = None
    if actor is not None and actor.cashier_name and settlement.channel is Channel.COUNTER:
        cashier = Cashier(actor.cashier_name, actor.inn)
    terms = forming.terms_for(
        seller,
        settings,
        region,
        settlement,
        tax_system=tax_system,
        print_paper=choices.print_paper,
        cashier=cashier,
    )
    document, why = _document(obligation, settings, choices, terms)
    findings = forming.judge(document, seller, settings, region, settlement)
    problem = None if refusals(findings) else forming.unfit(document, settings)
    if problem is not None:
        raise Invalid(problem.code, problem.text, next_step=problem.next_step)
    late = lateness.finding(obligation.due_at)
    told = (*notices(findings), late) if late is not None else notices(findings)
    return Preview(obligation, register, document, why, refusals(findings), told, systems)


def receipt_form(*, obligation_id: int, choices: Choices, actor: User) -> Receipt:
    """Make the receipt and queue it. Pressing twice makes one: the second press is a Conflict.

    Raises what `receipt_preview` raises; NotFound (`obligation_not_found`); Conflict (`receipt_exists`,
    `asked_again`, `incident_open`); Invalid with the code of the first broken rule; Invalid (`needs_confirmation`)
    while notices were not confirmed.
    """
    with writing():
        if not fetch(f"SELECT id FROM receipts_obligation WHERE id = %s{for_update()}", [obligation_id]):
            raise NotFound("obligation_not_found", "Такой оплаты без чека нет.")
        obligation = Obligation.objects.select_related(
            "fact__customer", "fact__invoice", "organization", "region", "fact__source"
        ).get(pk=obligation_id)
        earlier = list(obligation.receipts.select_related("status"))
        if any(row.status.state != State.CANCELLED for row in earlier):
            raise Conflict(
                "receipt_exists",
                "Чек по этой оплате уже есть.",
                next_step="Откройте его в списке «Чеки».",
            )
        if any(row.status.due_ms is not None for row in earlier):
            raise Conflict(
                "asked_again",
                "По сообщению сервиса прежний чек, возможно, пробит: мы его перепроверяем.",
                next_step="Подождите ответа сервиса и обновите страницу.",
            )
        incidents_forbid(obligation_id=obligation.pk)
        preview = receipt_preview(obligation=obligation, choices=choices, actor=actor)
        if preview.refusals:
            first = preview.refusals[0]
            raise Invalid(first.code, first.message, next_step=first.next_step)
        if preview.notices and not choices.confirmed:
            raise Invalid(
                "needs_confirmation",
                "Прочтите замечания к чеку и подтвердите их.",
                next_step="Отметьте «Замечания прочитаны» и нажмите «Пробить чек» ещё раз.",
            )
        fact = obligation.fact
        parent = fact.invoice.external_id if fact.invoice else fact.customer.external_id
        identity = "\x1f".join((fact.source.code, fact.kind, parent, fact.external_id, SETTLEMENT, "0"))
        generation = len(earlier) + 1
        name = actor.actor_name
        reservation = Reservation(["receipts_receipt"], 1)
        reserved = reservation.read(fetch(*reservation.statement))
        new = NewReceipt(
            reserved.ids["receipts_receipt"][0],
            receipt_uuid(identity, generation),
            obligation.pk,
            generation,
            preview.document,
            forming.directory_read().registers[preview.register.pk],
            obligation.organization_id,
            obligation.customer_id,
            obligation.invoice_id,
            forming.notices_json(preview.notices),
        )
        receipts_write([new], actor=name, clock_ms=reserved.clock_ms)
        receipt = Receipt.objects.get(pk=new.id)
        if lateness.is_late(obligation.due_at):  # whoever confirmed it has chosen the ordinary receipt
            ReceiptState.objects.filter(pk=new.id).update(late_choice=lateness.SEND)
        action_log(
            actor=actor,
            kind="receipt_form",
            subject=str(receipt.uuid),
            summary=f"Чек на {Money(receipt.total_kopecks).human} ₽, касса «{preview.register.name}»",
            notices=[item.code for item in preview.notices],
            confirmed=choices.confirmed,
            goods_handed=choices.goods_handed,
        )
        return receipt


def _document(
    obligation: Obligation, settings: forming.RegisterSettings, choices: Choices, terms: Terms
) -> tuple[Document, str]:
    fact = obligation.fact
    amount = Money(fact.amount_kopecks)
    try:
        if fact.invoice is None:
            document = topup_document(amount, settings.topup_name, settings.topup_object, settings.topup_method, terms)
            return document, "Пополнение баланса: способ и предмет расчёта взяты из настроек кассы."
        order = order_of(fact.invoice.lines, fact.invoice.discount_kopecks)
        whole = amount.kopecks == fact.invoice.total_kopecks
        if fact.channel == Channel.COUNTER:
            method, why = _counter_method(choices, whole=whole, marked=order.is_marked)
        else:
            printed = printed_method(settings.online_method, whole=whole, marked=order.is_marked)
            method, why = printed.method, printed.why
        amounts = list(
            Fact.objects.filter(invoice=fact.invoice, kind=FactKind.PAYMENT, pk__lte=fact.pk)
            .order_by("pk")
            .values_list("amount_kopecks", flat=True)
        )
        shares = shares_of_payments(order, [Money(item) for item in amounts])[-1]
        return payment_document(order, shares, method, terms, is_first=len(amounts) == 1), why
    except VatDateError as error:
        raise Invalid(
            "VAT_DATE",
            "На дату оплаты у ставки НДС нет кода для чека.",
            next_step="Обратитесь к бухгалтеру: нужен чек коррекции.",
        ) from error
    except NameTextError as error:
        raise Invalid(
            "NAME_TEXT",
            "Название позиции нельзя напечатать в чеке.",
            next_step="Исправьте название в настройках кассы.",
        ) from error


def _counter_method(choices: Choices, *, whole: bool, marked: bool) -> tuple[PaymentMethod, str]:
    """«Товар выдан?»: yes → полный расчёт, no → предоплата, a part of the money → предоплата частичная."""
    if not choices.goods_handed:
        if whole:
            return PaymentMethod.PREPAYMENT_FULL, "Предоплата 100 %: счёт оплачен целиком, товар ещё не выдан."
        return PaymentMethod.PREPAYMENT_PART, "Предоплата частичная: оплачена часть счёта."
    if not whole:
        raise Invalid(
            "goods_partly_paid",
            "Товар по счёту, оплаченному по частям, выдают с зачётом предоплаты — такой чек здесь не пробить.",
            next_step="Пробейте предоплату: ответьте, что товар не выдан.",
        )
    if marked:
        raise Invalid(
            "goods_marked",
            "В счёте маркированный товар: чек полного расчёта требует кодов маркировки.",
            next_step="Пробейте предоплату: ответьте, что товар не выдан.",
        )
    return PaymentMethod.FULL_PAYMENT, "Полный расчёт: счёт оплачен целиком и товар выдан."
