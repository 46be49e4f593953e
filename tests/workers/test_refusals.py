"""Each reason not to touch a router gives a clear error, and the routers are as before."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest

from tests.core.cases import GUIDE, guide
from tests.workers.conftest import Bench
from workers.errors import HostKeyRefused, LoginRefused, SudoRefused, Unreachable, WorkError

pytestmark = [pytest.mark.lab, pytest.mark.timeout(900)]


@pytest.fixture
def untouched(bench: Bench) -> Any:
    before = bench.look()
    yield
    assert bench.look() == before


def other(bench: Bench, **changes: Any) -> dict[str, Any]:
    return {"routers": (bench.access("r1", **changes), bench.access("r2"))}


CONNECTING: dict[str, tuple[Callable[[Bench], dict[str, Any]], type[WorkError], str]] = {
    "nobody answers": (lambda b: other(b, port=1), Unreachable, "no SSH connection to 127.0.0.1 port 1"),
    "no such address": (lambda b: other(b, address="no-such-host.invalid"), Unreachable, "address and port"),
    "the other router's key": (lambda b: other(b, host_key=b.hosts["r2"].host_key), HostKeyRefused, "is not the confirmed"),
    "no confirmed key": (lambda b: other(b, host_key=""), HostKeyRefused, "no host key was confirmed"),
    "a wrong password": (
        lambda b: other(b, username="pwadmin", key="", password="wrong"), LoginRefused, "login as pwadmin was refused",
    ),
    "a key that is none": (lambda b: other(b, key="none"), LoginRefused, "cannot be read"),
    "no right to use sudo": (lambda b: other(b, username="nosudo", sudo=True), SudoRefused, "sudo refused nosudo"),
    "a wrong sudo password": (
        lambda b: other(b, username="pwadmin", key="", password="lab-admin-password", sudo=True, sudo_password="wrong"),
        SudoRefused, "incorrect password",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CONNECTING)
@pytest.mark.usefixtures("untouched")
def test_no_way_in_is_a_clear_error(bench: Bench, case: str) -> None:
    changes, kind, words = CONNECTING[case]
    with pytest.raises(kind, match=words) as error:
        bench.do("plan", **changes(bench))
    assert str(error.value).startswith("r1: ")
    assert "lab-admin-password" not in str(error.value)


def test_a_changed_host_key_shows_both_fingerprints(bench: Bench) -> None:
    from lbftp.core.hostkey import fingerprint

    with pytest.raises(HostKeyRefused) as error:
        bench.do("plan", **other(bench, host_key=bench.hosts["r2"].host_key))
    assert fingerprint(bench.hosts["r1"].host_key) in str(error.value)
    assert fingerprint(bench.hosts["r2"].host_key) in str(error.value)
    assert error.value.offered == bench.hosts["r1"].host_key


def test_an_account_without_sudo_that_is_not_root_is_told(bench: Bench) -> None:
    outcome = bench.do("plan", **other(bench, username="nosudo"))
    assert outcome.state == "failed"
    assert {p.code for p in outcome.refused} == {"FTP103"}


@pytest.mark.parametrize("account", ["admin", "pwadmin"])
def test_sudo_with_and_without_a_password_works(bench: Bench, account: str) -> None:
    password = {"key": "", "password": "lab-admin-password", "sudo_password": "lab-admin-password"}
    changes = {"username": account, "sudo": True, **(password if account == "pwadmin" else {})}
    assert bench.do("plan", **other(bench, **changes)).state == "succeeded"


@contextmanager
def broken(bench: Bench, do: str, undo: str) -> Any:
    bench.sh("r2", do)
    try:
        yield
    finally:
        bench.sh("r2", undo)


STATES: dict[str, tuple[str, str, str, str]] = {
    "keepalived missing": (
        "mv /usr/sbin/keepalived /usr/sbin/keepalived.away", "mv /usr/sbin/keepalived.away /usr/sbin/keepalived",
        "FTP100", "keepalived is not installed",
    ),
    "a foreign rule sets the mark": (
        "iptables -t mangle -A PREROUTING -s 198.51.100.9 -j MARK --set-mark 21",
        "iptables -t mangle -D PREROUTING -s 198.51.100.9 -j MARK --set-mark 21", "FTP110", "already set by a foreign",
    ),
    "a port of the passive range in use": (
        "systemd-run --unit=busy --collect python3 -m http.server 15000 && sleep 3", "systemctl stop busy",
        "FTP113", "Port 15000 is in use",
    ),
    "a foreign service for the mark": (
        "ipvsadm -A -f 21 -s rr", "ipvsadm -D -f 21", "FTP115", "already has a virtual service for mark 21",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", STATES)
def test_a_router_that_stands_against_it_is_not_touched(bench: Bench, case: str) -> None:
    do, undo, code, words = STATES[case]
    manager: AbstractContextManager[None] = broken(bench, do, undo)
    with manager:
        before = bench.look()
        outcome = bench.do("plan")
        after = bench.look()
    assert outcome.state == "failed"
    assert outcome.plan is None
    assert [(p.code, p.router) for p in outcome.refused] == [(code, "r2")]
    assert words in outcome.text
    assert outcome.refused[0].remedy in outcome.text
    assert before == after


def test_a_mark_of_another_cluster_is_refused(bench: Bench) -> None:
    outcome = bench.do("plan", others=(guide(name="other", vrid=9),))
    assert "FTP040" in {p.code for p in outcome.refused}


def test_an_interface_that_changed_since_enrolling_is_told(bench: Bench) -> None:
    moved = dataclasses.replace(GUIDE.routers[1], public_interface="mgmt0")
    outcome = bench.do("plan", spec=guide(routers=(GUIDE.routers[0], moved)))
    assert {p.code for p in outcome.refused} == {"FTP106"}


def test_an_apply_whose_approval_is_for_another_plan_touches_nothing(bench: Bench) -> None:
    before = bench.look()
    outcome = bench.do("apply", approved_digest="0" * 64)
    assert outcome.state == "failed"
    assert outcome.stale is not None
    assert "approve" in outcome.text
    assert bench.look() == before
