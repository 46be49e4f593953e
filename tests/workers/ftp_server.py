"""A real vsftpd and the probe's sessions with it, alone in namespaces of their own; their lines go to standard output.

Runs as process 1 of its process namespace, so that the daemon ends with it.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

PASSWORD = "probe"


def main(root: Path, folder: Path, program: Path, port: int, lines: list[str]) -> None:
    # vsftpd hands out what everybody may read; the tests' own umask, which is the site's, would hide it.
    os.umask(0o022)
    files = folder / "files"
    files.mkdir()
    (files / "hello").write_text("hello\n")
    (files / "incoming").mkdir()
    for path in (folder, files):
        path.chmod(0o755)
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    libraries = ":".join(str(p) for part in ("lib", "usr/lib") for p in (root / part).glob("*-linux-*"))
    argv = [str(root / "usr/sbin/vsftpd"), configuration(folder, [f"listen_port={port}", *lines])]
    with (folder / "said").open("w") as log:
        server = subprocess.Popen(argv, env=os.environ | {"LD_LIBRARY_PATH": libraries}, stdout=log, stderr=log)
        wait(server, port, folder)
        subprocess.run([sys.executable, str(program)], check=True)


def configuration(folder: Path, lines: list[str]) -> str:
    """An anonymous server of the folder's files; of a setting that is there twice, vsftpd takes the last."""
    own = ["listen=NO", "listen_ipv6=YES", "background=NO", "anonymous_enable=YES"]
    own += ["ftp_username=root", "run_as_launching_user=YES", "seccomp_sandbox=NO", f"anon_root={folder}/files"]
    path = folder / "conf"
    path.write_text("\n".join([*own, *lines, ""]))
    return str(path)


def wait(server: subprocess.Popen[bytes], port: int, folder: Path) -> None:
    until = time.monotonic() + 20
    while server.poll() is None and time.monotonic() < until:
        try:
            socket.create_connection(("127.0.0.1", port), 10).close()
        except ConnectionRefusedError:
            time.sleep(0.02)
        else:
            return
    raise SystemExit((folder / "said").read_text() or "the server does not listen")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4]), sys.argv[5:])
