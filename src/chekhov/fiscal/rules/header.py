"""Who, where, how and when: R27-R34, R68-R71."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

from chekhov.fiscal.contact import CONTACT_LIMIT, is_email, is_host, is_phone
from chekhov.fiscal.inn import is_inn_or_foreign, is_person_inn
from chekhov.fiscal.rules.case import Case, roubles
from chekhov.fiscal.rules.rule import FINE, NOTICE, REFUSAL, Broken, document_rule
from chekhov.fiscal.vocabulary import Channel

INTERNET_SIGN_FROM = date(2025, 9, 1)
"""Tag 1125 is in force from this date: order of ФНС № ЕД-7-20/236@ of 2025-03-26."""

CLOCK_TOLERANCE = timedelta(minutes=5)
"""The register's clock may differ from the local time of the place by this much."""


@document_rule(
    "R27",
    "CONTACT",
    REFUSAL,
    NOTICE,
    condition="В интернет-чеке есть почта или телефон покупателя (тег 1008); заданный контакт верен и не длиннее "
    "64 знаков. Без контакта покупателя идёт запасной контакт организации.",
    next_step="Спросите у покупателя почту или телефон или задайте запасной контакт организации.",
)
def contact_is_there(case: Case) -> Sequence[Broken]:
    """Mandatory for internet receipts by order № ЕД-7-20/236@ and art. 1.2 of 54-ФЗ."""
    buyer = case.document.buyer
    broken = FINE
    if buyer.email and not is_email(buyer.email):
        broken += (Broken("buyer.email", f"«{buyer.email}» — не адрес почты до {CONTACT_LIMIT} знаков", REFUSAL),)
    if buyer.phone and not is_phone(buyer.phone):
        broken += (Broken("buyer.phone", f"«{buyer.phone}» — не телефон вида +79161234567", REFUSAL),)
    if case.is_internet:
        if not case.has_contact:
            broken += (Broken("buyer", "Интернет-чек без почты и телефона покупателя пробить нельзя", REFUSAL),)
        elif case.context.uses_fallback_contact:
            broken += (
                Broken(
                    "buyer",
                    "Контакта покупателя нет: чек уйдёт на запасной контакт организации",
                    NOTICE,
                    "Спрашивайте почту или телефон до оплаты: покупатель вправе получить чек.",
                ),
            )
    return broken


@document_rule(
    "R28",
    "INTERNET_SIGN",
    REFUSAL,
    condition="В интернет-чеке (1125 = 1) нет наличных, а место расчётов (1187) — домен сайта.",
    next_step="Уберите признак интернет-расчёта у чека за наличные; в месте расчётов укажите домен, "
    "например shop.example.ru.",
)
def internet_receipt_is_consistent(case: Case) -> Sequence[Broken]:
    """The contact is asked for by R27."""
    if not case.is_internet:
        return FINE
    broken = FINE
    if case.cash:
        broken += (Broken("payments", f"Интернет-чек, а наличными записано {roubles(case.cash)}"),)
    place = case.document.seller.place
    if not is_host(place):
        broken += (Broken("seller.place", f"Место расчётов интернет-чека «{place}» — не домен сайта"),)
    return broken


def _expected_internet_sign(case: Case) -> bool:
    """What tag 1125 should be. The organization chooses for closings and for transfers outside the site."""
    channel = case.context.channel
    chosen = case.context.closing_internet_sign or case.register.internet_only
    if case.is_return:
        if channel is Channel.ONLINE:
            return True  # as in the original
        return case.register.internet_only if channel is Channel.COUNTER else chosen
    if not (case.cash or case.cashless):
        return chosen  # a closing: no money moves
    if channel is Channel.ONLINE:
        return True
    return channel is Channel.REMOTE and case.context.closing_internet_sign


