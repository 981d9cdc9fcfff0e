"""Processes end when they are told to, and with the one that started them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

from tests.faults.conftest import Installation, wait_for

# The signal goes to a thread that is not the main one: Python notes it, and nothing interrupts the main thread's wait,
# exactly as when a signal arrives just before that wait begins.
SLEPT_THROUGH = """
import signal, threading, time
from chekhov.config.processes import heed_signals

called = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: called.set())
heed_signals()

def tell():
    time.sleep(0.3)
    signal.pthread_kill(threading.get_ident(), signal.SIGTERM)
    time.sleep(60)

threading.Thread(target=tell, daemon=True).start()
called.wait()
"""


def test_no_signal_is_slept_through() -> None:
    done = subprocess.run([sys.executable, "-c", SLEPT_THROUGH], timeout=20, check=False)

    assert done.returncode == 0


def children_of(pid: int) -> list[int]:
    """The processes that this one has started (Linux)."""
    files = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(word) for file in files for word in file.read_text().split()]


def is_running(pid: int) -> bool:
    """Whether the process is there and not merely waiting to be collected."""
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


def answers(port: int) -> bool:
    """Whether a web process answers there."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def test_the_web_server_is_stopped_as_soon_as_it_answers(installation: Installation, port: int) -> None:
    parent = installation.start("-m", "chekhov.cli", "web", "--port", str(port))
    wait_for(lambda: answers(port), 30)

    parent.terminate()

    assert parent.wait(20) == 0
    assert not answers(port)


def test_a_web_process_does_not_outlive_its_parent(installation: Installation, port: int) -> None:
    """Killed with SIGKILL the parent tells nobody; the port must be free for the next one."""
    parent = installation.start("-m", "chekhov.cli", "web", "--port", str(port))
    wait_for(lambda: answers(port), 30)
    (child,) = children_of(parent.pid)

    os.kill(parent.pid, signal.SIGKILL)
    parent.wait(10)

    wait_for(lambda: not is_running(child), 20)
    assert not answers(port)
