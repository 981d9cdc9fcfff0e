"""The frame of every page: who may see it, how it is rendered, how a refusal is shown."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec, cast

from django.contrib import admin, messages
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.cache import never_cache

from chekhov.errors import Refusal
from chekhov.people.models import User

P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, P], HttpResponse]


def is_htmx(request: HttpRequest) -> bool:
    """Whether the request asks for a part of a page."""
    return bool(getattr(request, "htmx", False))


def staff(view: View[P]) -> View[P]:
    """Only people of the panel. A part of a page whose session has ended makes the browser load the whole anew."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        if admin.site.has_permission(request):
            return view(request, *args, **kwargs)
        if is_htmx(request):
            return HttpResponse(status=204, headers={"HX-Refresh": "true"})
        return redirect_to_login(request.get_full_path(), reverse("admin:login"))

    return cast("View[P]", never_cache(guarded))


def actor(request: HttpRequest) -> User:
    """The person at the screen."""
    assert isinstance(request.user, User), "a page for people of the panel only"
    return request.user


def actor_name(request: HttpRequest) -> str:
    """How the person is named in facts and events."""
    return actor(request).actor_name


def page(request: HttpRequest, template: str, title: str, *, code: int = 200, **context: Any) -> HttpResponse:
    """Render a whole page inside the theme."""
    request.current_app = admin.site.name
    frame = {**admin.site.each_context(request), "title": title, **context}
    return render(request, f"panel/{template}.html", frame, status=code)


def part(request: HttpRequest, template: str, **context: Any) -> HttpResponse:
    """Render a part of a page, for htmx."""
    return render(request, f"panel/{template}.html", context)


def told(request: HttpRequest, text: str) -> None:
    """A sentence about what was done, shown on the next page."""
    messages.success(request, text)


def noted(request: HttpRequest, text: str) -> None:
    """Something that the person should know, shown on the next page."""
    messages.warning(request, text)


def refused(request: HttpRequest, refusal: Refusal) -> None:
    """A refusal shown on the next page: what, and what to do."""
    messages.error(request, f"{refusal.detail} {refusal.next_step}".strip())
