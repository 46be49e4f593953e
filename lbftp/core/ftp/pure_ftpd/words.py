"""What Pure-FTPd calls the things that remedies speak of (pure-ftpd(8))."""

from __future__ import annotations

from typing import Final

from lbftp.core.ftp.daemon import Words

WORDS: Final = Words(
    passive_range="PassivePortRange",
    address="ForcePassiveIP",
    idle_timeout="MaxIdleTime (minutes)",
    passive_on="NATmode no",
    active_on="the start as root",
    data_port="the start as root, and port 21 as the control port",
    control_port="Bind; further ports are further instances",
    ipv4="neither IPV4Only nor IPV6Only",
    ipv6="neither IPV4Only nor IPV6Only",
    bound="Bind",
    tls="TLS 1",
    implicit="another daemon: Pure-FTPd has no implicit TLS",
    plain="TLS 1",
    reuse="TLS 1",
    certificate="CertFile",
)
