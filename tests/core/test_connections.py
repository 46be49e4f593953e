"""The table of IPVS connections, as Linux 6.1 prints it."""

from __future__ import annotations

import pytest

from lbftp.core.observe.connections import servers
from lbftp.core.observe.errors import ObserveError

HEAD = "Pro FromIP   FPrt ToIP     TPrt DestIP   DPrt State       Expires PEName PEData\n"
V6 = "TCP 2001:0db8:0002:0000:0000:0000:0000:0052 DC3D 2001:0db8:0002:0000:0000:0000:0000:0100 0015 "


def test_both_ip_versions_and_no_templates() -> None:
    text = (
        f"{HEAD}{V6}fd00:0050:0000:0000:0000:0000:0000:0011 0015 TIME_WAIT       119\n"
        "TCP C0000232 B62D C0000264 3F00 0A00320C 3F00 TIME_WAIT         1\n"
        "IP  C0000233 0000 00000015 0000 0A00320B 0000 ASSURED         255\n"
        "IP  2001:0db8:0002:0000:0000:0000:0000:0052 0000 0000:0015:0000:0000:0000:0000:0000:0000 0000 "
        "fd00:0050:0000:0000:0000:0000:0000:0011 0000 ASSURED         358\n"
    )
    assert servers(text) == {("2001:db8:2::52", 0xDC3D): "fd00:50::11", ("192.0.2.50", 0xB62D): "10.0.50.12"}


def test_a_tunnel_may_lead_to_the_other_ip_version() -> None:
    assert servers(f"{HEAD}{V6}0A00320C 0015 ESTABLISHED     899\n") == {("2001:db8:2::52", 0xDC3D): "10.0.50.12"}


@pytest.mark.parametrize("line", ["TCP zz:: DC3D C0000264 0015 0A00320C 0015 NONE 1", "TCP C0 12 C0 15 0A 15 NONE 1"])
def test_what_is_no_address_is_refused(line: str) -> None:
    with pytest.raises(ObserveError, match="ip_vs_conn"):
        servers(f"{HEAD}{line}\n")
