"""The texts of the configuration that supervisor and the private Redis are started with. Pure."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from ops.places import ROOT, Places

# Its Redis is going down at the same moment, and a worker waits for its broker for ever before it ends by itself.
_WORKER_ORPHANED = "KILL"


@dataclass(frozen=True, slots=True)
class Program:
    """One process that is kept running. `signal` ends it; `patience` is how many seconds it then gets.

    `orphaned` is what the kernel sends it if supervisord itself is killed.
    """

    name: str
    argv: tuple[str, ...]
    priority: int
    signal: str = "TERM"
    patience: int = 10
    orphaned: str = "TERM"


@dataclass(frozen=True, slots=True)
class Shape:
    """What may differ from site to site: where it listens, how many tasks run at once, which Redis server."""

    bind: str
    port: int
    workers: int
    redis: str
    # Whose word about the client's address and about TLS is taken, with commas between; '': nobody's.
    proxies: str = ""

    @property
    def base_url(self) -> str:
        """Where a process of this machine reaches the site."""
        reachable = "127.0.0.1" if self.bind == "0.0.0.0" else self.bind  # noqa: S104  # compared, not listened on
        return f"http://{reachable}:{self.port}"


def programs(place: Places, shape: Shape) -> list[Program]:
    """What makes a site: Redis, the web server, the worker and the beat, and who looks whether these do anything."""
    celery = (sys.executable, "-m", "celery", "-A", "lbftp.celery")
    listen = ("--host", shape.bind, "--port", str(shape.port), "--timeout-graceful-shutdown", "3")
    proxies = ("--forwarded-allow-ips", shape.proxies) if shape.proxies else ("--no-proxy-headers",)
    worker = ("worker", "--queues", "control", "--concurrency", str(shape.workers), "--loglevel", "INFO")
    schedule = str(place.var / "beat-schedule")
    return [
        Program("redis", (shape.redis, str(place.var / "redis.conf")), 10),
        Program("web", (sys.executable, "-m", "uvicorn", "lbftp.asgi:application", *listen, *proxies), 20),
        # SIGQUIT is Celery's soft shutdown: a running task gets some seconds, then goes back to the queue.
        Program(
            "worker",
            (*celery, *worker, "--hostname", "worker@%h", "--without-mingle"),
            30,
            "QUIT",
            20,
            _WORKER_ORPHANED,
        ),
        Program("beat", (*celery, "beat", "--schedule", schedule, "--pidfile", "", "--loglevel", "INFO"), 40),
        Program("watchdog", (sys.executable, "-m", "ops.watchdog", str(place.var), shape.base_url), 50),
    ]


def supervisor_config(place: Places, wanted: Sequence[Program]) -> str:
    """supervisord.conf: everything restarts by itself, logs are turned over at 10 MB."""
    sections = [
        "[supervisord]",
        "nodaemon=true",
        "umask=077",
        "silent=true",
        f"logfile={_value(str(place.log / 'supervisord.log'))}",
        f"pidfile={_value(str(place.run / 'supervisord.pid'))}",
        f"directory={_value(str(ROOT))}",
        "",
        "[unix_http_server]",
        f"file={_value(str(place.control_socket))}",
        "chmod=0700",
        "",
        "[rpcinterface:supervisor]",
        "supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface",
        "",
        "[supervisorctl]",
        f"serverurl={_value('unix://' + str(place.control_socket))}",
        "",
    ]
    for program in wanted:
        sections += _program_section(place, program)
    return "\n".join(sections)


def _program_section(place: Places, program: Program) -> list[str]:
    # If supervisord itself is killed, the kernel tells each program: nothing outlives it.
    argv = ("setpriv", "--pdeathsig", program.orphaned, "--", *program.argv)
    return [
        f"[program:{program.name}]",
        f"command={_value(shlex.join(argv))}",
        f"priority={program.priority}",
        "autorestart=true",
        "startsecs=1",
        "startretries=20",
        f"stopsignal={program.signal}",
        f"stopwaitsecs={program.patience}",
        "killasgroup=true",
        "redirect_stderr=true",
        f"stdout_logfile={_value(str(place.log / (program.name + '.log')))}",
        "stdout_logfile_maxbytes=10MB",
        "stdout_logfile_backups=3",
        "",
    ]


def redis_config(place: Places) -> str:
    """The private Redis: no network port, a socket only its owner may open, every write kept on disk."""
    lines = {
        "port": "0",
        "unixsocket": json.dumps(str(place.redis_socket)),
        "unixsocketperm": "700",
        "dir": json.dumps(str(place.redis_data)),
        "daemonize": "no",
        "databases": "4",
        # Valkey's own defaults keep nothing: tasks waiting at a crash would be lost.
        "appendonly": "yes",
        "appendfsync": "everysec",
        "save": '""',
        "maxmemory-policy": "noeviction",
    }
    return "".join(f"{key} {value}\n" for key, value in lines.items())


def _value(text: str) -> str:
    """supervisor expands %(name)s in every value; Celery's own %h has to pass as well."""
    return text.replace("%", "%%")
