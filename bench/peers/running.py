"""Runs the peers as processes of their own, against the same provider as Chekhov, and says who was left out and why."""

from __future__ import annotations

import importlib.util
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

import orjson
import psycopg

from bench.house import POSTGRESQL, ROOT, BenchError, die_with_parent, postgresql_missing
from bench.peers.results import TABLE

AMQP = os.environ.get("BENCH_AMQP_URL", "amqp://guest:guest@127.0.0.1:5672//")
BARE_LOOP = "bare loop over the SDK"
CELERY = "Celery + SDK"
PROCRASTINATE = "procrastinate + aiohttp"
STORE = (CELERY, PROCRASTINATE)  # the peers that store what they intend and what came of it
CELERY_THREADS_FROM = 64  # at an instant provider processes are quicker, at a slow one only threads reach the in-flight
_MODULES = {BARE_LOOP: "komtet_kassa_sdk", CELERY: "celery", PROCRASTINATE: "procrastinate"}


@dataclass(frozen=True, slots=True)
class Run:
    """What a peer did: whole jobs a second, and intents a second where it stores them."""

    per_second: float
    intents_per_second: float | None = None


def missing(name: str) -> str:
    """Why this peer cannot be measured here; empty if it can."""
    for module in {_MODULES[name], "komtet_kassa_sdk"}:
        if importlib.util.find_spec(module) is None:
            return f"the package {module} is not installed (requirements/bench.lock)"
    if name == CELERY and (why := _broker_missing()):
        return why
    return postgresql_missing() if name in STORE else ""


def _broker_missing() -> str:
    parts = urlsplit(AMQP)
    place = f"{parts.hostname or '127.0.0.1'}:{parts.port or 5672}"
    try:
        socket.create_connection((parts.hostname or "127.0.0.1", parts.port or 5672), timeout=3).close()
    except OSError as error:
        return f"RabbitMQ not reachable at {place}: {error.strerror or error} (BENCH_AMQP_URL names another)"
    return ""


def _command(module: str, *arguments: str | int) -> list[str]:
    # not by -m: an app must live in a module that is not __main__
    code = f"from bench.peers.{module} import main; main(*{arguments!r})"
    return [sys.executable, "-c", code]


class Peers:
    """A database of the peers' own, gone afterwards. Use as a context manager."""

    def __init__(self, provider_port: int, *, asks: bool = True) -> None:
        self._name = f"chekhov_bench_peers_{os.getpid()}"
        self._url = POSTGRESQL.rsplit("/", 1)[0] + f"/{self._name}"
        self._queue = f"chekhov-bench-{os.getpid()}"
        self._environment = {name: value for name, value in os.environ.items() if not name.startswith("CHEKHOV_")} | {
            "BENCH_PROVIDER_PORT": str(provider_port),
            "BENCH_PEERS_DATABASE_URL": self._url,
            "BENCH_PEERS_ASK": "1" if asks else "0",
            "BENCH_AMQP_URL": AMQP,
            "BENCH_CELERY_QUEUE": self._queue,
            "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "src")]),
        }
        self.skipped = {name: why for name in (BARE_LOOP, CELERY, PROCRASTINATE) if (why := missing(name))}
        self.present = [name for name in (BARE_LOOP, CELERY, PROCRASTINATE) if name not in self.skipped]

    def __enter__(self) -> Peers:
        if set(self.present) & set(STORE):
            with psycopg.connect(POSTGRESQL, autocommit=True) as admin:
                admin.execute(f'CREATE DATABASE "{self._name}"')
            with psycopg.connect(self._url, autocommit=True) as database:
                database.execute(TABLE)
        if PROCRASTINATE in self.present:
            self._once("procrastinate_app", "schema")
        return self

    def __exit__(self, *_: object) -> None:
        if CELERY in self.present:
            code = "from bench.peers.celery_app import app, os; c = app.connection_for_write(); c.connect(); "
            code += "c.default_channel.queue_delete(os.environ['BENCH_CELERY_QUEUE'])"
            subprocess.run([sys.executable, "-c", code], env=self._environment, cwd=ROOT, timeout=30, check=False)
        if set(self.present) & set(STORE):
            with psycopg.connect(POSTGRESQL, autocommit=True) as admin:
                admin.execute(f'DROP DATABASE IF EXISTS "{self._name}" WITH (FORCE)')

    def run(self, name: str, count: int, in_flight: int) -> Run:
        """Do so many jobs: all are intended before the clock starts, it stops when the last result is committed."""
        if name == BARE_LOOP:
            return Run(self._once("bare_loop", count))
        with psycopg.connect(self._url, autocommit=True) as database:
            database.execute("TRUNCATE peer_result")
            if name == CELERY:
                intents = self._once("celery_app", count)
                command = self._celery(in_flight)
            else:
                intents = self._once("procrastinate_app", "defer", count)
                database.execute("ANALYZE")
                command = _command("procrastinate_app", "work", in_flight)
            with self._worker(command) as worker:
                ended_ns = self._done(database, worker, name, count)
            began_ns = database.execute("SELECT min(began_ns) FROM peer_result").fetchall()[0][0]
        return Run(count / ((ended_ns - began_ns) / 1e9), intents)

    def _celery(self, in_flight: int) -> list[str]:
        pool, slots = ("threads", in_flight) if in_flight >= CELERY_THREADS_FROM else ("prefork", in_flight)
        command = [sys.executable, "-m", "celery", "-A", "bench.peers.celery_app", "worker", "--loglevel", "ERROR"]
        command += ["--pool", pool, "--concurrency", str(slots), "--queues", self._queue, "--hostname", "bench@%h"]
        return [*command, "--without-gossip", "--without-mingle", "--without-heartbeat"]

    def _done(
        self, database: psycopg.Connection[tuple[int, ...]], worker: subprocess.Popen[bytes], name: str, count: int
    ) -> int:
        until = time.monotonic() + 60
        while time.monotonic() < until and worker.poll() is None:
            if database.execute("SELECT count(*) FROM peer_result").fetchall()[0][0] >= count:
                return time.monotonic_ns()
            time.sleep(0.02)
        done = database.execute("SELECT count(*) FROM peer_result").fetchall()[0][0]
        raise BenchError(f"{name}: {done} of {count} jobs in 60 s, worker's exit code {worker.poll()}")

    def _once(self, module: str, *arguments: str | int) -> float:
        command = _command(module, *arguments)
        done = subprocess.run(
            command, env=self._environment, cwd=ROOT, stdout=subprocess.PIPE, timeout=120, check=False
        )
        if done.returncode:
            raise BenchError(f"{module} {arguments} ended with code {done.returncode}")
        return float(orjson.loads(done.stdout)["value"]) if done.stdout else 0.0

    @contextmanager
    def _worker(self, command: list[str]) -> Iterator[subprocess.Popen[bytes]]:
        process = subprocess.Popen(
            command,
            env=self._environment,
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            preexec_fn=die_with_parent,  # noqa: PLW1509 -- one thread
        )
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
