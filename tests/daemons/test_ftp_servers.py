"""The real FTP servers take the lines that are rendered, do what they say, and read a configuration as our readers do."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from lbftp.core.observe.errors import ObserveError
from lbftp.core.observe.ftpd import Daemon, FtpServer, pure_ftpd, pure_ftpd_files, vsftpd
from lbftp.core.observe.proftpd import proftpd
from lbftp.core.render.ftpd import snippet
from lbftp.core.spec import ClusterSpec, PortRange
from ops.bootstrap import UNPACK_INTO
from tests.core.cases import GUIDE, guide

SESSION = Path(__file__).with_name("session.py")
AS_ROOT = [] if os.geteuid() == 0 else ["sudo", "--non-interactive"]
ALONE = ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
SPECS = {"guide": GUIDE, "narrow": guide(passive=PortRange(30000, 30003), persistence_timeout=240)}


def happens(daemon: Daemon, lines: list[str], folder: Path) -> dict[str, Any]:
    """What a client sees of `daemon` with these lines; `refused` alone if it does not start."""
    argv = [*AS_ROOT, *ALONE, sys.executable, str(SESSION), daemon, str(UNPACK_INTO), str(folder), *lines]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def read(daemon: Daemon, lines: list[str]) -> FtpServer:
    text = "\n".join(lines)
    return {"vsftpd": vsftpd, "proftpd": lambda t: proftpd(t)[0], "pure-ftpd": pure_ftpd}[daemon](text)


def agrees(said: FtpServer, seen: dict[str, Any]) -> None:
    """What the reader says is what the client sees."""
    if said.passive_on:
        low, high = said.passive or (1024, 65535)
        assert all(low <= port <= high for _, port in seen["passive"])
        assert {address for address, _ in seen["passive"]} == {said.pasv_address or "127.0.0.1"}
    else:
        assert isinstance(seen["passive"], str)
    if not said.active_on:
        assert isinstance(seen["active"], str)
    elif said.data_port:
        assert seen["active"] == ["127.0.0.1", said.data_port]
    else:
        assert seen["active"][1] > 1023


@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
@pytest.mark.parametrize("daemon", ["vsftpd", "proftpd", "pure-ftpd"])
def test_the_lines_do_what_the_cluster_needs(daemon: Daemon, spec: ClusterSpec, tmp_path: Path) -> None:
    lines = list(snippet(spec, daemon, "redhat").files[0].lines)
    seen = happens(daemon, lines, tmp_path)
    assert {address for address, _ in seen["passive"]} == {"127.0.0.1"}
    assert all(port in spec.passive for _, port in seen["passive"])
    assert seen["active"] == ["127.0.0.1", 20]
    agrees(read(daemon, lines), seen)
    if daemon == "pure-ftpd":
        assert f"disconnected after {read(daemon, lines).idle_timeout // 60} minutes" in seen["welcome"]


READINGS: list[tuple[Daemon, list[str]]] = [
    ("vsftpd", []),
    ("vsftpd", ["pasv_min_port=30000", "pasv_max_port=30003", "pasv_min_port=31000", "pasv_max_port=31003"]),
    ("vsftpd", ["  pasv_min_port=64000 and more", "pasv_max_port=50"]),
    ("vsftpd", ["pasv_min_port=0100000", "pasv_max_port=0100003", "#", "   "]),
    ("vsftpd", ["pasv_address=192.0.2.100", "connect_from_port_20=true", "ftp_data_port=22"]),
    ("vsftpd", ["pasv_address=192.0.2.100", "pasv_address="]),
    ("vsftpd", ["pasv_enable=NO", "port_enable=0"]),
    ("proftpd", []),
    ("proftpd", ["PassivePorts 30000 30003", "PassivePorts 31000 31003", "ROOTREVOKE off # kept"]),
    ("proftpd", ["passiveports 30000 \\", "30003", "RootRevoke on"]),
    ("proftpd", ["PassivePorts 30000 30003", "<Global>", "PassivePorts 31000 31003", "RootRevoke off", "</Global>"]),
    ("proftpd", ["<Global>", "PassivePorts 30000 30003", "PassivePorts 31000 31003", "</Global>"]),
    ("proftpd", ["<Global>", "PassivePorts 30000 30003", "</Global>", "<Global>", "PassivePorts 31000 31003", "</Global>"]),
    ("proftpd", ["<IfModule !mod_none.c>", "</IfModule>", "<IfModule mod_auth.c>", "PassivePorts 30000 30003", "</IfModule>"]),
    ("proftpd", ["<IfDefine NOT_DEFINED>", "PassivePorts 100 99", "</IfDefine>", "MasqueradeAddress 192.0.2.100"]),
    ("proftpd", ["# a comment does not go on \\", "PassivePorts 30000 30003", "Port 21", "Port 2121"]),
    ("pure-ftpd", []),
    ("pure-ftpd", ["PassivePortRange 30000 30003", "passiveportrange: 31000 31003"]),
    ("pure-ftpd", ["NATmode TRUE"]),
    ("pure-ftpd", ["ForcePassiveIP 192.0.2.100", "MaxIdleTime 0"]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("daemon", "lines"), READINGS, ids=lambda value: "; ".join(value)[:50] if isinstance(value, list) else value
)
def test_a_daemon_does_what_its_reader_says(daemon: Daemon, lines: list[str], tmp_path: Path) -> None:
    agrees(read(daemon, lines), happens(daemon, lines, tmp_path))


def test_a_virtual_host_has_the_global_lines_and_not_the_main_server_s(tmp_path: Path) -> None:
    host = ["Port 2100", "<VirtualHost 127.0.0.1>", "</VirtualHost>"]
    for name, lines in {
        "main": ["PassivePorts 30000 30003", "RootRevoke off"],
        "common": ["<Global>", "PassivePorts 30000 30003", "RootRevoke off", "</Global>"],
    }.items():
        (tmp_path / name).mkdir()
        seen = happens("proftpd", [*lines, *host], tmp_path / name)
        said = proftpd("\n".join([*lines, *host]))[1]
        assert (said.passive, said.data_port) == (None, 0) if name == "main" else ((30000, 30003), 20)
        agrees(said, seen)


@pytest.mark.parametrize(("daemon", "line"), [
    ("vsftpd", "pasv_min_port = 30000"), ("vsftpd", "pasv_min_port"), ("vsftpd", "pasv_min_port="),
    ("vsftpd", "connect_from_port_20=YES "), ("vsftpd", " # a comment"), ("vsftpd", "port_enable=maybe"),
    ("proftpd", "PassivePorts 30000"), ("proftpd", "PassivePorts 30003 30000"), ("proftpd", "PassivePorts 30000 30000"), ("proftpd", "PassivePorts 1023 30000"), ("proftpd", "TimeoutIdle 5x"),
    ("proftpd", "<Global>"), ("proftpd", "PassivePorts low high"),
    ("pure-ftpd", "PassivePortRange 30000:30003"), ("pure-ftpd", "MaxIdleTime 5 # minutes"), ("pure-ftpd", "MaxIdleTime"),
])  # fmt: skip
def test_what_a_reader_refuses_the_daemon_refuses_too(daemon: Daemon, line: str, tmp_path: Path) -> None:
    with pytest.raises(ObserveError):
        read(daemon, [line])
    assert "refused" in happens(daemon, [line], tmp_path)


@pytest.mark.parametrize("platform", ["debian", "redhat"])
def test_proftpd_s_own_check_has_nothing_to_say(platform: Any, tmp_path: Path) -> None:
    path = tmp_path / "proftpd.conf"
    path.write_text("".join([snippet(GUIDE, "proftpd", platform).files[0].text, "ServerName t\n", "User nobody\n"]))
    libraries = ":".join(str(p) for part in ("lib", "usr/lib") for p in (UNPACK_INTO / part).glob("*-linux-*"))
    argv = [str(UNPACK_INTO / "usr/sbin/proftpd"), "-t", "-c", str(path)]
    done = subprocess.run(argv, env={"LD_LIBRARY_PATH": libraries}, capture_output=True, text=True, check=False)
    assert (done.returncode, "fatal" in done.stderr) == (0, False), done.stderr


def test_debian_s_wrapper_makes_the_right_options_of_the_files(tmp_path: Path) -> None:
    wanted = snippet(guide(persistence_timeout=200), "pure-ftpd", "debian")
    for folder in ("conf", "auth"):
        (tmp_path / "pure-ftpd" / folder).mkdir(parents=True)
    for file in wanted.files:
        (tmp_path / Path(file.path).relative_to("/etc")).write_text(file.text)
    wrapper = f"mount --bind {tmp_path} /etc && perl {UNPACK_INTO}/usr/sbin/pure-ftpd-wrapper --show-options"
    argv = ["unshare", "--map-root-user", "--mount", "sh", "-c", wrapper]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    assert {"-p 10000:20000", "-I 3"} <= {f"-{word.strip()}" for word in f" {done.stdout}".split(" -")}
    read_back = pure_ftpd_files({Path(f.path).name: f.text for f in wanted.files})
    assert (read_back.passive, read_back.idle_timeout) == ((10000, 20000), 180)
