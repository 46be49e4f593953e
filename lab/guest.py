"""Files of the guests that follow from the topology: interface names, addresses, SSH units, FTP content."""

from __future__ import annotations

import hashlib

from lab.topology import HOSTS, Host, Interface, Machine

PROBE_SIZE = 256 * 1024


def machine_files(machine: Machine) -> dict[str, str]:
    """Absolute path on the machine -> text, for everything that the topology decides."""
    files = {"/etc/lab/network": network_script(machine)}
    files["/etc/systemd/network/10-mgmt0.link"] = link_file(machine.management_mac, "mgmt0")
    for host in machine.hosts:
        for card in host.interfaces:
            name = card_name(host, card)
            files[f"/etc/systemd/network/10-{name}.link"] = link_file(card.mac, name)
        if host.namespaced:
            files[f"/etc/systemd/system/lab-ssh-{host.name}.socket"] = ssh_socket(host)
            files[f"/etc/systemd/system/lab-ssh-{host.name}@.service"] = ssh_service(host)
    return files


def ftp_files(host: Host) -> dict[str, bytes]:
    """What one FTP server offers: path in the FTP user's home -> content. probe.bin is the same on all."""
    probe = probe_content()
    checksum = f"{hashlib.sha256(probe).hexdigest()}  probe.bin\n"
    return {"probe.bin": probe, "probe.bin.sha256": checksum.encode(), "server.txt": f"{host.name}\n".encode()}


def probe_content() -> bytes:
    """PROBE_SIZE bytes that look random and are the same in every build."""
    blocks = (hashlib.sha256(f"lab probe {number}".encode()).digest() for number in range(PROBE_SIZE // 32))
    return b"".join(blocks)


def card_name(host: Host, card: Interface) -> str:
    """The card's name where udev first sees it; a namespaced host's card is renamed when it is moved."""
    return f"{host.name}-{card.name}" if host.namespaced else card.name


def link_file(mac: str, name: str) -> str:
    """A systemd .link file that fixes the name by the MAC address."""
    return f"[Match]\nMACAddress={mac}\n\n[Link]\nName={name}\n"


def network_script(machine: Machine) -> str:
    """The shell text that gives a machine its addresses at boot."""
    cards = [card_name(host, card) for host in machine.hosts for card in host.interfaces]
    lines = [f"until [ -e /sys/class/net/{name} ]; do sleep 0.1; done" for name in ("mgmt0", *cards)]
    lines += ["ip link set lo up", "ip address replace 10.0.2.15/24 dev mgmt0", "ip link set mgmt0 up"]
    for host in machine.hosts:
        lines += _namespace_lines(host) if host.namespaced else []
        for card in host.interfaces:
            lines += _card_lines(host, card)
    return "\n".join(lines) + "\n"


def _namespace_lines(host: Host) -> list[str]:
    lines = [f"ip netns add {host.name}", f"ip -n {host.name} link set lo up"]
    for card in host.interfaces:
        lines.append(f"ip link set {card_name(host, card)} netns {host.name} name {card.name}")
    return lines


def _card_lines(host: Host, card: Interface) -> list[str]:
    ip = f"ip -n {host.name}" if host.namespaced else "ip"
    lines = []
    # The address that is added first is used for connections in IPv4, the one added last in IPv6.
    v4 = [address for address in card.addresses if ":" not in address]
    for address in v4 + [address for address in reversed(card.addresses) if ":" in address]:
        nodad = " nodad" if ":" in address else ""
        lines.append(f"{ip} address replace {address} dev {card.name}{nodad}")
    lines.append(f"{ip} link set {card.name} up")
    return lines + [f"{ip} route replace default via {gateway} dev {card.name}" for gateway in card.gateways]


def ssh_socket(host: Host) -> str:
    """A socket in the machine's own network that starts one sshd per connection inside the host's."""
    return f"""[Unit]
Description=SSH of {host.name}
Requires=lab-network.service
After=lab-network.service

[Socket]
ListenStream=0.0.0.0:{host.ssh_port}
Accept=yes
MaxConnections=256
TriggerLimitIntervalSec=0

[Install]
WantedBy=sockets.target
"""


def ssh_service(host: Host) -> str:
    """One SSH connection to a namespaced host: its network, its /etc, its homes, its state, its name."""
    own = f"/var/lib/lab/{host.name}"
    return f"""[Unit]
Description=SSH connection to {host.name}
CollectMode=inactive-or-failed

[Service]
NetworkNamespacePath=/run/netns/{host.name}
BindPaths={own}/etc:/etc {own}/home:/home {own}/root:/root {own}/log:/var/log {own}/state:/var/lib/lbftp
ExecStart=-/usr/bin/unshare --uts /bin/sh -c 'hostname {host.name}; exec /usr/sbin/sshd -i'
StandardInput=socket
StandardError=journal
KillMode=process
"""


def namespaced_hosts() -> tuple[Host, ...]:
    """The hosts that live on somebody else's machine."""
    return tuple(host for host in HOSTS if host.namespaced)
