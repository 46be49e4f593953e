"""The guide's cluster and what two real routers answered, before anything was applied and after."""

from __future__ import annotations

import dataclasses
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from pathlib import Path
from typing import Any

from lbftp.core.observe.answer import observed
from lbftp.core.observe.observed import Observed
from lbftp.core.spec import ClusterSpec, RealServerSpec, RouterSpec, Vrrp

DATA = Path(__file__).parent / "data"
GOLDEN = Path(__file__).parent / "golden"

R1 = RouterSpec("r1", "pub0", IPv4Interface("192.0.2.2/24"), "int0", IPv4Interface("10.0.50.2/24"), 150)
R2 = RouterSpec("r2", "pub0", IPv4Interface("192.0.2.3/24"), "int0", IPv4Interface("10.0.50.3/24"), 100)
GUIDE = ClusterSpec(
    name="ftp",
    vip=IPv4Address("192.0.2.100"),
    floating=IPv4Address("10.0.50.1"),
    internal_network=IPv4Network("10.0.50.0/24"),
    routers=(R1, R2),
    real_servers=(
        RealServerSpec("ftp1", IPv4Address("10.0.50.11")),
        RealServerSpec("ftp2", IPv4Address("10.0.50.12")),
    ),
)


def guide(**changes: Any) -> ClusterSpec:
    """The guide's cluster with some values changed; those of VRRP by their own names."""
    names = {f.name for f in dataclasses.fields(Vrrp)}
    vrrp = {name: changes.pop(name) for name in list(changes) if name in names}
    return dataclasses.replace(GUIDE, **changes, vrrp=dataclasses.replace(GUIDE.vrrp, **vrrp))


def answer(router: str, when: str) -> bytes:
    """What the lab's router answered; `when` is 'fresh' or 'applied'."""
    return (DATA / f"{router}-{when}.answer").read_bytes()


def pair(when: str) -> dict[str, Observed]:
    return {name: observed(name, answer(name, when)) for name in ("r1", "r2")}


def golden(name: str, text: str) -> None:
    """`text` equals the stored file byte for byte; a file that is missing is written, and the test fails once."""
    path = GOLDEN / name
    if not path.exists():
        path.write_text(text)
        raise AssertionError(f"{path} was missing and has been written: read it, then commit it")
    assert text == path.read_text()
