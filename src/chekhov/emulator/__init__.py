"""A stand-in for the cloud service «КОМТЕТ Касса» and for the cash registers behind it.

It speaks the provider's shop protocol (v1 and v2) over HTTP, prints receipts on a simulated register, sends signed
callbacks, keeps its memory on disk and misbehaves on request. It is a process of its own and imports nothing else of
Chekhov, so that a mistake in the driver cannot hide in the server that the driver is tested against.

Face: ``python -m chekhov.emulator`` (see ``__main__``), ``server.run(EmulatorConfig(...))`` in the current process,
``testing.EmulatorProcess`` for tests. Everything under ``/_emulator/`` is control; everything under ``/api/shop/`` is
the imitated service.
"""

from chekhov.emulator.config import EmulatorConfig, ShopConfig, Switches

__all__ = ["EmulatorConfig", "ShopConfig", "Switches"]
