"""What a process of ours must do to end when it is told to, and with the one that started it."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
import time

_PR_SET_PDEATHSIG = 1
_AGAIN_SECONDS = 0.2


def die_with_parent() -> None:
    """Have the kernel send SIGTERM to this process when its parent ends, however it ends (Linux; elsewhere nothing)."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def heed_signals() -> None:
    """Let no signal be slept through. For a process whose main thread waits on a lock; call it in the main thread.

    Python runs handlers in the main thread, between two steps. A signal that arrives after the last such step and
    before the thread is asleep in the kernel is noted and then waits for the lock: for ever, if nobody releases it.
    While other threads hold the interpreter that gap lasts for milliseconds. Here a thread hears of every signal from
    Python's wakeup descriptor and sends it to the main thread again until the process has ended, so handlers must bear
    to be called again.
    """
    heard, hear = os.pipe()
    os.set_blocking(hear, False)
    signal.set_wakeup_fd(hear, warn_on_full_buffer=False)
    main = threading.main_thread().ident
    assert main is not None

    def again() -> None:
        while number := os.read(heard, 1):
            time.sleep(_AGAIN_SECONDS)
            signal.pthread_kill(main, number[0])

    threading.Thread(target=again, name="signals", daemon=True).start()
