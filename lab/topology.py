"""Who is in the laboratory and which addresses they have. Constants only; nothing here acts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Role = Literal["router", "real-server", "client"]
NetworkName = Literal["public", "internal"]

VIP = "192.0.2.100"
INTERNAL_FLOATING = "10.0.50.1"
INTERNAL_FLOATING6 = "fd00:50::1"
NETWORKS: dict[NetworkName, tuple[str, str]] = {
    "public": ("192.0.2.0/24", "2001:db8:2::/64"),
    "internal": ("10.0.50.0/24", "fd00:50::/64"),
}
INTERFACE: dict[NetworkName, str] = {"public": "pub0", "internal": "int0"}


@dataclass(frozen=True, slots=True)
class Interface:
    """One network card of a host. `addresses` carry their prefix length, IPv4 first."""

    network: NetworkName
    mac: str
    addresses: tuple[str, ...]
    gateways: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The name on the host: pub0 or int0."""
        return INTERFACE[self.network]

    @property
    def address(self) -> str:
        """The first IPv4 address, without its prefix length."""
        return self.addresses[0].partition("/")[0]


@dataclass(frozen=True, slots=True)
class Host:
    """What people see as one computer. `ssh_port` is the port inside its machine."""

    name: str
    role: Role
    machine: str
    ssh_port: int
    interfaces: tuple[Interface, ...]

    @property
    def namespaced(self) -> bool:
        """Whether the host is a network namespace of its machine."""
        return self.name != self.machine

    def address(self, network: NetworkName) -> str | None:
        """Its first IPv4 address on that network, None if it is not on it."""
        return next((card.address for card in self.interfaces if card.network == network), None)

    def addresses(self, network: NetworkName) -> list[str]:
        """All its addresses on that network, without prefix lengths."""
        found = [card for card in self.interfaces if card.network == network]
        return [address.partition("/")[0] for card in found for address in card.addresses]


@dataclass(frozen=True, slots=True)
class Machine:
    """One QEMU process. `number` goes into its management card's MAC address."""

    name: str
    number: int
    memory_mib: int

    @property
    def hosts(self) -> tuple[Host, ...]:
        """The hosts on this machine, in the order of HOSTS."""
        return tuple(host for host in HOSTS if host.machine == self.name)

    @property
    def management_mac(self) -> str:
        """MAC address of mgmt0."""
        return _mac(self.number, 0)


def _mac(machine: int, card: int) -> str:
    return f"52:54:00:4c:{machine:02x}:{card:02x}"


def _public(number: int, card: int, *last: int) -> Interface:
    v4 = tuple(f"192.0.2.{part}/24" for part in last)
    return Interface("public", _mac(number, card), v4 + tuple(f"2001:db8:2::{part}/64" for part in last))


def _internal(number: int, card: int, last: int, *, routed: bool) -> Interface:
    gateways = (INTERNAL_FLOATING, INTERNAL_FLOATING6) if routed else ()
    return Interface("internal", _mac(number, card), (f"10.0.50.{last}/24", f"fd00:50::{last}/64"), gateways)


HOSTS: tuple[Host, ...] = (
    Host("r1", "router", "r1", 22, (_public(1, 1, 2), _internal(1, 2, 2, routed=False))),
    Host("r2", "router", "r2", 22, (_public(2, 1, 3), _internal(2, 2, 3, routed=False))),
    Host("ftp1", "real-server", "net", 2201, (_internal(3, 2, 11, routed=True),)),
    Host("ftp2", "real-server", "net", 2202, (_internal(3, 3, 12, routed=True),)),
    Host("client", "client", "net", 2203, (_public(3, 1, *range(50, 58)),)),
)
MACHINES: tuple[Machine, ...] = (Machine("r1", 1, 320), Machine("r2", 2, 320), Machine("net", 3, 320))

ACCOUNTS: dict[str, dict[str, str]] = {
    "root": {"login": "key", "sudo": "root"},
    "admin": {"login": "key", "sudo": "without password"},
    "pwadmin": {"login": "password", "password": "lab-admin-password", "sudo": "with password"},
    "nosudo": {"login": "key", "sudo": "no"},
}
FTP_ACCOUNT = {"user": "ftpuser", "password": "lab-ftp-password"}


def host(name: str) -> Host:
    """The host of that name; KeyError names the ones there are."""
    for candidate in HOSTS:
        if candidate.name == name:
            return candidate
    raise KeyError(f"no host {name!r} in the lab; there are {', '.join(each.name for each in HOSTS)}")


def endpoints() -> dict[str, tuple[str, int]]:
    """Every SSH endpoint: its name -> (machine, port inside). Machines without a host of their name come too."""
    found = {machine.name: (machine.name, 22) for machine in MACHINES}
    return found | {each.name: (each.machine, each.ssh_port) for each in HOSTS}
