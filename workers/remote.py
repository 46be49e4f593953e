"""SSH: the only file that imports fabric and paramiko, and the only one that runs anything on a machine.

A host's key is pinned: an unknown or another key ends the connection before anything is sent. There is no agent, no
search for keys, no ~/.ssh/config. A program goes in by standard input to a root-only temporary file, in memory where
that may be (a full disk is when it is needed most), and runs from there under `timeout`, with no input of its own;
nothing of it appears in a command line.
"""

from __future__ import annotations

import base64
import io
import re
import select
import shlex
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import fabric
import paramiko

from lbftp.core import secrecy
from lbftp.core.hostkey import fingerprint
from lbftp.core.job import Access
from lbftp.core.program.complaints import sentence
from workers import sockets
from workers.errors import (
    ConnectError,
    ConnectionLost,
    HostKeyRefused,
    LoginRefused,
    SudoRefused,
    TimedOut,
    TooMuch,
    Unreachable,
)
from workers.reading import OnLine, Reading

SENTINEL: Final = "#lbftp-program"
_BOOT: Final = (
    "umask 077; f=$(mktemp -p /run 2>/dev/null || mktemp) || exit 97; trap 'rm -f \"$f\"' EXIT; "
    f'sed \'1,/^{SENTINEL}$/d\' >"$f" && timeout -k 5 {{seconds}} {{interpreter}} "$f" </dev/null'
)
_TIMEOUT_CODES: Final = frozenset({124, 137})
# SIGKILL and SIGTERM by somebody else than `timeout`.
_KILLED_CODES: Final = frozenset({137, 143})
# Weak, or (mlkem) twice as slow for no gain on a management network that keys are pinned on.
_DISABLED: Final = {
    "kex": ["mlkem768x25519-sha256"],
    "ciphers": ["aes128-cbc", "aes192-cbc", "aes256-cbc", "3des-cbc"],
    "macs": ["hmac-sha1", "hmac-md5", "hmac-sha1-96", "hmac-md5-96"],
}
# What paramiko calls a failed login, although nobody judged the credential: the machine went away in the middle of it.
_UNANSWERED: Final = re.compile("timeout|EOF", re.IGNORECASE)
# Seconds. A machine that boots knows nothing of its old connections, and says so only when it hears from them.
_KEEPALIVE: Final = 5
_KEYS: Final = (paramiko.Ed25519Key, paramiko.ECDSAKey, paramiko.RSAKey)
# Bytes. OpenSSH takes packets of 256 KiB at most; a greeting is a line, with few others before it (RFC 4253, 4.2).
_MOST_PACKET: Final = 512 * 1024
_MOST_GREETING: Final = 32 * 1024
# Of a server's or a library's words in a sentence of ours.
_MOST_WORDS: Final = 300


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds: to connect and log in, and for one program unless the caller says otherwise."""

    connect: int = 10
    program: int = 120


@dataclass(frozen=True, slots=True)
class Answer:
    """What a program said. `code` is its exit status; `out` is as it came, `err` is for people: it has no secret."""

    code: int
    out: bytes
    err: str


class Remote:
    """One open connection to one machine."""

    def __init__(self, access: Access, connection: fabric.Connection, limits: Limits) -> None:
        self.access = access
        self._connection = connection
        self._limits = limits

    def run(
        self, program: str, *, seconds: int | None = None, on_line: OnLine | None = None, interpreter: str = "sh"
    ) -> Answer:
        """Run `program` (as root where the access says so) and give its answer.

        `on_line` gets each line of standard output as it comes. Raises SudoRefused, TimedOut, ConnectionLost; of
        those TooMuch for an answer without an end, after which this connection is closed.
        """
        limit, begun = seconds or self._limits.program, time.monotonic()
        try:
            answer = self._exchange(program, interpreter, limit, on_line)
        except TooMuch:
            self._connection.close()
            raise
        except (OSError, EOFError, paramiko.SSHException) as error:
            raise ConnectionLost(f"{self.access.name}: the connection was lost ({_words(error)}).") from error
        if answer.code == -1:
            raise ConnectionLost(f"{self.access.name}: the connection ended before the program did.")
        if answer.code in _KILLED_CODES and time.monotonic() - begun < limit:
            raise ConnectionLost(
                f"{self.access.name}: the program was killed there before it ended: "
                "the machine goes down, or has no memory left."
            )
        if answer.code in _TIMEOUT_CODES:
            raise TimedOut(f"{self.access.name}: the program did not end within {limit} s and was stopped.")
        if self.access.sudo and answer.code != 0 and not answer.out and "sudo" in answer.err:
            said = sentence(answer.err.strip().splitlines()[-1][:_MOST_WORDS])
            raise SudoRefused(
                f"{self.access.name}: sudo refused {self.access.username}: {said} "
                "Allow this account to run commands as root, or correct its sudo password (Credentials)."
            )
        return answer

    def _exchange(self, program: str, interpreter: str, limit: int, on_line: OnLine | None) -> Answer:
        channel = self._connection.transport.open_session(timeout=self._limits.connect)
        try:
            channel.settimeout(self._limits.connect)
            with _at_most(self._limits.connect, channel.close):
                channel.exec_command(self._command(interpreter, limit))
            lead = f"{self.access.sudo_password}\n\n" if self.access.sudo else "\n"
            channel.sendall(f"{lead}{SENTINEL}\n{program}".encode("utf-8", "surrogateescape"))
            channel.shutdown_write()
            # The machine's own `timeout` ends the program; this limit is for a machine that says nothing any more.
            return _collect(channel, time.monotonic() + limit + 20, Reading(self.access.name, on_line))
        finally:
            channel.close()

    def _command(self, interpreter: str, limit: int) -> str:
        boot = shlex.quote(_BOOT.format(seconds=limit, interpreter=interpreter))
        if not self.access.sudo:
            return f"sh -c {boot}"
        ask = "-S -p ''" if self.access.sudo_password else "-n"
        return f"LC_ALL=C sudo {ask} sh -c {boot}"


@contextmanager
def _at_most(seconds: float, otherwise: Callable[[], object]) -> Iterator[None]:
    """`otherwise` is called where the block is not through by then: paramiko waits for some answers without a limit."""
    timer = threading.Timer(seconds, otherwise)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _collect(channel: paramiko.Channel, deadline: float, reading: Reading) -> Answer:
    while True:
        done = channel.exit_status_ready() or channel.closed
        moved = _read(channel, reading)
        if done and not moved:
            break
        if time.monotonic() > deadline:
            raise TimeoutError("no answer any more")
        if not moved:
            select.select([channel], [], [], 0.2)
    out, err = reading.end()
    return Answer(channel.recv_exit_status(), out, secrecy.hidden(err))


def _read(channel: paramiko.Channel, reading: Reading) -> bool:
    """Whether anything had come."""
    out, err = channel.recv_ready(), channel.recv_stderr_ready()
    if out:
        reading.out(channel.recv(65536))
    if err:
        reading.err(channel.recv_stderr(65536))
    return bool(out or err)


class _Packets(paramiko.Packetizer):  # type: ignore[misc] # paramiko is not annotated
    """Reads packets, and a greeting, of bounded length: before the login anybody may answer at an address."""

    _greeted = 0

    def _read_timeout(self, timeout: float) -> bytes:
        data: bytes = super()._read_timeout(timeout)
        self._greeted += len(data)
        if self._greeted > _MOST_GREETING:
            raise paramiko.SSHException("its greeting has no end: it is no SSH server")
        return data

    def read_all(self, n: int, check_rekey: bool = False) -> bytes:
        if n > _MOST_PACKET:
            raise paramiko.SSHException(f"it sent a packet of {n} bytes: it is no SSH server")
        data: bytes = super().read_all(n, check_rekey)
        return data


@contextmanager
def connect(access: Access, limits: Limits) -> Iterator[Remote]:
    """An open connection; what it logs in with is hidden in what is told meanwhile (lbftp.core.secrecy).

    Raises Unreachable, HostKeyRefused, LoginRefused; then nothing was sent.
    """
    if not access.host_key:
        raise HostKeyRefused(f"{access.name}: no host key was confirmed yet. Compare its fingerprint, then confirm it.")
    with secrecy.known(secrecy.of_access(access)):
        connection = _connection(access, limits)
        try:
            _open(access, connection, limits)
            yield Remote(access, connection, limits)
        finally:
            connection.close()


def _connection(access: Access, limits: Limits) -> fabric.Connection:
    config = fabric.Config(lazy=True, overrides={"load_ssh_configs": False})
    options: dict[str, Any] = {
        "allow_agent": False,
        "look_for_keys": False,
        "banner_timeout": limits.connect,
        "auth_timeout": limits.connect,
        "channel_timeout": limits.connect,
        "disabled_algorithms": _DISABLED,
        "transport_factory": partial(paramiko.Transport, packetizer_class=_Packets),
    }
    if access.key:
        options["pkey"] = _private_key(access)
    else:
        options["password"] = access.password
    connection = fabric.Connection(
        access.address,
        user=access.username,
        port=access.port,
        config=config,
        connect_timeout=limits.connect,
        connect_kwargs=options,
    )
    # Fabric sets AutoAddPolicy and knows no keys: both are put right before anything is opened.
    connection.client.set_missing_host_key_policy(paramiko.RejectPolicy())
    kind, blob = access.host_key.split()[:2]
    entry = access.address if access.port == 22 else f"[{access.address}]:{access.port}"
    key = paramiko.PKey.from_type_string(kind, base64.b64decode(blob))
    connection.client.get_host_keys().add(entry, kind, key)
    return connection


def _open(access: Access, connection: fabric.Connection, limits: Limits) -> None:
    try:
        # What was judged is what is connected to: SSH gets the open connection, and looks no name up again.
        connection.connect_kwargs["sock"] = sockets.opened(access.name, access.address, access.port, limits.connect)
        connection.open()
        connection.transport.set_keepalive(_KEEPALIVE)
    except paramiko.BadHostKeyException as error:
        raise _other_key(access, _line(error.key)) from error
    except paramiko.AuthenticationException as error:
        if _UNANSWERED.search(str(error)):
            raise Unreachable(
                f"{access.name}: {access.address} port {access.port} gave no answer to the login ({_words(error)}). "
                "See that the machine is up and not overloaded."
            ) from error
        raise LoginRefused(
            f"{access.name}: the login as {access.username} was refused ({_words(error)}). "
            "Correct the credential, or allow its key on the machine."
        ) from error
    except (OSError, EOFError, paramiko.SSHException) as error:
        if "not found in known_hosts" in str(error):
            raise _other_key(access, _offered(access)) from error
        raise Unreachable(
            f"{access.name}: no SSH connection to {access.address} port {access.port} ({_words(error)}). "
            "See that the machine is up and that this address and port lead to its SSH server."
        ) from error


def _other_key(access: Access, offered: str) -> HostKeyRefused:
    shown = fingerprint(offered) if offered else "none of a known kind"
    return HostKeyRefused(
        f"{access.name}: the host key is not the confirmed one. Confirmed: {fingerprint(access.host_key)}; "
        f"offered now: {shown}. Nothing was sent. If the machine was reinstalled, enrol its new key; otherwise find "
        "out who answers at this address.",
        offered,
    )


def _offered(access: Access) -> str:
    try:
        return offered_key(access.name, access.address, access.port, Limits())
    except ConnectError:
        return ""


def offered_key(name: str, address: str, port: int, limits: Limits) -> str:
    """The host key a machine shows ('ssh-ed25519 AAAA…', ed25519 if it has one), without logging in."""
    try:
        with sockets.opened(name, address, port, limits.connect) as plain:
            transport = paramiko.Transport(plain, disabled_algorithms=_DISABLED, packetizer_class=_Packets)
            try:
                transport.start_client(timeout=limits.connect)
                return _line(transport.get_remote_server_key())
            finally:
                transport.close()
    except (OSError, EOFError, paramiko.SSHException) as error:
        raise Unreachable(
            f"{name}: no SSH server answers at {address} port {port} ({_words(error)}). Correct address or port."
        ) from error


def _line(key: paramiko.PKey) -> str:
    return f"{key.get_name()} {key.get_base64()}"


def _private_key(access: Access) -> paramiko.PKey:
    for kind in _KEYS:
        try:
            return kind.from_private_key(io.StringIO(access.key))
        except (paramiko.SSHException, ValueError, IndexError):
            continue
    raise LoginRefused(
        f"{access.name}: the stored private key cannot be read. Give an unencrypted one (ed25519, ECDSA, RSA)."
    )


def _words(error: BaseException) -> str:
    """The error in words; some of paramiko's say nothing, some hold what the machine sent."""
    return str(secrecy.hidden(str(error)))[:_MOST_WORDS] or type(error).__name__
