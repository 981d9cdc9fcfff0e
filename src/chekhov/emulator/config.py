"""What an emulator is started with, and the switches for behaviour that the real service does not document."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Switches:
    """Choices where the service's behaviour is unknown; each default is the most likely or the strictest reading.

    They can be changed at run time through ``/_emulator/settings`` and last until the process ends.
    """

    strict: bool = False
    """Refuse what the default tolerates: unknown keys, ``[]`` for an object, binary float noise, lengths over the
    fiscal format's limits, a missing contact, a correction by order without its number."""
    duplicate_task: bool = True
    """VLD11 carries the task that exists already."""
    duplicate_scope: str = "shop"
    """Where an ``external_id`` is unique: ``shop``, ``intent`` (shop and intent) or ``queue``."""
    unknown_queue_status: int = 403
    """Status for a queue that is not this shop's: 403 or 404."""
    unknown_task_status: int = 404
    """Status for a task that is not this shop's: 404 or 403."""
    malformed_status: int = 422
    """Status for a body that is not JSON: 422 or 400."""
    no_service_status: int = 403
    """Status of ``SRV00``: 403 or 422."""
    internet_only: bool = False
    """The register is registered for Internet settlements only: a receipt without a contact is an error."""
    ffd: str = "1.2"
    """Fiscal format of the register; on ``1.05`` corrections of refunds are errors."""
    callback_intervals_ms: tuple[int, ...] = (0, 10_000, 60_000)
    """Waits before each attempt to deliver a callback; empty: never sent."""

    def changed(self, values: Mapping[str, Any]) -> Switches:
        """A copy with ``values`` replaced.

        :raises ValueError: for an unknown name or a value outside the switch's choices.
        """
        checked: dict[str, Any] = {}
        for name, value in values.items():
            checked[name] = _checked_switch(name, value)
        return replace(self, **checked)

    def as_dict(self) -> dict[str, Any]:
        """Names and values, as JSON can carry them."""
        return {f.name: getattr(self, f.name) for f in fields(self)}


_CHOICES: dict[str, tuple[Any, ...]] = {
    "strict": (True, False),
    "duplicate_task": (True, False),
    "duplicate_scope": ("shop", "intent", "queue"),
    "unknown_queue_status": (403, 404),
    "unknown_task_status": (404, 403),
    "malformed_status": (422, 400),
    "no_service_status": (403, 422),
    "internet_only": (True, False),
    "ffd": ("1.2", "1.05"),
}


def _checked_switch(name: str, value: Any) -> Any:
    if name == "callback_intervals_ms":
        if not isinstance(value, (list, tuple)) or not all(type(v) is int and v >= 0 for v in value):
            raise ValueError("callback_intervals_ms: a list of milliseconds is wanted")
        return tuple(value)
    choices = _CHOICES.get(name)
    if choices is None:
        raise ValueError(f"{name}: no such switch")
    if not any(type(value) is type(choice) and value == choice for choice in choices):
        raise ValueError(f"{name}: one of {', '.join(map(str, choices))} is wanted")
    return value


def switch_from_text(text: str) -> tuple[str, Any]:
    """``NAME=VALUE`` of the command line as a name and a typed value.

    :raises ValueError: when the text has another form.
    """
    name, equals, value = text.partition("=")
    if not equals:
        raise ValueError(f"{text}: NAME=VALUE is wanted")
    if name == "callback_intervals_ms":
        return name, [int(part) for part in value.split(",") if part]
    if value.lower() in ("true", "false"):
        return name, value.lower() == "true"
    if name.endswith("_status"):
        return name, int(value)
    return name, value


@dataclass(frozen=True, slots=True)
class ShopConfig:
    """One shop of the service: its credentials, its queues and the two URLs of the cabinet."""

    shop: str
    secret: str = field(repr=False)
    queues: tuple[int, ...]
    success_url: str = ""
    failure_url: str = ""


@dataclass(frozen=True, slots=True)
class EmulatorConfig:
    """Everything that one emulator process is started with."""

    shops: tuple[ShopConfig, ...]
    host: str = "127.0.0.1"
    port: int = 8090
    """0 lets the system choose; the address is printed when the server is ready."""
    db: Path | None = None
    """SQLite file; without it the memory lives in a temporary file and ends with the process."""
    public_url: str = ""
    """Origin that clients sign their requests with; default ``http://host:port``."""
    inn: str = ""
    """ИНН of the register; empty: any is accepted."""
    latency_ms: int = 0
    """Added to every answer of the shop API."""
    pickup_delay_ms: int = 0
    """Time that a task stays ``new``."""
    print_delay_ms: int = 0
    """Time that a task stays ``processing``; both 0: done within the creating request, though its answer says new."""
    clock_offset_seconds: int = 0
    """Added to the clock for business time (the date on a receipt), never for delays."""
    switches: Switches = Switches()
