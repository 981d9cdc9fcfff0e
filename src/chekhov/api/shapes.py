"""The shapes of the answers, for the schema only: `chekhov.api.answers` and `.documents` make them by hand."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from chekhov.api.bodies import ChannelWord, MeansWord
from chekhov.receipts.states import State

MoneyText = Annotated[str, Field(pattern=r"^\d{1,8}\.\d\d$", description="Рубли строкой, всегда два знака.")]
StateWord = Annotated[
    State,
    Field(description="queued → sending → accepted → fiscalized; unknown — исход неизвестен, его узнаёт сам модуль."),
]
_RECEIPT = "0a8e1f3c-6a0b-5c0e-9f61-2f5d1f0f8f11"
_REGISTER = "7d8c2b7e-55a1-4d3f-8f0e-3c2f8d3f9a10"
_BRIEF = {"id": _RECEIPT, "kind": "receipt", "state": "queued", "total": "2000.00", "register": _REGISTER}
_PAYMENT: dict[str, Any] = {
    "id": "P-1",
    "invoice": "A-1001",
    "amount": "2000.00",
    "means": "card",
    "channel": "online",
    "paid_at": "2026-11-24T07:15:00Z",
    "buyer_acts_for_business": False,
    "receipts": [_BRIEF],
    "missing": None,
    "not_required": None,
}
_LINE: dict[str, Any] = {
    "id": "1",
    "name": "Фильтр масляный",
    "price": "450.00",
    "quantity": "2",
    "vat": None,
    "object": "product",
    "unit": "шт",
    "marking": None,
    "discountable": True,
}


def _example(**fields: Any) -> ConfigDict:
    return ConfigDict(extra="forbid", json_schema_extra={"examples": [fields]})


class Answer(BaseModel):
    """An answer has just these fields."""

    model_config = ConfigDict(extra="forbid")


class CustomerAnswer(Answer):
    """Клиент, как записан."""

    model_config = _example(
        id="C-1", name="Иванова Анна Петровна", email="anna@example.com", phone="+79001234567", inn=None, region="msk"
    )

    id: str
    name: str
    email: str | None
    phone: str | None
    inn: str | None
    region: Annotated[str, Field(description="Код региона.")]


class ReceiptBriefAnswer(Answer):
    """Чек оплаты или пополнения, коротко."""

    id: UUID
    kind: Annotated[Literal["receipt", "correction"], Field(description="receipt — чек, correction — чек коррекции.")]
    state: StateWord
    total: MoneyText
    register_: Annotated[UUID, Field(alias="register", description="Касса из /registers.")]


class MissingAnswer(Answer):
    """Чек нужен, но его ещё нет: почему и что сделать. Такие факты видны в «Оплачено без чека»."""

    code: str
    detail: str
    next_step: str


class NotRequiredAnswer(Answer):
    """Чек по закону не нужен: почему."""

    detail: str


class FactBase(Answer):
    """Что общего у оплаты и пополнения."""

    id: str
    amount: MoneyText
    means: MeansWord
    channel: ChannelWord
    paid_at: AwareDatetime
    receipts: list[ReceiptBriefAnswer]
    missing: MissingAnswer | None
    not_required: NotRequiredAnswer | None


class PaymentAnswer(FactBase):
    """Оплата и то, что с ней стало."""

    model_config = _example(**_PAYMENT)

    invoice: Annotated[str, Field(description="Ваш идентификатор счёта.")]
    buyer_acts_for_business: bool


class TopupAnswer(FactBase):
    """Пополнение и то, что с ним стало."""

    model_config = _example(
        id="T-1",
        customer="C-1",
        amount="5000.00",
        means="sbp",
        channel="online",
        paid_at="2026-11-24T07:15:00Z",
        organization="romashka",
        receipts=[{**_BRIEF, "total": "5000.00"}],
        missing=None,
        not_required=None,
    )

    customer: Annotated[str, Field(description="Ваш идентификатор клиента.")]
    organization: Annotated[str, Field(description="Код организации.")]


class MarkingAnswer(Answer):
    """Группа маркировки."""

    group: str


class LineAnswer(Answer):
    """Позиция счёта, приведённая к общему виду."""

    id: str
    name: str
    price: MoneyText
    quantity: str
    vat: str | None
    object: str
    unit: str
    marking: MarkingAnswer | None
    discountable: bool


class InvoiceAnswer(Answer):
    """Счёт, как записан, с оплатами."""

    model_config = _example(
        id="A-1001",
        number="А-1001",
        customer="C-1",
        region="msk",
        organization="romashka",
        discount="100.00",
        lines=[
            _LINE,
            {**_LINE, "id": "2", "name": "Замена масла", "price": "1200.00", "quantity": "1", "object": "service"},
        ],
        total="2000.00",
        paid="2000.00",
        payments=[_PAYMENT],
    )

    id: str
    number: str
    customer: str
    region: str
    organization: str
    discount: MoneyText
    lines: list[LineAnswer]
    total: MoneyText
    paid: MoneyText
    payments: list[PaymentAnswer]


class BatchAnswer(Answer):
    """Ответ на одну запись пачки: тот же, что дал бы отдельный PUT."""

    path: str
    status: int
    body: Annotated[Any, Field(description="Объект или отказ (Problem).")]


# --- receipts ---------------------------------------------------------------------------------------------------------


class Word(Answer):
    """Значение тега ФФД с его названием."""

    tag: int
    value: int
    label: str


class FactRef(Answer):
    """Какой факт закрывает чек."""

    kind: Literal["payment", "topup"]
    id: str


class ErrorAnswer(Answer):
    """Ошибка чека: код и слова провайдера, что сделать."""

    code: str
    text: str
    next_step: str


class ReceiptItem(Answer):
    """Чек в списке."""

    id: UUID
    kind: Literal["receipt", "correction"]
    sign: Word
    state: StateWord
    state_label: str
    total: MoneyText
    register_: Annotated[UUID, Field(alias="register", description="Касса из /registers.")]
    customer: Annotated[str, Field(description="Ваш идентификатор клиента.")]
    invoice: str | None
    fact: FactRef
    created_at: AwareDatetime
    changed_at: AwareDatetime
    standby: Annotated[UUID | None, Field(description="Резервная касса, на которую чек переведён; null — на своей.")]
    error: ErrorAnswer | None


_ITEM: dict[str, Any] = {
    "id": _RECEIPT,
    "kind": "receipt",
    "sign": {"tag": 1054, "value": 1, "label": "Приход"},
    "state": "fiscalized",
    "state_label": "Фискализирован",
    "total": "2000.00",
    "register": _REGISTER,
    "customer": "C-1",
    "invoice": "A-1001",
    "fact": {"kind": "payment", "id": "P-1"},
    "created_at": "2026-11-24T07:15:01Z",
    "changed_at": "2026-11-24T07:15:02Z",
    "standby": None,
    "error": None,
}


class ReceiptPage(Answer):
    """Страница чеков, новые первыми. Следующую просят с cursor = next_cursor, пока он не null."""

    model_config = _example(receipts=[_ITEM], next_cursor="eyJpZCI6NDJ9")

    receipts: list[ReceiptItem]
    next_cursor: str | None


class DocumentLine(Answer):
    """Предмет расчёта, тег 1059."""

    id: Annotated[str | None, Field(description="Ваш идентификатор позиции, если строка от неё.")]
    name: Annotated[str, Field(description="Тег 1030.")]
    price: Annotated[MoneyText, Field(description="Тег 1079, со скидкой.")]
    quantity: Annotated[str, Field(description="Тег 1023.")]
    sum: Annotated[MoneyText, Field(description="Тег 1043.")]
    object: Word
    method: Word
    vat: Word
    unit: Word
    mark: Annotated[str | None, Field(description="Тип кода маркировки; сам код не показывается.")]


class DocumentPayment(Answer):
    """Сумма по форме оплаты."""

    tag: int
    label: str
    amount: MoneyText


class DocumentSeller(Answer):
    """Продавец."""

    inn: str
    name: str
    tax_system: Word
    place: str
    address: str | None
    email: str | None


class DocumentBuyer(Answer):
    """Покупатель."""

    email: str | None
    phone: str | None
    name: str | None
    inn: str | None


class DocumentCashier(Answer):
    """Кассир, тег 1021."""

    name: str
    inn: str | None


class DocumentCorrection(Answer):
    """Основание коррекции."""

    type: Word
    base_on: str
    base_number: str | None


class DocumentAnswer(Answer):
    """Документ, каким он ушёл в кассу."""

    sign: Word
    settled_on: Annotated[str, Field(description="Дата расчёта в часовом поясе места.")]
    time_zone: Annotated[str, Field(description="Смещение места расчёта: +03:00 (тег 1011).")]
    internet: Annotated[bool, Field(description="Тег 1125.")]
    print_paper: bool
    total: MoneyText
    seller: DocumentSeller
    buyer: DocumentBuyer
    cashier: DocumentCashier | None
    correction: DocumentCorrection | None
    lines: list[DocumentLine]
    payments: list[DocumentPayment]


class FiscalAnswer(Answer):
    """Что вернула касса: доказательство, что чек пробит."""

    fn: Annotated[str, Field(description="ФН, тег 1041.")]
    fd: Annotated[int, Field(description="Номер ФД, тег 1040.")]
    fp: Annotated[str, Field(description="ФП, тег 1077.")]
    at: Annotated[AwareDatetime, Field(description="Тег 1012, со смещением места расчёта.")]
    rn: Annotated[str | None, Field(description="РН ККТ, тег 1037.")]
    shift: Annotated[int | None, Field(description="Смена, тег 1038.")]
    number: Annotated[int | None, Field(description="Номер чека за смену, тег 1042.")]
    total: MoneyText
    qr: Annotated[str | None, Field(description="Текст QR-кода, тег 1196.")]
    ofd_url: str | None


class AttemptAnswer(Answer):
    """Одна отправка провайдеру."""

    number: int
    sent_at: AwareDatetime
    answered_at: AwareDatetime | None
    outcome: Annotated[str | None, Field(description="accepted, done, refused, not_sent, unsure; null — ответа нет.")]
    status: Annotated[int | None, Field(description="Код HTTP.")]
    error: ErrorAnswer | None


class NoticeAnswer(Answer):
    """Замечание правил, которое чек не остановило."""

    rule: str
    code: str
    path: str
    message: str
    next_step: str


class ReceiptAnswer(ReceiptItem):
    """Чек целиком."""

    document: DocumentAnswer
    fiscal: FiscalAnswer | None
    attempts: list[AttemptAnswer]
    notices: list[NoticeAnswer]


class EventAnswer(Answer):
    """Один переход чека."""

    number: int
    from_: Annotated[str | None, Field(alias="from", description="null — чек создан.")]
    to: StateWord
    actor: str
    reason: str
    text: str
    at: AwareDatetime


class EventsAnswer(Answer):
    """История чека и целость её цепочки."""

    events: list[EventAnswer]
    chain_whole: Annotated[bool, Field(description="false: события изменены в обход модуля.")]


# --- directories ------------------------------------------------------------------------------------------------------


class HoldAnswer(Answer):
    """Почему касса сейчас не отправляет. Оплаты принимать можно: чеки ждут в очереди."""

    code: Literal["stopped", "breaker", "paused", "diverted"]
    text: str


class RegisterAnswer(Answer):
    """Запись «Онлайн-кассы для фискализации»."""

    id: UUID
    name: str
    provider: str
    organization: str
    region: str
    extra_regions: list[str]
    active_online: bool
    print_online: bool
    tax_system: Word
    vat_rate: str
    online_method: Word
    topup_method: Word
    ffd: Word
    standby: Annotated[UUID | None, Field(description="Резервная касса.")]
    hold: HoldAnswer | None


class RegistersAnswer(Answer):
    """Кассы, которые в работе."""

    registers: list[RegisterAnswer]


class RegisterRef(Answer):
    """Касса."""

    id: UUID
    name: str


class RegionAnswer(Answer):
    """Регион и касса, которая сама пробивает его чеки; иначе почему такой нет."""

    model_config = _example(
        code="msk",
        name="Москва",
        organization="romashka",
        register={"id": _REGISTER, "name": "Касса на Ленина"},
        reason=None,
        steps=["«Касса на Ленина»: касса региона, активна — выбрана."],
    )

    code: str
    name: str
    organization: str
    register_: Annotated[RegisterRef | None, Field(alias="register")]
    reason: Annotated[MissingAnswer | None, Field(description="Почему чеки региона не пробиваются сами.")]
    steps: Annotated[list[str], Field(description="Как выбиралась касса.")]


class RegionsAnswer(Answer):
    """Все регионы."""

    regions: list[RegionAnswer]
