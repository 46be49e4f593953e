"""The part of a cluster's page that says what has to be on its FTP servers, for each mode."""

from __future__ import annotations

from html import unescape
from typing import Any

import pytest
from django.urls import reverse

from tests.web.conftest import As
from tests.worlds import World, edit

SHOWN: list[tuple[dict[str, Any], list[str], list[str]]] = [
    ({}, ["servers name their own address", "ip route replace default via 10.0.50.1"], ["pasv_address=", "TLSEngine", "arp_ignore"]),
    (
        {"mode": "advertise", "tls": True},
        ["pasv_address=192.0.2.100", "MasqueradeAddress 192.0.2.100", "ForcePassiveIP", "require_ssl_reuse=NO",
         "/PATH/TO/KEY.pem stand for", "proftpd-mod-crypto"],
        ["arp_ignore", "UseImplicitSSL"],
    ),
    (
        {"mode": "advertise", "implicit_ports": [990]},
        ["implicit_ssl=YES", "/etc/vsftpd/web-990.conf", "UseImplicitSSL", "Pure-FTPd has no implicit TLS: port 990 stays"],
        ["arp_ignore"],
    ),
    (
        {"mode": "advertise", "control_ports": [], "implicit_ports": [990]},
        ["Pure-FTPd cannot serve this cluster: Pure-FTPd has no implicit TLS"],
        ["PassivePortRange"],
    ),
    (
        {"mode": "advertise", "forwarding": "DR"},
        ["Clients come to the VIP itself", "net.ipv4.conf.all.arp_ignore = 1", "address replace 192.0.2.100/32 dev lo",
         "must not lead through the routers"],
        ["pasv_address=", "ip route replace"],
    ),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "there", "absent"), SHOWN)
def test_the_page_shows_the_lines_of_the_cluster_s_mode(
    world: World, browse: As, changes: dict[str, Any], there: list[str], absent: list[str]
) -> None:
    edit(world, world.bob, **changes)
    page = browse(world.victor).get(reverse("clusters:cluster", args=[world.cluster.pk]))
    text = unescape(page.content.decode()).partition('id="ftp-servers"')[2]
    assert [part for part in there if part not in text] == []
    assert [part for part in absent if part in text] == []
