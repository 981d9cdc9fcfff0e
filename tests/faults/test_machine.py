"""Facts, workers, crashes, notifications, people and faults of the provider, in any order that hypothesis thinks of.

The steps of a worker are taken one by one (claim, call, commit) against the real emulator over HTTP, so that anything
may happen between any two of them: another worker, the end of a lease, a crash, an answer written hours late. After
each step the journal may say nothing that is not so; in the end, with everything calm again, an ordinary worker
finishes the work, and documents = facts that owe one.

PROOF_EXAMPLES=500 runs more orders than the few that a test run has time for, PROOF_SECONDS bounds them, PROOF_SHRINK=1
looks for the shortest order that fails.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import math
import os
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import aiohttp
import pytest
from hypothesis import HealthCheck, Phase
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from chekhov.delivery import results
from chekhov.delivery.callbacks import callback_receive
from chekhov.delivery.calls import call
from chekhov.delivery.channels import Channels
from chekhov.delivery.jobs import Job, Result, key_of
from chekhov.delivery.requests import receipt_cancel, receipt_retry
from chekhov.delivery.results import results_commit
from chekhov.delivery.worker import Worker, lanes_ensure, leases_expire
from chekhov.emulator import Switches
from chekhov.emulator.testing import EmulatorProcess
from chekhov.errors import Refusal
from chekhov.receipts.composing import Choices, receipt_form, registers_for
from chekhov.receipts.models import Obligation, Receipt
from chekhov.receipts.states import State
from chekhov.registers.transport import session
from tests import factories
from tests.faults.conftest import (
    CONNECT_SECONDS,
    LEASE_SECONDS,
    READ_SECONDS,
    Installation,
    Mailbox,
    fresh_database,
)
from tests.faults.truth import assert_books_agree, end_leases, hurry_all

EXAMPLES = int(os.environ.get("PROOF_EXAMPLES", "20"))
SECONDS = int(os.environ.get("PROOF_SECONDS", "40"))
LATE_SECONDS = 0.05
MISTAKE = "Внутренняя ошибка"

FAULTS: tuple[dict[str, Any], ...] = (
    {"fault": "drop", "when": "before", "match": {"method": "POST"}},
    {"fault": "drop", "when": "after", "match": {"method": "POST"}},
    {"fault": "half_answer", "match": {"method": "POST"}},
    {"fault": "status", "status": 500, "when": "after", "match": {"method": "POST"}},
    {"fault": "status", "status": 502, "when": "before", "match": {"method": "POST"}},
    {"fault": "status", "status": 429, "match": {"method": "POST"}},
    {"fault": "no_service", "match": {"method": "POST"}},
    {"fault": "unauthorised", "match": {"method": "POST"}},
    {"fault": "duplicate_without_task"},
    {"fault": "drop", "match": {"method": "GET"}},
    {"fault": "status", "status": 404, "match": {"method": "GET"}},
    {"fault": "status", "status": 500, "match": {"method": "GET"}},
    {"fault": "unauthorised", "match": {"method": "GET"}},
    {"fault": "device_error"},
    {"fault": "late_done", "delay_ms": round(LATE_SECONDS * 1000)},
    {"fault": "callback_early"},
    {"fault": "callback_missing"},
    {"fault": "callback_forged"},
)
LIES = tuple(fault for fault in FAULTS if fault["fault"] in ("late_done", "device_error"))
TROUBLES = (*(fault for fault in FAULTS if fault.get("match") != {"method": "GET"}), *LIES, *LIES)
CONDITIONS = ("passive", "offline", "paper_out")


@dataclass(slots=True)
class Hand:
    """One worker between two steps: what it has claimed and not yet called, and answers that it has not yet written."""

    worker: Worker
    jobs: list[Job] = field(default_factory=list)
    answers: list[Result] = field(default_factory=list)


class Delivery(RuleBasedStateMachine):
    """Every rule does nothing where it has nothing to do: what is possible must not depend on the clock."""

    template: ClassVar[str]
    emulator: ClassVar[EmulatorProcess]
    mailbox: ClassVar[Mailbox]
    until: ClassVar[float]
    done: ClassVar[int]
    answered: ClassVar[int]  # calls between two other steps that a provider's answer came to
    _names = itertools.count(1)

    def __init__(self) -> None:
        super().__init__()
        self.stack = contextlib.ExitStack()
        self.over = time.monotonic() > self.until

    @initialize()
    def open(self) -> None:
        if self.over:
            return
        folder = Path(self.stack.enter_context(tempfile.TemporaryDirectory(prefix="chekhov-machine-")))
        address = self.stack.enter_context(fresh_database(self.template, folder))
        self.emulator.reset()
        self.emulator.settings(**Switches().as_dict(), pickup_delay_ms=0, print_delay_ms=0)
        self.mailbox.letters.clear()
        region = factories.region("msk", factories.organization())
        self.register = factories.register(region, service_url=self.emulator.base_url)
        self.token = self.register.account.link_token
        self.installation = Installation(self.emulator, region, self.register, address, folder)
        self.buyer = factories.customer(region)
        self.person = factories.user()
        self.facts: list[tuple[Any, dict[str, Any]]] = []
        self.runner = self.stack.enter_context(asyncio.Runner())
        self.client: aiohttp.ClientSession = self.runner.run(self._session())
        self.hands = [self._hired() for _ in range(3)]
        self.lied = False  # an error may have been taken back
        for parts in (0, 1, 2):
            self.sell(parts, False)

    async def _session(self) -> aiohttp.ClientSession:
        return await session(connections=4).__aenter__()

    def _hired(self) -> Hand:
        return Hand(Worker(name=f"worker-{next(self._names)}"))

    # --- facts --------------------------------------------------------------------------------------------------------

    @rule(parts=st.integers(0, 2), again=st.booleans())
    def sell(self, parts: int, again: bool) -> None:
        """A top-up, a whole payment, or two part payments; or what was said before, whose answer the shop missed."""
        if self.over:
            return
        if again or len(self.facts) >= 8:
            self._say_again(parts)
            return
        line = factories.LineContent(name="Свеча зажигания", price="385.50", quantity="1")
        if not parts:
            self._record(factories.topup, self.buyer, "500.00")
            return
        bill = factories.invoice(self.buyer, line)
        for amount in ("385.50",) if parts == 1 else ("200.00", "185.50"):
            self._record(factories.pay, bill, amount)

    def _record(self, how: Any, parent: Any, amount: str) -> None:
        said = {"id": f"F-{len(self.facts)}", "paid_at": parent.created_at}
        assert how(parent, amount, **said).created
        self.facts.append((how, {"parent": parent, "amount": amount, **said}))

    def _say_again(self, which: int) -> None:
        how, said = self.facts[which % len(self.facts)]
        said = dict(said)
        assert not how(said.pop("parent"), said.pop("amount"), **said).created

    # --- workers ------------------------------------------------------------------------------------------------------

    @rule(who=st.integers(0, 2), most=st.integers(1, 4))
    def claim(self, who: int, most: int) -> None:
        if self.over:
            return
        lanes_ensure()
        self.hands[who].jobs += self.hands[who].worker._claimer.claim(most)

    @rule(who=st.integers(0, 2), which=st.integers(0, 3), in_time=st.booleans())
    def call(self, who: int, which: int, in_time: bool) -> None:
        """One request to the provider. Not `in_time`: the worker sees that its lease is too short and sends nothing."""
        if self.over or not self.hands[who].jobs:
            return
        hand = self.hands[who]
        job = hand.jobs.pop(which % len(hand.jobs))
        result = self.runner.run(call(job, self.client, (math.inf, math.inf) if in_time else (0.0, 0.0)))
        assert MISTAKE not in getattr(result.outcome, "reason", ""), "the call itself went wrong"
        type(self).answered += result.status is not None
        hand.answers.append(result)

    @rule(who=st.integers(0, 2), count=st.integers(1, 3), twice=st.booleans())
    def commit(self, who: int, count: int, twice: bool) -> None:
        """Write answers, however old they are; or write them, lose the connection within the commit, write again."""
        if self.over or not self.hands[who].answers:
            return
        hand = self.hands[who]
        group, hand.answers = hand.answers[:count], hand.answers[count:]
        for _ in range(1 + twice):
            results_commit(group, hand.worker.name)

    @rule(who=st.integers(0, 2), rounds=st.integers(1, 4), long=st.booleans())
    def work(self, who: int, rounds: int, long: bool) -> None:
        """The three steps in their order, with everything that is due, again and again as time passes: so `long` that
        all leases end, of the dead and of the merely slow.
        """
        if self.over:
            return
        for _ in range(rounds):
            self.time_passes(long)
            self.claim(who, 4)
            while self.hands[who].jobs:
                self.call(who, 0, True)
            while self.hands[who].answers:
                self.commit(who, 3, False)

    @rule(who=st.integers(0, 2), within=st.sampled_from(["", "claim", "commit"]))
    def crash(self, who: int, within: str) -> None:
        """A worker is gone with all that it knew: between two steps, or within a transaction."""
        if self.over:
            return
        hand = self.hands[who]
        with pytest.MonkeyPatch.context() as broken, contextlib.suppress(SystemExit):
            if within == "claim":
                broken.setattr(Channels, "remember_url", _crash)
                lanes_ensure()
                hand.worker._claimer.claim(4)
            elif within == "commit" and hand.answers:
                broken.setattr(results, "_fiscal_write", _crash)
                results_commit(hand.answers, hand.worker.name)
        self.hands[who] = self._hired()

    # --- time ---------------------------------------------------------------------------------------------------------

    @rule(leases=st.booleans())
    def time_passes(self, leases: bool) -> None:
        """Everything is due; or every lease ends, the living workers' too."""
        if self.over:
            return
        if leases:
            end_leases()
            leases_expire()
        hurry_all()

    # --- the provider -------------------------------------------------------------------------------------------------

    @rule(which=st.lists(st.sampled_from(FAULTS), max_size=3), condition=st.sampled_from(("", "", *CONDITIONS)))
    def bend(self, which: list[dict[str, Any]], condition: str) -> None:
        """The next requests, whoever makes them, are answered so, in turn. Nothing drawn: all is well again."""
        if self.over:
            return
        if condition:
            self.emulator.faults({"fault": condition})
        elif which:
            self._faults(which)
        else:
            self.emulator.clear_faults()

    @rule(receipt=st.integers(0, 7), which=st.lists(st.sampled_from(TROUBLES), min_size=1, max_size=4))
    def doom(self, receipt: int, which: list[dict[str, Any]]) -> None:
        """One receipt that is not settled is out of luck: its next sendings are answered so, one after another."""
        if self.over:
            return
        waiting = list(Receipt.objects.exclude(status__state=State.FISCALIZED).select_related("status").order_by("pk"))
        if waiting:
            chosen = waiting[receipt % len(waiting)]
            self._faults(which, external_id=key_of(chosen.uuid, chosen.status.key_number))

    def _faults(self, which: list[dict[str, Any]], **match: str) -> None:
        self.lied = self.lied or any(fault["fault"] == "late_done" for fault in which)
        self.emulator.faults(*(
            {**fault, "count": 1, "skip": turn if "match" in fault else 0, "match": {**fault.get("match", {}), **match}}
            for turn, fault in enumerate(which)
        ))  # fmt: skip

    # --- notifications ------------------------------------------------------------------------------------------------

    @rule(which=st.integers(0, 9), times=st.integers(1, 3), forged=st.booleans())
    def notify(self, which: int, times: int, forged: bool) -> None:
        """A notification arrives: whichever, whenever, however often."""
        ours = [letter for letter in self.mailbox.letters if letter[0].endswith(self.token)] if not self.over else []
        if not ours:  # those of the order before may still come in
            return
        path, headers, body = ours[which % len(ours)]
        if forged:
            body = body.replace(b'"done"', b'"error"').replace(b'"new"', b'"done"') + b" "
        _, _, provider, token = path.split("/")
        for _ in range(times):
            status = callback_receive(provider=provider, token=token, headers=headers, body=body)
            assert status in ((403,) if forged else (200, 403))

    # --- people -------------------------------------------------------------------------------------------------------

    @rule(what=st.sampled_from(["retry", "retry", "cancel", "form"]))
    def decide(self, what: str) -> None:
        """A person looks at what waits for people. First whatever the register takes back is taken back: a document
        that is printed after it was said to have failed and another was sent is beyond any program.
        """
        if self.over:
            return
        time.sleep(6 * LATE_SECONDS if self.lied else 0)
        if what == "form":
            self._form_anew()
            return
        for receipt in Receipt.objects.filter(status__state__in=[State.FAILED, State.REFUSED], status__wanted=""):
            with contextlib.suppress(Refusal):
                if what == "cancel" or receipt.status.state == State.REFUSED:
                    receipt_cancel(receipt=receipt, actor=self.person, reason="Пробили на другой кассе")
                else:
                    receipt_retry(receipt=receipt, actor=self.person)

    def _form_anew(self) -> None:
        """What was cancelled is still owed."""
        alive = [state for state in State if state is not State.CANCELLED]
        for obligation in Obligation.objects.exclude(receipts__status__state__in=alive):
            choices = Choices(registers_for(obligation)[0].pk, confirmed=True)
            with contextlib.suppress(Refusal):
                receipt_form(obligation_id=obligation.pk, choices=choices, actor=self.person)

    # --- the proof ----------------------------------------------------------------------------------------------------

    @invariant()
    def nothing_says_more_than_is_known(self) -> None:
        if not self.over and hasattr(self, "hands"):
            assert_books_agree(self.emulator, facts=len(self.facts), settled=False, absence=not self.lied)

    def teardown(self) -> None:
        with self.stack:
            if self.over or not hasattr(self, "hands"):
                return
            self.runner.run(self.client.close())
            self.emulator.clear_faults()
            end_leases()
            self.installation.deliver(_settled, seconds=30, meanwhile=self._tend)
            assert_books_agree(self.emulator, facts=len(self.facts))
            type(self).done += 1

    def _tend(self) -> None:
        self.decide("retry")
        self.decide("form")


