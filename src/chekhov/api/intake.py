"""Bodies of strangers: taken at once, or not at all, so that slow clients cannot hold every thread of the server.

The server hands a request to a thread before its body is there and has no time-out for it. A thread that reads the body
of a client who sends a byte a minute is lost for as long as that client likes. So only half of the threads may read
bodies of callers who have not shown a key: notifications and the panel's forms. The other half goes on taking payments,
whatever comes. A body that is there already is read in no time, so nobody notices this but an attacker, and those who
are behind one. What callers with a key send is not counted.
"""

from __future__ import annotations

import threading
from functools import lru_cache

from django.conf import settings
from django.http import HttpRequest

WAIT_MS = 100


class TooManyBodies(Exception):
    """As many bodies as may be are being read at the moment. Answer 503: who is honest comes again."""


@lru_cache(maxsize=1)
def _places() -> threading.BoundedSemaphore:
    return threading.BoundedSemaphore(max(1, settings.CHEKHOV_WEB_THREADS // 2))


def body_take(request: HttpRequest) -> bytes:
    """The whole body. Raises TooManyBodies, and what `request.body` raises."""
    if not _places().acquire(timeout=WAIT_MS / 1000):
        raise TooManyBodies
    try:
        return request.body
    finally:
        _places().release()
