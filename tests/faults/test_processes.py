"""Moments of a delivery that only real processes and real sockets have."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from chekhov.delivery.models import Attempt
from chekhov.emulator.testing import EmulatorProcess
from chekhov.receipts.states import State
from tests import factories
from tests.faults.conftest import Installation, wait_for
from tests.faults.truth import all_in, assert_books_agree, end_leases, hurry_all, printed, states

FISCALIZED = all_in(State.FISCALIZED)


class Wire:
    """A wire to the provider that is cut after half of a request's body, so many times; then it carries everything."""

    def __init__(self, cuts: int) -> None:
        self.cuts = cuts
        self.held = threading.Event()  # half a body has gone over
        self.release = threading.Event()  # the wire may be cut now
        self._target = ("127.0.0.1", 0)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def lead_to(self, url: str) -> None:
        self._target = ("127.0.0.1", int(url.rpartition(":")[2]))

    def close(self) -> None:
        self.release.set()
        self._listener.close()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._carry, args=(client,), daemon=True).start()

    def _carry(self, client: socket.socket) -> None:
        with client, contextlib.suppress(OSError), socket.create_connection(self._target) as server:
            head = b""
            while b"\r\n\r\n" not in head:
                head += client.recv(65536)
            if self.cuts and head.startswith(b"POST"):
                self.cuts -= 1
                start = head.index(b"\r\n\r\n") + 4
                while len(head) < start + 200:
                    head += client.recv(65536)
                server.sendall(head[: start + 100])
                self.held.set()
                self.release.wait(20)
                return
            server.sendall(head)
            back = threading.Thread(target=self._copy, args=(server, client), daemon=True)
            back.start()
            self._copy(client, server)
            back.join(5)

    @staticmethod
    def _copy(source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)


@pytest.fixture
def wire() -> Iterator[Wire]:
    made = Wire(cuts=2)
    yield made
    made.close()


@pytest.fixture
def cloud_behind(wire: Wire) -> Iterator[EmulatorProcess]:
    """An emulator that is reached through the wire; requests are signed for the wire's address."""
    with EmulatorProcess("--public-url", wire.url, queue=555) as running:
        wire.lead_to(running.base_url)
        yield running


def sell_over(wire: Wire, installation: Installation, count: int) -> None:
    ekb = factories.region("ekb", installation.register.organization)
    factories.register(ekb, queue=555, service_url=wire.url)
    for _ in range(count):
        factories.pay(factories.invoice(factories.customer(ekb)))


def test_half_of_the_body_was_sent_when_the_wire_was_cut(
    installation: Installation, wire: Wire, cloud_behind: EmulatorProcess
) -> None:
    wire.release.set()
    sell_over(wire, installation, 3)

    installation.deliver(FISCALIZED)

    assert wire.cuts == 0
    assert Attempt.objects.filter(outcome="unsure").count() == 2, "nobody can tell what arrived"
    assert_books_agree(cloud_behind, facts=3)


def test_half_of_the_body_was_sent_when_the_worker_was_killed(
    installation: Installation, wire: Wire, cloud_behind: EmulatorProcess
) -> None:
    sell_over(wire, installation, 1)
    worker = installation.start_worker()
    assert wire.held.wait(20)

    worker.kill()
    worker.wait()
    wire.release.set()
    assert states() == {"sending": 1}
    assert printed(cloud_behind) == []
    end_leases()
    installation.deliver(FISCALIZED)

    assert_books_agree(cloud_behind, facts=1)


def test_a_worker_that_slept_past_its_leases_wakes_and_disturbs_nothing(installation: Installation) -> None:
    """SIGSTOP in mid-send: others have done its work when it comes back with its answers."""
    rule: dict[str, Any] = {"fault": "latency", "ms": 1500, "when": "after", "count": 5, "match": {"method": "POST"}}
    installation.emulator.faults(rule)
    installation.sell(5)
    sleeper = installation.start_worker()
    wait_for(lambda: len(installation.emulator.receipts()) == 5, 20)
    os.kill(sleeper.pid, signal.SIGSTOP)
    assert "sending" in states(), "it was stopped before its answers came"
    owner = Attempt.objects.values_list("owner", flat=True)[0]
    wait_for(lambda: len(printed(installation.emulator)) == 5, 10)
    end_leases()
    installation.deliver(FISCALIZED)
    os.kill(sleeper.pid, signal.SIGCONT)
    wait_for(lambda: not Attempt.objects.filter(owner=owner, answered_at=None).exists(), 15)

    assert_books_agree(installation.emulator, facts=5)
    installation.sell(2)
    wait_hurried_by(sleeper)
    assert_books_agree(installation.emulator, facts=7)


def wait_hurried_by(_worker: object) -> None:
    """The woken worker goes on as if nothing had happened."""

    def delivered() -> bool:
        hurry_all()
        return states() == {"fiscalized": 7}

    wait_for(delivered, 20)


def test_outcomes_that_are_committed_survive_everything(installation: Installation) -> None:
    """The last crash point: after the commit. A worker killed just then leaves nothing to do, and nobody does it."""
    installation.sell(3)
    worker = installation.start_worker()

    def delivered() -> bool:
        hurry_all()
        return states() == {"fiscalized": 3}

    wait_for(delivered, 20)
    worker.kill()
    worker.wait()
    before = Attempt.objects.count()

    hurry_all()
    started = time.monotonic()
    installation.deliver(lambda: time.monotonic() > started + 0.5)

    assert Attempt.objects.count() == before
    assert_books_agree(installation.emulator, facts=3)
