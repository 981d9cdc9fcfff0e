"""Errors as the shop's program sees them: `application/problem+json` with a stable code and Russian sentences."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Annotated, Any

import orjson
import structlog
from django.core.exceptions import PermissionDenied, RequestDataTooBig
from django.db import DatabaseError, InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse, UnreadablePostError
from ninja import NinjaAPI
from ninja.errors import AuthenticationError, HttpError, ValidationError
from pydantic import BaseModel, Field

from chekhov.errors import Fault, Refusal

log = structlog.get_logger(__name__)
MEDIA_TYPE = "application/problem+json"
FIX_FIELDS = "Исправьте поля и повторите."

TITLES = {
    400: "Запрос не разобран",
    401: "Нужен API-ключ",
    403: "Нет доступа",
    404: "Не найдено",
    405: "Метод не подходит",
    409: "Противоречит записанному",
    413: "Запрос слишком большой",
    422: "В данных ошибка",
    500: "Внутренняя ошибка",
    503: "База данных недоступна",
}

CODES: dict[str, tuple[int, str]] = {
    "malformed_json": (400, "Тело запроса — не JSON в UTF-8."),
    "bad_request": (400, "Запрос не разобран."),
    "unauthorized": (401, "Нет ключа в заголовке Authorization, ключ неизвестен или отозван."),
    "forbidden": (403, "Этому ключу действие не разрешено."),
    "route_not_found": (404, "Такого адреса в API нет."),
    "customer_not_found": (404, "Клиента нет у этого источника."),
    "invoice_not_found": (404, "Счёта нет у этого источника."),
    "payment_not_found": (404, "Оплаты нет."),
    "topup_not_found": (404, "Пополнения нет."),
    "receipt_not_found": (404, "Чека нет у этого источника."),
    "method_not_allowed": (405, "Такого метода у этого адреса нет."),
    "conflict": (409, "Под этим идентификатором уже записано другое, или по счёту есть оплата."),
    "too_large": (413, "Тело больше 2 МиБ (уведомление кассы — больше 64 КиБ)."),
    "invalid": (422, "Одно или несколько полей с ошибкой; какие — в errors."),
    "id": (422, "Идентификатор: от 1 до 100 букв, цифр и знаков . : @ ~ = + - _"),
    "unknown_region": (422, "Региона с таким кодом нет."),
    "unknown_customer": (422, "Клиент счёта ещё не передан."),
    "unknown_organization": (422, "Организации с таким кодом нет."),
    "total": (422, "Сумма счёта после скидки не больше 0 или больше предела кассы."),
    "amount": (422, "Сумма не читается, не больше 0 или больше предела кассы."),
    "overpaid": (422, "Оплата больше остатка по счёту."),
    "paid_at": (422, "Время оплаты ещё не наступило."),
    "means_channel": (422, "Так этим средством не платят: наличные — только counter, перевод — не counter."),
    "means_unavailable": (422, "Средство оплаты пока не принимается."),
    "internal": (500, "Внутренняя ошибка; запрос можно повторить."),
    "secret_unreadable": (503, "Secret кассы не расшифровать: её уведомление не проверить, его присылают ещё раз."),
    "unavailable": (503, "База данных занята или недоступна; запрос можно повторить."),
}
"""Every `code` of a whole answer with its status. Codes of single fields are in FIELD_CODES."""

FIELD_CODES = {
    "required": "обязательное поле не передано",
    "unknown_field": "такого поля нет",
    "type": "значение не того вида",
    "choice": "значение не из списка",
    "money_number": "деньги переданы числом, а не строкой",
    "quantity_number": "дробное количество передано числом, а не строкой",
    "text": "в тексте управляющие символы",
    "too_long": "текст слишком длинный",
    "count": "слишком мало или слишком много элементов",
    "instant": "дата и время без смещения или не читаются",
    "cursor": "курсор не от этого списка",
    "limit": "limit вне пределов 1–100",
    "amount": "сумма не читается или вне пределов",
    "name": "имя клиента пустое или длиннее 200",
    "email": "адрес почты с ошибкой",
    "phone": "телефон с ошибкой",
    "inn": "ИНН с ошибкой",
    "number": "номер счёта длиннее 60",
    "lines_count": "позиций меньше 1 или больше 100",
    "line_id": "идентификатор позиции повторяется или длиннее 64",
    "name_text": "название нельзя напечатать",
    "quantity": "количество не читается или вне пределов",
    "vat": "неизвестный класс НДС",
    "object": "неизвестный предмет расчёта",
    "unit": "неизвестная единица",
    "marking": "неизвестная группа маркировки",
}


class FaultAnswer(BaseModel):
    """Одна ошибка и место, где она стоит."""

    path: Annotated[str, Field(description="Где: lines.0.price; пусто — весь запрос.")]
    code: str
    message: str


class Problem(BaseModel):
    """Отказ по RFC 9457. При отказе ничего не записано."""

    type: Annotated[str, Field(description="urn:chekhov:error:<code>")]
    title: str
    status: int
    code: Annotated[str, Field(description="Постоянный код: на него можно опираться в программе.")]
    detail: Annotated[str, Field(description="Что не так, по-русски.")]
    next_step: Annotated[str, Field(description="Что сделать.")]
    errors: list[FaultAnswer]


def problem_json(
    status: int, code: str, detail: str, next_step: str = "", faults: Iterable[Fault] = ()
) -> dict[str, Any]:
    """The body of a problem."""
    return {
        "type": f"urn:chekhov:error:{code}",
        "title": TITLES.get(status) or HTTPStatus(status).phrase,
        "status": status,
        "code": code,
        "detail": detail,
        "next_step": next_step,
        "errors": [{"path": fault.path, "code": fault.code, "message": fault.message} for fault in faults],
    }


def response(body: dict[str, Any], headers: Mapping[str, str] | None = None) -> HttpResponse:
    """A problem as an HTTP answer."""
    return HttpResponse(orjson.dumps(body), status=body["status"], content_type=MEDIA_TYPE, headers=headers)


def of_refusal(refusal: Refusal) -> dict[str, Any]:
    """A refusal of the rooms below."""
    return problem_json(refusal.status, refusal.code, refusal.detail, refusal.next_step, refusal.faults)


def route_not_found() -> dict[str, Any]:
    return problem_json(404, "route_not_found", "Такого адреса в API нет.", "Сверьте адрес с описанием: /api/v1/docs.")


def malformed_json() -> dict[str, Any]:
    return problem_json(
        400, "malformed_json", "Тело запроса — не JSON в UTF-8.", "Передайте JSON с Content-Type: application/json."
    )


def internal() -> dict[str, Any]:
    return problem_json(
        500,
        "internal",
        "Внутренняя ошибка: запрос не выполнен.",
        "Повторите тот же запрос; если ошибка остаётся, сообщите администратору.",
    )


# --- pydantic's errors in Russian -------------------------------------------------------------------------------------

_KINDS = {
    "string_type": "Нужна строка.",
    "bool_type": "Нужно true или false.",
    "list_type": "Нужен список.",
    "int_parsing": "Нужно целое число.",
    "uuid_parsing": "Нужен UUID.",
    "model_type": "Нужен объект.",
    "model_attributes_type": "Нужен объект.",
    "dict_type": "Нужен объект.",
}
_MONEY = frozenset({"amount", "price", "discount"})


def fault_of(error: Mapping[str, Any], skip: int = 0) -> Fault:
    """One error of pydantic as a fault; `skip` leaves out the first parts of its place."""
    place = [str(part) for part in error["loc"][skip:]]
    path, kind = ".".join(place), error["type"]
    context: Mapping[str, Any] = error.get("ctx") or {}
    value = error.get("input")
    if kind == "missing":
        return Fault(path, "required", "Обязательное поле не передано." if path else "Тело запроса пустое.")
    if kind == "extra_forbidden":
        return Fault(path, "unknown_field", "Такого поля нет: проверьте название.")
    if kind in {"literal_error", "enum"}:
        return Fault(path, "choice", f"Допустимые значения: {str(context['expected']).replace(' or ', ', ')}.")
    if kind == "string_pattern_mismatch":
        return Fault(path, "text", "В тексте есть управляющие символы: уберите их.")
    if kind == "string_too_short":
        return Fault(path, "amount", "Сумма не может быть пустой: передайте её или уберите поле.")
    if kind == "string_too_long":
        return Fault(path, "too_long", f"Не больше {context['max_length']} символов.")
    if kind in {"too_short", "too_long"}:
        if place and place[-1] == "lines":
            return Fault(path, "lines_count", "В счёте должно быть от 1 до 100 позиций.")
        return Fault(path, "count", f"Не больше {context.get('max_length', 100)} элементов.")
    if kind in {"greater_than_equal", "less_than_equal"}:
        return Fault(path, "limit", "Значение вне допустимых пределов.")
    if kind == "instant":
        return Fault(path, "instant", str(error["msg"]))
    if kind == "string_type" and isinstance(value, int | float) and not isinstance(value, bool) and place:
        if place[-1] in _MONEY:
            return Fault(path, "money_number", 'Деньги передают строкой, а не числом: "1250.00".')
        if place[-1] == "quantity":
            return Fault(path, "quantity_number", 'Дробное количество передают строкой, а не числом: "1.357".')
    return Fault(path, "type", _KINDS.get(kind, "Значение не того вида."))


def invalid(faults: Sequence[Fault]) -> dict[str, Any]:
    """Several wrong fields as one problem."""
    first = faults[0]
    detail = f"{first.path}: {first.message}" if first.path else first.message
    return problem_json(422, "invalid", detail, FIX_FIELDS, faults)


# --- handlers ---------------------------------------------------------------------------------------------------------


def of_exception(error: BaseException) -> tuple[dict[str, Any], dict[str, str]]:
    """The problem that an exception becomes, with the headers that belong to it. Shows nothing of the inside."""
    if isinstance(error, Refusal):
        return of_refusal(error), {}
    if isinstance(error, ValidationError):
        return invalid([fault_of(item, _skipped(item)) for item in error.errors]), {}
    if isinstance(error, AuthenticationError):
        body = problem_json(
            401,
            "unauthorized",
            "Ключа нет, он неизвестен или отозван.",
            "Передайте действующий ключ в заголовке «Authorization: Bearer <ключ>».",
        )
        return body, {"WWW-Authenticate": 'Bearer realm="chekhov"'}
    if isinstance(error, PermissionDenied):
        return problem_json(403, "forbidden", "Этому ключу действие не разрешено.", "Возьмите другой ключ."), {}
    if isinstance(error, Http404):
        return route_not_found(), {}
    if isinstance(error, RequestDataTooBig):
        body = problem_json(
            413, "too_large", "Тело запроса больше 2 МиБ.", "Разделите запрос на несколько, например пачками поменьше."
        )
        return body, {}
    if isinstance(error, HttpError) and error.status_code == 400:
        return malformed_json(), {}
    if isinstance(error, UnreadablePostError):
        return problem_json(400, "bad_request", "Тело запроса оборвалось.", "Повторите запрос."), {}
    if isinstance(error, OperationalError | InterfaceError):
        log.error("api_database_unavailable", exc_info=error)
        body = problem_json(503, "unavailable", "База данных занята или недоступна.", "Повторите тот же запрос позже.")
        return body, {"Retry-After": "1"}
    log.error("api_unexpected_error", exc_info=error)
    return internal(), {}


def _skipped(error: Mapping[str, Any]) -> int:
    """Ninja puts the source (body, query, path) first, and the name of the view's parameter after `body`."""
    place = error["loc"]
    return min(len(place), 2 if place and place[0] == "body" else 1)


def install(api: NinjaAPI) -> None:
    """Let every exception of a view leave as a problem."""

    def handle(_request: HttpRequest, error: Any) -> HttpResponse:
        return response(*of_exception(error))

    for kind in (
        Refusal,
        ValidationError,
        AuthenticationError,
        HttpError,
        Http404,
        PermissionDenied,
        RequestDataTooBig,
        UnreadablePostError,
        DatabaseError,
        Exception,
    ):
        api.add_exception_handler(kind, handle)
