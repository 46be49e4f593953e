"""Why a session failed: what is said of the routers' recorded state with one thing broken, and of what servers answer."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from typing import Any

import pytest

from lbftp.core.blame import ACCOUNT, NETWORK, VRRP, disagreement, why
from lbftp.core.observe import iptables, nftables
from lbftp.core.observe.observed import Observed
from tests.core.cases import GUIDE, pair

APPLIED = pair("applied")
MASTER = next(name for name, one in APPLIED.items() if one.holds(str(GUIDE.vip)))
Breaking = Callable[[Observed], Observed]


def row(mode: str = "PASV", **changes: Any) -> dict[str, Any]:
    """A failed session as the worker has it before it is explained."""
    return {
        "mode": mode, "tls": "none", "ip": 4, "port": 21, "address": str(GUIDE.vip), "place": "client",
        "stage": "connect", "error": "timeout", "message": "no answer within 15 s", "command": "", "reply": "",
        "control": "192.0.2.50:4 > 192.0.2.100:21", "data": "", "real_server": "ftp1", "data_server": "",
        "told": "", "told_port": 0, "ok": False, **changes,
    }  # fmt: skip


def said(code: str, stage: str, text: str = "No.") -> dict[str, Any]:
    return row(stage=stage, error="reply", message=f"{code} {text}", reply=f"{code} {text}")


def refused(told: str = "192.0.2.100", port: int = 12000, mode: str = "PASV") -> dict[str, Any]:
    stage = f"{mode} connect to {told}:{port}"
    return row(mode, stage=stage, error="refused", message="[Errno 111] Connection refused", told=told, told_port=port)


def broken(change: Breaking) -> dict[str, Observed]:
    return {name: change(one) if name == MASTER else one for name, one in APPLIED.items()}


def no_module(one: Observed) -> Observed:
    return dataclasses.replace(one, modules=one.modules - {"ip_vs_ftp"})


def no_service(one: Observed) -> Observed:
    return dataclasses.replace(one, services={k: v for k, v in one.services.items() if k != f"fwmark {GUIDE.mark}"})


def no_forwarding(one: Observed) -> Observed:
    return dataclasses.replace(one, sysctls={**one.sysctls, "net.ipv4.ip_forward": "0"})


def without(*words: str) -> Breaking:
    """Without the running rules in which all of `words` stand."""

    def change(one: Observed) -> Observed:
        tables = {
            name: {
                key: dataclasses.replace(
                    chain, rules=tuple(r for r in chain.rules if not all(w in r.text for w in words))
                )
                for key, chain in chains.items()
            }
            for name, chains in one.running.tables.items()
        }
        return dataclasses.replace(one, running=iptables.Ruleset(tables))

    return change


@pytest.mark.parametrize(
    ("change", "failed", "hop"),
    [
        (no_module, refused("10.0.50.11"), "ip_vs_ftp"),
        (no_service, row(real_server="", error="refused"), "IPVS"),
        (no_forwarding, row(), "routing"),
        (without("LBFTP", "--dport 21"), row(real_server="", error="refused"), "IPVS"),
    ],
    ids=["module", "service", "forwarding", "mark rule"],
)
def test_what_the_router_lacks_is_blamed_on_the_router(change: Breaking, failed: dict[str, Any], hop: str) -> None:
    found = why(GUIDE, failed, broken(change))
    assert found.works is False, found
    assert found.hop.startswith(MASTER), found
    assert hop in found.hop, found
    assert found.reason


@pytest.mark.parametrize(
    ("failed", "hop", "words"),
    [
        (said("530", "PASS", "Login incorrect."), ACCOUNT, "refuses the log-in"),
        (said("530", "USER", "Non-anonymous sessions must use encryption."), ACCOUNT, "with TLS only"),
        (said("421", "greeting", "Too many users."), "real server ftp1", "no more sessions"),
        (said("550", "RETR", "Failed to open file."), "real server ftp1", "is not there"),
        (said("553", "STOR", "Could not create file."), "real server ftp1", "may not write"),
        (said("552", "STOR end", "Exceeded storage allocation."), "real server ftp1", "is full"),
        (said("452", "STOR", "Insufficient disk space."), "real server ftp1", "is full"),
        (said("550", "DELE", "Permission denied."), "real server ftp1", "may not delete"),
        (said("500", "AUTH", "Unknown command."), "real server ftp1", "does not offer TLS"),
        (
            row(stage="RETR", error="checksum", message="the fetched file differs"),
            "real server ftp1",
            "another content",
        ),
    ],
    ids=lambda value: value["message"][:12] if isinstance(value, dict) else "",
)
def test_what_the_server_says_is_the_server_s(failed: dict[str, Any], hop: str, words: str) -> None:
    found = why(GUIDE, failed, APPLIED)
    assert (found.works, found.hop) == (True, hop)
    assert words in found.reason


@pytest.mark.parametrize(
    ("failed", "hop", "words"),
    [
        (refused(port=30000), "real server ftp1", "outside the passive range"),
        (refused("192.0.2.100"), "real server ftp1", "pasv_address"),
        (row("PORT", stage="LIST", error="reply", message="425 Failed to establish connection."), "real server ftp1",
         "connect from port 20"),
        (row("EPRT", stage="LIST", error="timeout", message="no answer within 15 s"), "real server ftp1",
         "connect from port 20"),
        (row(error="refused"), "real server ftp1", "refuses connections to port 21"),
        (row(), "real server ftp1", "default route is the routers' 10.0.50.1"),
        (row(real_server=""), NETWORK, "do not get there"),
        (row(stage="greeting", error="closed", message="the server closed the connection"), "real server ftp1",
         "does not greet"),
        (row(error="local", message="Cannot assign requested address"), "probe host client", "source addresses"),
    ],
    ids=["range", "pasv_address", "port 20", "silent", "stopped", "route", "network", "greeting", "local"],
)  # fmt: skip
def test_where_the_routers_are_right_something_else_is_named(failed: dict[str, Any], hop: str, words: str) -> None:
    found = why(GUIDE, failed, APPLIED)
    assert found.hop == hop, found
    assert words in found.reason
    assert found.works is not False or "range" in found.reason


def test_a_data_connection_that_went_elsewhere_is_said() -> None:
    found = why(GUIDE, {**refused(), "data_server": "ftp2"}, APPLIED)
    assert "given to ftp2, the session to ftp1" in found.reason


def test_no_holder_and_two_holders_are_vrrp_s() -> None:
    nobody = {name: one for name, one in APPLIED.items() if name != MASTER}
    assert why(GUIDE, row(real_server=""), nobody).hop == VRRP
    both = dict.fromkeys(("r1", "r2"), APPLIED[MASTER])
    both = {name: dataclasses.replace(one, router=name) for name, one in both.items()}
    found = why(GUIDE, row(), both)
    assert (found.hop, found.works) == (VRRP, None)


def test_without_a_look_nothing_is_claimed() -> None:
    assert why(GUIDE, row(), {}).works is None
    assert why(GUIDE, said("530", "PASS"), {}).hop == ACCOUNT


def test_a_good_session_that_cannot_be_is_told_apart() -> None:
    good = row(ok=True, stage="done", error="", message="")
    assert disagreement(GUIDE, good, APPLIED) is None
    found = disagreement(GUIDE, good, broken(no_module))
    assert found is not None
    assert (found.works, found.reason.startswith("The session worked, although")) == (False, True)


def nat_rule(text: str) -> Breaking:
    """With one more rule first in nat PREROUTING, where the recorded routers have none."""

    def change(one: Observed) -> Observed:
        added = iptables.parse(f"*nat\n:PREROUTING ACCEPT [0:0]\n-A PREROUTING {text}\nCOMMIT\n")
        nat = {**one.running.tables["nat"], **added.tables["nat"]}
        return dataclasses.replace(one, running=iptables.Ruleset({**one.running.tables, "nat": nat}))

    return change


TO_FTP1 = "-d 192.0.2.100/32 -p tcp -m tcp --dport 21 -j DNAT --to-destination 10.0.50.11"


@pytest.mark.parametrize(
    ("rule", "failed", "works"),
    [
        (TO_FTP1, {**refused("10.0.50.11"), "error": "unreachable", "real_server": ""}, False),
        (TO_FTP1, {**refused(mode="EPSV"), "real_server": ""}, None),
        (TO_FTP1.replace("10.0.50.11", "198.51.100.9"), row(real_server=""), False),
        ("-i pub0 -p tcp -m tcp --dport 21 -j REDIRECT --to-ports 2121", row(error="refused"), False),
        ("-p tcp -m tcp --dport 9000:12000 -j DNAT --to-destination 10.0.50.12", refused(mode="EPSV"), False),
    ],
    ids=["pasv to a real server", "epsv to a real server", "to another machine", "to the router", "passive range"],
)
def test_a_rule_that_takes_the_ports_elsewhere_is_named_and_no_server_is(
    rule: str, failed: dict[str, Any], works: bool | None
) -> None:
    found = why(GUIDE, failed, broken(nat_rule(rule)))
    assert (found.works, found.hop) == (works, f"{MASTER}, nat PREROUTING"), found
    assert rule in found.reason
    assert (
        why(GUIDE, failed, broken(nat_rule("-d 192.0.2.99/32 -p tcp -j DNAT --to-destination 10.0.50.11"))).hop
        != found.hop
    )


def test_a_rule_that_is_not_understood_is_named_unless_the_session_got_past_it() -> None:
    """nftables beside: whether it drops ours cannot be told."""
    match = {"match": {"op": "==", "left": {"payload": {"protocol": "ip", "field": "saddr"}}, "right": "@bad"}}
    base = {
        "family": "ip",
        "table": "site",
        "name": "in",
        "type": "filter",
        "hook": "input",
        "prio": 0,
        "policy": "accept",
    }
    rule = {"family": "ip", "table": "site", "chain": "in", "expr": [match, {"drop": None}]}
    table = {"family": "ip", "name": "site"}
    listed = nftables.parse(json.dumps({"nftables": [{"table": table}, {"chain": base}, {"rule": rule}]}))
    odd = broken(lambda one: dataclasses.replace(one, nft=listed))
    found = why(GUIDE, row(real_server=""), odd)
    assert (found.works, found.hop) == (None, f"{MASTER}, nftables ip site in")
    assert "ip saddr @bad drop" in found.reason
    assert why(GUIDE, row(error="refused"), odd).hop == "real server ftp1"
