"""Settings, from the environment with defaults for one machine. docs/settings.md explains each; a test keeps it so."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import secrets
import socket
from pathlib import Path

import django_stubs_ext
import environ
import structlog
from csp.constants import NONCE, NONE, SELF
from django.core.exceptions import ImproperlyConfigured

from lbftp import limits, logs
from lbftp.core import durations, enrolment
from lbftp.core.job import CHANGING

django_stubs_ext.monkeypatch()

# Every process of a site reads this file first. What they write holds sessions, passwords' seals and routers' plans:
# for the account that the site runs as, and nobody else.
os.umask(0o077)

BASE_DIR = Path(__file__).resolve().parent.parent
env = environ.Env()

VAR = Path(env.str("LBFTP_VAR", default=str(BASE_DIR / "var"))).resolve()


def _secret_key() -> str:
    """The signing key: from the environment, else from a file made at first start with mode 0600."""
    if given := env.str("LBFTP_SECRET_KEY", default=""):
        return str(given)
    path = VAR / "secret_key"
    VAR.mkdir(parents=True, exist_ok=True)
    with (
        contextlib.suppress(FileExistsError),
        os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file,
    ):
        file.write(secrets.token_urlsafe(60))
    return path.read_text()


SECRET_KEY = _secret_key()
SECRETS_KEY_FILE = Path(env.str("LBFTP_SECRETS_KEY_FILE", default=str(VAR / "secrets.key")))
DEBUG = env.bool("LBFTP_DEBUG", default=False)
ALLOWED_HOSTS = env.list("LBFTP_ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])
# For links that the command line prints; pages know where they were asked.
SITE_URL = env.str("LBFTP_SITE_URL", default="").rstrip("/")
CSRF_TRUSTED_ORIGINS = env.list("LBFTP_TRUSTED_ORIGINS", default=[])

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "channels",
    "csp",
    "django_htmx",
    "lbftp.accounts",
    "lbftp.inventory",
    "lbftp.clusters",
    "lbftp.changes",
    "lbftp.compliance",
    "lbftp.numbers",
    "lbftp.proofs",
    "lbftp.daytwo",
    "lbftp.live",
    "lbftp.web",
    "lbftp.health",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "csp.middleware.CSPMiddleware",
    "lbftp.web.doors.Headers",
    "lbftp.web.doors.Requests",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "lbftp.accounts.middleware.SessionMiddleware",
    "lbftp.accounts.middleware.SignedInMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "lbftp.web.middleware.NotAllowedMiddleware",
]

ROOT_URLCONF = "lbftp.urls"
ASGI_APPLICATION = "lbftp.asgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": False,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "csp.context_processors.nonce",
                "lbftp.health.pages.restarts",
            ],
            "loaders": [
                (
                    "django.template.loaders.cached.Loader",
                    ["django.template.loaders.filesystem.Loader", "django.template.loaders.app_directories.Loader"],
                ),
            ],
        },
    }
]

# WAL with immediate transactions: with Django's defaults a third of concurrent writes fail as "database is locked".
_SQLITE = {
    "transaction_mode": "IMMEDIATE",
    "timeout": 20,
    "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA foreign_keys=ON;",
}
DATABASES = {"default": env.db("LBFTP_DATABASE_URL", default=f"sqlite:///{VAR / 'lbftp.sqlite3'}")}
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    DATABASES["default"]["OPTIONS"] = _SQLITE
    # Tests with worker processes need a file that several processes can open.
    DATABASES["default"]["TEST"] = {"NAME": str(VAR / "test.sqlite3")}
if DATABASES["default"]["ENGINE"].endswith("postgresql"):
    # A server that is gone without a word is noticed: libpq would wait for minutes.
    DATABASES["default"]["OPTIONS"] = {
        "connect_timeout": 5,
        "tcp_user_timeout": 30_000,
        **DATABASES["default"].get("OPTIONS", {}),
    }


def _manager_name() -> str:
    """What routers know this site by while it works on them: no other site may have the same name."""
    if given := env.str("LBFTP_MANAGER", default=""):
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9.:_-]{0,59}", given):
            raise ImproperlyConfigured(
                "LBFTP_MANAGER has to be up to 60 of A-Z a-z 0-9 . : _ - and begin with one of A-Z a-z 0-9."
            )
        return str(given)
    host = re.sub(r"[^A-Za-z0-9.-]+", "-", socket.gethostname()).strip(".-")[:50] or "lbftp"
    place = " ".join(str(DATABASES["default"].get(part, "")) for part in ("ENGINE", "HOST", "PORT", "NAME"))
    return f"{host}-{hashlib.sha256(place.encode()).hexdigest()[:8]}"


MANAGER_NAME = _manager_name()

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "accounts:login"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "accounts:login"
CSRF_FAILURE_VIEW = "lbftp.web.errors.csrf_failure"

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_I18N = False
USE_TZ = True

STATIC_URL = "static/"
# Only for `collectstatic`: pages name, and get, the files where they are written.
STATIC_ROOT = Path(env.str("LBFTP_STATIC_ROOT", default=str(VAR / "static")))
# They are for everybody, other than all that is written besides.
FILE_UPLOAD_PERMISSIONS, FILE_UPLOAD_DIRECTORY_PERMISSIONS = 0o644, 0o755
STATICFILES_DIRS = [BASE_DIR / "lbftp" / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "lbftp.statics.NamedByContent"},
}

# With less room where LBFTP_VAR is, /readyz says so.
MIN_FREE_MB = env.int("LBFTP_MIN_FREE_MB", default=200)

# Redis: a private one on a unix socket by default, with separate databases for tasks and for hints to browsers.
REDIS_SOCKET = env.str("LBFTP_REDIS_SOCKET", default=str(VAR / "run" / "redis.sock"))
CELERY_BROKER_URL = env.str("LBFTP_BROKER_URL", default=f"redis+socket://{REDIS_SOCKET}?virtual_host=1")
CHANNELS_URL = env.str("LBFTP_CHANNELS_URL", default=f"unix://{REDIS_SOCKET}?db=2")
CHANNEL_LAYERS = {
    "default": {
        # The default layer drops messages silently at 100 a channel; pub/sub was seen to lose none.
        "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
        "CONFIG": {"hosts": [CHANNELS_URL]},
    }
}

# One number in three places (Celery's redis.rst): a task that outlives it would run twice at once. A worker that dies
# is noticed by its heartbeat long before.
VISIBILITY_TIMEOUT = env.int("LBFTP_VISIBILITY_TIMEOUT", default=36000)
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": VISIBILITY_TIMEOUT,
    "unacked_restore_interval": 1,
    "unacked_restore_throttle": 1,
    "socket_keepalive": True,
    # No process waits for ever for a broker that accepts and never answers.
    "socket_connect_timeout": 10,
    "socket_timeout": 30,
}
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TASK_IGNORE_RESULT = True
# What a run's work may take beside everything that it waits for; each message has limits of its own (core.durations).
RUN_SECONDS = env.int("LBFTP_TASK_TIME_LIMIT", default=1200)
CELERY_TASK_SOFT_TIME_LIMIT = RUN_SECONDS
CELERY_TASK_TIME_LIMIT = RUN_SECONDS + 60


def _check_times() -> None:
    """Whatever people set for their clusters, an ordinary change has to be possible."""
    longest = max(
        durations.limits(durations.Need(kind, RUN_SECONDS, servers=2, patience=600)).hard for kind in CHANGING
    )
    if not RUN_SECONDS >= 1:
        raise ImproperlyConfigured("LBFTP_TASK_TIME_LIMIT has to be 1 or more.")
    if longest >= VISIBILITY_TIMEOUT:
        raise ImproperlyConfigured(
            f"LBFTP_VISIBILITY_TIMEOUT has to be more than {longest}: so long may a run take with "
            f"LBFTP_TASK_TIME_LIMIT={RUN_SECONDS}, and after it a task runs twice at once."
        )


_check_times()
CELERY_WORKER_SOFT_SHUTDOWN_TIMEOUT = 10
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TASK_DEFAULT_QUEUE = "control"
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_TIMEZONE = "UTC"
# Until when a message of the beat is worth something is told by its host's clock and judged by the worker's, and they
# may differ. One that comes late does no harm: the database's rows tell whose turn it is.
_BEAT_EXPIRES = 7200.0
CELERY_BEAT_SCHEDULER = "workers.life:Schedule"
# Between two signs of life at most.
CELERY_BEAT_MAX_LOOP_INTERVAL = 3
BEAT_TICK_SECONDS = env.float("LBFTP_BEAT_TICK_SECONDS", default=10.0)
CELERY_BEAT_SCHEDULE = {
    "tick": {
        "task": "workers.tasks.tick",
        "schedule": BEAT_TICK_SECONDS,
        "options": {"expires": _BEAT_EXPIRES},
    },
}

# Live numbers: seconds between two looks at a router (0: none are taken), and how long they are kept.
SAMPLE_SECONDS = env.float("LBFTP_SAMPLE_SECONDS", default=30.0)
KEEP_LOOKS_HOURS = env.int("LBFTP_KEEP_LOOKS_HOURS", default=6)
KEEP_MINUTES_DAYS = env.int("LBFTP_KEEP_MINUTES_DAYS", default=3)
KEEP_HOURS_DAYS = env.int("LBFTP_KEEP_HOURS_DAYS", default=90)
KEEP_DAYS_DAYS = env.int("LBFTP_KEEP_DAYS_DAYS", default=1100)
METRICS_TOKEN = env.str("LBFTP_METRICS_TOKEN", default="")


def _check_numbers() -> None:
    """Coarser buckets are counted anew from finer ones, so each kind has to outlast the one before it."""
    if SAMPLE_SECONDS and not 5 <= SAMPLE_SECONDS <= 3600:
        raise ImproperlyConfigured("LBFTP_SAMPLE_SECONDS has to be 0 (no live numbers) or 5 to 3600.")
    if not 1 <= KEEP_LOOKS_HOURS <= KEEP_MINUTES_DAYS * 24 - 2:
        raise ImproperlyConfigured("LBFTP_KEEP_LOOKS_HOURS has to be 1 or more, and less than LBFTP_KEEP_MINUTES_DAYS.")
    if not KEEP_MINUTES_DAYS < KEEP_HOURS_DAYS < KEEP_DAYS_DAYS:
        raise ImproperlyConfigured(
            "LBFTP_KEEP_MINUTES_DAYS has to be less than LBFTP_KEEP_HOURS_DAYS, that less than LBFTP_KEEP_DAYS_DAYS."
        )
    if METRICS_TOKEN and len(METRICS_TOKEN) < 20:
        raise ImproperlyConfigured("LBFTP_METRICS_TOKEN has to have 20 characters or more: openssl rand -hex 20")


_check_numbers()
if SAMPLE_SECONDS:
    CELERY_BEAT_SCHEDULE |= {
        # More often than a router is due, so that one whose turn it is waits a third of its interval at most.
        "sample": {
            "task": "workers.tasks.sample",
            "schedule": SAMPLE_SECONDS / 3,
            "options": {"expires": _BEAT_EXPIRES},
        },
        "forget": {"task": "workers.tasks.forget", "schedule": 3600.0, "options": {"expires": _BEAT_EXPIRES}},
    }

# Seconds between two looks at what drained real servers still have; routers are asked only while there is a drain.
DRAIN_SECONDS = env.float("LBFTP_DRAIN_SECONDS", default=5.0)
if not 1 <= DRAIN_SECONDS <= 600:
    raise ImproperlyConfigured("LBFTP_DRAIN_SECONDS has to be 1 to 600.")
CELERY_BEAT_SCHEDULE["drain"] = {
    "task": "workers.tasks.drain",
    "schedule": DRAIN_SECONDS,
    "options": {"expires": _BEAT_EXPIRES},
}

# Networks whose addresses may be enrolled although they lead to this host or its link (core/enrolment.py).
try:
    ENROL_NETWORKS = enrolment.networks(env.str("LBFTP_ENROL_NETWORKS", default=""))
except ValueError as error:
    raise ImproperlyConfigured(f"LBFTP_ENROL_NETWORKS: {error}; give networks such as 127.0.0.0/8.") from error

# SSH: seconds to connect, and seconds that one program may take on a router.
SSH_CONNECT_TIMEOUT = env.int("LBFTP_SSH_CONNECT_TIMEOUT", default=10)
SSH_PROGRAM_TIMEOUT = env.int("LBFTP_SSH_PROGRAM_TIMEOUT", default=120)

# Nothing is loaded from elsewhere, and no inline script runs without the page's nonce.
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "script-src": [SELF, NONCE],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "connect-src": [SELF],
        "object-src": [NONE],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
        "form-action": [SELF],
    }
}
# Bodies end at lbftp.limits, and nothing takes files. A form of many real servers has more fields than Django's 1,000.
DATA_UPLOAD_MAX_MEMORY_SIZE = FILE_UPLOAD_MAX_MEMORY_SIZE = limits.MOST_BYTES
DATA_UPLOAD_MAX_NUMBER_FIELDS = 5000
DATA_UPLOAD_MAX_NUMBER_FILES = 0
FILE_UPLOAD_HANDLERS: list[str] = []

SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SESSION_COOKIE_HTTPONLY = True
# A session ends when nothing was done in it for so long, and after so long whatever was done.
SESSION_IDLE_SECONDS = env.int("LBFTP_IDLE_MINUTES", default=30) * 60
SESSION_COOKIE_AGE = env.int("LBFTP_SESSION_HOURS", default=12) * 3600
if not 60 <= SESSION_IDLE_SECONDS <= SESSION_COOKIE_AGE <= 30 * 86400:
    raise ImproperlyConfigured(
        "LBFTP_IDLE_MINUTES has to be 1 or more and no longer than LBFTP_SESSION_HOURS, that at most 720."
    )
# How long the link is good with which an invited person sets a password.
INVITATION_HOURS = env.int("LBFTP_INVITATION_HOURS", default=72)
if not 1 <= INVITATION_HOURS <= 720:
    raise ImproperlyConfigured("LBFTP_INVITATION_HOURS has to be 1 to 720.")
# Wrong passwords in a quarter of an hour, for one name from one address; see accounts/services/throttle.py.
SIGN_IN_TRIES = env.int("LBFTP_SIGN_IN_TRIES", default=5)
if not 1 <= SIGN_IN_TRIES <= 100:
    raise ImproperlyConfigured("LBFTP_SIGN_IN_TRIES has to be 1 to 100.")

HTTPS = env.bool("LBFTP_HTTPS", default=False)
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
if HTTPS:
    # Browsers take a cookie of such a name only over TLS, from this host, for all of it: no neighbour can plant one.
    SESSION_COOKIE_NAME, CSRF_COOKIE_NAME = "__Host-sessionid", "__Host-csrftoken"
SECURE_HSTS_SECONDS = 31536000 if HTTPS else 0

# Off: whoever has a shell on this machine approves nothing in another's name.
CLI_APPROVALS = env.bool("LBFTP_CLI_APPROVALS", default=True)

structlog.configure(
    processors=[
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        logs.processor,
        structlog.processors.JSONRenderer(),
    ]
)
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"told": {"()": "lbftp.logs.Told"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "filters": ["told"]}},
    "root": {"handlers": ["console"], "level": "WARNING"},
    "loggers": {"celery": {"level": "INFO"}},
}
