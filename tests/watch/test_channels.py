"""Each way out: what arrives, and every way to fail in plain words, within bounded time."""

from __future__ import annotations

import hmac
import re
import ssl
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from chekhov.supervision import free_port
from chekhov.watch.channels import SendFailed, Target, mail, send
from chekhov.watch.messages import LONGEST_TEXT, Message, compose
from chekhov.watch.models import Notice
from tests.watch.conftest import SIGNING, TOKEN
from tests.watch.servers import Inbox, Mail


def message(text: str = "Касса не пробивает чеки.") -> Message:
    return Message(uuid4(), "Чехов: неполадка", text, b'{"events": []}')


def failure(target: Target, what: Message | None = None) -> SendFailed:
    with pytest.raises(SendFailed) as caught:
        send(target, what or message())
    assert caught.value.text.endswith(".") or "Ответ:" in caught.value.text
    return caught.value


# --- letters ----------------------------------------------------------------------------------------------------------

LETTER = Target("email", "admin@shop.example, owner@shop.example")


def test_a_letter_arrives_whole(mail: Mail) -> None:
    assert send(LETTER, message("Первая строка.\n.точка в начале\nКонец")) == ""

    (letter,) = mail.letters
    assert letter["Subject"] == "Чехов: неполадка"
    assert letter["From"] == "kassa@shop.example"
    assert letter["Auto-Submitted"] == "auto-generated"
    assert letter.get_content().replace("\r\n", "\n") == "Первая строка.\n.точка в начале\nКонец"
    assert mail.recipients == [["admin@shop.example", "owner@shop.example"]]


@pytest.mark.parametrize("length", [1, 20, 38, 39, 40, 60, 150])
def test_a_subject_of_any_length_arrives_as_it_is(mail: Mail, length: int) -> None:
    subject = ("Касса не пробивает чеки " * 10)[:length].strip()
    send(LETTER, Message(uuid4(), subject, "Текст", b"{}"))
    assert mail.letters[0]["Subject"] == subject


def test_a_login_is_used(mail: Mail, settings: Any) -> None:
    mail.login = ("kassa", "пароль")
    settings.CHEKHOV_SMTP_USER, settings.CHEKHOV_SMTP_PASSWORD = "kassa", "пароль"
    # smtplib sends AUTH in ASCII only: a password of other letters is a failure in words, not a crash
    assert failure(LETTER).code == "smtp_login"
    mail.login = ("kassa", "password")
    settings.CHEKHOV_SMTP_PASSWORD = "password"
    assert send(LETTER, message()) == ""


def test_a_wrong_password_is_said_without_the_password(mail: Mail, settings: Any) -> None:
    mail.login = ("kassa", "right")
    settings.CHEKHOV_SMTP_USER, settings.CHEKHOV_SMTP_PASSWORD = "kassa", "wrong-secret"

    found = failure(LETTER)

    assert found.code == "smtp_login"
    assert "не принял имя или пароль" in found.text
    assert "wrong-secret" not in found.text


def test_a_server_that_cannot_protect_the_connection_gets_nothing(mail: Mail, settings: Any) -> None:
    settings.CHEKHOV_SMTP_SECURITY = "starttls"
    assert failure(LETTER).code == "smtp_unable"
    settings.CHEKHOV_SMTP_SECURITY = "tls"
    assert failure(LETTER).code == "smtp_tls"
    assert not mail.letters


