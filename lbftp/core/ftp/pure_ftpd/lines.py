"""Pure-FTPd's lines: one file for one option on Debian, pure-ftpd.conf elsewhere. One instance
listens at one port.

Sources: pure-ftpd(8), pure-ftpd-wrapper(8), pure-ftpd.conf; measured with 1.0.50: it has no
implicit TLS, lets data connections do without resuming TLS, and active connections come from port
20 whatever port the client logged in to.
"""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address
from typing import Final

from lbftp.core.ftp.parts import (
    CERTIFICATE,
    KEY,
    ConfigFile,
    Snippet,
    explicit,
    filled,
    header,
    idle_timeout,
    names_vip,
    served_ports,
)
from lbftp.core.ftp.pure_ftpd.read import OPTIONS
from lbftp.core.observe.observed import Platform
from lbftp.core.promise import data_port, data_ports
from lbftp.core.spec import ClusterSpec, SpecError, cluster_name

_MAIN: Final = "/etc/pure-ftpd/pure-ftpd.conf"
_END: Final = "At the end of pure-ftpd.conf: of two lines for one option the last counts."
_COPY: Final[dict[Platform, str]] = {
    "debian": f"A copy of {_MAIN} in which your options of {OPTIONS} are set, with these lines at its end.",
    "redhat": f"A copy of {_MAIN} with these lines at its end: of two lines for one option the last counts.",
}
_DEBIAN_CERTIFICATE: Final = "The certificate and its key stand together in /etc/ssl/private/pure-ftpd.pem."
_UNIT_PATH: Final = "/etc/systemd/system/pure-ftpd@.service"
_UNIT: Final = (
    "[Unit]",
    "Description=Pure-FTPd, instance %i",
    "After=network.target",
    "",
    "[Service]",
    "Type=simple",
    "ExecStart=/usr/sbin/pure-ftpd /etc/pure-ftpd/%i.conf",
    "",
    "[Install]",
    "WantedBy=multi-user.target",
)


def snippet(spec: ClusterSpec, platform: Platform) -> Snippet:
    """Raises SpecError if the cluster has ports for implicit TLS only."""
    ports = [port for port in served_ports(spec) if port not in spec.implicit_ports]
    if not ports:
        raise SpecError("implicit_ports", "Pure-FTPd has no implicit TLS; use vsftpd or ProFTPD on the FTP servers")
    main, *others = ports
    apart = platform == "debian"
    files = list(_option_files(spec, main)) if apart else [ConfigFile(_MAIN, _conf(spec, _main(spec, main)), _END)]
    names = [f"{cluster_name(spec.name)}-{port:d}" for port in others]
    for name, port in zip(names, others, strict=True):
        lines = _conf(spec, _further(spec, port, name))
        files.append(ConfigFile(f"/etc/pure-ftpd/{name}.conf", lines, _COPY[platform]))
    commands = ["systemctl restart pure-ftpd"]
    if others:
        files.append(ConfigFile(_UNIT_PATH, (*header(spec), *_UNIT)))
        commands += ["systemctl daemon-reload", f"systemctl enable --now {' '.join(f'pure-ftpd@{n}' for n in names)}"]
    return Snippet(
        "pure-ftpd",
        platform,
        tuple(files),
        tuple(_absent(spec)),
        tuple(commands),
        "pure-ftpd-wrapper --show-options" if apart else "",
        tuple(_notes(spec, apart=apart, more=bool(others))),
        tuple(_cannot(spec, ports)),
    )


def _conf(spec: ClusterSpec, options: Iterator[tuple[str, str]]) -> tuple[str, ...]:
    return (*header(spec), *(f"{option} {value}" for option, value in options))


def _option_files(spec: ClusterSpec, port: int) -> Iterator[ConfigFile]:
    for option, value in _options(spec, port):
        yield ConfigFile(f"{OPTIONS}/{option}", (*header(spec), value))


def _options(spec: ClusterSpec, port: int) -> Iterator[tuple[str, str]]:
    """Idle time is in whole minutes here, one at least."""
    if port != 21:
        yield "Bind", f",{port:d}"
    yield "PassivePortRange", f"{spec.passive.low:d} {spec.passive.high:d}"
    if names_vip(spec):
        yield "ForcePassiveIP", str(IPv4Address(str(spec.vip)))
    yield "MaxIdleTime", f"{max(1, idle_timeout(spec) // 60):d}"
    if explicit(spec):
        yield "TLS", "1"


def _main(spec: ClusterSpec, port: int) -> Iterator[tuple[str, str]]:
    yield from _options(spec, port)
    if explicit(spec):
        yield "CertFileAndKey", f'"{CERTIFICATE}" "{KEY}"'


def _further(spec: ClusterSpec, port: int, name: str) -> Iterator[tuple[str, str]]:
    yield from _main(spec, port)
    yield "Daemonize", "no"
    yield "PIDFile", f"/run/pure-ftpd-{name}.pid"


def _absent(spec: ClusterSpec) -> Iterator[str]:
    """NATmode switches passive mode off; a daemon that serves one IP version alone lacks the
    other.
    """
    if not names_vip(spec):
        yield "ForcePassiveIP"
    yield "NATmode"
    if spec.vip6 is not None:
        yield "IPV4Only"
        if spec.vip is not None:
            yield "IPV6Only"


def _notes(spec: ClusterSpec, *, apart: bool, more: bool) -> Iterator[str]:
    """Debian's wrapper knows no option for the certificate's place."""
    if explicit(spec):
        if apart:
            yield _DEBIAN_CERTIFICATE
        if not apart or more:
            yield from filled(spec)


def _cannot(spec: ClusterSpec, ports: list[int]) -> Iterator[str]:
    if spec.mode == "advertise" and spec.implicit_ports:
        ask = ", ".join(map(str, spec.implicit_ports))
        yield f"Pure-FTPd has no implicit TLS: port {ask} stays unserved. Use vsftpd or ProFTPD for it."
    wrong = [port for port in ports if not _active_passes(spec, port)]
    if spec.active != "none" and wrong:
        ask = ", ".join(map(str, wrong))
        yield f"Its active connections always come from port 20: active mode fails for clients of port {ask}."


def _active_passes(spec: ClusterSpec, port: int) -> bool:
    """Routers let every data port of the cluster out; the helper prepares only the one below the
    client's port.
    """
    return data_port(port) == 20 or (spec.mode == "advertise" and 20 in data_ports(spec))
