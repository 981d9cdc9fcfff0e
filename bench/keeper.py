"""The bench's hand inside an installation: lays a shop, queues receipts, counts. JSON lines in, JSON lines out.

Everything goes through the ordinary services, except where thousands of equal invoices are cloned from one.
"""

from __future__ import annotations

import itertools
import os
import secrets
import sys
import time
import uuid
from collections.abc import Callable
from datetime import date
from typing import Any

import orjson

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chekhov.config.settings")
import django

django.setup()

from django.conf import settings  # noqa: E402 -- Django first
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY  # noqa: E402
from django.contrib.sessions.backends.db import SessionStore  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.db import connection  # noqa: E402

from chekhov.config.clock import now  # noqa: E402
from chekhov.config.database import as_uuid, clock_ms, execute, fetch, is_postgresql, writing  # noqa: E402
from chekhov.delivery.lanes import lanes_ensure  # noqa: E402
from chekhov.directory.models import (  # noqa: E402
    Organization,
    OrganizationTaxSystem,
    OrganizationVatMode,
    Place,
    Region,
)
from chekhov.fiscal.money import Money  # noqa: E402
from chekhov.fiscal.vocabulary import Channel, Means, RegisterVatRate, TaxSystem  # noqa: E402
from chekhov.people.models import User  # noqa: E402
from chekhov.people.services import apikey_create, source_get  # noqa: E402
from chekhov.receipts.contents import PaymentContent  # noqa: E402
from chekhov.receipts.recording import facts_record  # noqa: E402
from chekhov.registers.services import RegisterContent, register_save  # noqa: E402
from chekhov.sales.content import CustomerContent, InvoiceContent, LineContent  # noqa: E402
from chekhov.sales.models import Customer, Invoice  # noqa: E402
from chekhov.sales.services import customer_put, invoice_put  # noqa: E402

CUSTOMERS = 100
CHUNK = 500
FAR_MS = 86_400_000
AGAIN = 10_000_001  # the first invoice made in a copy of an older installation
_numbers = [itertools.count(1)]
_ANY = "SELECT 1 FROM receipts_receiptstate WHERE"
_NEWEST = "ORDER BY receipt_id DESC LIMIT 1"  # these are done last: looking must not cost the machine anything


def shop(service_url: str) -> dict[str, Any]:
    """Tables, an organization, a region, a register on the instant provider, customers and an API key."""
    call_command("migrate", verbosity=0, interactive=False)
    seller = Organization.objects.create(
        code="parts", name="ООО «Автодеталь»", inn="7707083893", site_host="parts.example.ru"
    )
    OrganizationTaxSystem.objects.create(
        organization=seller, tax_system=TaxSystem.OSN.value, valid_from=date(2019, 1, 1)
    )
    OrganizationVatMode.objects.create(organization=seller, vat_mode="general", valid_from=date(2019, 1, 1))
    place = Place.objects.create(organization=seller, name="Магазин", address="г. Москва, Варшавское ш., д. 132")
    region = Region.objects.create(code="msk", name="Москва", organization=seller, place=place)
    register_save(
        content=RegisterContent(
            provider="test",
            region_id=region.pk,
            name="Касса",
            shop_id="bench",
            secret="bench",
            queue=1,
            service_url=service_url,
            tax_system=TaxSystem.OSN,
            vat_rate=RegisterVatRate.R22,
            place_id=place.pk,
        ),
        actor=None,
    )
    lanes_ensure()
    source = source_get("bench")
    for number in range(CUSTOMERS):
        customer_put(
            source=source,
            external_id=f"C-{number}",
            content=CustomerContent(name="Иван Петров", email=f"buyer{number}@example.ru", region="msk"),
        )
    return {"key": apikey_create(source=source, name="bench")[1]}


