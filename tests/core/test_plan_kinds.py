"""Plans for more than the guide's cluster, from what the lab's routers hold, with one thing changed."""

from __future__ import annotations

import dataclasses
import subprocess
from typing import Any

import pytest

from lbftp.core import program
from lbftp.core.diff import KINDS as DIFFERENCES
from lbftp.core.diff import diff
from lbftp.core.findings import findings
from lbftp.core.observe import ipvs, nftables
from lbftp.core.observe.observed import Observed, Unit
from lbftp.core.ours import INCLUDE_DIR, MODPROBE_FILE
from lbftp.core.plan import plan
from lbftp.core.preflight import preflight
from lbftp.core.render import desired
from lbftp.core.spec import ClusterSpec
from lbftp.core.steps import Step
from tests.core.cases import GUIDE, guide, pair
from tests.core.kinds import KINDS


def changed(found: Observed, **values: Any) -> Observed:
    return dataclasses.replace(found, **values)


def steps(spec: ClusterSpec, found: Observed) -> dict[str, Step]:
    return {s.id: s for s in plan(spec, {found.router: found}).router(found.router).steps}


def kinds(spec: ClusterSpec, found: Observed) -> set[tuple[str, str]]:
    return {(d.kind, d.key) for d in diff(desired(spec, found), found)}


def native(found: Observed) -> Observed:
    """The router as one that uses nftables."""
    units = {**found.units, found.facts.firewall_unit: Unit(found.facts.firewall_unit, False, "inactive", "")}
    units["nftables.service"] = Unit("nftables.service", True, "active", "enabled")
    return changed(found, units=units, nft=nftables.NftRuleset())


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("router", ["r1", "r2"])
def test_every_kind_of_cluster_has_a_plan_that_is_good_shell(name: str, router: str) -> None:
    fresh = pair("fresh")[router]
    for found in (fresh, native(fresh)):
        made = plan(KINDS[name], {router: found})
        ordered = made.router(router).steps
        assert len({s.id for s in ordered}) == len(ordered)
        assert {d.kind for d in diff(desired(KINDS[name], found), found)} <= set(DIFFERENCES)
        texts = (
            program.apply(ordered, "a" * 16),
            program.restore(ordered),
            program.checkpoint("run-1", ordered, "a" * 16),
        )
        for text in texts:
            done = subprocess.run(["dash", "-n"], input=text, text=True, capture_output=True, check=False)
            assert (done.returncode, done.stderr) == (0, "")


def test_another_control_port_writes_the_helper_s_options_before_it_is_loaded() -> None:
    made = list(steps(KINDS["two-ports"], pair("fresh")["r1"]))
    assert made.index(f"modprobe-file:{MODPROBE_FILE}") < made.index("module-ip_vs_ftp")


def test_a_loaded_helper_is_loaded_again_when_it_has_to_watch_more_ports() -> None:
    found = pair("applied")["r1"]
    assert found.module_parameters["ip_vs_ftp.ports"].startswith("21")
    made = steps(KINDS["two-ports"], found)
    assert made["module-ip_vs_ftp"].kind == "reload-module"
    loaded = changed(found, module_parameters={"ip_vs_ftp.ports": "21,2121,0,0,0,0,0,0"})
    assert "module-ip_vs_ftp" not in steps(KINDS["two-ports"], loaded)
    assert ("module-ports", "ip_vs_ftp") not in kinds(GUIDE, loaded)


def test_the_options_come_back_before_the_module_is_loaded_again() -> None:
    text = program.restore(list(steps(KINDS["two-ports"], pair("applied")["r1"]).values()))
    assert text.rindex(f"rm -f {MODPROBE_FILE}") < text.rindex("again ip_vs_ftp")


def test_a_helper_that_watches_an_advertising_cluster_s_port_is_told() -> None:
    found = findings(KINDS["advertise"], {"r1": pair("applied")["r1"]})
    told = next(f for f in found if f.code == "helper-present")
    assert (told.severity, told.repairable) == ("warning", False)
    others = changed(pair("applied")["r1"], module_parameters={"ip_vs_ftp.ports": "2121,0"})
    assert "helper-present" not in {f.code for f in findings(KINDS["advertise"], {"r1": others})}


def test_a_cluster_that_changes_its_group_leaves_nothing_behind() -> None:
    found = pair("applied")["r1"]
    made = steps(guide(group="pair"), found)
    old = f"{INCLUDE_DIR}/ftp.group"
    assert {i for i in made if i.startswith("remove-")} == {f"remove-{old}.d/ftp", f"remove-{old}.conf"}
    assert made["keepalived-check"].params["gone"] == [f"{old}.conf", f"{old}.d/ftp"]
    shared = changed(found, files={**found.files, f"{old}.d/second": "lbftp_second_public\n"})
    assert {i for i in steps(guide(group="pair"), shared) if i.startswith("remove-")} == {f"remove-{old}.d/ftp"}


def test_a_second_cluster_of_the_group_touches_nothing_of_the_first() -> None:
    made = steps(KINDS["shared-group"], pair("applied")["r1"])
    written = {s.params["path"] for s in made.values() if s.kind == "write-file"}
    assert f"{INCLUDE_DIR}/second.conf" in written
    assert f"{INCLUDE_DIR}/ftp.group.d/second" in written
    assert not {p for p in written if p in {f"{INCLUDE_DIR}/ftp.conf", f"{INCLUDE_DIR}/ftp.group.conf"}}


