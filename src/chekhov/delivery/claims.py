"""Taking work: what is due, within each lane's permits, leased to one worker, written down before any call.

One transaction claims, writes the attempts with their exact bytes, and moves the states. Only after its commit may a
byte leave. Every time here is the database's clock, so workers on several machines agree.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta

import structlog
from django.conf import settings
from django.db import OperationalError

from chekhov.config.clock import now
from chekhov.config.database import fetch, insert_rows, instant, one_of, writing
from chekhov.delivery.absence import longest_call
from chekhov.delivery.breaker import LaneKey
from chekhov.delivery.channels import Channels
from chekhov.delivery.due import Due, due_on
from chekhov.delivery.jobs import Channel, Job, JobKind, key_of
from chekhov.delivery.lanes import LaneRow, lane_pause, lane_served, lanes_ready, permits, rate_spend
from chekhov.delivery.models import Attempt
from chekhov.delivery.places import Places
from chekhov.delivery.reconcile import Way, way
from chekhov.delivery.selectors import HELD, PERSON_DECIDES
from chekhov.delivery.sightings import HELD_TEXT, Held, ask_again, ask_sighted
from chekhov.delivery.standby import diverted_registers
from chekhov.drivers.contract import Dedup
from chekhov.drivers.errors import CannotEncode
from chekhov.fiscal.codec import load
from chekhov.receipts import writer
from chekhov.receipts.incidents import UNREADABLE, incident_open
from chekhov.receipts.states import State

log = structlog.get_logger(__name__)

_KINDS = {Way.LOOKUP: JobKind.LOOKUP, Way.REPEAT: JobKind.ASK}


class Claimer:
    """Claims work for one worker. Lives in the worker's database thread."""

    def __init__(self, owner: str) -> None:
        self.owner = owner
        self.channels = Channels()
        self._served: list[LaneRow] = []  # of the claim that is under way
        self._suspects: list[LaneKey] = []  # each has the next claim for itself

    def claim(self, most: int, held: Mapping[LaneKey, int] | None = None, places: int = 0) -> list[Job]:
        """Up to `most` jobs, each written down before this returns.

        `held` says how many calls of each lane are open at this worker and `places` how many it may have in all: see
        `Places`. A lane whose claim goes wrong is put aside for a while; it holds back no other.
        """
        self._served = []
        try:
            with writing(together=True):
                jobs = self._claim(most, held or {}, places or most)
        except BaseException as error:
            self.channels.forget_urls()
            if not self._served or isinstance(error, OperationalError) or not isinstance(error, Exception):
                raise
            self._put_aside(error)
            return []
        return jobs

    def _put_aside(self, error: Exception) -> None:
        """The lane at fault rests. Where several were served, PostgreSQL may have told of the fault of one only at
        another's: then each of them has a claim for itself, which shows which it is.
        """
        if len(self._served) > 1:
            log.error("claim.failed", exc_info=error, lanes=[lane.key for lane in self._served])
            self._suspects = [lane.key for lane in self._served]
            return
        (lane,) = self._served
        log.error("claim.lane_failed", exc_info=error, account=lane.account_id, queue=lane.queue)
        text = "Внутренняя ошибка: подробности в журнале сервера."
        with writing():
            lane_pause(*lane.key, seconds=30, code="internal", text=text)

    def _claim(self, most: int, held: Mapping[LaneKey, int], places: int) -> list[Job]:
        jobs: list[Job] = []
        now_ms, lanes = lanes_ready(lock=True)
        shared = Places(places, [lane.key for lane in lanes], held)
        only = self._suspects.pop(0) if self._suspects else None
        for lane in lanes:
            if len(jobs) >= most:
                break
            if not lane.due or (only is not None and lane.key != only):
                continue
            self._served.append(lane)
            allowed = permits(lane, min(most - len(jobs), shared.left(lane.key)), now_ms)
            if allowed > 0:
                served = self._serve(lane, allowed, now_ms)
                shared.take(lane.key, len(served))
                jobs += served
        return jobs

    def _serve(self, lane: LaneRow, allowed: int, now_ms: int) -> list[Job]:
        """The jobs of one lane."""
        aside = diverted_registers(*lane.key) if lane.is_diverted and not self._must_probe(lane) else []
        due = due_on(lane, allowed, now_ms, aside=aside)
        channel = self.channels.made(*lane.key, lane.account) if due else None
        if channel is None:
            return []
        jobs = self._take(channel, due)
        if jobs:
            if lane.rate_per_second:
                rate_spend(lane.account_id, len(jobs), now_ms)
            lane_served(lane, now_ms)
        return jobs

    def _must_probe(self, lane: LaneRow) -> bool:
        """A diverted lane whose service has no other way to be asked whether it is back: see `watching`."""
        channel = self.channels.made(*lane.key, lane.account) if lane.is_probe else None
        return channel is not None and not channel.driver.capabilities.queue_state

    def _take(self, channel: Channel, due: Sequence[Due]) -> list[Job]:
        sends: list[Due] = []
        asked: list[tuple[JobKind, writer.Head]] = []
        touches: list[writer.Touch] = []
        lease_ms = settings.CHEKHOV_LEASE_SECONDS * 1000
        for item in due:
            head = item.head
            if head.state is State.QUEUED:
                if item.held is Held.NO:
                    sends.append(item)
                elif not self._is_settled(item):
                    touches.append(_later(head))
                continue
            kind: JobKind | None = JobKind.POLL
            if not head.provider_ref:
                kind = self._question_by_key(channel, head)
            if kind is JobKind.ASK and item.held is not Held.NO:
                touches.append(_later(head) if item.held is Held.ASKING else _for_a_person(head))
                continue
            if kind is None:
                touches.append(_not_by_itself(head))
                continue
            touches.append(writer.Touch(head.receipt_id, head.version, lease_ms, head.polls, head.provider_ref))
            if kind is JobKind.ASK:
                sends.append(item)
                continue
            asked.append((kind, head))
        writer.touch(touches)
        jobs = self._questions(channel, asked)
        if not sends:
            return jobs
        # what has never been claimed has no attempts
        earlier = self._earlier([item.head.receipt_id for item in sends if item.head.version > 1])
        taken: list[tuple[Due, bytes, int, bool]] = []
        for item in sends:
            head = item.head
            number, bodies = earlier.get(head.receipt_id, (0, {}))
            body = bodies.get(head.key_number)
            is_first = body is None
            if body is None:
                body = self._encoded(channel, head, item.document)
            if body is not None:
                taken.append((item, body, number + 1, is_first))
        stamp = instant(now())
        writer.apply_locked(
            [
                writer.Change(item.head, State.SENDING, "claimed", lease_owner=self.owner, lease_ms=lease_ms)
                for item, _, _, _ in taken
                if item.head.state is State.QUEUED
            ],
            actor=f"worker:{self.owner}",
        )
        insert_rows(
            "delivery_attempt",
            _ATTEMPT_COLUMNS,
            [
                (
                    head.receipt_id,
                    number,
                    head.key_number,
                    key_of(head.uuid, head.key_number),
                    channel.account_id,
                    channel.queue,
                    channel.callback_url,
                    body if is_first else b"",
                    self.owner,
                    stamp,
                    None,
                    "",
                    None,
                    "",
                    "",
                    "",
                )
                for head, body, number, is_first in (
                    (item.head, body, number, is_first) for item, body, number, is_first in taken
                )
            ],
        )
        self.channels.remember_url(channel)
        return jobs + [
            Job(
                JobKind.SEND if item.head.state is State.QUEUED else JobKind.ASK,
                item.head.receipt_id,
                channel,
                key_of(item.head.uuid, item.head.key_number),
                item.head.provider_ref,
                item.head.wanted,
                item.head.words,
                number,
                body,
                place_ms=item.due_ms,
            )
            for item, body, number, _ in taken
        ]

    @staticmethod
    def _is_settled(item: Due) -> bool:
        """Whether a queued receipt that is held has become the task that was sighted. Where another receipt of its fact
        was sighted, that one is asked about, if this one can give way to it.
        """
        if item.held is Held.ASKING:
            return False
        if ask_sighted(item.head):
            return True
        ask_again([item.head.receipt_id])
        return False

    @staticmethod
    def _questions(channel: Channel, asked: Sequence[tuple[JobKind, writer.Head]]) -> list[Job]:
        """Questions, which are no attempts. One by key remembers the last sending that it can speak of."""
        asked_at = now()
        last: dict[int, int] = {}
        by_key = [head.receipt_id for kind, head in asked if kind is JobKind.LOOKUP]
        if by_key:
            these, parameters = one_of("receipt_id", by_key)
            last = dict(
                fetch(
                    f"SELECT receipt_id, MAX(number) FROM delivery_attempt WHERE {these} GROUP BY receipt_id",
                    parameters,
                )
            )
        return [
            Job(
                kind,
                head.receipt_id,
                channel,
                key_of(head.uuid, head.key_number),
                head.provider_ref,
                head.wanted,
                head.words,
                attempt_number=last.get(head.receipt_id, 0),
                asked_at=asked_at,
            )
            for kind, head in asked
        ]

    def _question_by_key(self, channel: Channel, head: writer.Head) -> JobKind | None:
        """How to ask about a receipt whose task has no number; None where it cannot be asked about by itself."""
        if head.state is State.FAILED:  # a repeat of a key that has failed asks nothing
            return JobKind.LOOKUP if channel.driver.capabilities.lookup_by_key else None
        return _KINDS.get(self._way(channel, head)) if head.state is not State.CANCELLED else None

    @staticmethod
    def _way(channel: Channel, head: writer.Head) -> Way:
        """How to find out about a receipt whose task has no number. The age of the first sending is read only where
        the provider's protection against repeats does not last for ever.
        """
        capabilities, age = channel.driver.capabilities, timedelta()
        if capabilities.dedup is Dedup.WINDOW:
            first = (
                Attempt.objects.filter(receipt_id=head.receipt_id, key_number=head.key_number)
                .order_by("number")
                .values_list("sent_at", flat=True)
                .first()
            )
            age = now() - first if first is not None else timedelta()
        return way(capabilities, polls=head.polls, age=age, longest_call=longest_call())

    @staticmethod
    def _earlier(receipt_ids: Sequence[int]) -> dict[int, tuple[int, dict[int, bytes]]]:
        """The number of attempts so far and the bytes under each key: a repeat sends the same ones."""
        found: dict[int, tuple[int, dict[int, bytes]]] = {}
        if not receipt_ids:
            return found
        these, parameters = one_of("receipt_id", receipt_ids)
        for receipt_id, number in fetch(
            f"SELECT receipt_id, MAX(number) FROM delivery_attempt WHERE {these} GROUP BY receipt_id", parameters
        ):
            found[receipt_id] = (number, {})
        if not found:
            return found
        for receipt_id, key_number, body in fetch(
            "SELECT a.receipt_id, a.key_number, a.body FROM delivery_attempt a JOIN (SELECT receipt_id, MIN(number) AS "
            f"first FROM delivery_attempt WHERE {these} GROUP BY receipt_id, key_number) f "
            "ON f.receipt_id = a.receipt_id AND f.first = a.number",
            parameters,
        ):
            found[receipt_id][1][key_number] = bytes(body)
        return found

    def _encoded(self, channel: Channel, head: writer.Head, document: str) -> bytes | None:
        """The bytes of a document that goes under its key for the first time; None where there are none to send.

        What the protocol cannot say is refused without a call: nothing has left, nothing can exist. What cannot even
        be read is a mistake of ours: it is put aside, loudly, and holds back no other.
        """
        try:
            return channel.driver.encode(load(document), key_of(head.uuid, head.key_number), channel.callback_url)
        except CannotEncode as error:
            problem = error.problem
            claimed = [writer.Change(head, State.SENDING, "claimed", lease_ms=0)]
            if head.state is State.QUEUED and writer.apply(claimed, actor="delivery"):
                fresh = writer.heads([head.receipt_id])[head.receipt_id]
                refusal = writer.Change(
                    fresh,
                    State.REFUSED,
                    "cannot_encode",
                    problem.text,
                    error_code=problem.code,
                    error_text=problem.text,
                )
                writer.apply([refusal], actor="delivery")
        except Exception:
            log.exception("claim.unreadable_document", receipt=head.receipt_id)
            text = "Чек не удалось прочитать или записать на языке сервиса: это ошибка программы."
            incident_open(receipt_id=head.receipt_id, code=UNREADABLE, text=text)
            writer.touch([_aside(head, 3_600_000, UNREADABLE, text)])
        return None


