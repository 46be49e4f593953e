from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from ipaddress import IPv4Address

import pytest

from lbftp.core.findings import findings, master, needs_repair
from lbftp.core.observe import iptables, ipvs
from lbftp.core.observe.observed import Observed
from lbftp.core.plan import plan, to_json
from lbftp.core.preflight import preflight
from lbftp.core.spec import PortRange
from tests.core.cases import GUIDE, guide, pair


def changed(found: Observed, **values: object) -> Observed:
    return dataclasses.replace(found, **values)  # type: ignore[arg-type]


def without_rule(found: Observed, part: str) -> Observed:
    """`found` with the running rules that contain `part` deleted."""
    lines = []
    for table, chains in found.running.tables.items():
        lines.append(f"*{table}")
        lines += [f":{c.name} {c.policy}" for c in chains.values()]
        lines += [r.text for c in chains.values() for r in c.rules if part not in r.text]
        lines.append("COMMIT")
    return changed(found, running=iptables.parse("\n".join(lines)))


def test_a_fresh_pair_needs_the_whole_guide() -> None:
    made = plan(GUIDE, pair("fresh"))
    kinds = [s.kind for s in made.router("r1").steps]
    assert kinds == [
        "load-module", "set-sysctl", "load-rules", "check-keepalived", *["write-file"] * 4, "reload-keepalived",
        "write-file", "write-file", "write-file",
    ]  # fmt: skip
    assert [s.phase for s in made.router("r1").steps] == ["run"] * 9 + ["persist"] * 3


def test_an_applied_pair_needs_nothing() -> None:
    made = plan(GUIDE, pair("applied"))
    assert made.empty
    assert findings(GUIDE, pair("applied")) == []
    assert master(GUIDE, pair("applied")) == "r1"


def test_the_digest_follows_the_steps_and_nothing_else() -> None:
    fresh, applied = pair("fresh"), pair("applied")
    assert plan(GUIDE, fresh).digest == plan(GUIDE, pair("fresh")).digest
    assert plan(GUIDE, fresh).digest != plan(GUIDE, applied).digest
    assert plan(GUIDE, fresh).digest != plan(guide(mark=22), fresh).digest
    moved = {"r1": fresh["r1"], "r2": changed(fresh["r2"], sysctls={"net.ipv4.ip_forward": "1"})}
    assert plan(GUIDE, fresh).digest != plan(GUIDE, moved).digest


def test_foreign_rules_that_only_run_are_shown_and_not_saved() -> None:
    router = plan(GUIDE, pair("fresh")).router("r1")
    assert any("DOCKER-USER" in note for note in router.notes)
    saved = next(s for s in router.steps if s.id == "saved-rules")
    assert "DOCKER" not in saved.params["after"]


def test_a_plan_for_people_is_json_and_shows_each_difference() -> None:
    shown = json.loads(json.dumps(to_json(plan(GUIDE, pair("fresh")))))
    whats = [d["what"] for d in shown["routers"][1]["differences"]]
    assert "filter chain LBFTP-ftp-in (running)" in whats
    assert "/etc/sysconfig/iptables" in whats
    assert all(d["diff"] for r in shown["routers"] for d in r["differences"])
    assert "params" not in shown["routers"][0]["steps"][0]


Drift = Callable[[Observed], Observed]

