"""Signing and checking: HMAC-MD5 over METHOD + URL + BODY under the shop's secret, as lower-case hex.

The URL is absolute and exactly the one requested, query included; the body is the exact bytes, empty for GET. Callbacks
are signed in the same way over `POST` and the address that the service was told to call (KOMTET shop protocol, request
signature and notifications).
"""

from __future__ import annotations

import hmac
from collections.abc import Sequence


def sign(secret: str, method: str, url: str, body: bytes = b"") -> str:
    """32 lower-case hex characters. The secret may be any text."""
    # not hmac.digest: that lets go of the interpreter for each text, which costs a busy worker more than the sum
    return hmac.new(secret.encode(), method.encode() + url.encode() + body, "md5").hexdigest()


def matching_url(secret: str, method: str, urls: Sequence[str], body: bytes, signature: str) -> str | None:
    """The first of `urls` under which the signature is right, or None.

    Every address is tried, whether or not one has fitted, and each comparison takes constant time: the time spent tells
    nothing of the secret or of which address is the right one. An upper-case signature is accepted.
    """
    given = signature.strip().lower().encode("utf-8", "replace")
    found: str | None = None
    for url in urls:
        fits = hmac.compare_digest(sign(secret, method, url, body).encode(), given)
        if fits and found is None:
            found = url
    return found
