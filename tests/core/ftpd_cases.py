"""Clusters of every kind that FTP servers have to be set up for, and what our readers make of the lines for them."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, IPv6Network
from pathlib import Path
from typing import Any, Final

from lbftp.core.ftp.parts import CERTIFICATE, KEY, OWN_ADDRESS6, Snippet
from lbftp.core.ftp.proftpd.read import proftpd
from lbftp.core.ftp.pure_ftpd.read import OPTIONS as FOLDER
from lbftp.core.ftp.pure_ftpd.read import pure_ftpd, pure_ftpd_files
from lbftp.core.ftp.server import FtpServer
from lbftp.core.ftp.vsftpd.read import vsftpd
from lbftp.core.spec import ClusterSpec, PortRange, RealServerSpec
from tests.core.cases import GUIDE, guide

DUAL_SERVERS: Final = (
    RealServerSpec("ftp1", IPv4Address("10.0.50.11"), IPv6Address("fd00:50::11")),
    RealServerSpec("ftp2", IPv4Address("10.0.50.12"), IPv6Address("fd00:50::12")),
)
IPV6: Final[dict[str, Any]] = {
    "vip6": IPv6Address("2001:db8::100"),
    "floating6": IPv6Address("fd00:50::1"),
    "internal_network6": IPv6Network("fd00:50::/64"),
    "real_servers": DUAL_SERVERS,
}
ONLY_IPV6: Final[dict[str, Any]] = {**IPV6, "vip": None, "floating": None, "internal_network": None}


def advertise(**changes: Any) -> ClusterSpec:
    return guide(mode="advertise", **changes)


SPECS: Final[dict[str, ClusterSpec]] = {
    "guide": GUIDE,
    "wide": guide(passive=PortRange(1024, 65535), persistence_timeout=0),
    "brief": guide(name="brief-1", passive=PortRange(30000, 30000), persistence_timeout=130),
    "dual": guide(**IPV6),
    "ports": guide(control_ports=(21, 2121)),
    "odd-port": guide(control_ports=(2121,), active="none"),
    "advertise": advertise(),
    "tls": advertise(tls=True),
    "implicit": advertise(tls=True, implicit_ports=(990,)),
    "implicit-plain": advertise(implicit_ports=(990,)),
    "implicit-only": advertise(control_ports=(), implicit_ports=(990,)),
    "tls-ports": advertise(tls=True, control_ports=(21, 2121), passive=PortRange(30000, 30003)),
    "tls-dual": advertise(tls=True, implicit_ports=(990,), **IPV6),
    "tls-ipv6": advertise(tls=True, **ONLY_IPV6),
    "passive-only": advertise(tls=True, active="none"),
    "direct": advertise(tls=True, forwarding="DR", persistence_timeout=240),
    "direct-dual": advertise(tls=True, implicit_ports=(990,), forwarding="DR", **IPV6),
    "tunnel-dual": advertise(tls=True, forwarding="TUN", **IPV6),
}


def instances(found: Snippet, certificate: str = "/etc/cert.pem", key: str = "/etc/key.pem") -> list[list[str]]:
    """The lines of every daemon that a snippet makes, as an administrator of ftp1 would fill them in.

    A further instance begins with what its file is a copy of. Debian's option files come as lines of a pure-ftpd.conf.
    """
    options = [f"{Path(f.path).name} {f.lines[-1]}" for f in found.files if f.path.startswith(f"{FOLDER}/")]
    texts = [list(f.lines) for f in found.files if f.place]
    if options:
        texts.insert(0, options)
    filled = [
        [line.replace(CERTIFICATE, certificate).replace(KEY, key).replace(OWN_ADDRESS6, "fd00:50::11") for line in text]
        for text in texts
    ]
    return [filled[0], *(filled[0] + more for more in filled[1:])]


def read(found: Snippet) -> tuple[FtpServer, ...]:
    """The readers' view of a snippet, after it was put where it belongs."""
    texts = ["\n".join(lines) for lines in instances(found)]
    if found.daemon == "proftpd":
        return proftpd(texts[0])
    if found.daemon == "vsftpd":
        return tuple(vsftpd(text) for text in texts)
    first = {Path(f.path).name: f.text for f in found.files if f.path.startswith(f"{FOLDER}/")}
    main = pure_ftpd_files(first) if first else pure_ftpd(texts[0])
    return (main, *(pure_ftpd(text) for text in texts[1:]))
