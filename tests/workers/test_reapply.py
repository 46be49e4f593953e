"""Check and fix on two real routers: it ends when a check finds nothing left, or says what is left."""

from __future__ import annotations

import re

import pytest

from tests.workers.conftest import Bench
from tests.workers.test_rollouts import EVERYTHING

pytestmark = [pytest.mark.lab, pytest.mark.timeout(900)]

# Several findings on the MASTER at once. The file differs (ftp1's weight), so that a reload has to come first; and a
# reload compares files: ftp2, which is the same in both, was taken out past keepalived and stays out.
DRIFT = """
f=/etc/keepalived/lbftp.d/ftp.conf
sed -i '0,/weight 1$/s//weight 5/' "$f" && grep -q 'weight 5' "$f" && systemctl reload keepalived && sleep 3
ipvsadm -d -f 21 -r 10.0.50.12:0
iptables -w 10 -t mangle -F LBFTP-ftp
sysctl -qw net.ipv4.ip_forward=0
"""
_SERVERS = "ipvsadm -Ln -f 21 | grep -c '10.0.50.1[12]:0 '"


@pytest.fixture(scope="module")
def applied(bench: Bench) -> Bench:
    outcome = bench.apply()
    assert outcome.state == "succeeded", outcome.text
    return bench


def test_one_round_is_not_enough_and_says_so(applied: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Why there are rounds: all but one thing is mended, and the run has not succeeded."""
    monkeypatch.setattr("workers.repairing.ROUNDS", 1)
    applied.sh("r1", DRIFT)
    checked = applied.do("comply")
    found = applied.seen.findings()
    assert {("r1", "destination-removed"), ("r1", "keepalived-file")} <= set(found), found
    assert checked.state == "failed", checked.text
    outcome = applied.do("comply", reapply=True)
    assert applied.sh("r1", _SERVERS).strip() == "1"
    assert outcome.state == "failed", outcome.text
    assert "1 left: r1: Real server 10.0.50.12 is not in rotation" in outcome.text
    assert not applied.seen.findings()["r1", "destination-removed"]["repaired"]
    again = applied.do("comply", reapply=True)
    assert (again.state, applied.sh("r1", _SERVERS).strip()) == ("succeeded", "2"), again.text


def test_what_a_reload_does_not_mend_is_mended_in_the_next_round(applied: Bench) -> None:
    applied.sh("r1", DRIFT)
    outcome = applied.do("comply", reapply=True)
    assert applied.sh("r1", _SERVERS).strip() == "2", outcome.text
    assert outcome.state == "succeeded", outcome.text
    assert "nothing is left" in outcome.text
    assert all(row["repaired"] for row in applied.seen.findings().values())
    assert applied.seen.sessions() == EVERYTHING
    assert applied.do("comply").result["findings"] == []


def test_what_cannot_be_mended_is_named(applied: Bench) -> None:
    """A real server whose FTP server is gone: keepalived took it out, and rightly so."""
    applied.sh("ftp2", "systemctl stop vsftpd")
    try:
        applied.sh("r1", "for i in $(seq 90); do ipvsadm -Ln | grep -q 10.0.50.12:0 || exit 0; sleep 1; done; exit 1")
        applied.sh("r1", "sysctl -qw net.ipv4.ip_forward=0")
        outcome = applied.do("comply", reapply=True)
        assert outcome.state == "failed"
        assert re.match(r"2 of [34] findings fixed, [12] left: ", outcome.text), outcome.text
        assert "10.0.50.12" in outcome.text
        assert applied.sh("r1", "sysctl -n net.ipv4.ip_forward").strip() == "1"
    finally:
        applied.sh("ftp2", "systemctl start vsftpd")
