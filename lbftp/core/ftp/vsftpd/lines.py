"""vsftpd's lines. One vsftpd listens at one port, so each further port is a file and an instance of
its own.

Sources: vsftpd.conf(5); measured with 3.0.3: with `listen_ipv6=YES` (the distributions' file)
`pasv_address` makes PASV answer 0.0.0.0, so a server that has to name the VIP listens on IPv4
alone, and IPv6 is another instance's.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Final

from lbftp.core.ftp.parts import (
    CERTIFICATE,
    KEY,
    OWN_ADDRESS6,
    REUSE,
    ConfigFile,
    Snippet,
    active_from,
    encrypted,
    explicit,
    filled,
    header,
    idle_timeout,
    names_vip,
    served_ports,
)
from lbftp.core.observe.observed import Platform
from lbftp.core.spec import ClusterSpec, cluster_name

_MAIN: Final[dict[Platform, str]] = {"debian": "/etc/vsftpd.conf", "redhat": "/etc/vsftpd/vsftpd.conf"}
_END: Final = "At the end of the file: of two lines for one option the last counts."
_COPY: Final = "A copy of {main} with these lines at its end: of two lines for one option the last counts."
# Red Hat's package brings this unit, Debian's does not.
_UNIT_PATH: Final = "/etc/systemd/system/vsftpd@.service"
_UNIT: Final = (
    "[Unit]",
    "Description=vsftpd, instance %i",
    "After=network.target",
    "",
    "[Service]",
    "Type=simple",
    "ExecStartPre=-/bin/mkdir -p /var/run/vsftpd/empty",
    "ExecStart=/usr/sbin/vsftpd /etc/vsftpd/%i.conf -obackground=NO",
    "",
    "[Install]",
    "WantedBy=multi-user.target",
)


@dataclass(frozen=True, slots=True)
class _Instance:
    """One vsftpd. `alone6`: it serves the port's IPv6 beside another instance that serves IPv4."""

    port: int
    main: bool
    alone6: bool = False

    def name(self, spec: ClusterSpec) -> str:
        return f"{cluster_name(spec.name)}-{self.port:d}{'-ipv6' if self.alone6 else ''}"


def snippet(spec: ClusterSpec, platform: Platform) -> Snippet:
    instances = list(_instances(spec))
    files = [ConfigFile(_path(spec, one, platform), _lines(spec, one), _place(one, platform)) for one in instances]
    more = [f"vsftpd@{one.name(spec)}" for one in instances if not one.main]
    if more and platform == "debian":
        files.append(ConfigFile(_UNIT_PATH, (*header(spec), *_UNIT)))
    commands = ["systemctl restart vsftpd"]
    if more:
        commands += ["systemctl daemon-reload"] if platform == "debian" else []
        commands += [f"systemctl enable --now {' '.join(more)}"]
    absent = () if names_vip(spec) else ("pasv_address",)
    return Snippet("vsftpd", platform, tuple(files), absent, tuple(commands), "", tuple(_notes(spec, instances)))


def _instances(spec: ClusterSpec) -> Iterator[_Instance]:
    both = names_vip(spec) and spec.vip6 is not None
    for number, port in enumerate(served_ports(spec)):
        yield _Instance(port, main=number == 0)
        if both:
            yield _Instance(port, main=False, alone6=True)


def _path(spec: ClusterSpec, one: _Instance, platform: Platform) -> str:
    return _MAIN[platform] if one.main else f"/etc/vsftpd/{one.name(spec)}.conf"


def _place(one: _Instance, platform: Platform) -> str:
    return _END if one.main else _COPY.format(main=_MAIN[platform])


def _lines(spec: ClusterSpec, one: _Instance) -> tuple[str, ...]:
    return (
        *header(spec),
        *_listening(spec, one),
        f"pasv_min_port={spec.passive.low:d}",
        f"pasv_max_port={spec.passive.high:d}",
        *_address(spec, one),
        *_active(spec, one),
        f"idle_session_timeout={idle_timeout(spec):d}",
        *_tls(spec, one),
    )


def _listening(spec: ClusterSpec, one: _Instance) -> Iterator[str]:
    if not one.main or one.port != 21:
        yield f"listen_port={one.port:d}"
    if one.alone6:
        yield from ("listen=NO", "listen_ipv6=YES", f"listen_address6={OWN_ADDRESS6}")
    elif names_vip(spec):
        yield "# With listen_ipv6=YES it would answer PASV with 0.0.0.0 instead of pasv_address."
        yield from ("listen=YES", "listen_ipv6=NO")
    elif spec.vip6 is not None:
        yield from ("listen=NO", "listen_ipv6=YES")


def _address(spec: ClusterSpec, one: _Instance) -> Iterator[str]:
    if one.alone6:
        yield "pasv_address="
    elif names_vip(spec):
        yield f"pasv_address={IPv4Address(str(spec.vip))}"
        yield "pasv_addr_resolve=NO"


def _active(spec: ClusterSpec, one: _Instance) -> Iterator[str]:
    """The option's name says 20, and ftp_data_port says otherwise."""
    if port := active_from(spec, one.port):
        yield "connect_from_port_20=YES"
        if port != 20:
            yield f"ftp_data_port={port:d}"


def _tls(spec: ClusterSpec, one: _Instance) -> Iterator[str]:
    implicit = one.port in spec.implicit_ports
    if not implicit and not explicit(spec):
        if not one.main and encrypted(spec):
            yield "ssl_enable=NO"
        return
    yield from ("ssl_enable=YES", f"rsa_cert_file={CERTIFICATE}", f"rsa_private_key_file={KEY}")
    yield f"implicit_ssl={'YES' if implicit else 'NO'}"
    if not implicit:
        yield "# Plain sessions are served beside TLS; YES in both refuses them."
        yield from ("force_local_logins_ssl=NO", "force_local_data_ssl=NO")
    yield from REUSE
    yield "require_ssl_reuse=NO"


def _notes(spec: ClusterSpec, instances: list[_Instance]) -> Iterator[str]:
    yield from filled(spec)
    if any(one.alone6 for one in instances):
        own = ", ".join(f"{s.name} {s.address6}" for s in spec.servers(6))
        yield f"{OWN_ADDRESS6} stands for the server's own address ({own}): vsftpd serves IPv4 and IPv6 apart here."
