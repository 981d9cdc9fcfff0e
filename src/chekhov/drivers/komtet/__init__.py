"""«КОМТЕТ Касса»: the driver of its shop protocol v2, and the same protocol spoken by our emulator."""

from __future__ import annotations

from chekhov.drivers.contract import Provider
from chekhov.drivers.komtet.driver import KomtetDriver
from chekhov.drivers.komtet.settings import SERVICE_URL

PROVIDERS = (
    Provider("komtet", "Комтет Касса", KomtetDriver(SERVICE_URL), SERVICE_URL),
    Provider("test", "Тестовая касса", KomtetDriver(), None, is_emulator=True),
)
