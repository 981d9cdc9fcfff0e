"""The routes of the shop's API, version 1. Each write makes one service call (`chekhov.api.writes`)."""

from __future__ import annotations

from functools import lru_cache
from typing import Annotated, Any
from uuid import UUID

import orjson
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path, re_path
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_safe
from ninja import NinjaAPI, Path, Query
from ninja.errors import HttpError, ValidationError, ValidationErrorContext
from ninja.parser import Parser

from chekhov import __version__
from chekhov.api import docs, problems, reads, schema, shapes
from chekhov.api.auth import ApiKeyBearer, Caller
from chekhov.api.batch import batch_write
from chekhov.api.bodies import CustomerBody, InvoiceBody, PaymentBody, TopupBody
from chekhov.api.fields import Instant, Text
from chekhov.api.writes import Written, customer_write, fact_write, invoice_write, payment_content, topup_content
from chekhov.errors import Fault, Invalid
from chekhov.receipts.states import State


class _Request(HttpRequest):
    auth: Caller


class _OrjsonParser(Parser):
    """JSON by orjson: it refuses NaN, broken UTF-8, lone surrogates and bottomless nesting."""

    def parse_body(self, request: HttpRequest) -> Any:
        return orjson.loads(request.body)


class _Api(NinjaAPI):
    """Ninja with our problems, and with the input kept in validation errors: money as a number has its own message."""

    def validation_error_from_error_contexts(
        self, error_contexts: list[ValidationErrorContext[Any]]
    ) -> ValidationError:
        errors: list[dict[str, Any]] = []
        for context in error_contexts:
            source = context.model.__ninja_param_source__
            back = context.model.__ninja_flatten_map_reverse__
            for item in context.pydantic_validation_error.errors(include_url=False):
                errors.append({**item, "loc": (source, *back.get(item["loc"], item["loc"]))})
        return ValidationError(errors)


api = _Api(
    title="Чехов",
    version=__version__,
    description=schema.description(),
    urls_namespace="api",
    docs_url=None,
    openapi_url=None,
    auth=ApiKeyBearer(),
    parser=_OrjsonParser(),
)
problems.install(api)

CustomerId = Annotated[str, Path(description="Ваш идентификатор клиента.", example="C-1")]
InvoiceId = Annotated[str, Path(description="Ваш идентификатор счёта.", example="A-1001")]
PaymentId = Annotated[str, Path(description="Ваш идентификатор оплаты.", example="P-1")]
TopupId = Annotated[str, Path(description="Ваш идентификатор пополнения.", example="T-1")]
ReceiptId = Annotated[UUID, Path(description="id чека.")]


def _answer(body: Any, status: int = 200) -> HttpResponse:
    return HttpResponse(orjson.dumps(body), status=status, content_type="application/json")


def _written(written: Written) -> HttpResponse:
    return _answer(written.body, written.status)


# --- writes -----------------------------------------------------------------------------------------------------------


@api.put(
    "/customers/{customer_id}",
    summary="Передать клиента",
    description="Создаёт клиента или заменяет его данные. Уже пробитые чеки не меняются.",
    tags=["Клиенты"],
    operation_id="customer_put",
    by_alias=True,
    response={200: shapes.CustomerAnswer, 201: shapes.CustomerAnswer},
    openapi_extra=schema.written("unknown_region"),
)
def customer_put(request: _Request, customer_id: CustomerId, body: CustomerBody) -> HttpResponse:
    return _written(customer_write(request.auth, customer_id, body))


@api.put(
    "/invoices/{invoice_id}",
    summary="Передать счёт",
    description="Создаёт счёт или заменяет его целиком, пока по нему нет оплат.",
    tags=["Счета"],
    operation_id="invoice_put",
    by_alias=True,
    response={200: shapes.InvoiceAnswer, 201: shapes.InvoiceAnswer},
    openapi_extra=schema.written("unknown_customer", "unknown_region", "unknown_organization", "total", "conflict"),
)
def invoice_put(request: _Request, invoice_id: InvoiceId, body: InvoiceBody) -> HttpResponse:
    return _written(invoice_write(request.auth, invoice_id, body))