@document_rule(
    "R29",
    "INTERNET_SIGN_MISSING",
    NOTICE,
    condition="Признак интернет-расчёта (1125) стоит у оплат на сайте и только у них; у закрывающих чеков и переводов "
    "— по настройке организации (с 01.09.2025).",
    next_step="Проверьте, где была оплата: на сайте, в магазине или переводом по реквизитам.",
)
def internet_sign_fits_channel(case: Case) -> Sequence[Broken]:
    if case.is_internet == _expected_internet_sign(case) or case.settled_on < INTERNET_SIGN_FROM:
        return FINE
    if case.is_internet:
        return [Broken("internet", "Признак интернет-расчёта стоит, а расчёт был не на сайте")]
    return [Broken("internet", "Расчёт был на сайте, а признака интернет-расчёта нет")]


@document_rule(
    "R30",
    "REGISTER_INTERNET_ONLY",
    REFUSAL,
    condition="Касса «только для интернета» (1108) не берёт наличных, и в каждом её чеке есть контакт.",
    next_step="Пробейте чек на кассе магазина или укажите контакт покупателя.",
)
def internet_register_is_used_for_internet(case: Case) -> Sequence[Broken]:
    """Where the receipt itself is an internet one, R27 asks for the contact."""
    if not case.register.internet_only:
        return FINE
    broken = FINE
    if case.cash:
        broken += (
            Broken("payments", f"Касса зарегистрирована только для интернета, а наличными {roubles(case.cash)}"),
        )
    if not case.has_contact and not case.is_internet:
        broken += (Broken("buyer", "Касса зарегистрирована только для интернета: без контакта чек не пробить"),)
    return broken


@document_rule(
    "R31",
    "REGISTER_PLACE",
    REFUSAL,
    NOTICE,
    condition="Наличные и карта на месте идут на кассу, которая стоит в месте расчёта; исключение — курьер.",
    next_step="Выберите кассу этого магазина.",
)
def register_stands_at_the_place(case: Case) -> Sequence[Broken]:
    """Art. 4.3 p. 1 of 54-ФЗ; the exception is p. 5.6 of art. 1.2."""
    context = case.context
    at_counter = context.presented_card or (context.channel is Channel.COUNTER and case.cashless)
    if context.courier or not (case.cash or at_counter):
        return FINE
    register_place, place = case.register.place, context.settlement_place
    if register_place is None or place is None:
        return [
            Broken(
                "seller.place",
                "Неизвестно, стоит ли касса там, где принята оплата",
                NOTICE,
                "Укажите место кассы и регион счёта: оплата на месте пробивается кассой этого места.",
            )
        ]
    if register_place == place:
        return FINE
    return [Broken("seller.place", f"Оплата принята в «{place}», а касса стоит в «{register_place}»", REFUSAL)]


@document_rule(
    "R32",
    "CASHIER",
    NOTICE,
    condition="При расчёте с человеком указан кассир (тег 1021, до 64 знаков), его ИНН (1203) — верные 12 цифр.",
    next_step="Заполните должность, фамилию и ИНН в карточке пользователя.",
)
def cashier_is_named(case: Case) -> Sequence[Broken]:
    cashier = case.document.cashier
    if cashier is None:
        if not case.context.person_present:
            return FINE
        return [Broken("cashier", "Кассир не указан: будет напечатан кассир, заданный в самой кассе")]
    broken = FINE
    if not cashier.name.strip() or len(cashier.name) > 64:
        broken += (Broken("cashier.name", f"Имя кассира «{cashier.name}» пустое или длиннее 64 знаков"),)
    if cashier.inn and not is_person_inn(cashier.inn):
        broken += (Broken("cashier.inn", f"ИНН кассира {cashier.inn} не проходит проверку"),)
    return broken


@document_rule(
    "R33",
    "PLACE",
    REFUSAL,
    condition="Место расчётов (тег 1187) указано и не длиннее 256 знаков, адрес (1009) тоже не длиннее 256.",
    next_step="Заполните место расчётов и адрес в настройках кассы.",
)
def place_is_given(case: Case) -> Sequence[Broken]:
    seller = case.document.seller
    broken = FINE
    if not seller.place.strip():
        broken += (Broken("seller.place", "Место расчётов не указано"),)
    elif len(seller.place) > 256:
        broken += (Broken("seller.place", "Место расчётов длиннее 256 знаков"),)
    if len(seller.address) > 256:
        broken += (Broken("seller.address", "Адрес расчётов длиннее 256 знаков"),)
    return broken


