"""Live numbers of a router: what a real one answered, and how its connections are counted there by a real awk."""

from __future__ import annotations

import shutil
import subprocess
from ipaddress import IPv6Address, IPv6Network
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lbftp.core.measures import from_json, measures, rates, to_json
from lbftp.core.observe import numbers
from lbftp.core.observe.errors import ObserveError
from lbftp.core.observe.ipvs_stats import Counters
from lbftp.core.observe.numbers import Held, Server, Use, parse
from tests.core.cases import GUIDE, guide
from tests.core.numbers_cases import CONNECTIONS, IDLE, MASTER

AWKS = [found for name in ("mawk", "gawk", "original-awk", "busybox") if (found := shutil.which(name))]
DUAL = guide(
    vip6=IPv6Address("2001:db8:2::100"),
    floating6=IPv6Address("fd00:50::1"),
    internal_network6=IPv6Network("fd00:50::/64"),
)


def test_a_router_that_serves() -> None:
    found = parse(MASTER)
    assert (found.uptime, found.boot, found.conntrack) == (284.46, "31765df4-ab4a-4ad0-85c7-d2fadcc50a6f", (73, 262144))
    assert found.holds(GUIDE.vip)
    assert found.holds(GUIDE.floating)
    assert not found.holds(GUIDE.vip6)
    assert found.services["fwmark 21"].servers["10.0.50.12"] == Server(
        1, 1, 4, 13, Counters(6, 324, 469, 17482, 1075952)
    )
    assert found.used["192.0.2.100", "10.0.50.12"] == Use(sessions=2, passive=2)
    assert found.held[21, "10.0.50.11"] == Held(2, 352)


def test_a_router_without_ipvs() -> None:
    found = parse(IDLE)
    assert (found.conntrack, found.services, found.used, found.held) == (None, {}, {}, {})
    assert not found.holds(GUIDE.vip)


def counting() -> str:
    """The awk program that `program` brings for both IP versions, without the shell's quotes."""
    text = numbers.program([DUAL])
    return text.partition("connections awk '")[2].partition("' /proc/")[0]


@pytest.mark.parametrize("awk", AWKS)
def test_connections_are_counted_on_the_router(awk: str, tmp_path: Path) -> None:
    table = tmp_path / "conn"
    table.write_text(CONNECTIONS)
    words = [awk, "awk"] if awk.endswith("busybox") else [awk]
    done = subprocess.run([*words, counting(), str(table)], capture_output=True, text=True, check=True)
    found = parse(MASTER.replace(MASTER.partition("@connections\n")[2], f"{done.stdout}@end\n"))
    assert found.used == {
        # The ends of the range are in it, and so is a port that a client was told of; TIME_WAIT has let go of its port.
        ("192.0.2.100", "10.0.50.11"): Use(sessions=1, passive=3, other=1),
        ("192.0.2.100", "10.0.50.12"): Use(other=1),
        ("2001:db8:2::100", "fd00:50::11"): Use(sessions=1, passive=1),
    }
    assert found.held == {
        (21, "10.0.50.12"): Held(1, 351),
        (21, "10.0.50.11"): Held(2, 352),
        (21, "fd00:50::11"): Held(1, 358),
    }


def test_the_program_is_one_that_a_shell_reads() -> None:
    subprocess.run(["sh", "-n"], input=numbers.program([GUIDE, DUAL]), text=True, check=True)


def test_an_answer_that_was_cut_off_is_refused() -> None:
    with pytest.raises(ObserveError, match="end is missing"):
        parse(MASTER.removesuffix("@end\n"))


@given(st.integers(0, len(MASTER)), st.integers(0, 60), st.text(max_size=12))
def test_no_text_raises_anything_else(place: int, length: int, text: str) -> None:
    for broken in (MASTER[:place] + text + MASTER[place + length :], text):
        try:
            parse(broken)
        except ObserveError:
            continue


def test_what_a_router_says_of_one_cluster() -> None:
    found = measures(GUIDE, "r1", parse(MASTER))
    assert found.master
    assert found.ports == 10001
    one = found.server("ftp2")
    assert one is not None
    assert (one.weight, one.active, one.inactive, one.sessions, one.passive, one.other) == (1, 4, 13, 2, 2, 0)
    assert (one.held, one.held_seconds, one.left) == (1, 351, 5)
    assert from_json(to_json(found)) == found
    idle = measures(GUIDE, "r2", parse(IDLE))
    assert not idle.master
    assert [(s.name, s.weight, s.left) for s in idle.servers] == [("ftp1", None, 0), ("ftp2", None, 0)]
    assert not measures(DUAL, "r1", parse(MASTER)).master, "one VIP of two is not all"


def later(seconds: float, **old_to_new: str) -> str:
    text = MASTER.replace("284.46", f"{284.46 + seconds:.2f}")
    for old, new in old_to_new.items():
        text = text.replace(old.strip("_"), new)
    return text


def test_rates_are_growth_by_uptime() -> None:
    before = measures(GUIDE, "r1", parse(MASTER))
    grown = rates(before, measures(GUIDE, "r1", parse(later(10, _1073972="1083972"))))
    assert grown["ftp1"]["out_bytes"] == pytest.approx(1000)
    assert grown["ftp2"]["out_bytes"] == 0


def test_a_counter_that_began_anew_counts_what_came_since() -> None:
    before = measures(GUIDE, "r1", parse(MASTER))
    anew = MASTER.replace("6      323      432    17415  1073972", "1       20       30     1000     5000")
    grown = rates(before, measures(GUIDE, "r1", parse(anew.replace("284.46", "294.46"))))
    assert grown["ftp1"] == pytest.approx(
        {"connections": 0.1, "in_packets": 2, "out_packets": 3, "in_bytes": 100, "out_bytes": 500}
    )


def test_looks_that_cannot_be_compared_give_no_rate() -> None:
    before = measures(GUIDE, "r1", parse(MASTER))
    assert rates(None, before) == {}
    assert rates(before, before) == {}, "no time has passed"
    assert (
        rates(before, measures(GUIDE, "r1", parse(MASTER.replace("31765df4", "00000000").replace("284", "990")))) == {}
    )
    assert rates(before, measures(GUIDE, "r1", parse(later(3600)))) == {}, "too long ago"
    gone = MASTER.replace("  -> 10.0.50.11:0                 1         2           3          12\n", "")
    assert list(rates(before, measures(GUIDE, "r1", parse(gone.replace("284.46", "294.46"))))) == ["ftp2"]
