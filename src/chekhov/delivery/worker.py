"""The worker: one event loop that talks HTTP, a thread for claims and one for outcomes with a connection each (on
SQLite one for both).

Claims, calls and commits overlap; each receipt still goes through them strictly in this order. Outcomes are committed
in groups as they come, so one slow answer holds back none. SIGTERM stops claiming, waits for the answers that are
under way and writes them.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import secrets
import signal
import socket
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import aiohttp
import structlog
import uvloop
from django.conf import settings
from django.db import Error as DatabaseFault
from django.db import OperationalError, connection
from django.utils import timezone

from chekhov.config.database import (
    clock_ms,
    execute,
    is_postgresql,
    plan_by_index,
    wal_fold,
    writer_is_awaited,
    writing,
)
from chekhov.delivery.breaker import LaneKey
from chekhov.delivery.calls import Clocks, call, clocks
from chekhov.delivery.claims import Claimer
from chekhov.delivery.due import is_work_due
from chekhov.delivery.jobs import Job, Result
from chekhov.delivery.lanes import lanes_ensure
from chekhov.delivery.leases import leases_expire, waits_bound
from chekhov.delivery.results import results_commit
from chekhov.delivery.standby import standby_serve
from chekhov.delivery.watching import WATCH_SECONDS, access_note, lanes_to_ask
from chekhov.drivers.flows import drive_async
from chekhov.registers.transport import send, session

log = structlog.get_logger(__name__)
T = TypeVar("T")

IDLE_SECONDS = 0.02
HELD_SECONDS = 0.1  # work is due, but its lane has no permits
GROUP = 100
GROUP_SECONDS = 0.02
TRIES = 3
GENTLE = 24  # claims and outcomes in a transaction while somebody else waits to write to the same SQLite file
GENTLE_SECONDS = 0.25
BEAT_SECONDS = 2.0
FOLD_SECONDS = 0.1


class Worker:
    """Delivers until it is stopped. Any number of workers may run against one PostgreSQL, one against SQLite."""

    def __init__(self, *, name: str = "", in_flight: int = 0) -> None:
        self.name = (name or f"{socket.gethostname()[:20]}:{os.getpid()}:{secrets.token_hex(3)}")[:40]
        self._most = in_flight or settings.CHEKHOV_WORKER_IN_FLIGHT
        self._claimer = Claimer(self.name)
        self._db = ThreadPoolExecutor(1, thread_name_prefix="db")
        # PostgreSQL writes outcomes while it claims; on SQLite one writes at a time anyway
        self._claims_db = ThreadPoolExecutor(1, thread_name_prefix="claims") if is_postgresql() else self._db
        self._stopping = asyncio.Event()
        self._results: asyncio.Queue[Result] = asyncio.Queue()
        self._calls: dict[asyncio.Task[None], LaneKey] = {}
        self._held: Counter[LaneKey] = Counter()  # open calls of each lane
        self._open = 0  # jobs claimed and not yet committed
        self._freed = asyncio.Event()
        self._sent = 0
        self._gentle_until = 0.0
        self._was_full = False  # the last claim found as much as it had asked for
        self._started_at = timezone.now()

    def stop(self) -> None:
        """Claim no more; `run` returns when what is under way has been written."""
        self._stopping.set()

    async def run(self) -> None:
        """Deliver until `stop`. Database faults are waited out; nothing is lost by them, the leases see to it."""
        log.info("worker.started", worker=self.name, in_flight=self._most)
        committer = asyncio.create_task(self._commit_forever())
        beater = asyncio.create_task(self._beat_forever())
        folder = asyncio.create_task(self._fold_forever())
        try:
            await self._lanes_know()
            async with session(connections=self._most) as client:
                watcher = asyncio.create_task(self._watch_forever(client))
                try:
                    while not self._stopping.is_set():
                        await self._claim_once(client)
                finally:
                    watcher.cancel()
                    await asyncio.gather(watcher, return_exceptions=True)
                if self._calls:
                    await asyncio.wait(self._calls)
                await self._results.join()
        finally:
            for task in (committer, beater, folder):
                task.cancel()
            await asyncio.gather(committer, beater, folder, return_exceptions=True)
            for database in {self._db, self._claims_db}:
                await self._in_db(_close, database)
                database.shutdown()
            log.info("worker.stopped", worker=self.name, sent=self._sent)

    async def _lanes_know(self) -> None:
        """Every queue has its lane before the first claim: else the one that has might take all places."""
        try:
            await self._in_db(lanes_ensure, self._claims_db)
        except DatabaseFault as error:
            await self._database_fault("lanes", error, self._claims_db)
        except Exception:  # the beat tries again
            log.exception("worker.lanes_failed")

    async def _claim_once(self, client: aiohttp.ClientSession) -> None:
        room = await self._room()
        if not room:
            return
        try:
            # after a full claim there is likely more: then the look is not worth its trips
            is_due = self._was_full or await self._in_db(is_work_due, self._claims_db)
            held = dict(self._held)
            most = min(room, GENTLE) if self._is_gentle() else room
            claimed_at = clocks()  # before the leases begin: however long the claim takes
            claim = lambda: self._claimer.claim(most, held, self._most)  # noqa: E731
            jobs = await self._in_db(claim, self._claims_db) if is_due else []
            self._was_full = len(jobs) == most
        except DatabaseFault as error:
            await self._database_fault("claim", error, self._claims_db)
            return
        except Exception:  # ours: it must be loud and must not end the worker
            log.exception("worker.claim_failed")
            await self._either(self._stopping, 1.0)
            return
        longest = settings.CHEKHOV_CONNECT_TIMEOUT_SECONDS + settings.CHEKHOV_READ_TIMEOUT_SECONDS
        left = settings.CHEKHOV_LEASE_SECONDS - longest
        self._open += len(jobs)
        for job in jobs:
            made = asyncio.create_task(self._call(job, client, (claimed_at[0] + left, claimed_at[1] + left)))
            self._calls[made] = job.channel.key
            self._held[job.channel.key] += 1
            made.add_done_callback(self._call_ended)
        if not jobs:
            await self._either(self._stopping, HELD_SECONDS if is_due else IDLE_SECONDS)

    async def _room(self) -> int:
        """Places for new jobs, once a claim is worth its transaction: a quarter of all, or any after a short wait.

        A place is free again when its answer has come; the commit does not hold it, as long as not too much waits.
        """
        waited = False
        while not self._stopping.is_set():
            room = self._places()
            if self._is_roomy(room) or (waited and room > 0):
                return room
            self._freed.clear()
            await self._either(self._freed, GROUP_SECONDS)
            waited = True
        return 0

    def _places(self) -> int:
        return min(self._most - len(self._calls), 2 * self._most - self._open)

    def _is_roomy(self, room: int) -> bool:
        return room >= max(1, self._most // 4)

    def _call_ended(self, made: asyncio.Task[None]) -> None:
        self._held[self._calls.pop(made)] -= 1
        if self._is_roomy(self._places()):
            self._freed.set()

    async def _call(self, job: Job, client: aiohttp.ClientSession, deadlines: Clocks) -> None:
        self._results.put_nowait(await call(job, client, deadlines))
        self._sent += job.kind.is_sending

    async def _commit_forever(self) -> None:
        while True:
            group = [await self._results.get()]
            loop = asyncio.get_running_loop()
            until = loop.time() + GROUP_SECONDS
            most = GENTLE if self._is_gentle() else GROUP
            while len(group) < most:
                if not self._results.empty():
                    group.append(self._results.get_nowait())
                    continue
                left = until - loop.time()
                if left <= 0 or not self._calls:
                    break
                try:
                    group.append(await asyncio.wait_for(self._results.get(), left))
                except TimeoutError:
                    break
            await self._commit(group)

    async def _commit(self, group: list[Result], tries: int = TRIES) -> None:
        """Write a group, however long it takes: while the database is away the answers wait here.

        Where it is there and yet does not take the group again and again, the halves go for themselves, and a single
        one behind what came meanwhile: a statement that is too long for the server holds back no other.
        """
        if not await self._is_dealt_with(group, tries):
            if len(group) > 1:
                half = len(group) // 2
                await self._commit(group[:half], tries=1)
                await self._commit(group[half:], tries=1)
            else:
                self._results.put_nowait(group[0])
                self._results.task_done()
            return
        self._open -= len(group)
        if self._is_roomy(self._places()):
            self._freed.set()
        for _ in group:
            self._results.task_done()

    async def _is_dealt_with(self, group: list[Result], tries: int) -> bool:
        """Whether a group of outcomes is off our hands after so many tries: written, or given up."""
        for _ in range(tries):
            try:
                await self._in_db(lambda: results_commit(group, self.name))
                return True
            except OperationalError as error:
                await self._database_fault("commit", error)
            except Exception:  # ours or the database's: it must be loud and must not end the worker
                log.exception("worker.outcomes_dropped", receipts=[item.job.receipt_id for item in group])
                return True  # the leases run out and the outcomes are asked for again
        return False

    async def _beat_forever(self) -> None:
        while True:
            try:
                await self._in_db(self._beat)
            except DatabaseFault as error:
                await self._database_fault("beat", error)
            except Exception:  # without beats no lease would ever end
                log.exception("worker.beat_failed")
            await asyncio.sleep(BEAT_SECONDS)

    async def _fold_forever(self) -> None:
        """Keep SQLite's log short, from a thread of its own: it waits for the disk, not for the writers."""
        if is_postgresql():
            return
        database = ThreadPoolExecutor(1, thread_name_prefix="fold")
        try:
            while True:
                with contextlib.suppress(DatabaseFault):
                    await asyncio.get_running_loop().run_in_executor(database, wal_fold)
                await asyncio.sleep(FOLD_SECONDS)
        finally:
            database.submit(_close)
            database.shutdown()

    async def _watch_forever(self, client: aiohttp.ClientSession) -> None:
        """Ask now and then whether the registers behind watched queues are there at all."""
        while True:
            try:
                for channel in await self._in_db(lambda: lanes_to_ask(self._claimer), self._claims_db):
                    flow = channel.driver.check_access(channel.connection)
                    report = await drive_async(flow, lambda request: send(client, request))
                    note = lambda: access_note(channel, report)  # noqa: B023, E731 -- awaited at once
                    await self._in_db(note, self._claims_db)
            except DatabaseFault as error:
                await self._database_fault("watch", error, self._claims_db)
            except Exception:
                log.exception("worker.watch_failed")
            await asyncio.sleep(WATCH_SECONDS)

    def _beat(self) -> None:
        """What some worker must do now and then. One step that goes wrong holds back no other."""
        for step in (leases_expire, lanes_ensure, waits_bound, standby_serve, self._alive_say):
            try:
                step()
            except DatabaseFault:
                raise
            except Exception:
                log.exception("worker.beat_failed", step=step.__name__)

    def _alive_say(self) -> None:
        with writing():
            execute(
                "INSERT INTO delivery_workerbeat (name, started_at, seen_ms, sent) "
                f"VALUES (%s, %s, {clock_ms()}, %s) ON CONFLICT (name) DO UPDATE SET seen_ms = {clock_ms()}, "
                "started_at = excluded.started_at, sent = excluded.sent",
                [self.name, connection.ops.adapt_datetimefield_value(self._started_at), self._sent],
            )
            execute(f"DELETE FROM delivery_workerbeat WHERE seen_ms < {clock_ms()} - 86400000")

    async def _in_db(self, work: Callable[[], T], database: ThreadPoolExecutor | None = None) -> T:
        loop = asyncio.get_running_loop()
        done, is_awaited = await loop.run_in_executor(database or self._db, lambda: (work(), writer_is_awaited()))
        if is_awaited:
            self._gentle_until = loop.time() + GENTLE_SECONDS
        return done

    def _is_gentle(self) -> bool:
        """Whether the shop's own writes stood waiting just now: then they must not wait long."""
        return asyncio.get_running_loop().time() < self._gentle_until

    async def _database_fault(self, where: str, error: Exception, database: ThreadPoolExecutor | None = None) -> None:
        log.warning("worker.database_fault", where=where, error=str(error)[:200])
        await self._in_db(_close, database)
        await self._either(self._stopping, 1.0)
        if self._stopping.is_set():
            await asyncio.sleep(0.2)

    @staticmethod
    async def _either(event: asyncio.Event, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(event.wait(), seconds)


def _close() -> None:
    connection.close()  # the attribute is looked up in the thread that owns the connection


def work() -> None:
    """Run a worker until SIGTERM or SIGINT."""

    async def main() -> None:
        worker = Worker()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, worker.stop)
        await worker.run()

    plan_by_index()
    gc.collect()
    gc.freeze()  # what has been loaded stays: the collector need not walk it again and again
    gc.set_threshold(20_000, 20, 50)
    uvloop.run(main())
