"""`chekhov check` says on a terminal what the panel's «Проверка готовности» says."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from chekhov.cli import main
from chekhov.config import immutability
from chekhov.config.database import read_clock_ms
from chekhov.delivery.models import WorkerBeat
from chekhov.registers.models import Register
from chekhov.watch import health, readiness
from chekhov.watch.models import Channel, Turn
from tests import factories
from tests.watch.conftest import mail_channel

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _looked_at_anew() -> None:
    health.forget()


def alive() -> None:
    from django.utils import timezone

    WorkerBeat.objects.create(name="w", started_at=timezone.now(), seen_ms=read_clock_ms())
    Turn.objects.create(name="evaluate", owner="w", until_ms=0, done_ms=read_clock_ms())


def test_the_terminal_says_what_the_panel_says(register: Register, capsys: Any, client: Client) -> None:
    user = factories.user()
    user.is_staff = True
    user.save()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    assert main(["check"]) == 1  # no worker
    printed = capsys.readouterr().out
    page = client.get("/admin/readiness/")
    checks = page.context["checks"]
    assert len(checks) > 5
    for check in checks:
        mark = {"ok": "  ok", "warn": "warn", "bad": " BAD"}[check.level.value]
        assert f"[{mark}] {check.title}: {check.text}\n" in printed
        if check.level.value != "ok":
            assert f"       → {check.next_step}\n" in printed
    assert printed.count("[") == len(checks)


def test_it_ends_well_when_nothing_is_bad(register: Register, capsys: Any) -> None:
    alive()
    assert main(["check"]) == 0
    assert "BAD" not in capsys.readouterr().out


def test_lost_triggers_are_bad(register: Register, capsys: Any) -> None:
    alive()
    immutability.remove()
    try:
        assert main(["check"]) == 1
    finally:
        immutability.reinstall()
    assert "[ BAD] Защита записей в базе" in capsys.readouterr().out


def test_a_database_that_is_not_migrated_is_said_and_no_traceback(capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readiness, "readiness", lambda: health.Readiness(("migrations_unapplied",)))
    assert main(["check"]) == 1
    out = capsys.readouterr().out
    assert out == "[ BAD] База данных: Таблицы базы старее программы.\n       → Выполните «chekhov migrate».\n"


def test_channels_are_part_of_it(register: Register) -> None:
    def found(code: str) -> list[readiness.Check]:
        return [check for check in readiness.checks() if check.code == code]

    assert found("alerts")[0].level is readiness.Level.OK  # only «Тестовая касса»: nobody has to be told
    Register.objects.get().account.__class__.objects.update(provider="komtet")
    assert found("alerts")[0].level is readiness.Level.WARN
    mail_channel()
    assert found("watch")[0].level is readiness.Level.BAD
    alive()
    assert not found("watch")
    assert found("alerts")[0].text == "О неполадках сообщаем: Почта."
    Channel.objects.update(failures=1, error_text="Почтовый сервер не принял имя или пароль.")
    assert "не принял имя" in found("alert_channel")[0].text


def test_a_channels_secret_that_cannot_be_read_is_bad(register: Register) -> None:
    mail_channel()
    Channel.objects.update(secret_encrypted="gAAAAA")
    assert [check.level for check in readiness.checks() if check.code == "secrets"] == [readiness.Level.BAD]
