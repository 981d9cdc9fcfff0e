"""E-mail through the shop's own mail server (CHEKHOV_SMTP_*). Every step is bounded, and so is the whole."""

from __future__ import annotations

import contextlib
import smtplib
import socket
import ssl
import threading
from collections.abc import Iterator
from email.header import Header
from email.mime.text import MIMEText
from email.utils import format_datetime
from ipaddress import ip_address
from urllib.parse import urlsplit

from django.conf import settings
from django.utils import timezone

from chekhov.watch.channels.failure import SendFailed, said
from chekhov.watch.messages import Message

STEP_SECONDS, TOTAL_SECONDS = 10, 45


def send(addresses: str, _secret: str, message: Message) -> str:
    """Send to all addresses in one transaction of the protocol; a remark where some were refused. Raises SendFailed."""
    if not settings.CHEKHOV_SMTP_HOST:
        raise SendFailed("smtp_unset", "Почтовый сервер не задан: его указывает администратор, CHEKHOV_SMTP_HOST.")
    to = [address.strip() for address in addresses.split(",") if address.strip()]
    letter = _letter(to, message)
    where = f"{settings.CHEKHOV_SMTP_HOST}:{settings.CHEKHOV_SMTP_PORT}"
    try:
        with _server() as server:
            refused = server.send_message(letter, from_addr=settings.CHEKHOV_MAIL_FROM, to_addrs=to)
    except smtplib.SMTPAuthenticationError as error:
        raise SendFailed(
            "smtp_login", f"Почтовый сервер не принял имя или пароль.{_words(error.smtp_error)}"
        ) from error
    except UnicodeError as error:
        raise SendFailed(
            "smtp_login", "Имя и пароль почтового сервера — только латинскими буквами: с другими войти нельзя."
        ) from error
    except smtplib.SMTPNotSupportedError as error:
        raise SendFailed(
            "smtp_unable", "Почтовый сервер не умеет то, что задано в CHEKHOV_SMTP_SECURITY и CHEKHOV_SMTP_USER."
        ) from error
    except smtplib.SMTPSenderRefused as error:
        raise SendFailed(
            "smtp_sender", f"Почтовый сервер не принял адрес отправителя.{_words(error.smtp_error)}"
        ) from error
    except smtplib.SMTPRecipientsRefused as error:
        words = next(iter(error.recipients.values()), (0, b""))[1]
        raise SendFailed("smtp_recipients", f"Почтовый сервер не принял адреса получателей.{_words(words)}") from error
    except smtplib.SMTPResponseException as error:
        raise SendFailed(
            "smtp_refused", f"Почтовый сервер не взял письмо (код {error.smtp_code}).{_words(error.smtp_error)}"
        ) from error
    except ssl.SSLError as error:
        raise SendFailed(
            "smtp_tls", f"С почтовым сервером {where} не получилось защищённое соединение: проверьте имя и порт."
        ) from error
    except TimeoutError as error:
        raise SendFailed("smtp_silent", f"Почтовый сервер {where} не ответил вовремя.") from error
    except (smtplib.SMTPException, OSError) as error:
        raise SendFailed("smtp_unreachable", f"Почтовый сервер {where} недоступен или оборвал связь.") from error
    return f"Сервер не принял адресов: {len(refused)} из {len(to)}." if refused else ""


def _letter(to: list[str], message: Message) -> MIMEText:
    """The older classes of `email`: the newer ones lose spaces where they fold a long Russian subject."""
    letter = MIMEText(message.text, "plain", "utf-8")
    letter["From"] = settings.CHEKHOV_MAIL_FROM
    letter["To"] = ", ".join(to)
    letter["Subject"] = Header(message.subject, "utf-8", header_name="Subject").encode()
    letter["Date"] = format_datetime(timezone.now())
    letter["Message-ID"] = f"<{message.id}@{_own_name().strip('[]')}>"
    letter["Auto-Submitted"] = "auto-generated"
    return letter


@contextlib.contextmanager
def _server() -> Iterator[smtplib.SMTP]:
    """A connection, logged in. A server that only drips is cut off in the end."""
    security, context = settings.CHEKHOV_SMTP_SECURITY, ssl.create_default_context()
    host, port = settings.CHEKHOV_SMTP_HOST, settings.CHEKHOV_SMTP_PORT
    if security == "tls":
        server: smtplib.SMTP = smtplib.SMTP_SSL(local_hostname=_own_name(), timeout=STEP_SECONDS, context=context)
    else:
        server = smtplib.SMTP(local_hostname=_own_name(), timeout=STEP_SECONDS)
    server._host = host  # type: ignore[attr-defined]  # whose certificate it must be; only the constructor sets it
    end = threading.Timer(TOTAL_SECONDS, _cut, [server])
    end.daemon = True
    end.start()
    try:
        server.connect(host, port)
        if security == "starttls":
            server.starttls(context=context)
        if settings.CHEKHOV_SMTP_USER:
            server.login(settings.CHEKHOV_SMTP_USER, settings.CHEKHOV_SMTP_PASSWORD)
        yield server
        with contextlib.suppress(smtplib.SMTPException, OSError):
            server.quit()  # the letter has been taken already
    finally:
        end.cancel()
        server.close()


def _cut(server: smtplib.SMTP) -> None:
    with contextlib.suppress(OSError, AttributeError):
        server.sock.shutdown(socket.SHUT_RDWR)  # type: ignore[union-attr]


def _own_name() -> str:
    """How we greet the server: by the name in the base URL. Asking the resolver could take long."""
    host = urlsplit(settings.CHEKHOV_BASE_URL).hostname or "localhost"
    with contextlib.suppress(ValueError):
        address = ip_address(host)
        return f"[{address}]" if address.version == 4 else f"[IPv6:{address}]"
    return host


def _words(words: object) -> str:
    return said(words, settings.CHEKHOV_SMTP_PASSWORD)
