"""Refusals that a person or a shop's program sees.

Refusal                 a stable code, a plain Russian sentence, what to do; nothing was changed
├── Invalid             what was sent is wrong (422)
├── NotFound            what was named does not exist (404)
└── Conflict            what was sent contradicts what is already known (409)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong, with the place where it stands: ``lines.0.price``."""

    path: str
    code: str
    message: str


class Refusal(Exception):
    """A refusal that changed nothing. `code` is stable, `detail` is for people, `next_step` says what to do."""

    status = 400

    def __init__(self, code: str, detail: str, *, next_step: str = "", faults: Sequence[Fault] = ()) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.next_step = next_step
        self.faults = tuple(faults)


class Invalid(Refusal):
    """What was sent is wrong."""

    status = 422


class NotFound(Refusal):
    """What was named does not exist."""

    status = 404


class Conflict(Refusal):
    """What was sent contradicts what is already known."""

    status = 409
