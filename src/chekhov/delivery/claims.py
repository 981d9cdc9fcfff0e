"""Taking work: what is due, within each lane's permits, leased to one worker, written down before any call.

One transaction claims, writes the attempts with their exact bytes, and moves the states. Only after its commit may a
byte leave. Every time here is the database's clock, so workers on several machines agree.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from uuid import UUID, uuid5

from django.conf import settings

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
from chekhov.receipts.states import State
from chekhov.registers.secrets import SecretUnreadable, decrypt

UNLIMITED_IN_FLIGHT = 1000
LIVE_IN_FLIGHT = 16


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
                "INSERT INTO delivery_lane (account_id, queue, in_flight_max, paused_until_ms, pause_code, pause_text) "
                "VALUES (%s, %s, %s, 0, '', '') ON CONFLICT DO NOTHING",
                [account_id, queue, in_flight],
            )


def is_work_due() -> bool:
    """A cheap look, without a lock, whether a claim is worth its transaction."""
    rows = fetch(
        f"SELECT 1 FROM delivery_lane l WHERE l.paused_until_ms <= {clock_ms()} AND EXISTS (SELECT 1 FROM "
        "receipts_receiptstate s WHERE s.account_id = l.account_id AND s.queue = l.queue AND s.state IN "
        f"('queued', 'accepted', 'unknown', 'failed') AND s.due_ms <= {clock_ms()}) LIMIT 1"
    )
    return bool(rows)


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


class Claimer:
    """Claims work for one worker. Lives in the worker's database thread."""

    def __init__(self, owner: str) -> None:
        self.owner = owner
        self._channels: dict[tuple[int, int], tuple[str, Channel]] = {}
        self._known_urls: set[tuple[int, str]] = set()

    def claim(self, most: int) -> list[Job]:
        """Up to `most` jobs, each written down before this returns. Secrets that cannot be read pause their lane."""
        jobs: list[Job] = []
        with writing():
            now_ms = read_clock_ms()
            for account_id, queue, in_flight_max in fetch(
                "SELECT account_id, queue, in_flight_max FROM delivery_lane WHERE paused_until_ms <= %s "
                f"ORDER BY account_id, queue{for_update(skip_locked=True)}",
                [now_ms],
            ):
                if len(jobs) >= most:
                    break
                permits = self._permits(account_id, queue, in_flight_max, most - len(jobs), now_ms)
                if permits <= 0:
                    continue
                due = self._due(account_id, queue, permits, now_ms)
                if not due:
                    continue
                channel = self._channel(account_id, queue)
                if channel is None:
                    continue
                jobs += self._take(channel, due)
                self._spend(account_id, len(due), now_ms)
        return jobs

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
        return min(most, int(max(0, (now_ms - max(next_slot_ms, now_ms - 1000)) * rate // 1000)))

    def _spend(self, account_id: int, count: int, now_ms: int) -> None:
        floor = now_ms - 1000
        execute(
            "UPDATE delivery_pace SET next_slot_ms = (CASE WHEN next_slot_ms > %s THEN next_slot_ms ELSE %s END) "
            "+ %s * 1000 / rate_per_second WHERE account_id = %s AND rate_per_second > 0",
            [floor, floor, count, account_id],
        )

    def _due(self, account_id: int, queue: int, permits: int, now_ms: int) -> list[tuple[Any, ...]]:
        """What is due on a lane: questions about what may already exist first, then what waits to be sent."""
        rows: list[tuple[Any, ...]] = []
        for states, share in (
            (("unknown",), permits),
            (("accepted", "failed"), (permits + 1) // 2),
            (("queued",), permits),
        ):
            limit = min(share, permits - len(rows))
            if limit <= 0:
                break
            follows = (
                " AND (r.after_id IS NULL OR EXISTS (SELECT 1 FROM receipts_receiptstate b "
                "WHERE b.receipt_id = r.after_id AND b.state = 'fiscalized'))"
                if states == ("queued",)
                else ""
            )
            for state in states:
                rows += fetch(
                    f"SELECT {writer.HEAD_COLUMNS}, r.document FROM receipts_receiptstate s "
                    "JOIN receipts_receipt r ON r.id = s.receipt_id "
                    "WHERE s.account_id = %s AND s.queue = %s AND s.state = %s AND s.due_ms <= %s"
                    f"{follows} ORDER BY s.due_ms LIMIT %s{for_update(of='s', skip_locked=True)}",
                    [account_id, queue, state, now_ms, limit],
                )
        return rows[:permits]

    def _take(self, channel: Channel, due: Sequence[tuple[Any, ...]]) -> list[Job]:
        heads = {row[0]: (writer.head_of(row), row[11]) for row in due}
        polls = [head for head, _ in heads.values() if head.state is not State.QUEUED and head.provider_ref]
        sends = [head for head, _ in heads.values() if head.state is State.QUEUED or not head.provider_ref]
        jobs = [
            Job(JobKind.POLL, head.receipt_id, channel, key_of(head.uuid, head.key_number), head.provider_ref)
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
        taken: list[tuple[writer.Head, bytes, int]] = []
        impossible: list[tuple[writer.Head, CannotEncode]] = []
        for head in sends:
            number, bodies = earlier.get(head.receipt_id, (0, {}))
            body = bodies.get(head.key_number)
            if body is None:
                try:
                    body = channel.driver.encode(
                        load(heads[head.receipt_id][1]), key_of(head.uuid, head.key_number), channel.callback_url
                    )
                except CannotEncode as error:
                    impossible.append((head, error))
                    continue
            taken.append((head, body, number + 1))
        self._refuse(impossible)
        stamp = instant(now())
        writer.apply(
            [
                writer.Change(head, State.SENDING, "claimed", lease_owner=self.owner, lease_ms=lease_ms)
                for head, _, _ in taken
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
                    body,
                    self.owner,
                    stamp,
                    None,
                    "",
                    None,
                    "",
                    "",
                    "",
                )
                for head, body, number in taken
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
                ids[head.receipt_id],
                number,
                body,
            )
            for head, body, number in taken
        ]

    @staticmethod
    def _earlier(receipt_ids: Sequence[int]) -> dict[int, tuple[int, dict[int, bytes]]]:
        """The number of attempts so far and the bytes under each key: a repeat sends the same ones."""
        found: dict[int, tuple[int, dict[int, bytes]]] = {}
        for receipt_id, number, key_number, body in fetch(
            "SELECT receipt_id, number, key_number, body FROM delivery_attempt "
            f"WHERE receipt_id IN {placeholders(len(receipt_ids))} ORDER BY number",
            list(receipt_ids),
        ):
            bodies = found.get(receipt_id, (0, {}))[1]
            bodies.setdefault(key_number, bytes(body))
            found[receipt_id] = (number, bodies)
        return found

    @staticmethod
    def _refuse(impossible: Iterable[tuple[writer.Head, CannotEncode]]) -> None:
        """A document that the protocol cannot say is refused without a call: nothing has left, nothing can exist."""
        for head, error in impossible:
            actor = "delivery"
            if head.state is not State.QUEUED or head.key_number > 1:
                continue
            moved = writer.apply([writer.Change(head, State.SENDING, "claimed", lease_ms=0)], actor=actor)
            if moved:
                fresh = writer.heads([head.receipt_id])[head.receipt_id]
                problem = error.problem
                writer.apply(
                    [
                        writer.Change(
                            fresh,
                            State.REFUSED,
                            "cannot_encode",
                            problem.text,
                            error_code=problem.code,
                            error_text=problem.text,
                        )
                    ],
                    actor=actor,
                )

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
