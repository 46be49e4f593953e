"""One FTP session with a daemon, both alone in namespaces of their own; what happened goes to standard output as JSON.

Runs as process 1 of its process namespace, so that whatever a daemon starts ends with it.
"""

from __future__ import annotations

import ftplib
import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

PASSWORD = "probe"
# crypt(3) of the password (SHA-256), for ProFTPD's AuthUserFile.
HASHED = "$5$lbftp$ETFd1hkITE245DIOilgH.tuZLlIzUq7o4qU80IM8RO1"


def main(daemon: str, root: Path, folder: Path, lines: list[str]) -> None:
    files = folder / "files"
    files.mkdir()
    (files / "hello").write_text("hello\n")
    for path in (folder, files):
        path.chmod(0o755)
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    argv = {"vsftpd": vsftpd, "proftpd": proftpd, "pure-ftpd": pure_ftpd}[daemon](root, folder, lines)
    libraries = ":".join(str(p) for part in ("lib", "usr/lib") for p in (root / part).glob("*-linux-*"))
    said = folder / "said"
    with said.open("w") as log:
        process = subprocess.Popen(argv, env=os.environ | {"LD_LIBRARY_PATH": libraries}, stdout=log, stderr=log)
        print(json.dumps(session(process) or {"refused": said.read_text()[-500:]}))


def vsftpd(root: Path, folder: Path, lines: list[str]) -> list[str]:
    own = ["listen=YES", "background=NO", "anonymous_enable=YES", "no_anon_password=YES", "ftp_username=root"]
    own += ["run_as_launching_user=YES", "seccomp_sandbox=NO", f"anon_root={folder}/files"]
    return [str(root / "usr/sbin/vsftpd"), write(folder, own + lines)]


def proftpd(root: Path, folder: Path, lines: list[str]) -> list[str]:
    """The lines come first, as we tell people to put them."""
    users = folder / "users"
    users.write_text(f"ftp:{HASHED}:0:0::{folder}/files:/bin/sh\n")
    users.chmod(0o600)
    own = ["ServerName test", "User root", "Group root", "WtmpLog off", "UseReverseDNS off", "DelayEngine off"]
    own += ["RequireValidShell off", f"PidFile {folder}/pid", f"ScoreboardFile {folder}/board"]
    login = ["RootLogin on", f"AuthUserFile {users}", "AuthOrder mod_auth_file.c"]
    text = [*lines, *own, "<Global>", *login, "</Global>"]
    return [str(root / "usr/sbin/proftpd"), "-n", "-q", "-c", write(folder, text)]


def pure_ftpd(root: Path, folder: Path, lines: list[str]) -> list[str]:
    """Its anonymous user is the system's `ftp`, which need not be on this machine."""
    users = folder / "passwd"
    kept = [line for line in Path("/etc/passwd").read_text().splitlines() if not line.startswith("ftp:")]
    users.write_text("\n".join([*kept, f"ftp:x:65534:65534::{folder}/files:/bin/sh", ""]))
    users.chmod(0o644)
    subprocess.run(["mount", "--bind", str(users), "/etc/passwd"], check=True)
    return [
        str(root / "usr/sbin/pure-ftpd"),
        write(folder, ["NoAnonymous no", "Daemonize no", "DontResolve yes", *lines]),
    ]


def write(folder: Path, lines: list[str]) -> str:
    path = folder / "conf"
    path.write_text("\n".join([*lines, ""]))
    return str(path)


def session(process: subprocess.Popen[bytes]) -> dict[str, Any] | None:
    """What a client sees; None if the daemon ended instead of answering."""
    client = connect(process)
    if client is None:
        return None
    client.login("ftp", PASSWORD)
    found: dict[str, Any] = {"welcome": client.welcome}
    with refusal(found, "passive"):
        found["passive"] = [ftplib.parse227(client.sendcmd("PASV")) for _ in range(3)]  # noqa: S321
    with refusal(found, "active"), socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(10)
        client.sendport("127.0.0.1", server.getsockname()[1])
        client.putcmd("NLST")
        connection, found["active"] = server.accept()
        connection.close()
    return found


class refusal:  # noqa: N801 - reads as a word of the statement
    """Notes the answer with which a mode was refused."""

    def __init__(self, found: dict[str, Any], key: str) -> None:
        self.found, self.key = found, key

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _trace: object) -> bool:
        if isinstance(error, ftplib.error_perm):
            self.found[self.key] = str(error)
            return True
        return False


def connect(process: subprocess.Popen[bytes]) -> ftplib.FTP | None:
    client = ftplib.FTP()  # noqa: S321
    until = time.monotonic() + 20
    while process.poll() is None and time.monotonic() < until:
        try:
            client.connect("127.0.0.1", 21, timeout=10)
        except ConnectionRefusedError:
            time.sleep(0.02)
        else:
            return client
    return None


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), sys.argv[4:])
