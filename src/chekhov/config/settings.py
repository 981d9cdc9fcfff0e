"""Django settings. Everything that a shop may set comes from `chekhov.config.env`."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

import environ
from csp.constants import NONCE, NONE, SELF

from chekhov.config.env import Environment, SettingsError
from chekhov.panel.theme import AXES_LOCKOUT_TEMPLATE, UNFOLD  # noqa: F401 settings of the theme

ENV = Environment(os.environ)

CHEKHOV_DATA_DIR = Path(ENV.text("CHEKHOV_DATA_DIR")).resolve()
CHEKHOV_BASE_URL = ENV.text("CHEKHOV_BASE_URL").rstrip("/")
CHEKHOV_EMULATOR_URL = ENV.text("CHEKHOV_EMULATOR_URL").rstrip("/")
CHEKHOV_WEB_THREADS = ENV.integer("CHEKHOV_WEB_THREADS", least=1, most=64)
CHEKHOV_WEB_PROCESSES = ENV.integer("CHEKHOV_WEB_PROCESSES", least=1, most=64)
CHEKHOV_WORKER_IN_FLIGHT = ENV.integer("CHEKHOV_WORKER_IN_FLIGHT", least=1, most=1000)
CHEKHOV_LEASE_SECONDS = ENV.integer("CHEKHOV_LEASE_SECONDS", least=5, most=86_400)
CHEKHOV_LATE_HOURS = ENV.integer("CHEKHOV_LATE_HOURS", least=1, most=8_760)
CHEKHOV_CONNECT_TIMEOUT_SECONDS = ENV.integer("CHEKHOV_CONNECT_TIMEOUT_SECONDS", least=1, most=60)
CHEKHOV_READ_TIMEOUT_SECONDS = ENV.integer("CHEKHOV_READ_TIMEOUT_SECONDS", least=1, most=300)
if CHEKHOV_LEASE_SECONDS <= CHEKHOV_CONNECT_TIMEOUT_SECONDS + CHEKHOV_READ_TIMEOUT_SECONDS:
    raise SettingsError("CHEKHOV_LEASE_SECONDS must be longer than the connect and read time-outs together")

CHEKHOV_SMTP_HOST = ENV.text("CHEKHOV_SMTP_HOST").strip()
CHEKHOV_SMTP_PORT = ENV.integer("CHEKHOV_SMTP_PORT", least=1, most=65_535)
CHEKHOV_SMTP_SECURITY = ENV.text("CHEKHOV_SMTP_SECURITY").strip().lower()
CHEKHOV_SMTP_USER = ENV.text("CHEKHOV_SMTP_USER").strip()
CHEKHOV_SMTP_PASSWORD = ENV.text("CHEKHOV_SMTP_PASSWORD")
CHEKHOV_MAIL_FROM = ENV.text("CHEKHOV_MAIL_FROM").strip() or CHEKHOV_SMTP_USER
CHEKHOV_TELEGRAM_URL = ENV.text("CHEKHOV_TELEGRAM_URL").strip().rstrip("/")
if CHEKHOV_SMTP_SECURITY not in {"starttls", "tls", "none"}:
    raise SettingsError("CHEKHOV_SMTP_SECURITY: expected starttls, tls or none")
if CHEKHOV_SMTP_HOST and "@" not in CHEKHOV_MAIL_FROM:
    raise SettingsError("CHEKHOV_MAIL_FROM: the sender's address is needed, like kassa@shop.example")
if CHEKHOV_SMTP_SECURITY == "none" and CHEKHOV_SMTP_PASSWORD and CHEKHOV_SMTP_HOST not in {"127.0.0.1", "localhost"}:
    raise SettingsError("CHEKHOV_SMTP_SECURITY: a password is not sent without encryption to another machine")
if urlsplit(CHEKHOV_TELEGRAM_URL).scheme not in {"http", "https"} or not urlsplit(CHEKHOV_TELEGRAM_URL).hostname:
    raise SettingsError("CHEKHOV_TELEGRAM_URL: expected an address like https://api.telegram.org")

CHEKHOV_CLOCK: datetime | None = None
if ENV.text("CHEKHOV_CLOCK"):
    try:
        CHEKHOV_CLOCK = datetime.fromisoformat(ENV.text("CHEKHOV_CLOCK"))
    except ValueError as error:
        raise SettingsError("CHEKHOV_CLOCK: expected an instant like 2025-12-20T10:00:00+03:00") from error
    if CHEKHOV_CLOCK.tzinfo is None:
        raise SettingsError("CHEKHOV_CLOCK: the instant needs its offset, like +03:00")

SECRET_KEY = ENV.kept_secret("CHEKHOV_SECRET_KEY", CHEKHOV_DATA_DIR, "secret.key")
CHEKHOV_ENCRYPTION_KEYS = [
    key.strip()
    for key in ENV.kept_secret("CHEKHOV_ENCRYPTION_KEYS", CHEKHOV_DATA_DIR, "encryption.key").split(",")
    if key.strip()
]
DEBUG = ENV.flag("CHEKHOV_DEBUG")

_base = urlsplit(CHEKHOV_BASE_URL)
if _base.scheme not in {"http", "https"} or not _base.hostname:
    raise SettingsError("CHEKHOV_BASE_URL: expected an address like https://kassa.shop.example")
if len(CHEKHOV_BASE_URL) > 200:
    raise SettingsError("CHEKHOV_BASE_URL: at most 200 characters")
ALLOWED_HOSTS = [_base.hostname, "127.0.0.1", "localhost", *ENV.names("CHEKHOV_ALLOWED_HOSTS")]
CSRF_TRUSTED_ORIGINS = [f"{_base.scheme}://{_base.netloc}"]
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if _base.scheme == "https" else None
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = _base.scheme == "https"
SESSION_COOKIE_HTTPONLY = True
SECURE_CONTENT_TYPE_NOSNIFF = True
X_FRAME_OPTIONS = "DENY"

INSTALLED_APPS = [
    "unfold",
    "unfold.contrib.filters",
    "unfold.contrib.forms",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django_htmx",
    "axes",
    "csp",
    "chekhov.config",
    "chekhov.people",
    "chekhov.directory",
    "chekhov.sales",
    "chekhov.registers",
    "chekhov.receipts",
    "chekhov.delivery",
    "chekhov.watch",
    "chekhov.panel",
]

MIDDLEWARE = [
    "chekhov.api.direct.DirectMiddleware",  # programs go past what only people need
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "csp.middleware.CSPMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "axes.middleware.AxesMiddleware",
]

ROOT_URLCONF = "chekhov.config.urls"
WSGI_APPLICATION = "chekhov.config.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

_url = ENV.text("CHEKHOV_DATABASE_URL") or f"sqlite:///{CHEKHOV_DATA_DIR / 'chekhov.sqlite3'}"
DATABASES = {"default": environ.Env.db_url_config(_url)}
_database = DATABASES["default"]
if _database["ENGINE"] == "django.db.backends.sqlite3":
    Path(_database["NAME"]).parent.mkdir(parents=True, exist_ok=True)
    _database["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": (
            "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA recursive_triggers=ON; "
            "PRAGMA wal_autocheckpoint=4000; PRAGMA cache_size=-32768;"
        ),
    }
    if CHEKHOV_WEB_PROCESSES > 1:
        raise SettingsError("CHEKHOV_WEB_PROCESSES: several web processes need PostgreSQL (CHEKHOV_DATABASE_URL)")
elif _database["ENGINE"] == "django.db.backends.postgresql":
    # A machine that is cut off must neither wait nor hold its locks for ever. The keepalives are for our side of the
    # connection; `options` asks the server for the same. By its own defaults a client that has vanished in the middle
    # of a claim keeps its row locks, and with them a register's queue, for two hours.
    _database["OPTIONS"] = {
        "connect_timeout": 5,
        "application_name": "chekhov",
        "prepare_threshold": 5,
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 3,
        "tcp_user_timeout": 20_000,
        "options": "-c tcp_keepalives_idle=10 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=3 "
        "-c tcp_user_timeout=20000 -c idle_in_transaction_session_timeout=60000",
    }
else:
    raise SettingsError("CHEKHOV_DATABASE_URL: SQLite and PostgreSQL are supported")
_database["CONN_MAX_AGE"] = None
_database["CONN_HEALTH_CHECKS"] = _database["ENGINE"].endswith("postgresql")
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTH_USER_MODEL = "people.User"
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.PBKDF2PasswordHasher"]
LOGIN_URL = "admin:login"
AXES_FAILURE_LIMIT = 8
AXES_COOLOFF_TIME = 0.25  # hours
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_VERBOSE = False
AXES_DISABLE_ACCESS_LOG = True

LANGUAGE_CODE = "ru"
LANGUAGES = [("ru", "Русский")]
LOCALE_PATHS = [Path(__file__).resolve().parent.parent / "locale"]
TIME_ZONE = "Europe/Moscow"
USE_TZ = True
USE_I18N = True
USE_THOUSAND_SEPARATOR = False

STATIC_URL = "static/"
STATIC_ROOT = CHEKHOV_DATA_DIR / "static"
STATIC_ROOT.mkdir(parents=True, exist_ok=True)
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = DEBUG

DATA_UPLOAD_MAX_MEMORY_SIZE = 2 * 1024 * 1024
DATA_UPLOAD_MAX_NUMBER_FIELDS = 2000

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "script-src": [SELF, NONCE, "'unsafe-eval'"],  # Alpine, which the theme is built on, evaluates expressions
        "style-src": [SELF, "'unsafe-inline'"],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "object-src": [NONE],
        "base-uri": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
    },
}

LOGGING_CONFIG = "chekhov.config.logging.configure"
LOGGING = {"level": ENV.text("CHEKHOV_LOG_LEVEL").upper(), "format": ENV.text("CHEKHOV_LOG_FORMAT")}
