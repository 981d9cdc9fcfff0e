"""A batch: many writes in one request, each with an answer of its own.

Facts that follow one another are recorded by one service call, in one transaction; customers and invoices go one by
one, in the order given. A wrong item holds back none of the others. Where the database goes away in the middle, the
rest is answered `unavailable` as well.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple
from urllib.parse import unquote

import structlog
from pydantic import BaseModel, ValidationError

from chekhov.api import problems
from chekhov.api.auth import Caller
from chekhov.api.bodies import BatchItem, CustomerBody, InvoiceBody, PaymentBody, TopupBody
from chekhov.api.writes import (
    Written,
    customer_write,
    facts_write,
    invoice_write,
    payment_content,
    topup_content,
)
from chekhov.errors import Fault, Invalid, NotFound, Refusal
from chekhov.receipts.contents import FactContent

log = structlog.get_logger(__name__)
MAX_ITEMS = 100
_AWAY = 503  # the database cannot be written: nothing of the rest is tried, all of it is to be repeated
Json = dict[str, Any]

_PATH = re.compile(r"(?:/?api/v1)?/?(customers|invoices)/([^/?#]+)(?:/(payments|topups)/([^/?#]+))?")


class _Parent(NamedTuple):
    """How a customer or an invoice is written."""

    body: type[BaseModel]
    write: Callable[[Caller, str, Any], Written]


class _Fact(NamedTuple):
    """How a fact is read."""

    body: type[BaseModel]
    content: Callable[[str, str, Any], FactContent]


_PARENTS = {"customers": _Parent(CustomerBody, customer_write), "invoices": _Parent(InvoiceBody, invoice_write)}
_FACTS = {
    ("invoices", "payments"): _Fact(PaymentBody, payment_content),
    ("customers", "topups"): _Fact(TopupBody, topup_content),
}


def batch_write(caller: Caller, items: Any) -> list[Json]:
    """The answers `{path, status, body}` of a batch, in its order.

    Raises Invalid (`invalid`) where the whole is not a list of at most 100.
    """
    if not isinstance(items, list):
        raise _whole("type", "Нужен список объектов с полями path и body.")
    if len(items) > MAX_ITEMS:
        raise _whole("count", f"В пачке не больше {MAX_ITEMS} записей, передано {len(items)}.")
    answers: list[Json] = []
    waiting: list[tuple[int, FactContent]] = []

    def record() -> None:
        """Write the facts that wait, and put their answers where they belong."""
        if waiting:
            for (index, _content), (status, body) in zip(
                waiting, _recorded(caller, [content for _index, content in waiting]), strict=True
            ):
                _put(answers[index], status, body)
            waiting.clear()

    for index, item in enumerate(items):
        path = item.get("path") if isinstance(item, dict) else None
        answers.append({"path": path if isinstance(path, str) else "", "status": 0, "body": None})
        if away := next((answer for answer in answers if answer["status"] == _AWAY), None):
            # tried, an item that stands on one that was not written would be told something wrong
            _put(answers[index], _AWAY, away["body"])
            continue
        try:
            step = _read(item)
            if isinstance(step, tuple):
                record()
                parent, external_id, body = step
                _put(answers[index], *parent.write(caller, external_id, body))
            else:
                waiting.append((index, step))
        except ValidationError as error:
            wrong = problems.invalid([problems.fault_of(fault) for fault in error.errors(include_url=False)])
            _put(answers[index], 422, wrong)
        except Exception as error:
            wrong = problems.of_exception(error)[0]
            _put(answers[index], wrong["status"], wrong)
    record()
    return answers


def _recorded(caller: Caller, contents: list[FactContent]) -> list[tuple[int, Json]]:
    """Facts recorded together; where that breaks down unexpectedly, one by one, so that only the culprit fails."""
    try:
        written = facts_write(caller, contents)
    except Exception as error:
        wrong = problems.of_exception(error)[0]
        if len(contents) == 1 or wrong["status"] == _AWAY:
            return [(wrong["status"], wrong)] * len(contents)
        log.error("api_batch_split", facts=len(contents), exc_info=error)
        return [answer for content in contents for answer in _recorded(caller, [content])]
    return [(status, problems.of_refusal(body) if isinstance(body, Refusal) else body) for status, body in written]


def _read(item: Any) -> FactContent | tuple[_Parent, str, Any]:
    """What an item asks for: a fact, or a parent to write. Raises ValidationError, Refusal."""
    if not isinstance(item, dict) or item.keys() != {"path", "body"}:
        BatchItem.model_validate(item)
    path = item["path"]
    match = _PATH.fullmatch(path) if isinstance(path, str) and len(path) <= 600 else None
    if match is None:
        BatchItem.model_validate(item)
        raise _nowhere()
    parent, parent_id, kind, fact_id = match.groups()
    parent_id = unquote(parent_id)
    if kind is None:
        target = _PARENTS[parent]
        return target, parent_id, target.body.model_validate(item["body"])
    fact = _FACTS.get((parent, kind))
    if fact is None:
        raise _nowhere()
    return fact.content(parent_id, unquote(fact_id), fact.body.model_validate(item["body"]))


def _put(answer: Json, status: int, body: Any) -> None:
    answer["status"], answer["body"] = status, body


def _nowhere() -> NotFound:
    return NotFound("route_not_found", "Такого адреса в API нет.", next_step="Сверьте адрес с описанием: /api/v1/docs.")


def _whole(code: str, message: str) -> Invalid:
    return Invalid("invalid", message, next_step="Исправьте запрос и повторите.", faults=[Fault("", code, message)])
