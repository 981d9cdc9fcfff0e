"""The schema and the page that shows it. Everything is served from here: the page loads nothing from other hosts."""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files
from typing import Final

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

_ASSETS: Final = {
    "swagger-ui.css": "text/css; charset=utf-8",
    "swagger-ui-bundle.js": "text/javascript; charset=utf-8",
    "page.js": "text/javascript; charset=utf-8",
}
_PAGE_JS = """SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#page",
  deepLinking: true,
  validatorUrl: null,
  defaultModelsExpandDepth: 0,
  persistAuthorization: false,
});
"""
_PAGE = """<!doctype html>
<html lang="ru">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Чехов: API</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="docs/swagger-ui.css">
</head>
<body>
<div id="page"></div>
<noscript>Описание в машинном виде: <a href="openapi.json">openapi.json</a></noscript>
<script src="docs/swagger-ui-bundle.js"></script>
<script src="docs/page.js"></script>
</body>
</html>
"""


@require_safe
def page(_request: HttpRequest) -> HttpResponse:
    """The page of the API."""
    return HttpResponse(_PAGE)


@require_safe
def asset(_request: HttpRequest, name: str) -> HttpResponse:
    """One of the page's own files."""
    from chekhov.api.problems import response, route_not_found

    if name not in _ASSETS:
        return response(route_not_found())
    return HttpResponse(_asset(name), content_type=_ASSETS[name], headers={"Cache-Control": "public, max-age=86400"})


@lru_cache(maxsize=8)
def _asset(name: str) -> bytes:
    """The viewer's files come with django-ninja."""
    if name == "page.js":
        return _PAGE_JS.encode()
    return (files("ninja") / "static" / "ninja" / name).read_bytes()
