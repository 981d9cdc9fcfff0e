"""Sources, API keys and the journal of people's actions."""

from __future__ import annotations

import hashlib
import secrets
from typing import Any

from django.utils import timezone

from chekhov.people.models import Action, ApiKey, Source, User

PANEL_SOURCE = "panel"


def source_get(code: str, *, name: str = "") -> Source:
    """The source with this code, made if there is none."""
    return Source.objects.get_or_create(code=code, defaults={"name": name or code})[0]


def panel_source() -> Source:
    """The source of what people type into the panel."""
    return source_get(PANEL_SOURCE, name="Панель")


def apikey_create(*, source: Source, name: str) -> tuple[ApiKey, str]:
    """A new key of a source; the text is given once and never again."""
    key = f"chk_{secrets.token_urlsafe(32)}"
    row = ApiKey.objects.create(source=source, name=name, prefix=key[:10], digest=apikey_digest(key))
    return row, key


def apikey_digest(key: str) -> str:
    """What is kept of a key. It has 256 random bits, so a fast hash without salt is enough."""
    return hashlib.sha256(key.encode()).hexdigest()


def apikey_revoke(*, key: ApiKey) -> None:
    """The key opens nothing from now on."""
    if key.revoked_at is None:
        key.revoked_at = timezone.now()
        key.save(update_fields=["revoked_at"])


def action_log(*, actor: User | None, kind: str, subject: str = "", summary: str = "", **details: Any) -> None:
    """Write one line into the journal of actions."""
    Action.objects.create(
        at=timezone.now(), actor=actor, kind=kind, subject=subject[:120], summary=summary[:500], details=details
    )
