"""Names in packet filter rules and what they stand for: options, protocols, ports, ICMP types.

iptables(8), iptables-extensions(8); IANA's registers. iptables-save prints a protocol's name where /etc/protocols has
one and its number where it has not.
"""

from __future__ import annotations

from typing import Final

LONG: Final = {
    "--source": "-s", "--src": "-s", "--destination": "-d", "--dst": "-d", "--protocol": "-p", "--proto": "-p",
    "--jump": "-j", "--goto": "-g", "--in-interface": "-i", "--out-interface": "-o", "--match": "-m",
    "--source-port": "--sport", "--destination-port": "--dport",
    "--source-ports": "--sports", "--destination-ports": "--dports",
}  # fmt: skip

# The four that rules are mostly about keep their names, all others become numbers.
PROTOCOLS: Final = {
    "6": "tcp", "17": "udp", "1": "icmp", "58": "ipv6-icmp", "icmpv6": "ipv6-icmp", "0": "all",
    "igmp": "2", "ipencap": "4", "ipip": "4", "ipv4": "4", "ipv6": "41", "ipv6-route": "43", "ipv6-frag": "44",
    "gre": "47", "esp": "50", "ipv6-crypt": "50", "ah": "51", "ipv6-auth": "51", "ipv6-nonxt": "59",
    "ipv6-opts": "60", "ospf": "89", "ospfigp": "89", "pim": "103", "vrrp": "112", "l2tp": "115", "sctp": "132",
    "mh": "135", "mobility-header": "135", "ipv6-mh": "135", "udplite": "136", "dccp": "33",
}  # fmt: skip

PORTS: Final = {
    "ftp": "21", "ftp-data": "20", "ftps": "990", "ftps-data": "989", "ssh": "22", "telnet": "23", "smtp": "25",
    "domain": "53", "http": "80", "www": "80", "ntp": "123", "snmp": "161", "https": "443", "imaps": "993",
}  # fmt: skip

ICMP_TYPES: Final = {
    "echo-reply": "0", "pong": "0", "destination-unreachable": "3", "network-unreachable": "3/0",
    "host-unreachable": "3/1", "protocol-unreachable": "3/2", "port-unreachable": "3/3", "fragmentation-needed": "3/4",
    "source-quench": "4", "redirect": "5", "echo-request": "8", "ping": "8", "router-advertisement": "9",
    "router-solicitation": "10", "time-exceeded": "11", "ttl-exceeded": "11", "parameter-problem": "12",
    "timestamp-request": "13", "timestamp-reply": "14", "address-mask-request": "17", "address-mask-reply": "18",
}  # fmt: skip

ICMPV6_TYPES: Final = {
    "destination-unreachable": "1", "packet-too-big": "2", "time-exceeded": "3", "ttl-exceeded": "3",
    "parameter-problem": "4", "echo-request": "128", "ping": "128", "echo-reply": "129", "pong": "129",
    "router-solicitation": "133", "router-advertisement": "134",
    "neighbour-solicitation": "135", "neighbor-solicitation": "135",
    "neighbour-advertisement": "136", "neighbor-advertisement": "136", "redirect": "137",
}  # fmt: skip
