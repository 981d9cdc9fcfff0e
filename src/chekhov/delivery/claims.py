"""Taking work: what is due, within each lane's permits, leased to one worker, written down before any call.

One transaction claims, writes the attempts with their exact bytes, and moves the states. Only after its commit may a
byte leave. Every time here is the database's clock, so workers on several machines agree.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from uuid import UUID, uuid5

import structlog
from django.conf import settings
from django.db import OperationalError, transaction

from chekhov.config.clock import now
from chekhov.config.database import (
    clock_ms,
    execute,
    fetch,
    for_update,
    insert_rows,
    instant,
    placeholders,
    read_clock_ms,
    uid,
    writing,
)
from chekhov.drivers import registry
from chekhov.drivers.contract import Connection, Driver
from chekhov.drivers.errors import CannotEncode
from chekhov.fiscal.codec import load
from chekhov.receipts import writer
from chekhov.receipts.incidents import UNREADABLE, incident_open
from chekhov.receipts.states import State
from chekhov.registers.secrets import SecretUnreadable, decrypt

log = structlog.get_logger(__name__)

UNLIMITED_IN_FLIGHT = 1000
LIVE_IN_FLIGHT = 16


_AHEAD_MS = 10_000
_SENDS = ("queued",)
_QUESTIONS = ("unknown", "accepted", "failed", "cancelled")


class JobKind(StrEnum):
    """What is asked of the provider."""

    SEND = "send"  # the first time under its key, or again after it provably was not sent
    ASK = "ask"  # an outcome is unknown: the same bytes under the same key
    POLL = "poll"  # what became of an accepted task


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
    attempt_id: int = 0  # 0 for a poll
    attempt_number: int = 0
    body: bytes = field(default=b"", repr=False)


def key_of(receipt: UUID, key_number: int) -> str:
    """The provider's key of a receipt: its own UUID, and a derived one after each proven failure."""
    return str(receipt) if key_number == 1 else str(uuid5(receipt, str(key_number)))


def lanes_ensure() -> None:
    """Every account's queue that a record names, or that a receipt waits on, has its lane and its pace.

    A record may have been moved to another queue before any worker saw it: its receipts still go where they were
    formed for. Called by workers now and then.
    """
    bare = fetch(
        "SELECT u.account_id, u.queue, a.provider FROM (SELECT account_id, queue FROM registers_register UNION "
        "SELECT account_id, queue FROM receipts_receiptstate WHERE due_ms IS NOT NULL) u "
        "JOIN registers_account a ON a.id = u.account_id WHERE NOT EXISTS "
        "(SELECT 1 FROM delivery_lane l WHERE l.account_id = u.account_id AND l.queue = u.queue)"
    )
    if not bare:
        return
    with writing():
        for account_id, queue, code in bare:
            provider = registry.get(code)
            rate = 0 if provider.is_emulator else provider.driver.capabilities.requests_per_second
            in_flight = UNLIMITED_IN_FLIGHT if provider.is_emulator else LIVE_IN_FLIGHT
            execute(
                "INSERT INTO delivery_pace (account_id, rate_per_second, next_slot_ms) VALUES (%s, %s, 0) "
                "ON CONFLICT DO NOTHING",
                [account_id, rate],
            )
            execute(
                "INSERT INTO delivery_lane (account_id, queue, in_flight_max, turn, served_ms, paused_until_ms, "
                "pause_code, pause_text) VALUES (%s, %s, %s, 0, 0, 0, '', '') ON CONFLICT DO NOTHING",
                [account_id, queue, in_flight],
            )


def is_work_due() -> bool:
    """A cheap look, without a lock, whether a claim is worth its transaction."""
    now_ms = read_clock_ms()  # as a parameter: an expression of the clock cannot be looked up in an index
    lanes = fetch("SELECT account_id, queue FROM delivery_lane WHERE paused_until_ms <= %s", [now_ms])
    return any(
        fetch(
            "SELECT 1 FROM receipts_receiptstate WHERE account_id = %s AND queue = %s AND state = %s "
            "AND due_ms <= %s LIMIT 1",
            [account_id, queue, state, now_ms],
        )
        for account_id, queue in lanes
        for state in (*_SENDS, *_QUESTIONS)
    )


def leases_expire() -> int:
    """Sendings whose lease has run out are of unknown outcome: due at once, to be asked for by the same key."""
    if not fetch(f"SELECT 1 FROM receipts_receiptstate WHERE lease_until_ms < {clock_ms()} LIMIT 1"):
        return 0
    with writing():
        rows = fetch(
            f"SELECT {writer.HEAD_COLUMNS} FROM receipts_receiptstate s JOIN receipts_receipt r ON r.id = s.receipt_id "
            f"WHERE s.lease_until_ms < {clock_ms()} AND s.state = 'sending' ORDER BY s.receipt_id LIMIT 500"
            + for_update(of="s", skip_locked=True)
        )
        text = "Отправка прервалась: ответа нет, судьба чека неизвестна."
        changes = [
            writer.Change(
                writer.head_of(row),
                State.UNKNOWN,
                "lease_expired",
                text,
                due_in_ms=0,
                error_code="lease_expired",
                error_text=text,
            )
            for row in rows
        ]
        return len(writer.apply(changes, actor="delivery"))


