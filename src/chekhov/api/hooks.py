"""The door for providers' callbacks. It reads a bounded body and hands it on; judging is the delivery room's."""

from __future__ import annotations

import re

import structlog
from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, HttpResponse, UnreadablePostError
from django.views.decorators.csrf import csrf_exempt

from chekhov.api.intake import TooManyBodies, body_take
from chekhov.api.problems import problem_json, response
from chekhov.delivery.callbacks import callback_receive, is_link
from chekhov.registers.secrets import SecretUnreadable

log = structlog.get_logger(__name__)
MAX_BYTES = 64 * 1024
_WORD = re.compile(r"[\w-]{1,100}", re.ASCII)


@csrf_exempt
def hook(request: HttpRequest, provider: str, token: str) -> HttpResponse:
    """Take a provider's callback; the answer has a status and no body."""
    if request.method != "POST":
        return HttpResponse(status=405, headers={"Allow": "POST"})
    if not _WORD.fullmatch(provider) or not _WORD.fullmatch(token):
        return HttpResponse(status=404)
    if not is_link(provider, token):
        return HttpResponse(status=404)  # nobody reads what strangers send
    try:
        if int(request.META.get("CONTENT_LENGTH") or 0) > MAX_BYTES:
            return HttpResponse(status=413)
        body = body_take(request)
    except RequestDataTooBig:
        return HttpResponse(status=413)
    except TooManyBodies:
        return HttpResponse(status=503, headers={"Retry-After": "5"})
    except (ValueError, UnreadablePostError):
        return HttpResponse(status=400)
    if len(body) > MAX_BYTES:
        return HttpResponse(status=413)
    try:
        status = callback_receive(provider=provider, token=token, headers=dict(request.headers), body=body)
    except SecretUnreadable:
        log.error("hook.secret_unreadable", provider=provider)
        detail = "Secret кассы не расшифровать: уведомление не проверить."
        return response(problem_json(503, "secret_unreadable", detail, "Проверьте CHEKHOV_ENCRYPTION_KEYS."))
    return HttpResponse(status=status)
