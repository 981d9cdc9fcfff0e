"""«Проверка готовности»: the checks of `chekhov.watch.readiness` as a list."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse

from chekhov.panel.pages import page, staff
from chekhov.watch.readiness import Level, checks


@staff
def show(request: HttpRequest) -> HttpResponse:
    found = checks()
    return page(
        request,
        "readiness",
        "Проверка готовности",
        checks=found,
        bad=sum(check.level is Level.BAD for check in found),
        warn=sum(check.level is Level.WARN for check in found),
    )
