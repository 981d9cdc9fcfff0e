"""`chekhov up --demo` and `chekhov demo`: a whole installation on loopback, shown at work through its own API."""

from __future__ import annotations

import json
import secrets
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.core.management import call_command

from chekhov.config import clock
from chekhov.demo import seed
from chekhov.demo.cloud import DemoCloud, _open, wait_for
from chekhov.people.models import ApiKey
from chekhov.people.services import apikey_create, apikey_revoke, source_get
from chekhov.supervision import Supervisor, are_free, chekhov_command, free_port, own_address, web_command

WAIT_SECONDS = 60.0
KEY_NAME = "Демонстрация"


class DemoFailed(Exception):
    """The demonstration did not end with fiscalized receipts; the text says where it stopped."""


class DemoRun:
    """An installation with demo data and the emulator."""

    def __init__(
        self, supervisor: Supervisor, host: str, port: int, emulator_port: int, environment: Mapping[str, str]
    ) -> None:
        self._supervisor, self._host, self._port = supervisor, host, port
        self._emulator_port = emulator_port
        self._url = f"http://{host}:{port}"
        emulator_url = f"http://{host}:{emulator_port}"
        self._environment = {**environment, "CHEKHOV_EMULATOR_URL": emulator_url}
        # This process lays the demo data and runs a worker for it: its settings are those of its children.
        settings.CHEKHOV_EMULATOR_URL = emulator_url
        if "CHEKHOV_BASE_URL" in environment:
            settings.CHEKHOV_BASE_URL = environment["CHEKHOV_BASE_URL"]
        self._cloud = DemoCloud.at(emulator_url, settings.CHEKHOV_DATA_DIR)

    def start(self) -> None:
        """Start everything and wait until it answers."""
        offset = round(clock.offset().total_seconds())
        self._cloud.start(self._supervisor, self._host, self._emulator_port, clock_offset_seconds=offset)
        seed.seed(self._cloud)
        self._supervisor.add("web", web_command(self._host, self._port), self._environment)
        self._supervisor.add("worker", chekhov_command("worker"), self._environment)
        self._supervisor.add("watch", chekhov_command("watch"), self._environment)
        wait_for(f"{self._url}/readyz", "сервер")

    def stay(self) -> int:
        """Show one receipt and go on until SIGTERM."""
        print("Chekhov: готовлю магазин для пробы…", flush=True)
        try:
            self.start()
            receipts = self.show(with_topup=False)
        except (DemoFailed, TimeoutError) as error:
            self._supervisor.end()
            print(f"chekhov: {error}", file=sys.stderr)
            return 1
        print(f"\n  Панель:        {self._url}/admin/")
        print(f"  Вход:          {seed.LOGIN} / {seed.password(settings.CHEKHOV_DATA_DIR)}")
        print(f"  Лента кассы:   {self._cloud.url}/_emulator/")
        print(f"  API:           {self._url}/api/v1/docs")
        print("\nПервый чек:\n")
        for receipt in receipts:
            print(_paper(receipt), flush=True)
        self._supervisor.run()
        return 0

    def show(self, *, with_topup: bool) -> list[dict[str, Any]]:
        """Pay an invoice, and top up a balance, through the API; the receipts as the API tells them when fiscalized.

        Raises DemoFailed.
        """
        for old in ApiKey.objects.filter(name=KEY_NAME, revoked_at__isnull=True):
            apikey_revoke(key=old)
        _, key = apikey_create(source=source_get("demo", name="Демонстрация"), name=KEY_NAME)
        mark = secrets.token_hex(4)
        self._call(
            key, "PUT", "customers/demo", {"name": "Чехонте Антоша", "email": "antosha@example.ru", "region": "msk"}
        )
        self._call(
            key,
            "PUT",
            f"invoices/{mark}",
            {
                "customer": "demo",
                "number": f"ДЕМО-{mark}",
                "lines": [
                    {"name": "Свеча зажигания NGK BKR6E-11", "price": "385.50", "quantity": "4"},
                    {"name": "Доставка курьером", "price": "350.00", "quantity": "1", "object": "service"},
                ],
            },
        )
        paid_at = clock.now().isoformat()
        money = {"means": "card", "channel": "online", "paid_at": paid_at}
        paths = [f"invoices/{mark}/payments/1"]
        self._call(key, "PUT", paths[0], {"amount": "1892.00", **money})
        if with_topup:
            paths.append(f"customers/demo/topups/{mark}")
            self._call(key, "PUT", paths[1], {"amount": "10000.00", **money, "means": "sbp"})
        return [self._fiscalized(key, path) for path in paths]

    def _fiscalized(self, key: str, path: str) -> dict[str, Any]:
        deadline = time.monotonic() + WAIT_SECONDS
        while True:
            fact = self._call(key, "GET", path)
            if fact["missing"]:
                raise DemoFailed(f"чека нет: {fact['missing']['detail']}")
            receipt: dict[str, Any] = self._call(key, "GET", f"receipts/{fact['receipts'][0]['id']}")
            if receipt["state"] == "fiscalized":
                return receipt
            if receipt["state"] in {"failed", "refused", "cancelled"} or time.monotonic() > deadline:
                raise DemoFailed(f"чек {receipt['id']} в состоянии {receipt['state']}: {receipt['error']}")
            time.sleep(0.2)

    def _call(self, key: str, method: str, path: str, body: Any = None) -> Any:
        request = urllib.request.Request(  # noqa: S310 -- our own address
            f"{self._url}/api/v1/{path}",
            data=None if body is None else json.dumps(body).encode(),
            method=method,
            headers={"Authorization": f"Bearer {key}", "Content-Type": "application/json"},
        )
        try:
            with _open(request, timeout=30) as answer:
                return json.loads(answer.read())
        except urllib.error.HTTPError as error:
            with error:
                raise DemoFailed(f"{method} {path}: {error.code} {error.read().decode()[:500]}") from error


