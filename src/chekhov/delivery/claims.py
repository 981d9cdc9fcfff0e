"""Taking work: what is due, within each lane's permits, leased to one worker, written down before any call.

One transaction claims, writes the attempts with their exact bytes, and moves the states. Only after its commit may a
byte leave. Every time here is the database's clock, so workers on several machines agree.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID, uuid5

import structlog
from django.conf import settings
from django.db import OperationalError, transaction

from chekhov.config.clock import now
from chekhov.config.database import (
    execute,
    fetch,
    for_update,
    insert_rows,
    instant,
    one_of,
    read_clock_ms,
    uid,
    writing,
)
from chekhov.delivery import lateness
from chekhov.delivery.absence import longest_call
from chekhov.delivery.breaker import LaneKey
from chekhov.delivery.lanes import LaneRow, lane_pause, lane_served, lanes_ready, permits, rate_spend
from chekhov.delivery.models import Attempt
from chekhov.delivery.places import Places
from chekhov.delivery.reconcile import Way, way
from chekhov.delivery.selectors import PERSON_DECIDES
from chekhov.delivery.standby import diverted_registers
from chekhov.drivers import registry
from chekhov.drivers.contract import Connection, Dedup, Driver
from chekhov.drivers.errors import CannotEncode
from chekhov.fiscal.codec import load
from chekhov.receipts import writer
from chekhov.receipts.incidents import UNREADABLE, incident_open
from chekhov.receipts.states import State
from chekhov.registers.secrets import SecretUnreadable, decrypt

log = structlog.get_logger(__name__)

_SENDS = ("queued",)
_QUESTIONS = ("unknown", "accepted", "failed", "cancelled")
_PROBES = 10  # among so many questions the cheapest is chosen for a probe
_ASKED_BY_NUMBER = " AND provider_ref <> ''"  # the only question that can store nothing, whatever the provider is


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


@dataclass(frozen=True, slots=True)
class Job:
    """One call to make."""

    kind: JobKind
    receipt_id: int
    channel: Channel
    key: str
    provider_ref: str = ""
    wanted: str = ""  # the person's wish that stood when the question was asked
    attempt_id: int = 0  # 0 for a question
    attempt_number: int = 0
    body: bytes = field(default=b"", repr=False)
    asked_at: datetime | None = None  # of a question: its answer says what was so then
    place_ms: int = 0  # since when it had been due: its place in the queue, if it comes back unsent


@dataclass(frozen=True, slots=True)
class Due:
    """A receipt that is due, as a claim reads it."""

    head: writer.Head
    document: str = field(repr=False)
    due_ms: int
    is_late: bool  # a person has to choose before it may be sent


_KINDS = {Way.LOOKUP: JobKind.LOOKUP, Way.REPEAT: JobKind.ASK}


def key_of(receipt: UUID, key_number: int) -> str:
    """The provider's key of a receipt: its own UUID, and a derived one after each proven failure."""
    return str(receipt) if key_number == 1 else str(uuid5(receipt, str(key_number)))


def is_work_due() -> bool:
    """A cheap look, without a lock, whether a claim is worth its transaction."""
    now_ms = read_clock_ms()  # as a parameter: an expression of the clock cannot be looked up in an index
    return any(
        fetch(
            "SELECT 1 FROM receipts_receiptstate WHERE account_id = %s AND queue = %s AND state = %s "
            f"AND due_ms <= %s{which} LIMIT 1",
            [*lane.key, state, now_ms],
        )
        for lane in lanes_ready(now_ms)
        for state, which in (
            ((state, _ASKED_BY_NUMBER) for state in _QUESTIONS)
            if lane.is_stopped
            else ((state, "") for state in (*_SENDS, *_QUESTIONS))
        )
    )


