"""Control, the tape and the command line."""

import dataclasses
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

import chekhov.emulator
from chekhov.emulator import __main__ as face
from chekhov.emulator.config import EmulatorConfig, ShopConfig, Switches
from chekhov.emulator.testing import EmulatorProcess


def test_receipts_show_what_was_posted_and_what_became_of_it(shop, emulator, receipt_v1, receipt_v2):
    shop.post(receipt_v1("1"), "v1")
    shop.post(receipt_v2("2#kkt-error"))
    first, second = emulator.receipts()
    assert first["request"] == receipt_v1("1")
    assert (first["version"], first["shop"], first["queue"], first["intent"]) == ("v1", shop.shop, 777, "sell")
    assert (first["state"], first["fiscal_data"]["s"]) == ("done", "950.00")
    assert (second["state"], second["fiscal_data"]) == ("error", None)
    assert [one["external_id"] for one in emulator.receipts(external_id="1")] == ["1"]
    assert [one["external_id"] for one in emulator.receipts(state="error")] == ["2#kkt-error"]
    assert [one["id"] for one in emulator.receipts(after=first["id"])] == [second["id"]]
    assert emulator.receipts(shop="nobody") == []
    assert len(emulator.call("GET", "receipts?limit=1")) == 1


def test_health_counts(shop, emulator, receipt_v2):
    shop.post(receipt_v2())
    health = emulator.call("GET", "health")
    assert (health["status"], health["tasks"], health["states"]) == ("ok", 1, {"done": 1})
    shop.post(receipt_v2("2#kkt-error"))
    assert emulator.call("GET", "health")["states"] == {"done": 1, "error": 1}


def test_shops_never_show_their_secret(emulator):
    emulator.call("POST", "shops", [{"shop": "x", "secret": "very-secret", "queues": [1]}])
    listed = emulator.call("GET", "shops")
    assert {"shop": "x", "queues": [1], "success_url": "", "failure_url": ""} in listed
    assert "very-secret" not in str(listed)
    assert "very-secret" not in repr(EmulatorConfig(shops=(ShopConfig("x", "very-secret", (1,)),)))


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("shops", {"shop": "x"}),
        ("shops", {"shop": "x", "secret": "", "queues": [1]}),
        ("shops", {"shop": "x", "secret": "y", "queues": ["1"]}),
        ("settings", {"surprise": 1}),
        ("settings", {"strict": 1}),
        ("settings", {"duplicate_scope": "world"}),
        ("settings", {"print_delay_ms": -1}),
        ("clock", {"offset_seconds": "1"}),
        ("clock", {"offset_seconds": 10**12}),
        ("nowhere", {}),
        ("health", {}),
    ],
)
def test_control_refuses_nonsense_and_changes_nothing(emulator, path, body):
    before = emulator.settings(), emulator.call("GET", "clock")["offset_seconds"]
    with pytest.raises(ValueError, match="error"):
        emulator.call("POST", path, body)
    assert (emulator.settings(), emulator.call("GET", "clock")["offset_seconds"]) == before


def test_the_tape_draws_receipts_newest_first(shop, receipt_v2):
    document = receipt_v2("first", client={"email": "buyer@example.ru", "name": "<b>Иванов</b>"})
    document["positions"][0]["name"] = "Ключ <script>alert(1)</script>"
    task = shop.final(shop.post(document).json["id"])
    shop.post(receipt_v2("second#kkt-error"))
    page = shop.call("GET", "/_emulator/")
    assert page.headers["content-type"].startswith("text/html")
    assert page.text.index("second#kkt-error") < page.text.index("Ключ")
    assert "<script>alert" not in page.text
    assert "<b>Иванов" not in page.text
    for text in ("475.00 × 2 шт", "=950.00", "НДС 22%", "=171.31", "ПОЛНЫЙ РАСЧЕТ", "БЕЗНАЛИЧНЫМИ", "Аннулирован"):
        assert text in page.text, text
    for key in ("fn", "i", "fp"):
        assert task["fiscal_data"][key] in page.text
    assert page.text.count("<svg") == 1  # the cancelled one has no QR
    own = shop.call("GET", f"/_emulator/tape?task={task['id']}").text
    assert "Ключ" in own
    assert "second" not in own