@api.put(
    "/invoices/{invoice_id}/payments/{payment_id}",
    summary="Сообщить об оплате счёта",
    description="Записывает оплату и чек за неё. Дальше чек пробивается сам; его судьба — в GET этого же адреса.",
    tags=["Счета"],
    operation_id="payment_put",
    by_alias=True,
    response={200: shapes.PaymentAnswer, 201: shapes.PaymentAnswer},
    openapi_extra=schema.written(
        "amount", "overpaid", "paid_at", "means_channel", "means_unavailable", "invoice_not_found", "conflict"
    ),
)
def payment_put(request: _Request, invoice_id: InvoiceId, payment_id: PaymentId, body: PaymentBody) -> HttpResponse:
    return _written(fact_write(request.auth, payment_content(invoice_id, payment_id, body)))


@api.put(
    "/customers/{customer_id}/topups/{topup_id}",
    summary="Сообщить о пополнении баланса",
    description="Записывает пополнение и чек за него.",
    tags=["Клиенты"],
    operation_id="topup_put",
    by_alias=True,
    response={200: shapes.TopupAnswer, 201: shapes.TopupAnswer},
    openapi_extra=schema.written(
        "amount",
        "paid_at",
        "means_channel",
        "means_unavailable",
        "unknown_organization",
        "customer_not_found",
        "conflict",
    ),
)
def topup_put(request: _Request, customer_id: CustomerId, topup_id: TopupId, body: TopupBody) -> HttpResponse:
    return _written(fact_write(request.auth, topup_content(customer_id, topup_id, body)))


@api.post(
    "/batch",
    summary="Много записей одним запросом",
    description=(
        "До 100 записей `{path, body}`; ответы `{path, status, body}` в том же порядке, у каждой свой. "
        "Ошибка одной записи не задерживает остальные. Повторять пачку безопасно."
    ),
    tags=["Пачка"],
    operation_id="batch",
    by_alias=True,
    response={200: list[shapes.BatchAnswer]},
    openapi_extra={**schema.BATCH_BODY, **schema.errors(*schema.BODY)},
)
def batch(request: _Request) -> HttpResponse:
    try:
        items = orjson.loads(request.body)
    except orjson.JSONDecodeError as error:
        raise HttpError(400, "JSON") from error
    return _answer(batch_write(request.auth, items))


# --- reads ------------------------------------------------------------------------------------------------------------


@api.get(
    "/customers/{customer_id}",
    summary="Клиент",
    tags=["Клиенты"],
    operation_id="customer_get",
    by_alias=True,
    response=shapes.CustomerAnswer,
    openapi_extra=schema.errors("customer_not_found"),
)
def customer_get(request: _Request, customer_id: CustomerId) -> HttpResponse:
    return _answer(reads.customer_read(request.auth.source, customer_id))


@api.get(
    "/invoices/{invoice_id}",
    summary="Счёт с оплатами и чеками",
    tags=["Счета"],
    operation_id="invoice_get",
    by_alias=True,
    response=shapes.InvoiceAnswer,
    openapi_extra=schema.errors("invoice_not_found"),
)
def invoice_get(request: _Request, invoice_id: InvoiceId) -> HttpResponse:
    return _answer(reads.invoice_read(request.auth.source, invoice_id))


@api.get(
    "/invoices/{invoice_id}/payments/{payment_id}",
    summary="Оплата и судьба её чека",
    tags=["Счета"],
    operation_id="payment_get",
    by_alias=True,
    response=shapes.PaymentAnswer,
    openapi_extra=schema.errors("payment_not_found"),
)
def payment_get(request: _Request, invoice_id: InvoiceId, payment_id: PaymentId) -> HttpResponse:
    return _answer(reads.payment_read(request.auth.source, invoice_id, payment_id))


@api.get(
    "/customers/{customer_id}/topups/{topup_id}",
    summary="Пополнение и судьба его чека",
    tags=["Клиенты"],
    operation_id="topup_get",
    by_alias=True,
    response=shapes.TopupAnswer,
    openapi_extra=schema.errors("topup_not_found"),
)
def topup_get(request: _Request, customer_id: CustomerId, topup_id: TopupId) -> HttpResponse:
    return _answer(reads.topup_read(request.auth.source, customer_id, topup_id))


_QUERY = frozenset({"invoice", "customer", "state", "register", "from", "to", "cursor", "limit"})


