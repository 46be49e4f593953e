"""Which clients persistence keeps where, and whose turn it is then. The tables are as routers of the lab had them."""

from __future__ import annotations

import pytest

from lbftp.core import templates
from lbftp.core.observe.errors import ObserveError
from lbftp.core.spec import ClusterSpec
from lbftp.core.templates import Kept
from tests.core.cases import GUIDE, guide

HEAD = "Pro FromIP   FPrt ToIP     TPrt DestIP   DPrt State       Expires PEName PEData\n"
FIRST = "IP  C0000232 0000 00000015 0000 0A00320B 0000 ASSURED         216\n"
SECOND = "IP  C0000233 0000 00000015 0000 0A00320C 0000 ASSURED          58\n"
SIX = (
    "IP  2001:0db8:0002:0000:0000:0000:0000:0052 0000 0000:0015:0000:0000:0000:0000:0000:0000 0000 "
    "fd00:0050:0000:0000:0000:0000:0000:0011 0000 ASSURED         358\n"
)
ANOTHER = "IP  C0000234 0000 0000001F 0000 0A00320B 0000 ASSURED         216\n"
STRANGER = "IP  C0000235 0000 00000015 0000 0A003263 0000 ASSURED         216\n"
SESSION = "TCP C0000236 B8C3 C0000264 0015 0A00320B 0015 ESTABLISHED     898\n"
MASTER = "3: eth1    inet 192.0.2.100/32 scope global eth1\n"
SERVICES = (
    "-A -f 21 -s wlc -p 360\n-a -f 21 -r 10.0.50.11:0 -m -w 1\n-a -f 21 -r 10.0.50.12:0 -m -w 0\n"
    "-A -f 31 -s wlc -p 360\n-a -f 31 -r 10.0.50.12:0 -m -w 1\n"
)
BACKUP = "3: eth1    inet 192.0.2.3/24 scope global eth1\n"


def router(
    *lines: str, addresses: str = MASTER, spec: ClusterSpec = GUIDE, services: str = SERVICES
) -> templates.Templates:
    mark = f"{templates._MARK}\n"
    found = templates.read(spec, f"{HEAD}{''.join(lines)}{mark}{addresses}{mark}{services}")
    assert found is not None
    return found


def test_only_the_cluster_s_templates_are_taken() -> None:
    one = router(FIRST, SECOND, SIX, ANOTHER, STRANGER, SESSION)
    assert one.of == {
        "192.0.2.50": Kept("ftp1", 216),
        "192.0.2.51": Kept("ftp2", 58),
        "2001:db8:2::52": Kept("fd00:50::11", 358),
        "192.0.2.53": Kept("10.0.50.99", 216),
    }


def test_the_router_that_has_the_clients_counts() -> None:
    mark = f"{templates._MARK}\n"
    old = templates.read(GUIDE, f"{HEAD}{FIRST}{mark}{BACKUP}{mark}{SERVICES}")
    assert old is None
    assert templates.together([old, router(SECOND)]).of == {"192.0.2.51": Kept("ftp2", 58)}
    assert templates.together([old]) == templates.Templates()


def test_servers_with_a_weight_in_the_cluster_s_service_are_in_rotation() -> None:
    assert router(services=SERVICES).rotation == {4: {"ftp1"}}
    assert router(services=SERVICES.replace("-w 0", "-w 1")).rotation == {4: {"ftp1", "ftp2"}}
    assert router(services="").rotation == {}
    assert templates.together([router(), None]).rotation == {4: {"ftp1"}}


def test_a_table_that_is_not_there_or_cut_off() -> None:
    mark = f"{templates._MARK}\n"
    assert templates.read(GUIDE, f"{mark}{MASTER}{mark}") == templates.Templates()
    with pytest.raises(ObserveError, match="cut off"):
        templates.read(GUIDE, HEAD + FIRST)
    with pytest.raises(ObserveError, match="not a connection"):
        router("IP  C0 0000 00000015 0000 0A00320B 0000 ASSURED 1\n")


def test_sources_are_found_by_their_address_or_by_their_network() -> None:
    table = router(FIRST, SECOND).of
    assert templates.kept(GUIDE, 4, ["192.0.2.51", "192.0.2.57", ""], table) == {"192.0.2.51": Kept("ftp2", 58)}
    coarse = guide(persistence_granularity=24)
    network = router(FIRST.replace("C0000232", "C0000200"), spec=coarse).of
    assert templates.kept(coarse, 4, ["192.0.2.51", "192.0.3.1"], network) == {"192.0.2.51": Kept("ftp1", 216)}


ONE, TWO = Kept("ftp1", 9), Kept("ftp2", 9)


@pytest.mark.parametrize(("held", "wanted", "expected"), [
    # The scheduler gives those without a template to different servers.
    ({}, {"ftp1", "ftp2"}, ["a", "b"]),
    # One for each server is certain.
    ({"b": TWO, "c": ONE}, {"ftp1", "ftp2"}, ["b", "c"]),
    # All but one are kept on the same server: one of them will do, and the free one may get the other.
    ({"a": ONE, "b": ONE, "c": ONE}, {"ftp1", "ftp2"}, ["a", "d"]),
    ({"a": ONE, "b": ONE, "c": TWO}, {"ftp2"}, ["c", "d"]),
    ({"a": ONE, "b": ONE}, {"ftp2"}, ["c", "d"]),
    # Nothing new to be seen.
    ({"a": ONE, "b": ONE, "c": ONE, "d": ONE}, {"ftp2"}, []),
    ({"a": ONE, "b": ONE, "c": ONE, "d": ONE}, {"ftp1", "ftp2"}, ["a"]),
])  # fmt: skip
def test_whose_turn_it_is(held: dict[str, Kept], wanted: set[str], expected: list[str]) -> None:
    assert templates.turn(["a", "b", "c", "d"], held, wanted, 2) == expected
