"""A PostgreSQL of a test's own: on the loopback, in a folder of its own, to be stopped and started in the middle of things.

`python -m tests.postgres COMMAND…` runs a command with LBFTP_DATABASE_URL naming one that lasts as long as it does.
"""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

import psycopg

from ops.bootstrap import UNPACK_INTO
from ops.places import free_port

NAME: Final = "lbftp"
# The server refuses to be root. In a user namespace root has another name, and what it owns is still its own.
_SOMEBODY: Final = ("unshare", "--user", "--map-user=1000", "--map-group=1000", "--")
_WITH_US: Final = ("setpriv", "--pdeathsig", "QUIT", "--")


class Postgres:
    """An empty database in `folder`, which is made; the server runs until `stop`."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._port, self._password = folder, free_port(), secrets.token_hex(12)
        self._server: subprocess.Popen[bytes] | None = None
        folder.mkdir(mode=0o700)
        given = folder / "password"
        given.write_text(self._password)
        words = ["--auth=scram-sha-256", f"--username={NAME}", f"--pwfile={given}", "--encoding=UTF8", "--locale=C"]
        made = subprocess.run(
            [*_prefix(), _program("initdb"), *words, "--no-sync", "--pgdata", str(folder / "data")],
            env=_environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert made.returncode == 0, made.stdout + made.stderr
        self.start()
        with psycopg.connect(self._address("postgres"), autocommit=True) as connection:
            connection.execute(f"create database {NAME}")

    @property
    def url(self) -> str:
        """For LBFTP_DATABASE_URL and for psycopg."""
        return self._address(NAME)

    def start(self) -> None:
        """Returns when it answers."""
        assert self._server is None
        options = ["-c", "listen_addresses=127.0.0.1", "-c", f"port={self._port}", "-c", "unix_socket_directories="]
        argv = [*_prefix(), *_WITH_US, _program("postgres"), "-D", str(self._folder / "data"), *options]
        with (self._folder / "log").open("ab") as log:
            self._server = subprocess.Popen(
                argv, env=_environment(), stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
            )
        end = time.monotonic() + 60
        while not self._answers():
            assert self._server.poll() is None, (self._folder / "log").read_text()
            assert time.monotonic() < end, "the database does not answer"
            time.sleep(0.1)

    def stop(self, *, at_once: bool = False) -> None:
        """Whoever is connected is cut off; `at_once` without writing anything down, as when its machine is gone."""
        server, self._server = self._server, None
        if server is not None:
            server.send_signal(signal.SIGQUIT if at_once else signal.SIGINT)
            server.wait(60)

    def _answers(self) -> bool:
        try:
            psycopg.connect(self._address("postgres"), connect_timeout=5).close()
        except psycopg.OperationalError:
            return False
        return True

    def _address(self, database: str) -> str:
        return f"postgres://{NAME}:{self._password}@127.0.0.1:{self._port}/{database}"


def _prefix() -> tuple[str, ...]:
    return _SOMEBODY if os.geteuid() == 0 else ()


def _program(name: str) -> str:
    """Debian's newest one, installed or unpacked."""
    for root in (Path("/"), UNPACK_INTO):
        found = sorted(root.glob(f"usr/lib/postgresql/*/bin/{name}"), key=lambda p: int(p.parts[-3]))
        if found:
            return str(found[-1])
    raise AssertionError(f"no {name}: python3 ops/bootstrap.py dev --programs checkers")


def _environment() -> dict[str, str]:
    """With the libraries that were unpacked beside it, without what would lead it elsewhere."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    libraries = [str(p) for part in ("lib", "usr/lib") for p in (UNPACK_INTO / part).glob("*-linux-*")]
    return kept | ({"LD_LIBRARY_PATH": ":".join(libraries)} if libraries else {})


def main(command: list[str]) -> int:
    """The command's own status."""
    with tempfile.TemporaryDirectory() as folder:
        postgres = Postgres(Path(folder) / "postgres")
        try:
            return subprocess.run(
                command, env=os.environ | {"LBFTP_DATABASE_URL": postgres.url}, check=False
            ).returncode
        finally:
            postgres.stop()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
