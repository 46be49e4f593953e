"""What real servers' own machines and their FTP daemons' settings break. The rules make sentence
and remedy.

Re-applying repairs none of it: what it changes is on the routers.
"""

from __future__ import annotations

from typing import Final

from lbftp.core.checks.catalogue.entry import Entry

SERVERS: Final = (
    Entry("ftpd-control-port", "error", "Nothing listens at one of the cluster's ports."),
    Entry(
        "ftpd-ip-version",
        "error",
        "A port is not served over an IP version that the cluster has.",
    ),
    Entry(
        "ftpd-bound",
        "error",
        "It listens at one address, and the routers' packets come to another.",
    ),
    Entry("ftpd-passive-off", "error", "Passive mode is switched off."),
    Entry("ftpd-passive-range", "error", "It uses passive ports that the routers do not mark."),
    Entry(
        "ftpd-passive-part",
        "warning",
        "It uses only a part of the passive ports that the routers mark.",
    ),
    Entry(
        "ftpd-pasv-address",
        "error",
        "PASV names an address, and the helper needs the server's own; or it names another than the VIP.",
    ),
    Entry(
        "ftpd-pasv-missing",
        "error",
        "PASV names the server's own address, and nobody rewrites it.",
    ),
    Entry("ftpd-pasv-name", "warning", "PASV names what a host name stands for."),
    Entry(
        "ftpd-pasv-ipv6",
        "error",
        "vsftpd with `listen_ipv6=YES` and `pasv_address`: PASV names 0.0.0.0.",
    ),
    Entry("ftpd-active-off", "error", "Active mode is switched off."),
    Entry(
        "ftpd-data-port",
        "error",
        "Active connections come from a port that the routers do not let out.",
    ),
    Entry(
        "ftpd-idle-timeout",
        "warning",
        "Quiet sessions outlive persistence: a late transfer may reach another server.",
    ),
    Entry("ftpd-tls", "warning", "It offers TLS in a cluster with the helper."),
    Entry("ftpd-tls-off", "error", "Explicit TLS is promised, and it does not take it."),
    Entry(
        "ftpd-tls-required",
        "warning",
        "It refuses plain sessions, which the cluster promises too.",
    ),
    Entry("ftpd-tls-reuse", "warning", "Data connections have to resume the TLS session."),
    Entry("ftpd-certificate", "error", "It has TLS and names no certificate."),
    Entry("ftpd-implicit-off", "error", "A port for implicit TLS does not begin with TLS."),
    Entry("ftpd-implicit-on", "error", "A control port begins with TLS."),
    Entry("ftpd-included", "info", "It reads more files, which were not looked at."),
    Entry("ftpd-stopped", "error", "No FTP daemon runs."),
    Entry(
        "ftpd-unknown",
        "info",
        "Something else than the three daemons listens at port 21, or inetd starts the daemon.",
    ),
    Entry("ftpd-unread", "warning", "What the configuration comes to cannot be told."),
    Entry("ftpd-disabled", "warning", "The daemon's unit does not start at boot."),
    Entry(
        "server-route",
        "error",
        "With NAT: the default route does not lead to the routers' floating address.",
    ),
    Entry("server-vip", "error", "Without NAT: the server does not have the VIP."),
    Entry("server-arp", "error", "Without NAT: the server answers ARP for the VIP."),
    Entry("server-disk", "warning", "A disk is full, or nearly."),
)
