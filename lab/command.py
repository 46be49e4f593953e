"""Command lines of QEMU and the switches. Text only; nothing here starts anything."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lab.speed import TRANSLATED_MIB
from lab.topology import NETWORKS, Machine, NetworkName, endpoints

ACCELERATION = {
    "kvm": ["-accel", "kvm", "-cpu", "host"],
    "tcg": ["-accel", f"tcg,thread=multi,tb-size={TRANSLATED_MIB}", "-cpu", "max"],
}
# norandmaps: QEMU keeps translated code by its address. Programs that lie elsewhere each time are translated each time,
# with which a look at a router took two and a half times as long.
KERNEL_LINE = (
    "root=/dev/vda rw console=ttyS0 loglevel=4 mitigations=off norandmaps panic=5 init=/usr/lib/lab/first-boot"
)


@dataclass(frozen=True, slots=True)
class Folders:
    """Where one running laboratory keeps its files. `sockets` may be elsewhere: socket paths must be short."""

    base: Path
    sockets: Path

    def disk(self, machine: str) -> Path:
        """The machine's own disk."""
        return self.base / f"{machine}.qcow2"

    def log(self, machine: str) -> Path:
        """What the machine wrote to its serial line since its last start."""
        return self.base / f"{machine}.log"

    def pidfile(self, name: str) -> Path:
        """Pid file of a machine or a switch."""
        return self.base / f"{name}.pid"

    def monitor(self, machine: str) -> Path:
        """QMP socket of a machine."""
        return self.sockets / f"{machine}.qmp"

    def switch(self, network: str) -> Path:
        """Folder of a switch's sockets."""
        return self.sockets / network


def qemu(machine: Machine, image: Path, folders: Folders, acceleration: str, ports: dict[str, int]) -> list[str]:
    """The QEMU command for a machine; `image` holds kernel and initrd, `ports` maps endpoints to ports here."""
    return [
        *["qemu-system-x86_64", "-name", f"lab-{machine.name}", "-nodefaults", "-no-user-config", "-display", "none"],
        *["-machine", "pc", *ACCELERATION[acceleration], "-smp", "1", "-m", str(machine.memory_mib)],
        *["-kernel", str(image / "vmlinuz"), "-initrd", str(image / "initrd.img")],
        *["-append", f"{KERNEL_LINE} lab.machine={machine.name}"],
        *["-drive", f"file={_escape(folders.disk(machine.name))},if=none,id=disk,format=qcow2,cache=unsafe"],
        *["-device", "virtio-blk-pci,drive=disk"],
        *_management(machine, ports),
        *_cards(machine, folders),
        *["-chardev", f"file,id=serial,path={_escape(folders.log(machine.name))}", "-serial", "chardev:serial"],
        *["-qmp", f"unix:{_escape(folders.monitor(machine.name))},server=on,wait=off"],
        *["-pidfile", str(folders.pidfile(machine.name)), "-daemonize"],
    ]


def switch(network: NetworkName, folders: Folders) -> list[str]:
    """The command of one network's switch."""
    socket = str(folders.switch(network))
    return ["vde_switch", "-sock", socket, "-daemon", "-pidfile", str(folders.pidfile(f"switch-{network}"))]


def networks() -> tuple[NetworkName, ...]:
    """Names of the networks that have a switch."""
    return tuple(NETWORKS)


def _management(machine: Machine, ports: dict[str, int]) -> list[str]:
    inside = {name: port for name, (owner, port) in endpoints().items() if owner == machine.name}
    forwards = "".join(f",hostfwd=tcp:127.0.0.1:{ports[name]}-:{port}" for name, port in inside.items())
    return ["-netdev", f"user,id=mgmt,restrict=on,ipv6=off{forwards}", *_card("mgmt", machine.management_mac)]


def _cards(machine: Machine, folders: Folders) -> list[str]:
    words = []
    cards = [card for host in machine.hosts for card in host.interfaces]
    for number, card in enumerate(cards):
        words += ["-netdev", f"vde,id=card{number},sock={_escape(folders.switch(card.network))}"]
        words += _card(f"card{number}", card.mac)
    return words


def _card(netdev: str, mac: str) -> list[str]:
    return ["-device", f"virtio-net-pci,netdev={netdev},mac={mac},romfile="]


def _escape(path: Path) -> str:
    """QEMU's options are separated by commas; a comma in a value is written twice."""
    return str(path).replace(",", ",,")
