"""The helper module, forwarding, and the files that keep them over a reboot.

modules-load.d(5), modprobe.d(5), sysctl.d(5). These files serve every cluster on the router: a cluster adds what it
needs and takes nothing away that another one may need.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from lbftp.core.ours import MODPROBE_FILE, MODULE_FILE, OWNED, SYSCTL_FILE
from lbftp.core.spec import ClusterSpec

HELPER: Final = "ip_vs_ftp"
# The module's own default (ip_vs_ftp.c).
DEFAULT_PORTS: Final = (21,)
# ip_vs_ftp.c: IP_VS_APP_MAX_PORTS; `ports=` takes no more.
MAX_PORTS: Final = 8
# EPSV and EPRT, and with them IPv6, came to ip_vs_ftp with commit d12e12299a69 (read, not measured).
_EXTENDED_SINCE: Final = (4, 18)

_CLUSTER: Final = re.compile(r"^# cluster ([a-z][a-z0-9-]{0,15}): ([0-9]{1,5}(?:,[0-9]{1,5})*)$", re.MULTILINE)
_SETTING: Final = re.compile(r"^([a-z0-9_.]+) = ([0-9]+)$", re.MULTILINE)
_FORWARDING: Final = {4: "net.ipv4.ip_forward", 6: "net.ipv6.conf.all.forwarding"}


def extended_helper(kernel: str) -> bool:
    """Whether the helper of the kernel with this version ("6.1.0-13-amd64") understands EPSV, EPRT and IPv6. A version
    that cannot be read counts as new."""
    found = re.match(r"([0-9]{1,4})\.([0-9]{1,4})", kernel)
    return found is None or (int(found[1]), int(found[2])) >= _EXTENDED_SINCE


def modules(spec: ClusterSpec) -> tuple[str, ...]:
    """What has to be loaded. keepalived itself loads IPVS and the scheduler."""
    return (HELPER,) if spec.mode == "helper" else ()


def sysctls(spec: ClusterSpec) -> tuple[tuple[str, str], ...]:
    """NAT forwards packets; with direct routing and tunnelling the real servers answer clients themselves."""
    return tuple((_FORWARDING[side.family], "1") for side in spec.sides) if spec.nat else ()


def helper_ports(spec: ClusterSpec, existing: str | None) -> tuple[int, ...]:
    """The control ports that the helper has to watch for all clusters of the router; () if none needs it.

    `existing` is the options file as it is: every cluster's ports stand there in a comment.
    """
    ports = {p for found in _recorded(spec, existing).values() for p in found}
    return tuple(sorted(ports))


def _recorded(spec: ClusterSpec, existing: str | None) -> dict[str, tuple[int, ...]]:
    found = {name: tuple(map(int, ports.split(","))) for name, ports in _CLUSTER.findall(existing or "")}
    found.pop(spec.name, None)
    if spec.mode == "helper":
        found[spec.name] = spec.control_ports
    return found


def modprobe_file(spec: ClusterSpec, existing: str | None) -> str | None:
    """The options file's content; None where none is needed: the guide's one port is the module's default."""
    recorded, ports = _recorded(spec, existing), helper_ports(spec, existing)
    if existing is None and ports in {(), DEFAULT_PORTS}:
        return None
    lines = [f"# {OWNED} file: control ports that the FTP helper of IPVS watches, for all clusters of the router."]
    lines += [f"# cluster {name}: {','.join(map(str, recorded[name]))}" for name in sorted(recorded)]
    return "\n".join([*lines, f"options {HELPER} ports={','.join(map(str, ports or DEFAULT_PORTS))}"]) + "\n"


def module_file(existing: str | None) -> str:
    """The guide's file. A line is appended to one that exists without it, as the guide's echo does."""
    if HELPER in [line.strip() for line in (existing or "").splitlines()]:
        return existing or ""
    gap = "" if not existing or existing.endswith("\n") else "\n"
    return f"{existing or ''}{gap}{HELPER}\n"


def sysctl_file(spec: ClusterSpec, existing: str | None) -> str:
    """The settings of this cluster and those that are there for others."""
    settings = {**dict(_SETTING.findall(existing or "")), **dict(sysctls(spec))}
    lines = [f"# {OWNED} file: FTP clusters behind IPVS with NAT need forwarding."]
    return "\n".join([*lines, *(f"{key} = {settings[key]}" for key in sorted(settings))]) + "\n"


def files(spec: ClusterSpec, existing: Mapping[str, str | None]) -> dict[str, str]:
    """Path -> content of every kernel settings file that the cluster needs."""
    found = {}
    if spec.mode == "helper":
        found[MODULE_FILE] = module_file(existing.get(MODULE_FILE))
    options = modprobe_file(spec, existing.get(MODPROBE_FILE))
    if options is not None:
        found[MODPROBE_FILE] = options
    if sysctls(spec):
        found[SYSCTL_FILE] = sysctl_file(spec, existing.get(SYSCTL_FILE))
    return found
