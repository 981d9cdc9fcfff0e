"""What a soak does to an installation: one random misfortune after another, each counted."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from soak.house import LEASE_SECONDS, House, Member
from soak.postgres import OwnPostgres
from soak.shop import post_raw

RULES: tuple[dict[str, Any], ...] = (
    {"fault": "drop", "when": "before", "chance": 40},
    {"fault": "drop", "when": "after", "chance": 40, "match": {"method": "POST"}},
    {"fault": "half_answer", "chance": 40},
    {"fault": "status", "status": 500, "when": "before", "chance": 40},
    {"fault": "status", "status": 500, "when": "after", "chance": 40},
    {"fault": "status", "status": 502, "when": "after", "chance": 40},
    {"fault": "status", "status": 404, "chance": 30},
    {"fault": "status", "status": 302, "chance": 30},
    {"fault": "status", "status": 429, "chance": 30},
    {"fault": "latency", "ms": 2600, "when": "before", "chance": 20},
    {"fault": "latency", "ms": 2600, "when": "after", "chance": 20, "match": {"method": "POST"}},
    {"fault": "no_service", "chance": 20},
    {"fault": "unauthorised", "chance": 20},
    {"fault": "duplicate_without_task", "chance": 60},
    {"fault": "passive"},
    {"fault": "offline"},
    {"fault": "paper_out"},
    {"fault": "device_error", "chance": 30},
    {"fault": "late_done", "delay_ms": 400, "chance": 30},
    {"fault": "stuck", "chance": 10},  # until the emulator starts anew
    {"fault": "callback_early", "chance": 50},
    {"fault": "callback_duplicate", "times": 5, "chance": 50},
    {"fault": "callback_late", "delay_ms": 3000, "chance": 50},
    {"fault": "callback_missing", "chance": 70},
    {"fault": "callback_forged", "chance": 50},
    {"fault": "callback_unsigned", "chance": 50},
    {"fault": "callback_wrong_url", "chance": 50},
    {"fault": "callback_out_of_order", "chance": 50},
)


class Chaos:
    """Misfortunes for one installation, drawn by `dice`. Called from one thread; none waits for long."""

    def __init__(self, house: House, server: OwnPostgres | None, dice: random.Random) -> None:
        self.struck: Counter[str] = Counter()
        self._house, self._server, self._dice = house, server, dice
        self._later: list[tuple[float, Callable[[], None]]] = []
        self._rules_until = 0.0
        self._kinds: list[tuple[float, Callable[[], None]]] = [
            (6, self.kill_a_worker),
            (3, self.stop_a_worker),
            (1, self.end_a_worker),
            (2, self.kill_a_web),
            (2, self.kill_a_web_child),
            (3, self.kill_the_emulator),
            (8, self.bend_the_provider),
            (1, self.throw_rubbish),
        ]
        if server is not None:
            self._kinds += [(1.5, self.restart_the_database), (2, self.end_the_sessions)]

    def strike(self) -> None:
        """One misfortune."""
        weights = [weight for weight, _ in self._kinds]
        self._dice.choices([act for _, act in self._kinds], weights)[0]()

    def tick(self) -> None:
        """Undo what has lasted for its time: start what was killed, end the provider's whims; sleepers wake alone."""
        moment = time.monotonic()
        due = [act for at, act in self._later if at <= moment]
        self._later = [(at, act) for at, act in self._later if at > moment]
        for act in due:
            act()
        if self._rules_until and moment > self._rules_until:
            self.straighten()

    def cease(self) -> None:
        """No misfortune any more: everything that was undone is done, and the emulator has been started anew."""
        for _, act in self._later:
            act()
        self._later.clear()
        self.straighten()
        self._house.emulator.kill()  # releases what was stuck
        self._house.emulator.start()
        self._house.start()

    # --- our own processes --------------------------------------------------------------------------------------------

    def kill_a_worker(self) -> None:
        member = self._dice.choice(self._house.workers)
        self._count("worker_killed")
        member.kill()
        self._after(self._dice.uniform(0, 2), member.start)

    def stop_a_worker(self) -> None:
        """It sleeps past its leases and wakes with its answers, when others have taken its work."""
        member = self._dice.choice(self._house.workers)
        if member.stopped or not self._lives(member):
            return
        self._count("worker_stopped")
        member.signal(signal.SIGSTOP)
        member.stopped = True

        def wake() -> None:
            member.signal(signal.SIGCONT)
            member.stopped = False

        # by a thread of its own: whoever calls `tick` may be waiting for a lock that the sleeper holds
        alarm = threading.Timer(LEASE_SECONDS + self._dice.uniform(0.5, 4), wake)
        alarm.daemon = True
        alarm.start()

    def end_a_worker(self) -> None:
        member = self._dice.choice(self._house.workers)
        if member.stopped or not self._lives(member):
            return
        self._count("worker_ended")
        assert member.process is not None
        member.process.terminate()
        self._after(8, lambda: (member.kill(), member.start())[1])

    def kill_a_web(self) -> None:
        member = self._dice.choice(self._house.webs)
        self._count("web_killed")
        member.kill()
        self._after(self._dice.uniform(0, 2), member.start)

    def kill_a_web_child(self) -> None:
        """Granian's own process of requests dies; granian starts another."""
        children = self._dice.choice(self._house.webs).children()
        if children:
            self._count("web_child_killed")
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._dice.choice(children), signal.SIGKILL)

    # --- the provider -------------------------------------------------------------------------------------------------

    def kill_the_emulator(self) -> None:
        self._tally_rules()
        self._count("emulator_killed")
        self._house.emulator.kill()
        self._rules_until = 0.0
        self._after(self._dice.uniform(0, 3), self._house.emulator.start)

    def bend_the_provider(self) -> None:
        rules = [{**rule, "seed": self._dice.randrange(1_000_000)} for rule in self._dice.sample(RULES, 3)]
        with contextlib.suppress(OSError):  # it may be dead at the moment
            self._house.emulator.faults(*rules)
            self._rules_until = time.monotonic() + self._dice.uniform(2, 8)

    def straighten(self) -> None:
        """Take the provider's whims away; each time that one struck is a fault."""
        self._tally_rules()
        self._rules_until = 0.0
        with contextlib.suppress(OSError):
            self._house.emulator.clear_faults()

    def throw_rubbish(self) -> None:
        """Somebody on the net finds the address for notifications."""
        self._count("rubbish_thrown")
        for body in (b"", b"{", b"\x00" * 100, b"[" * 50_000, b"x" * 70_000):
            post_raw(self._house.ports[0], "/hooks/test/unknown-token", body, {"Content-Type": "application/json"})

    # --- the database -------------------------------------------------------------------------------------------------

    def restart_the_database(self) -> None:
        if self._server is not None:
            self._count("database_crashed")
            self._server.restart(away_seconds=self._dice.uniform(0, 3))

    def end_the_sessions(self) -> None:
        if self._server is not None:
            self._count("sessions_ended")
            self._server.throw_out()

    # ------------------------------------------------------------------------------------------------------------------

    def _tally_rules(self) -> None:
        with contextlib.suppress(OSError):
            for rule in self._house.emulator.fault_list():
                if rule["hits"]:
                    self._count(f"provider_{rule['fault']}", rule["hits"])

    def _count(self, what: str, times: int = 1) -> None:
        self.struck[what] += times

    def _after(self, seconds: float, act: Callable[[], None]) -> None:
        self._later.append((time.monotonic() + seconds, act))

    @staticmethod
    def _lives(member: Member) -> bool:
        return member.process is not None and member.process.poll() is None
