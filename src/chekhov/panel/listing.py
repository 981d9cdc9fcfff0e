"""Lists of any length: newest first, by keyset, without counting. One row more than shown tells if there is more."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest

from chekhov.config.database import is_postgresql

PAGE = 50
M = TypeVar("M", bound=Model)


@dataclass(frozen=True, slots=True)
class Slice(Generic[M]):
    """A page of rows; `next_query` is empty on the last page."""

    rows: list[M]
    next_query: str
    first_query: str
    is_first: bool


def newest_first(
    request: HttpRequest, rows: QuerySet[M], *, key: str = "pk", time: str = "", size: int = PAGE
) -> Slice[M]:
    """The page that `?before=` asks for.

    `key` is the ordering column: the primary key, or the same number in a table whose index leads the search. With
    `time` the order is by that column first, so that its index serves a period.
    """
    before = request.GET.get("before", "")
    if before.isascii() and before.isdigit() and len(before) < 19:
        last = rows.model._default_manager.filter(pk=int(before)).values_list(time, flat=True).first() if time else None
        if time and last is not None:
            rows = rows.filter(Q(**{f"{time}__lt": last}) | Q(**{time: last, f"{key}__lt": int(before)}))
        else:
            rows = rows.filter(**{f"{key}__lt": int(before)})
    order = [f"-{time}", f"-{key}"] if time else [f"-{key}"]
    found = list(rows.order_by(*order)[: size + 1])
    query = request.GET.copy()
    query.pop("before", None)
    first, following = query.urlencode(), ""
    if len(found) > size:
        query["before"] = str(found[size - 1].pk)
        following = query.urlencode()
    return Slice(found[:size], following, first, not before)


def email_spellings(text: str) -> list[str]:
    """How an address may be stored: the part before @ keeps its case there, the domain never does."""
    text = text.strip()
    local, at, domain = text.rpartition("@")
    return sorted({text, text.lower(), f"{local}{at}{domain.lower()}"})


def prefix(field: str, text: str) -> Q:
    """Whether a column of search keys begins with the text, by an index on both databases.

    PostgreSQL has an index for LIKE; SQLite's LIKE cannot use one, a range can.
    """
    if is_postgresql():
        return Q(**{f"{field}__startswith": text})
    return Q(**{f"{field}__gte": text, f"{field}__lt": f"{text}\U0010ffff"})
