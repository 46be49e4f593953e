"""ProFTPD's lines. Further ports are virtual hosts in the same file.

Sources: mod_core, mod_auth, mod_tls; measured with 1.3.8. Active connections come from one port
below the control port.
"""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address
from typing import Final

from lbftp.core.ftp.parts import (
    CERTIFICATE,
    KEY,
    REUSE,
    ConfigFile,
    Snippet,
    encrypted,
    explicit,
    filled,
    header,
    idle_timeout,
    names_vip,
    served_ports,
)
from lbftp.core.observe.observed import Platform
from lbftp.core.spec import ClusterSpec, SpecError

_PATHS: Final[dict[Platform, str]] = {"debian": "/etc/proftpd/proftpd.conf", "redhat": "/etc/proftpd.conf"}
_TOP: Final = "At the top of the file: of two lines for one directive the first counts."
_MODULE: Final = "TLS is a module: on Debian it is in the package proftpd-mod-crypto."
# Loading a module twice does no harm, so the distributions' own lines may follow.
_LOAD: Final = ("<IfModule !mod_tls.c>", "  LoadModule mod_tls.c", "</IfModule>")


def snippet(spec: ClusterSpec, platform: Platform) -> Snippet:
    """Raises SpecError for a range of one port, with which ProFTPD refuses to start."""
    if spec.passive.size == 1:
        raise SpecError("passive_high", "ProFTPD needs at least two passive ports; widen the range")
    lines = (*header(spec), *_lines(spec))
    return Snippet(
        "proftpd",
        platform,
        (ConfigFile(_PATHS[platform], lines, _TOP),),
        () if names_vip(spec) else ("MasqueradeAddress",),
        ("systemctl restart proftpd",),
        "proftpd -t",
        (*filled(spec), _MODULE) if encrypted(spec) else (),
    )


def _lines(spec: ClusterSpec) -> Iterator[str]:
    """The common lines twice: a virtual host inherits from <Global> and not from the main
    server, whose own lines beat <Global>. TLS is each server's own: TLSOptions of <Global> are
    added to it, and not every port begins with TLS."""
    main, *others = served_ports(spec)
    common = list(_common(spec))
    if encrypted(spec):
        yield from _LOAD
    if spec.vip6 is not None:
        yield "UseIPv6 on"
    if main != 21:
        yield f"Port {main:d}"
    yield from common
    yield from _tls(spec, main)
    yield from ("<Global>", *(f"  {line}" for line in common), "</Global>")
    for port in others:
        yield from (f"<VirtualHost {_any(spec)}>", f"  Port {port:d}")
        yield from (f"  {line}" for line in _tls(spec, port))
        yield "</VirtualHost>"


def _common(spec: ClusterSpec) -> Iterator[str]:
    """RootRevoke: by default ProFTPD gives up root after the login, and active connections come
    from any port.
    """
    yield f"PassivePorts {spec.passive.low:d} {spec.passive.high:d}"
    if names_vip(spec):
        yield f"MasqueradeAddress {IPv4Address(str(spec.vip))}"
    yield f"TimeoutIdle {idle_timeout(spec):d}"
    if spec.active != "none":
        yield "RootRevoke off"


def _any(spec: ClusterSpec) -> str:
    return " ".join({4: "0.0.0.0", 6: "::"}[side.family] for side in spec.sides)  # noqa: S104 - a line for others


def _tls(spec: ClusterSpec, port: int) -> Iterator[str]:
    implicit = port in spec.implicit_ports
    if not implicit and not explicit(spec):
        return
    yield from ("TLSEngine on", f"TLSRSACertificateFile {CERTIFICATE}", f"TLSRSACertificateKeyFile {KEY}")
    yield "# Plain sessions are served beside TLS; on refuses them." if not implicit else "# TLS from the first byte."
    yield "TLSRequired on" if implicit else "TLSRequired off"
    yield from REUSE
    yield f"TLSOptions {'UseImplicitSSL ' if implicit else ''}NoSessionReuseRequired"
