"""What an FTP server's machine is told holds on a real kernel: the VIP is served, and nobody hears of it by ARP."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from lbftp.core.ftp.host_lines import addresses, host
from lbftp.core.spec import ClusterSpec
from tests.core.ftpd_cases import SPECS

DIRECT: Final = Path(__file__).with_name("direct.py")
AS_ROOT: Final = [] if os.geteuid() == 0 else ["sudo", "--non-interactive"]


def seen(sysctls: Path, spec: ClusterSpec) -> dict[str, list[bool]]:
    argv = [*AS_ROOT, "unshare", "--net", sys.executable, str(DIRECT), str(sysctls), *addresses(spec)]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, list[bool]] = json.loads(done.stdout)
    return found


def test_with_direct_routing_a_server_takes_the_vip_s_packets_and_answers_nobody_who_asks_for_it(
    tmp_path: Path,
) -> None:
    spec = SPECS["direct-dual"]
    path = tmp_path / "sysctl.conf"
    path.write_text(host(spec).files[0].text)
    assert seen(path, spec) == {"192.0.2.100": [False, True], "2001:db8::100": [False, True]}


def test_without_the_sysctls_it_would_answer_for_the_vip(tmp_path: Path) -> None:
    path = tmp_path / "sysctl.conf"
    path.write_text("net.ipv4.conf.all.arp_ignore = 0\n")
    assert seen(path, SPECS["direct-dual"])["192.0.2.100"][0]


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd here")
@pytest.mark.parametrize("name", ["direct", "direct-dual", "tunnel-dual"])
def test_systemd_has_nothing_to_say_about_the_unit(name: str, tmp_path: Path) -> None:
    file = next(f for f in host(SPECS[name]).files if f.path.endswith(".service"))
    path = tmp_path / Path(file.path).name
    path.write_text(file.text)
    done = subprocess.run(["systemd-analyze", "verify", str(path)], capture_output=True, text=True, check=False)
    assert (done.returncode, [line for line in done.stderr.splitlines() if path.name in line]) == (0, [])
