"""What vsftpd calls the things that remedies speak of (vsftpd.conf(5))."""

from __future__ import annotations

from typing import Final

from lbftp.core.ftp.daemon import ToldNothing, Words

WORDS: Final = Words(
    passive_range="pasv_min_port and pasv_max_port",
    address="pasv_address",
    idle_timeout="idle_session_timeout",
    passive_on="pasv_enable=YES",
    active_on="port_enable=YES",
    data_port="connect_from_port_20=YES and ftp_data_port={port}",
    control_port="listen_port; further ports are further instances",
    ipv4="listen=YES",
    ipv6="listen_ipv6=YES",
    bound="listen_address or listen_address6",
    tls="ssl_enable=YES",
    implicit="implicit_ssl",
    plain="force_local_logins_ssl=NO and force_local_data_ssl=NO",
    reuse="require_ssl_reuse=NO",
    certificate="rsa_cert_file and rsa_private_key_file",
    told_nothing=ToldNothing(
        "with listen_ipv6=YES vsftpd answers PASV with 0.0.0.0 in place of pasv_address: PASV fails",
        "Set listen=YES and listen_ipv6=NO; IPv6 is another instance's, with its own listen_address6.",
    ),
)
