"""Which real servers were not seen, and the reason that is told."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from lbftp.core.observe.ipvs import Destination, Service
from lbftp.core.observe.observed import Observed
from lbftp.core.reach import Seen, clients, unseen
from lbftp.core.templates import Kept
from tests.core.cases import GUIDE, guide, pair

ROWS: tuple[dict[str, Any], ...] = (
    {"mode": "PASV", "tls": "none", "ip": 4, "port": 21, "client": "192.0.2.50", "real_server": "ftp1"},
)
MISSING = [("PASV", "ftp2")]


def holder(*destinations: Destination, persistence: int = 360) -> Observed:
    service = Service("fwmark 21", "wlc", persistence, destinations)
    return dataclasses.replace(pair("applied")["r1"], services={service.key: service})


def server(last: int, weight: int = 1, upper: int = 0, lower: int = 0) -> Destination:
    return Destination(f"10.0.50.{last}", 0, "NAT", weight, upper, lower)


def reason(one: Observed | None, **changes: Any) -> str:
    seen = Seen(**{"rows": ROWS, "holder": one, "connections": {}, "places": ["client"], **changes})
    (found,) = unseen(GUIDE, 4, MISSING, seen)
    assert (found.kind, found.real_server, found.planned) == ("PASV", "ftp2", False)
    return found.reason


def test_persistence_is_said_with_who_is_kept_where_and_what_to_do() -> None:
    text = reason(holder(server(11), server(12)))
    assert "Persistence of 360 s keeps 192.0.2.50 on ftp1" in text
    assert "give client more source addresses, or try again 360 s after the last session" in text
    assert reason(None) == text


@pytest.mark.parametrize(
    ("destinations", "connections", "words"),
    [
        ((server(11),), {}, "not in rotation"),
        ((server(11), server(12, weight=0)), {}, "with weight 0"),
        ((server(11), server(12, upper=10)), {"10.0.50.12": 10}, "threshold of 10"),
        ((server(11), server(12, upper=10, lower=5)), {"10.0.50.12": 5}, "threshold of 10"),
        ((server(11), server(12, upper=10)), {"10.0.50.12": 7}, "threshold of 10"),
        ((server(11), server(12, upper=10)), {"10.0.50.12": 6}, "Persistence"),
        ((server(11), server(12, upper=10, lower=5)), {"10.0.50.12": 4}, "Persistence"),
    ],
)
def test_what_the_router_has_comes_first(
    destinations: tuple[Destination, ...], connections: dict[str, int], words: str
) -> None:
    assert words in reason(holder(*destinations), connections=connections)


def test_what_the_router_keeps_is_said_with_the_time_that_is_left() -> None:
    kept = {"192.0.2.50": Kept("ftp1", 359), "192.0.2.51": Kept("ftp1", 120)}
    seen = Seen(ROWS, holder(server(11), server(12)), {}, ["client"], kept)
    (found,) = unseen(GUIDE, 4, MISSING, seen)
    assert found.reason == (
        "Persistence keeps 192.0.2.51 (not tried) on ftp1 for 120 s, 192.0.2.50 on ftp1 for 359 s: ftp2 can be reached "
        "in 120 s at the earliest, or from more source addresses of client."
    )
    assert (found.seconds, found.to_json()["seconds"]) == (120, 120)
    # What the router has of the server itself comes first.
    (out,) = unseen(GUIDE, 4, MISSING, dataclasses.replace(seen, holder=holder(server(11))))
    assert ("not in rotation" in out.reason, out.seconds) == (True, 0)


def test_sessions_that_no_router_knew_of_are_not_put_down_to_persistence() -> None:
    lost = ({**ROWS[0], "real_server": ""},)
    assert reason(holder(server(11), server(12)), rows=lost).startswith("No router's table had these sessions")


def test_without_persistence_the_scheduler_chose() -> None:
    assert "The scheduler wlc gave none of 1 sessions to ftp2" in reason(holder(server(11), server(12), persistence=0))


def test_a_server_of_weight_0_is_told_and_was_not_wanted() -> None:
    servers = (GUIDE.real_servers[0], dataclasses.replace(GUIDE.real_servers[1], weight=0))
    (found,) = unseen(guide(real_servers=servers), 4, [], Seen(ROWS, None, {}, ["client"]))
    assert (found.kind, found.real_server, found.planned) == ("", "ftp2", True)


def test_addresses_that_persistence_counts_as_one_are_one_client() -> None:
    given = ["192.0.2.50", "192.0.2.51", "192.0.3.1"]
    assert clients(GUIDE, 4, given) == given
    assert clients(guide(persistence_granularity=24), 4, given) == ["192.0.2.50", "192.0.3.1"]
    assert clients(guide(persistence_granularity6=64), 6, ["2001:db8::1", "2001:db8::2"]) == ["2001:db8::1"]
    assert clients(GUIDE, 4, [""]) == [""]
