"""What a driver is: the requests it asks for, the closed outcomes it returns, what it declares about itself.

A driver does no I/O. Each of its flows is a generator that yields an `HttpRequest`, is sent an `HttpReply` and returns
an outcome; `chekhov.drivers.flows` runs it. The caller stores the bytes of `encode` before the first byte leaves and
sends them again unchanged, so one key always means one body.

Nothing here shows personal data or secrets in its `repr`.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol, TypeVar

from chekhov.drivers.access import AccessReport
from chekhov.fiscal.document import Document, FiscalResult
from chekhov.fiscal.vocabulary import CalculationSign, Ffd, TaxSystem, VatCode

# --- the wire ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """One request, complete: the transport adds nothing that the provider signs or reads."""

    method: str  # upper case
    url: str  # absolute, with its query
    headers: Mapping[str, str] = field(repr=False)  # carries credentials
    body: bytes = field(default=b"", repr=False)  # carries the buyer's contact


@dataclass(frozen=True, slots=True)
class HttpReply:
    """A whole answer. A cut-off or oversized one is not a reply: the transport throws `Lost`."""

    status: int
    headers: Mapping[str, str] = field(repr=False)  # any letter case
    body: bytes = field(default=b"", repr=False)


Outcome = TypeVar("Outcome", covariant=True)
Flow = Generator[HttpRequest, HttpReply, Outcome]
"""A conversation: yields requests, is sent replies, has `NotSent` and `Lost` thrown into it, returns its outcome."""


# --- errors of a provider ---------------------------------------------------------------------------------------------


class ErrorKind(StrEnum):
    """Whose move it is."""

    INPUT = "input"  # the document must change
    CONFIG = "config"  # credentials, queue, tariff: fix the connection, the document is fine
    TEMPORARY = "temporary"  # wait and repeat
    DEVICE = "device"  # the register needs a person
    MARKING = "marking"  # a marking code was refused
    EXPIRED = "expired"  # waited too long, certainly not printed
    UNKNOWN = "unknown"  # cannot tell


class KeyRule(StrEnum):
    """Under which key a repeat may go."""

    SAME = "same"  # repeat under the same key
    NEW = "new"  # the key is burnt
    STOP = "stop"  # no repeat by itself


@dataclass(frozen=True, slots=True)
class ProviderError:
    """What went wrong in the provider's words and ours. `code` is stable, `text` is for people and never matched on."""

    kind: ErrorKind
    key_rule: KeyRule
    code: str  # the provider's own code, or the HTTP status as text
    text: str = field(repr=False)  # the provider's words, cleaned; may echo a contact
    next_step: str = ""  # a Russian sentence: what a person does now
    retry_after_seconds: int | None = None
    status: int | None = None  # HTTP status of the answer


# --- outcomes ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TaskRef:
    """How a task is asked for. `provider_id` is empty when the provider has the task but did not tell its id."""

    key: str
    provider_id: str = ""
    provider_uuid: str = ""  # a second id, where the provider has one; informational


@dataclass(frozen=True, slots=True)
class Accepted:
    """The provider has the task. Not a receipt yet. An empty `ref.provider_id` is for reconciliation by a person."""

    ref: TaskRef
    was_known: bool = False  # an earlier call under the same key had arrived
    warnings: tuple[str, ...] = ()  # Russian sentences
    stage: str = ""  # the provider's word for the state, informational


@dataclass(frozen=True, slots=True)
class Done:
    """Fiscalized: the register's own figures are here."""

    ref: TaskRef
    result: FiscalResult


@dataclass(frozen=True, slots=True)
class Refused:
    """This call stored nothing at the provider, and the provider said so. Says nothing of earlier calls."""

    error: ProviderError


@dataclass(frozen=True, slots=True)
class Unsent:
    """This call provably never left: it may be made again at will. Says nothing of earlier calls."""

    reason: str


@dataclass(frozen=True, slots=True)
class Unsure:
    """Cannot tell. Settled only by asking under the same key. `error` says what is known of the cause, if anything."""

    reason: str
    error: ProviderError | None = None


@dataclass(frozen=True, slots=True)
class Pending:
    """Accepted and not final. `next_poll_seconds` is None where the schedule of the capabilities applies."""

    stage: str
    next_poll_seconds: int | None = None


@dataclass(frozen=True, slots=True)
class Failed:
    """Accepted earlier, ended without a receipt, as far as the provider knows."""

    ref: TaskRef
    error: ProviderError


@dataclass(frozen=True, slots=True)
class NotFound:
    """The provider knows no such task. Proves absence only if `definite`."""

    definite: bool


SubmitOutcome = Accepted | Done | Refused | Unsent | Unsure
PollOutcome = Pending | Done | Failed | NotFound | Unsent | Unsure
LookupOutcome = Accepted | Done | Failed | NotFound | Unsent | Unsure


# --- callbacks --------------------------------------------------------------------------------------------------------


class Verdict(StrEnum):
    """What a callback is worth."""

    VERIFIED = "verified"  # signed by the holder of the secret, and readable
    FORGED = "forged"  # no signature, or a wrong one: not a word of it was read
    MALFORMED = "malformed"  # signed, but does not say which task it is about


