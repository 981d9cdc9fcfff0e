"""Signatures of requests and of callbacks: hex HMAC-MD5 over METHOD + absolute URL + body, without separators."""

from __future__ import annotations

import hmac
from functools import lru_cache
from urllib.parse import unquote


def sign(secret: str, method: str, url: str, body: bytes = b"") -> str:
    """The signature as 32 lower-case hex digits.

    ``url`` is absolute, with its query; ``body`` is what is sent, byte for byte, and empty for GET and DELETE.
    """
    code = _keyed(secret).copy()
    code.update((method + url).encode("utf-8", "surrogateescape"))
    code.update(body)
    return code.hexdigest()


@lru_cache(maxsize=64)
def _keyed(secret: str) -> hmac.HMAC:
    """The code with the key worked in; copying it is many times cheaper than making it."""
    return hmac.new(secret.encode(), digestmod="md5")


def is_signed(secret: str, signature: str, method: str, origins: tuple[str, ...], target: str, body: bytes) -> bool:
    """Whether ``signature`` fits one of the URLs that the client may have meant.

    ``origins`` are the public origin and the one that the Host header names; ``target`` is the raw path with its query.
    A client that signs a query before its HTTP library percent-encodes it is right as well.
    """
    given = signature.encode("ascii", "replace")
    targets = (target, unquote(target)) if "%" in target else (target,)
    for origin in origins:
        for candidate in targets:
            if hmac.compare_digest(sign(secret, method, origin + candidate, body).encode(), given):
                return True
    return False
