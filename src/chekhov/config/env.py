"""The environment: every `CHEKHOV_*` variable in one table, read once.

A secret may also come from a file (`CHEKHOV_SECRET_KEY_FILE=/run/secrets/key`). An unknown variable is an error: a
misspelt setting that silently does nothing has cost shops more than a refused start.
"""

from __future__ import annotations

import os
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


class SettingsError(Exception):
    """The environment is wrong; the text says which variable and why."""


@dataclass(frozen=True, slots=True)
class Variable:
    """One setting: its default and whether it may come from a file."""

    default: str
    help: str
    secret: bool = False


VARIABLES: dict[str, Variable] = {
    "CHEKHOV_DATA_DIR": Variable("./var", "folder for everything that a run writes"),
    "CHEKHOV_DATABASE_URL": Variable(
        "", "sqlite:///path or postgresql://user:password@host/name; empty: SQLite in the data folder", secret=True
    ),
    "CHEKHOV_BASE_URL": Variable("http://127.0.0.1:8000", "public address of this installation, for callbacks"),
    "CHEKHOV_SECRET_KEY": Variable("", "signs sessions and event chains; empty: made once in the data folder", True),
    "CHEKHOV_ENCRYPTION_KEYS": Variable(
        "", "Fernet keys, comma separated, the first encrypts; empty: made once in the data folder", True
    ),
    "CHEKHOV_ALLOWED_HOSTS": Variable("", "host names beside that of the base URL, comma separated"),
    "CHEKHOV_DEBUG": Variable("0", "1 shows error pages with details; never in production"),
    "CHEKHOV_LOG_LEVEL": Variable("INFO", "DEBUG, INFO, WARNING, ERROR"),
    "CHEKHOV_LOG_FORMAT": Variable("text", "text or json"),
    "CHEKHOV_CLOCK": Variable("", "training and tests: an ISO instant that the business clock starts from"),
    "CHEKHOV_EMULATOR_URL": Variable("http://127.0.0.1:8090", "address of the emulator behind «Тестовая касса»"),
    "CHEKHOV_WEB_THREADS": Variable("4", "threads of a web process"),
    "CHEKHOV_WEB_PROCESSES": Variable("1", "web processes; more than one wants PostgreSQL"),
    "CHEKHOV_WORKER_IN_FLIGHT": Variable("64", "requests that one worker holds open at once"),
    "CHEKHOV_LEASE_SECONDS": Variable("120", "after this long without an outcome a sending is of unknown outcome"),
    "CHEKHOV_LATE_HOURS": Variable("24", "so long after it was due an unsent receipt waits for a person's choice"),
    "CHEKHOV_CONNECT_TIMEOUT_SECONDS": Variable("5", "time-out of connecting to a provider"),
    "CHEKHOV_READ_TIMEOUT_SECONDS": Variable("30", "time-out of a provider's answer"),
    "CHEKHOV_SMTP_HOST": Variable("", "mail server for alerts; empty: no alerts by e-mail"),
    "CHEKHOV_SMTP_PORT": Variable("587", "its port"),
    "CHEKHOV_SMTP_SECURITY": Variable("starttls", "starttls, tls, or none on this machine"),
    "CHEKHOV_SMTP_USER": Variable("", "login at the mail server; empty: without one"),
    "CHEKHOV_SMTP_PASSWORD": Variable("", "password at the mail server", secret=True),
    "CHEKHOV_MAIL_FROM": Variable("", "sender's address of alerts; empty: the login at the mail server"),
    "CHEKHOV_TELEGRAM_URL": Variable("https://api.telegram.org", "address of the Telegram Bot API, or of a relay"),
}


class Environment:
    """The settings as given, defaults filled in."""

    def __init__(self, source: Mapping[str, str]) -> None:
        self._values = {name: variable.default for name, variable in VARIABLES.items()}
        for name, value in source.items():
            if not name.startswith("CHEKHOV_"):
                continue
            base = name.removesuffix("_FILE")
            if name in VARIABLES:
                self._values[name] = value
            elif base in VARIABLES and VARIABLES[base].secret:
                if base in source:
                    raise SettingsError(f"{base} and {name} are both set: give one of them")
                try:
                    self._values[base] = Path(value).read_text(encoding="utf-8").strip()
                except OSError as error:
                    raise SettingsError(f"{name}: cannot read {value}: {error.strerror}") from error
            else:
                raise SettingsError(f"unknown setting {name}; known ones are listed in chekhov.env.example")

    def text(self, name: str) -> str:
        return self._values[name]

    def flag(self, name: str) -> bool:
        value = self._values[name].strip().lower()
        if value not in {"", "0", "1", "true", "false", "yes", "no"}:
            raise SettingsError(f"{name}: expected 0 or 1, got {value!r}")
        return value in {"1", "true", "yes"}

    def integer(self, name: str, *, least: int = 0, most: int = 1_000_000) -> int:
        try:
            value = int(self._values[name])
        except ValueError as error:
            raise SettingsError(f"{name}: expected a whole number, got {self._values[name]!r}") from error
        if not least <= value <= most:
            raise SettingsError(f"{name}: expected {least} to {most}, got {value}")
        return value

    def names(self, name: str) -> list[str]:
        return [item.strip() for item in self._values[name].split(",") if item.strip()]

    def kept_secret(self, name: str, folder: Path, filename: str) -> str:
        """The secret as given, or one made on the first start and kept in the data folder, readable by its owner."""
        given = self._values[name]
        if given:
            return given
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / filename
        fresh = folder / f".{filename}.{os.getpid()}.{secrets.token_hex(4)}"
        if not path.exists():
            descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w", encoding="ascii") as file:
                file.write(urlsafe_b64encode(secrets.token_bytes(32)).decode("ascii"))
                file.flush()
                os.fsync(file.fileno())
            try:
                os.link(fresh, path)  # never overwrites: of two processes starting at once one wins
            except FileExistsError:
                pass
            finally:
                fresh.unlink()
        return path.read_text(encoding="ascii").strip()
