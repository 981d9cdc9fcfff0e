"""The short way of programs: the API, callbacks and health answer before the panel's middleware begins.

Sessions, messages, CSRF, CSP and the theme's middleware are for browsers. Going past them saves a third of what Django
costs a request, and lets probes ask /healthz by an address that is no allowed host name: nothing here uses the Host.
"""

from __future__ import annotations

from collections.abc import Callable

from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, HttpResponse, UnreadablePostError
from django.http.response import HttpResponseBase
from django.urls import get_resolver

from chekhov.api.intake import TooManyBodies, body_take

PREFIXES = ("/api/", "/hooks/", "/healthz", "/readyz", "/metrics")
PAGES = "/api/v1/docs"  # a page for people: goes the long way, with its CSP


class DirectMiddleware:
    """Stands first in MIDDLEWARE."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response
        self.resolver = get_resolver()

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        path = request.path_info
        if not path.startswith(PREFIXES) or path.startswith(PAGES):
            return self._long_way(request)
        match = self.resolver.resolve(path)
        request.resolver_match = match
        response: HttpResponse = match.func(request, *match.args, **match.kwargs)
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Content-Length"] = str(len(response.content))  # else the server falls back to chunks
        return response

    def _long_way(self, request: HttpRequest) -> HttpResponseBase:
        """The panel. A form's body is taken here, before anything else reads it."""
        if request.method not in ("GET", "HEAD", "OPTIONS", "TRACE"):
            try:
                body_take(request)
            except TooManyBodies:
                return HttpResponse(status=503, headers={"Retry-After": "5"})
            except (RequestDataTooBig, UnreadablePostError):
                return HttpResponse(status=400)
        return self.get_response(request)
