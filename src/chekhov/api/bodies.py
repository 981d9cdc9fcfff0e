"""What a shop sends. Shapes and kinds are judged here, meaning (sums, contacts, limits) by the rooms below."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictBool

from chekhov.api.fields import Instant, QuantityText, Roubles, Text
from chekhov.sales.content import UNITS

MeansWord = Literal["card", "sbp", "cash", "transfer", "balance"]
ChannelWord = Literal["online", "counter", "remote"]


class Body(BaseModel):
    """A JSON object in which an unknown field is an error: a misspelt one that does nothing costs more."""

    model_config = ConfigDict(extra="forbid")


class CustomerBody(Body):
    """Клиент. Нужен хотя бы один контакт: без него электронный чек отправить некуда."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "name": "Иванова Анна Петровна",
                    "email": "anna@example.com",
                    "phone": "+79001234567",
                    "region": "msk",
                }
            ]
        }
    )

    name: Annotated[Text, Field(description="Имя, от 1 до 200 символов.")]
    region: Annotated[Text, Field(description="Код региона из справочника.")]
    email: Annotated[Text | None, Field(description="Куда отправить чек.")] = None
    phone: Annotated[Text | None, Field(description="Телефон, если почты нет: +79001234567.")] = None
    inn: Annotated[Text | None, Field(description="ИНН, если покупатель — организация или ИП.")] = None


class MarkingBody(Body):
    """Маркировка: товар этой группы продают по коду."""

    group: Literal["tires", "autofluids", "carparts", "other"]


class LineBody(Body):
    """Позиция счёта."""

    name: Annotated[Text, Field(description="Название, как напечатать в чеке.")]
    price: Annotated[Roubles, Field(description="Цена единицы до скидки, рубли строкой.")]
    quantity: QuantityText
    id: Annotated[Text | None, Field(description="Ваш идентификатор позиции; иначе её номер по порядку.")] = None
    vat: Annotated[
        Literal["standard", "reduced", "zero", "exempt"] | None,
        Field(description="Класс НДС; иначе — из настроек кассы. Код ставки выводится из класса, способа и даты."),
    ] = None
    object: Annotated[
        Literal["product", "excise", "work", "service", "payment"] | None,
        Field(description="Предмет расчёта (тег 1212); иначе product."),
    ] = None
    unit: Annotated[
        Text | None,
        Field(description="Единица измерения (тег 2108); иначе «шт».", json_schema_extra={"enum": [*UNITS, None]}),
    ] = None
    marking: Annotated[MarkingBody | None, Field(description="Указывают для маркируемого товара.")] = None
    discountable: Annotated[
        StrictBool | None, Field(description="false: скидка счёта на эту позицию не распространяется.")
    ] = None


class InvoiceBody(Body):
    """Счёт. Заменяется целиком, пока по нему нет оплат."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "customer": "C-1",
                    "number": "А-1001",
                    "discount": "100.00",
                    "lines": [
                        {"id": "1", "name": "Фильтр масляный", "price": "450.00", "quantity": "2"},
                        {"id": "2", "name": "Замена масла", "price": "1200.00", "quantity": "1", "object": "service"},
                    ],
                }
            ]
        }
    )

    customer: Annotated[Text, Field(description="Ваш идентификатор клиента, который уже передан.")]
    lines: Annotated[list[LineBody], Field(min_length=1, max_length=100)]
    region: Annotated[Text | None, Field(description="Код региона; иначе — регион клиента.")] = None
    organization: Annotated[Text | None, Field(description="Код организации; иначе — организация региона.")] = None
    number: Annotated[Text | None, Field(description="Номер для людей, до 60 символов; иначе идентификатор.")] = None
    discount: Annotated[Roubles, Field(min_length=1)] | None = None


class PaymentBody(Body):
    """Оплата счёта, вся или часть."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"amount": "2000.00", "means": "card", "channel": "online", "paid_at": "2026-11-24T10:15:00+03:00"}
            ]
        }
    )

    amount: Annotated[Roubles, Field(description="Сколько заплачено, рубли строкой.")]
    means: Annotated[MeansWord, Field(description="Чем заплачено. balance пока не принимается.")]
    channel: Annotated[
        ChannelWord,
        Field(description="online — на сайте, counter — в магазине (чек пробивает менеджер), remote — переводом."),
    ]
    paid_at: Instant
    buyer_acts_for_business: Annotated[
        StrictBool | None, Field(description="true: покупатель — организация или ИП; в чек идут его название и ИНН.")
    ] = None


class TopupBody(Body):
    """Пополнение баланса клиента."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"amount": "5000.00", "means": "sbp", "channel": "online", "paid_at": "2026-11-24T10:15:00+03:00"}
            ]
        }
    )

    amount: Annotated[Roubles, Field(description="Сколько внесено, рубли строкой.")]
    means: Annotated[MeansWord, Field(description="Чем внесено.")]
    channel: Annotated[ChannelWord, Field(description="online — на сайте, counter — в магазине, remote — переводом.")]
    paid_at: Instant
    organization: Annotated[Text | None, Field(description="Код организации; иначе — организация региона.")] = None


class BatchItem(Body):
    """Одна запись пачки: путь такого же PUT и его тело."""

    path: Annotated[Text, Field(max_length=600, description="Путь, как в адресе: invoices/A-1/payments/P-1.")]
    body: Any