def up_demo(*, host: str, port: int, emulator_port: int) -> int:
    """`chekhov up --demo`: stay until SIGTERM, with demo data and the emulator as «Тестовая касса»."""
    if not are_free(host, port, emulator_port):
        return 1
    call_command("migrate", verbosity=0, interactive=False)
    return DemoRun(Supervisor(), host, port, emulator_port, own_address(host, port)).stay()


def demo(*, port: int, emulator_port: int) -> int:
    """Record a paid invoice and a top-up, wait for both receipts, print them; 0 when both are fiscalized."""
    call_command("migrate", verbosity=0, interactive=False)
    port, emulator_port = port or free_port(), emulator_port or free_port()
    supervisor = Supervisor()
    try:
        run = DemoRun(supervisor, "127.0.0.1", port, emulator_port, own_address("127.0.0.1", port))
        run.start()
        for receipt in run.show(with_topup=True):
            print(_paper(receipt), flush=True)
    except (DemoFailed, TimeoutError) as error:
        print(f"chekhov demo: {error}", file=sys.stderr)
        return 1
    finally:
        supervisor.end()
    return 0


def _paper(receipt: Mapping[str, Any]) -> str:
    """A receipt for a terminal."""
    document, fiscal = receipt["document"], receipt["fiscal"]
    width = 64
    rows = ["─" * width, f"{document['sign']['label'].upper():^{width}}", ""]
    for line in document["lines"]:
        rows.append(line["name"])
        price = f"{line['quantity']} × {line['price']} = {line['sum']}"
        rows.append(f"{line['method']['label']}, НДС {line['vat']['label']}".ljust(width - len(price)) + price)
    rows += ["", "ИТОГ".ljust(width - len(receipt["total"])) + receipt["total"]]
    rows += [f"ФН {fiscal['fn']}   ФД {fiscal['fd']}   ФП {fiscal['fp']}", fiscal["qr"], "─" * width]
    return "\n".join(rows)
