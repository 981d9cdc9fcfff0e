"""Delivery step by step, without a network: a test says what the provider answered."""

from __future__ import annotations

from chekhov.config.database import clock_ms, execute
from chekhov.delivery.claims import Claimer
from chekhov.delivery.jobs import Job, JobKind, Result
from chekhov.delivery.lanes import lanes_ensure
from chekhov.delivery.results import results_commit
from chekhov.drivers.contract import (
    Accepted,
    Done,
    ErrorKind,
    Failed,
    KeyRule,
    Pending,
    ProviderError,
    Refused,
    TaskRef,
    Unsent,
    Unsure,
)
from chekhov.fiscal.codec import load
from chekhov.fiscal.document import FiscalResult
from chekhov.receipts.models import Receipt, ReceiptState
from chekhov.receipts.writer import hurry

OWNER = "worker-1"
LOST = Unsure("Соединение оборвалось.")
NOT_SENT = Unsent("Соединиться не удалось.")


def claim(owner: str = OWNER) -> list[Job]:
    """What a worker takes now; whatever waits for its time is due."""
    lanes_ensure()
    hurry(list(ReceiptState.objects.filter(due_ms__isnull=False).values_list("pk", flat=True)))
    execute(f"UPDATE receipts_receiptstate SET due_ms = {clock_ms()} WHERE state = 'queued'")
    return Claimer(owner).claim(100)


def claim_one(owner: str = OWNER) -> Job:
    (job,) = claim(owner)
    return job


def answer(job: Job, outcome: object, owner: str = OWNER) -> str:
    """Write one outcome; the receipt's state afterwards."""
    results_commit([Result(job, outcome, 200, "{}")], owner)  # type: ignore[arg-type]
    return ReceiptState.objects.get(pk=job.receipt_id).state


def accepted(job: Job, task: str = "501") -> Accepted:
    return Accepted(TaskRef(job.key, task))


def failed(job: Job) -> Failed:
    error = ProviderError(ErrorKind.DEVICE, KeyRule.NEW, "error", "Кончилась бумага", "Замените ленту")
    return Failed(TaskRef(job.key, job.provider_ref), error)


def refused(kind: ErrorKind = ErrorKind.INPUT, code: str = "VLD00") -> Refused:
    return Refused(ProviderError(kind, KeyRule.STOP, code, "Отказ"))


def figures(job: Job, **values: object) -> FiscalResult:
    document = load(Receipt.objects.get(pk=job.receipt_id).document)
    fields = {
        "fn": "9999078900012345",
        "fd": 4000 + job.receipt_id,
        "fp": "2397484188",
        "at": "20261124T1015",
        "sign": int(document.sign),
        "total": document.total,
        "rn": "0000000000051345",
        "shift": 12,
        "number": 3,
        **values,
    }
    return FiscalResult(**fields)  # type: ignore[arg-type]


def done(job: Job, **values: object) -> Done:
    return Done(TaskRef(job.key, job.provider_ref), figures(job, **values))


PENDING = Pending("processing")


def through_to_accepted(task: str = "501") -> Job:
    job = claim_one()
    assert job.kind is JobKind.SEND
    assert answer(job, accepted(job, task)) == "accepted"
    return job


def through_to_failed(task: str = "501") -> Job:
    job = through_to_accepted(task)
    asked = claim_one()
    assert answer(asked, failed(asked)) == "failed"
    return job


def through_to_fiscalized(task: str = "501") -> Job:
    through_to_accepted(task)
    asked = claim_one()
    assert answer(asked, done(asked)) == "fiscalized"
    return asked
