"""What is asked of a provider: a channel with everything that a call needs, the job of one call, and how it ended."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID, uuid5

from chekhov.drivers.contract import Connection, Driver, LookupOutcome, PollOutcome, SubmitOutcome


class JobKind(StrEnum):
    """What is asked of the provider."""

    SEND = "send"  # the first time under its key, or again after it provably was not sent
    ASK = "ask"  # an outcome is unknown: the same bytes under the same key
    POLL = "poll"  # what became of an accepted task
    LOOKUP = "lookup"  # is there anything under our key: stores nothing at the provider

    @property
    def is_sending(self) -> bool:
        """Whether the call hands the document over: then it is an attempt, written down before."""
        return self in (JobKind.SEND, JobKind.ASK)


@dataclass(frozen=True, slots=True)
class Channel:
    """An account's queue with everything that a call needs."""

    account_id: int
    queue: int
    driver: Driver = field(repr=False)
    connection: Connection = field(repr=False)
    callback_url: str = field(repr=False)

    @property
    def key(self) -> tuple[int, int]:
        """Its lane."""
        return self.account_id, self.queue


@dataclass(frozen=True, slots=True)
class Job:
    """One call to make."""

    kind: JobKind
    receipt_id: int
    channel: Channel
    key: str
    provider_ref: str = ""
    wanted: str = ""  # the person's wish that stood when the question was asked
    words: int = 0  # how often the provider had spoken of the receipt by itself when the question was asked
    attempt_number: int = 0  # of a sending its own; of a question by key the last sending that it can speak of
    body: bytes = field(default=b"", repr=False)
    asked_at: datetime | None = None  # of a question: its answer says what was so then
    place_ms: int = 0  # since when it had been due: its place in the queue, if it comes back unsent


@dataclass(frozen=True, slots=True)
class Result:
    """A job and how it ended. `status` is the HTTP status and `answer` the body, where there was an answer."""

    job: Job
    outcome: SubmitOutcome | PollOutcome | LookupOutcome
    status: int | None = None
    answer: str = ""
    is_html: bool = False  # a page instead of an answer: something stands in front of the service


def key_of(receipt: UUID, key_number: int) -> str:
    """The provider's key of a receipt: its own UUID, and a derived one after each proven failure."""
    return str(receipt) if key_number == 1 else str(uuid5(receipt, str(key_number)))


def uuid_of_first_key(key: str) -> UUID | None:
    """The receipt whose first key this is, if it is one's; None where it cannot be."""
    try:
        return UUID(key)
    except ValueError:
        return None
