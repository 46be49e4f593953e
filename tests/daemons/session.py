"""FTP sessions with one daemon, all alone in namespaces of their own; what happened goes to standard output as JSON.

Runs as process 1 of its process namespace, so that whatever a daemon starts ends with it. Standard input is a JSON
object: `daemon`, `root` (where it is unpacked), `folder` (ours), `files` (lists of lines; vsftpd and Pure-FTPd start
once for each), `addresses` (ADDRESS/PREFIX to put on the loopback interface), `asks` (one session each).
"""

from __future__ import annotations

import ftplib
import json
import os
import select
import socket
import ssl
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

PASSWORD = "probe"
USERS = {"vsftpd": "probe", "proftpd": "ftp", "pure-ftpd": "ftp"}
# crypt(3) of the password (SHA-256), for ProFTPD's AuthUserFile.
HASHED = "$5$lbftp$ETFd1hkITE245DIOilgH.tuZLlIzUq7o4qU80IM8RO1"


class Client(ftplib.FTP_TLS):
    """Any of the three: plain, explicit TLS, implicit TLS. `reuse`: data connections resume the session's TLS."""

    def __init__(self, tls: str, *, reuse: bool) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        super().__init__(context=context)
        self.tls, self.reuse = tls, reuse
        self.secured = False

    def enter(self, host: str, port: int, user: str) -> None:
        """Connect, and log in the way that it is told to."""
        self.host, self.port, self.timeout = host, port, 5
        self.sock = socket.create_connection((host, port), timeout=5)
        self.af = self.sock.family
        if self.tls == "implicit":
            self.sock = self.context.wrap_socket(self.sock)
            self.secured = True
        self.file = self.sock.makefile("r", encoding=self.encoding)
        self.welcome = self.getresp()
        if self.tls == "explicit":
            self.auth()
            self.secured = True
        ftplib.FTP.login(self, user, PASSWORD)  # noqa: S321
        if self.secured:
            self.prot_p()

    def auth(self) -> str:
        answer = self.voidcmd("AUTH TLS")
        assert self.sock is not None
        self.sock = self.context.wrap_socket(self.sock)
        self.file = self.sock.makefile("r", encoding=self.encoding)
        return answer

    def fetch(self) -> str:
        """A listing through EPSV, to the very address that was connected to."""
        assert self.sock is not None
        answer = self.sendcmd("EPSV")
        port = ftplib.parse229(answer, self.sock.getpeername())[1]  # noqa: S321
        data = socket.create_connection((self.host, port), timeout=10)
        answer = self.sendcmd("NLST")
        if self.secured:
            session = self.sock.session if self.reuse and isinstance(self.sock, ssl.SSLSocket) else None
            data = self.context.wrap_socket(data, session=session)
        text = b"".join(iter(lambda: data.recv(8192), b"")).decode()
        data.close()
        self.voidresp()
        return text


def main() -> None:
    case = json.load(sys.stdin)
    folder = Path(case["folder"])
    files = folder / "files"
    files.mkdir()
    (files / "hello").write_text("hello\n")
    for path in (folder, files):
        path.chmod(0o755)
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    for address in case["addresses"]:
        subprocess.run(["ip", "address", "replace", address, "dev", "lo"], check=True)
    root = Path(case["root"])
    make = {"vsftpd": vsftpd, "proftpd": proftpd, "pure-ftpd": pure_ftpd}[case["daemon"]]
    libraries = ":".join(str(p) for part in ("lib", "usr/lib") for p in (root / part).glob("*-linux-*"))
    said = folder / "said"
    with said.open("w") as log:
        processes = [
            subprocess.Popen(argv, env=os.environ | {"LD_LIBRARY_PATH": libraries}, stdout=log, stderr=log)
            for argv in make(root, folder, case["files"])
        ]
        asks = [ask | {"user": USERS[case["daemon"]]} for ask in case["asks"]]
        print(json.dumps([session(processes, ask) or {"refused": said.read_text()[-500:]} for ask in asks]))


def vsftpd(root: Path, folder: Path, files: list[list[str]]) -> list[list[str]]:
    """A user of the system logs in, since what is demanded of anonymous ones is under options of their own."""
    add_user(folder, f"{USERS['vsftpd']}:x:0:0::{folder}/files:/bin/sh")
    pam, empty = folder / "pam.d", folder / "empty"
    pam.mkdir()
    empty.mkdir()
    (pam / "test").write_text("".join(f"{kind} required pam_permit.so\n" for kind in ("auth", "account", "session")))
    subprocess.run(["mount", "--bind", str(pam), "/etc/pam.d"], check=True)
    own = ["listen=YES", "background=NO", "anonymous_enable=NO", "local_enable=YES", "pam_service_name=test"]
    own += ["seccomp_sandbox=NO", f"secure_chroot_dir={empty}"]
    return [
        [str(root / "usr/sbin/vsftpd"), write(folder / f"conf{n}", [*own, *lines])] for n, lines in enumerate(files)
    ]


