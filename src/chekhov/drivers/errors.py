"""The exceptions of the drivers room.

::

    DriverError
    ├── TransportError         thrown INTO a flow by whoever runs it
    │   ├── NotSent            provably no byte of the request left: name not resolved, connection refused, TLS refused
    │   └── Lost               the request may have arrived, the answer did not: time-out, reset, cut-off body
    ├── CannotEncode           the document cannot be said in this provider's protocol
    ├── InvalidSettings        the connection's settings cannot be used
    └── UnknownProvider        no driver has this code

What a provider *answered* is never an exception: it is a closed outcome of `chekhov.drivers.contract`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from chekhov.drivers.contract import Problem


class DriverError(Exception):
    """The root: nothing else leaves this room by `raise`, programmer errors apart."""


class TransportError(DriverError):
    """The request got no usable answer. `reason` is a Russian sentence without addresses, secrets or personal data."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class NotSent(TransportError):
    """Provably no byte of the request left this machine: nothing of it can have arrived."""


class Lost(TransportError):
    """The request may have arrived; the answer did not. Its fate is found out under the same key only."""


class CannotEncode(DriverError):
    """The document cannot be written in this provider's protocol; `problem` says why and what to do."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(f"{problem.code}: {problem.path}")
        self.problem = problem


class InvalidSettings(DriverError):
    """The settings of a connection cannot be used; `problems` has one entry for each field at fault."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__(", ".join(f"{problem.path}: {problem.code}" for problem in problems))
        self.problems = problems


class UnknownProvider(DriverError):
    """No provider is registered under `code`."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code