def invoices(count: int) -> dict[str, Any]:
    """So many invoices that wait to be paid: A-{first} and on."""
    first = next(_numbers[0])
    source = source_get("bench")
    lines = (
        LineContent(name="Свеча зажигания NGK BKR6E-11", price="385.50", quantity="4"),
        LineContent(name="Фильтр масляный MANN W 712/95", price="1190.00", quantity="1"),
        LineContent(name="Доставка курьером", price="350.00", quantity="1", object="service"),
    )
    one = invoice_put(source=source, external_id=f"A-{first}", content=InvoiceContent(customer="C-0", lines=lines))[0]
    buyers = list(Customer.objects.filter(source=source))
    fields = {
        field.attname: getattr(one, field.attname)
        for field in Invoice._meta.concrete_fields
        if field.attname not in {"id", "uuid", "external_id", "number", "search_number", "customer_id"}
    }
    for start in range(1, count, CHUNK):
        clones = []
        for _ in range(min(CHUNK, count - start)):
            name = f"A-{next(_numbers[0])}"
            buyer = buyers[len(clones) % len(buyers)]
            clones.append(
                Invoice(
                    uuid=uuid.uuid4(), external_id=name, number=name, search_number=name, customer_id=buyer.pk, **fields
                )
            )
        with writing():
            Invoice.objects.bulk_create(clones)
    _analyze()
    return {"first": first, "count": count, "amount": str(Money(one.total_kopecks)), "paid_at": now().isoformat()}


def queue(count: int) -> dict[str, Any]:
    """So many receipts that wait to be sent, recorded by the ordinary service."""
    made = invoices(count)
    source = source_get("bench")
    amount, paid_at = Money.parse(made["amount"]), now()
    for start in range(0, count, CHUNK):
        numbers = range(made["first"] + start, made["first"] + min(start + CHUNK, count))
        facts_record(
            source=source,
            contents=[
                PaymentContent(f"A-{number}", f"P-{number}", amount, Means.CARD, Channel.ONLINE, paid_at)
                for number in numbers
            ],
            actor="bench",
        )
    _analyze()
    return {"count": count}


def bare(count: int) -> dict[str, Any]:
    """So many paid invoices of a region that has no register: they wait in «Оплачено без чека»."""
    source = source_get("bench")
    region = Region.objects.filter(code="ekb").first()
    if region is None:
        msk = Region.objects.get(code="msk")
        region = Region.objects.create(code="ekb", name="Екатеринбург", organization=msk.organization, place=msk.place)
    customer_put(
        source=source,
        external_id="C-ekb",
        content=CustomerContent(name="Пётр Уральский", email="ural@example.ru", region=region.code),
    )
    line = LineContent(name="Колодки тормозные TRW GDB1044", price="2750.00", quantity="1")
    paid_at = now()
    for _ in range(count):
        name = f"B-{next(_numbers[0])}"
        invoice_put(source=source, external_id=name, content=InvoiceContent(customer="C-ekb", lines=(line,)))
        content = PaymentContent(name, f"P-{name}", Money.parse("2750.00"), Means.CARD, Channel.ONLINE, paid_at)
        facts_record(source=source, contents=[content], actor="bench")
    return {"count": count}


def reopen(service_url: str) -> dict[str, Any]:
    """A copy of an older installation: its register now speaks to this provider; a new API key."""
    with writing():
        execute("UPDATE registers_account SET service_url = %s", [service_url])
        execute("UPDATE receipts_receiptstate SET due_ms = NULL WHERE due_ms IS NOT NULL")
    lanes_ensure()
    _numbers[0] = itertools.count(AGAIN)
    return {"key": apikey_create(source=source_get("bench"), name="bench again")[1]}


