"""Sessions from several places through the lab's pair: uploads, times, what no session could reach, and who is to blame.

One reset and one apply serve all of it. The two places are the one client machine with addresses of its own for each.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from lab import api
from lbftp.core.job import Probe
from tests.workers.conftest import Bench
from workers.outcome import Outcome

pytestmark = pytest.mark.lab

SERVERS = {"ftp1", "ftp2"}
MODES = {"PASV", "EPSV", "PORT", "EPRT"}


@pytest.fixture(scope="module")
def pair() -> Bench:
    """The guide's cluster on both routers."""
    bench = Bench({host.name: host for host in api.reset().hosts})
    outcome = bench.apply(probes=())
    assert outcome.state == "succeeded", outcome.text
    return bench


def place(bench: Bench, name: str, *last: int, **changes: Any) -> Probe:
    """The client machine under a name, with these of its addresses."""
    given = dataclasses.replace(
        bench.job().probes[0], access=dataclasses.replace(bench.access("client"), name=name), upload="."
    )
    return dataclasses.replace(given, sources=tuple(f"192.0.2.{n}" for n in last), **changes)


def verify(bench: Bench, *probes: Probe) -> Outcome:
    return bench.do("verify", probes=probes)


def rows(bench: Bench) -> list[dict[str, Any]]:
    return [event.data for event in bench.seen.events if event.kind == "session"]


def test_two_places_upload_and_fetch_on_every_server_beside_the_look(pair: Bench) -> None:
    outcome = verify(pair, place(pair, "east", 50, 51, 52, 53), place(pair, "west", 54, 55, 56, 57))
    assert outcome.state == "succeeded", outcome.text
    found = rows(pair)
    assert {(r["place"], r["mode"], r["real_server"]) for r in found} == {
        (name, mode, server) for name in ("east", "west") for mode in MODES for server in SERVERS
    }
    assert all(set(r["times"]) == {"connect", "login", "first_byte"} for r in found)
    assert all(r["rates"]["up"] > 0 and r["rates"]["down"] > 0 for r in found)
    assert {(r["ok"], r["left"], tuple(r["why"])) for r in found} == {(True, "", ())}
    # A passive data connection is in the routers' tables like the session's own.
    assert all(r["data_server"] == r["real_server"] for r in found if r["mode"] in {"PASV", "EPSV"})
    for server in SERVERS:
        assert pair.sh(server, "ls -A /home/ftpuser | grep -c lbftp-probe || :") == "0\n"
    assert set(outcome.result["seconds"]) == {"connect", "look", "sessions", "total"}


def test_one_address_sees_one_server_and_says_so(pair: Bench) -> None:
    outcome = verify(pair, place(pair, "client", 50))
    assert outcome.state == "succeeded", outcome.text
    (seen,) = {r["real_server"] for r in rows(pair)}
    unseen = outcome.result["unseen"]
    assert {(one["kind"], one["real_server"]) for one in unseen} == {(m, *(SERVERS - {seen})) for m in MODES}
    assert all(f"192.0.2.50 on {seen}" in one["reason"] and "persistence" in one["reason"].lower() for one in unseen)
    assert "No session reached" in outcome.text


def test_a_place_that_cannot_be_reached_hides_no_other(pair: Bench) -> None:
    gone = place(pair, "gone", 54, access=dataclasses.replace(pair.access("client", port=1), name="gone"))
    outcome = verify(pair, gone, place(pair, "client", 50, 51, 52, 53))
    assert {r["place"] for r in rows(pair)} == {"client"}
    assert all(r["ok"] for r in rows(pair))
    (told,) = outcome.result["unreached"]
    assert told["place"] == "gone"
    assert any(told["reason"] in event.data["text"] for event in pair.seen.events if event.kind == "note")


def test_a_server_where_nothing_may_be_uploaded_is_blamed_itself(pair: Bench) -> None:
    pair.sh("ftp2", "chown root /home/ftpuser && chmod 755 /home/ftpuser")
    try:
        outcome = verify(pair, place(pair, "client", 50, 51, 52, 53))
    finally:
        pair.sh("ftp2", "chown ftpuser /home/ftpuser")
    assert outcome.state == "failed"
    bad = [r for r in rows(pair) if not r["ok"]]
    assert {(r["real_server"], r["stage"], r["reply"][:3]) for r in bad} == {("ftp2", "STOR", "553")}
    assert {(r["why"]["works"], r["why"]["hop"]) for r in bad} == {(True, "real server ftp2")}
    assert "may not write in the upload folder" in outcome.text
    assert {r["real_server"] for r in rows(pair) if r["ok"]} <= {"ftp1"}


def test_what_the_router_lacks_is_blamed_on_the_router(pair: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workers.probe.SESSION_TIMEOUT", 4)
    rule = "-d 192.0.2.100/32 -p tcp -m tcp --dport 21 "
    (marked,) = [line for line in pair.sh("r1", "iptables-save -t mangle").splitlines() if rule in line]
    pair.sh("r1", f"iptables -t mangle {marked.replace('-A', '-D', 1)}")
    try:
        outcome = verify(pair, place(pair, "client", 50, 51))
    finally:
        pair.sh("r1", f"iptables -t mangle {marked.replace('-A LBFTP-ftp', '-I LBFTP-ftp 1', 1)}")
    assert outcome.state == "failed"
    assert {(r["ok"], r["stage"], r["real_server"]) for r in rows(pair)} == {(False, "connect", "")}
    assert {(r["why"]["works"], r["why"]["hop"]) for r in rows(pair)} == {(False, "r1, IPVS")}
    assert all("No rule in mangle PREROUTING gives VIP:21 the mark 21" in r["why"]["reason"] for r in rows(pair))
    assert all(r["control"].startswith("192.0.2.5") and r["control"].endswith(" > 192.0.2.100:21") for r in rows(pair))


def test_a_stopped_server_is_out_of_rotation_and_said_to_be(pair: Bench) -> None:
    pair.sh("ftp1", "systemctl stop vsftpd")
    try:
        pair.sh("r1", "for i in $(seq 60); do ipvsadm -Ln | grep -q 10.0.50.11: || exit 0; sleep 1; done; exit 1")
        outcome = verify(pair, place(pair, "client", 54, 55))
    finally:
        pair.sh("ftp1", "systemctl start vsftpd")
    assert {r["real_server"] for r in rows(pair) if r["ok"]} == {"ftp2"}
    assert {one["real_server"] for one in outcome.result["unseen"]} == {"ftp1"}
    assert all("not in rotation" in one["reason"] for one in outcome.result["unseen"])
