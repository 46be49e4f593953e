"""Control ports, the passive range and the mark."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from lbftp.core.lint.rule import Rule, be, error, info, listed, warning
from lbftp.core.problem import Problem
from lbftp.core.spec import ClusterSpec

# Linux: net.ipv4.ip_local_port_range.
EPHEMERAL_LOW: Final = 32768
# IANA: ftp-data and ftps-data.
DATA_PORTS: Final = (20, 989)
# What people expect at these ports of an address (IANA). A client at the VIP's port 22 is probably an administrator.
SERVICES: Final = {
    22: "SSH", 23: "Telnet", 25: "SMTP", 53: "DNS", 80: "HTTP", 110: "POP3", 143: "IMAP", 179: "BGP", 443: "HTTPS",
    445: "SMB", 465: "SMTPS", 587: "mail submission", 993: "IMAPS", 995: "POP3S", 1433: "SQL Server", 1521: "Oracle",
    2049: "NFS", 3306: "MySQL", 3389: "RDP", 5432: "PostgreSQL", 5900: "VNC", 6379: "Redis", 8080: "HTTP",
    8443: "HTTPS",
}  # fmt: skip
# A range this wide is worth a word to whoever keeps a firewall in front (FTP088).
_WIDE: Final = 2000
# Bits of the mark that others use as a rule: kube-proxy 0x4000 and 0x8000, Tailscale 0xff0000.
_FOREIGN_BITS: Final = {0x4000: "Kubernetes", 0x8000: "Kubernetes", 0xFF0000: "Tailscale"}


def _control(spec: ClusterSpec) -> Iterator[Problem]:
    if covered := [p for p in spec.ports if p in spec.passive]:
        yield error(
            "FTP020",
            "passive_low",
            f"The passive range {spec.passive} covers the control port {listed(covered)}.",
            "Move the range away from the control port.",
        )
    if spec.mode == "helper" and (others := [p for p in spec.control_ports if p != 21]):
        yield info(
            "FTP021",
            "control_ports",
            f"The helper watches port 21 unless told otherwise: for {listed(others)} it is loaded again with ports=.",
            "Apply it in a quiet hour: sessions that the helper serves at that moment lose it.",
        )
    if named := [p for p in spec.ports if p in SERVICES]:
        yield warning(
            "FTP028",
            "control_ports",
            f"Port {listed(named)} {be(named)} where others expect {listed([SERVICES[p] for p in named])}.",
            "Use 21, 990 or a free port above 1023, unless this is meant to pass a firewall.",
        )


def _tls_ports(spec: ClusterSpec) -> Iterator[Problem]:
    if 990 in spec.control_ports:
        yield warning(
            "FTP024",
            "control_ports",
            "Clients of port 990 speak TLS from the first byte (IANA: ftps), and it is a plain control port here.",
            "Move it to the ports with implicit TLS, and use advertise mode.",
        )
    if 21 in spec.implicit_ports:
        yield warning(
            "FTP025",
            "implicit_ports",
            "Clients of port 21 begin in plain text, and would get TLS from the first byte here.",
            "Use 990 for implicit TLS, and 21 as a control port.",
        )


def _data(spec: ClusterSpec) -> Iterator[Problem]:
    """RFC 959, 3.2: a server's own data connections come from the port below its control port."""
    below = {p - 1 for p in spec.ports}
    if mixed := [p for p in spec.ports if p in DATA_PORTS or p in below]:
        yield error(
            "FTP026",
            "control_ports",
            f"Port {listed(mixed)} is one that active data connections come from, so it cannot be a control port.",
            "Choose a control port that is neither 20 nor 989 nor one below another control port.",
        )
    unusual = [p for p in spec.ports if p not in (21, 990)]
    if unusual and spec.active != "none":
        yield info(
            "FTP027",
            "control_ports",
            f"For clients of port {listed(unusual)} active data has to come from {listed([p - 1 for p in unusual])}, "
            "one below (RFC 959): the routers expect it there.",
            "See that the FTP servers do so (vsftpd: ftp_data_port); the cluster's page has the lines.",
        )
    if spec.active != "none" and (inside := [p for p in spec.ports if p - 1 in spec.passive]):
        yield warning(
            "FTP079",
            "passive_low",
            f"For clients of port {listed(inside)} active data comes from {listed([p - 1 for p in inside])}, a port of "
            f"the passive range {spec.passive}.",
            "End the range two ports below the control port, or move one of them.",
        )


def _range(spec: ClusterSpec) -> Iterator[Problem]:
    if spec.passive.high >= EPHEMERAL_LOW:
        yield info(
            "FTP022",
            "passive_high",
            f"The passive range {spec.passive} meets the range that Linux uses for its own connections "
            f"({EPHEMERAL_LOW} and up).",
            "Keep it below, or reserve it on the FTP servers (net.ipv4.ip_local_reserved_ports).",
        )
    if spec.passive.size < 100 * max(1, len(spec.real_servers)):
        yield warning(
            "FTP023",
            "passive_high",
            f"The passive range {spec.passive} allows {spec.passive.size} transfers at a time on each real server.",
            "One transfer uses one port, for some time after it ended too: widen the range.",
        )
    if covered := [f"{p} ({name})" for p, name in SERVICES.items() if p in spec.passive]:
        yield info(
            "FTP029",
            "passive_low",
            f"The passive range {spec.passive} covers ports of known services, which firewalls on the way often stop: "
            f"{listed(covered)}.",
            "Begin at 10000 or above, as the guide does.",
        )
    if (spec.tls or spec.implicit_ports) and spec.passive.size > _WIDE:
        yield info(
            "FTP088",
            "passive_low",
            f"No firewall can read an encrypted PASV answer, so any in front of the VIP must let in all "
            f"{spec.passive.size} ports of {spec.passive}.",
            "Open the range there, or make it as narrow as the expected sessions allow.",
        )


def _mark(spec: ClusterSpec) -> Iterator[Problem]:
    if who := sorted({name for bits, name in _FOREIGN_BITS.items() if spec.mark & bits}):
        yield info(
            "FTP099",
            "mark",
            f"Mark {spec.mark} ({spec.mark:#x}) has bits that {listed(who)} uses for its own marks.",
            "Choose a mark below 16384 if anything of that kind may ever run on the routers.",
        )


RULES: Final[tuple[Rule, ...]] = (_control, _tls_ports, _data, _range, _mark)
