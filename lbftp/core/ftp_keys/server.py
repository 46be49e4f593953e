"""One real server's machine: everything that is to be set on it, and what is not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from lbftp.core.findings import Finding
from lbftp.core.ftp.host import FtpHost
from lbftp.core.ftp.host_findings import host_findings
from lbftp.core.ftp_keys.instance import InstanceKeys, Unset, corrected, instance_keys
from lbftp.core.spec import ClusterSpec


@dataclass(frozen=True, slots=True)
class ServerKeys:
    """`keys` are to be set, `unset` cannot be; `left` are other things found about its FTP daemons, a sentence each."""

    server: str
    keys: tuple[InstanceKeys, ...]
    unset: tuple[Unset, ...]
    left: tuple[str, ...]


def server_keys(spec: ClusterSpec, host: FtpHost) -> ServerKeys:
    """What is to be set on `host`: the same machine gives the same answer."""
    made = [found for one in host.instances if (found := instance_keys(spec, host, one))]
    return ServerKeys(
        host.name,
        tuple(one for one in made if isinstance(one, InstanceKeys)),
        tuple(one for one in made if isinstance(one, Unset)),
        tuple(_left(spec, host)),
    )


def still(spec: ClusterSpec, host: FtpHost) -> list[Finding]:
    """What could be put right and is found now."""
    return [finding for one in host.instances for finding in corrected(spec, host.name, one)]


def amiss(spec: ClusterSpec, host: FtpHost) -> str:
    """What is not as it has to be once everything is set, '' if nothing is: keys, or a daemon that nobody can read."""
    if not host.instances:
        return "no FTP daemon listens"
    if unread := [one.unread for one in host.instances if one.unread]:
        return unread[0]
    left = still(spec, host)
    return left[0].what if left else ""


def _left(spec: ClusterSpec, host: FtpHost) -> Iterator[str]:
    settled = {f.what for f in still(spec, host)}
    for finding in host_findings(spec, {host.name: host}):
        if finding.code.startswith("ftpd-") and finding.what not in settled and finding.severity != "info":
            yield f"{finding.what}. {finding.remedy}"
