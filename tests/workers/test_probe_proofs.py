"""A whole proof with a real FTP server and no routers: places that can be used and that cannot, what is told of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ops.bootstrap import UNPACK_INTO
from tests.workers.test_probe_sessions import ALONE, AS_ROOT, ROOT, WRITABLE

_PROOF = """
import dataclasses, json
from ipaddress import IPv4Address
from lbftp.core.job import Access, Probe
from tests.core.cases import GUIDE, pair
from workers.probe import in_words, prove
from workers.remote import Limits
from workers.report import Report

spec = dataclasses.replace(GUIDE, vip=IPv4Address("127.0.0.1"))
key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ6b2t6Xl2m1m1tVQbqPpYl0m0h8f1tq0y3p8m1hQd1K"
away = Probe(Access("away", "127.0.0.1", 2, "probe", key, password="other-canary"), (), "ftp", "hello", "canary-word")
here = Probe(None, ("127.0.0.1", "127.0.0.2"), "ftp", "hello", "canary-word", {upload!r})
events = []
proof = prove(
    spec, {places}, {{}}, Report(events.append, lambda: None), Limits(connect=5), look=lambda: pair("applied"), run_id=9
)
told = [[e.kind, e.data] for e in events]
print(json.dumps([told, in_words(proof), proof.to_json(), proof.complete]))
"""


@dataclass(frozen=True)
class Told:
    events: list[tuple[str, dict[str, Any]]]
    words: str
    result: dict[str, Any]
    complete: bool

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [data for name, data in self.events if name == kind]


def proof(folder: Path, upload: str, places: str) -> Told:
    text = folder / "program.py"
    text.write_text(_PROOF.format(upload=upload, places=places))
    daemon = [sys.executable, "-m", "tests.workers.ftp_server", str(UNPACK_INTO), str(folder), str(text), "21"]
    done = subprocess.run(
        [*AS_ROOT, *ALONE, *daemon, *WRITABLE, "anon_other_write_enable=YES", "connect_from_port_20=YES"],
        capture_output=True, text=True, timeout=120, check=False, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "canary" not in done.stdout
    return Told(*json.loads(done.stdout))


def test_a_place_that_is_away_hides_no_other(tmp_path: Path) -> None:
    told = proof(tmp_path, "incoming", "[away, here]")
    rows = told.of("session")
    assert {(r["place"], r["mode"], r["source"], r["ok"]) for r in rows} == {
        ("the worker", mode, source, True)
        for mode in ("PASV", "EPSV", "PORT", "EPRT")
        for source in ("127.0.0.1", "127.0.0.2")
    }
    (closed,) = told.result["unreached"]
    assert closed["place"] == "away"
    assert [note["text"] for note in told.of("note")] == [f"No FTP session could be made from away: {closed['reason']}"]
    # No router told which real server it was, so no server was seen, and nobody says that persistence is why.
    assert {one["real_server"] for one in told.of("unseen")} == {"ftp1", "ftp2"}
    assert all("No router's table had these sessions" in one["reason"] for one in told.of("unseen"))
    assert not told.complete


def test_without_a_place_nothing_is_proven(tmp_path: Path) -> None:
    told = proof(tmp_path, "", "[away]")
    assert (told.of("session"), told.complete) == ([], False)
    assert told.words.startswith("No FTP session was made: away: no SSH connection to 127.0.0.1 port 2")


def test_a_failure_is_told_with_its_reason(tmp_path: Path) -> None:
    told = proof(tmp_path, "nowhere", "[here]")
    assert {(r["ok"], r["stage"], r["why"]["hop"]) for r in told.of("session")} == {(False, "STOR", "real server")}
    assert "The real server answered STOR with «553" in told.words
    # After a failure nobody went on to look for the other servers.
    assert told.of("unseen") == []
    assert all("STOR: 553" in line["text"] for line in told.of("output"))