class Claimer:
    """Claims work for one worker. Lives in the worker's database thread."""

    def __init__(self, owner: str) -> None:
        self.owner = owner
        self._channels: dict[tuple[int, int], tuple[str, Channel]] = {}
        self._known_urls: set[tuple[int, str]] = set()

    def claim(self, most: int, held: Mapping[LaneKey, int] | None = None, places: int = 0) -> list[Job]:
        """Up to `most` jobs, each written down before this returns.

        `held` says how many calls of each lane are open at this worker and `places` how many it may have in all: see
        `Places`. A lane whose claim goes wrong is put aside for a while; it holds back no other.
        """
        jobs: list[Job] = []
        try:
            with writing():
                now_ms = read_clock_ms()
                lanes = lanes_ready(now_ms, lock=True)
                shared = Places(places or most, [lane.key for lane in lanes], held or {})
                for lane in lanes:
                    if len(jobs) >= most:
                        break
                    allowed = permits(lane, min(most - len(jobs), shared.left(lane.key)), now_ms)
                    if allowed > 0:
                        served = self._serve(lane, allowed, now_ms)
                        shared.take(lane.key, len(served))
                        jobs += served
        except BaseException:
            self._known_urls.clear()  # what was remembered may have been rolled back
            raise
        return jobs

    def _serve(self, lane: LaneRow, allowed: int, now_ms: int) -> list[Job]:
        """The jobs of one lane, in a savepoint of their own."""
        try:
            with transaction.atomic():
                due = self._due(lane, allowed, now_ms)
                channel = self.channel(*lane.key) if due else None
                if channel is None:
                    return []
                jobs = self._take(channel, due)
                if jobs:
                    rate_spend(lane.account_id, len(jobs), now_ms)
                    lane_served(lane, now_ms)
                return jobs
        except OperationalError:
            raise
        except Exception:
            log.exception("claim.lane_failed", account=lane.account_id, queue=lane.queue)
            text = "Внутренняя ошибка: подробности в журнале сервера."
            lane_pause(*lane.key, seconds=30, code="internal", text=text)
            return []

    def _due(self, lane: LaneRow, allowed: int, now_ms: int) -> list[Due]:
        """What is due on a lane. Sending and asking each have half of the permits, the odd one in turns, and what one
        leaves over the other takes: neither a backlog nor a crowd of open questions starves the other.
        """
        share = (allowed + (lane.turn + 1) % 2) // 2
        sends = self._due_sends(lane, allowed, now_ms)
        asked = allowed if not lane.is_probe else _PROBES
        questions = self._due_in(lane, _QUESTIONS, asked, now_ms, _ASKED_BY_NUMBER if lane.is_stopped else "")
        if lane.is_probe and questions:  # a question is the cheapest probe: it cannot become an unknown outcome
            return sorted(questions, key=lambda item: not item.head.provider_ref)[:allowed]
        sent = min(len(sends), max(share, allowed - len(questions)))
        return [*questions[: allowed - sent], *sends[:sent]]

    def _due_sends(self, lane: LaneRow, limit: int, now_ms: int) -> list[Due]:
        """Queued receipts of a lane in the order of their time. What is late stops here for a person's choice."""
        if lane.is_stopped:
            return []
        follows = (
            " AND (r.after_id IS NULL OR EXISTS (SELECT 1 FROM receipts_receiptstate b "
            "WHERE b.receipt_id = r.after_id AND b.state = 'fiscalized'))"
        )
        if lane.is_diverted and not self._must_probe(lane):
            follows += _not_in("r.register_id", diverted_registers(lane.account_id, lane.queue))
        due = self._due_in(lane, _SENDS, limit, now_ms, follows)
        if not any(item.is_late for item in due):
            return due
        crowd = self._due_in(lane, _SENDS, lateness.HOLD_AT_ONCE, now_ms, follows)
        lateness.hold([item.head for item in crowd if item.is_late])
        return [item for item in crowd if not item.is_late][:limit]

    def _must_probe(self, lane: LaneRow) -> bool:
        """A diverted lane whose service has no other way to be asked whether it is back: see `watching`."""
        channel = self.channel(*lane.key) if lane.is_probe else None
        return channel is not None and not channel.driver.capabilities.queue_state

    @staticmethod
    def _due_in(lane: LaneRow, states: tuple[str, ...], limit: int, now_ms: int, which: str) -> list[Due]:
        """Receipts of a lane in these states that are due, the longest due first."""
        found: list[Due] = []
        border = lateness.cutoff_parameter()
        document = "r.document" if states == _SENDS else "''"  # a question sends none, a repeat the bytes of before
        for state in states:
            found += [
                Due(writer.head_of(row), row[11], row[12], bool(row[13]))
                for row in fetch(
                    f"SELECT {writer.HEAD_COLUMNS}, {document}, s.due_ms, o.due_at < %s AND s.late_choice <> 'send' "
                    "FROM receipts_receiptstate s JOIN receipts_receipt r ON r.id = s.receipt_id "
                    "JOIN receipts_obligation o ON o.id = s.obligation_id "
                    f"WHERE s.account_id = %s AND s.queue = %s AND s.state = %s AND s.due_ms <= %s{which} "
                    f"ORDER BY s.due_ms LIMIT %s{for_update(of='s', skip_locked=True)}",
                    [border, *lane.key, state, now_ms, limit],
                )
            ]
        if len(states) > 1:
            found.sort(key=lambda item: item.due_ms)
        return found[:limit]

    def _take(self, channel: Channel, due: Sequence[Due]) -> list[Job]:
        sends: list[Due] = []
        asked: list[tuple[JobKind, writer.Head]] = []
        touches: list[writer.Touch] = []
        lease_ms = settings.CHEKHOV_LEASE_SECONDS * 1000
        for item in due:
            head = item.head
            if head.state is State.QUEUED:
                sends.append(item)
                continue
            kind: JobKind | None = JobKind.POLL
            if not head.provider_ref:
                kind = _KINDS.get(self._way(channel, head)) if head.state is not State.CANCELLED else None
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
        earlier = self._earlier([item.head.receipt_id for item in sends])
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
        writer.apply(
            [
                writer.Change(item.head, State.SENDING, "claimed", lease_owner=self.owner, lease_ms=lease_ms)
                for item, _, _, _ in taken
                if item.head.state is State.QUEUED
            ],
            actor=f"worker:{self.owner}",
        )
        returned = insert_rows(
            "delivery_attempt",
            _ATTEMPT_COLUMNS,
            [
                (
                    uid(uuid5(head.uuid, f"attempt {number}")),
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
            returning=("id", "receipt_id"),
        )
        ids = {int(row[1]): int(row[0]) for row in returned}
        self._remember_url(channel)
        return jobs + [
            Job(
                JobKind.SEND if item.head.state is State.QUEUED else JobKind.ASK,
                item.head.receipt_id,
                channel,
                key_of(item.head.uuid, item.head.key_number),
                item.head.provider_ref,
                item.head.wanted,
                ids[item.head.receipt_id],
                number,
                body,
                place_ms=item.due_ms,
            )
            for item, body, number, _ in taken
        ]

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
                attempt_number=last.get(head.receipt_id, 0),
                asked_at=asked_at,
            )
            for kind, head in asked
        ]

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
            writer.touch(
                [
                    writer.Touch(
                        head.receipt_id,
                        head.version,
                        3_600_000,
                        head.polls,
                        head.provider_ref,
                        error_code=UNREADABLE,
                        error_text=text,
                    )
                ]
            )
        return None

    def channel(self, account_id: int, queue: int) -> Channel | None:
        rows = fetch(
            "SELECT provider, service_url, shop_id, secret_encrypted, link_token FROM registers_account WHERE id = %s",
            [account_id],
        )
        provider, service_url, shop_id, secret_encrypted, link_token = rows[0]
        mark = f"{service_url}\n{shop_id}\n{secret_encrypted}"
        cached = self._channels.get((account_id, queue))
        if cached is not None and cached[0] == mark:
            return cached[1]
        try:
            secret = decrypt(secret_encrypted)
        except SecretUnreadable:
            text = "Secret кассы не расшифровать: проверьте CHEKHOV_ENCRYPTION_KEYS."
            lane_pause(account_id, None, seconds=60, code="secret_unreadable", text=text)
            return None
        channel = Channel(
            account_id,
            queue,
            registry.get(provider).driver,
            Connection(service_url=service_url, shop_id=shop_id, secret=secret, queue=queue),
            f"{settings.CHEKHOV_BASE_URL}/hooks/{provider}/{link_token}",
        )
        self._channels[account_id, queue] = (mark, channel)
        return channel

    def _remember_url(self, channel: Channel) -> None:
        """Keep every address that a provider was told to call: callbacks signed for it must be accepted later too."""
        mark = (channel.account_id, channel.callback_url)
        if mark not in self._known_urls:
            execute(
                "INSERT INTO delivery_callbackurl (account_id, url) VALUES (%s, %s) ON CONFLICT DO NOTHING", list(mark)
            )
            self._known_urls.add(mark)


def _not_by_itself(head: writer.Head) -> writer.Touch:
    """Neither a question nor a safe repeat is possible: nothing is done by itself any more."""
    text = {
        State.UNKNOWN: "Ответ потерян, а сервис не умеет искать чек по нашему ключу: нужно решение человека.",
        State.ACCEPTED: "Сервис принял чек, но не назвал номер задачи: впишите его из кабинета сервиса.",
    }.get(head.state, "")
    code = {State.UNKNOWN: PERSON_DECIDES, State.ACCEPTED: "task_unknown"}.get(head.state, "")
    return writer.Touch(head.receipt_id, head.version, None, head.polls, error_code=code, error_text=text)


def _not_in(column: str, ids: Sequence[int]) -> str:
    return f" AND {column} NOT IN ({', '.join(str(int(item)) for item in ids)})" if ids else ""


_ATTEMPT_COLUMNS = [
    "uuid",
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
