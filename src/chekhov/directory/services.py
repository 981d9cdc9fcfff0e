"""Writing the directories, and the questions about dates that they answer."""

from __future__ import annotations

from functools import lru_cache
from uuid import UUID

from chekhov.directory.models import Installation


@lru_cache(maxsize=1)
def installation_uuid() -> UUID:
    """The identity of this installation, made on the first call. It never changes, so it is kept."""
    return Installation.objects.get_or_create(id=1)[0].uuid