@pytest.fixture
def certificate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """A certificate for `localhost`, trusted in this test and nowhere else."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path / "both.pem"
    plain = serialization.NoEncryption()
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    file.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    return context


@pytest.mark.parametrize("security", ["tls", "starttls"])
def test_a_protected_connection_is_verified(
    mail: Mail, settings: Any, certificate: ssl.SSLContext, security: str
) -> None:
    mail.tls, mail.is_tls, mail.login = certificate, security == "tls", ("kassa", "password")
    settings.CHEKHOV_SMTP_SECURITY = security
    settings.CHEKHOV_SMTP_USER, settings.CHEKHOV_SMTP_PASSWORD = "kassa", "password"
    settings.CHEKHOV_SMTP_HOST = "127.0.0.1"  # the certificate is another name's
    assert failure(LETTER).code == "smtp_tls"

    settings.CHEKHOV_SMTP_HOST = "localhost"
    assert send(LETTER, message()) == ""

    assert len(mail.letters) == 1


def test_a_letter_that_is_not_taken_is_said(mail: Mail) -> None:
    mail.refuse_data = True
    assert failure(LETTER).code == "smtp_refused"
    mail.refuse_data = False
    mail.refuse_address = "admin@shop.example"
    assert failure(Target("email", "admin@shop.example")).code == "smtp_recipients"
    assert "1 из 2" in send(LETTER, message())
    assert mail.recipients == [["owner@shop.example"]]


def test_no_mail_server_is_said(settings: Any) -> None:
    settings.CHEKHOV_SMTP_HOST = ""
    assert failure(LETTER).code == "smtp_unset"
    settings.CHEKHOV_SMTP_HOST, settings.CHEKHOV_SMTP_PORT = "127.0.0.1", free_port()
    assert failure(LETTER).code == "smtp_unreachable"


@pytest.mark.parametrize("switch", ["silent", "drip"])
def test_a_slow_mail_server_costs_bounded_time(mail: Mail, monkeypatch: pytest.MonkeyPatch, switch: str) -> None:
    from chekhov.watch.channels import mail as module

    monkeypatch.setattr(module, "STEP_SECONDS", 0.5)
    monkeypatch.setattr(module, "TOTAL_SECONDS", 1.0)
    setattr(mail, switch, True)
    began = time.monotonic()

    assert failure(LETTER).code in {"smtp_silent", "smtp_unreachable", "smtp_refused"}

    assert time.monotonic() - began < 5


def test_our_name_is_the_base_urls(settings: Any) -> None:
    settings.CHEKHOV_BASE_URL = "https://kassa.shop.example"
    assert mail._own_name() == "kassa.shop.example"
    settings.CHEKHOV_BASE_URL = "http://127.0.0.1:8000"
    assert mail._own_name() == "[127.0.0.1]"


# --- Telegram ---------------------------------------------------------------------------------------------------------

CHAT = Target("telegram", "-100200300", TOKEN)


def test_a_telegram_message_arrives(telegram: Inbox) -> None:
    send(CHAT, message())

    assert telegram.paths == [f"/bot{TOKEN}/sendMessage"]
    assert telegram.json[0]["chat_id"] == "-100200300"
    assert telegram.json[0]["text"] == "Касса не пробивает чеки."


def test_a_long_telegram_message_is_cut(telegram: Inbox) -> None:
    send(CHAT, message("ж" * 9000))

    assert len(telegram.json[0]["text"]) == 4000
    assert telegram.json[0]["text"].endswith("…")


@pytest.mark.parametrize(
    ("status", "answer", "code"),
    [
        (401, {"ok": False, "error_code": 401, "description": "Unauthorized"}, "bad_token"),
        (404, {"ok": False, "error_code": 404, "description": f"Not Found {TOKEN}"}, "bad_token"),
        (400, {"ok": False, "error_code": 400, "description": "Bad Request: chat not found"}, "bad_chat"),
        (403, {"ok": False, "error_code": 403, "description": "Forbidden: bot was blocked by the user"}, "bot_blocked"),
        (500, {"ok": False, "error_code": 500, "description": "Internal"}, "failing"),
        (200, b"<html>hello</html>", "not_telegram"),
        (200, {"ok": False}, "failing"),
        (200, [], "not_telegram"),
        (502, b"", "not_telegram"),
    ],
)
def test_what_telegram_refuses_is_said_without_the_token(telegram: Inbox, status: int, answer: Any, code: str) -> None:
    telegram.status, telegram.answer = status, answer

    found = failure(CHAT)

    assert found.code == code
    assert TOKEN not in found.text


def test_telegram_may_ask_to_wait(telegram: Inbox) -> None:
    telegram.status = 429
    telegram.answer = {"ok": False, "error_code": 429, "parameters": {"retry_after": 77}}
    assert failure(CHAT).retry_after_seconds == 77
    telegram.answer = {"ok": False, "parameters": {"retry_after": 10**9}}
    assert failure(CHAT).retry_after_seconds == 3600
    telegram.answer = {"ok": False, "parameters": "soon"}
    assert failure(CHAT).retry_after_seconds == 30


def test_telegram_out_of_reach_is_said(settings: Any) -> None:
    settings.CHEKHOV_TELEGRAM_URL = f"http://127.0.0.1:{free_port()}"
    assert failure(CHAT).code == "unreachable"


# --- webhook ----------------------------------------------------------------------------------------------------------


def test_a_webhook_is_signed_as_the_guide_says(webhook: Inbox) -> None:
    sent = message()
    send(Target("webhook", f"{webhook.url}/alerts?x=1", SIGNING), sent)

    headers, body = webhook.headers[0], webhook.bodies[0]
    expected = hmac.new(SIGNING.encode(), headers["x-chekhov-timestamp"].encode() + b"." + body, "sha256").hexdigest()
    assert headers["x-chekhov-signature"] == f"sha256={expected}"
    assert abs(int(headers["x-chekhov-timestamp"]) - time.time()) < 60
    assert headers["x-chekhov-message"] == str(sent.id)
    assert headers["content-type"] == "application/json; charset=utf-8"
    assert webhook.paths == ["/alerts?x=1"]


def test_the_guides_example_knows_our_signature(webhook: Inbox) -> None:
    guide = (Path(__file__).resolve().parents[2] / "docs/operations.md").read_text("utf-8")
    (example,) = re.findall(r"```python\n(.*?)```", guide, re.DOTALL)
    names: dict[str, Any] = {}
    exec(example, names)
    send(Target("webhook", webhook.url, SIGNING), message())
    headers, body = webhook.headers[0], webhook.bodies[0]
    given = (headers["x-chekhov-timestamp"], headers["x-chekhov-signature"])
    assert names["is_chekhovs"](SIGNING, *given, body)
    assert not names["is_chekhovs"](SIGNING, *given, body + b" ")
    assert not names["is_chekhovs"]("another secret", *given, body)
    assert not names["is_chekhovs"](SIGNING, str(int(given[0]) + 1), given[1], body)


@pytest.mark.parametrize(
    ("status", "code"), [(301, "redirect"), (401, "refused"), (404, "not_found"), (500, "failing"), (422, "failing")]
)
def test_what_a_webhook_refuses_is_said(webhook: Inbox, status: int, code: str) -> None:
    webhook.status = status
    webhook.answer_headers = {"Location": f"{webhook.url}/elsewhere"}

    assert failure(Target("webhook", webhook.url, SIGNING)).code == code
    assert len(webhook.paths) == 1  # a redirect is not followed


def test_a_silent_webhook_costs_bounded_time(webhook: Inbox, monkeypatch: pytest.MonkeyPatch) -> None:
    import threading

    from chekhov.watch.channels import http

    monkeypatch.setattr(http, "TOTAL_SECONDS", 0.5)
    webhook.hold = threading.Event()
    try:
        assert failure(Target("webhook", webhook.url, SIGNING)).code == "no_answer"
    finally:
        webhook.hold.set()


# --- words ------------------------------------------------------------------------------------------------------------


def test_many_notices_are_one_message() -> None:
    notices = [
        Notice(pk=number, kind="opened", rule="receipt_old", text=f"Касса {number}.", is_urgent=number == 29, at_ms=0)
        for number in range(1, 31)
    ]

    made = compose(uuid4(), notices, time_zone=2, now_ms=0)

    assert made.subject == "Чехов: неполадок 30"
    assert made.text.startswith("НЕПОЛАДКА · Чек долго не пробит\nКасса 29.")  # the urgent one goes first
    assert "И ещё 10" in made.text
    assert made.body.count(b'"kind": "opened"') == 30
    assert len(made.text) < LONGEST_TEXT