def proftpd(root: Path, folder: Path, files: list[list[str]]) -> list[list[str]]:
    """The lines come first, as we tell people to put them, after what loads the modules."""
    users = folder / "users"
    users.write_text(f"ftp:{HASHED}:0:0::{folder}/files:/bin/sh\n")
    users.chmod(0o600)
    first = [f"ModulePath {root}/usr/lib/proftpd", "LoadModule mod_tls.c"]
    own = ["ServerName test", "User root", "Group root", "WtmpLog off", "UseReverseDNS off", "DelayEngine off"]
    own += ["RequireValidShell off", f"PidFile {folder}/pid", f"ScoreboardFile {folder}/board"]
    login = ["RootLogin on", f"AuthUserFile {users}", "AuthOrder mod_auth_file.c"]
    text = [*first, *files[0], *own, "<Global>", *login, "</Global>"]
    return [[str(root / "usr/sbin/proftpd"), "-n", "-q", "-c", write(folder / "conf", text)]]


def pure_ftpd(root: Path, folder: Path, files: list[list[str]]) -> list[list[str]]:
    """Its anonymous user is the system's `ftp`, which need not be on this machine."""
    add_user(folder, f"ftp:x:65534:65534::{folder}/files:/bin/sh")
    own = ["NoAnonymous no", "Daemonize no", "DontResolve yes"]
    return [
        [str(root / "usr/sbin/pure-ftpd"), write(folder / f"conf{n}", [*own, f"PIDFile {folder}/pid{n}", *lines])]
        for n, lines in enumerate(files)
    ]


def add_user(folder: Path, line: str) -> None:
    """To this mount namespace's /etc/passwd."""
    users, name = folder / "passwd", line.partition(":")[0]
    kept = [one for one in Path("/etc/passwd").read_text().splitlines() if not one.startswith(f"{name}:")]
    users.write_text("\n".join([*kept, line, ""]))
    users.chmod(0o644)
    subprocess.run(["mount", "--bind", str(users), "/etc/passwd"], check=True)


def write(path: Path, lines: list[str]) -> str:
    path.write_text("\n".join([*lines, ""]))
    return str(path)


def session(processes: list[subprocess.Popen[bytes]], ask: dict[str, Any]) -> dict[str, Any] | None:
    """What a client sees; None if nothing answers it, because a daemon ended or does not listen there."""
    try:
        client = entered(processes, ask)
    except (ftplib.Error, EOFError, OSError) as error:
        return {"login": f"{type(error).__name__}: {error}"}
    if client is None:
        return None
    found: dict[str, Any] = {"welcome": client.welcome}
    with refusal(found, "passive"):
        found["passive"] = [ftplib.parse227(client.sendcmd("PASV")) for _ in range(3)]  # noqa: S321
    with refusal(found, "transfer"):
        found["transfer"] = client.fetch()
    with refusal(found, "active"):
        found["active"] = active(client, ask["host"])
    return found


def active(client: Client, host: str) -> list[Any]:
    """Where an active connection comes from: address, port."""
    assert client.sock is not None
    with socket.create_server((host, 0), family=client.af) as server:
        server.settimeout(10)
        port = server.getsockname()[1]
        client.sendport(host, port) if client.af == socket.AF_INET else client.sendeprt(host, port)
        client.putcmd("NLST")
        if server not in select.select([server, client.sock], [], [], 10)[0]:
            client.getresp()
        connection, source = server.accept()
        connection.close()
        return list(source[:2])


class refusal:  # noqa: N801 - reads as a word of the statement
    """Notes the answer with which a mode was refused."""

    def __init__(self, found: dict[str, Any], key: str) -> None:
        self.found, self.key = found, key

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _trace: object) -> bool:
        if isinstance(error, (ftplib.Error, ssl.SSLError, OSError, EOFError)):
            self.found[self.key] = str(error) or type(error).__name__
            return True
        return False


def entered(processes: list[subprocess.Popen[bytes]], ask: dict[str, Any]) -> Client | None:
    until = time.monotonic() + (20 if ask.get("listens", True) else 0.1)
    while all(process.poll() is None for process in processes) and time.monotonic() < until:
        client = Client(ask["tls"], reuse=ask["reuse"])
        try:
            client.enter(ask["host"], ask["port"], ask["user"])
        except ConnectionRefusedError:
            time.sleep(0.02)
        else:
            return client
    return None


if __name__ == "__main__":
    main()