@api.get(
    "/receipts",
    summary="Чеки, новые первыми",
    description="Страницы листают курсором: новые чеки его не сбивают. Неизвестный параметр — ошибка.",
    tags=["Чеки"],
    operation_id="receipts",
    by_alias=True,
    response=shapes.ReceiptPage,
    openapi_extra=schema.errors("invalid"),
)
def receipts(
    request: _Request,
    invoice: Annotated[Text | None, Query(description="Ваш идентификатор счёта.")] = None,
    customer: Annotated[Text | None, Query(description="Ваш идентификатор клиента.")] = None,
    state: Annotated[State | None, Query(description="Состояние.")] = None,
    register_id: Annotated[UUID | None, Query(alias="register", description="id кассы из /registers.")] = None,
    since: Annotated[Instant | None, Query(alias="from", description="Созданы не раньше.")] = None,
    until: Annotated[Instant | None, Query(alias="to", description="Созданы раньше.")] = None,
    cursor: Annotated[Text | None, Query(description="next_cursor прошлой страницы.")] = None,
    limit: Annotated[int, Query(ge=1, le=reads.PAGE_MAX, description="Сколько на странице.")] = reads.PAGE,
) -> HttpResponse:
    unknown = sorted(set(request.GET) - _QUERY)
    if unknown:
        faults = [Fault(name[:40], "unknown_field", "Такого параметра нет: проверьте название.") for name in unknown]
        raise Invalid("invalid", faults[0].message, next_step=problems.FIX_FIELDS, faults=faults)
    return _answer(
        reads.receipt_page(
            request.auth.source,
            invoice=invoice,
            customer=customer,
            state=state,
            register=register_id,
            since=since,
            until=until,
            cursor=cursor,
            limit=limit,
        )
    )


@api.get(
    "/receipts/{receipt_id}",
    summary="Чек целиком",
    tags=["Чеки"],
    operation_id="receipt",
    by_alias=True,
    response=shapes.ReceiptAnswer,
    openapi_extra=schema.errors("receipt_not_found", "invalid"),
)
def receipt(request: _Request, receipt_id: ReceiptId) -> HttpResponse:
    return _answer(reads.receipt_read(request.auth.source, receipt_id))


@api.get(
    "/receipts/{receipt_id}/events",
    summary="История чека",
    tags=["Чеки"],
    operation_id="receipt_events",
    by_alias=True,
    response=shapes.EventsAnswer,
    openapi_extra=schema.errors("receipt_not_found", "invalid"),
)
def receipt_events(request: _Request, receipt_id: ReceiptId) -> HttpResponse:
    return _answer(reads.receipt_events(request.auth.source, receipt_id))


@api.get(
    "/registers",
    summary="Кассы",
    tags=["Справочники"],
    operation_id="registers",
    by_alias=True,
    response=shapes.RegistersAnswer,
    openapi_extra=schema.errors(),
)
def registers(request: _Request) -> HttpResponse:
    return _answer(reads.registers_read())


@api.get(
    "/regions",
    summary="Регионы и их кассы",
    tags=["Справочники"],
    operation_id="regions",
    by_alias=True,
    response=shapes.RegionsAnswer,
    openapi_extra=schema.errors(),
)
def regions(request: _Request) -> HttpResponse:
    return _answer(reads.regions_read())


# --- the schema, and what is not there --------------------------------------------------------------------------------


@lru_cache(maxsize=1)
def openapi() -> bytes:
    """The schema, made once."""
    return orjson.dumps(schema.finished(api.get_openapi_schema(path_prefix="api/v1/")), option=orjson.OPT_INDENT_2)


@require_safe
def openapi_view(_request: HttpRequest) -> HttpResponse:
    return HttpResponse(openapi(), content_type="application/json")


@csrf_exempt
def nowhere(_request: HttpRequest) -> HttpResponse:
    return problems.response(problems.route_not_found())


def _patterns() -> list[URLPattern]:
    """Ninja's routes, with its plain «405» turned into a problem."""
    found: list[URLPattern] = []
    for pattern in api.urls[0]:
        assert isinstance(pattern, URLPattern)
        if pattern.name != "api-root":
            pattern.callback = _with_problem_405(pattern.callback)
            found.append(pattern)
    return found


def _with_problem_405(view: Any) -> Any:
    @csrf_exempt
    def wrapped(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        response: HttpResponse = view(request, *args, **kwargs)
        if response.status_code == 405:
            allowed = ", ".join(sorted(response["Allow"].split(", ")))
            body = problems.problem_json(
                405, "method_not_allowed", f"Метод {request.method} здесь не подходит.", f"Здесь можно: {allowed}."
            )
            return problems.response(body, {"Allow": allowed})
        return response

    return wrapped


urlpatterns = [
    *_patterns(),
    path("openapi.json", openapi_view),
    path("docs", docs.page),
    path("docs/<str:name>", docs.asset),
    re_path(r"", nowhere),
]