DRIFTS: dict[str, tuple[Drift, str, str, list[str]]] = {
    "mark rule": (lambda o: without_rule(o, "--dport 21"), "chain", "the mark rule is missing", ["load-rules"]),
    "masquerade": (lambda o: without_rule(o, "MASQUERADE"), "chain", "active mode", ["load-rules"]),
    "jump": (lambda o: without_rule(o, "-j LBFTP-ftp"), "jump", "No single jump", ["load-rules"]),
    "module": (lambda o: changed(o, modules=frozenset()), "module", "ip_vs_ftp is not loaded", ["load-module"]),
    "forwarding": (
        lambda o: changed(o, sysctls={"net.ipv4.ip_forward": "0"}), "sysctl", "every mode fails", ["set-sysctl"],
    ),
    "service": (lambda o: changed(o, services={}), "service-missing", "fwmark 21 is not in the kernel", ["add-service"]),
    "persistence": (
        lambda o: changed(o, services=ipvs.parse(
            "-A -f 21 -s wlc -p 60\n-a -f 21 -r 10.0.50.11:0 -m -w 1\n-a -f 21 -r 10.0.50.12:0 -m -w 1")),
        "service-settings", "other settings", ["set-service"],
    ),
    "weight": (
        lambda o: changed(o, services=ipvs.parse(
            "-A -f 21 -s wlc -p 360\n-a -f 21 -r 10.0.50.11:0 -m -w 5\n-a -f 21 -r 10.0.50.12:0 -m -w 1")),
        "destination-weight", "another weight", ["set-server"],
    ),
    "foreign server": (
        lambda o: changed(o, services=ipvs.parse(
            "-A -f 21 -s wlc -p 360\n-a -f 21 -r 10.0.50.11:0 -m -w 1\n-a -f 21 -r 10.0.50.12:0 -m -w 1\n"
            "-a -f 21 -r 10.0.50.13:0 -m -w 1")),
        "destination-unknown", "is no real server", ["delete-server"],
    ),
    "saved rules": (
        lambda o: changed(o, saved=iptables.parse(""), files={**o.files, o.facts.rules_path: ""}),
        "saved-rules", "after a reboot", ["write-file"],
    ),
    "module file": (
        lambda o: changed(o, files={**o.files, "/etc/modules-load.d/ip_vs_ftp.conf": None}),
        "module-file", "after a reboot PASV fails", ["write-file"],
    ),
    "include": (
        lambda o: changed(o, files={**o.files, "/etc/keepalived/keepalived.conf": "# theirs\n"}),
        "keepalived-include", "does not include", ["check-keepalived", "write-file", "reload-keepalived"],
    ),
    "keepalived stopped": (
        lambda o: changed(o, units={
            **o.units, "keepalived.service": dataclasses.replace(o.unit("keepalived.service"), active="inactive")}),
        "keepalived-stopped", "is not running", ["reload-keepalived"],
    ),
    "unit disabled": (
        lambda o: changed(o, units={
            **o.units, "keepalived.service": dataclasses.replace(o.unit("keepalived.service"), enabled="disabled")}),
        "unit-disabled", "not started at boot", ["enable-unit"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", DRIFTS)
@pytest.mark.parametrize("router", ["r1", "r2"])
def test_each_drift_is_named_and_has_its_repair(name: str, router: str) -> None:
    drift, code, words, kinds = DRIFTS[name]
    both = pair("applied")
    both[router] = drift(both[router])
    found = [f for f in findings(GUIDE, both) if f.router == router]
    assert {f.code for f in found} == {code}
    assert words in found[0].what
    assert needs_repair(found)
    steps = plan(GUIDE, both).router(router).steps
    assert [s.kind for s in steps] == kinds
    other = "r2" if router == "r1" else "r1"
    assert plan(GUIDE, both).router(other).steps == ()


def test_a_server_out_of_rotation_is_told_but_not_forced_back() -> None:
    both = pair("applied")
    one = ipvs.parse("-A -f 21 -s wlc -p 360\n-a -f 21 -r 10.0.50.11:0 -m -w 1")
    both["r1"] = changed(both["r1"], services=one)
    found = findings(GUIDE, both)
    assert [(f.code, f.severity, f.repairable) for f in found] == [("destination-missing", "warning", False)]
    assert plan(GUIDE, both).empty


def test_a_pair_without_a_master_and_one_with_two_are_told() -> None:
    both = pair("applied")
    assert {f.code for f in findings(GUIDE, {"r1": both["r2"], "r2": both["r2"]})} >= {"vip-not-held"}
    facts = dataclasses.replace(both["r2"].facts, interfaces=both["r1"].facts.interfaces)
    assert {f.code for f in findings(GUIDE, {**both, "r2": changed(both["r2"], facts=facts)})} == {"two-masters"}


def test_preflight_finds_nothing_on_the_lab_s_routers() -> None:
    assert [p for found in pair("fresh").values() for p in preflight(GUIDE, found)] == []
    assert [p for found in pair("applied").values() for p in preflight(GUIDE, found)] == []


def _listening(found: Observed, port: int) -> Observed:
    return changed(found, facts=dataclasses.replace(found.facts, listening=frozenset({(str(IPv4Address(0)), port)})))


REFUSALS: dict[str, tuple[Drift, str]] = {
    "keepalived missing": (lambda o: changed(o, facts=dataclasses.replace(o.facts, keepalived="")), "FTP100"),
    "no iptables": (lambda o: changed(o, facts=dataclasses.replace(o.facts, iptables="")), "FTP102"),
    "not root": (lambda o: changed(o, others={"account": "the login is not root"}), "FTP103"),
    "no unit for saved rules": (lambda o: changed(o, units={k: v for k, v in o.units.items() if k != o.facts.firewall_unit}),
                                "FTP104"),
    "interface changed": (lambda o: changed(o, facts=dataclasses.replace(o.facts, interfaces={})), "FTP106"),
    "port in use": (lambda o: _listening(o, 15000), "FTP113"),
    "foreign mark": (lambda o: changed(o, running=iptables.parse(
        "*mangle\n-A PREROUTING -s 1.2.3.4 -j MARK --set-mark 0x15\nCOMMIT")), "FTP110"),
    "foreign service": (lambda o: changed(o, services=ipvs.parse("-A -f 21 -s rr")), "FTP115"),
    "foreign virtual server": (lambda o: changed(o, files={
        **o.files, "/etc/keepalived/keepalived.conf": "virtual_server fwmark 21 {\n}\n"}), "FTP111"),
    "router id taken": (lambda o: changed(o, files={
        **o.files, "/etc/keepalived/keepalived.conf": "vrrp_instance theirs {\n interface pub0\n virtual_router_id 21\n}\n"}), "FTP112"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSALS)
def test_preflight_names_each_reason_not_to_touch_a_router(name: str) -> None:
    spoil, code = REFUSALS[name]
    found = preflight(GUIDE, spoil(pair("fresh")["r1"]))
    assert {p.code for p in found if p.severity == "error"} == {code}
    assert all(p.reason.startswith("r1: ") and p.router == "r1" for p in found)


def test_a_narrower_range_gives_way_to_a_port_in_use() -> None:
    assert preflight(guide(passive=PortRange(16000, 20000)), _listening(pair("fresh")["r1"], 15000)) == []