@dataclass(frozen=True, slots=True)
class CallbackVerdict:
    """A verified callback wakes the poll of `key`. It is never itself the proof of a receipt."""

    verdict: Verdict
    key: str = ""
    provider_id: str = ""
    state: str = ""  # the provider's word
    url: str = ""  # the accepted address under which the signature fits
    reason: str = ""  # a Russian sentence where the verdict is not `verified`


# --- what a driver declares -------------------------------------------------------------------------------------------


class SettingKind(StrEnum):
    """How the form asks for a setting."""

    TEXT = "text"
    SECRET = "secret"  # noqa: S105 - a kind of field, not a password
    INTEGER = "integer"
    URL = "url"


@dataclass(frozen=True, slots=True)
class SettingField:
    """One setting of a connection. The panel renders the form from these."""

    name: str  # key in the values given to `Driver.connection`
    label: str
    kind: SettingKind
    help: str = ""
    required: bool = True
    max_length: int = 255


@dataclass(frozen=True, slots=True)
class Connection:
    """Everything that a driver needs to reach one queue of one shop."""

    service_url: str  # scheme://host[:port], no trailing slash
    shop_id: str
    secret: str = field(repr=False)
    queue: int


@dataclass(frozen=True, slots=True)
class Submission:
    """One attempt as it was stored: the key and the exact bytes."""

    key: str
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a document or a setting does not fit the provider."""

    path: str  # lines.2.name
    code: str  # stable
    text: str  # a Russian sentence without personal data
    next_step: str = ""
    fatal: bool = True  # False: a notice, the document goes


class Dedup(StrEnum):
    """How far the provider's own protection against repeats of a key is known to reach."""

    STRONG = "strong"
    WINDOW = "window"
    UNPROVEN = "unproven"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What the provider can do, how often it may be asked, what fits into it."""

    lookup_by_key: bool  # False: a lost answer is found out by a repeat under the same key
    dedup: Dedup
    callback: bool
    callback_signed: bool
    print_flag: bool
    queue_state: bool
    corrections: bool
    marking: bool
    agents: bool
    ffd: frozenset[Ffd]
    settlements: frozenset[CalculationSign]
    tax_systems: frozenset[TaxSystem]
    vat_codes: frozenset[VatCode]
    max_lines: int
    max_name: int
    max_key: int
    requests_per_second: int  # per account, polls included
    min_poll_seconds: int
    poll_schedule_seconds: tuple[int, ...]  # waits before the polls; the last one repeats
    retry_schedule_seconds: tuple[int, ...]  # waits before the repeats; the last one repeats
    connect_timeout_seconds: int
    read_timeout_seconds: int
    dedup_window_seconds: int = 0  # with `Dedup.WINDOW`: so long a repeat of a key is known for one


class LooksUp(Protocol):
    """What a driver has beside the rest where its capabilities say `lookup_by_key`."""

    def lookup(self, connection: Connection, key: str) -> Flow[LookupOutcome]:
        """Ask by our own key what became of a sending. Stores nothing at the provider.

        `NotFound(definite=True)` only where the provider's answer proves that nothing is stored under the key now.
        """
        ...


class Driver(Protocol):
    """A provider's protocol. Stateless, safe to share between threads and loops."""

    @property
    def capabilities(self) -> Capabilities: ...

    @property
    def settings(self) -> tuple[SettingField, ...]: ...

    def connection(self, values: Mapping[str, str]) -> Connection:
        """Build a connection from the form's values by field name. Raises `InvalidSettings`."""
        ...

    def validate(self, document: Document) -> tuple[Problem, ...]:
        """What in the document does not fit this provider. Complete: every problem, fatal or not."""
        ...

    def encode(self, document: Document, key: str, callback_url: str | None) -> bytes:
        """The body to store and send. Raises `CannotEncode` where no honest body exists."""
        ...

    def submit(self, connection: Connection, submission: Submission) -> Flow[SubmitOutcome]:
        """Hand over one stored attempt. Also the way to find out a lost answer: same key, same bytes."""
        ...

    def poll(self, connection: Connection, ref: TaskRef) -> Flow[PollOutcome]:
        """Ask what became of an accepted task."""
        ...

    def check_access(self, connection: Connection) -> Flow[AccessReport]:
        """Does this connection work? Changes nothing at the provider."""
        ...

    def verify_callback(
        self, secret: str, urls: Sequence[str], raw_body: bytes, headers: Mapping[str, str]
    ) -> CallbackVerdict:
        """Judge a callback by the addresses that the provider was told to call, before reading a word of it."""
        ...

    def describe(self, document: Document) -> str:
        """One line for a log: no names, contacts, ИНН or goods."""
        ...


@dataclass(frozen=True, slots=True)
class Provider:
    """A choice in «Подключить»."""

    code: str
    title: str
    driver: Driver
    service_url: str | None  # None: the address is given at run time
    is_emulator: bool = False  # issues nothing that the tax service sees
