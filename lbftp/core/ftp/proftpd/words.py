"""What ProFTPD calls the things that remedies speak of (mod_core, mod_auth, mod_tls)."""

from __future__ import annotations

from typing import Final

from lbftp.core.ftp.daemon import Words

WORDS: Final = Words(
    passive_range="PassivePorts",
    address="MasqueradeAddress",
    idle_timeout="TimeoutIdle",
    passive_on="PassivePorts",
    active_on="RootRevoke off",
    data_port="RootRevoke off",
    control_port="Port, or a <VirtualHost> with one",
    ipv4="UseIPv6 on",
    ipv6="UseIPv6 on",
    bound="DefaultAddress or <VirtualHost>",
    tls="TLSEngine on",
    implicit="TLSOptions UseImplicitSSL",
    plain="TLSRequired off",
    reuse="TLSOptions NoSessionReuseRequired",
    certificate="TLSRSACertificateFile and TLSRSACertificateKeyFile",
)
