"""The soak's hand inside an installation: opens the shop, does what people do, compares the books. JSON lines in, out.

A database that is away is waited for: the clerk does each thing again until it is done.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chekhov.config.settings")
import django

django.setup()

from django.core.management import call_command  # noqa: E402 -- Django first
from django.db import DatabaseError, InterfaceError, connection  # noqa: E402

from chekhov.config.clock import now  # noqa: E402
from chekhov.delivery.models import Attempt, Callback  # noqa: E402
from chekhov.delivery.requests import receipt_cancel, receipt_retry  # noqa: E402
from chekhov.errors import Refusal  # noqa: E402
from chekhov.people.models import User  # noqa: E402
from chekhov.people.services import apikey_create  # noqa: E402
from chekhov.receipts.composing import Choices, receipt_form, registers_for  # noqa: E402
from chekhov.receipts.models import Obligation, Receipt, ReceiptState  # noqa: E402
from chekhov.receipts.states import State  # noqa: E402
from chekhov.registers.models import Account  # noqa: E402
from chekhov.sales.models import Fact  # noqa: E402
from soak.books import compare, compare_facts  # noqa: E402
from tests import factories  # noqa: E402
from tests.faults.truth import hurry_all  # noqa: E402

PATIENCE_SECONDS = 120
AT_ONCE = 100
REGIONS = ("msk", "spb")


def open_shop(cloud_url: str, queues: list[int]) -> dict[str, Any]:
    """Tables, an organization, a region with an active register for each queue, a cashier and an API key.

    «Тестовая касса» may be on loopback only; where machines of their own have to reach it, its account is moved here.
    """
    call_command("migrate", verbosity=0, interactive=False)
    seller = factories.organization()
    for code, queue in zip(REGIONS, queues, strict=True):
        factories.register(factories.region(code, seller), queue=queue, service_url="http://127.0.0.1:1")
    Account.objects.update(service_url=cloud_url)
    factories.user("petrova")
    return {"key": apikey_create(source=factories.source("site"), name="soak")[1]}


def hurry() -> dict[str, Any]:
    """Whatever waits for its time is due now: a soak has no hour for an hour's back-off."""
    hurry_all()
    return {}


def tend(calm_seconds: float, cancel_every: int) -> dict[str, Any]:
    """What people do: errors that have stood for a while are tried again, some are cancelled and formed anew.

    They wait a little first: the emulator takes some errors back, as the provider does, and no program can undo a
    document that is printed after it was said to have failed and another was made.
    """
    person = User.objects.get(username="petrova")
    done = {"retried": 0, "cancelled": 0, "formed": 0, "refused": 0}
    long_failed = {"status__state": State.FAILED, "status__wanted": "", "status__changed_at__lt": _before(calm_seconds)}
    for receipt in Receipt.objects.filter(**long_failed).order_by("id")[:AT_ONCE]:
        cancelled = receipt.pk % cancel_every == 0
        if cancelled:
            _asked(done, "cancelled", lambda: receipt_cancel(receipt=receipt, actor=person, reason="Проба: отмена"))  # noqa: B023
        else:
            _asked(done, "retried", lambda: receipt_retry(receipt=receipt, actor=person))  # noqa: B023
    for receipt in Receipt.objects.filter(status__state=State.REFUSED).order_by("id")[:AT_ONCE]:
        _asked(done, "cancelled", lambda: receipt_cancel(receipt=receipt, actor=person, reason="Проба: отказ"))  # noqa: B023
    dead = Obligation.objects.exclude(receipts__status__state__in=[s for s in State if s is not State.CANCELLED])
    long_dead = dead.exclude(receipts__status__changed_at__gte=_before(calm_seconds))
    for obligation in long_dead.order_by("id")[:AT_ONCE]:
        register = registers_for(obligation)[0]
        choices = Choices(register.pk, confirmed=True)
        _asked(done, "formed", lambda: receipt_form(obligation_id=obligation.pk, choices=choices, actor=person))  # noqa: B023
    return done


def counts() -> dict[str, Any]:
    """How far the delivery is: facts, receipts by state, and obligations without a fiscalized receipt."""
    states: dict[str, int] = {}
    for state in ReceiptState.objects.values_list("state", flat=True):
        states[state] = states.get(state, 0) + 1
    open_ones = Obligation.objects.exclude(receipts__status__state=State.FISCALIZED).count()
    return {"facts": Fact.objects.count(), "states": states, "open": open_ones}


def books(tasks: str, sent: str) -> dict[str, Any]:
    """The final comparison; `tasks` and `sent` are files of JSON."""
    found = compare(orjson.loads(Path(tasks).read_bytes()))
    compare_facts(found, [tuple(item) for item in orjson.loads(Path(sent).read_bytes())])
    return {
        "facts": found.facts,
        "documents": found.documents,
        "lost": found.lost,
        "doubled": found.doubled,
        "false_states": found.false_states,
        "attempts": Attempt.objects.count(),
        "callbacks": Callback.objects.count(),
        "workers_seen": Attempt.objects.values("owner").distinct().count(),
    }


def _before(seconds: float) -> Any:
    return now() - timedelta(seconds=seconds)


def _asked(done: dict[str, int], what: str, ask: Callable[[], Any]) -> None:
    """One wish of a person. A refusal is lawful: the receipt has moved since the page was drawn."""
    try:
        ask()
        done[what] += 1
    except Refusal:
        done["refused"] += 1


COMMANDS: dict[str, Callable[..., dict[str, Any]]] = {
    item.__name__: item for item in (open_shop, hurry, tend, counts, books)
}


def main() -> None:
    """Answer until standard input ends."""
    for line in sys.stdin:
        request = orjson.loads(line)
        command = COMMANDS[request.pop("do")]
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                answer = command(**request)
                break
            except (DatabaseError, InterfaceError):
                connection.close()
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.3)
        sys.stdout.write(orjson.dumps(answer).decode() + "\n")
        sys.stdout.flush()
    connection.close()


if __name__ == "__main__":
    main()
