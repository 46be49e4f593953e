"""Which kinds of clients a cluster promises."""

from __future__ import annotations

from ipaddress import IPv6Address
from typing import Any

import pytest

from lbftp.core.promise import Client, data_ports, kinds, marked_data_ports, promised
from tests.core.cases import GUIDE, guide

SIX = {"vip6": IPv6Address("2001:db8::100")}


def names(**changes: Any) -> list[str]:
    found = promised(guide(**changes))
    return [f"{c.name}/{c.family}:{c.port}" for c in found]


def plain(port: int = 21) -> list[str]:
    return [f"plain-{mode}/4:{port}" for mode in ("pasv", "epsv", "port", "eprt")]


@pytest.mark.parametrize(("changes", "expected"), [
    ({}, plain()),
    ({"active": "none"}, ["plain-pasv/4:21", "plain-epsv/4:21"]),
    ({"control_ports": (2121, 21)}, plain(21) + plain(2121)),
    (SIX, [*plain(), "plain-epsv/6:21", "plain-eprt/6:21"]),
    ({**SIX, "vip": None}, ["plain-epsv/6:21", "plain-eprt/6:21"]),
    # The helper cannot read TLS: whatever is set, nothing of it is promised.
    ({"tls": True, "implicit_ports": (990,)}, plain()),
    ({"mode": "advertise"}, plain()),
    ({"mode": "advertise", "tls": True, "active": "none"}, ["plain-pasv/4:21", "plain-epsv/4:21", "tls-pasv/4:21", "tls-epsv/4:21"]),
    ({"mode": "advertise", "implicit_ports": (990,), "control_ports": (), "active": "snat"},
     [f"implicit-{mode}/4:990" for mode in ("pasv", "epsv", "port", "eprt")]),
    ({"mode": "advertise", "forwarding": "DR"}, plain()),
])  # fmt: skip
def test_promises(changes: dict[str, Any], expected: list[str]) -> None:
    assert names(**changes) == expected


def test_kinds_are_more_than_what_is_promised() -> None:
    assert [c.name for c in kinds(GUIDE)] == [
        f"{w}-{m}" for w in ("plain", "tls") for m in ("pasv", "epsv", "port", "eprt")
    ]
    assert set(promised(GUIDE)) < set(kinds(GUIDE))
    assert str(Client("epsv", 6, "implicit", 990)) == "EPSV, implicit TLS, IPv6, port 990"


@pytest.mark.parametrize(("changes", "data", "marked"), [
    ({}, (20,), ()),
    ({"active": "none"}, (), ()),
    ({"mode": "advertise", "implicit_ports": (990,)}, (20, 989), ()),
    ({"mode": "advertise", "forwarding": "DR", "implicit_ports": (990,)}, (20, 989), (20, 989)),
    ({"mode": "advertise", "forwarding": "TUN", "active": "none"}, (), ()),
])  # fmt: skip
def test_ports_of_active_mode(changes: dict[str, Any], data: tuple[int, ...], marked: tuple[int, ...]) -> None:
    spec = guide(**changes)
    assert (data_ports(spec), marked_data_ports(spec)) == (data, marked)
