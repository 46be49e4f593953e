"""Why a router whose firewall belongs to firewalld is refused (FTP105), shown by the real daemon in a namespace."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

import pytest

from lbftp.core.observe.iptables import parse
from lbftp.core.observe.nftables import parse as parse_nft
from lbftp.core.render import iptables, nftables
from ops.bootstrap import UNPACK_INTO
from tests.core.cases import GUIDE, R1
from tests.kernel.namespace import Namespace, namespace

# firewalld's own Python, with the modules that Debian packages for it.
PYTHON = ("/usr/bin/python3", "-s")
BUS = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>system</type><listen>unix:path={folder}/bus</listen><auth>EXTERNAL</auth>
<policy context="default"><allow user="*"/><allow own="*"/><allow send_type="method_call"/>
<allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/></policy></busconfig>
"""
DROPPING = "*filter\n:INPUT DROP [0:0]\n:FORWARD DROP [0:0]\n:OUTPUT ACCEPT [0:0]\nCOMMIT\n"
LISTEN = """
import socket
with socket.create_server(("192.0.2.100", 21)) as server:
    while True:
        server.accept()[0].close()
"""
CONNECT = "import socket; socket.create_connection(('192.0.2.100', 21), timeout=3).close()"


class Daemon:
    """firewalld as it is installed, with no zone changed."""

    def __init__(self, alone: Namespace, folder: Path) -> None:
        self.alone = alone
        libraries = next((UNPACK_INTO / "usr/lib").glob("*-linux-gnu"))
        self.environment = {
            "DBUS_SYSTEM_BUS_ADDRESS": f"unix:path={folder}/bus",
            "PYTHONPATH": str(UNPACK_INTO / "usr/lib/python3/dist-packages"),
            "GI_TYPELIB_PATH": str(libraries / "girepository-1.0"),
            "LD_LIBRARY_PATH": str(libraries),
        }

    def says(self, word: str) -> bool:
        """Whether firewall-cmd carries `word` out."""
        return self.alone.works(*PYTHON, str(UNPACK_INTO / "usr/bin/firewall-cmd"), word, **self.environment)


@contextmanager
def firewalld(alone: Namespace, folder: Path) -> Iterator[Daemon]:
    (folder / "bus.conf").write_text(BUS.format(folder=folder))
    daemon = Daemon(alone, folder)
    bus = (str(UNPACK_INTO / "usr/bin/dbus-daemon"), f"--config-file={folder}/bus.conf", "--nofork", "--nopidfile")
    places = ("--default-config", str(UNPACK_INTO / "usr/lib/firewalld"), "--system-config", str(folder))
    program = (*PYTHON, str(UNPACK_INTO / "usr/sbin/firewalld"), "--nofork", "--nopid", *places)
    with (folder / "said").open("w") as said, ExitStack() as stack:
        stack.enter_context(_running(alone, bus, said, **daemon.environment))
        _until((folder / "bus").exists, folder)
        stack.enter_context(_running(alone, (*program, "--log-file", str(folder / "log")), said, **daemon.environment))
        _until(lambda: daemon.says("--state"), folder)
        yield daemon


@contextmanager
def _running(alone: Namespace, argv: tuple[str, ...], said: IO[str], **more: str) -> Iterator[subprocess.Popen[str]]:
    process = alone.start(*argv, output=said, **more)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(30)


def _until(there: Callable[[], bool], folder: Path) -> None:
    for _ in range(150):
        if there():
            return
        time.sleep(0.2)
    raise AssertionError((folder / "said").read_text())


class Client:
    """A host of its own beside the router, on a cable to it."""

    def __init__(self, alone: Namespace, number: int) -> None:
        self.alone, self.number = alone, str(number)
        for words in (
            "link add pub0 type veth peer name client",
            f"link set client netns {number}",
            "address add 192.0.2.2/24 dev pub0",
            "address add 192.0.2.100/32 dev pub0",
            "link set pub0 up",
        ):
            alone.run("ip", *words.split())
        for words in ("address add 192.0.2.9/24 dev client", "link set client up"):
            alone.run(*self._there, "ip", *words.split())

    @property
    def _there(self) -> tuple[str, ...]:
        return ("nsenter", f"--target={self.number}", "--net")

    def connects(self) -> bool:
        return self.alone.works(*self._there, *PYTHON, "-c", CONNECT)


@pytest.fixture
def alone() -> Iterator[Namespace]:
    with namespace() as found:
        yield found


@pytest.fixture
def client(alone: Namespace, tmp_path: Path) -> Iterator[Client]:
    """A client of the VIP, where somebody listens and nothing but our rules lets anybody in."""
    with (tmp_path / "said").open("w") as said, ExitStack() as stack:
        host = stack.enter_context(_running(alone, ("unshare", "--net", "sleep", "300"), said))
        own = f"[ $(readlink /proc/{host.pid}/ns/net) != $(readlink /proc/self/ns/net) ]"
        _until(lambda: alone.works("sh", "-c", own), tmp_path)
        found = Client(alone, host.pid)
        stack.enter_context(_running(alone, (*PYTHON, "-c", LISTEN), said))
        _until(found.connects, tmp_path)
        alone.run("iptables-restore", given=DROPPING)
        assert not found.connects()
        running = parse(alone.run("iptables-save"))
        alone.run(
            "iptables-restore", "--noflush", given=iptables.load(iptables.chains(GUIDE, R1, running), (), running)
        )
        assert found.connects()
        yield found


def test_it_takes_our_rules_away_and_rejects_what_they_accept(alone: Namespace, client: Client, tmp_path: Path) -> None:
    ours = alone.run("iptables-save")
    assert "LBFTP-ftp-in" in ours
    with firewalld(alone, tmp_path) as daemon:
        assert "LBFTP" not in alone.run("iptables-save")
        alone.run("iptables-restore", given=ours)
        assert not client.connects()
        told = dict(nftables.foreign_drops(GUIDE, R1, parse_nft(alone.run("nft", "-j", "list", "ruleset"))))
        assert "meta mark 0x15 accept" in told["chain filter_INPUT of table inet firewalld"]
        assert "chain filter_FORWARD of table inet firewalld" in told
        assert "LBFTP-ftp-in" in alone.run("iptables-save")
        assert daemon.says("--reload")
        assert "LBFTP" not in alone.run("iptables-save")


def test_it_rejects_what_our_native_table_marks_too(alone: Namespace, client: Client, tmp_path: Path) -> None:
    """Its reload leaves a table that is not its own; its chains come after ours and have the last word."""
    alone.run("nft", "flush", "ruleset")
    own = nftables.table(GUIDE, R1)
    alone.run("nft", "-f", "-", given=nftables.load(own))
    assert client.connects()
    with firewalld(alone, tmp_path) as daemon:
        assert daemon.says("--reload")
        assert nftables.in_step(own, parse_nft(alone.run("nft", "-j", "list", "ruleset")))
        assert not client.connects()
