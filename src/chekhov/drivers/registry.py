"""The providers on offer. Adding one is adding a folder here whose package has `PROVIDERS`; nothing else changes."""

from __future__ import annotations

import pkgutil
from functools import cache
from importlib import import_module

import chekhov.drivers
from chekhov.drivers.contract import Provider
from chekhov.drivers.errors import UnknownProvider


@cache
def _providers() -> dict[str, Provider]:
    found: dict[str, Provider] = {}
    for module in sorted(pkgutil.iter_modules(chekhov.drivers.__path__), key=lambda module: module.name):
        if not module.ispkg:
            continue
        for provider in import_module(f"{chekhov.drivers.__name__}.{module.name}").PROVIDERS:
            assert isinstance(provider, Provider)
            assert provider.code not in found, f"two providers have the code {provider.code}"
            found[provider.code] = provider
    return found


def get(code: str) -> Provider:
    """The provider with this code. Raises `UnknownProvider`."""
    try:
        return _providers()[code]
    except KeyError:
        raise UnknownProvider(code) from None


def available() -> tuple[Provider, ...]:
    """All providers: real ones first, then by title."""
    return tuple(sorted(_providers().values(), key=lambda provider: (provider.is_emulator, provider.title)))