def _settled() -> bool:
    """every fact has its fiscalized receipt"""
    return not Obligation.objects.exclude(receipts__status__state=State.FISCALIZED).exists()


def _crash(*_arguments: object, **_options: object) -> None:
    raise SystemExit("crashed here")


@pytest.mark.timeout(SECONDS * 3 + 60)
def test_any_order_of_events_ends_with_one_document_for_each_fact(
    template: str, emulator: EmulatorProcess, django_db_blocker: Any, settings: Any
) -> None:
    settings.CHEKHOV_LEASE_SECONDS = LEASE_SECONDS
    settings.CHEKHOV_CONNECT_TIMEOUT_SECONDS = CONNECT_SECONDS
    settings.CHEKHOV_READ_TIMEOUT_SECONDS = READ_SECONDS
    mailbox = Mailbox()
    settings.CHEKHOV_BASE_URL = mailbox.url
    machine = type("Bound", (Delivery,), {
        "template": template, "emulator": emulator, "mailbox": mailbox,
        "until": time.monotonic() + SECONDS, "done": 0, "answered": 0,
    })  # fmt: skip
    phases = [Phase.explicit, Phase.generate] + [Phase.shrink] * ("PROOF_SHRINK" in os.environ)
    try:
        with django_db_blocker.unblock():
            run_state_machine_as_test(
                machine,
                settings=hypothesis_settings(
                    max_examples=EXAMPLES,
                    stateful_step_count=50,
                    deadline=None,
                    database=None,
                    phases=phases,
                    suppress_health_check=list(HealthCheck),
                    print_blob=True,
                ),
            )
    finally:
        mailbox.close()
    assert machine.done >= 1, "at least one whole order was run"
    assert machine.answered >= machine.done, "the provider was spoken to, step by step"
