"""One call to a provider: a job's flow is driven to its outcome, within its deadlines."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import cast

import aiohttp
import structlog

from chekhov.delivery.jobs import Job, JobKind, Result
from chekhov.drivers.contract import (
    HttpReply,
    HttpRequest,
    LooksUp,
    LookupOutcome,
    PollOutcome,
    Submission,
    SubmitOutcome,
    TaskRef,
    Unsure,
)
from chekhov.drivers.errors import NotSent
from chekhov.drivers.flows import drive_async
from chekhov.registers.transport import send

log = structlog.get_logger(__name__)

KEPT_ANSWER = 20_000

Clocks = tuple[float, float]
"""Seconds by the clock that never goes back and by the calendar's, which goes on while a machine sleeps."""


def clocks() -> Clocks:
    """Both clocks now."""
    return time.monotonic(), time.time()


@dataclass(slots=True)
class _Seen:
    """The last reply of a flow, kept with the attempt."""

    status: int | None = None
    body: bytes = b""

    @property
    def is_html(self) -> bool:
        return self.body[:200].lstrip()[:1] == b"<"


async def call(job: Job, client: aiohttp.ClientSession, deadlines: Clocks) -> Result:
    """One call. Whatever goes wrong in it is an outcome."""
    seen = _Seen()

    async def transport(request: HttpRequest) -> HttpReply:
        if any(clock > deadline for clock, deadline in zip(clocks(), deadlines, strict=True)):
            raise NotSent("Срок отправки истёк раньше, чем дошла очередь: запрос не ушёл.")
        reply = await send(client, request)
        seen.status, seen.body = reply.status, reply.body
        return reply

    driver, connected = job.channel.driver, job.channel.connection
    outcome: SubmitOutcome | PollOutcome | LookupOutcome
    try:
        if job.kind is JobKind.POLL:
            outcome = await drive_async(driver.poll(connected, TaskRef(job.key, job.provider_ref)), transport)
        elif job.kind is JobKind.LOOKUP:
            outcome = await drive_async(cast(LooksUp, driver).lookup(connected, job.key), transport)
        else:
            outcome = await drive_async(driver.submit(connected, Submission(job.key, job.body)), transport)
    except Exception:
        log.exception("worker.call_failed", kind=job.kind, receipt=job.receipt_id)
        outcome = Unsure("Внутренняя ошибка при разборе ответа.")
    return Result(job, outcome, seen.status, _text(seen.body) if job.kind.is_sending else "", seen.is_html)


def _text(body: bytes) -> str:
    """An answer as evidence: bounded, and free of NUL, which PostgreSQL's text refuses."""
    return body[:KEPT_ANSWER].decode("utf-8", "replace").replace("\x00", "\ufffd")