def _plausible(slot_ms: int, now_ms: int) -> int:
    """A slot that lies far ahead was given by a clock that has been put back since: it holds nobody up."""
    return slot_ms if slot_ms <= now_ms + _AHEAD_MS else 0


class Claimer:
    """Claims work for one worker. Lives in the worker's database thread."""

    def __init__(self, owner: str) -> None:
        self.owner = owner
        self._channels: dict[tuple[int, int], tuple[str, Channel]] = {}
        self._known_urls: set[tuple[int, str]] = set()

    def claim(self, most: int) -> list[Job]:
        """Up to `most` jobs, each written down before this returns.

        A lane whose claim goes wrong is put aside for a while; it holds back no other.
        """
        jobs: list[Job] = []
        try:
            with writing():
                now_ms = read_clock_ms()
                lanes = fetch(
                    "SELECT account_id, queue, in_flight_max, turn FROM delivery_lane WHERE paused_until_ms <= %s "
                    f"ORDER BY served_ms, account_id, queue{for_update(skip_locked=True)}",
                    [now_ms],
                )
                for account_id, queue, in_flight_max, turn in lanes:
                    if len(jobs) >= most:
                        break
                    permits = self._permits(account_id, queue, in_flight_max, most - len(jobs), now_ms)
                    if permits > 0:
                        jobs += self._serve(account_id, queue, permits, turn, now_ms)
        except BaseException:
            self._known_urls.clear()  # what was remembered may have been rolled back
            raise
        return jobs

    def _serve(self, account_id: int, queue: int, permits: int, turn: int, now_ms: int) -> list[Job]:
        """The jobs of one lane, in a savepoint of their own."""
        try:
            with transaction.atomic():
                due = self._due(account_id, queue, permits, turn, now_ms)
                channel = self._channel(account_id, queue) if due else None
                if channel is None:
                    return []
                jobs = self._take(channel, due)
                self._spend(account_id, len(due), now_ms)
                execute(
                    "UPDATE delivery_lane SET turn = turn + 1, served_ms = %s WHERE account_id = %s AND queue = %s",
                    [now_ms, account_id, queue],
                )
                return jobs
        except OperationalError:
            raise
        except Exception:
            log.exception("claim.lane_failed", account=account_id, queue=queue)
            execute(
                "UPDATE delivery_lane SET paused_until_ms = %s, pause_code = 'internal', pause_text = %s "
                "WHERE account_id = %s AND queue = %s",
                [now_ms + 30_000, "Внутренняя ошибка: подробности в журнале сервера.", account_id, queue],
            )
            return []

    def _permits(self, account_id: int, queue: int, in_flight_max: int, most: int, now_ms: int) -> int:
        """How many requests the lane may start now: its in-flight limit and the account's rate, whichever is less."""
        if in_flight_max < UNLIMITED_IN_FLIGHT:
            held = fetch(
                "SELECT COUNT(*) FROM receipts_receiptstate WHERE account_id = %s AND queue = %s AND state = 'sending'",
                [account_id, queue],
            )[0][0]
            most = min(most, in_flight_max - held)
        pace = fetch(
            f"SELECT rate_per_second, next_slot_ms FROM delivery_pace WHERE account_id = %s{for_update()}", [account_id]
        )
        if not pace or not pace[0][0]:
            return most
        rate, next_slot_ms = pace[0]
        return min(most, int(max(0, (now_ms - max(_plausible(next_slot_ms, now_ms), now_ms - 1000)) * rate // 1000)))

    def _spend(self, account_id: int, count: int, now_ms: int) -> None:
        floor = now_ms - 1000
        execute(
            "UPDATE delivery_pace SET next_slot_ms = (CASE WHEN next_slot_ms BETWEEN %s AND %s THEN next_slot_ms "
            "ELSE %s END) + %s * 1000 / rate_per_second WHERE account_id = %s AND rate_per_second > 0",
            [floor, now_ms + _AHEAD_MS, floor, count, account_id],
        )

    def _due(self, account_id: int, queue: int, permits: int, turn: int, now_ms: int) -> list[tuple[Any, ...]]:
        """What is due on a lane. Sending and asking each have half of the permits, the odd one in turns, and what one
        leaves over the other takes: neither a backlog nor a crowd of open questions starves the other.
        """
        share = (permits + (turn + 1) % 2) // 2
        sends = self._due_in(account_id, queue, _SENDS, permits, now_ms)
        questions = self._due_in(account_id, queue, _QUESTIONS, permits, now_ms)
        sent = min(len(sends), max(share, permits - len(questions)))
        return [*questions[: permits - sent], *sends[:sent]]

    @staticmethod
    def _due_in(account_id: int, queue: int, states: tuple[str, ...], limit: int, now_ms: int) -> list[tuple[Any, ...]]:
        """Receipts of a lane in these states that are due, the longest due first."""
        follows = (
            " AND (r.after_id IS NULL OR EXISTS (SELECT 1 FROM receipts_receiptstate b "
            "WHERE b.receipt_id = r.after_id AND b.state = 'fiscalized'))"
            if states == _SENDS
            else ""
        )
        rows: list[tuple[Any, ...]] = []
        for state in states:
            rows += fetch(
                f"SELECT {writer.HEAD_COLUMNS}, r.document, s.due_ms FROM receipts_receiptstate s "
                "JOIN receipts_receipt r ON r.id = s.receipt_id "
                f"WHERE s.account_id = %s AND s.queue = %s AND s.state = %s AND s.due_ms <= %s{follows} "
                f"ORDER BY s.due_ms LIMIT %s{for_update(of='s', skip_locked=True)}",
                [account_id, queue, state, now_ms, limit],
            )
        if len(states) > 1:
            rows.sort(key=lambda row: row[12])
        return rows[:limit]

    def _take(self, channel: Channel, due: Sequence[tuple[Any, ...]]) -> list[Job]:
        heads = {row[0]: (writer.head_of(row), row[11]) for row in due}
        polls = [head for head, _ in heads.values() if head.state is not State.QUEUED and head.provider_ref]
        sends = [
            head
            for head, _ in heads.values()
            if head.state is State.QUEUED or (not head.provider_ref and head.state is not State.CANCELLED)
        ]
        jobs = [
            Job(
                JobKind.POLL,
                head.receipt_id,
                channel,
                key_of(head.uuid, head.key_number),
                head.provider_ref,
                head.wanted,
            )
            for head in polls
        ]
        lease_ms = settings.CHEKHOV_LEASE_SECONDS * 1000
        writer.touch(
            [
                writer.Touch(head.receipt_id, head.version, lease_ms, head.polls, head.provider_ref)
                for head, _ in heads.values()
                if head.state is not State.QUEUED
            ]
        )
        if not sends:
            return jobs
        earlier = self._earlier([head.receipt_id for head in sends])
        taken: list[tuple[writer.Head, bytes, int, bool]] = []
        for head in sends:
            number, bodies = earlier.get(head.receipt_id, (0, {}))
            body = bodies.get(head.key_number)
            is_first = body is None
            if body is None:
                body = self._encoded(channel, head, heads[head.receipt_id][1])
            if body is not None:
                taken.append((head, body, number + 1, is_first))
        stamp = instant(now())
        writer.apply(
            [
                writer.Change(head, State.SENDING, "claimed", lease_owner=self.owner, lease_ms=lease_ms)
                for head, _, _, _ in taken
                if head.state is State.QUEUED
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
                for head, body, number, is_first in taken
            ],
            returning=("id", "receipt_id"),
        )
        ids = {int(row[1]): int(row[0]) for row in returned}
        self._remember_url(channel)
        return jobs + [
            Job(
                JobKind.SEND if head.state is State.QUEUED else JobKind.ASK,
                head.receipt_id,
                channel,
                key_of(head.uuid, head.key_number),
                head.provider_ref,
                head.wanted,
                ids[head.receipt_id],
                number,
                body,
            )
            for head, body, number, _ in taken
        ]

    @staticmethod
    def _earlier(receipt_ids: Sequence[int]) -> dict[int, tuple[int, dict[int, bytes]]]:
        """The number of attempts so far and the bytes under each key: a repeat sends the same ones."""
        found: dict[int, tuple[int, dict[int, bytes]]] = {}
        ids = placeholders(len(receipt_ids))
        for receipt_id, number in fetch(
            f"SELECT receipt_id, MAX(number) FROM delivery_attempt WHERE receipt_id IN {ids} GROUP BY receipt_id",
            list(receipt_ids),
        ):
            found[receipt_id] = (number, {})
        if not found:
            return found
        for receipt_id, key_number, body in fetch(
            "SELECT a.receipt_id, a.key_number, a.body FROM delivery_attempt a JOIN (SELECT receipt_id, MIN(number) AS "
            f"first FROM delivery_attempt WHERE receipt_id IN {ids} GROUP BY receipt_id, key_number) f "
            "ON f.receipt_id = a.receipt_id AND f.first = a.number",
            list(receipt_ids),
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

    def _channel(self, account_id: int, queue: int) -> Channel | None:
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
            execute(
                f"UPDATE delivery_lane SET paused_until_ms = {clock_ms()} + 60000, pause_code = 'secret_unreadable', "
                "pause_text = %s WHERE account_id = %s",
                ["Secret кассы не расшифровать: проверьте CHEKHOV_ENCRYPTION_KEYS.", account_id],
            )
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
