"""What kinds of sessions are called."""

from __future__ import annotations

from typing import Any

import pytest

from lbftp.core.promise import kinds, promised
from lbftp.core.sessions import kind_row, label, measured, order, rate
from tests.core.cases import guide

NAMES: dict[str, dict[str, Any]] = {
    "PASV": {"mode": "PASV"},
    "EPSV": {"mode": "EPSV", "tls": "none", "ip": 4, "port": 21},
    "EPRT IPv6": {"mode": "EPRT", "tls": "none", "ip": 6, "port": 21},
    "PASV TLS": {"mode": "PASV", "tls": "explicit", "ip": 4, "port": 21},
    "EPSV implicit TLS IPv6": {"mode": "EPSV", "tls": "implicit", "ip": 6, "port": 990},
    "PORT TLS port 2121": {"mode": "PORT", "tls": "explicit", "ip": 4, "port": 2121},
    "PORT implicit TLS port 991": {"mode": "PORT", "tls": "implicit", "ip": 4, "port": 991},
    # Rows of earlier versions named the client's own port so.
    "EPRT": {"mode": "EPRT", "port": 45678},
}


@pytest.mark.parametrize("name", NAMES)
def test_what_is_usual_is_left_out(name: str) -> None:
    assert label(NAMES[name]) == name


def test_the_guide_s_kinds_are_its_four_modes() -> None:
    assert [label(kind_row(client)) for client in promised(guide())] == ["PASV", "EPSV", "PORT", "EPRT"]


def test_what_was_measured_is_said_in_units_for_people() -> None:
    assert measured({"mode": "PASV"}) == ""
    row = {"times": {"connect": 0.0041, "login": 1.25}, "rates": {"up": 999}}
    assert measured(row) == ", connect 4 ms, log-in 1250 ms, up 999 B/s"
    assert [rate(n) for n in (0, 1000, 999_949, 3_100_000)] == ["0 B/s", "1.0 kB/s", "999.9 kB/s", "3.1 MB/s"]


def test_every_kind_has_a_name_of_its_own_and_keeps_its_place() -> None:
    spec = guide(mode="advertise", tls=True, control_ports=(21, 2121), implicit_ports=(990,))
    rows = [kind_row(client) for client in kinds(spec)]
    assert len({label(row) for row in rows}) == len(rows) == 20
    turned = rows[::-1]
    assert sorted(turned, key=order) == rows
