"""/healthz, /readyz and /metrics."""

from __future__ import annotations

from ipaddress import ip_address

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST

from chekhov import __version__
from chekhov.people.models import ApiKey
from chekhov.people.services import apikey_digest
from chekhov.watch import metrics
from chekhov.watch.health import readiness

_PROXY_HEADERS = ("HTTP_X_FORWARDED_FOR", "HTTP_FORWARDED", "HTTP_X_REAL_IP")


@require_safe
def healthz(_request: HttpRequest) -> HttpResponse:
    """The process answers. Touches nothing."""
    return JsonResponse({"status": "ok", "version": __version__})


@require_safe
def readyz(_request: HttpRequest) -> HttpResponse:
    """200 while payments may be taken, else 503 with the reasons."""
    found = readiness()
    body = {
        "status": "ready" if found.is_ready else "not_ready",
        "reasons": list(found.reasons),
        "workers": [{"seconds_ago": round(beat.seconds_ago, 1)} for beat in found.beats],  # names are nobody's
    }
    return JsonResponse(body, status=200 if found.is_ready else 503)


@require_safe
def metrics_view(request: HttpRequest) -> HttpResponse:
    """Prometheus text for this machine itself, or for the holder of an API key."""
    if not (_is_local(request) or _has_key(request)):
        return HttpResponse(
            "an API key is needed\n", status=401, headers={"WWW-Authenticate": 'Bearer realm="chekhov"'}
        )
    return HttpResponse(metrics.exposition.text(), content_type=CONTENT_TYPE_LATEST)


def _is_local(request: HttpRequest) -> bool:
    """From loopback, and not passed on by a proxy that stands there."""
    if any(header in request.META for header in _PROXY_HEADERS):
        return False
    try:
        return ip_address(request.META.get("REMOTE_ADDR", "")).is_loopback
    except ValueError:
        return False


def _has_key(request: HttpRequest) -> bool:
    scheme, _space, key = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not key:
        return False
    return ApiKey.objects.filter(digest=apikey_digest(key), revoked_at__isnull=True).exists()
