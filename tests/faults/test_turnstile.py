"""SQLite's writers take turns: between threads, between processes, and after one was killed."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from chekhov.config import turnstile
from chekhov.config.turnstile import Busy, turn

HOLD = """
import sys, time
import pytest

from chekhov.config import turnstile
from chekhov.config.turnstile import Busy, turn
with turn(sys.argv[1]):
    print("held", flush=True)
    time.sleep(60)
"""
GREEDY = """
import sys, time
import pytest

from chekhov.config import turnstile
from chekhov.config.turnstile import Busy, turn
until = time.monotonic() + 20
print("started", flush=True)
while time.monotonic() < until:
    with turn(sys.argv[1]):
        time.sleep(0.02)
"""


def process(code: str, database: Path) -> subprocess.Popen[str]:
    started = subprocess.Popen([sys.executable, "-c", code, str(database)], stdout=subprocess.PIPE, text=True)
    assert started.stdout is not None
    assert started.stdout.readline()
    return started


def end(started: subprocess.Popen[str]) -> None:
    started.send_signal(signal.SIGKILL)
    started.communicate()


def test_a_thread_that_has_the_turn_may_take_it_again(tmp_path: Path) -> None:
    with turn(tmp_path / "a"), turn(tmp_path / "a"):
        pass
    with turn(tmp_path / "a"):
        pass


def test_one_thread_at_a_time(tmp_path: Path) -> None:
    inside = most = 0

    def work() -> None:
        nonlocal inside, most
        for _ in range(20):
            with turn(tmp_path / "a"):
                inside += 1
                most = max(most, inside)
                time.sleep(0.0002)
                inside -= 1

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert most == 1


def test_the_turn_of_a_killed_process_is_free_at_once(tmp_path: Path) -> None:
    holder = process(HOLD, tmp_path / "a")
    got = threading.Event()

    def take() -> None:
        with turn(tmp_path / "a"):
            got.set()

    waiter = threading.Thread(target=take, daemon=True)
    waiter.start()
    assert not got.wait(0.3)
    end(holder)
    assert got.wait(5)


def test_nobody_waits_for_ever_for_a_process_that_was_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turnstile, "WAIT_SECONDS", 0.3)
    holder = process(HOLD, tmp_path / "a")
    holder.send_signal(signal.SIGSTOP)
    try:
        for _ in range(2):  # the place in the queue was given back as well
            with pytest.raises(Busy), turn(tmp_path / "a"):
                pass
    finally:
        holder.send_signal(signal.SIGCONT)
        end(holder)
    with turn(tmp_path / "a"):
        pass


def test_a_process_that_writes_without_end_lets_others_in(tmp_path: Path) -> None:
    greedy = process(GREEDY, tmp_path / "a")
    try:
        started = time.monotonic()
        for _ in range(20):
            with turn(tmp_path / "a"):
                pass
        assert time.monotonic() - started < 5  # 20 waits of one turn each; a lucky poll would take far longer
    finally:
        end(greedy)