def _later(head: writer.Head) -> writer.Touch:
    """Not to be sent, or sent again, while its fact may have a document already: looked at again in a minute."""
    return _aside(head, 60_000, HELD, HELD_TEXT)


def _for_a_person(head: writer.Head) -> writer.Touch:
    """A repeat is no mere question: where the call before did not arrive, it makes a document."""
    text = "Повтор мог бы пробить второй чек: прежний, возможно, пробит. Нужно решение человека."
    return _aside(head, None, PERSON_DECIDES, text)


def _not_by_itself(head: writer.Head) -> writer.Touch:
    """Neither a question nor a safe repeat is possible: nothing is done by itself any more."""
    text = {
        State.UNKNOWN: "Ответ потерян, а сервис не умеет искать чек по нашему ключу: нужно решение человека.",
        State.ACCEPTED: "Сервис принял чек, но не назвал номер задачи: впишите его из кабинета сервиса.",
    }.get(head.state, "")
    code = {State.UNKNOWN: PERSON_DECIDES, State.ACCEPTED: "task_unknown"}.get(head.state, "")
    return _aside(head, None, code, text)


def _aside(head: writer.Head, due_in_ms: int | None, code: str, text: str) -> writer.Touch:
    """Nothing is called for this receipt, and the journal says why. None: nor will it be looked at again by itself."""
    return writer.Touch(
        head.receipt_id, head.version, due_in_ms, head.polls, head.provider_ref, error_code=code, error_text=text
    )


_ATTEMPT_COLUMNS = [
    "receipt_id",
    "number",
    "key_number",
    "key",
    "account_id",
    "queue",
    "callback_url",
    "body",
    "owner",
    "sent_at",
    "answered_at",
    "outcome",
    "status",
    "answer",
    "error_code",
    "error_text",
]
