"""What a router has to be like before it may be touched (`lbftp.core.preflight`). Each says how
it should be.
"""

from __future__ import annotations

from typing import Final

from lbftp.core.checks.catalogue.entry import Entry

ROUTERS: Final = (
    Entry("FTP100", "error", "keepalived is installed."),
    Entry("FTP101", "error", "Its systemd unit exists."),
    Entry("FTP102", "error", "iptables is installed."),
    Entry("FTP103", "error", "Everything can be read: the login is root, or may use sudo."),
    Entry(
        "FTP104",
        "error",
        "The unit that loads saved rules at boot exists (`netfilter-persistent`, `iptables`).",
    ),
    Entry(
        "FTP105",
        "error",
        "firewalld does not own the firewall: it flushes foreign rules at each reload.",
    ),
    Entry(
        "FTP108",
        "error",
        "Every table of iptables can be read: none holds rules that nft put there.",
    ),
    Entry(
        "FTP106",
        "error",
        "The interfaces have the addresses with which the router was enrolled.",
    ),
    Entry(
        "FTP107",
        "error",
        "No foreign nftables chain drops what the cluster needs: no other table could let it pass.",
    ),
    Entry("FTP109", "error", "keepalived's own files can be read."),
    Entry("FTP110", "error", "No foreign rule, running or saved, sets the cluster's mark."),
    Entry("FTP111", "error", "No other keepalived file has a virtual server for the mark."),
    Entry("FTP112", "error", "No other keepalived file uses the virtual router id."),
    Entry(
        "FTP113",
        "error",
        "Nothing listens on the router at the control port or in the passive range.",
    ),
    Entry(
        "FTP114",
        "error",
        "No other virtual service of the VIP has a port in the passive range.",
    ),
    Entry(
        "FTP115",
        "error",
        "The kernel has no virtual service for the mark that lbftp did not make.",
    ),
    Entry(
        "FTP116",
        "error",
        "The helper watches at most eight ports for all clusters that the router holds.",
    ),
    Entry("FTP117", "error", "No other modprobe file sets the helper's ports."),
    Entry("FTP118", "error", "In helper mode with IPv6 the router's kernel is 4.18 or newer."),
    Entry("FTP119", "error", "None of the units that the cluster needs at boot is masked."),
)
