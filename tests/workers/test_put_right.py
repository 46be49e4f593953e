"""Which findings of a compliance run count as put right after a re-apply."""

from __future__ import annotations

from lbftp.core.findings import Finding
from workers.jobs import _gone


def finding(code: str, router: str, what: str = "x") -> Finding:
    return Finding(code, "error", router, what, "", "", "", repairable=True)


def test_what_is_gone_from_routers_that_were_looked_at_again() -> None:
    left = {("sysctl", "r1", "x")}
    assert _gone(finding("chain", "r1"), left, {"", "r1"})
    assert _gone(finding("vip-not-held", ""), left, {"", "r1"})
    assert not _gone(finding("sysctl", "r1"), left, {"", "r1"})
    assert not _gone(finding("chain", "r2"), left, {"", "r1"})


def test_what_was_found_on_a_real_server_s_machine_nobody_put_right() -> None:
    """A re-apply changes routers, and nobody looked at the server again."""
    assert not _gone(finding("ftpd-passive-range", "", "ftp2: any port"), set(), {"", "r1", "r2"})
    assert not _gone(finding("server-route", "", "ftp2: no default route"), set(), {"", "r1", "r2"})
