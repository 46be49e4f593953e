"""What an FTP server's own machine needs, whatever the daemon: a way back with NAT, the VIP without
it.

Sources: ip-sysctl (kernel documentation): of `all` and an interface's own value the greater counts,
for arp_ignore, arp_announce and rp_filter alike. ip-address(8): a deprecated address (preferred_lft
0) is no source of new connections.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import Final

from lbftp.core import ours
from lbftp.core.ftp.parts import ConfigFile, header
from lbftp.core.spec import ClusterSpec, cluster_name

_IP: Final = "/sbin/ip"
# The device that takes tunnelled packets is there once its module is loaded.
_TUNNELS: Final = {4: ("ipip", "tunl0"), 6: ("ip6_tunnel", "ip6tnl0")}


@dataclass(frozen=True, slots=True)
class Host:
    """`commands` do it now; `files`, whole, keep it over a restart, and `hint` tells how else to
    keep it.
    """

    commands: tuple[str, ...]
    files: tuple[ConfigFile, ...]
    reason: str
    hint: str


def host(spec: ClusterSpec) -> Host:
    """What to do on every FTP server of `spec`."""
    return _nat(spec) if spec.nat else _direct(spec)


def routes(spec: ClusterSpec) -> tuple[str, ...]:
    """The default routes of a server behind NAT: the addresses that move with the VIPs."""

    def commands() -> Iterator[str]:
        if spec.vip is not None and spec.floating is not None:
            yield f"ip route replace default via {IPv4Address(str(spec.floating))}"
        if spec.vip6 is not None and spec.floating6 is not None:
            yield f"ip -6 route replace default via {IPv6Address(str(spec.floating6))}"

    return tuple(commands())


def _nat(spec: ClusterSpec) -> Host:
    moving = " and ".join(str(side.floating) for side in spec.sides if side.floating is not None)
    move = "moves" if len(spec.sides) == 1 else "move"
    gateways = ", ".join(f"Gateway={side.floating}" for side in spec.sides if side.floating is not None)
    return Host(
        routes(spec),
        (),
        f"With NAT every answer has to come back through the routers; {moving} {move} with the VIP.",
        f"To keep it: {gateways} in the interface's .network file (systemd-networkd), or gateway in "
        "/etc/network/interfaces (ifupdown), or nmcli connection modify (NetworkManager).",
    )


def _direct(spec: ClusterSpec) -> Host:
    name = cluster_name(spec.name)
    files = [
        ConfigFile(ours.server_sysctl_file(name), (*header(spec), *_sysctls(spec))),
        *_modules(spec, name),
        ConfigFile(ours.server_unit_file(name), (*header(spec), *_unit(spec))),
    ]
    return Host(
        tuple(_now(spec, name)),
        tuple(file for file in files if len(file.lines) > 2),
        "Packets come with the VIP as they are, so every server has it, and must not answer ARP for it. Its "
        "default route must not lead through the routers: they drop packets that come from their own VIP.",
        f"Instead of the unit: {_addresses(spec)} for lo, in a .network file (systemd-networkd) or as up commands in "
        "/etc/network/interfaces (ifupdown).",
    )


def _now(spec: ClusterSpec, name: str) -> Iterator[str]:
    """The sysctls before the address, or the first ARP answer takes clients away from the
    routers.
    """
    if spec.forwarding == "TUN":
        yield from (f"modprobe {_TUNNELS[side.family][0]}" for side in spec.sides)
    if spec.vip is not None:
        yield f"sysctl -p {ours.server_sysctl_file(name)}"
    yield "systemctl daemon-reload"
    yield f"systemctl enable --now {ours.server_unit(name)}"


def _sysctls(spec: ClusterSpec) -> Iterator[str]:
    """IPv6 needs none: neighbour solicitations are answered only for addresses of the interface
    that hears them.
    """
    if spec.vip is None:
        return
    yield "# Answer ARP only for addresses of the interface that hears it, and ask with no other's address."
    yield "net.ipv4.conf.all.arp_ignore = 1"
    yield "net.ipv4.conf.all.arp_announce = 2"
    if spec.forwarding == "TUN":
        yield "# Clients' packets come out of the tunnel, though the way back to them leads elsewhere: loose."
        yield "net.ipv4.conf.tunl0.rp_filter = 2"


def _modules(spec: ClusterSpec, name: str) -> Iterator[ConfigFile]:
    if spec.forwarding == "TUN":
        lines = (*header(spec), *(_TUNNELS[side.family][0] for side in spec.sides))
        yield ConfigFile(ours.server_module_file(name), lines)


def _unit(spec: ClusterSpec) -> Iterator[str]:
    """A unit rather than a file for the network's manager: machines differ in that."""
    yield from (
        "[Unit]",
        f"Description=VIP of the cluster {cluster_name(spec.name)}",
        "After=systemd-modules-load.service systemd-sysctl.service",
        "Before=network-online.target",
        "",
        "[Service]",
        "Type=oneshot",
        "RemainAfterExit=yes",
        *(f"ExecStart={_IP} {command}" for command in addresses(spec)),
        *(f"ExecStop={_IP} address del {vip} dev lo" for vip in _vips(spec)),
        "",
        "[Install]",
        "WantedBy=multi-user.target",
    )


def addresses(spec: ClusterSpec) -> Iterator[str]:
    """Arguments of ip(8) that give the machine the VIPs, and open the tunnels."""
    for side, vip in zip(spec.sides, _vips(spec), strict=True):
        if spec.forwarding == "TUN":
            yield f"link set {_TUNNELS[side.family][1]} up"
        yield f"address replace {vip} dev lo" + (" nodad preferred_lft 0" if side.family == 6 else "")


def _vips(spec: ClusterSpec) -> list[str]:
    checked = [IPv4Address(str(s.vip)) if s.family == 4 else IPv6Address(str(s.vip)) for s in spec.sides]
    return [f"{vip}/{vip.max_prefixlen}" for vip in checked]


def _addresses(spec: ClusterSpec) -> str:
    return " and ".join(f"Address={vip}" for vip in _vips(spec))
