"""The parts of the OpenAPI schema that ninja cannot derive: errors with their codes and examples, the batch's body."""

from __future__ import annotations

from typing import Any

from chekhov.api.problems import CODES, FIELD_CODES, MEDIA_TYPE, Problem, problem_json

Json = dict[str, Any]
COMMON = ("unauthorized", "internal", "unavailable")
BODY = ("malformed_json", "too_large", "invalid")

DESCRIPTION = """Модуль пробивает чеки за оплаты, о которых вы сообщаете.

**Как это устроено.** Вы передаёте клиента, счёт и оплату; модуль сам решает, какой чек нужен, и пробивает его.
Каждая запись — `PUT` под идентификатором, который выбрали вы, поэтому повторять любой запрос безопасно: первый раз
ответ 201, тот же запрос ещё раз — 200 и объект, каким он стал. Оплата под тем же идентификатором с другим
содержанием — 409 `conflict`. Клиента и счёт без оплат `PUT` заменяет.

**Деньги** — строки в рублях: `"1250.00"`. Число JSON вместо суммы — ошибка. Количество — строка или целое.

**Ключ** принадлежит источнику (сайту, CMS) и видит только его объекты.

**Отказ** — `application/problem+json`: постоянный `code`, `detail` для человека, `next_step`, `errors` с местами.
При отказе ничего не записано.

"""


def description() -> str:
    """The text of the schema with the tables of all codes."""
    rows = ["| code | статус | что значит |", "|---|---|---|"]
    rows += [f"| `{code}` | {status} | {words} |" for code, (status, words) in CODES.items()]
    fields = ", ".join(f"`{code}` — {words}" for code, words in FIELD_CODES.items())
    return DESCRIPTION + "**Коды отказов**\n\n" + "\n".join(rows) + f"\n\n**Коды в `errors`**: {fields}.\n"


def errors(*codes: str) -> Json:
    """The answers of an operation that refuse, by status, with an example for each code."""
    responses: dict[int, Json] = {}
    for code in (*codes, *COMMON):
        status, words = CODES[code]
        fresh: Json = {
            "description": "",
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}, "examples": {}}},
        }
        answer = responses.setdefault(status, fresh)
        answer["description"] += f"`{code}`: {words} "
        answer["content"][MEDIA_TYPE]["examples"][code] = {"value": problem_json(status, code, words)}
    return {"responses": responses}


def written(*codes: str) -> Json:
    """The refusals of a PUT."""
    return errors(*BODY, "id", *codes)


BATCH_BODY: Json = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "array",
                    "maxItems": 100,
                    "items": {
                        "type": "object",
                        "additionalProperties": False,
                        "required": ["path", "body"],
                        "properties": {
                            "path": {
                                "type": "string",
                                "maxLength": 600,
                                "description": "Путь, как в адресе: invoices/A-1/payments/P-1; начало /api/v1/ можно.",
                            },
                            "body": {
                                "description": "Тело того же PUT.",
                                "anyOf": [
                                    {"$ref": f"#/components/schemas/{name}"}
                                    for name in ("PaymentBody", "InvoiceBody", "CustomerBody", "TopupBody")
                                ],
                            },
                        },
                    },
                },
                "example": [
                    {
                        "path": "customers/C-1",
                        "body": {"name": "Иванова Анна", "email": "anna@example.com", "region": "msk"},
                    },
                    {
                        "path": "invoices/A-1001/payments/P-1",
                        "body": {
                            "amount": "2000.00",
                            "means": "card",
                            "channel": "online",
                            "paid_at": "2026-11-24T10:15:00+03:00",
                        },
                    },
                ],
            }
        },
    }
}


def finished(schema: Json) -> Json:
    """The derived schema with what the operations refer to."""
    components = schema["components"]["schemas"]
    problem = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    components.update(problem.pop("$defs", {}))
    components["Problem"] = problem
    schema["components"]["securitySchemes"] = {
        "ApiKey": {"type": "http", "scheme": "bearer", "description": "Ключ источника: chekhov apikey ИМЯ"}
    }
    for operations in schema["paths"].values():
        for operation in operations.values():
            if "security" in operation:
                operation["security"] = [{"ApiKey": []}]
            operation["responses"] = {
                str(status): answer for status, answer in sorted(operation["responses"].items(), key=_status)
            }
    return schema


def _status(item: tuple[Any, Any]) -> int:
    return int(item[0])
