"""What real servers' own machines break in a cluster: daemon, way back, address, disk
(docs/ftp-servers.md).

Re-applying helps with none of it: what it changes is on the routers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from lbftp.core.checks.catalogue import entry
from lbftp.core.findings import Finding
from lbftp.core.ftp import host_lines
from lbftp.core.ftp.daemon_findings import daemon_findings
from lbftp.core.ftp.daemons import DAEMONS
from lbftp.core.ftp.host import FtpHost, Instance
from lbftp.core.spec import ClusterSpec

Rule = Callable[[ClusterSpec, FtpHost], Iterator[Finding]]
# In percent: uploads fail soon, or do already.
_FULL: Final = 98


def host_findings(spec: ClusterSpec, hosts: Mapping[str, FtpHost]) -> list[Finding]:
    """What keeps the real servers that were looked at from doing their part in `spec`."""
    return [finding for name in sorted(hosts) for rule in _RULES for finding in rule(spec, hosts[name])]


def _daemon(_spec: ClusterSpec, host: FtpHost) -> Iterator[Finding]:
    if not host.instances and 21 not in host.listening:
        why, remedy = "no FTP daemon is running: it gets no clients", "Start the FTP daemon, and see why it ended."
        yield _finding("ftpd-stopped", host, why, ("an FTP daemon", "none"), remedy)
    elif not host.instances:
        why = f"something listens at port 21 that is neither {_known()}, or that inetd starts"
        remedy = "Compare its settings with the lines for FTP servers on the cluster's page yourself."
        yield _finding("ftpd-unknown", host, why, ("a known daemon", "another"), remedy)
    for one in host.instances:
        yield from _instance(host, one)


def _known() -> str:
    """'vsftpd, ProFTPD nor Pure-FTPd'."""
    *titles, last = (daemon.title for daemon in DAEMONS)
    return f"{', '.join(titles)} nor {last}"


def _instance(host: FtpHost, one: Instance) -> Iterator[Finding]:
    if one.unread:
        why = f"the settings of {one.daemon} cannot be told: {one.unread}"
        remedy = f"Look at {one.config or 'its configuration'}, and look again."
        yield _finding("ftpd-unread", host, why, ("readable settings", one.unread), remedy)
    if one.enabled == "disabled":
        why, remedy = f"{one.unit} is not started at boot", f"systemctl enable {one.unit}"
        yield _finding("ftpd-disabled", host, why, ("enabled", "disabled"), remedy)


def _settings(spec: ClusterSpec, host: FtpHost) -> Iterator[Finding]:
    if not any(one.unread for one in host.instances):
        yield from daemon_findings(spec, host.name, host.servers)


def _way_back(spec: ClusterSpec, host: FtpHost) -> Iterator[Finding]:
    """With NAT, answers have to come back through the routers."""
    if not spec.nat:
        return
    for side, command in zip((s for s in spec.sides if s.floating is not None), host_lines.routes(spec), strict=True):
        here = [str(g) for g in host.gateways if g.version == side.family]
        if here != [str(side.floating)]:
            has = ", ".join(here) or "none"
            why = f"its default route leads to {has}, not to the routers ({side.floating}): clients get no answer"
            remedy = f"{command}, and keep it over a restart (the cluster's page, FTP servers)."
            yield _finding("server-route", host, why, (str(side.floating), has), remedy)


def _vip(spec: ClusterSpec, host: FtpHost) -> Iterator[Finding]:
    """Without NAT, packets come with the VIP as they are."""
    if spec.nat:
        return
    for side in spec.sides:
        vip = side.vip
        if vip is not None and not host.holds(vip):
            why = f"it does not have the VIP {vip}: it drops what the routers send"
            remedy = "Give it the VIP as the cluster's page says (FTP servers)."
            yield _finding("server-vip", host, why, (f"{vip} on lo", "not there"), remedy)
    ignored = {host.sysctls.get("all.arp_ignore", ""), *_own(spec, host)}
    if spec.vip is not None and host.holds(spec.vip) and not ignored & {"1", "2", "3", "8"}:
        why = "it answers ARP for the VIP: it takes clients away from the routers"
        remedy = "Set the sysctls as the cluster's page says (FTP servers)."
        yield _finding("server-arp", host, why, ("arp_ignore 1", "0"), remedy)


def _own(spec: ClusterSpec, host: FtpHost) -> Iterator[str]:
    """arp_ignore of the interface that has the server's own address."""
    for server in spec.real_servers:
        if server.name == host.name and server.address is not None:
            yield from (host.sysctls.get(f"{name}.arp_ignore", "") for name in host.holds(server.address))


def _disk(_spec: ClusterSpec, host: FtpHost) -> Iterator[Finding]:
    for folder, percent in sorted(host.full.items()):
        if percent >= _FULL:
            why = f"{folder[:80]} is {percent} % full: uploads fail"
            yield _finding("server-disk", host, why, ("room", f"{percent} %"), f"Make room in {folder[:80]}.")


_RULES: Final[tuple[Rule, ...]] = (_daemon, _settings, _way_back, _vip, _disk)


def _finding(code: str, host: FtpHost, why: str, was: tuple[str, str], remedy: str) -> Finding:
    severity = entry(code).severity
    return Finding(code, severity, "", f"{host.name}: {why}", was[0], was[1], remedy, repairable=False)