@document_rule(
    "R34",
    "BUYER_INN",
    REFUSAL,
    condition="Если покупатель действует для бизнеса: ИНН (1228) верен, а при наличных и предъявленной карте указаны "
    "и наименование (1227), и ИНН.",
    next_step="Укажите наименование и ИНН покупателя; у иностранца без ИНН — двенадцать нулей.",
)
def business_buyer_is_named(case: Case) -> Sequence[Broken]:
    """Art. 4.7 p. 6.1 of 54-ФЗ."""
    if not case.context.buyer_acts_for_business:
        return FINE
    buyer = case.document.buyer
    broken = FINE
    if buyer.inn and not is_inn_or_foreign(buyer.inn):
        broken += (Broken("buyer.inn", f"ИНН покупателя {buyer.inn} не проходит проверку"),)
    if case.cash or case.context.presented_card:
        if not buyer.inn:
            broken += (Broken("buyer.inn", "Расчёт с организацией или ИП, а ИНН покупателя не указан"),)
        if not buyer.name:
            broken += (Broken("buyer.name", "Расчёт с организацией или ИП, а наименование покупателя не указано"),)
    return broken


@document_rule(
    "R68",
    "CLOCK",
    NOTICE,
    condition="Время чека отличается от местного времени не больше чем на 5 минут.",
    next_step="Проверьте часы кассы и часовой пояс места расчётов.",
)
def clock_is_right(case: Case) -> Sequence[Broken]:
    now, at = case.context.now, case.context.receipt_at
    if now is None or at is None or abs(now - at) <= CLOCK_TOLERANCE:
        return FINE
    return [Broken("receipt_at", f"Время чека {at:%d.%m.%Y %H:%M}, а в месте расчётов {now:%d.%m.%Y %H:%M}")]


@document_rule(
    "R69",
    "PII_EXCESS",
    NOTICE,
    condition="Имя и ИНН покупателя (1227, 1228, 1256) стоят в чеке, только если на то есть записанная причина; "
    "ИНН тогда верен.",
    next_step="Уберите данные покупателя или запишите, зачем они: сделка для бизнеса или просьба покупателя.",
)
def buyer_details_have_a_reason(case: Case) -> Sequence[Broken]:
    buyer, context = case.document.buyer, case.context
    if not (buyer.name or buyer.inn) or context.buyer_acts_for_business:
        return FINE
    if not context.buyer_details_reason:
        return [Broken("buyer", "В чеке имя или ИНН покупателя, а причина не записана")]
    if buyer.inn and not is_inn_or_foreign(buyer.inn):
        return [Broken("buyer.inn", f"ИНН покупателя {buyer.inn} не проходит проверку")]
    return FINE


@document_rule(
    "R70",
    "NOT_A_SETTLEMENT",
    REFUSAL,
    condition="Расчёт не из тех, за которые чек не пробивается (безналичный между организациями, чек выдаёт агент).",
    next_step="Чек не нужен: отметьте оплату как не требующую чека.",
)
def settlement_owes_a_receipt(case: Case) -> Sequence[Broken]:
    """Art. 2 p. 9 of 54-ФЗ and the duties of agents."""
    reason = case.context.excluded_reason
    return [Broken("document", f"Чек за этот расчёт не нужен: {reason}")] if reason else FINE


@document_rule(
    "R71",
    "BUYER_COPY",
    REFUSAL,
    condition="При расчёте с человеком без контакта чек печатается на бумаге.",
    next_step="Включите печать чека или спросите у покупателя почту или телефон.",
)
def buyer_gets_a_copy(case: Case) -> Sequence[Broken]:
    """Art. 1.2 p. 2 of 54-ФЗ."""
    if not case.context.person_present or case.document.print_paper or case.has_contact:
        return FINE
    return [Broken("print_paper", "Покупатель на месте без почты и телефона, а печать чека выключена")]
