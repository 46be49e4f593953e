"""The description of the laboratory agrees with itself and with what is rendered from it."""

from __future__ import annotations

import hashlib
import ipaddress
import re
from pathlib import Path

import pytest

from lab import command, guest, image, topology
from lab.command import Folders
from lab.topology import HOSTS, MACHINES, NETWORKS, endpoints

FOLDERS = Folders(Path("/run/lab"), Path("/tmp/sockets"))
PORTS = {name: 20000 + number for number, name in enumerate(endpoints())}


def test_every_address_is_in_its_network_and_unique() -> None:
    seen = [address for host in HOSTS for card in host.interfaces for address in card.addresses]
    assert len(seen) == len(set(seen))
    for host in HOSTS:
        for card in host.interfaces:
            nets = [str(ipaddress.ip_interface(address).network) for address in card.addresses]
            assert set(nets) == set(NETWORKS[card.network])


def test_nobody_holds_the_floating_addresses() -> None:
    held = {address.partition("/")[0] for host in HOSTS for card in host.interfaces for address in card.addresses}
    assert held.isdisjoint({topology.VIP, topology.INTERNAL_FLOATING, topology.INTERNAL_FLOATING6})


def test_cards_have_names_of_their_own_that_linux_accepts() -> None:
    macs = [card.mac for host in HOSTS for card in host.interfaces] + [each.management_mac for each in MACHINES]
    assert len(macs) == len(set(macs))
    assert all(len(guest.card_name(host, card)) <= 15 for host in HOSTS for card in host.interfaces)


def test_unknown_host_is_answered_with_the_known_ones() -> None:
    with pytest.raises(KeyError, match="there are r1, r2, ftp1, ftp2, client"):
        topology.host("r9")


@pytest.mark.parametrize("machine", MACHINES, ids=lambda machine: machine.name)
def test_qemu_forwards_every_host_and_nothing_else(machine: topology.Machine) -> None:
    argv = command.qemu(machine, Path("/image"), FOLDERS, "tcg", PORTS)
    management = next(word for word in argv if word.startswith("user,"))
    assert "restrict=on" in management
    names = [machine.name, *(host.name for host in machine.hosts)]
    forwarded = {int(port) for port in re.findall(r"hostfwd=tcp:127\.0\.0\.1:(\d+)-", management)}
    assert forwarded == {PORTS[name] for name in names}
    assert int(argv[argv.index("-m") + 1]) <= 512


def test_commas_in_paths_do_not_become_options() -> None:
    argv = command.qemu(MACHINES[0], Path("/image"), Folders(Path("/a,b"), Path("/c,d")), "tcg", PORTS)
    assert any(word.startswith("file=/a,,b/r1.qcow2,") for word in argv)
    assert any("sock=/c,,d/public" in word for word in argv)


def test_probe_is_the_same_for_ever() -> None:
    digest = "951ba2251410ba862497c99707bf1344fff5d687a852714939c9661fb7ccc0c5"
    assert hashlib.sha256(guest.probe_content()).hexdigest() == digest
    assert len(guest.probe_content()) == 256 * 1024
    files = [guest.ftp_files(host) for host in HOSTS if host.role == "real-server"]
    assert [each["probe.bin.sha256"] for each in files] == [f"{digest}  probe.bin\n".encode()] * 2
    assert [each["server.txt"] for each in files] == [b"ftp1\n", b"ftp2\n"]


@pytest.mark.parametrize(
    ("line", "kept"),
    [
        ("deb http://mirror.invalid/debian bookworm main", True),
        ("deb [signed-by=/k.gpg] http://mirror.invalid/debian bookworm-security main contrib", True),
        ("# deb http://mirror.invalid/debian bookworm main", False),
        ("deb-src http://mirror.invalid/debian bookworm main", False),
        ("deb http://mirror.invalid/other bookworm stable", False),
        ("deb http://mirror.invalid/ubuntu noble main", False),
        ("Types: deb\nURIs: http://mirror.invalid/debian\nSuites: bookworm bookworm-updates\nComponents: main", True),
        ("Types: deb\nURIs: http://mirror.invalid/x\nSuites: nodistro\nComponents: main", False),
    ],
)
def test_only_debians_own_sources_are_taken_over(line: str, kept: bool) -> None:
    assert image.is_debian(line) is kept