def test_the_tape_stands_alone_and_its_policy_forbids_the_rest(shop, receipt_v2):
    shop.post(receipt_v2())
    page = shop.call("GET", "/_emulator/tape")
    assert not re.search(r"""\s(?:src|on\w+|style)\s*=|https?://(?!www\.w3\.org)|@import|url\(""", page.text)
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert policy.count("'sha256-") == 2


def test_an_empty_tape_says_so(shop):
    assert "Лента пуста" in shop.call("GET", "/_emulator/tape").text
    assert "Такого чека нет" in shop.call("GET", "/_emulator/tape?task=5").text


def test_every_kind_of_document_can_be_drawn(shop, receipt_v1, receipt_v2):
    info = {"type": "instruction", "base_date": "01.10.2026", "base_number": "К-11"}
    shop.post(receipt_v2("1", intent="sellCorrection", client=[], correction_info=info, cashier={"name": "Петрова"}))
    shop.post(receipt_v1("2", intent="buy", client={"inn": "5836000001"}, place_address="Пенза", internet=True), "v1")
    marked = receipt_v2("3")
    marked["positions"][0].update(vat="no", mark_code={"gs1m": "0104"}, quantity=0.5, total=250, measure=11)
    marked["payments"][0].update(type="prepayment", sum=250)
    shop.post(marked)
    page = shop.call("GET", "/_emulator/tape").text
    for text in ("КОРРЕКЦИЯ ПРИХОДА", "К-11", "ПО ПРЕДПИСАНИЮ", "РАСХОД", "[М+]", "0.5 кг", "ЗАЧЕТ ПРЕДОПЛАТЫ"):
        assert text in page, text


def test_latency_and_delays_come_from_the_command_line(shop, receipt_v2):
    flags = ("--latency-ms", "150", "--print-delay-ms", "60000", "--switch", "duplicate_task=false", "--strict")
    with EmulatorProcess(*flags, shop=shop.shop, secret=shop.secret) as running:
        other = dataclasses.replace(shop, base_url=running.base_url)
        began = time.monotonic()
        number = other.post(receipt_v2()).json["id"]
        assert time.monotonic() - began >= 0.15
        assert other.task(number).json["state"] == "processing"
        assert "task" not in other.post(receipt_v2()).json
        assert running.settings()["strict"] is True


def test_sigterm_ends_it_in_order():
    with EmulatorProcess() as running:
        assert running.terminate() == 0
        assert running.errors() == ""


@pytest.mark.parametrize(
    "flags",
    [
        [],
        ["--shop", "x", "--queue", "1"],
        ["--shop", "x", "--secret", "y", "--queue", "1", "--switch", "nonsense=1"],
        ["--shop", "x", "--secret", "y", "--queue", "1", "--latency-ms", "-1"],
    ],
)
def test_wrong_flags_are_explained(flags):
    ended = subprocess.run(
        [sys.executable, "-m", "chekhov.emulator", *flags], capture_output=True, text=True, timeout=30
    )
    assert ended.returncode == 2
    assert "usage" in ended.stderr


def test_a_taken_port_is_explained(emulator):
    port = emulator.base_url.rpartition(":")[2]
    with pytest.raises(RuntimeError, match="Эмулятор не запущен"):
        EmulatorProcess(port=int(port))


def test_the_secret_may_come_from_a_file(tmp_path):
    (tmp_path / "secret").write_text("from-file\n")
    options = face.parser().parse_args(["--shop", "x", "--secret-file", str(tmp_path / "secret"), "--queue", "1"])
    assert face.secret_of(options) == "from-file"


def test_the_emulator_imports_nothing_else_of_chekhov():
    folder = Path(chekhov.emulator.__file__).parent
    for file in folder.glob("*.py"):
        for module in re.findall(r"^\s*(?:from|import) (chekhov[\w.]*)", file.read_text("utf-8"), re.MULTILINE):
            assert module.startswith("chekhov.emulator"), f"{file.name} imports {module}"


def test_switches_name_their_defaults():
    with pytest.raises(ValueError, match="unknown_task_status"):
        Switches().changed({"unknown_task_status": 500})
    assert Switches().changed({"callback_intervals_ms": [0, 5]}).callback_intervals_ms == (0, 5)