def test_a_cluster_joins_a_running_group_only_when_it_runs_itself() -> None:
    spec, found = KINDS["shared-group"], pair("applied")["r1"]
    made = list(steps(spec, found).values())
    assert [s.kind for s in made if s.phase == "join"] == ["await-group", "write-file", "reload-keepalived"]
    assert made[[s.phase for s in made].index("join") - 1].id == "keepalived-reload"
    assert "join" not in {s.phase for s in steps(spec, pair("fresh")["r1"]).values()}
    stopped = Unit("keepalived.service", True, "inactive", "enabled")
    held = changed(found, units={**found.units, stopped.name: stopped})
    assert "join" not in {s.phase for s in steps(spec, held).values()}


def test_a_server_that_keepalived_holds_at_weight_0_is_told_and_not_forced() -> None:
    text = "-A -f 21 -s wlc -p 360\n-a -f 21 -r 10.0.50.11:0 -m -w 0\n-a -f 21 -r 10.0.50.12:0 -m -w 1"
    found = changed(pair("applied")["r1"], services=ipvs.parse(text))
    assert kinds(GUIDE, found) == {("destination-missing", "10.0.50.11")}
    assert not steps(GUIDE, found)


def test_a_sorry_server_in_use_is_told_and_not_taken_out() -> None:
    spec = KINDS["quorum-sorry"]
    text = "-A -f 21 -s wlc -p 360\n-a -f 21 -r 10.0.50.99:0 -m -w 1"
    found = changed(pair("applied")["r1"], services=ipvs.parse(text))
    told = {(d.kind, d.key) for d in diff(desired(spec, found), found)}
    assert ("sorry-server", "10.0.50.99:0") in told
    assert "destination-unknown" not in {kind for kind, _ in told}


def test_services_of_both_ip_versions_are_put_back_with_their_options() -> None:
    spec = KINDS["dual-everything"]
    found = pair("fresh")["r1"]
    held = {own.path: own.text for own in desired(spec, found).of_keepalived()}
    main = {"/etc/keepalived/keepalived.conf": "include /etc/keepalived/lbftp.d/*.conf\n"}
    made = steps(spec, changed(found, files={**found.files, **held, **main}))
    text = program.apply([made["service-add"], made["service-add6"]], "a" * 16)
    assert "ipvsadm -A -f 21 -s wlc -p 360 -M 255.255.255.0" in text
    assert "ipvsadm -A -f 21 -6 -s wlc -p 360 -M 64" in text
    assert "ipvsadm -a -f 21 -6 -r '[fd00:50::11]:0' -m -w 1 -x 0 -y 0" in text


def test_what_ipvsadm_prints_of_options_is_what_the_cluster_wants() -> None:
    text = (
        "-A -f 21 -s sh -b sh-fallback,sh-port\n-a -f 21 -r 10.0.50.11:0 -m -w 1 -x 200 -y 150\n"
        "-A -f 21 -6 -s wlc -p 360 -M 64\n-a -f 21 -6 -r [fd00:50::11]:0 -g -w 2\n"
    )
    found = ipvs.parse(text)
    assert found["fwmark 21"].flags == ("sh-fallback", "sh-port")
    assert found["fwmark 21"].destinations == (ipvs.Destination("10.0.50.11", 0, "NAT", 1, 200, 150),)
    assert found["fwmark 21 v6"].granularity == 64
    assert found["fwmark 21 v6"].destinations == (ipvs.Destination("fd00:50::11", 0, "DR", 2),)


def test_a_router_that_uses_nftables_gets_a_table_and_no_chains() -> None:
    found = native(pair("fresh")["r1"])
    made = steps(GUIDE, found)
    assert {"table", "nft-file:/etc/nftables.d/lbftp-ftp.nft", "nft-include-file:/etc/nftables.conf"} <= set(made)
    assert "rules" not in made
    assert "saved-rules" not in made


def test_a_router_that_turned_from_iptables_to_nftables_keeps_no_chain_of_ours() -> None:
    made = steps(GUIDE, native(pair("applied")["r1"]))
    assert "-X LBFTP-ftp" in made["rules"].params["text"]
    assert "LBFTP" not in made["saved-rules"].params["after"]


REFUSALS: dict[str, tuple[ClusterSpec, dict[str, Any], str]] = {
    "nine helper ports": (
        KINDS["eight-ports"],
        {"files": {MODPROBE_FILE: "# cluster other: 2200\noptions ip_vs_ftp ports=2200\n"}}, "FTP116",
    ),
    "options elsewhere": (
        GUIDE, {"files": {"/etc/modprobe.d/theirs.conf": "options ip_vs_ftp ports=2121\n"}}, "FTP117",
    ),
    "old kernel": (KINDS["dual"], {"kernel": "4.15.0"}, "FTP118"),
    "unreadable keepalived.conf": (GUIDE, {"files": {"/etc/keepalived/keepalived.conf": "nonsense {\n"}}, "FTP109"),
    "firewalld": (GUIDE, {"unit": Unit("firewalld.service", True, "active", "enabled")}, "FTP105"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSALS)
def test_preflight_refuses(name: str) -> None:
    spec, change, code = REFUSALS[name]
    found = pair("fresh")["r1"]
    facts = dataclasses.replace(found.facts, kernel=change.get("kernel", found.facts.kernel))
    units = {**found.units, **({change["unit"].name: change["unit"]} if "unit" in change else {})}
    spoiled = changed(found, facts=facts, units=units, files={**found.files, **change.get("files", {})})
    assert code in {p.code for p in preflight(spec, spoiled)}
    assert code not in {p.code for p in preflight(spec, found)}
