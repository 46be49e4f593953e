"""Which source addresses a place uses, by what persistence keeps: no router, no session."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lbftp.core.job import Probe
from lbftp.core.templates import Kept
from tests.core.cases import GUIDE, guide
from workers.probe import Turns, _going, _turns

FTP1, FTP2 = Kept("ftp1", 300), Kept("ftp2", 300)
SOURCES = tuple(f"192.0.2.{last}" for last in range(50, 58))


def turns(kept: Mapping[str, Kept], *sources: str, **changes: Any) -> Turns:
    (found,) = _turns(guide(**changes), Probe(None, sources, "ftp", "hello", "secret"))
    found.kept = kept
    return found


def sources(one: Turns) -> list[str]:
    return [client["source"] for client in one.next()]


def seen(one: Turns, server: str) -> None:
    one.wanted = {(kind, name) for kind, name in one.wanted if name != server}


def test_after_a_verification_all_addresses_of_which_are_kept_on_one_server() -> None:
    """One of them sees that server; the others could see nothing else, and what was not reached is told."""
    one = turns(dict.fromkeys(SOURCES, FTP1), *SOURCES)
    assert sources(one) == ["192.0.2.50"]
    seen(one, "ftp1")
    assert sources(one) == []
    # Meanwhile the time of one of them is over: the scheduler has it.
    one.kept = dict.fromkeys(SOURCES[:-1], FTP1)
    assert sources(one) == ["192.0.2.57"]
    # It was given to ftp1 again.
    one.kept = dict.fromkeys(SOURCES, FTP1)
    assert (one.over, len(one.sources)) == (True, 6)


def test_addresses_are_used_up_while_a_server_is_unseen() -> None:
    one = turns({}, *SOURCES)
    used = []
    while not one.over:
        used += sources(one)
        one.kept = dict.fromkeys(used, FTP1)
        seen(one, "ftp1")
    assert used == list(SOURCES)


def test_the_address_that_is_kept_on_the_server_still_to_be_seen_comes_first() -> None:
    one = turns({SOURCES[0]: FTP1, SOURCES[7]: FTP2}, *SOURCES)
    assert sources(one) == [SOURCES[0], SOURCES[7]]


def test_the_only_address_makes_its_sessions_wherever_it_is_kept() -> None:
    """Also on a server that takes no new clients, or is none of the cluster's."""
    for kept in ({"192.0.2.50": Kept("10.0.50.99", 9)}, {"192.0.2.50": FTP2}, {}):
        one = turns(kept, "192.0.2.50")
        assert sources(one) == ["192.0.2.50"]
        assert one.over


def test_a_server_that_is_out_of_rotation_ties_no_more_addresses_to_the_other() -> None:
    """As it was met: a verification while one server was out used all eight, and for six minutes none could see it."""
    one = turns({}, *SOURCES)
    one.rotation = frozenset({"ftp1"})
    assert sources(one) == [SOURCES[0]]
    one.kept = {SOURCES[0]: FTP1}
    seen(one, "ftp1")
    assert (one.over, len(one.sources)) == (True, 7)
    # It is back: an address that is kept nowhere can see it.
    one.rotation = frozenset({"ftp1", "ftp2"})
    assert sources(one) == [SOURCES[1], SOURCES[2]]


def test_sessions_are_made_although_no_server_is_in_rotation() -> None:
    one = turns({}, *SOURCES)
    one.rotation = frozenset()
    assert sources(one) == [SOURCES[0], SOURCES[1]]
    assert one.over


def test_places_begin_together_and_go_on_one_by_one() -> None:
    """As it was met: two places in step with rr had one server each, round by round, until no address was left."""
    east, west = turns({}, *SOURCES[:4]), turns({}, *SOURCES[4:])
    places = {"east": [east], "west": [west]}
    assert _going(places, begun=False) == ["east", "west"]
    assert _going(places, begun=True) == ["east"]
    east.wanted.clear()
    assert _going(places, begun=True) == ["west"]
    west.wanted.clear()
    assert _going(places, begun=True) == []


def test_without_persistence_the_same_address_is_tried_several_times() -> None:
    one = turns({}, persistence_timeout=0)
    assert sources(one) == ["", ""]
    assert not one.over
    assert GUIDE.persistence_timeout