def session() -> dict[str, Any]:
    """A person who has logged in to the panel: the session's cookie."""
    user = User.objects.filter(username="bench").first()
    if user is None:
        user = User.objects.create_superuser(username="bench", password=secrets.token_urlsafe(16))
    store = SessionStore()
    store[SESSION_KEY] = str(user.pk)
    store[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
    store[HASH_SESSION_KEY] = user.get_session_auth_hash()
    store.create()
    return {"cookie": f"{settings.SESSION_COOKIE_NAME}={store.session_key}"}


def samples(count: int) -> dict[str, Any]:
    """What people look for: of receipts spread over all, the contact, invoice's number, document's number and uuid."""
    low, high = fetch("SELECT min(id), max(id) FROM receipts_receipt")[0]
    found = []
    for place in range(count):
        row = fetch(
            "SELECT r.id, r.uuid, r.contact, i.number, f.fd FROM receipts_receipt r "
            "JOIN sales_invoice i ON i.id = r.invoice_id JOIN receipts_fiscalrecord f ON f.receipt_id = r.id "
            "WHERE r.id >= %s ORDER BY r.id LIMIT 1",
            [low + (high - low) * place // count],
        )
        found += [(row[0][0], str(as_uuid(row[0][1])), *row[0][2:])] if row else []
    return {"samples": found, "count": high - low + 1}


def settled(timeout: float) -> dict[str, Any]:
    """Wait until the fate of every receipt is known, and say when that was."""
    until = time.monotonic() + timeout
    while time.monotonic() < until:
        if not fetch(f"{_ANY} due_ms IS NOT NULL {_NEWEST}") and not fetch(f"{_ANY} state = 'sending' {_NEWEST}"):
            return {"at": time.monotonic()}
        time.sleep(0.02)
    return {"at": None}


def counts() -> dict[str, Any]:
    """Facts, and receipts by their state."""
    states = {row[0]: row[1] for row in fetch("SELECT state, COUNT(*) FROM receipts_receiptstate GROUP BY state")}
    return {"facts": fetch("SELECT COUNT(*) FROM sales_fact")[0][0], "states": states}


def pause() -> dict[str, Any]:
    """No claims from now on."""
    execute(f"UPDATE delivery_lane SET paused_until_ms = {clock_ms()} + %s", [FAR_MS])
    return {}


def resume() -> dict[str, Any]:
    """Let the workers claim, and say when that was."""
    at = time.monotonic()
    execute("UPDATE delivery_lane SET paused_until_ms = 0")
    return {"at": at}


def beating() -> dict[str, Any]:
    """How many workers live."""
    return {"workers": fetch(f"SELECT COUNT(*) FROM delivery_workerbeat WHERE seen_ms > {clock_ms()} - 3000")[0][0]}


def retire() -> dict[str, Any]:
    """Forget the beats of workers that were stopped, and ask no more about what is accepted."""
    with writing():
        execute("DELETE FROM delivery_workerbeat")
        execute("UPDATE receipts_receiptstate SET due_ms = NULL WHERE state = 'accepted'")
    _analyze()
    return {}


def drained(timeout: float, every: float = 0.01) -> dict[str, Any]:
    """Wait until nothing is queued or on its way, and say when that was."""
    until = time.monotonic() + timeout
    while time.monotonic() < until:
        if not fetch(f"{_ANY} state IN ('queued', 'sending') {_NEWEST}"):
            return {"at": time.monotonic()}
        time.sleep(every)
    return {"at": None}


def size() -> dict[str, Any]:
    """Bytes that one accepted payment writes, about: what the floor's one row must weigh."""
    execute("CREATE TABLE IF NOT EXISTS bench_floor (id integer PRIMARY KEY, payload text NOT NULL)")
    execute("CREATE TABLE IF NOT EXISTS bench_job (id integer PRIMARY KEY, state text NOT NULL, body text NOT NULL)")
    execute("CREATE INDEX IF NOT EXISTS bench_job_state ON bench_job (state, id)")
    text = "CAST(o.policy AS text)", "CAST(o.routing AS text)", "r.document"
    row = fetch(
        f"SELECT {' + '.join(f'length({item})' for item in text)} FROM receipts_receipt r "
        "JOIN receipts_obligation o ON o.id = r.obligation_id ORDER BY r.id DESC LIMIT 1"
    )[0]
    body = fetch("SELECT length(body) FROM delivery_attempt ORDER BY id DESC LIMIT 1")
    return {"row": int(row[0]) + 700, "body": int(body[0][0]) if body else 900}


def _analyze() -> None:
    """What autovacuum does meanwhile, wherever it is on."""
    if is_postgresql():
        execute("VACUUM (ANALYZE)")


COMMANDS: dict[str, Callable[..., dict[str, Any]]] = {
    item.__name__: item
    for item in (
        shop, reopen, session, samples, invoices, queue, bare, counts, pause, resume, beating, retire, drained, settled,
        size,
    )
}  # fmt: skip


def main() -> None:
    """Answer until standard input ends."""
    for line in sys.stdin:
        request = orjson.loads(line)
        answer = COMMANDS[request.pop("do")](**request)
        sys.stdout.write(orjson.dumps(answer).decode() + "\n")
        sys.stdout.flush()
    connection.close()


if __name__ == "__main__":
    main()
