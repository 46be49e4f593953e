"""What sessions showed, by kind of client and by mode."""

from __future__ import annotations

from typing import Any

from lbftp.changes.proofs import Proof
from lbftp.core.promise import promised
from lbftp.core.sessions import kind_row
from tests.core.cases import guide

TLS = tuple(kind_row(c) for c in promised(guide(mode="advertise", tls=True, active="none")))


def session(mode: str, server: str, tls: str = "none", *, ok: bool = True) -> dict[str, Any]:
    row = {"mode": mode, "tls": tls, "ip": 4, "port": 21, "real_server": server, "ok": ok}
    return {**row, "message": "" if ok else "522 TLS session of data connection not resumed."}


def states(proof: Proof) -> dict[str, str]:
    return {m.mode: m.state for m in proof.modes}


def test_every_promised_kind_is_there_before_it_was_tried() -> None:
    proof = Proof(kinds=TLS)
    assert states(proof) == dict.fromkeys(["PASV", "EPSV", "PASV TLS", "EPSV TLS"], "idle")
    assert [(m.mode, m.state) for m in proof.brief] == [("PASV", "idle"), ("EPSV", "idle")]
    assert list(states(Proof())) == ["PASV", "EPSV", "PORT", "EPRT"]


def test_what_fails_from_one_place_is_not_made_good_by_another() -> None:
    rows = [{**session("PASV", "ftp1", ok=False), "place": "east"}, {**session("PASV", "ftp1"), "place": "west"}]
    proof = Proof(sessions=rows)
    assert (states(proof)["PASV"], proof.servers) == ("bad", {"ftp1": False})
    again = {**session("PASV", "ftp1"), "place": "east"}
    assert states(Proof(sessions=[*rows, again]))["PASV"] == "ok"


def test_one_kind_that_fails_makes_its_mode_bad_and_its_server_unproven() -> None:
    rows = [session(m, s, t) for m in ("PASV", "EPSV") for s in ("ftp1", "ftp2") for t in ("none", "explicit")]
    assert [m.state for m in Proof(sessions=rows, kinds=TLS).brief] == ["ok", "ok"]
    proof = Proof(sessions=[*rows, session("EPSV", "ftp2", "explicit", ok=False)], kinds=TLS)
    assert states(proof) == {"PASV": "ok", "EPSV": "ok", "PASV TLS": "ok", "EPSV TLS": "bad"}
    assert [(m.mode, m.state) for m in proof.brief] == [("PASV", "ok"), ("EPSV", "bad")]
    assert proof.brief[1].title == "EPSV TLS failed: 522 TLS session of data connection not resumed."
    assert proof.servers == {"ftp1": True, "ftp2": False}


def test_what_was_promised_once_is_marked_so() -> None:
    proof = Proof(sessions=[session("PORT", "ftp1")], kinds=TLS)
    assert [(m.mode, m.promised) for m in proof.modes if not m.promised] == [("PORT", False)]
